//! What opens the key: its passphrase, and the second factor that the genesis demands.

use crate::journal::Journal;
use crate::keys;
use anyhow::{Context, Result};
use coldlog_kit::custody::Reference;
use coldlog_kit::exit::{OrNo, Outcome};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::talk;
use coldlog_kit::{seal, time};
use coldlog_spec::factor::{Factor, SecondFactor};
use coldlog_spec::hash::{Hash, to_hex};
use coldlog_spec::totp;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The secret of the codes, sealed to the key file's own age identity.
const SECRET_FILE: &str = "totp.age";

/// Where the second factor comes from: the terminal, a file, or a file descriptor.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SecondSource {
    /// Read the second factor (a code, or the other person's passphrase) from a file (mode 0600).
    #[arg(long)]
    pub second_file: Option<PathBuf>,
    /// Read the second factor from an inherited file descriptor.
    #[arg(long, conflicts_with = "second_file")]
    pub second_fd: Option<i32>,
}

impl SecondSource {
    fn ask(&self, what: &str, confirm: bool) -> Result<Zeroizing<String>> {
        Source::of(self.second_file.clone(), self.second_fd).ask(what, confirm)
    }
}

/// The passphrase of the key file: with a second passphrase, what only both together give.
pub fn passphrase(
    what: &str,
    demanded: Option<SecondFactor>,
    secret: &Source,
    second: &SecondSource,
    confirm: bool,
) -> Result<Zeroizing<String>> {
    let first = secret.ask(what, confirm)?;
    if demanded != Some(SecondFactor::SecondPassphrase) {
        return Ok(first);
    }
    let other = second.ask(&format!("{what}, of the second person"), confirm)?;
    Ok(joined(&first, &other))
}

// Neither alone says anything of this; the length keeps the two apart.
fn joined(first: &str, second: &str) -> Zeroizing<String> {
    let length = (first.len() as u64).to_be_bytes();
    let digest = Hash::of_parts(&[
        b"coldlog second passphrase\n",
        &length,
        first.as_bytes(),
        second.as_bytes(),
    ]);
    Zeroizing::new(to_hex(&digest.0))
}

/// Opens the key as the genesis demands, and says by what. A code is judged, and not yet taken.
pub(crate) fn open(
    home: &Path,
    journal: &Journal,
    demanded: Option<SecondFactor>,
    run: Option<keys::Run>,
    (secret, second): (&Source, &SecondSource),
) -> Outcome<(Keys, Vec<Factor>)> {
    let ask = |what: &str| passphrase(what, demanded, secret, second, false);
    let keys = keys::load_with(home, journal, run, secret, &ask)?;
    let first = match keys.reference() {
        None => "passphrase",
        Some(Reference::Token(_)) => "pkcs11-pin",
        Some(Reference::Agent(_)) => "ssh-agent",
    };
    let mut factors = vec![Factor::Named(first.into())];
    match demanded {
        None => {}
        Some(SecondFactor::SecondPassphrase) => {
            factors.push(Factor::Named(SecondFactor::SecondPassphrase.name().into()));
        }
        Some(SecondFactor::Totp) => {
            let path = home.join(SECRET_FILE);
            let sealed = files::read_private(&path, 4096)?;
            let secret = keys.open_sealed(&sealed).with_context(|| path.display().to_string())?;
            let code =
                second.ask("the second factor: the six digits of the authenticator", false)?;
            let clock = totp::step_of(time::now());
            let used = totp::judge(&secret, &code, clock, journal.last_step()?).or_no()?;
            factors.push(Factor::Totp { used, clock });
        }
    }
    Ok((keys, factors))
}

/// Takes what must not be taken twice: durable before anything is signed.
pub fn take(journal: &mut Journal, factors: &[Factor]) -> Result<()> {
    for factor in factors {
        if let Factor::Totp { used, .. } = factor {
            journal.take_step(*used)?;
        }
    }
    Ok(())
}

/// Makes the secret of the codes, and shows it, once.
pub fn make_secret(home: &Path, keys: &Keys) -> Result<()> {
    let random = Zeroizing::new(coldlog_kit::secret::random()?);
    let secret = &random[..totp::SECRET];
    let sealed = seal::seal(secret, &[keys.recipient()])?;
    files::write(&home.join(SECRET_FILE), &sealed, Existing::Replace, Mode::Private)?;
    talk("The secret of the authenticator, shown this once; enter it there now:");
    talk(totp::uri(&keys.name, secret));
    Ok(())
}
