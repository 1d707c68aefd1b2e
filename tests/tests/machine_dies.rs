//! The day the signer's machine dies: backup, restore, what the log gives back, and what must not happen: a
//! number that is used twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::kills::{killed_everywhere, strace};
use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const JOURNAL: &str = "journal-of signer.example/releases journal";

fn tail_of(folder: &Path) -> String {
    let status = run(folder, "signer status").unwrap().out;
    status.split("tail ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

// Signs a document; the tail that is written down.
fn sign(folder: &Path, file: &str) -> String {
    let line = format!("signer sign {file} --operator Ada --passphrase-file passphrase");
    let ran = run(folder, &line).unwrap();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran.out.rsplit_once("tail: ").unwrap().1.trim().to_owned()
}

fn refused(folder: &Path, line: &str, why: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
}

// A new machine, with the medium and what the office has.
fn new_machine(story: &Story, medium: &str) -> std::path::PathBuf {
    let folder = story.at("signer");
    let home = folder.join("coldlog-signer");
    std::fs::remove_dir_all(&home).unwrap();
    let line = format!("signer restore {medium} --passphrase-file passphrase");
    let restored = run(&folder, &line).unwrap();
    assert_eq!(restored.code, 0, "{}", restored.err);
    assert!(restored.out.contains("It does not sign yet"), "{}", restored.out);
    folder
}

// What the log has of the journal, at the signer.
fn ask_the_log(story: &mut Story, options: &str) -> String {
    let line = format!("log {JOURNAL} {options} -o own.statements.cbor --policy policy --force");
    let told = story.run("log", &line).unwrap().out;
    story.carry("log", "own.statements.cbor", "signer").unwrap();
    told
}

const RECOVER: &str =
    "signer recover --statements own.statements.cbor --policy policy --passphrase-file passphrase";

// Two rounds are logged; a backup was made after the first, another record is only on paper or in a batch.
fn died(stage: &Path) -> (Story, String) {
    let mut story = Story::with_documents(stage, 8).unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    let made = story.run("signer", "signer backup medium").unwrap().out;
    assert!(made.contains("generation 1 in medium: 3 records, read back"), "{made}");
    let paper = story.round("tuesday", &Story::names(2..4), "2").unwrap();
    (story, paper)
}

#[test]
fn a_machine_that_died_goes_on_with_the_next_number_once_the_log_has_told_what_it_has() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, paper) = died(stage.path());
    let folder = new_machine(&story, "medium");
    let line = "signer sign d4.txt --operator Ada --passphrase-file passphrase";
    refused(&folder, line, "this journal came out of a backup");
    // The paper alone does not open what came out of a backup, nor does a copy of it forget.
    refused(&folder, &format!("signer reopen --tail {}", tail_of(&folder)), "out of a backup");
    copy(&folder.join("coldlog-signer"), &folder.join("copied")).unwrap();
    refused(&folder, &line.replace("signer sign", "signer --home copied sign"), "out of a backup");
    std::fs::remove_dir_all(folder.join("copied")).unwrap();

    let told = ask_the_log(&mut story, "--old 4");
    assert!(told.starts_with("5 records of signer.example/releases / journal, 0 to 4"), "{told}");
    let recovered = story.run("signer", &format!("{RECOVER} --tail {paper}")).unwrap();
    assert!(recovered.out.contains("2 records came back; the journal has 5"), "{}", recovered.out);
    assert_eq!(tail_of(&folder), paper);
    assert!(!recovered.err.contains("no tail from paper"), "{}", recovered.err);
    refused(&folder, RECOVER, "did not come out of a backup");

    // The next number, the chain, and proofs of what came back, in the old way.
    story.run("signer", "signer verify-journal --policy policy").unwrap();
    let tail = story.round("wednesday", &Story::names(4..6), "3").unwrap();
    assert!(tail.starts_with("7:"), "{tail}");
    story.run("signer", "verifier check d4.txt --policy policy").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let line = format!("verifier completeness --log public --policy policy --at-least {tail}");
    story.run("auditor", &line).unwrap();
    // Receipts of the records that came back, and proofs.
    let line = "signer import wednesday.receipts.cbor --policy policy --output-dir proofs";
    story.run("signer", line).unwrap();
    let listed = story.run("signer", "signer list").unwrap().out;
    assert_eq!(listed.matches("logged").count(), 7, "{listed}");
    let line = "verifier check d3.txt --proof proofs/record-4.proof --policy policy";
    story.run("signer", line).unwrap();
}

#[test]
fn a_stale_backup_is_not_taken_for_the_newest_state() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _) = died(stage.path());
    // One more is signed and exported, and never reaches the log; another one is on paper only.
    let exported = sign(&story.at("signer"), "d4.txt");
    story.run("signer", "signer export -o lost.batch.cbor").unwrap();
    let paper = sign(&story.at("signer"), "d5.txt");
    let folder = new_machine(&story, "medium");
    ask_the_log(&mut story, "--old 4");

    let newer = "records are missing that were signed";
    refused(&folder, &format!("{RECOVER} --tail {paper}"), newer);
    refused(&folder, &format!("{RECOVER} --tail {exported}"), newer);
    let line =
        format!("signer recover --without-log --tail {exported} --passphrase-file passphrase");
    refused(&folder, &line, newer);
    let other = format!("{}:0123-4567-89ab-cdef", 4);
    refused(&folder, &format!("{RECOVER} --tail {other}"), "another record at that place");
    // Nothing of all that was taken.
    assert!(tail_of(&folder).starts_with("3:"));
    // The batch that was exported brings the rest back.
    let line = format!("{RECOVER} --batch lost.batch.cbor --tail {exported}");
    let recovered = run(&folder, &line).unwrap();
    assert_eq!(recovered.code, 0, "{}", recovered.err);
    assert_eq!(tail_of(&folder), exported);
    story.run("signer", "signer verify-journal --policy policy").unwrap();
}

#[test]
fn without_the_log_the_paper_must_say_exactly_what_the_backup_has() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    let old = sign(&story.at("signer"), "d0.txt");
    let paper = sign(&story.at("signer"), "d1.txt");
    story.run("signer", "signer backup medium").unwrap();
    let folder = new_machine(&story, "medium");
    let line = |tail: &str| {
        format!("signer recover --without-log --tail {tail} --passphrase-file passphrase")
    };
    refused(&folder, &line(&old), "the paper is older than the backup");
    assert_eq!(run(&folder, &line(&paper)).unwrap().code, 0);
    assert!(sign(&folder, "d2.txt").starts_with("4:"));
}

#[test]
fn what_the_log_tells_must_be_whole_cosigned_and_of_this_journal() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _) = died(stage.path());
    let folder = new_machine(&story, "medium");
    // From a head that the signer does not know.
    ask_the_log(&mut story, "");
    refused(&folder, RECOVER, "proves consistency from size 0");
    // Cut short, altered, and of nobody.
    ask_the_log(&mut story, "--old 4");
    let path = folder.join("own.statements.cbor");
    let whole = std::fs::read(&path).unwrap();
    let cut = whole.len() - 41;
    std::fs::write(&path, &whole[..cut]).unwrap();
    let ran = run(&folder, RECOVER).unwrap();
    assert!(ran.code != 0 && ran.err.contains("cut short"), "{}", ran.err);
    let mut altered = whole.clone();
    let place = altered.windows(4).rposition(|w| w == b"age-").unwrap() + 300;
    altered[place] ^= 1;
    std::fs::write(&path, &altered).unwrap();
    let ran = run(&folder, RECOVER).unwrap();
    assert!(ran.code != 0, "{}", ran.out);
    story.expect("log", "log journal-of nobody.example journal -o none.cbor", 1).unwrap();
    // A head that nobody cosigned.
    std::fs::write(&path, &whole).unwrap();
    story.run("log", "log head").unwrap();
    assert!(tail_of(&folder).starts_with("3:"));
    // A newer head is out.
    let newest = story.at("log").join("coldlog-log/public/checkpoint");
    copy(&newest, &folder.join("newest")).unwrap();
    assert_eq!(run(&folder, &format!("{RECOVER} --newest newest")).unwrap().code, 0);
}

#[test]
fn a_backup_is_whole_private_sealed_and_the_newest_good_one_stays() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 8).unwrap();
    let folder = story.at("signer");
    for n in 0..3 {
        sign(&folder, &format!("d{n}.txt"));
        story.run("signer", "signer backup medium --keep 2").unwrap();
    }
    let generations = || {
        let mut names: Vec<String> = std::fs::read_dir(folder.join("medium"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "lock")
            .collect();
        names.sort();
        names
    };
    assert_eq!(generations(), ["generation-000002", "generation-000003"]);
    for file in ["backup.cbor", "journal.age", "key.age"] {
        let path = folder.join("medium/generation-000003").join(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        let bytes = std::fs::read(&path).unwrap();
        // Names of documents, operators and purposes are for nobody who finds the medium.
        for secret in ["d0.txt", "Ada"] {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{file}: {secret}"
            );
        }
    }
    let verified = story.run("signer", "signer backup medium --verify").unwrap().out;
    assert_eq!(verified.matches("whole").count(), 2, "{verified}");

    // Damage is named, told apart from the other generation, and never silently stepped over.
    let journal = folder.join("medium/generation-000003/journal.age");
    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    refused(&folder, "signer backup medium --verify", "generation 3 in medium is damaged");
    let told = run(&folder, "signer backup medium --verify --json").unwrap().out;
    assert!(told.contains("journal.age has the SHA-256"), "{told}");
    let line = "signer --home new restore medium --passphrase-file passphrase";
    refused(&folder, line, "the newest backup is damaged");
    assert!(!folder.join("new/journal.sqlite").exists());
    let old = format!("{line} --generation 2");
    assert_eq!(run(&folder, &old).unwrap().code, 0);
    bytes.truncate(100);
    std::fs::write(&journal, &bytes).unwrap();
    refused(&folder, "signer backup medium --verify", "is damaged");

    // An older journal, another one, and a key without a passphrase go on no medium.
    refused(&folder, "signer --home new backup medium", "it was restored from an older copy");
    std::fs::remove_dir_all(folder.join("new")).unwrap();
    let auditor = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let auditor = auditor.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    let line = format!(
        "signer --home new init --name b.example --operator Eve --auditor {auditor} --scrypt-log-n 10 --passphrase-file passphrase"
    );
    story.run("signer", &line).unwrap();
    refused(&folder, "signer --home new backup medium", "of the journal signer.example/releases");
    std::fs::write(folder.join("new/key.age"), "no age file").unwrap();
    refused(&folder, "signer --home new backup other", "the key file is not encrypted");
    assert!(!folder.join("other/generation-000001").exists());
}

#[test]
fn a_clone_out_of_a_backup_that_signs_too_is_exposed() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    let paper = tail_of(&story.at("signer"));
    story.run("signer", "signer backup medium").unwrap();
    // The machine did not die at all: both sign.
    let line = "signer --home clone restore medium --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    let line = format!(
        "signer --home clone recover --without-log --tail {paper} --passphrase-file passphrase"
    );
    story.run("signer", &line).unwrap();
    story.round("tuesday", &Story::names(2..3), "2").unwrap();
    let line = "signer --home clone sign d3.txt --operator Ada --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    story.run("signer", "signer --home clone export -o clone.batch.cbor").unwrap();
    story.carry("signer", "clone.batch.cbor", "log").unwrap();
    let caught = story.expect("log", "log append clone.batch.cbor", 1).unwrap();
    assert!(caught.err.contains("the sequence number 3 is logged already"), "{}", caught.err);
    // A backup of the clone does not go over the original's, and what is restored from it does not recover.
    story.run("signer", "signer --home clone backup clones").unwrap();
    refused(&story.at("signer"), "signer backup clones", "it was forked");
    let line = "signer --home third restore clones --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    ask_the_log(&mut story, "--old 4");
    let recover = RECOVER.replace("signer recover", "signer --home third recover");
    refused(&story.at("signer"), &recover, "the log has another record with the number 3");
    story.carry("signer", "journal.evidence.cbor", "auditor").unwrap();
    let line = "verifier evidence check journal.evidence.cbor --policy policy";
    let convicted = story.run("auditor", line).unwrap();
    assert!(convicted.out.contains("sequence number 3"), "{}", convicted.out);
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_backup_killed_at_any_write_leaves_the_one_before() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 3).unwrap();
    sign(&story.at("signer"), "d0.txt");
    story.run("signer", "signer backup medium").unwrap();
    sign(&story.at("signer"), "d1.txt");
    killed_everywhere(&story.at("signer"), "signer backup medium", |folder, n| {
        let verified = run(folder, "signer backup medium --verify").unwrap();
        assert_eq!(verified.code, 0, "at {n}: {}{}", verified.out, verified.err);
        let again = run(folder, "signer backup medium").unwrap();
        assert_eq!(again.code, 0, "at {n}: {}", again.err);
        let left = std::fs::read_dir(folder.join("medium")).unwrap();
        let hidden = left.filter(|e| e.as_ref().unwrap().file_name().as_encoded_bytes()[0] == b'.');
        assert_eq!(hidden.count(), 0, "at {n}");
    });
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_backup_on_a_full_medium_leaves_the_one_before() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 3).unwrap();
    sign(&story.at("signer"), "d0.txt");
    story.run("signer", "signer backup medium").unwrap();
    let mut refused = 0;
    for n in 1..200 {
        let fault = format!("error=ENOSPC:when={n}+");
        let full = strace(&story.at("signer"), "write", &fault, "signer backup medium");
        if full.code == 0 {
            break;
        }
        assert_eq!(full.code, 2, "{}", full.err);
        refused += 1;
        story.run("signer", "signer backup medium --verify").unwrap();
    }
    assert!(refused > 2, "the medium was never full");
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_restore_and_a_recovery_killed_at_any_write_are_finished_by_the_next() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, paper) = died(stage.path());
    let folder = new_machine(&story, "medium");
    ask_the_log(&mut story, "--old 4");
    let recover = format!("{RECOVER} --tail {paper}");
    let sign = "signer sign d4.txt --operator Ada --passphrase-file passphrase";
    killed_everywhere(&folder, &recover, |folder, n| {
        // Before it is whole nothing is signed: the rule of a backup, or of a copy, holds.
        let early = run(folder, sign).unwrap();
        assert!(early.code == 1 || tail_of(folder).starts_with("6:"), "at {n}: {}", early.err);
        let again = run(folder, &recover).unwrap();
        let there = again.err.contains("up to date already");
        assert!(again.code == 0 || there, "at {n}: {}", again.err);
        assert!(["5:", "6:"].iter().any(|t| tail_of(folder).starts_with(t)), "at {n}");
        assert_eq!(run(folder, "signer verify-journal").unwrap().code, 0, "at {n}");
        if early.code == 1 {
            let reopened = run(folder, &format!("signer reopen --tail {paper}")).unwrap();
            assert_eq!(reopened.code, 0, "at {n}: {}", reopened.err);
            let signed = run(folder, sign).unwrap();
            assert_eq!(signed.code, 0, "at {n}: {}", signed.err);
        }
    });
    let line = "signer --home new restore medium --passphrase-file passphrase";
    killed_everywhere(&folder, line, |folder, n| {
        let sign =
            format!("{} --output-dir out", sign.replace("signer sign", "signer --home new sign"));
        assert_ne!(run(folder, &sign).unwrap().code, 0, "at {n}");
        let again = run(folder, line).unwrap();
        assert_eq!(again.code, 0, "at {n}: {}", again.err);
        assert_eq!(run(folder, "signer --home new verify-journal").unwrap().code, 0, "at {n}");
        assert!(folder.join("new/minisign.pub").exists(), "at {n}");
        assert_eq!(run(folder, &sign).unwrap().code, 1, "at {n}");
    });
}
