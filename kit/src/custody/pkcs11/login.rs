//! One login a run, and what a token tells of the tries that are left.

use super::find::Place;
use crate::secret::Source;
use crate::terminal::talk;
use anyhow::{Context, Result, bail};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;

/// What a token says of its PIN (PKCS#11, CK_TOKEN_INFO flags). None gives a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tries {
    Untouched,
    Low,
    Last,
    Locked,
}

impl Tries {
    fn of(info: &TokenInfo) -> Tries {
        if info.user_pin_locked() {
            Tries::Locked
        } else if info.user_pin_final_try() {
            Tries::Last
        } else if info.user_pin_count_low() {
            Tries::Low
        } else {
            Tries::Untouched
        }
    }

    fn words(self) -> &'static str {
        match self {
            Tries::Untouched => "the token does not say how many tries are left",
            Tries::Low => {
                "a wrong PIN was given since the last right one; the token does not say how many tries are left"
            }
            Tries::Last => "one try is left: a wrong PIN now locks the token",
            Tries::Locked => {
                "no try is left: the token is locked, and its security officer must unlock it"
            }
        }
    }
}

/// Logs in, once: a PIN that was wrong is never tried again.
pub(super) fn log_in(session: &Session, place: &Place, source: &Source) -> Result<()> {
    let info = place.now().with_context(|| format!("asking {place} about its PIN"))?;
    if !info.login_required() || is_logged_in(session)? {
        return Ok(());
    }
    may_try(&info, place, source.last_try)?;
    let pin = if info.protected_authentication_path() {
        talk(format!("{place} asks for the PIN on its own keys"));
        None
    } else {
        let pin = source.pin(&place.to_string())?;
        let lengths = info.min_pin_length()..=info.max_pin_length();
        if info.max_pin_length() > 0 && !lengths.contains(&pin.len()) {
            bail!(
                "a PIN of {place} has {} to {} characters, what was given has not: it was not tried, and no try was used",
                lengths.start(),
                lengths.end()
            );
        }
        Some(AuthPin::from(pin.to_string()))
    };
    session.login(UserType::User, pin.as_ref()).or_else(|why| refused(&why, place))
}

/// Whether the process has logged in to the session's token already.
pub(super) fn is_logged_in(session: &Session) -> Result<bool, Error> {
    let state = session.get_session_info()?.session_state();
    Ok(matches!(state, SessionState::RoUser | SessionState::RwUser))
}

fn may_try(info: &TokenInfo, place: &Place, last_try: bool) -> Result<()> {
    let tries = Tries::of(info);
    match tries {
        Tries::Locked => bail!("{place}: {}", tries.words()),
        Tries::Last if !last_try => bail!(
            "{place}: {}; nothing was tried; if you are sure of the PIN, say --last-try",
            tries.words()
        ),
        Tries::Last | Tries::Low => talk(format!("{place}: {}", tries.words())),
        Tries::Untouched if !info.user_pin_initialized() => {
            bail!("{place} has no user PIN yet: its security officer sets one")
        }
        Tries::Untouched => {}
    }
    Ok(())
}

fn refused(why: &Error, place: &Place) -> Result<()> {
    let Error::Pkcs11(code, _) = why else { bail!("logging in to {place}: {why}") };
    match code {
        RvError::UserAlreadyLoggedIn => Ok(()),
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            let tries = place.now().map_or(Tries::Untouched, |info| Tries::of(&info));
            bail!(
                "{place} did not take the PIN; {}; it was tried once, and is not tried again by itself",
                tries.words()
            )
        }
        RvError::PinLocked => bail!("{place}: {}", Tries::Locked.words()),
        RvError::PinExpired => bail!("the PIN of {place} has expired: set a new one"),
        RvError::FunctionCanceled | RvError::Cancel => {
            bail!("the PIN was not given on the keys of {place}")
        }
        other => bail!("{place} did not log in: {other}"),
    }
}
