//! A log that changes its key, and one that ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::{Ran, copy, run};
use std::path::Path;

fn refused(folder: &Path, line: &str, why: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!((ran.out.clone() + &ran.err).contains(why), "{line}: {}{}", ran.out, ran.err);
}

fn lines_of_the_log(story: &Story) -> usize {
    let head = run(&story.at("log"), "log head").unwrap().out;
    head.lines().filter(|line| line.starts_with("\u{2014} log.example/releases ")).count()
}

fn verifies(story: &Story, document: &str, policy: &str) -> Ran {
    run(&story.at("signer"), &format!("verifier check {document} --policy {policy}")).unwrap()
}

/// The new policy takes the place of the old one at every role.
fn adopt(story: &mut Story) {
    story.run("auditor", "verifier adopt-key rotation --policy policy -o adopted").unwrap();
    for role in ["signer", "log"].iter().chain(&WITNESSES) {
        let old = story.at(role).join("policy");
        std::fs::rename(&old, story.at(role).join("old-policy")).unwrap();
        copy(&story.at("auditor").join("adopted"), &old).unwrap();
    }
    for witness in WITNESSES {
        story.run(witness, "witness add-log policy --replace").unwrap();
    }
}

#[test]
fn a_key_is_changed_and_every_proof_of_before_and_after_verifies() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 5).unwrap();
    story.round("before", &Story::names(0..1), "1").unwrap();
    refused(&story.at("log"), "log rotate-key --finish", "no new keys are taking over");
    story.run("log", "log rotate-key -o rotation").unwrap();
    assert_eq!(lines_of_the_log(&story), 4);
    // Started again, it goes on with the same key.
    story.run("log", "log rotate-key -o rotation2").unwrap();
    let same = std::fs::read(story.at("log").join("rotation")).unwrap();
    assert_eq!(std::fs::read(story.at("log").join("rotation2")).unwrap(), same);
    // Meanwhile nobody needs to know: the old policy is enough everywhere.
    story.round("overlap", &Story::names(1..2), "1").unwrap();
    assert_eq!(lines_of_the_log(&story), 4);
    for document in ["d0.txt", "d1.txt"] {
        assert_eq!(verifies(&story, document, "policy").code, 0);
    }
    story.carry("log", "rotation", "auditor").unwrap();
    adopt(&mut story);
    story.run("log", "log rotate-key --finish").unwrap();
    assert_eq!(lines_of_the_log(&story), 4);
    story.round("after", &Story::names(2..3), "1").unwrap();
    assert_eq!(lines_of_the_log(&story), 2);
    // The old machine is gone.
    let home = story.at("log").join("coldlog-log");
    let retired = std::fs::read_dir(&home).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.file_name()?.to_str()?.starts_with("retired-key-").then_some(path)
    });
    let old_key = std::fs::read(retired.as_ref().unwrap()).unwrap();
    std::fs::remove_file(retired.unwrap()).unwrap();
    for document in ["d0.txt", "d1.txt", "d2.txt"] {
        let ran = verifies(&story, document, "policy");
        assert_eq!(ran.code, 0, "{document}: {}", ran.err);
    }
    for document in ["d0.txt", "d1.txt"] {
        assert_eq!(verifies(&story, document, "old-policy").code, 0);
    }
    // What the new key signed alone is nothing to those who have not heard of it.
    let ran = verifies(&story, "d2.txt", "old-policy");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no signature by a key that the policy names"), "{}", ran.err);
    story.run("log", "log fsck").unwrap();
    story.run("log", "log backup ../backup").unwrap();
    story.run("log", "log drill ../backup").unwrap();
    // What the log says of itself by its new key goes on from what it said by the old one.
    let ruled = stage.path().join("ruled");
    copy(&story.at("log"), &ruled).unwrap();
    Story::recover_log(&ruled).unwrap();
    let rules = run(&ruled, "log rules").unwrap().out + "# by the new key\n";
    std::fs::write(ruled.join("rules"), &rules).unwrap();
    assert_eq!(run(&ruled, "log set-rules rules").unwrap().code, 0);
    assert_eq!(run(&ruled, "log rules").unwrap().out, rules);
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap() + "quorum none\n";
    std::fs::write(ruled.join("both"), lines(&ruled.join("coldlog-log/log.policy"))).unwrap();
    let ran = run(&ruled, "verifier completeness --log coldlog-log/public --policy both").unwrap();
    assert!(ran.out.contains("by the 2 versions of the log's rules"), "{}{}", ran.out, ran.err);
    assert_eq!(run(&ruled, "log fsck").unwrap().code, 0);
    // Witnesses drop the old key when the change is complete, and cosign nothing that it signs alone.
    let old_log = stage.path().join("old");
    std::fs::create_dir(&old_log).unwrap();
    copy(&home, &old_log.join("coldlog-log")).unwrap();
    Story::recover_log(&old_log).unwrap();
    std::fs::write(old_log.join("coldlog-log/key.age"), &old_key).unwrap();
    let line = "verifier adopt-key rotation --policy policy --without-old -o dropped";
    copy(&story.at("auditor").join("rotation"), &story.at("w1").join("rotation")).unwrap();
    story.run("w1", line).unwrap();
    let dropped = std::fs::read_to_string(story.at("w1").join("dropped")).unwrap();
    assert_eq!(dropped.lines().filter(|line| line.starts_with("log ")).count(), 2);
    story.run("w1", "witness add-log dropped --replace").unwrap();
    // The thief has the old key and a copy of the log, whose newest head is by the new key alone.
    assert_eq!(run(&old_log, "log witness-request -o honest.cbor").unwrap().code, 0);
    copy(&old_log.join("honest.cbor"), &story.at("w1").join("honest.cbor")).unwrap();
    story.run("w1", "witness cosign honest.cbor -o answer.cbor").unwrap();
    let keys = Keys::load(&old_log.join("coldlog-log/key.age"), "log", &Source::default()).unwrap();
    let honest = std::fs::read(old_log.join("coldlog-log/public/checkpoint")).unwrap();
    let honest = SignedCheckpoint::decode(&honest).unwrap();
    let forged = keys.head_keys().sign_head(&honest.checkpoint, 1_800_000_000).unwrap();
    std::fs::write(old_log.join("coldlog-log/public/checkpoint"), forged.encode()).unwrap();
    assert_eq!(run(&old_log, "log witness-request -o forged.cbor").unwrap().code, 0);
    copy(&old_log.join("forged.cbor"), &story.at("w1").join("forged.cbor")).unwrap();
    refused(&story.at("w1"), "witness cosign forged.cbor -o forged-answer.cbor", "");
    // A second change, from the key that took over.
    story.run("log", "log rotate-key -o second").unwrap();
    story.carry("log", "second", "auditor").unwrap();
    refused(
        &story.at("auditor"),
        "verifier adopt-key second --policy policy -o none",
        "an older rotation is missing",
    );
    story.run("auditor", "verifier adopt-key second --policy adopted -o both").unwrap();
    let policy = std::fs::read_to_string(story.at("auditor").join("both")).unwrap();
    assert_eq!(policy.lines().filter(|line| line.starts_with("log ")).count(), 6);
}

#[test]
fn a_successor_binds_the_end_of_the_log_before_it() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 3).unwrap();
    story.round("first", &Story::names(0..2), "1").unwrap();
    let log = story.at("log");
    let migrate = "log migrate new --origin log.example/two --unencrypted --policy policy";
    refused(&log, migrate, "the log is not frozen");
    story.run("log", "log freeze --policy policy").unwrap();
    refused(
        &log,
        "log migrate new --origin log.example/releases --unencrypted --policy policy",
        "a successor is another log",
    );
    story.run("log", migrate).unwrap();
    // Again: it is that log already, and nothing is added.
    story.run("log", migrate).unwrap();
    let head = run(&log, "log --home new head --json").unwrap().out;
    assert!(head.contains("\"size\": 1") || head.contains("\"size\":1"), "{head}");
    // The signer brings its whole journal, from its genesis on.
    story.sign("second", &Story::names(2..3), "1").unwrap();
    story.run("signer", "signer export --log log.example/two --from 0 -o all.batch.cbor").unwrap();
    story.carry("signer", "all.batch.cbor", "log").unwrap();
    story.run("log", "log --home new append all.batch.cbor -o all.receipts.cbor").unwrap();
    story.carry("log", "all.receipts.cbor", "signer").unwrap();
    let lines = |home: &str| std::fs::read_to_string(log.join(home).join("log.policy")).unwrap();
    let (old, new) = (lines("coldlog-log"), lines("new"));
    let signer = story.at("signer");
    for (name, text) in [("both", format!("{old}{new}")), ("one", old), ("two", new)] {
        std::fs::write(signer.join(name), format!("{text}quorum none\n")).unwrap();
    }
    story.run("signer", "signer import all.receipts.cbor --policy both").unwrap();
    for policy in ["one", "two", "policy"] {
        assert_eq!(verifies(&story, "d0.txt", policy).code, 0, "{policy}");
    }
    assert_eq!(verifies(&story, "d2.txt", "two").code, 0);
    story.run("log", "log --home new fsck").unwrap();
    let public = |home: &str| log.join(home).join("public").display().to_string();
    let (before, after) = (public("coldlog-log"), public("new"));
    let proof = |log: &str, end: &str, last: &str, policy: &str| {
        format!(
            "verifier succession --log {log} --end {before}/heads/{end} --last {before}/heads/{last} --policy {policy}"
        )
    };
    let told = story.run("signer", &proof(&after, "end", "004", "both")).unwrap();
    assert!(told.out.contains("log.example/two succeeds log.example/releases"), "{}", told.out);
    refused(&signer, &proof(&after, "end", "004", "one"), "names no log");
    refused(&signer, &proof(&after, "end", "004", "two"), "no Ed25519 key");
    // A log that was made by hand succeeds nobody; nor does one whose head is of another end.
    let other = stage.path().join("other");
    std::fs::create_dir(&other).unwrap();
    copy(&log.join("all.batch.cbor"), &other.join("all.batch.cbor")).unwrap();
    assert_eq!(run(&other, "log init --origin log.example/three --unencrypted").unwrap().code, 0);
    std::fs::write(other.join("rules"), run(&log, "log rules").unwrap().out).unwrap();
    assert_eq!(run(&other, "log set-rules rules").unwrap().code, 0);
    assert_eq!(run(&other, "log append all.batch.cbor").unwrap().code, 0);
    let third = std::fs::read_to_string(other.join("coldlog-log/log.policy")).unwrap();
    let both = std::fs::read_to_string(signer.join("both")).unwrap();
    std::fs::write(signer.join("three"), format!("{third}{both}")).unwrap();
    let by_hand = other.join("coldlog-log/public").display().to_string();
    refused(
        &signer,
        &proof(&by_hand, "end", "004", "three"),
        "names no head, the predecessor ends with",
    );
    assert_eq!(run(&signer, &proof(&after, "004", "004", "both")).unwrap().code, 2);
}

#[test]
fn a_machine_that_has_not_heard_of_the_new_key_signs_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 1).unwrap();
    let home = story.at("log").join("coldlog-log");
    let policy = std::fs::read(home.join("log.policy")).unwrap();
    story.sign("one", &Story::names(0..1), "1").unwrap();
    story.run("signer", "signer export -o one.batch.cbor").unwrap();
    story.carry("signer", "one.batch.cbor", "log").unwrap();
    story.run("log", "log rotate-key -o rotation").unwrap();
    // What another machine, on the same object store, still has.
    let (next, aside) = (home.join("next-key.age"), stage.path().join("next-key.age"));
    std::fs::rename(&next, &aside).unwrap();
    std::fs::write(home.join("log.policy"), policy).unwrap();
    refused(&story.at("log"), "log append one.batch.cbor", "its key is being changed on another");
    std::fs::rename(&aside, &next).unwrap();
    // The lines of log.policy come back with the command that wrote them.
    story.run("log", "log rotate-key -o rotation --force").unwrap();
    story.run("log", "log append one.batch.cbor").unwrap();
}

#[test]
fn a_rotation_that_was_forged_or_altered_is_adopted_by_nobody() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 1).unwrap();
    story.run("log", "log rotate-key -o rotation").unwrap();
    // A log of the same name that somebody else has made, and its change of key.
    let thief = stage.path().join("thief");
    std::fs::create_dir(&thief).unwrap();
    for line in ["log init --origin log.example/releases --unencrypted", "log rotate-key -o forged"]
    {
        assert_eq!(run(&thief, line).unwrap().code, 0);
    }
    let (auditor, log) = (story.at("auditor"), story.at("log"));
    copy(&thief.join("forged"), &auditor.join("forged")).unwrap();
    refused(
        &auditor,
        "verifier adopt-key forged --policy policy -o none",
        "no Ed25519 key of \"log.example/releases\" that the policy names has signed",
    );
    let good = std::fs::read_to_string(log.join("rotation")).unwrap();
    let forged = std::fs::read_to_string(thief.join("forged")).unwrap();
    let line = |text: &str, number: usize| text.lines().nth(number).unwrap().to_string();
    // The thief's keys under the old key's signature; the old signature alone; another origin.
    let altered = good.replace(&line(&good, 2), &line(&forged, 2));
    let alone = good.replace(&format!("{}\n", line(&good, 6)), "");
    let other = good.replace("\nlog.example/releases\n", "\nlog.example/other\n");
    for (text, code) in [(altered, 1), (alone, 1), (other, 2), ("x".into(), 2)] {
        assert_ne!(text, good);
        std::fs::write(auditor.join("bad"), text).unwrap();
        let ran = run(&auditor, "verifier adopt-key bad --policy policy -o none").unwrap();
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(!auditor.join("none").exists());
    }
    // Any bit of it.
    let good = std::fs::read(log.join("rotation")).unwrap();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        let read = coldlog_spec::rotation::Rotation::decode(&bad);
        let policy = std::fs::read(auditor.join("policy")).unwrap();
        let policy = coldlog_spec::policy::Policy::parse(&policy).unwrap();
        let verdict = read.is_ok_and(|rotation| rotation.verify(&policy).is_ok());
        assert!(!verdict, "byte {place}");
    }
}

#[test]
fn a_frozen_log_takes_nothing_more_and_proves_its_end() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 3).unwrap();
    story.round("first", &Story::names(0..1), "1").unwrap();
    story.sign("second", &Story::names(1..2), "1").unwrap();
    story.run("signer", "signer export -o second.batch.cbor").unwrap();
    story.carry("signer", "second.batch.cbor", "log").unwrap();
    story.run("log", "log append second.batch.cbor").unwrap();
    let log = story.at("log");
    // The last head must be cosigned.
    refused(&log, "log freeze --policy policy", "must be cosigned before the end");
    story.cosign("second").unwrap();
    story.run("log", "log freeze --policy policy").unwrap();
    story.run("log", "log freeze --policy policy").unwrap();
    story.sign("third", &Story::names(2..3), "1").unwrap();
    story.run("signer", "signer export -o third.batch.cbor").unwrap();
    story.carry("signer", "third.batch.cbor", "log").unwrap();
    refused(&log, "log append third.batch.cbor", "was frozen at size 4");
    refused(&log, "log rotate-key -o rotation", "was frozen at size 4");
    // Receipts of what is in it are still made.
    story
        .run("log", "log receipts second.batch.cbor -o second.receipts.cbor --policy policy")
        .unwrap();
    story.carry("log", "second.receipts.cbor", "signer").unwrap();
    story.run("signer", "signer import second.receipts.cbor --policy policy").unwrap();
    story.run("log", "log fsck").unwrap();
    let public = log.join("coldlog-log/public/heads");
    let end = |marker: &str, head: &str| {
        format!(
            "verifier end {}/{marker} {}/{head} --policy policy",
            public.display(),
            public.display()
        )
    };
    let told = story.run("auditor", &end("end", "004")).unwrap();
    assert!(told.out.contains("log.example/releases ends with 4 entries"), "{}", told.out);
    refused(&story.at("auditor"), &end("end", "003"), "names the head of size 4");
    // Backups know of the end, too.
    story.run("log", "log backup ../backup").unwrap();
    assert!(stage.path().join("backup/heads/end").exists());
    // A marker that is not the log's, or of another head, is damage; and a log that went on convicts itself.
    let marker = std::fs::read(public.join("end")).unwrap();
    for place in [0, 20, 40, marker.len() - 5] {
        let mut bad = marker.clone();
        bad[place] ^= 1;
        std::fs::write(public.join("end"), bad).unwrap();
        refused(&log, "log fsck", "heads/end");
        assert_ne!(run(&story.at("auditor"), &end("end", "004")).unwrap().code, 0);
    }
    std::fs::remove_file(public.join("end")).unwrap();
    std::fs::remove_file(log.join("coldlog-log/public/frozen")).unwrap();
    story.run("log", "log append third.batch.cbor").unwrap();
    std::fs::write(public.join("end"), marker).unwrap();
    refused(&log, "log fsck", "it went on after its end");
}
