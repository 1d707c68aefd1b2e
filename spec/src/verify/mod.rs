//! The trust decisions, one file a question. Each is a pure function from bytes, or decoded values,
//! and a policy to facts, or to the first reason why not.

pub mod append;
pub mod cosign;
pub mod cosigned;
pub mod document;
pub mod heads;
pub mod own;
pub mod receipts;
pub mod renewal;
pub mod succession;
