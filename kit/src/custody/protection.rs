//! What keeps a key file closed: age with a passphrase, age to recipients, or the file's mode alone.

use crate::seal::{self, Recipient};
use age::secrecy::SecretString;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

const AGE: &[u8] = b"age-encryption.org/v1\n";

/// How a key file is written. age allows a passphrase or recipients around a file, never both: whoever
/// has one way in could not tell that there is another (age specification, scrypt recipient stanza).
pub enum Protection<'a> {
    /// Mode 0600 alone.
    Mode,
    /// A passphrase with the cost of scrypt.
    Passphrase(&'a str, u8),
    /// To recipients, each of whose identities opens it.
    Recipients(Vec<Recipient>),
}

impl<'a> From<Option<(&'a str, u8)>> for Protection<'a> {
    fn from(passphrase: Option<(&'a str, u8)>) -> Protection<'a> {
        match passphrase {
            Some((passphrase, log_n)) => Protection::Passphrase(passphrase, log_n),
            None => Protection::Mode,
        }
    }
}

impl Protection<'_> {
    pub(crate) fn close(&self, plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Protection::Mode => Ok(plain),
            Protection::Passphrase(passphrase, log_n) => {
                let passphrase = SecretString::from((*passphrase).to_owned());
                let mut recipient = age::scrypt::Recipient::new(passphrase);
                recipient.set_work_factor((*log_n).clamp(10, 22));
                encrypt(&plain, [&recipient as &dyn age::Recipient].into_iter())
            }
            Protection::Recipients(recipients) => {
                Ok(Zeroizing::new(seal::seal_any(&plain, recipients)?))
            }
        }
    }
}

fn encrypt<'a>(
    plain: &[u8],
    recipients: impl Iterator<Item = &'a dyn age::Recipient>,
) -> Result<Zeroizing<Vec<u8>>> {
    let encryptor = age::Encryptor::with_recipients(recipients)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(plain)?;
    writer.finish()?;
    Ok(Zeroizing::new(sealed))
}

/// What a key file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// Mode 0600 alone.
    ByMode,
    /// A passphrase.
    ByPassphrase,
    /// Recipients' identities.
    ByRecipients,
}

impl Protected {
    /// Of a key file's bytes.
    pub fn of(bytes: &[u8]) -> Protected {
        match bytes.strip_prefix(AGE) {
            None => Protected::ByMode,
            // A scrypt stanza stands alone, so it is the first.
            Some(rest) if rest.starts_with(b"-> scrypt ") => Protected::ByPassphrase,
            Some(_) => Protected::ByRecipients,
        }
    }

    /// As one word, for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Protected::ByMode => "mode",
            Protected::ByPassphrase => "passphrase",
            Protected::ByRecipients => "recipients",
        }
    }

    /// In words, after "a key file".
    pub fn words(self) -> &'static str {
        match self {
            Protected::ByMode => "not encrypted (mode 0600)",
            Protected::ByPassphrase => "encrypted with a passphrase",
            Protected::ByRecipients => "encrypted to age recipients",
        }
    }
}

/// Opens a key file's bytes; at most `limit` bytes come out.
pub(crate) fn open(
    path: &Path,
    bytes: Zeroizing<Vec<u8>>,
    limit: u64,
    identities: Option<&Path>,
    ask: impl FnOnce(&str) -> Result<Zeroizing<String>>,
) -> Result<Zeroizing<Vec<u8>>> {
    let name = path.display();
    let reader: Box<dyn Read> = match Protected::of(&bytes) {
        Protected::ByMode => return Ok(bytes),
        Protected::ByPassphrase => {
            let passphrase = ask(&name.to_string())?;
            let passphrase = SecretString::from(passphrase.to_string());
            let mut identity = age::scrypt::Identity::new(passphrase);
            identity.set_max_work_factor(22);
            let reader = decryptor(&bytes)?.decrypt([&identity as &dyn age::Identity].into_iter());
            Box::new(reader.with_context(|| format!("the passphrase does not open {name}"))?)
        }
        Protected::ByRecipients => {
            let Some(file) = identities else {
                bail!(
                    "{name} is encrypted to age recipients: name the file of an identity that opens it with --key-identity"
                );
            };
            let reader = seal::decrypt(&bytes[..], &seal::read_identities(file)?);
            reader.with_context(|| format!("{name} does not open with {}", file.display()))?
        }
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(limit as usize));
    reader.take(limit).read_to_end(&mut plain).context("the key file is damaged")?;
    Ok(plain)
}

fn decryptor(bytes: &[u8]) -> Result<age::Decryptor<&[u8]>> {
    age::Decryptor::new_buffered(bytes).context("the key file is damaged")
}
