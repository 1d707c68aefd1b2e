//! The verifier: nothing is trusted but the policy.

pub mod audit;
pub mod bundle;
pub mod commands;
pub mod diagnostic;
pub mod monitor;
pub mod openings;
pub mod query;
pub mod records;
pub mod reporting;
