//! `verifier audit`: speed to a bare loop, cost and memory as the log grows.

use crate::append::{make_batch, messages, signed, strict};
use crate::table::figure;
use coldlog_spec::ed25519::SecretKey;
use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::{measured, run};
use std::path::Path;
use std::time::Duration;

const AUDIT: &str = "verifier audit --log coldlog-log/public --policy policy";

// A log of its own with one batch of so many records that nobody sealed, its head cosigned.
fn log_of(stage: &Path, count: u64, keep: bool) -> (Story, Vec<Vec<u8>>) {
    let mut story = Story::new(stage, false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("log");
    let (all, _) = make_batch(&folder, "large", count, keep);
    let ran = run(&folder, "log append large.batch.cbor").unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    std::fs::remove_file(folder.join("large.batch.cbor")).unwrap();
    assert_eq!(WITNESSES.len(), 3);
    story.cosign("large").unwrap();
    (story, all)
}

fn audit(story: &Story) -> (Duration, u64) {
    measured(&story.at("log"), AUDIT).unwrap()
}

pub(crate) fn auditing() {
    let count: u64 = 100_000;
    let stage = tempfile::tempdir().unwrap();
    let (story, all) = log_of(&stage.path().join("large"), count, true);
    let key = SecretKey::from_seed(&[1; 32]).public();
    let messages = messages(&all);
    let signed = signed(&messages);
    // On a shared machine the baseline moves: medians of seven, in turn.
    let (mut baseline, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        baseline.push(strict(&signed, &key));
        whole.push(audit(&story));
    }
    baseline.sort();
    whole.sort();
    let (baseline, (time, memory)) = (baseline[3], whole[3]);
    figure(
        format!(
            "`verifier audit` of {count} records, whole process, to a loop of `verify_strict` over them on all cores"
        ),
        format!(
            "{:.2} ({:.0} a second to {:.0})",
            baseline.as_secs_f64() / time.as_secs_f64(),
            count as f64 / time.as_secs_f64(),
            count as f64 / baseline.as_secs_f64()
        ),
        "at least 0.95; with tables 2.0",
    );
    let (small, _) = log_of(&stage.path().join("small"), count / 10, false);
    let (short, little) = audit(&small);
    let each = |time: Duration, count: u64| time.as_secs_f64() / count as f64;
    figure(
        "cost of each of these records to each of a tenth of them",
        format!("{:.2}", each(time, count) / each(short, count / 10)),
        "flat",
    );
    figure(
        "most memory of that audit to one of a tenth",
        format!("{:.2} ({memory} KiB to {little} KiB)", memory as f64 / little as f64),
        "flat, under 256 MiB",
    );
    let Some(most) = std::env::var("COLDLOG_RECORDS").ok().and_then(|text| text.parse().ok())
    else {
        return;
    };
    let (most_of_all, _) = log_of(&stage.path().join("most"), most, false);
    let (long, much) = audit(&most_of_all);
    figure(
        format!("cost of each of {most} records in an audit to each of {count}"),
        format!("{:.2}", each(long, most) / each(time, count)),
        "flat",
    );
    figure(
        format!("most memory of an audit of {most} records to one of {count}"),
        format!("{:.2} ({much} KiB to {memory} KiB)", much as f64 / memory as f64),
        "flat, under 256 MiB",
    );
}
