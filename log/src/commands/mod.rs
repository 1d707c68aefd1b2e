//! One module a group of verbs.

pub mod append;
pub mod backup;
pub mod freeze;
pub mod fsck;
pub mod gc;
pub mod journal_of;
pub mod manage;
pub mod migrate;
pub mod receipts;
pub mod recover;
pub mod reseal;
pub mod revoke;
pub mod rotate;
pub mod rules;
pub mod witnesses;
