//! One module a group of verbs.

pub mod cosign;
pub mod init;
pub mod logs;
pub mod state;
