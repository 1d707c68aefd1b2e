//! What opens the key: its passphrase, and the second factor that the genesis demands.

use crate::journal::Journal;
use crate::keys;
use anyhow::{Context, Result, bail};
use coldlog_kit::custody::{NewKey, Reference};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::{Asked, Source};
use coldlog_kit::terminal::talk;
use coldlog_kit::{seal, time};
use coldlog_spec::factor::{Factor, SecondFactor};
use coldlog_spec::hash::{Hash, to_hex};
use coldlog_spec::totp;
use std::cell::Cell;
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
    // By the program that asks for the first one, where there is one.
    fn ask(&self, first: &Source, what: &Asked, confirm: bool) -> Result<Zeroizing<String>> {
        let place = (self.second_file.as_deref(), self.second_fd);
        first.ask_another(place, what, confirm)
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
    let asked = Asked {
        name: &format!("the second person's passphrase for {what}"),
        question: &format!("Passphrase for {what}, of the second person: "),
        hint: "no terminal to ask for the second person's passphrase; use --second-file or --second-fd",
    };
    let other = second.ask(secret, &asked, confirm)?;
    Ok(joined(&first, &other))
}

/// Whether a new key file may do without encryption. Where the signing key is held elsewhere, it has nothing
/// that the journal beside it has not: no second secret to type, unless one is asked for, or a second
/// person's passphrase must open it.
pub(crate) fn may_be_open(
    place: &NewKey,
    demanded: Option<SecondFactor>,
    secret: &Source,
) -> Result<bool> {
    let second = demanded == Some(SecondFactor::SecondPassphrase);
    if second && !place.key_recipient.is_empty() {
        bail!(
            "a second passphrase opens a key file that is encrypted with one, and age allows none beside recipients: leave out --key-recipient, or demand totp"
        );
    }
    Ok(place.is_held() && !second && !secret.names_passphrase())
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
    journal: &mut Journal,
    demanded: Option<SecondFactor>,
    run: Option<keys::Run>,
    (secret, second): (&Source, &SecondSource),
) -> Outcome<(Keys, Vec<Factor>)> {
    let asked = Cell::new(false);
    let ask = |what: &str| {
        asked.set(true);
        passphrase(what, demanded, secret, second, false)
    };
    let keys = keys::load_with(home, journal, run, secret, &ask)?;
    journal.counted_by(keys.place())?;
    let first = match keys.reference() {
        None if asked.get() => "passphrase",
        None if secret.identity.is_some() => "key-identity",
        None => "file-mode",
        Some(Reference::Token(_)) => "pkcs11-pin",
        Some(Reference::Agent(_)) => "ssh-agent",
    };
    let mut factors = vec![Factor::Named(first.into())];
    match demanded {
        None => {}
        // A key file that was put in the place of the one with two passphrases.
        Some(SecondFactor::SecondPassphrase) if !asked.get() => {
            return no(
                "the journal demands a second passphrase, and the key file opened without one: bring back the file that `signer init` or `signer rotate-key` wrote",
            );
        }
        Some(SecondFactor::SecondPassphrase) => {
            factors.push(Factor::Named(SecondFactor::SecondPassphrase.name().into()));
        }
        Some(SecondFactor::Totp) => {
            let path = home.join(SECRET_FILE);
            let sealed = files::read_private(&path, 4096)?;
            let shared = keys.open_sealed(&sealed).with_context(|| path.display().to_string())?;
            let asked = Asked {
                name: "the second factor",
                question: "The second factor, the six digits of the authenticator: ",
                hint: "no terminal to ask for the second factor; use --second-file or --second-fd",
            };
            let code = second.ask(secret, &asked, false)?;
            let clock = totp::step_of(time::now());
            let used = totp::judge(&shared, &code, clock, journal.last_step()?).or_no()?;
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
