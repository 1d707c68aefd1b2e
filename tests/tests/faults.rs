//! Killed at every write, and on a full disk. `strace` injects the fault into the real programs: the
//! Nth of the calls that change a disk kills the process, or finds no space, for every N there is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::kills::{killed_everywhere, strace};
use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn begun(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    for n in 0..3 {
        std::fs::write(story.at("signer").join(format!("d{n}.txt")), format!("document {n}"))
            .unwrap();
    }
    story.set_up().unwrap();
    story
}

fn files(count: usize) -> Vec<PathBuf> {
    (0..count).map(|n| format!("d{n}.txt").into()).collect()
}

// The names of documents in the journal.
fn recorded(folder: &Path) -> Vec<String> {
    let list = run(folder, "signer list --json").unwrap();
    assert_eq!(list.code, 0, "{}", list.err);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    let records = list["records"].as_array().unwrap();
    records.iter().filter_map(|r| Some(r["document"]["name"].as_str()?.to_owned())).collect()
}

fn no_signature_without_its_record(folder: &Path, n: &str) {
    let journal = run(folder, "signer verify-journal").unwrap();
    assert_eq!(journal.code, 0, "at {n}: {}", journal.err);
    let recorded: BTreeSet<String> = recorded(folder).into_iter().collect();
    for file in files(3) {
        let name = file.display().to_string();
        let released = folder.join(format!("{name}.sig")).exists();
        assert!(!released || recorded.contains(&name), "at {n}: {name} is released, not recorded");
    }
}

const SIGN: &str = "signer sign d0.txt d1.txt d2.txt --operator Ada --passphrase-file passphrase";

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_signer_killed_at_any_write_loses_nothing_and_doubles_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    killed_everywhere(&story.at("signer"), SIGN, |folder, n| {
        no_signature_without_its_record(folder, n);
        let again = run(folder, SIGN).unwrap();
        assert_eq!(again.code, 0, "at {n}: {}", again.err);
        assert_eq!(recorded(folder), ["d0.txt", "d1.txt", "d2.txt"], "at {n}");
        no_signature_without_its_record(folder, n);
        assert!(files(3).iter().all(|f| folder.join(format!("{}.sig", f.display())).exists()));
    });
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_signer_on_a_full_disk_releases_nothing_without_its_record() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    let scratch = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for call in ["write", "pwrite64", "mkdir"] {
        for n in 1..30 {
            let folder = scratch.path().join(format!("{call}{n}"));
            copy(&story.at("signer"), &folder).unwrap();
            Story::reopen(&folder).unwrap();
            let full = strace(&folder, call, &format!("error=ENOSPC:when={n}+"), SIGN);
            if full.code == 0 {
                break;
            }
            // Where even stderr is full, nobody hears why; the exit code says it all the same.
            assert_eq!(full.code, 2, "{call} {n}: {}", full.err);
            refused += 1;
            no_signature_without_its_record(&folder, call);
            let again = run(&folder, SIGN).unwrap();
            assert_eq!(again.code, 0, "{call} {n}: {}", again.err);
            assert_eq!(recorded(&folder), ["d0.txt", "d1.txt", "d2.txt"], "{call} {n}");
        }
    }
    assert!(refused > 5, "the disk was never full");
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_log_killed_at_any_write_has_the_old_head_or_the_new_one() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    story.round("first", &files(2), "1").unwrap();
    story.sign("second", &files(3)[2..], "2").unwrap();
    story.run("signer", "signer export -o second.batch.cbor").unwrap();
    story.carry("signer", "second.batch.cbor", "log").unwrap();
    let size = |folder: &Path| {
        let head: serde_json::Value =
            serde_json::from_str(&run(folder, "log head --json").unwrap().out).unwrap();
        head["size"].as_u64().unwrap()
    };
    assert_eq!(size(&story.at("log")), 4);
    killed_everywhere(
        &story.at("log"),
        "log append second.batch.cbor -o second.receipts.cbor",
        |folder, n| {
            assert!([4, 5].contains(&size(folder)), "at {n}");
            let fsck = run(folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {n}: {}{}", fsck.out, fsck.err);
            let again = run(folder, "log append second.batch.cbor -o second.receipts.cbor --force")
                .unwrap();
            assert_eq!(again.code, 0, "at {n}: {}", again.err);
            assert_eq!(size(folder), 5, "at {n}");
            let fsck = run(folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {n}: {}{}", fsck.out, fsck.err);
        },
    );
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_witness_killed_at_any_write_never_answers_what_it_does_not_remember() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    story.sign("first", &files(2), "1").unwrap();
    story.run("signer", "signer export -o first.batch.cbor").unwrap();
    story.carry("signer", "first.batch.cbor", "log").unwrap();
    story.run("log", "log append first.batch.cbor").unwrap();
    story.run("log", "log witness-request -o r.cbor").unwrap();
    story.run("log", "log witness-request --old 4 -o again.cbor").unwrap();
    story.carry("log", "r.cbor", "w1").unwrap();
    story.carry("log", "again.cbor", "w1").unwrap();
    killed_everywhere(&story.at("w1"), "witness cosign r.cbor -o answer.cbor", |folder, n| {
        let heads = run(folder, "witness heads --json").unwrap();
        assert_eq!(heads.code, 0, "at {n}: {}", heads.err);
        let remembers = heads.out.contains("\"size\":4");
        assert!(
            remembers || !folder.join("answer.cbor").exists(),
            "at {n}: an answer without memory"
        );
        // Asked again: the same request, or, where it remembers, one from its own size.
        let line = if remembers { "again.cbor" } else { "r.cbor" };
        let again = run(folder, &format!("witness cosign {line} -o answer.cbor --force")).unwrap();
        assert_eq!(again.code, 0, "at {n}: {}", again.err);
    });
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn an_import_killed_at_any_write_is_finished_by_the_next() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    story.sign("first", &files(3), "1").unwrap();
    story.run("signer", "signer export -o first.batch.cbor").unwrap();
    story.carry("signer", "first.batch.cbor", "log").unwrap();
    story.run("log", "log append first.batch.cbor").unwrap();
    story.cosign("first").unwrap();
    story
        .run("log", "log receipts first.batch.cbor -o first.receipts.cbor --policy policy")
        .unwrap();
    story.carry("log", "first.receipts.cbor", "signer").unwrap();
    let place = story.at("signer");
    // The journal names its outputs by their absolute paths; the copies take theirs from here.
    let line = "signer import first.receipts.cbor --policy policy --output-dir proofs";
    killed_everywhere(&place, line, |folder, n| {
        let again = run(folder, line).unwrap();
        assert_eq!(again.code, 0, "at {n}: {}", again.err);
        for file in files(3) {
            let name = file.display();
            let check =
                format!("verifier check {name} --proof proofs/{name}.proof --policy policy");
            let check = run(folder, &check).unwrap();
            assert_eq!(check.code, 0, "at {n}: {}", check.err);
        }
    });
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn every_other_command_that_writes_can_be_killed_anywhere_and_run_again() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = begun(stage.path());
    let home = story.at("log").join("coldlog-log");
    copy(&home, &story.at("log").join("old")).unwrap();
    story.round("first", &files(2), "1").unwrap();
    story.run("log", "log backup kept").unwrap();
    // What a crash leaves beyond the head, for `log gc`.
    for orphan in ["tile/0/007", "tile/entries/007", "sealed/007"] {
        std::fs::write(home.join("public").join(orphan), "an orphan").unwrap();
    }
    let recipient = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let recipient = recipient.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    let line = format!(
        "signer --home third init --name third.example --operator Eve --auditor {recipient} --scrypt-log-n 10 --passphrase-file passphrase"
    );
    let third = story.run("signer", &line).unwrap().out;
    let third = third.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    story.carry("signer", "third/genesis.cbor", "log").unwrap();
    std::fs::write(story.at("log").join("nobody"), "coldlog-rules/1\n").unwrap();
    story.sign("second", &files(3)[2..], "2").unwrap();
    let rotating = stage.path().join("rotating");
    copy(&story.at("log"), &rotating).unwrap();
    Story::recover_log(&rotating).unwrap();
    assert_eq!(run(&rotating, "log rotate-key -o rotation").unwrap().code, 0);
    let frozen = stage.path().join("frozen");
    copy(&story.at("log"), &frozen).unwrap();
    Story::recover_log(&frozen).unwrap();
    assert_eq!(run(&frozen, "log freeze --policy policy").unwrap().code, 0);
    let lines = [
        ("auditor", "verifier identity -o new.key".to_owned(), "verifier identity -o other.key"),
        (
            "signer",
            format!(
                "signer --home new init --name n.example --operator Ada --auditor {recipient} --scrypt-log-n 10 --passphrase-file passphrase"
            ),
            "signer --home new verify-journal",
        ),
        (
            "signer",
            "signer export -o second.batch.cbor".into(),
            "verifier inspect second.batch.cbor",
        ),
        (
            "signer",
            "verifier export d0.txt.proof --tlog-proof -o d0.tlog-proof".into(),
            "verifier inspect d0.tlog-proof",
        ),
        (
            "log",
            "log --home new init --origin new.example --unencrypted".into(),
            "log --home new head",
        ),
        ("log", format!("log allow genesis.cbor --fingerprint {third}"), "log fsck"),
        ("log", "log set-rules nobody".into(), "log fsck"),
        (
            "log",
            "log receipts first.batch.cbor -o again.receipts.cbor --policy policy".into(),
            "verifier inspect again.receipts.cbor",
        ),
        (
            "log",
            "log witness-request -o again.witness-request.cbor".into(),
            "verifier inspect again.witness-request.cbor",
        ),
        (
            "log",
            "log add-cosignatures first-w1.witness-response.cbor --policy policy".into(),
            "log fsck",
        ),
        (
            "log",
            "log prove --index 1 -o one.receipt.cbor".into(),
            "verifier inspect one.receipt.cbor",
        ),
        ("log", "log backup other".into(), "log restore other --home new"),
        ("log", "log --home new restore kept".into(), "log --home new fsck"),
        ("log", "log gc".into(), "log fsck"),
        (
            "log",
            "log rotate-key -o rotation --force".into(),
            "verifier adopt-key rotation --policy policy -o adopted",
        ),
        ("rotating", "log rotate-key --finish".into(), "log prove --index 1 -o one.receipt.cbor"),
        (
            "frozen",
            "log migrate new --origin new.example --unencrypted --policy policy".into(),
            "log --home new fsck",
        ),
        (
            "log",
            "log freeze --policy policy".into(),
            "verifier end coldlog-log/public/heads/end coldlog-log/public/checkpoint --policy policy",
        ),
        (
            "log",
            "log recover --newest coldlog-log/public/checkpoint".into(),
            "log prove --index 1 -o one.receipt.cbor",
        ),
        (
            "log",
            "log --home old recover --newest coldlog-log/public/checkpoint --batches first.batch.cbor"
                .into(),
            "log --home old fsck",
        ),
        (
            "log",
            "log --home old recover --newest coldlog-log/public/checkpoint --from kept".into(),
            "log --home old prove --index 1 -o one.receipt.cbor",
        ),
        (
            "w1",
            "witness --home new init --name new.example --unencrypted".into(),
            "witness --home new heads",
        ),
        ("w1", "witness add-log policy".into(), "witness heads"),
    ];
    for (role, line, look) in lines {
        killed_everywhere(&story.at(role), &line, |folder, n| {
            let again = run(folder, &line).unwrap();
            // A command whose work was whole when it was killed may say that it is there already.
            let there = again.code != 0 && again.err.contains("already");
            assert!(again.code == 0 || there, "{line} at {n}: {}", again.err);
            let seen = run(folder, look).unwrap();
            assert_eq!(seen.code, 0, "{line} at {n}: {}", seen.err);
        });
    }
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_reseal_killed_at_any_write_is_finished_by_the_next() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::of_two_rounds(stage.path(), |_| {}).unwrap();
    let log = story.at("log");
    copy(&story.at("auditor").join("auditor.key"), &log.join("auditor.key")).unwrap();
    let new = run(&log, "verifier identity -o new.key").unwrap().out;
    let lines = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    std::fs::write(log.join("alone"), format!("{lines}quorum none\n")).unwrap();
    // In the full bundle and in the one that appends still copy.
    let line = format!(
        "log reseal --identity auditor.key --auditor {} --by Ada --from 254 --to 258",
        new.trim()
    );
    killed_everywhere(&log, &line, |folder, n| {
        let open = |key: &str, index: u64| {
            let line = format!(
                "verifier open --log coldlog-log/public --identity {key} --policy alone --index {index}"
            );
            run(folder, &line).unwrap().code
        };
        // At any moment each record opens for the old auditor or for the new.
        for index in [254, 257] {
            assert!([open("auditor.key", index), open("new.key", index)].contains(&0), "at {n}");
        }
        // Only the last words were missing where it had come to its end.
        let ended = !folder.join("coldlog-log/reseal/state").exists();
        if !(ended && open("new.key", 254) == 0) {
            let again = run(folder, &line).unwrap();
            assert_eq!(again.code, 0, "at {n}: {}", again.err);
        }
        let codes =
            [253, 254, 257, 258].map(|index| (open("auditor.key", index), open("new.key", index)));
        assert_eq!(codes, [(0, 1), (1, 0), (1, 0), (0, 1)], "at {n}");
        let fsck = run(folder, "log fsck").unwrap();
        assert_eq!(fsck.code, 0, "at {n}: {}{}", fsck.out, fsck.err);
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_trouble_and_named() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    std::fs::write(story.at("signer").join("taken"), "a file where a folder should be").unwrap();
    let ran = run(&story.at("signer"), &format!("{SIGN} --output-dir taken")).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("taken"), "{}", ran.err);
    // It was recorded before it could not be written; said again elsewhere, it leaves.
    let recorded_before = recorded(&story.at("signer"));
    let ran = run(&story.at("signer"), SIGN).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(recorded(&story.at("signer")).len() >= recorded_before.len());
}
