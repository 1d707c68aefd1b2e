//! How a release is made: the programs, compiled so that anybody gets the same bytes, what goes with
//! them, and their sums. `docs/release.md` says how it is used.

pub mod archive;
pub mod buildinfo;
pub mod check;
pub mod close;
pub mod compile;
pub mod crates;
pub mod debian;
pub mod elf;
pub mod licences;
pub mod make;
pub mod programs;
pub mod sbom;
pub mod source;
pub mod sums;
mod tool;
mod tree;
