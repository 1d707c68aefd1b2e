//! Sealed records: age v1 to every auditor and to the signer.

mod plugins;

use age::secrecy::ExposeSecret;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::path::Path;

/// Whom something is encrypted to.
#[derive(Clone)]
pub enum Recipient {
    /// An age X25519 key.
    X25519(age::x25519::Recipient),
    /// A key that an age plugin knows, for example one in hardware.
    Plugin(age::plugin::Recipient),
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Recipient::X25519(recipient) => recipient.fmt(f),
            Recipient::Plugin(recipient) => recipient.fmt(f),
        }
    }
}

/// What opens it again.
#[derive(Clone)]
pub enum Identity {
    /// An age X25519 secret key.
    X25519(age::x25519::Identity),
    /// What a plugin needs to find its key: no secret by itself.
    Plugin(age::plugin::Identity),
}

/// Reads `age1...` or a plugin's `age1NAME1...`.
pub fn parse_recipient(text: &str) -> Result<Recipient> {
    let text = text.trim();
    text.parse().map(Recipient::X25519).or_else(|why| match text.parse() {
        Ok(recipient) => Ok(Recipient::Plugin(recipient)),
        // Not repeated: it may be the identity, pasted into the wrong place.
        Err(_) => bail!("expected an age recipient (age1...), found something else: {why}"),
    })
}

/// Reads several.
pub fn parse_recipients(texts: &[String]) -> Result<Vec<Recipient>> {
    texts.iter().map(|text| parse_recipient(text)).collect()
}

/// What encrypts to all recipients.
pub(crate) fn encryptor(recipients: &[Recipient]) -> Result<age::Encryptor> {
    let plugins = plugins::of_recipients(recipients)?;
    let keys = recipients.iter().filter_map(|recipient| match recipient {
        Recipient::X25519(recipient) => Some(recipient as &dyn age::Recipient),
        Recipient::Plugin(_) => None,
    });
    let all = keys.chain(plugins.iter().map(|plugin| &**plugin));
    Ok(age::Encryptor::with_recipients(all)?)
}

/// Encrypts anything to all recipients.
pub fn seal_any(plain: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>> {
    let encryptor = encryptor(recipients)?;
    let mut sealed = Vec::with_capacity(plain.len() + 512);
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(plain)?;
    writer.finish()?;
    Ok(sealed)
}

/// Encrypts a record to all recipients.
pub fn seal(disclosure: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>> {
    let sealed = seal_any(disclosure, recipients)?;
    if sealed.len() > coldlog_spec::tile::MAX_ENTRY {
        bail!(
            "the sealed record has {} bytes, at most 65535 are allowed: shorten its texts",
            sealed.len()
        );
    }
    Ok(sealed)
}

/// What comes out of an age file that is encrypted to recipients.
pub(crate) fn decrypt<'a>(
    sealed: impl std::io::BufRead + 'a,
    identities: &[Identity],
) -> Result<Box<dyn Read + 'a>> {
    let decryptor = age::Decryptor::new_buffered(sealed).context("not an age file")?;
    let plugins = plugins::of_identities(identities)?;
    // Hardware is asked last: what opens without a touch does.
    let keys = identities.iter().filter_map(|identity| match identity {
        Identity::X25519(identity) => Some(identity as &dyn age::Identity),
        Identity::Plugin(_) => None,
    });
    let all = keys.chain(plugins.iter().map(|plugin| &**plugin));
    Ok(Box::new(decryptor.decrypt(all).context("none of the identities opens it")?))
}

/// Whether a file is age's.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/v1\n")
}

/// Decrypts a sealed record; bounded, for its length is known.
pub fn open(sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>> {
    let reader = decrypt(sealed, identities)?;
    let mut bytes = Vec::new();
    reader.take(1 << 18).read_to_end(&mut bytes).context("the sealed record was altered")?;
    Ok(bytes)
}

/// The identities of an age identity file, as `age-keygen` and the plugins write it.
pub fn read_identities(path: &Path) -> Result<Vec<Identity>> {
    let bytes = crate::files::read_private(path, 1 << 20)?;
    let text = std::str::from_utf8(&bytes).context("the identity file is not UTF-8")?;
    let damaged = || anyhow::anyhow!("a line is no age identity");
    let mut identities = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if line.starts_with("AGE-SECRET-KEY-1") {
            identities.push(Identity::X25519(line.parse().map_err(|_| damaged())?));
        } else if line.starts_with("AGE-PLUGIN-") {
            identities.push(Identity::Plugin(line.parse().map_err(|_| damaged())?));
        }
    }
    if identities.is_empty() {
        bail!("{} holds no age identity (AGE-SECRET-KEY-1... or AGE-PLUGIN-...)", path.display());
    }
    Ok(identities)
}

/// Makes an identity file as `age-keygen` writes it; returns its recipient.
pub fn write_identity(path: &Path) -> Result<Recipient> {
    let identity = age::x25519::Identity::generate();
    let recipient = Recipient::X25519(identity.to_public());
    let text = identity_file(&Identity::X25519(identity))?;
    use crate::files::{Existing, Mode, write};
    write(path, text.as_bytes(), Existing::Never, Mode::Private)?;
    Ok(recipient)
}

/// The identity file of a secret key, as `age-keygen` writes it.
pub fn identity_file(identity: &Identity) -> Result<zeroize::Zeroizing<String>> {
    let Identity::X25519(identity) = identity else {
        bail!("a plugin's identity is written by its plugin");
    };
    let (recipient, secret) = (identity.to_public(), identity_text(identity));
    Ok(zeroize::Zeroizing::new(format!("# public key: {recipient}\n{}\n", secret.as_str())))
}

/// The text of an identity, for an encrypted key file only.
pub(crate) fn identity_text(identity: &age::x25519::Identity) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(identity.to_string().expose_secret().to_owned())
}
