//! The offline signer: custody, journal, sign, export, import.

pub mod commands;
pub mod factors;
pub mod journal;
pub mod keys;
