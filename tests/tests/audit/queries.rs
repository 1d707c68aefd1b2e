//! `verifier query`: filters, full text, SQL, and Parquet that another engine reads.

use crate::forge::{BEGAN, Demands, Forge};
use coldlog_kit::time;
use coldlog_spec::record::{Operation, Record};
use coldlog_tests::{Ran, run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const QUERY: &str = "verifier query --log public --policy policy --identity auditor.key";

fn log(folder: &Path) {
    let mut forge = Forge::new(Demands::Nothing, 300);
    forge.sign(Record {
        operator: "Bob".into(),
        purpose: "the hotfix".into(),
        ..forge.record(300)
    });
    let mut record = forge.record(301);
    record.operator = "Mallory".into();
    if let Operation::Sign { document, .. } = &mut record.operation {
        document.name = "=cmd|'calc'!A1".into();
    }
    forge.sign(record);
    forge.publish(folder);
}

fn ask(folder: &Path, more: &str) -> Ran {
    let ran = run(folder, &format!("{QUERY} {more}")).unwrap();
    assert_eq!(ran.code, 0, "{more}: {}", ran.err);
    ran
}

fn lines(folder: &Path, more: &str) -> Vec<Value> {
    let ran = ask(folder, &format!("--format jsonl {more}"));
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_are_found_by_what_they_say() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    let entries = |more: &str| -> Vec<u64> {
        lines(folder, more).iter().map(|one| one["entry"].as_u64().unwrap()).collect()
    };
    assert_eq!(entries("").len(), 304);
    assert_eq!(entries("--operator Bob"), [302]);
    assert_eq!(entries("--text hotfix"), [302]);
    assert_eq!(entries("--state doubtful"), [303]);
    assert_eq!(entries("--operation genesis"), [1]);
    assert_eq!(entries("--operation rules"), [0]);
    assert_eq!(entries("--name document-7 --document-version 1"), [9]);
    assert_eq!(entries("--name document-7 --document-version 2"), [] as [u64; 0]);
    assert_eq!(entries("--purpose test --operator Ada").len(), 301);
    let one = &lines(folder, "--name document-7")[0];
    let sha256 = one["sha256"].as_str().unwrap();
    assert_eq!(entries(&format!("--sha256 {sha256}")), [9]);
    assert_eq!(one["claimed"], time::show(BEGAN + 27).as_str());
    let key = one["key"].as_str().unwrap();
    assert_eq!(entries(&format!("--key {key}")).len(), 303);
    // Every record with a bound is older than the newest head, and none than the head that it names.
    let later = time::show(BEGAN + 200_000);
    assert_eq!(entries(&format!("--from {later} --operation sign")), [] as [u64; 0]);
    let earlier = time::show(BEGAN - 10);
    assert_eq!(entries(&format!("--until {earlier} --operation sign")), [] as [u64; 0]);
    assert_eq!(entries(&format!("--from {earlier} --until {later} --operation sign")).len(), 302);
}

#[test]
fn sql_reads_and_writes_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    let sql = |text: &str| lines(folder, &format!("--sql '{text}'"));
    let counts = sql(
        "SELECT operator, count(*) AS n FROM records WHERE operation = \"sign\" GROUP BY 1 ORDER BY 1",
    );
    let counts: Vec<(&str, u64)> = counts
        .iter()
        .map(|one| (one["operator"].as_str().unwrap(), one["n"].as_u64().unwrap()))
        .collect();
    assert_eq!(counts, [("Ada", 300), ("Bob", 1), ("Mallory", 1)]);
    let found = sql(
        "SELECT entry FROM records WHERE entry IN (SELECT rowid FROM words WHERE words MATCH \"hotfix\")",
    );
    assert_eq!(found.len(), 1);
    for bad in ["DELETE FROM records", "CREATE TABLE x (y)", "SELECT nothing", "no SQL"] {
        let ran = run(folder, &format!("{QUERY} --sql '{bad}'")).unwrap();
        assert_eq!(ran.code, 2, "{bad}: {}", ran.out);
    }
    let table = ask(folder, "--operator Mallory").out;
    assert!(table.starts_with("entry  ") && table.contains("operator-unknown"), "{table}");
}

#[test]
fn what_leaves_is_private_and_harmless() {
    use std::os::unix::fs::PermissionsExt;
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    ask(folder, "--format csv -o records.csv --auditor grace --why quarter");
    let mode = std::fs::metadata(folder.join("records.csv")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(folder.join("records.csv")).unwrap();
    assert!(text.contains("'=cmd") && !text.contains(",=cmd"), "a formula got through");
    let again =
        run(folder, &format!("{QUERY} --operator Bob --format csv -o records.csv")).unwrap();
    assert_eq!(again.code, 2, "{}", again.out);
    // Who asked is written down before anything is opened.
    let journal = coldlog_verifier::openings::Journal::read(&folder.join("coldlog-openings.cbor"));
    let journal = journal.unwrap();
    journal.whole().unwrap();
    assert_eq!((journal.reads[0].who.as_str(), journal.reads[0].count), ("grace", 304));
    assert_eq!(journal.reads[0].why, "quarter (verifier query)");
    let refused = run(folder, &format!("{QUERY} --format parquet")).unwrap();
    assert_eq!(refused.code, 2, "{}", refused.out);
}

#[test]
fn duckdb_reads_the_parquet() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    ask(folder, "--format parquet -o all.parquet");
    for part in 1..=2 {
        ask(
            folder,
            &format!("--shard {part}/2 --format parquet --partition-by not_after -o parts"),
        );
    }
    let script = r#"
import duckdb, sys
def first(sql):
    return duckdb.sql(sql).fetchall()[0]
one = first("SELECT count(*), count(operator), sum(size), min(claimed) FROM 'all.parquet'")
parts = first("SELECT count(*), count(operator), sum(size), min(claimed) FROM read_parquet('parts/*/*.parquet', hive_partitioning = true)")
assert one == parts, (one, parts)
types = dict(duckdb.sql("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM 'all.parquet')").fetchall())
assert types["entry"] == "BIGINT" and types["operator"] == "VARCHAR", types
month = first("SELECT count(*) FROM 'all.parquet' WHERE claimed::TIMESTAMP > TIMESTAMP '2026-01-01'")
print(one[0], one[1], month[0])
"#;
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let ran = Command::new(python).current_dir(folder).args(["-c", script]).output();
    let ran = coldlog_tests::ran(&ran.expect("Python is needed for this test"));
    assert_eq!(ran.code, 0, "duckdb (PyPI) is needed: {}", ran.err);
    assert_eq!(ran.out.trim(), "304 303 303");
}

#[test]
fn a_log_that_was_altered_gives_no_answer() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    let entries = folder.join("public/tile/entries/000");
    let mut bytes = std::fs::read(&entries).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&entries, bytes).unwrap();
    let ran = run(folder, QUERY).unwrap();
    assert!(ran.code == 1 && ran.err.contains("tampering"), "{}", ran.err);
    // A part of the answer is none.
    std::fs::remove_file(&entries).unwrap();
    let ran = run(folder, QUERY).unwrap();
    assert!(ran.code == 1 && ran.err.contains("bundle-missing"), "{}", ran.err);
}
