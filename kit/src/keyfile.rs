//! Key files: one format for signer, log and witness; encrypted with age, to a passphrase or to
//! recipients, or plain with mode 0600 for machines that run unattended. The Ed25519 key is in it, or is
//! held elsewhere and named in it: see [`custody`].

use crate::custody::{self, NotOpened, Place, Protection, Reference};
use crate::files::{self, Existing, Mode};
use crate::seal::{self, Recipient};
use crate::secret::Source;
use age::x25519::Identity;
use anyhow::{Result, bail};
use coldlog_spec::cbor::{self, Value};
use coldlog_spec::checkpoint::HeadKeys;
use coldlog_spec::kind::Kind;
use coldlog_spec::{ed25519, mldsa};
use std::path::Path;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// How many times scrypt doubles its work by default, as in age: about a second.
pub const SCRYPT_LOG_N: u8 = 18;
/// The largest key file; one that is sealed to many recipients is the longest.
const LIMIT: u64 = 1 << 16;
/// The largest content of one.
const PLAIN: u64 = 4096;

/// What a key file holds.
pub struct Keys {
    /// `signer`, `log`, `witness`, `mirror` or `approver`.
    pub role: String,
    /// The signer's name, the log's origin or the witness's name.
    pub name: String,
    ed25519: Ed25519,
    mldsa: Zeroizing<[u8; 32]>,
    identity: Identity,
}

enum Ed25519 {
    Seed(Zeroizing<[u8; 32]>),
    Held(Box<Reference>, Arc<dyn Place>),
}

impl Keys {
    /// New random keys.
    pub fn generate(role: &str, name: &str) -> Result<Keys> {
        Keys::from_seed(role, name, Zeroizing::new(crate::secret::random()?))
    }

    /// Keys around an Ed25519 seed that exists already.
    pub fn from_seed(role: &str, name: &str, seed: Zeroizing<[u8; 32]>) -> Result<Keys> {
        Keys::around(role, name, Ed25519::Seed(seed))
    }

    /// Keys around an Ed25519 key that is held elsewhere.
    pub fn held(
        role: &str,
        name: &str,
        reference: Reference,
        holder: Arc<dyn Place>,
    ) -> Result<Keys> {
        Keys::around(role, name, Ed25519::Held(Box::new(reference), holder))
    }

    fn around(role: &str, name: &str, ed25519: Ed25519) -> Result<Keys> {
        Ok(Keys {
            role: role.into(),
            name: name.into(),
            ed25519,
            mldsa: Zeroizing::new(crate::secret::random()?),
            identity: Identity::generate(),
        })
    }

    /// The same owner's keys around another Ed25519 seed: what was sealed to the owner still opens.
    pub fn with_seed(&self, seed: Zeroizing<[u8; 32]>) -> Keys {
        Keys {
            role: self.role.clone(),
            name: self.name.clone(),
            ed25519: Ed25519::Seed(seed),
            mldsa: self.mldsa.clone(),
            identity: self.identity.clone(),
        }
    }

    /// The same owner's keys around the Ed25519 key of `other`.
    pub fn with_key_of(&self, other: Keys) -> Keys {
        Keys { ed25519: other.ed25519, ..self.with_seed(Zeroizing::new([0; 32])) }
    }

    /// The Ed25519 key.
    pub fn ed25519(&self) -> ed25519::SecretKey {
        match &self.ed25519 {
            Ed25519::Seed(seed) => ed25519::SecretKey::from_seed(seed),
            Ed25519::Held(reference, holder) => {
                ed25519::SecretKey::held(reference.public().clone(), holder.clone())
            }
        }
    }

    /// Where the Ed25519 key is held, if it is not in the file.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.ed25519 {
            Ed25519::Seed(_) => None,
            Ed25519::Held(reference, _) => Some(reference),
        }
    }

    /// What holds the Ed25519 key, if it is not in the file.
    pub fn place(&self) -> Option<Arc<dyn Place>> {
        match &self.ed25519 {
            Ed25519::Seed(_) => None,
            Ed25519::Held(_, holder) => Some(holder.clone()),
        }
    }

    /// Opens what holds the key, where it is held elsewhere: asks for a PIN, at most once.
    pub fn open(&mut self, source: &Source) -> Result<()> {
        if let Ed25519::Held(reference, holder) = &mut self.ed25519 {
            *holder = custody::open(reference, source)?;
        }
        Ok(())
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
    pub fn recipient(&self) -> Recipient {
        Recipient::X25519(self.identity.to_public())
    }

    /// The owner's own age identity, which opens what was sealed to [`Keys::recipient`].
    pub fn identity(&self) -> seal::Identity {
        seal::Identity::X25519(self.identity.clone())
    }

    /// Opens what was sealed to [`Keys::recipient`].
    pub fn open_sealed(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        seal::open(sealed, &[self.identity()]).map(Zeroizing::new)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut items = Kind::Key.head();
        items.push(self.role.as_str().into());
        items.push(self.name.as_str().into());
        items.push(match &self.ed25519 {
            Ed25519::Seed(seed) => cbor::bytes(**seed),
            Ed25519::Held(reference, _) => reference.encode(),
        });
        items.push(cbor::bytes(*self.mldsa));
        items.push(seal::identity_text(&self.identity).as_str().into());
        let mut value = Value::Array(items);
        let bytes = Zeroizing::new(cbor::to_bytes(&value));
        wipe(&mut value);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Keys> {
        let tag = Kind::Key.tag();
        let mut items = Kind::Key.open(cbor::decode(tag, bytes, PLAIN as usize)?, 5)?;
        let (role, name) = (items.text("role", 16)?, items.text("name", 255)?);
        let ed25519 = match items.any("the Ed25519 key")? {
            held @ Value::Array(_) => {
                Ed25519::Held(Box::new(Reference::decode(held)?), Arc::new(NotOpened))
            }
            seed => {
                Ed25519::Seed(Zeroizing::new(cbor::into_hash(tag, "the Ed25519 seed", seed)?.0))
            }
        };
        let mldsa = Zeroizing::new(items.hash("the ML-DSA-44 seed")?.0);
        let text = Zeroizing::new(items.text("the age identity", 128)?);
        let identity = text.parse().map_err(|_| anyhow::anyhow!("the age identity is damaged"))?;
        Ok(Keys { role, name, ed25519, mldsa, identity })
    }

    /// Writes the key file: with a passphrase and its scrypt cost, to recipients, or plain.
    pub fn save<'a>(&self, path: &Path, protection: impl Into<Protection<'a>>) -> Result<()> {
        let bytes = protection.into().close(self.encode())?;
        if bytes.len() as u64 > LIMIT {
            bail!(
                "the key file would have {} bytes, at most {LIMIT} are read: name fewer recipients",
                bytes.len()
            );
        }
        files::write(path, &bytes, Existing::Never, Mode::Private)
    }

    /// Reads a key file of a role, asking for its passphrase where it has one, and opens what holds
    /// its Ed25519 key.
    pub fn load(path: &Path, role: &str, source: &Source) -> Result<Keys> {
        let ask = |what: &str| source.ask(what, false);
        let mut keys = Keys::read_with(path, role, source.identity.as_deref(), ask)?;
        keys.open(source)?;
        Ok(keys)
    }

    /// Reads a key file of a role; `ask` is told which file, and called where it has a passphrase.
    pub fn read(
        path: &Path,
        role: &str,
        ask: impl FnOnce(&str) -> Result<Zeroizing<String>>,
    ) -> Result<Keys> {
        Keys::read_with(path, role, None, ask)
    }

    /// The same, with a file of age identities for a key file that is encrypted to recipients. A key
    /// that is held elsewhere does not sign before [`Keys::open`].
    pub fn read_with(
        path: &Path,
        role: &str,
        identities: Option<&Path>,
        ask: impl FnOnce(&str) -> Result<Zeroizing<String>>,
    ) -> Result<Keys> {
        let bytes = files::read_private(path, LIMIT)?;
        let plain = custody::open_file(path, bytes, PLAIN, identities, ask)?;
        let keys = Keys::decode(&plain)?;
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
