//! "What is wrong with this log?" — asked by an auditor of every entry, in order; what is wrong is told, and the
//! audit goes on. The same judgements as everywhere else, but for that: nothing stops at the first finding.

mod finding;
mod journals;
mod people;

pub use finding::{Finding, Kind, Severity};
pub use journals::{Clear, Entry, Journals, Known, Opened, Place, Seam};
pub use people::{Bounds, Demands, Judged, People, Used};
