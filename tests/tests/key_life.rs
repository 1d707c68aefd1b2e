//! The life of a key, by the real programs: rotation, changes of people, revocation, retirement, and the day
//! on which a key is stolen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::kills::killed_everywhere;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, run};
use std::path::Path;

const BY: &str = "--operator Ada --passphrase-file passphrase";

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn tail_of(folder: &Path) -> String {
    let status = done(folder, "signer status");
    status.split("tail ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn refused(folder: &Path, line: &str, text: &str) -> Ran {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(text), "{line}: {}", ran.err);
    ran
}

// What the log publishes, and the key events in it, with a relying party.
fn published(story: &mut Story) {
    let relying = story.at("relying");
    let _ = std::fs::remove_dir_all(relying.join("public"));
    copy(&story.at("log").join("coldlog-log/public"), &relying.join("public")).unwrap();
    done(&relying, "verifier key-events --log public --policy policy -o keys --force");
}

fn proof(story: &Story, file: &str) {
    for name in [file.to_owned(), format!("{file}.proof")] {
        copy(&story.at("signer").join(&name), &story.at("relying").join(&name)).unwrap();
    }
}

// Exports, appends, cosigns, and brings the receipts back.
fn carried(story: &mut Story, name: &str) {
    story.run("signer", &format!("signer export -o {name}.batch.cbor")).unwrap();
    story.carry("signer", &format!("{name}.batch.cbor"), "log").unwrap();
    story.run("log", &format!("log append {name}.batch.cbor")).unwrap();
    story.cosign(name).unwrap();
    let line = format!("log receipts {name}.batch.cbor -o {name}.receipts.cbor --policy policy");
    story.run("log", &line).unwrap();
    story.carry("log", &format!("{name}.receipts.cbor"), "signer").unwrap();
    let line = format!("signer import {name}.receipts.cbor --policy policy");
    story.run("signer", &line).unwrap();
}

#[test]
fn a_key_hands_over_to_the_next_and_what_it_signed_stays_good() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let (signer, relying) = (story.at("signer"), story.at("relying"));
    story.round("monday", &Story::names(0..2), "1").unwrap();
    copy(&signer.join("coldlog-signer/signer.pub"), &relying.join("first.pub")).unwrap();
    let rotate = format!("signer rotate-key --purpose yearly --scrypt-log-n 10 {BY}");
    let told = done(&signer, &rotate);
    assert!(told.contains("record 3") && told.contains("destroy the old key"), "{told}");
    // A record before the rotation, the rotation, and one after it, in one batch.
    story.round("tuesday", &Story::names(2..4), "1").unwrap();
    done(&signer, "signer verify-journal --policy policy");
    done(&story.at("log"), "log fsck");
    published(&mut story);
    done(&relying, "verifier completeness --log public --policy policy");
    proof(&story, "d0.txt");
    proof(&story, "d2.txt");
    let check = |file: &str, more: &str| format!("verifier check {file} --policy policy {more}");
    let old = done(&relying, &check("d0.txt", "--signer first.pub --key-events keys"));
    assert!(old.contains("one of the journal's 2 keys, in force then"), "{old}");
    // The new key is the first one's heir, which only the key events show.
    refused(&relying, &check("d2.txt", "--signer first.pub"), "expected");
    done(&relying, &check("d2.txt", "--signer first.pub --key-events keys"));
    // ssh-keygen's file has both keys.
    let allowed = signer.join("coldlog-signer/allowed_signers");
    assert_eq!(std::fs::read_to_string(allowed).unwrap().lines().count(), 2);
    // Whoever puts the old key back does not sign with it.
    let home = signer.join("coldlog-signer");
    let given_up = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
    let given_up = given_up.into_iter().find(|path| path.to_string_lossy().contains("given-up"));
    std::fs::copy(given_up.unwrap(), home.join("key.age")).unwrap();
    let sign = format!("signer sign d4.txt {BY}");
    refused(&signer, &sign, "not the key of this journal");
}

#[test]
fn a_rotation_that_is_killed_anywhere_goes_on_with_one_key_or_the_other() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::with_documents(stage.path(), 2).unwrap();
    let rotate = format!("signer rotate-key --purpose yearly --scrypt-log-n 10 {BY}");
    killed_everywhere(&story.at("signer"), &rotate, |folder, kill| {
        Story::reopen(folder).unwrap();
        let ran = run(folder, &format!("signer sign d0.txt {BY}")).unwrap();
        assert_eq!(ran.code, 0, "{kill}: {}", ran.err);
        let ran = run(folder, "signer verify-journal").unwrap();
        assert_eq!(ran.code, 0, "{kill}: {}", ran.err);
        let events = run(folder, "signer list").unwrap().out.matches("rotation").count();
        assert!(events <= 1, "{kill}: {events} rotations");
    });
}

#[test]
fn operators_and_auditors_come_and_go_by_records_only() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let (signer, auditor) = (story.at("signer"), story.at("auditor"));
    story.round("monday", &Story::names(0..1), "1").unwrap();
    let second = done(&auditor, "verifier identity -o second.key");
    let sign = |by: &str, file: &str| {
        format!("signer sign {file} --operator {by} --passphrase-file passphrase")
    };
    refused(&signer, &sign("Edsger", "d1.txt"), "not an operator");
    let change = format!("signer change --purpose staff {BY}");
    refused(&signer, &format!("{change} --remove-operator Nobody"), "none of the operators");
    refused(
        &signer,
        &format!("{change} --remove-operator Ada --remove-operator Grace"),
        "would be left",
    );
    let line = format!(
        "{change} --remove-operator Grace --add-operator Edsger --add-auditor {}",
        second.trim()
    );
    done(&signer, &line);
    refused(&signer, &sign("Grace", "d1.txt"), "its journal names Ada, Edsger");
    done(&signer, &sign("Edsger", "d1.txt"));
    carried(&mut story, "tuesday");
    copy(&story.at("log").join("coldlog-log/public"), &auditor.join("public")).unwrap();
    // The new auditor reads what came since, and nothing before.
    let open = |index: u64| {
        format!("verifier open --log public --policy policy --identity second.key --index {index}")
    };
    assert!(done(&auditor, &open(4)).contains("signed d1.txt"));
    refused(&auditor, &open(2), "did not open");
    let all = done(&auditor, "verifier open --log public --policy policy --identity auditor.key");
    assert!(all.contains("key event: change, operators Ada, Edsger, staff"), "{all}");
    // The end, as planned: nothing follows, and all stays good.
    done(&signer, &format!("signer retire --purpose 'the product has ended' {BY}"));
    refused(&signer, &sign("Ada", "d2.txt"), "ended with its retirement");
    carried(&mut story, "wednesday");
    done(&story.at("log"), "log fsck");
    published(&mut story);
    proof(&story, "d1.txt");
    done(&story.at("relying"), "verifier check d1.txt --policy policy --key-events keys");
}

#[test]
fn a_revocation_spares_what_is_shown_to_be_older_and_nothing_else() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let (signer, relying) = (story.at("signer"), story.at("relying"));
    story.round("monday", &Story::names(0..2), "1").unwrap();
    copy(&signer.join("coldlog-signer/signer.pub"), &relying.join("first.pub")).unwrap();
    // The head of Monday is the last one that is beyond doubt.
    let public = story.at("log").join("coldlog-log/public");
    copy(&public.join("checkpoint"), &signer.join("monday.head")).unwrap();
    copy(&public.join("checkpoint"), &relying.join("monday.head")).unwrap();
    story.round("tuesday", &Story::names(2..4), "1").unwrap();
    let revoke = format!("signer revoke --purpose 'the stick was stolen' {BY}");
    let bounds = run(&signer, &revoke).unwrap();
    assert_eq!(bounds.code, 2, "{}", bounds.err);
    assert!(bounds.err.contains("from when on"), "{}", bounds.err);
    done(&signer, &format!("{revoke} --since-head monday.head"));
    refused(&signer, &format!("signer sign d4.txt {BY}"), "ended with its revocation");
    carried(&mut story, "wednesday");
    done(&story.at("log"), "log fsck");
    published(&mut story);
    done(&relying, "verifier completeness --log public --policy policy");
    for file in ["d0.txt", "d2.txt"] {
        proof(&story, file);
    }
    let check = |file: &str| format!("verifier check {file} --policy policy --key-events keys");
    let spared = done(&relying, &check("d0.txt"));
    assert!(spared.contains("and this signature is older"), "{spared}");
    let lost = refused(&relying, &check("d2.txt"), "was revoked");
    assert!(lost.err.contains("nothing shows that record 3 is older"), "{}", lost.err);
    // Who does not ask about the key is not told.
    done(&relying, "verifier check d2.txt --policy policy");
    let impact = done(&relying, "verifier impact first.pub --log public --policy policy");
    assert!(impact.contains("2 stay trusted, 2 do not"), "{impact}");
    let asked = "verifier impact first.pub --log public --policy policy --since-record 2";
    assert!(done(&relying, asked).contains("1 stay trusted, 3 do not"));
    let future = "verifier impact first.pub --log public --policy policy --since-time 2999-01-01";
    assert!(done(&relying, future).contains("4 stay trusted, 0 do not"));
}

#[test]
fn a_prepared_revocation_is_published_when_the_machine_is_gone() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let (signer, log, relying) = (story.at("signer"), story.at("log"), story.at("relying"));
    let drawer = done(&log, "verifier identity -o drawer.key");
    let prepare = format!(
        "signer revoke --purpose 'for the drawer' --prepare revocation.age --to {} {BY}",
        drawer.trim()
    );
    done(&signer, &prepare);
    story.carry("signer", "revocation.age", "log").unwrap();
    refused(&log, "log revoke revocation.age --identity drawer.key", "is not in this log");
    story.round("monday", &Story::names(0..2), "1").unwrap();
    // A thief takes all that is there, passphrase included.
    copy(&signer, &story.at("thief")).unwrap();
    refused(&log, "log revoke revocation.age", "is sealed");
    let told = done(&log, "log revoke revocation.age --identity drawer.key");
    assert!(told.contains("by entry 4"), "{told}");
    assert!(
        done(&log, "log revoke revocation.age --identity drawer.key").contains("revoked already")
    );
    story.cosign("revoked").unwrap();
    done(&log, "log fsck");
    // Nothing more of the journal is taken: no record of the thief's, and no key of his.
    let thief = story.at("thief");
    done(&thief, &format!("signer reopen --yes --tail {}", tail_of(&thief)));
    done(&thief, &format!("signer rotate-key --purpose mine {BY} --scrypt-log-n 10"));
    done(&thief, "signer export -o thief.batch.cbor");
    story.carry("thief", "thief.batch.cbor", "log").unwrap();
    refused(&log, "log append thief.batch.cbor", "revoked by an entry outside of the journal");
    // The owner learns that the key was in other hands at the second record: one more, with that bound.
    let bound = prepare
        .replace("revocation.age", "now.age")
        .replace("signer revoke", "signer revoke --since-record 2");
    assert!(done(&signer, &bound).contains("from record 2 on"));
    story.carry("signer", "now.age", "log").unwrap();
    done(&log, "log revoke now.age --identity drawer.key");
    story.cosign("bound").unwrap();
    done(&log, "log fsck");
    published(&mut story);
    done(&relying, "verifier completeness --log public --policy policy");
    proof(&story, "d0.txt");
    proof(&story, "d1.txt");
    let check = |file: &str| format!("verifier check {file} --policy policy --key-events keys");
    let spared = done(&relying, &check("d0.txt"));
    assert!(spared.contains("and this signature is older"), "{spared}");
    refused(&relying, &check("d1.txt"), "was revoked from record 2 on");
    // An altered file of key events proves nothing.
    let mut keys = std::fs::read(relying.join("keys")).unwrap();
    let place = keys.len() - 40;
    keys[place] ^= 1;
    std::fs::write(relying.join("keys"), keys).unwrap();
    let ran = run(&relying, &check("d0.txt")).unwrap();
    assert!(ran.code != 0, "{}", ran.out);
}

#[test]
fn a_thief_who_is_faster_at_the_log_does_not_take_the_revocation_away() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let (signer, log, relying) = (story.at("signer"), story.at("log"), story.at("relying"));
    let drawer = done(&log, "verifier identity -o drawer.key");
    story.round("monday", &Story::names(0..2), "1").unwrap();
    copy(&signer, &story.at("thief")).unwrap();
    let thief = story.at("thief");
    done(&thief, &format!("signer reopen --yes --tail {}", tail_of(&thief)));
    // He ends the journal, by a revocation that spares all that he may have signed.
    let spares = format!("signer revoke --purpose mine --since-record 3 {BY}");
    done(&thief, &spares);
    done(&thief, "signer export -o thief.batch.cbor");
    story.carry("thief", "thief.batch.cbor", "log").unwrap();
    done(&log, "log append thief.batch.cbor");
    // The owner's own last record comes too late.
    done(&signer, &format!("signer revoke --purpose stolen --since-record 2 {BY}"));
    done(&signer, "signer export -o late.batch.cbor");
    story.carry("signer", "late.batch.cbor", "log").unwrap();
    refused(&log, "log append late.batch.cbor", "logged already with other content");
    // The one outside of the journal holds, though this journal has ended here as well.
    let line = format!(
        "signer revoke --purpose stolen --since-record 2 --prepare now.age --to {} {BY}",
        drawer.trim()
    );
    done(&signer, &line);
    story.carry("signer", "now.age", "log").unwrap();
    done(&log, "log revoke now.age --identity drawer.key");
    story.cosign("now").unwrap();
    published(&mut story);
    proof(&story, "d0.txt");
    proof(&story, "d1.txt");
    let check = |file: &str| format!("verifier check {file} --policy policy --key-events keys");
    done(&relying, &check("d0.txt"));
    refused(&relying, &check("d1.txt"), "was revoked from record 2 on");
}

#[test]
fn a_new_journal_says_which_lost_one_it_goes_on_with() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 2).unwrap();
    let (signer, log) = (story.at("signer"), story.at("log"));
    story.round("monday", &Story::names(0..1), "1").unwrap();
    let auditor = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let auditor = auditor.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let init = format!(
        "signer --home next init --name signer.example/releases --journal second --operator Ada --auditor {auditor} --recovers coldlog-signer --scrypt-log-n 10 --passphrase-file passphrase"
    );
    let made = done(&signer, &init);
    let fingerprint = made.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    copy(&signer.join("next/genesis.cbor"), &log.join("next.cbor")).unwrap();
    done(&log, &format!("log allow next.cbor --fingerprint {fingerprint}"));
    done(&signer, "signer --home next export -o next.batch.cbor");
    story.carry("signer", "next.batch.cbor", "log").unwrap();
    done(&log, "log append next.batch.cbor");
    story.cosign("next").unwrap();
    published(&mut story);
    let told = done(&story.at("relying"), "verifier completeness --log public --policy policy");
    assert!(told.contains("it goes on with a lost journal: genesis"), "{told}");
    assert!(told.contains("known up to 2:"), "{told}");
}
