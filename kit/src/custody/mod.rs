//! Where a signing key lives: in a key file, in a PKCS#11 token, or in an ssh-agent.
//!
//! One trait stands between the roles and all of them, [`Holder`]: the
//! plain Ed25519 signature over these bytes, or why not. A key file of the second form holds no seed
//! but a [`Reference`]; what it refers to is opened once, before the first signature, and nothing else
//! ever takes its place.

mod agent;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod protection;
mod reference;
mod start;

pub(crate) use protection::open as open_file;
pub use protection::{Protected, Protection};
pub use reference::{InAgent, InToken, Reference};
pub use start::{NewKey, Start};

use crate::secret::Source;
use anyhow::Result;
use coldlog_spec::ed25519::{Holder, NotSigned};
use coldlog_spec::verify::counter::Counted;
use std::sync::Arc;

/// What holds a key outside of its file. A token may count besides.
pub trait Place: Holder {
    /// What was counted for the key, where the place counts.
    fn counted(&self) -> Result<Option<Counted>> {
        Ok(None)
    }

    /// Counts. A place that cannot says why.
    fn count(&self, _: Counted) -> Result<()> {
        anyhow::bail!("it keeps no counter")
    }
}

/// Opens what a reference refers to: asks for a PIN where there is one, at most once.
// A build without PKCS#11 asks for none.
#[cfg_attr(not(feature = "pkcs11"), allow(unused_variables))]
pub(crate) fn open(reference: &Reference, source: &Source) -> Result<Arc<dyn Place>> {
    match reference {
        #[cfg(feature = "pkcs11")]
        Reference::Token(key) => Ok(Arc::new(pkcs11::Token::open(key, source)?)),
        #[cfg(not(feature = "pkcs11"))]
        Reference::Token(key) => anyhow::bail!(
            "the key is in the token with the serial number {}, and this build opens no PKCS#11 modules: use the build that does",
            key.serial
        ),
        Reference::Agent(key) => Ok(Arc::new(agent::Agent::open(key)?)),
    }
}

impl Place for NotOpened {}

/// Stands for a holder that was not opened.
pub(crate) struct NotOpened;

impl Holder for NotOpened {
    fn sign(&self, _: &[u8]) -> Result<[u8; 64], NotSigned> {
        Err(NotSigned("what holds the key was not opened".into()))
    }
}
