//! One journal in two logs: one proof with the receipts of both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::proof::Proof;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, run};
use std::path::{Path, PathBuf};

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn refused(folder: &Path, line: &str, why: &str) -> Ran {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
    ran
}

/// A second log, whose lines join those of the first in one policy without witnesses.
fn second_log(story: &Story) -> PathBuf {
    let other = story.stage.join("other");
    std::fs::create_dir(&other).unwrap();
    done(&other, "log init --origin other.example/log --unencrypted");
    copy(&story.at("log").join("genesis.cbor"), &other.join("genesis.cbor")).unwrap();
    let signers = done(&story.at("log"), "log signers --json");
    let signers: serde_json::Value = serde_json::from_str(&signers).unwrap();
    let genesis = signers["signers"][0]["genesis"].as_str().unwrap();
    done(&other, &format!("log allow genesis.cbor --fingerprint {genesis}"));
    let lines =
        |folder: &Path| std::fs::read_to_string(folder.join("coldlog-log/log.policy")).unwrap();
    let (first, second) = (lines(&story.at("log")), lines(&other));
    let signer = story.at("signer");
    std::fs::write(signer.join("first"), format!("{first}quorum none\n")).unwrap();
    std::fs::write(signer.join("second"), format!("{second}quorum none\n")).unwrap();
    std::fs::write(signer.join("both"), format!("{first}{second}quorum none\n")).unwrap();
    other
}

/// Exports for a log, appends there, and imports what it answers.
fn round(signer: &Path, log: &Path, origin: &str, name: &str, policy: &str) {
    done(signer, &format!("signer export --log {origin} -o {name}.batch.cbor"));
    let batch = format!("{name}.batch.cbor");
    copy(&signer.join(&batch), &log.join(&batch)).unwrap();
    done(log, &format!("log append {batch} -o {name}.receipts.cbor"));
    let receipts = format!("{name}.receipts.cbor");
    copy(&log.join(&receipts), &signer.join(&receipts)).unwrap();
    done(signer, &format!("signer import {receipts} --policy {policy}"));
}

const FIRST: &str = "log.example/releases";
const SECOND: &str = "other.example/log";

#[test]
fn receipts_of_two_logs_join_in_one_proof() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::with_documents(stage.path(), 4).unwrap();
    let (signer, log) = (story.at("signer"), story.at("log"));
    let other = second_log(&story);
    let sign = |n: usize| {
        done(&signer, &format!("signer sign d{n}.txt --operator Ada --passphrase-file passphrase"))
    };
    sign(0);
    round(&signer, &log, FIRST, "one", "both");
    let check = |document: &str, policy: &str, logs: usize| {
        run(&signer, &format!("verifier check {document} --policy {policy} --require-logs {logs}"))
            .unwrap()
    };
    assert_eq!(check("d0.txt", "both", 1).code, 0);
    refused(
        &signer,
        "verifier check d0.txt --policy both --require-logs 2",
        "proven to be in 1 logs of the policy, 2 are demanded",
    );
    // The second log takes the journal from its genesis on, though its newer records name heads of the first.
    sign(1);
    round(&signer, &other, SECOND, "two", "both");
    assert_eq!(check("d0.txt", "both", 2).code, 0, "{}", check("d0.txt", "both", 2).err);
    assert_eq!(check("d1.txt", "both", 2).code, 1);
    // Which log a batch is for must be said now.
    refused(&signer, "signer export -o which.batch.cbor", "say for which one, with --log");
    sign(2);
    round(&signer, &log, FIRST, "three", "both");
    round(&signer, &other, SECOND, "four", "both");
    for document in ["d0.txt", "d1.txt", "d2.txt"] {
        let ran = check(document, "both", 2);
        assert_eq!(ran.code, 0, "{document}: {}", ran.err);
        // Whoever trusts one of them only needs that one.
        assert_eq!(check(document, "first", 1).code, 0, "{}", check(document, "first", 1).err);
        assert_eq!(check(document, "second", 1).code, 0);
        assert_eq!(check(document, "first", 2).code, 1);
    }
    let proof = Proof::decode(&std::fs::read(signer.join("d1.txt.proof")).unwrap()).unwrap();
    assert_eq!(proof.receipts.len(), 2);
    // A policy that names neither proves nothing.
    std::fs::write(
        signer.join("neither"),
        std::fs::read_to_string(signer.join("policy"))
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("log "))
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )
    .unwrap();
    refused(&signer, "verifier check d1.txt --policy neither", "the policy names no log");
    // One receipt that does not hold is a lie about a log that the policy names.
    let mut bad = proof.clone();
    bad.receipts[1].sign1.signature[5] ^= 1;
    std::fs::write(signer.join("bad.proof"), bad.encode()).unwrap();
    refused(&signer, "verifier check d1.txt --proof bad.proof --policy both", "does not cover");
    let mut twice = proof.clone();
    twice.receipts[1] = twice.receipts[0].clone();
    std::fs::write(signer.join("twice.proof"), twice.encode()).unwrap();
    refused(
        &signer,
        "verifier check d1.txt --proof twice.proof --policy both --require-logs 2",
        "two receipts are by one log",
    );
    // Nothing waits in either, and all of it verifies.
    for origin in [FIRST, SECOND] {
        let line = format!("signer export --log {origin} -o none.batch.cbor");
        refused(&signer, &line, "every record has its receipt");
    }
    done(&signer, "signer verify-journal --policy both");
    done(&signer, "signer verify-journal --policy first");
    let list: serde_json::Value =
        serde_json::from_str(&done(&signer, "signer list --json")).unwrap();
    assert_eq!(list["records"][1]["logs"], serde_json::json!([FIRST, SECOND]));
    done(&log, "log fsck");
    done(&other, "log fsck");
    // The auditor of either finds it complete, though records name heads of the other.
    for (log, policy) in [(&log, "first"), (&other, "second")] {
        let public = log.join("coldlog-log/public");
        let line = format!("verifier completeness --log {} --policy {policy}", public.display());
        assert!(done(&signer, &line).contains("records 0 to 3"));
    }
    // Each log is held to what the journal remembers of it: one that went back is refused by its own.
    sign(3);
    std::fs::remove_dir_all(other.join("coldlog-log")).unwrap();
    done(&other, "log init --origin other.example/log --unencrypted");
    done(&signer, &format!("signer export --log {SECOND} -o five.batch.cbor"));
    copy(&signer.join("five.batch.cbor"), &other.join("five.batch.cbor")).unwrap();
    assert_eq!(run(&other, "log append five.batch.cbor").unwrap().code, 1);
}
