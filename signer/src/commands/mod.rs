//! One module a verb.

pub mod backup;
pub mod approve;
pub mod export;
pub mod import;
pub mod init;
pub mod life;
pub mod look;
pub mod recover;
pub mod restore;
pub mod request;
pub mod sign;
