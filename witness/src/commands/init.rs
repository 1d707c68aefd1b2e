//! `witness init`

use crate::place;
use anyhow::{Result, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::{Keys, SCRYPT_LOG_N};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::note::is_key_name;
use std::path::Path;

/// Runs the command.
pub fn run(home: &Path, name: &str, unencrypted: bool, secret: &Source) -> Outcome {
    Ok(init(home, name, unencrypted, secret)?)
}

fn init(home: &Path, name: &str, unencrypted: bool, secret: &Source) -> Result<()> {
    if !is_key_name(name) || name.len() > 200 {
        bail!(
            "{name:?} cannot be a witness's name: no spaces, no plus, for example w1.example/witness"
        );
    }
    let (key_file, policy) = (home.join("key.age"), home.join("witness.policy"));
    files::create_folder(&home.join("logs"))?;
    if files::is_there(&key_file)? && files::is_there(&policy)? {
        bail!("{} holds a witness already; choose another --home", home.display());
    }
    // A key without its policy lines is what an interrupted init leaves: it goes on with that key.
    let keys = match files::is_there(&key_file)? {
        true => Keys::load(&key_file, "witness", secret)?,
        false => make_keys(&key_file, name, unencrypted, secret)?,
    };
    if keys.name != name {
        bail!("{} is the key of {:?}, not of {name:?}", key_file.display(), keys.name);
    }
    let [ed25519, mldsa] = keys.head_keys().witness_verifiers();
    // Either signature vouches; a policy names the group, and counts it once.
    let lines = format!(
        "witness {name}/ed25519 {}\nwitness {name}/ml-dsa-44 {}\ngroup {name} any {name}/ed25519 {name}/ml-dsa-44\n",
        ed25519.encode(),
        mldsa.encode()
    );
    place::settle(home)?;
    files::write(&policy, lines.as_bytes(), Existing::Replace, Mode::Public)?;
    say(format!("witness {name}; its lines for a policy are in {}", policy.display()));
    Ok(())
}

fn make_keys(path: &Path, name: &str, unencrypted: bool, secret: &Source) -> Result<Keys> {
    let keys = Keys::generate("witness", name)?;
    let passphrase =
        if unencrypted { None } else { Some(secret.ask("the new witness key", true)?) };
    keys.save(path, passphrase.as_ref().map(|p| (p.as_str(), SCRYPT_LOG_N)))?;
    Ok(keys)
}
