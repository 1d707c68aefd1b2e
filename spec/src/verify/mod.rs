//! The trust decisions, one file a question. Each is a pure function from bytes, or decoded values,
//! and a policy to facts, or to the first reason why not.

pub mod admission;
pub mod append;
pub mod approvals;
pub mod audit;
pub mod backup;
pub mod clock;
pub mod cosign;
pub mod cosigned;
pub mod counter;
pub mod disclosed;
pub mod document;
pub mod heads;
pub mod keys;
pub mod own;
pub mod receipts;
pub mod recovery;
pub mod renewal;
pub mod revocation;
pub mod succession;
