//! Sealed records: age v1 to every auditor and to the signer.

use age::secrecy::ExposeSecret;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::path::Path;

/// An age X25519 recipient.
pub type Recipient = age::x25519::Recipient;
/// An age X25519 identity.
pub type Identity = age::x25519::Identity;

/// Reads `age1...`.
pub fn parse_recipient(text: &str) -> Result<Recipient> {
    // Not repeated: it may be the identity, pasted into the wrong place.
    text.trim().parse().map_err(|why| {
        anyhow::anyhow!("expected an age recipient (age1...), found something else: {why}")
    })
}

/// Reads several.
pub fn parse_recipients(texts: &[String]) -> Result<Vec<Recipient>> {
    texts.iter().map(|text| parse_recipient(text)).collect()
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

/// Encrypts anything to all recipients.
pub fn seal_any(bytes: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>> {
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients)?;
    let mut sealed = Vec::with_capacity(bytes.len() + 512);
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(bytes)?;
    writer.finish()?;
    Ok(sealed)
}

/// Whether a file is age's.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/v1\n")
}

/// Decrypts a sealed record; bounded, for its length is known.
pub fn open(sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>> {
    let decryptor = age::Decryptor::new_buffered(sealed).context("not an age file")?;
    let identities = identities.iter().map(|identity| identity as &dyn age::Identity);
    let reader = decryptor.decrypt(identities).context("none of the identities opens it")?;
    let mut bytes = Vec::new();
    reader.take(1 << 18).read_to_end(&mut bytes).context("the sealed record was altered")?;
    Ok(bytes)
}

/// The X25519 identities of an age identity file, as `age-keygen` writes it.
pub fn read_identities(path: &Path) -> Result<Vec<Identity>> {
    let bytes = crate::files::read_private(path, 1 << 20)?;
    let text = std::str::from_utf8(&bytes).context("the identity file is not UTF-8")?;
    let lines = text.lines().filter(|line| line.starts_with("AGE-SECRET-KEY-1"));
    let identities: Vec<Identity> = lines
        .map(|line| line.parse().map_err(|_| anyhow::anyhow!("a line is no age identity")))
        .collect::<Result<_>>()?;
    if identities.is_empty() {
        bail!("{} holds no age identity (AGE-SECRET-KEY-1...)", path.display());
    }
    Ok(identities)
}

/// Makes an identity file as `age-keygen` writes it; returns its recipient.
pub fn write_identity(path: &Path) -> Result<Recipient> {
    let identity = Identity::generate();
    let recipient = identity.to_public();
    let secret = identity_text(&identity);
    let text = zeroize::Zeroizing::new(format!("# public key: {recipient}\n{}\n", secret.as_str()));
    use crate::files::{Existing, Mode, write};
    write(path, text.as_bytes(), Existing::Never, Mode::Private)?;
    Ok(recipient)
}

/// The text of an identity, for an encrypted key file only.
pub(crate) fn identity_text(identity: &Identity) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(identity.to_string().expose_secret().to_owned())
}
