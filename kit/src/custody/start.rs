//! How a role's keys begin: what the command line of `init` says, and what is made of it.

#[cfg(feature = "pkcs11")]
use super::pkcs11;
use super::{InAgent, Protection, Reference, agent};
use crate::keyfile::Keys;
use crate::seal;
use crate::secret::Source;
use crate::terminal::say;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where the new signing key shall live; by default in the key file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NewKey {
    /// Make the Ed25519 key in a PKCS#11 token, which it never leaves: the path of the token's module.
    #[arg(long, value_name = "MODULE", requires = "token_serial")]
    pub pkcs11: Option<PathBuf>,
    /// The token's serial number.
    #[arg(long, value_name = "SERIAL", requires = "pkcs11")]
    pub token_serial: Option<String>,
    /// How the token shall call the key; by default the name of its owner.
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    pub key_label: Option<String>,
    /// Take an Ed25519 key that an ssh-agent has: the file of its public key. The agent is asked over
    /// SSH_AUTH_SOCK for every signature.
    #[arg(long, value_name = "KEY.pub", conflicts_with = "pkcs11")]
    pub ssh_agent: Option<PathBuf>,
    /// Encrypt the key file to this age recipient (age1...) instead of with a passphrase; repeat for
    /// several, each of whom opens it. age allows no passphrase beside recipients.
    #[arg(long, value_name = "RECIPIENT", conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub key_recipient: Vec<String>,
}

/// Whose keys begin.
pub struct Start<'a> {
    /// `signer`, `log`, `witness` or `mirror`.
    pub role: &'a str,
    /// The owner's name.
    pub name: &'a str,
    /// Where the signing key shall live.
    pub place: &'a NewKey,
    /// The keys that the new signing key comes after: what was sealed to their owner still opens.
    pub after: Option<&'a Keys>,
    /// An Ed25519 seed that is there already.
    pub seed: Option<Zeroizing<[u8; 32]>>,
    /// Cost of opening the key file by its passphrase.
    pub scrypt_log_n: u8,
    /// Whether the key file is not encrypted.
    pub unencrypted: bool,
}

impl NewKey {
    /// How well the place keeps the key, beside [`Reference::rank`]: a rotation goes to no lesser one.
    pub fn rank(&self) -> u8 {
        match (&self.pkcs11, &self.ssh_agent) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        }
    }

    /// Whether the signing key lives elsewhere than in the key file.
    pub fn is_held(&self) -> bool {
        self.pkcs11.is_some() || self.ssh_agent.is_some()
    }
}

impl Start<'_> {
    /// Makes the keys and their file; says where the key lives, and what its place says of it.
    pub fn run(self, path: &Path, source: &Source) -> Result<Keys> {
        self.run_asking(path, source, |what| source.ask(what, true))
    }

    /// The same; `ask` knows the passphrase of the new key file, where more than one person must give it.
    pub fn run_asking(
        self,
        path: &Path,
        source: &Source,
        ask: impl FnOnce(&str) -> Result<Zeroizing<String>>,
    ) -> Result<Keys> {
        let recipients: Vec<seal::Recipient> = self
            .place
            .key_recipient
            .iter()
            .map(|text| seal::parse_recipient(text))
            .collect::<Result<_>>()?;
        if self.unencrypted && !recipients.is_empty() {
            bail!("--unencrypted and --key-recipient exclude each other");
        }
        // A passphrase that will be needed is asked for before anything is made.
        let passphrase = match self.unencrypted || !recipients.is_empty() {
            true => None,
            false => Some(ask(&format!("the new {}", self.called()))?),
        };
        let protection = match &passphrase {
            Some(passphrase) => Protection::Passphrase(passphrase, self.scrypt_log_n),
            None if recipients.is_empty() => Protection::Mode,
            None => Protection::Recipients(recipients),
        };
        let after = self.after;
        let mut keys = self.make(source)?;
        if let Some(before) = after {
            keys = before.with_key_of(keys);
        }
        keys.save(path, protection)?;
        Ok(keys)
    }

    fn called(&self) -> &'static str {
        match self.role {
            "signer" => "signing key",
            "log" => "log key",
            "mirror" => "mirror key",
            _ => "witness key",
        }
    }

    fn make(self, source: &Source) -> Result<Keys> {
        let Start { role, name, place, seed, .. } = self;
        if place.is_held() && seed.is_some() {
            bail!(
                "a key that is brought in was outside of the token or agent once: let the token make its own"
            );
        }
        if let Some(module) = &place.pkcs11 {
            return make_in_token(role, name, module, place, source);
        }
        if let Some(file) = &place.ssh_agent {
            return take_from_agent(role, name, file);
        }
        match seed {
            None => Keys::generate(role, name),
            Some(seed) => Keys::from_seed(role, name, seed),
        }
    }
}

fn take_from_agent(role: &str, name: &str, file: &Path) -> Result<Keys> {
    let (public, comment) = agent::read_public_key(file)?;
    let key = InAgent { public, comment };
    let agent = agent::Agent::open(&key)?;
    let reference = Reference::Agent(key);
    say(format!(
        "key      {reference}; the agent says nothing of where else the key is: whoever has its file, or reaches the agent, can sign"
    ));
    Keys::held(role, name, reference, Arc::new(agent))
}

#[cfg(feature = "pkcs11")]
fn make_in_token(
    role: &str,
    name: &str,
    module: &Path,
    place: &NewKey,
    source: &Source,
) -> Result<Keys> {
    let serial = place.token_serial.as_deref().unwrap_or_default();
    let label = place.key_label.as_deref().unwrap_or(name);
    let (key, token, attested) = pkcs11::make(module, serial, label, source)?;
    for line in attested.lines() {
        say(line);
    }
    Keys::held(role, name, Reference::Token(key), Arc::new(token))
}

#[cfg(not(feature = "pkcs11"))]
fn make_in_token(_: &str, _: &str, _: &Path, _: &NewKey, _: &Source) -> Result<Keys> {
    bail!("this build opens no PKCS#11 modules: use the build that does")
}
