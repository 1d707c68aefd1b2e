//! Where a passphrase comes from: the terminal, a file, or a file descriptor. Never argv.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::PathBuf;
use zeroize::{Zeroize, Zeroizing};

/// Where to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Source {
    /// Read the passphrase from a file (mode 0600).
    #[arg(long = "passphrase-file")]
    pub file: Option<PathBuf>,
    /// Read the passphrase from an inherited file descriptor.
    #[arg(long = "passphrase-fd", conflicts_with = "file")]
    pub fd: Option<i32>,
}

impl Source {
    /// A file, a descriptor, or else the terminal.
    pub fn of(file: Option<PathBuf>, fd: Option<i32>) -> Source {
        Source { file, fd }
    }

    /// The passphrase; `confirm` asks twice on a terminal, for a new key.
    pub fn ask(&self, what: &str, confirm: bool) -> Result<Zeroizing<String>> {
        let mut text = match (&self.file, self.fd) {
            (Some(path), _) => {
                let bytes = crate::files::read_private(path, 4096)?;
                let text = std::str::from_utf8(&bytes);
                text.with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned()
            }
            (None, Some(fd)) => {
                // The descriptor was inherited; Linux and the BSDs name it here.
                let path = format!("/dev/fd/{fd}");
                let mut text = String::new();
                let read = std::fs::File::open(&path)
                    .and_then(|file| file.take(4096).read_to_string(&mut text));
                read.with_context(|| format!("reading the passphrase from descriptor {fd}"))?;
                text
            }
            (None, None) => {
                let ask = |prompt: String| {
                    rpassword::prompt_password(prompt)
                        .context("no terminal to ask for the passphrase; use --passphrase-file or --passphrase-fd")
                };
                let mut text = ask(format!("Passphrase for {what}: "))?;
                if confirm {
                    let mut again = ask("The same once more: ".into())?;
                    let same = text == again;
                    again.zeroize();
                    if !same {
                        text.zeroize();
                        bail!("the two passphrases differ; nothing was made");
                    }
                }
                text
            }
        };
        let end = text.trim_end_matches(['\n', '\r']).len();
        text.truncate(end);
        let text = Zeroizing::new(text);
        if text.is_empty() {
            bail!("the passphrase for {what} is empty");
        }
        Ok(text)
    }
}

/// Random bytes from the operating system.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("no random bytes from the system: {e}"))?;
    Ok(bytes)
}
