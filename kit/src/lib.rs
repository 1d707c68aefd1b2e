//! What Coldlog's binaries share that touches the world.

pub mod ask;
pub mod batches;
pub mod custody;
pub mod exit;
pub mod files;
pub mod inputs;
pub mod keyfile;
pub mod marked;
#[cfg(feature = "optical")]
pub mod optical;
pub mod pages;
pub mod policy;
pub mod progress;
#[cfg(feature = "published")]
pub mod published;
pub mod read_back;
pub mod rehearsal;
pub mod report;
pub mod seal;
pub mod sealed_file;
pub mod secret;
pub mod sequence;
pub mod shares;
pub mod terminal;
pub mod time;
