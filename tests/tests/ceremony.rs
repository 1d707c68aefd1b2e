//! The whole story with the real programs, and what stands when it is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::path::{Path, PathBuf};

/// A story with some documents signed and proven; `count` files in the signer's folder.
fn told(stage: &Path, count: usize) -> (Story, Vec<PathBuf>, String) {
    let mut story = Story::new(stage, false, 10).unwrap();
    let files: Vec<PathBuf> = (0..count).map(|n| format!("document-{n}.txt").into()).collect();
    for file in &files {
        std::fs::write(story.at("signer").join(file), format!("contents of {}", file.display()))
            .unwrap();
    }
    story.set_up().unwrap();
    let (first, second) = files.split_at(count / 2);
    story.round("monday", first, "1").unwrap();
    let tail = story.round("tuesday", second, "2").unwrap();
    (story, files, tail)
}

#[test]
fn every_signature_is_proven_and_every_attack_is_caught() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, files, tail) = told(stage.path(), 6);
    for file in &files {
        for end in ["", ".sig", ".proof"] {
            story.carry("signer", &format!("{}{end}", file.display()), "relying").unwrap();
        }
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let line = format!("verifier check {} --policy policy --json", names.join(" "));
    let answer: serde_json::Value =
        serde_json::from_str(&story.run("relying", &line).unwrap().out).unwrap();
    assert_eq!(answer["result"], "yes");
    let checks = answer["documents"].as_array().unwrap();
    assert_eq!(checks.len(), files.len());
    let indexes: Vec<u64> =
        checks.iter().map(|c| c["logs"][0]["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [2, 3, 4, 5, 6, 7]);
    // The first batch knew no head; the second was signed after the first head was cosigned.
    assert!(checks[0]["not_before"].is_null() && checks[5]["not_before"].is_string());
    assert!(checks.iter().all(|check| check["not_after"].is_string()));

    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    story
        .run(
            "auditor",
            &format!("verifier completeness --log public --policy policy --at-least {tail}"),
        )
        .unwrap();
    let opened = story
        .run("auditor", "verifier open --log public --identity auditor.key --policy policy --json")
        .unwrap();
    let opened: serde_json::Value = serde_json::from_str(&opened.out).unwrap();
    assert_eq!(opened["opened"], 7);
    // That what is published names nobody and nothing is tested in privacy.rs, with names so long that
    // no signature in base64 holds them by chance.

    // A withheld record.
    std::fs::write(story.at("signer").join("late.txt"), "late").unwrap();
    let after = story.sign("late", &["late.txt".into()], "3").unwrap();
    let line = format!("verifier completeness --log public --policy policy --at-least {after}");
    let caught = story.expect("auditor", &line, 1).unwrap();
    assert!(caught.err.contains("1 records were withheld"), "{}", caught.err);
    // The log alone is not enough: a policy with a quorum refuses a head that nobody cosigned.
    story.run("signer", "signer export -o late.batch.cbor").unwrap();
    story.carry("signer", "late.batch.cbor", "log").unwrap();
    story.run("log", "log append late.batch.cbor -o early.receipts.cbor").unwrap();
    story
        .expect("log", "log receipts late.batch.cbor -o late.receipts.cbor --policy policy", 1)
        .unwrap();
    story.carry("log", "early.receipts.cbor", "signer").unwrap();
    let refused =
        story.expect("signer", "signer import early.receipts.cbor --policy policy", 1).unwrap();
    assert!(refused.err.contains("quorum"), "{}", refused.err);
    assert!(!story.at("signer").join("late.txt.proof").exists());
}

#[test]
fn a_batch_appended_twice_gives_the_same_receipts_and_no_new_leaf() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _, _) = told(stage.path(), 4);
    let before = story.run("log", "log head").unwrap().out;
    story.run("log", "log append tuesday.batch.cbor -o again.receipts.cbor").unwrap();
    story.run("log", "log append monday.batch.cbor").unwrap();
    assert_eq!(story.run("log", "log head").unwrap().out, before);
    let read = |name: &str| std::fs::read(story.at("log").join(name)).unwrap();
    assert_eq!(read("again.receipts.cbor"), read("tuesday.receipts.cbor"));
    story.run("log", "log fsck").unwrap();
    // Import is repeatable too.
    story.run("signer", "signer import tuesday.receipts.cbor --policy policy").unwrap();
    story.run("signer", "signer verify-journal").unwrap();
}

#[test]
fn a_forked_journal_is_named_at_append_and_both_branches_are_kept() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _, _) = told(stage.path(), 4);
    copy(&story.at("signer"), &story.at("clone")).unwrap();
    std::fs::write(story.at("clone").join("more.txt"), "x").unwrap();
    let line = "signer sign more.txt --operator Ada --passphrase-file passphrase";
    let refused = story.expect("clone", line, 1).unwrap();
    assert!(refused.err.contains("signer reopen --tail"), "{}", refused.err);
    let older = story.expect("clone", "signer reopen --tail 9:0000-0000-0000-0000", 1).unwrap();
    assert!(older.err.contains("older copy"), "{}", older.err);
    Story::reopen(&story.at("clone")).unwrap();
    for role in ["signer", "clone"] {
        std::fs::write(story.at(role).join("more.txt"), role).unwrap();
        story
            .run(role, "signer sign more.txt --operator Ada --passphrase-file passphrase")
            .unwrap();
        story.run(role, &format!("signer export -o {role}.batch.cbor")).unwrap();
        story.carry(role, &format!("{role}.batch.cbor"), "log").unwrap();
    }
    story.run("log", "log append signer.batch.cbor").unwrap();
    let refused = story.expect("log", "log append clone.batch.cbor", 1).unwrap();
    assert!(refused.err.contains("forked"), "{}", refused.err);
    let evidence = std::fs::read_dir(story.at("log").join("coldlog-log/evidence")).unwrap();
    let evidence: Vec<PathBuf> = evidence.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(evidence.len(), 1);
    copy(&evidence[0], &story.at("auditor").join("fork")).unwrap();
    let convicted = story.run("auditor", "verifier evidence check fork --policy policy").unwrap();
    assert!(convicted.out.contains("sequence number 5"), "{}", convicted.out);
    // Refused whole: the log is as it was.
    story.run("log", "log fsck").unwrap();
}

#[test]
fn what_the_log_refuses_it_refuses_whole_and_names() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _, _) = told(stage.path(), 4);
    std::fs::write(story.at("signer").join("more.txt"), "more").unwrap();
    story
        .run("signer", "signer sign more.txt --operator Ada --passphrase-file passphrase")
        .unwrap();
    story.run("signer", "signer export -o good.batch.cbor").unwrap();
    let good = std::fs::read(story.at("signer").join("good.batch.cbor")).unwrap();
    let before = story.run("log", "log head").unwrap().out;
    for place in 0..good.len() {
        if place % 37 != 0 {
            continue;
        }
        let mut bad = good.clone();
        bad[place] ^= 1;
        std::fs::write(story.at("log").join("bad.batch.cbor"), &bad).unwrap();
        let ran = run(&story.at("log"), "log append bad.batch.cbor").unwrap();
        assert!(ran.code == 1 || ran.code == 2, "byte {place}: {} {}", ran.code, ran.err);
        std::fs::write(story.at("log").join("bad.batch.cbor"), &good[..place]).unwrap();
        let ran = run(&story.at("log"), "log append bad.batch.cbor").unwrap();
        assert!(ran.code == 1 || ran.code == 2, "cut at {place}: {} {}", ran.code, ran.err);
    }
    assert_eq!(story.run("log", "log head").unwrap().out, before);
    story.carry("signer", "good.batch.cbor", "log").unwrap();
    story.run("log", "log append good.batch.cbor").unwrap();
    story.run("log", "log fsck").unwrap();
}
