//! A journal that is not where it was, or not what it was: restored, copied, forked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::path::{Path, PathBuf};

const JOURNAL: &str = "coldlog-signer/journal.sqlite";

fn begun(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    for n in 0..6 {
        std::fs::write(story.at("signer").join(format!("d{n}.txt")), format!("{n}")).unwrap();
    }
    story.set_up().unwrap();
    story
}

fn sign(folder: &Path, file: &str, code: i32) -> String {
    let line = format!("signer sign {file} --operator Ada --passphrase-file passphrase");
    let ran = run(folder, &line).unwrap();
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    format!("{}{}", ran.out, ran.err)
}

#[test]
fn a_journal_that_was_put_back_asks_for_the_tail_from_paper() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    let folder = story.at("signer");
    sign(&folder, "d0.txt", 0);
    let journal = folder.join(JOURNAL);
    let old = std::fs::read(&journal).unwrap();
    copy(&folder.join("coldlog-signer"), &stage.path().join("backup")).unwrap();
    let paper = sign(&folder, "d1.txt", 0);
    let paper = paper.rsplit_once("tail: ").unwrap().1.trim();

    // Only the journal, over itself: the same file to the file system.
    let newest = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &old).unwrap();
    assert!(sign(&folder, "d2.txt", 1).contains("signer reopen --tail"));
    let refused = run(&folder, &format!("signer reopen --tail {paper}")).unwrap();
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("restored from an older copy"), "{}", refused.err);
    assert!(sign(&folder, "d2.txt", 1).contains("signer reopen --tail"));

    // The whole folder, file by file over what is there.
    copy(&stage.path().join("backup"), &folder.join("coldlog-signer")).unwrap();
    assert!(sign(&folder, "d2.txt", 1).contains("signer reopen --tail"));
    // Without its mark it is no better.
    std::fs::remove_file(folder.join("coldlog-signer/journal.mark")).unwrap();
    assert!(sign(&folder, "d2.txt", 1).contains("signer reopen --tail"));

    // The newest state goes on, with the paper.
    std::fs::write(&journal, &newest).unwrap();
    let opened = run(&folder, &format!("signer reopen --tail {paper}")).unwrap();
    assert_eq!(opened.code, 0, "{}", opened.err);
    sign(&folder, "d2.txt", 0);
    // Looking, exporting and moving the folder ask nothing.
    for line in ["signer list", "signer verify-journal", "signer export -o all.batch.cbor"] {
        assert_eq!(run(&folder, line).unwrap().code, 0, "{line}");
    }
    std::fs::rename(folder.join("coldlog-signer"), folder.join("moved")).unwrap();
    std::fs::rename(folder.join("moved"), folder.join("coldlog-signer")).unwrap();
    sign(&folder, "d3.txt", 0);
}

// A batch of `role` to receipts, cosigned.
fn answered(story: &mut Story, role: &str, name: &str) -> String {
    story.run(role, &format!("signer export --from 0 -o {name}.batch.cbor")).unwrap();
    story.carry(role, &format!("{name}.batch.cbor"), "log").unwrap();
    story.run("log", &format!("log append {name}.batch.cbor")).unwrap();
    story.cosign(name).unwrap();
    let line = format!("log receipts {name}.batch.cbor -o {name}.receipts.cbor --policy policy");
    story.run("log", &line).unwrap();
    format!("{name}.receipts.cbor")
}

#[test]
fn import_names_a_journal_that_was_restored_and_one_that_was_forked() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    sign(&story.at("signer"), "d0.txt", 0);
    copy(&story.at("signer"), &story.at("twin")).unwrap();
    Story::reopen(&story.at("twin")).unwrap();
    sign(&story.at("signer"), "d1.txt", 0);
    let receipts = answered(&mut story, "signer", "original");

    // The twin knows less than the log: an older copy.
    story.carry("log", &receipts, "twin").unwrap();
    let import = format!("signer import {receipts} --policy policy");
    let older = story.expect("twin", &import, 1).unwrap();
    assert!(older.err.contains("restored from an older copy"), "{}", older.err);
    assert!(!story.at("twin").join("log.evidence.cbor").exists());

    // The twin signed something else at that place: a fork, and the evidence convicts.
    sign(&story.at("twin"), "d2.txt", 0);
    let forked = story.expect("twin", &import, 1).unwrap();
    assert!(forked.err.contains("the journal was forked"), "{}", forked.err);
    assert!(!story.at("twin").join("d0.txt.proof").exists(), "nothing of it was taken");
    story.carry("twin", "log.evidence.cbor", "auditor").unwrap();
    let line = "verifier evidence check log.evidence.cbor --policy policy";
    let convicted = story.run("auditor", line).unwrap();
    assert!(convicted.out.contains("sequence number 2"), "{}", convicted.out);
    let status = story.run("twin", "signer status").unwrap();
    assert!(status.out.contains("3 wait for a receipt"), "{}", status.out);
    // The original takes them.
    story.carry("log", &receipts, "signer").unwrap();
    story.run("signer", &import).unwrap();
    story.run("signer", "signer verify-journal --policy policy").unwrap();
}

#[test]
fn import_refuses_a_log_that_went_back_and_keeps_the_evidence() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    let files: Vec<PathBuf> = (0..3).map(|n| format!("d{n}.txt").into()).collect();
    copy(&story.at("log"), &story.at("evil")).unwrap();
    Story::recover_log(&story.at("evil")).unwrap();
    copy(&story.at("signer"), &story.at("other")).unwrap();
    Story::reopen(&story.at("other")).unwrap();
    story.round("monday", &files, "1").unwrap();
    let before = std::fs::read(story.at("signer").join(JOURNAL)).unwrap();

    // With `quorum none` the log's own word is enough, and it gives it twice.
    let policy = std::fs::read_to_string(story.at("signer").join("policy")).unwrap();
    let log: String =
        policy.lines().filter(|l| l.starts_with("log ")).map(|l| l.to_owned() + "\n").collect();
    std::fs::write(story.at("signer").join("lone"), log + "quorum none\n").unwrap();
    sign(&story.at("other"), "d3.txt", 0);
    sign(&story.at("other"), "d4.txt", 0);
    sign(&story.at("other"), "d5.txt", 0);
    sign(&story.at("other"), "d2.txt", 0);
    story.run("other", "signer export -o other.batch.cbor").unwrap();
    story.carry("other", "other.batch.cbor", "evil").unwrap();
    story.run("evil", "log append other.batch.cbor").unwrap();
    let line = "log receipts other.batch.cbor --old 5 -o evil.receipts.cbor";
    story.run("evil", line).unwrap();
    story.carry("evil", "evil.receipts.cbor", "signer").unwrap();
    let line = "signer import evil.receipts.cbor --policy lone";
    let refused = story.expect("signer", line, 1).unwrap();
    assert!(
        refused.err.contains("does not extend the head that this machine remembers"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("the evidence is in log.evidence.cbor"), "{}", refused.err);
    assert_eq!(std::fs::read(story.at("signer").join(JOURNAL)).unwrap(), before);
    story.carry("signer", "log.evidence.cbor", "auditor").unwrap();
    let line = "verifier evidence check log.evidence.cbor --policy policy";
    let convicted = story.run("auditor", line).unwrap();
    assert!(convicted.out.contains("history was rewritten"), "{}", convicted.out);
}
