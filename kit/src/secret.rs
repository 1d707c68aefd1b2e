//! Where a passphrase or a PIN comes from: a file, a file descriptor, an askpass program, or the
//! terminal. Never argv, and never the environment: both are shown to others.

mod askpass;

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// What is asked for, in words.
pub struct Asked<'a> {
    /// In an error.
    pub name: &'a str,
    /// To a person.
    pub question: &'a str,
    /// Where there is no person.
    pub hint: &'static str,
}

/// The longest secret.
const LIMIT: u64 = 4096;

/// Where to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Source {
    /// Read the passphrase from a file (mode 0600).
    #[arg(id = "passphrase_file", long = "passphrase-file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read the passphrase from an inherited file descriptor.
    #[arg(
        id = "passphrase_fd",
        long = "passphrase-fd",
        value_name = "FD",
        conflicts_with = "passphrase_file"
    )]
    pub fd: Option<i32>,
    /// A file of age identities, one of which opens a key file that is encrypted to recipients.
    #[arg(id = "key_identity", long = "key-identity", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Read the token's PIN from a file (mode 0600).
    #[arg(long)]
    pub pin_file: Option<PathBuf>,
    /// Read the token's PIN from an inherited file descriptor.
    #[arg(long, conflicts_with = "pin_file")]
    pub pin_fd: Option<i32>,
    /// Try a PIN even where the token says that one more wrong one locks it.
    #[arg(long)]
    pub last_try: bool,
    /// Ask by this program: it is given the question, and prints the answer. Without a terminal, or
    /// where SSH_ASKPASS_REQUIRE says so, the program that SSH_ASKPASS names is asked, as by ssh.
    #[arg(long, value_name = "PROGRAM")]
    pub askpass: Option<PathBuf>,
}

impl Source {
    /// A file, a descriptor, or else a person.
    pub fn of(file: Option<PathBuf>, fd: Option<i32>) -> Source {
        Source { file, fd, ..Source::default() }
    }

    /// Whether the command line names where the passphrase is.
    pub fn names_passphrase(&self) -> bool {
        self.file.is_some() || self.fd.is_some()
    }

    /// The passphrase; `confirm` asks a person twice, for a new key.
    pub fn ask(&self, what: &str, confirm: bool) -> Result<Zeroizing<String>> {
        let name = format!("the passphrase for {what}");
        match given(self.file.as_deref(), self.fd, "the passphrase")? {
            Some(text) => checked(text, &name),
            None => {
                let hint = "no terminal to ask for the passphrase; use --passphrase-file or --passphrase-fd";
                let text = self.person(&format!("Passphrase for {what}: "), hint)?;
                if confirm && *self.person("The same once more: ", hint)? != *text {
                    bail!("the two passphrases differ; nothing was made");
                }
                checked(text, &name)
            }
        }
    }

    /// Another secret, of another person or thing, from a place of its own; a program that asks is the same.
    pub fn ask_another(
        &self,
        (file, fd): (Option<&Path>, Option<i32>),
        asked: &Asked,
        confirm: bool,
    ) -> Result<Zeroizing<String>> {
        if let Some(text) = given(file, fd, asked.name)? {
            return checked(text, asked.name);
        }
        let text = self.person(asked.question, asked.hint)?;
        if confirm && *self.person("The same once more: ", asked.hint)? != *text {
            bail!("the two differ; nothing was made");
        }
        checked(text, asked.name)
    }

    /// A token's PIN, asked for once.
    pub fn pin(&self, token: &str) -> Result<Zeroizing<String>> {
        let name = format!("the PIN of {token}");
        match given(self.pin_file.as_deref(), self.pin_fd, "the PIN")? {
            Some(text) => checked(text, &name),
            None => {
                let hint = "no terminal to ask for the PIN; use --pin-file or --pin-fd";
                checked(self.person(&format!("PIN of {token}: "), hint)?, &name)
            }
        }
    }

    fn person(&self, question: &str, hint: &'static str) -> Result<Zeroizing<String>> {
        match askpass::program(self.askpass.as_deref()) {
            Some(program) => askpass::ask(&program, question),
            None => rpassword::prompt_password(question).map(Zeroizing::new).context(hint),
        }
    }
}

fn given(file: Option<&Path>, fd: Option<i32>, what: &str) -> Result<Option<Zeroizing<String>>> {
    if let Some(path) = file {
        let bytes = crate::files::read_private(path, LIMIT)?;
        let text = std::str::from_utf8(&bytes);
        let text = text.with_context(|| format!("{} is not UTF-8", path.display()))?;
        return Ok(Some(Zeroizing::new(text.to_owned())));
    }
    let Some(fd) = fd else { return Ok(None) };
    // The descriptor was inherited; Linux and the BSDs name it here.
    // At its full size from the start: a string that grows leaves copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(LIMIT as usize));
    let read = std::fs::File::open(format!("/dev/fd/{fd}"))
        .and_then(|file| file.take(LIMIT).read_to_string(&mut text));
    read.with_context(|| format!("reading {what} from descriptor {fd}"))?;
    Ok(Some(text))
}

// Without the line's end; empty is a mistake.
fn checked(mut text: Zeroizing<String>, name: &str) -> Result<Zeroizing<String>> {
    let end = text.trim_end_matches(['\n', '\r']).len();
    if end == 0 {
        text.zeroize();
        bail!("{name} is empty");
    }
    text.truncate(end);
    Ok(text)
}

/// Random bytes from the operating system.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("no random bytes from the system: {e}"))?;
    Ok(bytes)
}
