//! A batch of ten times the records takes no more memory: it is streamed by whoever writes or reads it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::measured;
use coldlog_tests::story::Story;
use std::path::Path;

fn peak(folder: &Path, line: &str) -> u64 {
    measured(folder, line).unwrap().1
}

/// What each step takes for so many documents.
fn peaks(count: u32) -> Vec<(&'static str, u64)> {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer").join("many");
    std::fs::create_dir(&folder).unwrap();
    for n in 0..count {
        std::fs::write(folder.join(format!("{n}.txt")), n.to_be_bytes()).unwrap();
    }
    let line =
        "signer sign many --recursive --operator Ada --output-dir out --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    let export = peak(&story.at("signer"), "signer export -o many.batch.cbor");
    story.carry("signer", "many.batch.cbor", "log").unwrap();
    let append = peak(&story.at("log"), "log append many.batch.cbor");
    story.cosign("many").unwrap();
    let line = "log receipts many.batch.cbor -o many.receipts.cbor --policy policy";
    let receipts = peak(&story.at("log"), line);
    story.carry("log", "many.receipts.cbor", "signer").unwrap();
    let import = peak(&story.at("signer"), "signer import many.receipts.cbor --policy policy");
    let fsck = peak(&story.at("log"), "log fsck");
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let complete = peak(&story.at("auditor"), "verifier completeness --log public --policy policy");
    vec![
        ("export", export),
        ("append", append),
        ("receipts", receipts),
        ("import", import),
        ("fsck", fsck),
        ("completeness", complete),
    ]
}

#[test]
fn a_batch_of_ten_times_the_records_takes_no_more_memory() {
    // Caches of a fixed size fill up with the first few thousand: SQLite's, tiles, chunks on their way.
    const CACHES: u64 = 5 << 10;
    let (small, large) = (peaks(600), peaks(6000));
    for ((what, small), (_, large)) in small.into_iter().zip(large) {
        assert!(small > 0 && large > 0, "{what} was not seen");
        assert!(
            large * 10 <= small * 12 + CACHES * 10,
            "{what}: {small} KiB, and {large} for ten times as much"
        );
    }
}
