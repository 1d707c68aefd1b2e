//! The order of durable writes, as `strace` sees it: what a promise rests on is on the disk before
//! the promise leaves. A killed process cannot show this, for the page cache survives it; a power
//! cut would, and these tests fail where it would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::programs;
use coldlog_tests::story::Story;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// The calls that open, sync and move files.
const CALLS: &str = "open,openat,openat2,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,write,pwrite64";

/// What a command that must succeed asked of the system, in order, each with the paths that its file
/// descriptors stand for.
fn traced(folder: &Path, line: &str) -> Vec<String> {
    let trace = folder.join("the-trace");
    let mut words = line.split(' ');
    let program = programs().unwrap().join(words.next().unwrap());
    let ran = Command::new("strace")
        .current_dir(folder)
        .args(["-f", "-y", "-qq", "-s", "0", "-e", "signal=none", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(&trace)
        .arg(program)
        .args(words)
        .output()
        .expect("strace is needed for this test");
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(&trace).unwrap();
    let mut calls = Vec::new();
    let mut begun: HashMap<&str, String> = HashMap::new();
    for line in text.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        // A call counts where it ended: only then is it done.
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, start.into());
        } else if call.starts_with("<... ") {
            let rest = call.split_once("resumed>").unwrap().1;
            calls.push(begun.remove(process).unwrap() + rest);
        } else {
            calls.push(call.into());
        }
    }
    // What failed changed nothing.
    calls.retain(|call| !call.contains(" = -1 "));
    calls
}

/// A file that was put in its place.
#[derive(Debug)]
struct Placed {
    at: usize,
    source: String,
    target: String,
}

fn placed_in(calls: &[String]) -> Vec<Placed> {
    let moves = calls.iter().enumerate().filter(|(_, call)| {
        ["rename", "link"].iter().any(|name| call.starts_with(name))
            && call.matches('"').count() == 4
    });
    moves
        .map(|(at, call)| {
            let quoted: Vec<&str> = call.split('"').collect();
            // The descriptors' paths, with which these are compared, have no dots.
            let plain = |path: &str| path.replace("/./", "/");
            Placed { at, source: plain(quoted[1]), target: plain(quoted[3]) }
        })
        .collect()
}

/// The one place where a file whose name ends so was put.
fn placed_as<'a>(placed: &'a [Placed], end: &str) -> &'a Placed {
    let found: Vec<&Placed> = placed.iter().filter(|p| p.target.ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{end}: {placed:#?}");
    found[0]
}

/// Where a file or folder was synced last, before a call.
fn synced_before(calls: &[String], path: &str, before: usize) -> Option<usize> {
    calls[..before].iter().rposition(|call| {
        let sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        sync && ends_so(call, path)
    })
}

/// Whether a call's file descriptor stands for this path.
fn ends_so(call: &str, path: &str) -> bool {
    call.contains(&format!("<{path}>")) || call.contains(&format!("/{path}>"))
}

/// The last write to a file before a call.
fn written_before(calls: &[String], path: &str, before: usize) -> Option<usize> {
    calls[..before].iter().rposition(|call| {
        (call.starts_with("write(") || call.starts_with("pwrite64(")) && ends_so(call, path)
    })
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A file's bytes are on the disk before it has its name.
fn assert_synced_before_placed(calls: &[String], file: &Placed) {
    let written = written_before(calls, &file.source, file.at);
    let synced = synced_before(calls, &file.source, file.at);
    assert!(written.is_some() && synced > written, "{} is named unsynced", file.target);
}

/// A file's name is on the disk before another call.
fn assert_name_durable_before(calls: &[String], file: &Placed, before: usize) {
    let folder = folder_of(&file.target);
    let synced = synced_before(calls, folder, before);
    assert!(synced > Some(file.at), "{folder} is not synced after {} is there", file.target);
}

fn begun(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    for n in 0..3 {
        std::fs::write(story.at("signer").join(format!("d{n}.txt")), format!("document {n}"))
            .unwrap();
    }
    story.set_up().unwrap();
    story
}

/// A story whose first batch is with the log.
fn exported(stage: &Path) -> Story {
    let mut story = begun(stage);
    story.sign("first", &["d0.txt".into(), "d1.txt".into(), "d2.txt".into()], "1").unwrap();
    story.run("signer", "signer export -o first.batch.cbor").unwrap();
    story.carry("signer", "first.batch.cbor", "log").unwrap();
    story
}

const SIGN: &str = "signer sign d0.txt d1.txt d2.txt --operator Ada --passphrase-file passphrase";

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn the_records_are_on_the_disk_before_the_first_signature_has_a_name() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    let calls = traced(&story.at("signer"), SIGN);
    let placed = placed_in(&calls);
    let signatures: Vec<&Placed> = placed.iter().filter(|p| p.target.ends_with(".sig")).collect();
    assert_eq!(signatures.len(), 3, "{placed:#?}");
    let first = signatures[0].at;
    // SQLite's order: what is needed to undo, then the pages; both synced, each after its last write.
    // With `synchronous = OFF` neither is.
    for file in ["coldlog-signer/journal.sqlite-journal", "coldlog-signer/journal.sqlite"] {
        let written = written_before(&calls, file, first);
        let synced = synced_before(&calls, file, first);
        assert!(written.is_some(), "{file} is not written before the first signature leaves");
        assert!(synced > written, "{file} is not synced before the first signature leaves");
    }
    // The commit is the removal of the undo file. If the power goes before that is on the disk, the
    // records are undone: the folder must be synced, too (`synchronous = EXTRA`).
    let commit = calls[..first]
        .iter()
        .rposition(|call| call.starts_with("unlink") && call.contains("journal.sqlite-journal\""));
    assert!(commit.is_some(), "no commit before the first signature leaves");
    let synced = synced_before(&calls, "signer/coldlog-signer", first);
    assert!(synced > commit, "the commit is not on the disk before the first signature leaves");
    for signature in signatures {
        assert_synced_before_placed(&calls, signature);
    }
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_document_is_opened_once_so_that_what_is_hashed_is_what_is_signed() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path());
    // Opened twice, it could be exchanged between the hash for the signature and that for the record.
    for line in [SIGN.to_owned(), format!("{SIGN} --format minisign")] {
        let calls = traced(&story.at("signer"), &line);
        for name in ["d0.txt", "d1.txt", "d2.txt"] {
            let quoted = format!("{name}\"");
            let opened: Vec<&String> =
                calls.iter().filter(|c| c.starts_with("open") && c.contains(&quoted)).collect();
            assert_eq!(opened.len(), 1, "{line}: {opened:#?}");
        }
    }
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_witness_remembers_a_head_before_its_answer_is_written() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = exported(stage.path());
    story.run("log", "log append first.batch.cbor").unwrap();
    story.run("log", "log witness-request -o r.cbor").unwrap();
    story.carry("log", "r.cbor", "w1").unwrap();
    let calls = traced(&story.at("w1"), "witness cosign r.cbor -o answer.cbor");
    let placed = placed_in(&calls);
    let memory = placed_as(&placed, "/checkpoint");
    let answer = placed_as(&placed, "answer.cbor");
    assert_synced_before_placed(&calls, memory);
    assert_synced_before_placed(&calls, answer);
    // Not a byte of the answer, under whatever name, before the memory would survive a power cut.
    let began =
        calls.iter().position(|call| call.starts_with("write") && ends_so(call, &answer.source));
    let began = began.expect("the answer is written");
    assert!(memory.at < began, "the answer is begun before the memory is in place");
    assert_name_durable_before(&calls, memory, began);
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn what_a_head_stands_for_is_on_the_disk_before_the_head_moves() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = exported(stage.path());
    let calls = traced(&story.at("log"), "log append first.batch.cbor -o first.receipts.cbor");
    let placed = placed_in(&calls);
    let head = placed_as(&placed, "public/checkpoint");
    assert_synced_before_placed(&calls, head);
    for part in ["public/tile/0/000.p/5", "public/tile/entries/000.p/5", "public/sealed/000.p/5"] {
        let part = placed_as(&placed, part);
        assert!(part.at < head.at, "{} comes after the head that stands for it", part.target);
        // Beyond the head a file may have its name before its bytes are on the disk; not below it.
        let synced = synced_before(&calls, &part.target, head.at);
        assert!(synced > Some(part.at), "{} is not synced before the head moves", part.target);
        assert_name_durable_before(&calls, part, head.at);
    }
    // Where a folder is new, its own name must last as well, up to the log's folder.
    let (log, home) = (story.at("log"), "log --home new");
    std::fs::write(log.join("rules"), "coldlog-rules/1\nlargest-sealed 900\n").unwrap();
    let made = coldlog_tests::run(&log, &format!("{home} init --origin new.example --unencrypted"))
        .unwrap();
    assert_eq!(made.code, 0, "{}", made.err);
    let first = traced(&log, &format!("{home} set-rules rules"));
    let in_place = placed_in(&first);
    let moved = placed_as(&in_place, "public/checkpoint");
    for part in ["public/tile/0/000.p/1", "public/tile/entries/000.p/1", "public/sealed/000.p/1"] {
        let part = placed_as(&in_place, part);
        let mut folder = folder_of(&part.target);
        while !folder.ends_with("public") {
            folder = folder_of(folder);
            let synced = synced_before(&first, folder, moved.at);
            assert!(synced.is_some(), "{folder} is not synced before the head moves");
        }
    }
    // The receipts promise that the head is published: they come last.
    let receipts = placed_as(&placed, "first.receipts.cbor");
    assert!(head.at < receipts.at);
    assert_name_durable_before(&calls, head, receipts.at);
    assert_synced_before_placed(&calls, receipts);
    // A later batch rewrites nothing that an older head stands for.
    std::fs::write(story.at("signer").join("d3.txt"), "document 3").unwrap();
    story.sign("second", &["d3.txt".into()], "2").unwrap();
    story.run("signer", "signer export -o second.batch.cbor --from 4").unwrap();
    story.carry("signer", "second.batch.cbor", "log").unwrap();
    let calls = traced(&story.at("log"), "log append second.batch.cbor");
    // What the log's machine remembers is no part of what it publishes.
    let again = placed_in(&calls);
    let again: Vec<_> = again.into_iter().filter(|p| p.target.contains("/public/")).collect();
    let same = again.iter().find(|p| placed.iter().any(|old| old.target == p.target));
    assert!(same.is_some_and(|p| p.target.ends_with("checkpoint")), "{again:#?}");
    let count = again.iter().filter(|p| placed.iter().any(|old| old.target == p.target)).count();
    assert_eq!(count, 1, "{again:#?}");
}
