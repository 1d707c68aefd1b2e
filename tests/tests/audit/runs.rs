//! One verdict, however the audit is run: in parts, after the last one, after a crash.

use crate::forge::{Demands, Forge};
use crate::{AUDIT, audit};
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Record;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile;
use coldlog_tests::kills::killed_everywhere;
use coldlog_tests::run;
use serde_json::Value;
use std::cell::Cell;
use std::path::Path;

fn ok(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn make_key(folder: &Path) -> String {
    let line = "verifier audit-key --name auditor.example/ada -o auditor.audit-key --unencrypted";
    ok(folder, line).trim().to_owned()
}

// A log with something wrong at many places, and where parts meet.
fn damaged(documents: u64) -> Forge {
    let mut forge = Forge::new(Demands::Approvals, 0);
    for number in 0..documents {
        let record = forge.record(number);
        let record = match number % 97 {
            3 => Record { operator: "Mallory".into(), ..record },
            // Used again, in another part.
            5 | 90 => forge.approve(forge.record(4000), 99),
            _ => forge.approve(record, (number % 251) as u8),
        };
        match number % 211 {
            13 => forge.next += 2,
            50 => forge.next -= 1,
            100 => forge.previous = Some(Hash([9; 32])),
            150 => forge.rotate(100 + (number / 211) as u8, &forge.position()),
            _ => {}
        }
        forge.sign(record);
    }
    forge
}

#[test]
fn a_monitor_sees_what_is_missing_between_two_rounds() {
    let stage = tempfile::tempdir().unwrap();
    let [monday, tuesday, wednesday] = ["monday", "tuesday", "wednesday"].map(|day| {
        let folder = stage.path().join(day);
        std::fs::create_dir(&folder).unwrap();
        folder
    });
    let mut forge = Forge::new(Demands::Nothing, 300);
    forge.publish(&monday);
    forge.sign(forge.record(40));
    forge.publish(&tuesday);
    forge.next += 2;
    forge.sign(forge.record(41));
    forge.sign(forge.record(42));
    forge.publish(&wednesday);
    let round = |folder: &Path| {
        std::fs::write(folder.join("rules.toml"), ok(folder, "verifier monitor rules --default"))
            .unwrap();
        let line = "verifier monitor run public --rules rules.toml --policy policy --identity auditor.key --auditor Ada --why watch --rounds 1 --state ../state";
        let ran = run(folder, line).unwrap();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.err
    };
    for folder in [&monday, &tuesday, &tuesday] {
        let told = round(folder);
        assert!(!told.contains("found number") && !told.contains("chain-broken"), "{told}");
    }
    let told = round(&wednesday);
    let found = "expected number 302, found number 304: 2 records are missing";
    assert_eq!(told.matches(found).count(), 1, "{told}");
    assert!(!round(&wednesday).contains("missing"), "told once");
}

#[test]
fn parts_come_to_the_verdict_of_one_run() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    damaged(1200).publish(folder);
    make_key(folder);
    let (whole, expected) = audit(folder, "--key auditor.audit-key -o whole.audit");
    assert!(expected.len() > 40, "{}", expected.len());
    for parts in [2, 3, 4] {
        for part in 1..=parts {
            let line = format!(
                "{AUDIT} --shard {part}/{parts} --key auditor.audit-key -o part-{parts}-{part} --fail-on critical --json"
            );
            let ran = run(folder, &line).unwrap();
            assert!(ran.code < 2, "{}", ran.err);
        }
        let names: Vec<String> = (1..=parts).rev().map(|n| format!("part-{parts}-{n}")).collect();
        let line = format!(
            "verifier audit merge {} --log public --policy policy --key auditor.audit-key -o merged-{parts} --json",
            names.join(" ")
        );
        let merged = run(folder, &line).unwrap();
        assert_eq!(merged.code, whole.code, "{}", merged.err);
        let merged: Value = serde_json::from_str(&merged.out).unwrap();
        let found = merged["findings"].as_array().unwrap();
        let differ = found.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!(differ, None, "{parts} parts");
        assert_eq!(found.len(), expected.len(), "{parts} parts");
        let one: Value = serde_json::from_str(&whole.out).unwrap();
        for field in ["journals", "opened", "documents", "rules", "root"] {
            assert_eq!(merged[field], one[field], "{field}");
        }
        // A part is missing, or there twice.
        let line = line.replace(&format!("part-{parts}-1 "), "").replace("-o merged", "-o other");
        let line = line.replace(&format!("part-{parts}-1"), "");
        assert_eq!(run(folder, &line).unwrap().code, 2);
    }
}

fn audited_in_june() -> (tempfile::TempDir, Forge) {
    let stage = tempfile::tempdir().unwrap();
    let forge = Forge::new(Demands::Nothing, 300);
    forge.publish(stage.path());
    make_key(stage.path());
    ok(stage.path(), &format!("{AUDIT} --key auditor.audit-key -o june.audit"));
    (stage, forge)
}

#[test]
fn an_audit_goes_on_where_the_last_one_ended() {
    let (stage, mut forge) = audited_in_june();
    let folder = stage.path();
    let shown = ok(folder, "verifier audit show june.audit");
    assert!(shown.contains("entries 0 to 302"), "{shown}");
    for number in 300..700 {
        forge.sign(forge.record(number));
    }
    forge.sign(Record { operator: "Mallory".into(), ..forge.record(700) });
    forge.publish(folder);
    let (whole, expected) = audit(folder, "");
    let line = "--since june.audit --key auditor.audit-key -o july.audit";
    let (july, findings) = audit(folder, line);
    assert_eq!((july.code, &findings), (whole.code, &expected), "{}", july.err);
    assert_eq!(findings.len(), 1);
    let report: Value = serde_json::from_str(&july.out).unwrap();
    assert_eq!((&report["from"], &report["to"]), (&302.into(), &703.into()));
    // What was found stays found.
    let (again, findings) = audit(folder, "--since july.audit --key auditor.audit-key");
    assert_eq!((again.code, findings), (1, expected));
    // Nothing is written over, and no stranger's audit is believed.
    let ran = run(folder, &format!("{AUDIT} --key auditor.audit-key -o june.audit")).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = run(folder, &format!("{AUDIT} --since june.audit")).unwrap();
    assert!(ran.code == 2 && ran.err.contains("none of the auditors"), "{}", ran.err);
    let mut bytes = std::fs::read(folder.join("june.audit")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(folder.join("altered.audit"), bytes).unwrap();
    let ran =
        run(folder, &format!("{AUDIT} --since altered.audit --key auditor.audit-key")).unwrap();
    assert!(ran.code == 2 && ran.err.contains("altered"), "{}", ran.err);
}

#[test]
fn a_log_that_went_back_since_the_last_audit_is_found() {
    let (stage, mut forge) = audited_in_june();
    let folder = stage.path();
    // Another history from entry 200 on.
    let (disclosure, sealed) = forge.disclose(forge.record(8));
    let statement = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
    forge.entries[200] = (statement.bytes().to_vec(), sealed);
    for number in 300..310 {
        forge.sign(forge.record(number));
    }
    forge.publish(folder);
    let (ran, findings) = audit(folder, "--since june.audit --key auditor.audit-key");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(crate::kinds(&findings).contains("head-misfit"), "{}", ran.out);
    let (ran, _) = audit(folder, "");
    assert_eq!(ran.code, 1);
    std::fs::remove_dir_all(folder.join("public")).unwrap();
    Forge::new(Demands::Nothing, 100).publish(folder);
    let line = "--since june.audit --key auditor.audit-key -o july.audit --resume";
    let (ran, findings) = audit(folder, line);
    assert_eq!(ran.code, 1, "{}", ran.err);
    // All of it was looked at, and nothing is written down to go on from.
    assert_eq!(crate::kinds(&findings).into_iter().collect::<Vec<_>>(), ["head-withdrawn"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["from"], &report["to"]), (&0.into(), &102.into()));
    assert!(!folder.join("july.audit").exists());
}

#[test]
fn a_part_is_held_against_the_head_and_not_against_a_tile_alone() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let mut forge = Forge::new(Demands::Nothing, 1200);
    // What the last entry of the first part could say as well, by the same key: no chain breaks within the part.
    let last = 511;
    let honest = Statement::decode(&forge.entries[last].0).unwrap();
    (forge.next, forge.previous) = (honest.position.sequence, honest.position.previous);
    let (disclosure, sealed) = forge.disclose(forge.record(4000));
    let other = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
    forge.publish(folder);
    make_key(folder);
    let part = format!("{AUDIT} --shard 1/2 --key auditor.audit-key -o part --force");
    let ask = "verifier query --log public --policy policy --identity auditor.key --shard 1/2";
    ok(folder, &part);
    ok(folder, ask);
    // The bundle and its own tile agree; nothing above them does.
    let public = folder.join("public");
    let (first, leaf) = (256, other.leaf());
    let (mut entries, mut records) = (Vec::new(), Vec::new());
    forge.entries[last] = (other.bytes().to_vec(), sealed);
    for (entry, record) in &forge.entries[first..=last] {
        assert!(tile::push_entry(&mut entries, entry) && tile::push_entry(&mut records, record));
    }
    std::fs::write(public.join("tile/entries/001"), entries).unwrap();
    std::fs::write(public.join("sealed/001"), records).unwrap();
    let mut hashes = std::fs::read(public.join("tile/0/001")).unwrap();
    hashes[255 * 32..].copy_from_slice(&leaf.0);
    std::fs::write(public.join("tile/0/001"), hashes).unwrap();
    let ran = run(folder, &format!("{part} --json")).unwrap();
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let found = crate::kinds(report["findings"].as_array().unwrap());
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["root-differs"]);
    let ran = run(folder, ask).unwrap();
    assert!(ran.code == 1 && ran.out.is_empty(), "{}", ran.out);
    // A copy that lacks most of what its head promises ends the audit.
    let checkpoint = forge.head_of(1 << 40, Hash([9; 32]), crate::forge::BEGAN, 2, 3);
    std::fs::write(public.join("checkpoint"), checkpoint.encode()).unwrap();
    let ran = run(folder, AUDIT).unwrap();
    assert!(ran.code == 2 && ran.err.contains("in a row"), "{}", ran.err);
}

#[test]
fn an_audit_that_is_killed_at_any_write_goes_on() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let mut forge = Forge::new(Demands::Nothing, 100);
    forge.sign(Record { operator: "Mallory".into(), ..forge.record(100) });
    for number in 101..600 {
        forge.sign(forge.record(number));
    }
    forge.publish(folder);
    make_key(folder);
    let (whole, expected) = audit(folder, "--fail-on critical");
    assert_eq!((whole.code, expected.len()), (0, 1), "{}", whole.err);
    std::fs::remove_file(folder.join("coldlog-openings.cbor")).unwrap();
    let line = format!(
        "{AUDIT} --key auditor.audit-key -o killed.audit --resume --save-every 0 --fail-on critical --json"
    );
    let (kept, done) = (Cell::new(0), Cell::new(0));
    killed_everywhere(folder, &line, |copy, place| {
        kept.set(kept.get() + u32::from(copy.join("killed.audit.partial").exists()));
        let again = match copy.join("killed.audit").exists() {
            // It was told of by nobody, but is there, whole.
            true => {
                done.set(done.get() + 1);
                line.replace("-o killed.audit --resume", "-o killed.audit --resume --force")
            }
            false => line.clone(),
        };
        let ran = run(copy, &again).unwrap();
        assert_eq!(ran.code, whole.code, "{place}: {}", ran.err);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["findings"], Value::Array(expected.clone()), "{place}");
        assert!(!copy.join("killed.audit.partial").exists(), "{place}");
    });
    assert!(kept.get() > 5 && done.get() > 0, "{} {}", kept.get(), done.get());
}

#[test]
fn an_auditor_without_an_identity_still_sees_what_is_public() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    damaged(300).publish(folder);
    let ran = run(folder, "verifier audit --log public --policy policy --json").unwrap();
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let kinds = crate::kinds(report["findings"].as_array().unwrap());
    let expected = ["chain-broken", "number-missing", "number-repeated"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    assert!(!folder.join("coldlog-openings.cbor").exists());
}
