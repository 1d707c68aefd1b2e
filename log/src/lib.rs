//! The log: store, index, sequencer, receipts, checks.

pub mod admit;
pub mod commands;
pub mod cosigning;
pub mod fsck;
pub mod index;
pub mod keys;
pub mod memory;
pub mod own;
pub mod pipeline;
pub mod place;
pub mod sequencer;
pub mod serve;
pub mod store;
