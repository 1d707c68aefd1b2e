//! The offline signer: custody, journal, sign, export, import.

pub mod backup;
pub mod clock;
pub mod commands;
pub mod factors;
pub mod journal;
pub mod keys;
