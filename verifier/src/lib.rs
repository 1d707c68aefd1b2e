//! The verifier: nothing is trusted but the policy.

pub mod commands;
pub mod diagnostic;
pub mod records;
