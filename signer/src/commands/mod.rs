//! One module a verb.

pub mod export;
pub mod import;
pub mod init;
pub mod life;
pub mod look;
pub mod sign;
