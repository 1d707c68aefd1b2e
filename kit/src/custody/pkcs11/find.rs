//! The token: its module, its slot, and who it is.

use crate::terminal::field;
use anyhow::{Context, Result, bail};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use std::path::Path;

/// A token that was found.
pub(super) struct Place {
    pub(super) context: Pkcs11,
    pub(super) slot: Slot,
    /// As it was when the token was found.
    pub(super) info: TokenInfo,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&named(&self.info))
    }
}

fn named(info: &TokenInfo) -> String {
    let (label, serial) = (field(info.label()), field(info.serial_number()));
    format!("the token {label:?} (serial number {serial})")
}

impl Place {
    pub(super) fn session(&self, writes: bool) -> Result<Session> {
        let session = match writes {
            true => self.context.open_rw_session(self.slot),
            false => self.context.open_ro_session(self.slot),
        };
        session.with_context(|| format!("opening a session with {self}"))
    }

    /// A session that may write, where the token lets it: for the counter.
    pub(super) fn session_that_counts(&self) -> Result<Session> {
        self.session(!self.info.write_protected())
    }

    /// What the token says of itself now: its flags change with each PIN that is tried.
    pub(super) fn now(&self) -> Result<TokenInfo, Error> {
        self.context.get_token_info(self.slot)
    }
}

/// The one token with a serial number. A label chooses nothing: two tokens may have the same.
pub(super) fn by_serial(module: &Path, serial: &str) -> Result<Place> {
    let context = load(module)?;
    let slots = context.get_slots_with_initialized_token();
    let slots = slots.with_context(|| format!("asking {} for its tokens", module.display()))?;
    let mut tokens = Vec::new();
    for slot in slots {
        // A slot whose token was pulled out just now is none.
        if let Ok(info) = context.get_token_info(slot) {
            tokens.push((slot, info));
        }
    }
    let mut found = tokens.iter().filter(|(_, info)| info.serial_number() == serial);
    match (found.next(), found.next()) {
        (Some((slot, info)), None) => Ok(Place { slot: *slot, info: info.clone(), context }),
        (Some(_), Some(_)) => bail!(
            "two tokens have the serial number {serial}: pull one out, which one is meant cannot be told"
        ),
        (None, _) => {
            let there: Vec<String> = tokens.iter().map(|(_, info)| named(info)).collect();
            let there = match there.is_empty() {
                true => "no token".into(),
                false => there.join(", "),
            };
            bail!(
                "no token with the serial number {serial} is there; {} shows {there}: put the right one in",
                module.display()
            )
        }
    }
}

fn load(module: &Path) -> Result<Pkcs11> {
    let name = module.display();
    // Never by a bare name, which dlopen would search for.
    if !module.is_absolute() || !module.is_file() {
        bail!("there is no PKCS#11 module at {name}");
    }
    let context = Pkcs11::new(module)
        .map_err(|why| anyhow::anyhow!("{name} cannot be loaded as a PKCS#11 module: {why}"))?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // A second key of this process is in the same module.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(why) => bail!("the PKCS#11 module {name} does not start: {why}"),
    }
}
