//! "What is wrong with this log?" — asked by an auditor of every entry, in order; what is wrong is told, and the
//! audit goes on. The same judgements as everywhere else, but for that: nothing stops at the first finding.

mod entry;
mod finding;
mod journals;
mod people;
mod tree;

pub use entry::{Clear, Entry, Known, Opened, Place, Seam, must_follow};
pub use finding::{Finding, Kind, Severity};
pub use journals::{Journals, NotReplayed};
pub use people::{Bounds, Demands, Judged, People, REUSED, Used};
pub use tree::{NotRows, Rows, unit};
