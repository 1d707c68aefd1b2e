//! The signer at a terminal: a person sees what will be signed, and is asked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::pty::{Streams, Terminal};
use coldlog_tests::story::Story;
use coldlog_tests::{run, with_suffix};
use std::path::{Path, PathBuf};
use std::process::Command;

const SAID: &str = "--operator Ada --version 1.0 --purpose release --passphrase-file passphrase";

fn signer(stage: &Path, documents: usize) -> PathBuf {
    Story::with_documents(stage, documents).unwrap().at("signer")
}

/// How many records the journal has.
fn records(folder: &Path) -> u64 {
    let status = run(folder, "signer status --json").unwrap().out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["records"].as_u64().unwrap()
}

fn digest_in_groups(bytes: &[u8]) -> [String; 2] {
    let hex = coldlog_spec::hash::Hash::of(bytes).to_hex();
    let groups: Vec<String> = (0..16).map(|at| hex[4 * at..4 * at + 4].to_owned()).collect();
    [groups[..8].join(" "), groups[8..].join(" ")]
}

#[test]
fn a_person_sees_what_will_be_signed_and_one_yes_signs_it() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 2);
    let mut at = Terminal::run(&folder, &format!("signer sign d0.txt d1.txt {SAID}")).unwrap();
    let shown = at.expect("Sign these 2 documents? [y/N] ").unwrap();
    assert!(
        shown.contains(
            "To sign, as Ada, with the key of signer.example/releases: 2 documents, 2 bytes"
        ),
        "{shown}"
    );
    for (name, contents) in [("d0.txt", "0"), ("d1.txt", "1")] {
        let [first, second] = digest_in_groups(contents.as_bytes());
        for text in [name, &first, &second, "version    1.0", "purpose    release", "1 byte"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        assert!(shown.contains(&format!("{}/{name}.sig (sshsig)", folder.display())), "{shown}");
    }
    assert!(!folder.join("d0.txt.sig").exists());
    at.types("y").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
    assert!(at.shown.contains("signed 2, signed before 0; write down the journal's tail: 3:"));
    assert_eq!(at.shown.matches("[y/N]").count(), 1, "asked once: {}", at.shown);
    assert!(folder.join("d0.txt.sig").exists() && folder.join("d1.txt.sig").exists());

    // What was signed before is shown as such, and not counted.
    std::fs::write(folder.join("d2.txt"), "2").unwrap();
    let mut at = Terminal::run(&folder, &format!("signer sign d0.txt d2.txt {SAID}")).unwrap();
    let shown = at.expect("Sign this document? [y/N] ").unwrap();
    assert!(shown.contains("signed before, as record 1: not signed again"), "{shown}");
    at.types("yes").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
    assert!(at.shown.contains("signed 1, signed before 1;"), "{}", at.shown);
}

#[test]
fn anything_but_yes_signs_nothing_and_the_key_stays_closed() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 1);
    // Without a passphrase file it is asked for, after the answer.
    let line = "signer sign d0.txt --operator Ada --version 1 --purpose test";
    for keys in ["n\n", "\n", "yy\n", "\u{4}"] {
        let mut at = Terminal::run(&folder, line).unwrap();
        at.expect("Sign this document? [y/N] ").unwrap();
        at.presses(keys).unwrap();
        assert_eq!(at.ends().unwrap(), 1, "{keys:?}: {}", at.shown);
        assert!(at.shown.contains("signer: nothing was signed"), "{keys:?}: {}", at.shown);
        assert!(!at.shown.contains("Passphrase"), "{keys:?}: {}", at.shown);
        assert!(!folder.join("d0.txt.sig").exists());
    }
    assert_eq!(records(&folder), 1);

    let mut at = Terminal::run(&folder, line).unwrap();
    at.expect("Sign this document? [y/N] ").unwrap();
    at.types("y").unwrap();
    at.expect("Passphrase for ").unwrap();
    at.types("a ceremony, not a secret").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
    assert!(!at.shown.contains("not a secret"), "a passphrase is not shown: {}", at.shown);
    assert_eq!(records(&folder), 2);
}

#[test]
fn a_file_that_changes_after_it_was_shown_is_not_signed() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 2);
    let line = format!("signer sign d0.txt d1.txt {SAID}");
    for change in ["written", "replaced"] {
        let mut at = Terminal::run(&folder, &line).unwrap();
        at.expect("Sign these 2 documents? [y/N] ").unwrap();
        match change {
            "written" => std::fs::write(folder.join("d1.txt"), "another").unwrap(),
            _ => {
                std::fs::write(folder.join("new"), "third").unwrap();
                std::fs::rename(folder.join("new"), folder.join("d1.txt")).unwrap();
            }
        }
        at.types("y").unwrap();
        assert_eq!(at.ends().unwrap(), 2, "{}", at.shown);
        assert!(
            at.shown.contains("d1.txt was changed or replaced after it was read"),
            "{}",
            at.shown
        );
        assert!(!folder.join("d1.txt.sig").exists());
    }
    assert_eq!(records(&folder), 1, "nothing of the group was recorded");
}

#[test]
fn scripts_go_on_without_a_question() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 4);
    let ends = |line: String, streams| {
        let mut at = Terminal::run_with(&folder, &line, streams).unwrap();
        assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
        assert!(!at.shown.contains("[y/N]"), "{}", at.shown);
    };
    ends(format!("signer sign d0.txt {SAID}"), Streams::NotStdin);
    ends(format!("signer sign d1.txt {SAID}"), Streams::NotStderr);
    ends(format!("signer sign d2.txt {SAID} --yes"), Streams::All);
    let piped = run(&folder, &format!("signer sign d3.txt {SAID}")).unwrap();
    assert_eq!((piped.code, piped.err.as_str()), (0, ""));
    assert_eq!(records(&folder), 5);
}

#[test]
fn what_is_missing_is_asked_for_where_somebody_is_there() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 2);
    let mut at = Terminal::run(&folder, "signer sign d0.txt --passphrase-file passphrase").unwrap();
    at.expect("Operator (Ada, Grace): ").unwrap();
    at.types("").unwrap();
    at.expect("It must not be empty.").unwrap();
    at.expect("Operator (Ada, Grace): ").unwrap();
    at.types("Grace").unwrap();
    at.expect("Version (Enter for none): ").unwrap();
    // An arrow key is no part of a version.
    at.types("2.0\u{1b}[D").unwrap();
    at.expect("once more").unwrap();
    at.expect("Version (Enter for none): ").unwrap();
    at.types("2.0").unwrap();
    at.expect("Purpose (Enter for none): ").unwrap();
    at.types("").unwrap();
    let shown = at.expect("Sign this document? [y/N] ").unwrap();
    assert!(shown.contains("as Grace") && shown.contains("version    2.0"), "{shown}");
    assert!(shown.contains("purpose    (none)"), "{shown}");
    at.types("y").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
    let record = run(&folder, "signer show 1 --json").unwrap().out;
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let record = &record["record"];
    assert_eq!((&record["operator"], &record["purpose"]), (&"Grace".into(), &"".into()));
    assert_eq!(record["document"]["version"], "2.0");

    // A stranger is refused before anything is shown.
    let mut at = Terminal::run(&folder, "signer sign d1.txt --passphrase-file passphrase").unwrap();
    at.expect("Operator (Ada, Grace): ").unwrap();
    at.types("Mallory").unwrap();
    assert_eq!(at.ends().unwrap(), 1, "{}", at.shown);
    assert!(at.shown.contains("is not an operator"), "{}", at.shown);
    // A manifest's rows are not asked for what they say.
    std::fs::write(folder.join("m.csv"), "file,version,purpose\nd1.txt,3,why\n").unwrap();
    let line = "signer sign --manifest m.csv --operator Ada --passphrase-file passphrase";
    let mut at = Terminal::run(&folder, line).unwrap();
    let shown = at.expect("Sign this document? [y/N] ").unwrap();
    assert!(!shown.contains("Version ("), "{shown}");
    at.types("y").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
}

#[test]
fn hundreds_of_documents_are_summed_up_and_signed_by_one_yes() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 300);
    let names: Vec<String> = (0..300).map(|n| format!("d{n}.txt")).collect();
    std::fs::write(folder.join("m.csv"), format!("file\n{}\n", names.join("\n"))).unwrap();
    let line = format!("signer sign --manifest m.csv {SAID}");
    let mut at = Terminal::run(&folder, &line).unwrap();
    let shown = at.expect("Sign these 300 documents? [y/N] ").unwrap();
    assert!(shown.contains("300 documents, 790 bytes"), "{shown}");
    assert!(shown.contains("... 294 more; --show-all shows each of them"), "{shown}");
    for (there, name) in [(true, "   3. d2.txt"), (false, "d3.txt,"), (true, " 300. d299.txt")] {
        assert_eq!(shown.contains(name), there, "{name}: {shown}");
    }
    // One value for all: what other people's tool says of the same files.
    let sums = format!(
        "sha256sum {} | sha256sum",
        names.iter().map(|n| format!("./{n}")).collect::<Vec<_>>().join(" ")
    );
    let sums = Command::new("sh").current_dir(&folder).args(["-c", &sums]).output().unwrap();
    let sum = String::from_utf8(sums.stdout).unwrap();
    let groups: Vec<&str> = (0..16).map(|at| &sum[4 * at..4 * at + 4]).collect();
    assert!(
        shown.contains(&groups[..8].join(" ")) && shown.contains(&groups[8..].join(" ")),
        "{shown}"
    );
    at.types("y").unwrap();
    assert_eq!(at.ends().unwrap(), 0, "{}", at.shown);
    assert!(at.shown.contains("signed 300, signed before 0"), "{}", at.shown);
    assert_eq!(at.shown.matches("[y/N]").count(), 1);
    assert!(at.shown.contains(" of 300"), "progress with a count: {}", at.shown);
    assert!(names.iter().all(|name| with_suffix(&folder.join(name), "sig").exists()));

    let mut at = Terminal::run(&folder, &format!("{line} --show-all --force")).unwrap();
    let shown = at.expect("Sign these 300 documents? [y/N] ").unwrap();
    assert!(names.iter().all(|name| shown.contains(&format!("/{name}.sig"))), "{shown}");
    at.types("n").unwrap();
    assert_eq!(at.ends().unwrap(), 1);
}

#[test]
fn what_cannot_be_read_is_told_before_the_question() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 2);
    std::fs::write(folder.join("d1.txt.sig"), "something else").unwrap();
    let line = format!("signer sign d0.txt d1.txt {SAID}");
    let mut at = Terminal::run(&folder, &line).unwrap();
    assert_eq!(at.ends().unwrap(), 2, "{}", at.shown);
    assert!(at.shown.contains("d1.txt.sig exists already"), "{}", at.shown);
    let mut at = Terminal::run(&folder, &format!("{line} --keep-going")).unwrap();
    let shown = at.expect("Sign this document? [y/N] ").unwrap();
    assert!(
        shown.contains("d1.txt.sig exists already") && shown.contains("1 document,"),
        "{shown}"
    );
    at.types("y").unwrap();
    assert_eq!(at.ends().unwrap(), 2, "{}", at.shown);
    assert!(at.shown.contains("1 of 2 documents were not signed"), "{}", at.shown);
    assert!(folder.join("d0.txt.sig").exists());
}

#[test]
fn a_name_cannot_forge_what_is_shown() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 1);
    let line = format!("signer sign d0.txt --name 'good\u{1b}[2K\rSign nothing? [y/N]' {SAID}");
    let mut at = Terminal::run(&folder, &line).unwrap();
    at.expect("Sign this document? [y/N] ").unwrap();
    assert!(at.shown.contains("good\\u{1b}[2K\\u{d}Sign nothing?"), "{}", at.shown);
    at.types("n").unwrap();
    assert_eq!(at.ends().unwrap(), 1);
}

#[test]
fn what_cannot_be_undone_is_asked_before_it_is_done() {
    let stage = tempfile::tempdir().unwrap();
    let folder = signer(stage.path(), 1);
    let auditor = std::fs::read_to_string(stage.path().join("auditor/auditor.key")).unwrap();
    let auditor = auditor.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let line = format!(
        "signer --home new init --name new.example --operator Ada --auditor {auditor} --scrypt-log-n 10 --passphrase-file passphrase"
    );
    for (answer, code) in [("n", 1), ("y", 0)] {
        let mut at = Terminal::run(&folder, &line).unwrap();
        let shown = at.expect("Make this signer? [y/N] ").unwrap();
        for text in ["new.example", "Ada", auditor, "made new, on this machine"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        assert!(!folder.join("new").exists());
        at.types(answer).unwrap();
        assert_eq!(at.ends().unwrap(), code, "{}", at.shown);
    }
    assert!(folder.join("new/genesis.cbor").exists());

    coldlog_tests::copy(&folder.join("new"), &folder.join("moved")).unwrap();
    let status = run(&folder, "signer --home moved status").unwrap().out;
    let tail = status.lines().next().unwrap().split("tail ").nth(1).unwrap().to_owned();
    let reopen = format!("signer --home moved reopen --tail {tail}");
    let sign = format!("signer --home moved sign d0.txt {SAID}");
    for (answer, code) in [("n", 1), ("y", 0)] {
        let mut at = Terminal::run(&folder, &reopen).unwrap();
        at.expect("Is every other copy put away, so that only this one signs? [y/N] ").unwrap();
        at.types(answer).unwrap();
        assert_eq!(at.ends().unwrap(), code, "{}", at.shown);
        assert_eq!(run(&folder, &sign).unwrap().code, code);
    }
}
