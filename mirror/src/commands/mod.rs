//! What `mirror` does, command by command.

pub mod follow;
pub mod logs;
pub mod recover;
