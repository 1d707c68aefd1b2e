//! Approvals, k of n: nothing is signed before enough people agreed to exactly that, and the auditor
//! sees who they were.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, run, write_private};
use std::path::Path;

const SIGN: &str = "signer sign app.txt notes.txt --operator Ada --version 1.0 --purpose release --passphrase-file passphrase";
const REQUEST: &str =
    "signer request app.txt notes.txt --operator Ada --version 1.0 --purpose release";

/// A signer whose genesis demands two of three, and a machine for each approver.
fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    story.init_with = " --approvals 2".into();
    for name in ["ben", "cleo", "dora", "eve"] {
        let folder = story.stage.join(name);
        std::fs::create_dir(&folder).unwrap();
        write_private(&folder.join("passphrase"), name).unwrap();
        let line = format!(
            "signer approver-key --name {name} -o key --scrypt-log-n 10 --passphrase-file passphrase"
        );
        story.run(name, &line).unwrap();
        copy(&folder.join("key.pub"), &story.at("signer").join(format!("{name}.pub"))).unwrap();
        if name != "eve" {
            story.init_with += &format!(" --approver {name}={name}.pub");
        }
    }
    for name in ["app.txt", "notes.txt"] {
        std::fs::write(story.at("signer").join(name), format!("this is {name}")).unwrap();
    }
    story.set_up().unwrap();
    story
}

/// Makes a request and carries it, with the documents, to the approvers.
fn ask(story: &mut Story, line: &str, name: &str) {
    story.run("signer", &format!("{line} -o {name}.request.cbor")).unwrap();
    for to in ["ben", "cleo", "dora", "eve"] {
        for file in [format!("{name}.request.cbor"), "app.txt".into(), "notes.txt".into()] {
            story.carry("signer", &file, to).unwrap();
        }
    }
}

/// One approves, and the approval is carried back.
fn approve(story: &mut Story, who: &str, name: &str) -> Ran {
    let line = format!(
        "signer approve {name}.request.cbor app.txt notes.txt --key key --passphrase-file passphrase --yes -o {name}-{who}.approval.cbor"
    );
    let ran = story.run(who, &line).unwrap();
    story.carry(who, &format!("{name}-{who}.approval.cbor"), "signer").unwrap();
    ran
}

fn with(names: &[&str]) -> String {
    names
        .iter()
        .fold(SIGN.into(), |line: String, name| line + &format!(" --approval {name}.approval.cbor"))
}

fn refused(story: &Story, role: &str, line: &str, why: &str) {
    let ran = run(&story.at(role), line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
}

fn records(story: &Story) -> usize {
    run(&story.at("signer"), "signer list").unwrap().out.lines().count()
}

/// What was signed goes to the log, and the auditor gets a copy.
fn publish(story: &mut Story) {
    story.run("signer", "signer export -o r.batch.cbor").unwrap();
    story.carry("signer", "r.batch.cbor", "log").unwrap();
    story.run("log", "log append r.batch.cbor").unwrap();
    story.cosign("r").unwrap();
    story.run("log", "log receipts r.batch.cbor -o r.receipts.cbor --policy policy").unwrap();
    story.carry("log", "r.receipts.cbor", "signer").unwrap();
    story.run("signer", "signer import r.receipts.cbor --policy policy").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
}

const OPEN: &str = "verifier open --log public --identity auditor.key --policy policy";

#[test]
fn two_of_three_approve_and_everybody_can_see_it() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    ask(&mut story, REQUEST, "a");
    // Before the quorum is met nothing is signed or recorded.
    refused(&story, "signer", SIGN, "0 approvals, 2 are demanded (2 of ben, cleo, dora)");
    let shown = approve(&mut story, "ben", "a");
    for part in [
        "purpose \"release\"",
        "app.txt 1.0 (15 bytes)",
        "SHA-256 ",
        "app.txt: these bytes",
        "holds until",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    refused(&story, "signer", &with(&["a-ben"]), "1 approvals, 2 are demanded");
    refused(&story, "signer", &with(&["a-ben", "a-ben"]), "ben approved twice");
    approve(&mut story, "eve", "a");
    refused(&story, "signer", &with(&["a-ben", "a-eve"]), "which is no approver here");
    assert_eq!(records(&story), 1);
    assert!(!story.at("signer").join("app.txt.sig").exists());
    approve(&mut story, "cleo", "a");
    let signed = story.run("signer", &with(&["a-ben", "a-cleo"])).unwrap();
    assert!(signed.out.starts_with("signed 2,"), "{}", signed.out);
    publish(&mut story);
    let check = story.run("signer", "verifier check app.txt --policy policy").unwrap().out;
    assert_eq!(check.matches("approved   by ed25519:").count(), 2, "{check}");
    let opened = story.run("auditor", OPEN).unwrap().out;
    assert!(opened.contains("demands approvals by 2 of ben, cleo, dora"), "{opened}");
    assert_eq!(opened.matches("approved by ben and cleo, 2 of 3").count(), 2, "{opened}");
    story.run("signer", "verifier inspect a-ben.approval.cbor").unwrap();
    story.run("signer", "verifier inspect a.request.cbor").unwrap();
}

#[test]
fn an_approval_is_for_one_signature_one_journal_and_a_time() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    ask(&mut story, REQUEST, "a");
    for who in ["ben", "dora"] {
        approve(&mut story, who, "a");
    }
    let both = with(&["a-ben", "a-dora"]);
    // Another purpose, another version, other bytes, another operator.
    refused(
        &story,
        "signer",
        &both.replace("purpose release", "purpose test"),
        "for another purpose",
    );
    refused(
        &story,
        "signer",
        &both.replace("version 1.0", "version 1.1"),
        "another version were approved",
    );
    refused(
        &story,
        "signer",
        &both.replace("operator Ada", "operator Grace"),
        "for another operator",
    );
    std::fs::write(story.at("signer").join("notes.txt"), "other").unwrap();
    refused(&story, "signer", &both, "other bytes");
    std::fs::write(story.at("signer").join("notes.txt"), "this is notes.txt").unwrap();
    assert_eq!(records(&story), 1);
    story.run("signer", &both).unwrap();
    // Again is no new signature; by force it would be one, and is not approved.
    assert!(story.run("signer", &both).unwrap().out.starts_with("signed 0, signed before 2"));
    refused(&story, "signer", &format!("{both} --force"), "was used already, by record 1");
    assert_eq!(records(&story), 3);
    // Approvals of two requests do not add up.
    ask(&mut story, REQUEST, "b");
    approve(&mut story, "cleo", "b");
    let mixed = format!("{} --force", with(&["a-ben", "b-cleo"]));
    let ran = run(&story.at("signer"), &mixed).unwrap();
    assert_eq!(ran.code, 1, "{}", ran.err);
    // One that is over.
    ask(&mut story, &format!("{REQUEST} --expires 1s"), "c");
    let late = "signer approve c.request.cbor app.txt notes.txt --key key --passphrase-file passphrase --yes -o late";
    std::thread::sleep(std::time::Duration::from_millis(2100));
    refused(&story, "ben", late, "the request held until");
    // An altered approval.
    let path = story.at("signer").join("a-ben.approval.cbor");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(story.at("signer").join("bad.approval.cbor"), bytes).unwrap();
    let forged = with(&["bad", "a-dora"]).replace("version 1.0", "version 2.0");
    refused(&story, "signer", &forged, "it was altered");
}

#[test]
fn who_does_not_have_the_document_approves_only_by_saying_so() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    ask(&mut story, REQUEST, "a");
    let line =
        "signer approve a.request.cbor --key key --passphrase-file passphrase --yes -o blind";
    refused(&story, "ben", line, "2 of 2 documents are not at hand");
    let told = story.run("ben", &format!("{line} --unseen")).unwrap();
    assert!(told.out.contains("NOT at hand"), "{}", told.out);
    // Another file of that name is refused, in a folder as well.
    std::fs::create_dir(story.at("ben").join("docs")).unwrap();
    std::fs::write(story.at("ben").join("docs/app.txt"), "tampered").unwrap();
    let altered = line.replace("-o blind", "-o no --unseen --documents docs");
    refused(&story, "ben", &altered, "nothing was approved");
    assert!(!story.at("ben").join("no").exists());
    copy(&story.at("ben").join("blind"), &story.at("signer").join("blind.approval.cbor")).unwrap();
    approve(&mut story, "cleo", "a");
    story.run("signer", &with(&["blind", "a-cleo"])).unwrap();
    publish(&mut story);
    let opened = story.run("auditor", OPEN).unwrap().out;
    assert_eq!(opened.matches("approved by ben (unseen) and cleo, 2 of 3").count(), 2, "{opened}");
    // Without a terminal nobody can be asked.
    let ran = run(&story.at("dora"), &format!("{} app.txt notes.txt", line.replace(" --yes", "")))
        .unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("say --yes"), "{}", ran.err);
}

#[test]
fn a_journal_without_approvers_asks_nobody_and_takes_no_approval() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    ask(&mut story, REQUEST, "a");
    approve(&mut story, "ben", "a");
    let other = stage.path().join("other");
    let mut plain = Story::new(&other, false, 10).unwrap();
    plain.set_up().unwrap();
    for file in ["app.txt", "notes.txt", "a-ben.approval.cbor"] {
        copy(&story.at("signer").join(file), &plain.at("signer").join(file)).unwrap();
    }
    refused(&plain, "signer", &format!("{REQUEST} -o r"), "names no approvers");
    refused(&plain, "signer", &with(&["a-ben"]), "no approver here");
    plain.run("signer", SIGN).unwrap();
}

#[test]
fn who_approves_is_changed_by_a_record_that_the_auditor_sees() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let by = "--operator Ada --passphrase-file passphrase";
    let change = format!("signer change --purpose 'Ben leaves' {by}");
    for (rest, why) in [
        ("--remove-approver ivy", "\"ivy\" is none of the approvers: 2 of ben, cleo, dora"),
        ("--approvals 0", "demands approvals does so to its end"),
        ("--approvals 4", "4 approvals of 3 approvers cannot be demanded"),
    ] {
        refused(&story, "signer", &format!("{change} {rest}"), why);
    }
    let line = format!("{change} --remove-approver ben --add-approver eve=eve.pub");
    let changed = story.run("signer", &line).unwrap().out;
    assert!(changed.contains("approvals by 2 of cleo, dora, eve"), "{changed}");
    ask(&mut story, REQUEST, "a");
    approve(&mut story, "ben", "a");
    approve(&mut story, "eve", "a");
    approve(&mut story, "cleo", "a");
    refused(&story, "signer", &with(&["a-ben", "a-cleo"]), "which is no approver here");
    story.run("signer", &with(&["a-eve", "a-cleo"])).unwrap();
    publish(&mut story);
    let opened = story.run("auditor", OPEN).unwrap().out;
    assert!(opened.contains("demands approvals by 2 of cleo, dora, eve from now on"), "{opened}");
    assert!(opened.contains("approved by eve and cleo") || opened.contains("2 of 3"), "{opened}");
}
