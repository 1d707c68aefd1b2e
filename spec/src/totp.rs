//! One-time codes by time: RFC 6238 over RFC 4226, with SHA-1, six digits and steps of 30 seconds, as
//! every authenticator makes them.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::fmt::{self, Display, Write};

/// Seconds of a step.
pub const STEP: u64 = 30;
/// How many steps the two clocks may be apart.
pub const DRIFT: u64 = 2;
/// Bytes of a secret (RFC 4226, section 4, R6).
pub const SECRET: usize = 20;

/// Why a code is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not six digits.
    #[error("a code has six digits")]
    NoCode,
    /// Not of now.
    #[error(
        "the code is not of now, nor of the {DRIFT} steps of 30 seconds before and after: look at both clocks"
    )]
    Wrong,
    /// Used.
    #[error("this code, or a later one, was used already: wait for the next one, up to 30 seconds")]
    Replayed,
}

/// The step of a time in POSIX seconds.
pub fn step_of(time: u64) -> u64 {
    time / STEP
}

/// The code of a step (RFC 4226, section 5.3), of six digits.
pub fn code(secret: &[u8], step: u64) -> u32 {
    truncated(secret, step) % 1_000_000
}

fn truncated(secret: &[u8], step: u64) -> u32 {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return 0 };
    mac.update(&step.to_be_bytes());
    let mac = mac.finalize().into_bytes();
    let offset = usize::from(mac[19] & 0x0f);
    let word = [mac[offset] & 0x7f, mac[offset + 1], mac[offset + 2], mac[offset + 3]];
    u32::from_be_bytes(word)
}

/// Judges a code at the step `now` of the signer's clock, where `last` was the step of the newest code
/// that was taken; returns the step that the code is of. Nothing up to `last` is taken again.
pub fn judge(secret: &[u8], text: &str, now: u64, last: Option<u64>) -> Result<u64, Refused> {
    let text = text.trim();
    if text.len() != 6 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Refused::NoCode);
    }
    let given: u32 = text.parse().map_err(|_| Refused::NoCode)?;
    let steps = now.saturating_sub(DRIFT)..=now.saturating_add(DRIFT);
    let matching: Vec<u64> = steps.filter(|step| code(secret, *step) == given).collect();
    if matching.is_empty() {
        return Err(Refused::Wrong);
    }
    let fresh = matching.into_iter().find(|step| last.is_none_or(|last| *step > last));
    fresh.ok_or(Refused::Replayed)
}

/// What an authenticator reads, from a QR code or by hand. The secret is in it: it is written where it is
/// shown, and no text of it is kept here.
pub fn uri<'a>(name: &'a str, secret: &'a [u8]) -> impl Display + 'a {
    Uri { name, secret }
}

struct Uri<'a> {
    name: &'a str,
    secret: &'a [u8],
}

impl Display for Uri<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("otpauth://totp/")?;
        for byte in self.name.bytes() {
            match byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                true => out.write_char(byte.into())?,
                false => write!(out, "%{byte:02X}")?,
            }
        }
        out.write_str("?secret=")?;
        base32(self.secret, out)?;
        out.write_str("&issuer=Coldlog")
    }
}

// RFC 4648, section 6, without padding.
fn base32(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut held) = (0u32, 0);
    for byte in bytes {
        bits = (bits << 8 | u32::from(*byte)) & 0xfff;
        held += 8;
        while held >= 5 {
            held -= 5;
            out.write_char(char::from(DIGITS[(bits >> held & 31) as usize]))?;
        }
    }
    if held > 0 {
        out.write_char(char::from(DIGITS[(bits << (5 - held) & 31) as usize]))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const RFC: &[u8] = b"12345678901234567890";

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let vectors = [
            (59, 94287082),
            (1111111109, 7081804),
            (1111111111, 14050471),
            (1234567890, 89005924),
            (2000000000, 69279037),
            (20000000000, 65353130),
        ];
        for (time, expected) in vectors {
            assert_eq!(truncated(RFC, step_of(time)) % 100_000_000, expected, "{time}");
        }
    }

    #[test]
    fn a_code_is_taken_once_and_within_two_steps() {
        let of = |step| format!("{:06}", code(RFC, step));
        for step in 98..=102 {
            assert_eq!(judge(RFC, &of(step), 100, None), Ok(step));
        }
        assert_eq!(judge(RFC, &of(97), 100, None), Err(Refused::Wrong));
        assert_eq!(judge(RFC, &of(103), 100, None), Err(Refused::Wrong));
        assert_eq!(judge(RFC, &of(100), 100, Some(100)), Err(Refused::Replayed));
        assert_eq!(judge(RFC, &of(99), 100, Some(100)), Err(Refused::Replayed));
        assert_eq!(judge(RFC, &of(101), 100, Some(100)), Ok(101));
        assert_eq!(judge(RFC, "12345", 100, None), Err(Refused::NoCode));
        assert_eq!(judge(RFC, "+12345", 100, None), Err(Refused::NoCode));
    }

    #[test]
    fn a_secret_is_written_as_rfc_4648_has_it() {
        for (secret, expected) in [("foobar", "MZXW6YTBOI"), ("fooba", "MZXW6YTB"), ("f", "MY")] {
            let expected = format!("otpauth://totp/a%20signer/b?secret={expected}&issuer=Coldlog");
            assert_eq!(uri("a signer/b", secret.as_bytes()).to_string(), expected);
        }
    }
}
