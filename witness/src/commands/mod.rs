//! One module a group of verbs.

pub mod bastion_key;
pub mod cosign;
pub mod init;
pub mod logs;
pub mod state;
