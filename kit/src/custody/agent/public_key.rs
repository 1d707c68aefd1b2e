//! OpenSSH's public key files: `ssh-ed25519 BASE64 comment`, and why other types do not do.

use super::protocol::{put, take};
use crate::files;
use crate::terminal::field;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::ed25519::PublicKey;
use std::path::Path;

const ED25519: &str = "ssh-ed25519";
const MAX_COMMENT: usize = 255;

/// The key as SSH has it (RFC 8709, section 4).
pub(super) fn blob(key: &PublicKey) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, ED25519.as_bytes());
    put(&mut blob, key.as_bytes());
    blob
}

/// Reads a `.pub` file: the key and its comment.
pub(in super::super) fn read(path: &Path) -> Result<(PublicKey, String)> {
    let name = path.display();
    let bytes = files::read(path, 1 << 14)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        bail!("{name} is no file of one OpenSSH public key, as `ssh-keygen` writes it");
    };
    let mut words = line.trim().splitn(3, ' ');
    let kind = words.next().unwrap_or_default();
    let coded = words.next().unwrap_or_default();
    let comment = words.next().unwrap_or_default().trim().to_owned();
    if kind != ED25519 {
        bail!("{name}: {}", why_not(kind));
    }
    let damaged = || format!("{name} is no OpenSSH public key, or damaged");
    let bytes = STANDARD.decode(coded).with_context(damaged)?;
    let mut rest = &bytes[..];
    let (kind, key) = (take(&mut rest), take(&mut rest));
    let (Some(b"ssh-ed25519"), Some(key), []) = (kind, key, rest) else { bail!(damaged()) };
    if comment.len() > MAX_COMMENT {
        bail!("{name}: the comment has {} bytes, at most {MAX_COMMENT} are kept", comment.len());
    }
    Ok((PublicKey::from_bytes(key).with_context(damaged)?, comment))
}

fn why_not(kind: &str) -> String {
    match kind {
        "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com" => format!(
            "a FIDO key ({kind}) signs its application, flags and a counter around a hash, never our bytes alone: no statement can be signed with it; take an Ed25519 key that is not bound to FIDO"
        ),
        "ssh-rsa" | "ssh-dss" => format!(
            "{kind}: statements are signed with Ed25519 and nothing else; make a key with `ssh-keygen -t ed25519`"
        ),
        _ if kind.starts_with("ecdsa-sha2-") => format!(
            "{kind}: statements are signed with Ed25519 and nothing else; make a key with `ssh-keygen -t ed25519`"
        ),
        _ if kind.contains("-cert-") => {
            format!("{kind} is a certificate: name the file of the key itself")
        }
        _ => format!(
            "expected an OpenSSH public key of the type ssh-ed25519, found {:?}",
            field(&kind.chars().take(60).collect::<String>())
        ),
    }
}
