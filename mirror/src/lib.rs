//! The mirror: a second party that holds every byte of a log, and cosigns only heads that it can serve
//! (C2SP tlog-mirror).

pub mod commands;
pub mod copy;
pub mod lock;
pub mod place;
pub mod serve;
pub mod upload;
