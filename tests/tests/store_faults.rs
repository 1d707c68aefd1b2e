//! Faults under a log that is at work: the server killed at every call that changes the disk, a machine
//! killed at every call to its object store, and every call to the disk that fails. Whatever happens: one
//! history, and every answered record in it once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::server::serve_under;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, buckets, copy, programs, ran, run, words};
use std::path::Path;
use std::process::Command;

const CHANGES: &str = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,mkdir";

/// A log, and a signer that has signed so many documents, exported as a batch and as statements to post.
fn begun(stage: &Path, documents: usize) -> Story {
    let mut story = Story::with_documents(stage, documents).unwrap();
    story.sign("all", &Story::names(0..documents), "1").unwrap();
    story.run("signer", "signer export -o all.batch.cbor").unwrap();
    story.run("signer", "signer export --each -o each").unwrap();
    for path in ["all.batch.cbor", "each"] {
        story.carry("signer", path, "log").unwrap();
    }
    story
}

fn size(folder: &Path) -> u64 {
    let head: serde_json::Value =
        serde_json::from_str(&run(folder, "log head --json").unwrap().out).unwrap();
    head["size"].as_u64().unwrap()
}

fn strace(folder: &Path, call: &str, fault: &str, line: &str) -> Ran {
    let mut command = Command::new("strace");
    command.current_dir(folder).args(injected(call, fault)).args(started(line));
    ran(&command.output().expect("strace is needed for this test"))
}

fn injected(call: &str, fault: &str) -> Vec<String> {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:{fault}");
    let words = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    words.into_iter().map(String::from).collect()
}

fn started(line: &str) -> Vec<String> {
    let mut words = words(line);
    words[0] = programs().unwrap().join(&words[0]).display().to_string();
    words
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_server_killed_at_any_write_has_all_that_it_answered() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path(), 2);
    let posts: Vec<Vec<u8>> = (0..3)
        .map(|n| std::fs::read(story.at("log").join(format!("each/{n:06}.cose"))).unwrap())
        .collect();
    let (mut kills, mut after_an_answer) = (0, 0);
    for call in CHANGES.split(',') {
        for n in 1..2000 {
            let folder = stage.path().join("copy");
            copy(&story.at("log"), &folder).unwrap();
            Story::recover_log(&folder).unwrap();
            let mut under = vec!["strace".to_owned()];
            under.extend(injected(call, &format!("signal=SIGKILL:when={n}")));
            let mut answered = 0;
            let mut ended = true;
            // It may be dead before it listens.
            if let Some(server) = serve_under(&folder, "--rate 100000", &[], &under) {
                for body in &posts {
                    match server.try_post(body) {
                        201 => answered += 1,
                        _ => break,
                    }
                }
                ended = answered < posts.len() as u64;
            }
            let at = format!("{call} {n}, {answered} answered");
            let fsck = run(&folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {at}: {}{}", fsck.out, fsck.err);
            // The first entry is the log's own; one more may be in, and its answer not out.
            let there = size(&folder) - 1;
            assert!((answered..=answered + 1).contains(&there), "at {at}: {there} are there");
            let again = run(&folder, "log append all.batch.cbor").unwrap();
            assert_eq!(again.code, 0, "at {at}: {}", again.err);
            let told = format!("{} records appended, {there} were there already", 3 - there);
            assert!(again.out.contains(&told), "at {at}: {}", again.out);
            let fsck = run(&folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {at}: {}{}", fsck.out, fsck.err);
            std::fs::remove_dir_all(&folder).unwrap();
            if !ended {
                break;
            }
            kills += 1;
            after_an_answer += usize::from(answered > 0);
        }
    }
    println!("{kills} kills, {after_an_answer} of them after an answer");
    assert!(kills > 50 && after_an_answer > 20, "{kills} kills, {after_an_answer} after an answer");
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_machine_killed_at_any_call_to_its_object_store_writes_one_history() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path(), 2);
    let server = buckets::serve(&stage.path().join("s3"));
    buckets::moved_to_a_bucket(&story, &server);
    let (log, bucket) = (story.at("log"), stage.path().join("s3/bucket/log"));
    let (home, kept) = (stage.path().join("home"), stage.path().join("kept"));
    copy(&log.join("coldlog-log"), &home).unwrap();
    copy(&bucket, &kept).unwrap();
    let with = |line: &str| buckets::with(&server, &log, line);
    let mut kills = 0;
    // What goes over the socket, and what is written to the machine's own disk beside it.
    for call in ["sendto", "recvfrom", "connect", "write", "writev", "pwrite64", "fsync", "rename"]
    {
        for n in 1..2000 {
            for (from, to) in [(&home, &log.join("coldlog-log")), (&kept, &bucket)] {
                std::fs::remove_dir_all(to).unwrap();
                copy(from, to).unwrap();
            }
            let mut command = Command::new("strace");
            command.current_dir(&log);
            command.args(injected(call, &format!("signal=SIGKILL:when={n}")));
            command.args(started("log append all.batch.cbor"));
            let killed = ran(&buckets::environment(&server, &mut command).output().unwrap());
            let at = format!("{call} {n}");
            let again = with("log append all.batch.cbor");
            assert_eq!(again.code, 0, "at {at}: {}", again.err);
            assert!(again.out.ends_with("the log has 4 entries\n"), "at {at}: {}", again.out);
            let fsck = with("log fsck");
            assert_eq!(fsck.code, 0, "at {at}: {}{}", fsck.out, fsck.err);
            if killed.code == 0 {
                break;
            }
            kills += 1;
        }
    }
    println!("{kills} kills");
    assert!(kills > 50, "only {kills} kills");
}

/// Each call fails once, by itself: the disk gives an error, and works again.
#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_call_to_the_disk_that_fails_is_trouble_and_nothing_is_lost() {
    let stage = tempfile::tempdir().unwrap();
    let story = begun(stage.path(), 2);
    let (mut troubled, mut borne) = (0, 0);
    // Not statx: to Rust's library, one that fails once is a system that has no such call.
    let reads = "openat,read,pread64,lseek,getdents64";
    for call in CHANGES.split(',').chain(reads.split(',')).chain(["syncfs"]) {
        let mut well = 0;
        for n in 1..2000 {
            let folder = stage.path().join("copy");
            copy(&story.at("log"), &folder).unwrap();
            Story::recover_log(&folder).unwrap();
            let line = "log append all.batch.cbor -o all.receipts.cbor --force";
            let ran = strace(&folder, call, &format!("error=EIO:when={n}"), line);
            let at = format!("{call} {n}: {}{}", ran.out, ran.err);
            // 127: the program itself could not be loaded. 1 would be a "no", which nobody asked for.
            assert!([0, 2, 127].contains(&ran.code), "{} at {at}", ran.code);
            assert!(!ran.err.contains("panicked"), "at {at}");
            let there = size(&folder);
            assert!(there == 4 || (there == 1 && ran.code != 0), "{there} at {at}");
            let fsck = run(&folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {at}: {}{}", fsck.out, fsck.err);
            let again = run(&folder, line).unwrap();
            assert_eq!(again.code, 0, "at {at}: {}", again.err);
            assert_eq!(size(&folder), 4, "at {at}");
            let fsck = run(&folder, "log fsck").unwrap();
            assert_eq!(fsck.code, 0, "at {at}: {}{}", fsck.out, fsck.err);
            std::fs::remove_dir_all(&folder).unwrap();
            if ran.code == 2 {
                troubled += 1;
            }
            // What a program bears, or what it no longer does: after a few in a row it has ended.
            well = if ran.code == 0 { well + 1 } else { 0 };
            borne += usize::from(ran.code == 0);
            if well == 40 {
                break;
            }
        }
    }
    println!("{troubled} calls that failed were trouble, {borne} were borne");
    assert!(troubled > 100, "only {troubled} calls failed");
}
