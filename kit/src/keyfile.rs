//! Key files: one format for signer, log and witness; age with a passphrase around it, or plain with
//! mode 0600 for machines that run unattended.

use crate::files::{self, Existing, Mode};
use crate::seal::{self, Identity};
use age::secrecy::SecretString;
use anyhow::{Context, Result, bail};
use coldlog_spec::cbor::{self, Value};
use coldlog_spec::checkpoint::HeadKeys;
use coldlog_spec::kind::Kind;
use coldlog_spec::{ed25519, mldsa};
use std::io::{Read, Write};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

/// How many times scrypt doubles its work by default, as in age: about a second.
pub const SCRYPT_LOG_N: u8 = 18;
const LIMIT: u64 = 4096;

/// What a key file holds.
pub struct Keys {
    /// `signer`, `log`, `witness`, `mirror` or `approver`.
    pub role: String,
    /// The signer's name, the log's origin or the witness's name.
    pub name: String,
    ed25519: Zeroizing<[u8; 32]>,
    mldsa: Zeroizing<[u8; 32]>,
    identity: Identity,
}

impl Keys {
    /// New random keys.
    pub fn generate(role: &str, name: &str) -> Result<Keys> {
        Keys::from_seed(role, name, Zeroizing::new(crate::secret::random()?))
    }

    /// Keys around an Ed25519 seed that exists already.
    pub fn from_seed(role: &str, name: &str, seed: Zeroizing<[u8; 32]>) -> Result<Keys> {
        Ok(Keys {
            role: role.into(),
            name: name.into(),
            ed25519: seed,
            mldsa: Zeroizing::new(crate::secret::random()?),
            identity: Identity::generate(),
        })
    }

    /// The same owner's keys around another Ed25519 seed: what was sealed to the owner still opens.
    pub fn with_seed(&self, seed: Zeroizing<[u8; 32]>) -> Keys {
        Keys {
            role: self.role.clone(),
            name: self.name.clone(),
            ed25519: seed,
            mldsa: self.mldsa.clone(),
            identity: self.identity.clone(),
        }
    }

    /// The Ed25519 key.
    pub fn ed25519(&self) -> ed25519::SecretKey {
        ed25519::SecretKey::from_seed(&self.ed25519)
    }

    /// The keys that sign or cosign heads.
    pub fn head_keys(&self) -> HeadKeys {
        HeadKeys {
            name: self.name.clone(),
            ed25519: self.ed25519(),
            mldsa: mldsa::SecretKey::from_seed(&self.mldsa),
        }
    }

    /// The owner's own age recipient.
    pub fn recipient(&self) -> seal::Recipient {
        self.identity.to_public()
    }

    /// Opens what was sealed to [`Keys::recipient`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        seal::open(sealed, std::slice::from_ref(&self.identity)).map(Zeroizing::new)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut items = Kind::Key.head();
        items.push(self.role.as_str().into());
        items.push(self.name.as_str().into());
        items.push(cbor::bytes(*self.ed25519));
        items.push(cbor::bytes(*self.mldsa));
        items.push(seal::identity_text(&self.identity).as_str().into());
        let mut value = Value::Array(items);
        let bytes = Zeroizing::new(cbor::to_bytes(&value));
        wipe(&mut value);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Keys> {
        let tag = Kind::Key.tag();
        let mut items = Kind::Key.open(cbor::decode(tag, bytes, LIMIT as usize)?, 5)?;
        let (role, name) = (items.text("role", 16)?, items.text("name", 255)?);
        let ed25519 = Zeroizing::new(items.hash("the Ed25519 seed")?.0);
        let mldsa = Zeroizing::new(items.hash("the ML-DSA-44 seed")?.0);
        let text = Zeroizing::new(items.text("the age identity", 128)?);
        let identity = text.parse().map_err(|_| anyhow::anyhow!("the age identity is damaged"))?;
        Ok(Keys { role, name, ed25519, mldsa, identity })
    }

    /// Writes the key file; `passphrase` with its scrypt cost, or `None` for a plain file.
    pub fn save(&self, path: &Path, passphrase: Option<(&str, u8)>) -> Result<()> {
        let plain = self.encode();
        let bytes = match passphrase {
            None => plain,
            Some((passphrase, log_n)) => {
                let mut recipient =
                    age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
                recipient.set_work_factor(log_n.clamp(10, 22));
                let encryptor = age::Encryptor::with_recipients(std::iter::once(
                    &recipient as &dyn age::Recipient,
                ))?;
                let mut sealed = Vec::new();
                let mut writer = encryptor.wrap_output(&mut sealed)?;
                writer.write_all(&plain)?;
                writer.finish()?;
                Zeroizing::new(sealed)
            }
        };
        files::write(path, &bytes, Existing::Never, Mode::Private)
    }

    /// Reads a key file of a role, asking for its passphrase where it has one.
    pub fn load(path: &Path, role: &str, source: &crate::secret::Source) -> Result<Keys> {
        Keys::read(path, role, |what| source.ask(what, false))
    }

    /// Reads a key file of a role; `ask` is told which file, and called where it has a passphrase.
    pub fn read(
        path: &Path,
        role: &str,
        ask: impl FnOnce(&str) -> Result<Zeroizing<String>>,
    ) -> Result<Keys> {
        let bytes = files::read_private(path, LIMIT)?;
        let keys = if bytes.starts_with(b"age-encryption.org/v1\n") {
            let passphrase = ask(&path.display().to_string())?;
            let mut identity =
                age::scrypt::Identity::new(SecretString::from(passphrase.to_string()));
            identity.set_max_work_factor(22);
            let decryptor =
                age::Decryptor::new_buffered(&bytes[..]).context("the key file is damaged")?;
            let reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .with_context(|| format!("the passphrase does not open {}", path.display()))?;
            let mut plain = Zeroizing::new(Vec::with_capacity(LIMIT as usize));
            reader.take(LIMIT).read_to_end(&mut plain).context("the key file is damaged")?;
            Keys::decode(&plain)?
        } else {
            Keys::decode(&bytes)?
        };
        if keys.role != role {
            bail!("{} is the key of a {}, expected the key of a {role}", path.display(), keys.role);
        }
        Ok(keys)
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Bytes(bytes) => bytes.zeroize(),
        Value::Text(text) => text.zeroize(),
        _ => {}
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} {})", self.role, self.name)
    }
}
