//! One module a verb.

pub mod approve;
pub mod backup;
pub mod export;
pub mod import;
pub mod init;
pub mod life;
pub mod look;
pub mod recover;
pub mod request;
pub mod restore;
pub mod shares;
pub mod sign;
