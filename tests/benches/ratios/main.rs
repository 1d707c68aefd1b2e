//! `cargo bench -p coldlog-tests`: each figure is a ratio to a baseline of the same run, for times
//! of one machine say little about another. Bounds are the project's promises; none is a test.
//!
//! `COLDLOG_PERFORMANCE=../docs/performance.md` writes the table there. `COLDLOG_RECORDS=10000000` appends
//! so many records as well, for the memory and the cost of each (about 1.2 KB of disk a record, three times).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod append;
mod audit;
mod cosign;
mod process;
mod proof;
mod serve;
mod table;

fn main() {
    coldlog_tests::programs().unwrap();
    let parts: [(&str, fn()); 7] = [
        ("proof", proof::one_proof),
        ("check", process::whole_check),
        ("sign", process::signing),
        ("append", append::appending),
        ("audit", audit::auditing),
        ("serve", serve::serving),
        ("cosign", cosign::cosigning),
    ];
    // `cargo bench -p coldlog-tests -- append` measures that part only.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            part();
        }
    }
    if let Some(path) = std::env::var_os("COLDLOG_PERFORMANCE") {
        std::fs::write(path, table::page()).unwrap();
    }
}
