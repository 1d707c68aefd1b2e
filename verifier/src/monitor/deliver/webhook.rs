//! Standard Webhooks (standardwebhooks.com, version 1): a body that is signed with a shared secret.
//!
//! ```text
//! webhook-id: the message's id, the same for each attempt
//! webhook-timestamp: POSIX seconds of this attempt
//! webhook-signature: v1,BASE64(HMAC-SHA256(secret, ID "." TIMESTAMP "." BODY))
//! ```

use super::body;
use crate::monitor::channel::Channel;
use crate::monitor::store::Message;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_client::Client;
use coldlog_kit::{files, time};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long one attempt may take.
const WITHIN: Duration = Duration::from_secs(15);
/// The longest answer; nothing of it is needed.
const MAX_ANSWER: usize = 1 << 16;

pub(super) fn send(url: &str, secret: &Path, message: &Message, channel: &Channel) -> Result<()> {
    let secret = read_secret(secret)?;
    let text = body(message, channel).to_string();
    let timestamp = time::now().to_string();
    let signature = sign(&secret, &message.id, &timestamp, &text)?;
    let headers = [
        ("webhook-id", message.id.as_str()),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ];
    let client = Client::within(WITHIN)?;
    let reply = client.post_with(url, "application/json", &headers, text.as_bytes(), MAX_ANSWER)?;
    match reply.status {
        200..=299 => Ok(()),
        status => bail!("{url} answers with the status {status}"),
    }
}

/// `whsec_BASE64`, of 24 to 64 bytes; the prefix may be left out.
fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = files::read_private(path, 256)?;
    let text = std::str::from_utf8(&bytes).ok().map(str::trim);
    let text = text.map(|text| text.strip_prefix("whsec_").unwrap_or(text));
    let secret = text.and_then(|text| STANDARD.decode(text).ok()).map(Zeroizing::new);
    secret.filter(|secret| (24..=64).contains(&secret.len())).with_context(|| {
        format!(
            "{} holds no secret: whsec_ and 24 to 64 bytes in Base64, in one line",
            path.display()
        )
    })
}

fn sign(secret: &[u8], id: &str, timestamp: &str, text: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).context("the secret is no key")?;
    mac.update(format!("{id}.{timestamp}.{text}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_standards_own_example() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let write = |text: &str| {
            let _ = std::fs::remove_file(&path);
            files::write(&path, text.as_bytes(), files::Existing::Never, files::Mode::Private)
                .unwrap();
        };
        write("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
        let secret = read_secret(&path).unwrap();
        let signature =
            sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for wrong in ["whsec_", "whsec_c2hvcnQ=", "no base64 at all, but long enough to be one"] {
            write(wrong);
            assert!(read_secret(&path).is_err(), "{wrong}");
        }
    }
}
