//! One module a group of verbs.

pub mod append;
pub mod fsck;
pub mod manage;
pub mod receipts;
pub mod witnesses;
