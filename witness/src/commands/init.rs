//! `witness init`, and a mirror's

use crate::place;
use anyhow::{Result, bail};
use coldlog_kit::custody::{NewKey, Start};
use coldlog_kit::exit::{OrNo, Outcome};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::{Keys, SCRYPT_LOG_N};
use coldlog_kit::rehearsal::marked;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::note::is_key_name;
use coldlog_spec::rehearsal::own_name;
use std::path::Path;

/// Whose keys are made.
pub struct Cosigner<'a> {
    /// What it is: `witness`, or `mirror`.
    pub role: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether it is one to practise with.
    pub rehearsal: bool,
    /// Where logs ask it.
    pub url: Option<&'a str>,
    /// Whether its key file is not encrypted.
    pub unencrypted: bool,
    /// Where its signing key shall live.
    pub place: &'a NewKey,
}

/// Runs the command.
pub fn run(home: &Path, cosigner: &Cosigner, secret: &Source) -> Outcome {
    let name = own_name(cosigner.name, cosigner.rehearsal).or_no()?;
    Ok(init(home, &Cosigner { name: &name, ..*cosigner }, secret)?)
}

fn init(home: &Path, cosigner: &Cosigner, secret: &Source) -> Result<()> {
    let Cosigner { role, name, url, .. } = *cosigner;
    if !is_key_name(name) || name.len() > 200 {
        bail!(
            "{name:?} cannot be a {role}'s name: no spaces, no plus, for example w1.example/{role}"
        );
    }
    let (key_file, policy) = (home.join("key.age"), home.join(format!("{role}.policy")));
    files::create_folder(&home.join("logs"))?;
    if files::is_there(&key_file)? && files::is_there(&policy)? {
        bail!("{} holds a {role} already; choose another --home", home.display());
    }
    // A key without its policy lines is what an interrupted init leaves: it goes on with that key.
    let keys = match files::is_there(&key_file)? {
        true => Keys::load(&key_file, role, secret)?,
        false => make_keys(&key_file, cosigner, secret)?,
    };
    if keys.name != name {
        bail!("{} is the key of {:?}, not of {name:?}", key_file.display(), keys.name);
    }
    let [ed25519, mldsa] = keys.head_keys().witness_verifiers();
    // Either signature vouches; a policy names the group, and counts it once.
    let url = url.map(|url| format!(" {url}")).unwrap_or_default();
    let lines = format!(
        "witness {name}/ed25519 {}{url}\nwitness {name}/ml-dsa-44 {}{url}\ngroup {name} any {name}/ed25519 {name}/ml-dsa-44\n",
        ed25519.encode(),
        mldsa.encode()
    );
    place::settle(home)?;
    files::write(&policy, lines.as_bytes(), Existing::Replace, Mode::Public)?;
    let line = format!("{role} {name}; its lines for a policy are in {}", policy.display());
    say(marked(name, line));
    Ok(())
}

fn make_keys(path: &Path, cosigner: &Cosigner, secret: &Source) -> Result<Keys> {
    let start = Start {
        role: cosigner.role,
        name: cosigner.name,
        place: cosigner.place,
        after: None,
        seed: None,
        scrypt_log_n: SCRYPT_LOG_N,
        unencrypted: cosigner.unencrypted,
    };
    start.run(path, secret)
}
