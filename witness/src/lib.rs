//! The witness: its memory of heads, and its one decision, by file and by HTTP.

pub mod commands;
pub mod cosign;
pub mod place;
pub mod serve;
