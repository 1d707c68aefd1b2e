//! Why a token did not sign, in words: what happened, to which key and token, and what to do.

use super::Lost;
use cryptoki::error::{Error, RvError};

/// Whether only the session is gone, and not the token.
pub(super) fn is_session_lost(why: &Error) -> bool {
    matches!(why, Error::Pkcs11(RvError::SessionHandleInvalid | RvError::SessionClosed, _))
}

pub(super) fn words(lost: &Lost, called: &str) -> String {
    let why = match lost {
        Lost::Login => {
            return format!(
                "{called} did not sign: its session was lost, and a new one would take the PIN a second time; run the command again"
            );
        }
        Lost::Key => {
            return format!(
                "{called} did not sign: its session was lost, and in a new one the key is not there, or is there twice; see whether the token was emptied or exchanged"
            );
        }
        Lost::Token(Error::Pkcs11(why, _)) => why,
        Lost::Token(other) => return format!("{called} did not sign: {other}"),
    };
    let (what, todo) = match why {
        RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::SlotIdInvalid => {
            ("the token was pulled out", "put it back and run the command again")
        }
        RvError::DeviceError | RvError::DeviceMemory | RvError::TokenNotRecognized => {
            ("the token fails", "pull it out, put it back and run the command again")
        }
        RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => {
            ("the key is no longer in the token", "see whether the token was emptied or exchanged")
        }
        RvError::UserNotLoggedIn => {
            ("the token has logged the user out", "run the command again, with the PIN")
        }
        RvError::FunctionRejected | RvError::FunctionCanceled => (
            "the signature was not allowed at the token",
            "run the command again, and touch the token when it blinks",
        ),
        RvError::SessionHandleInvalid | RvError::SessionClosed => {
            ("the session was lost, and lost again", "run the command again")
        }
        other => return format!("{called} did not sign: {other}; nothing was signed in its stead"),
    };
    format!("{called} did not sign: {what} ({why:?}); {todo}")
}
