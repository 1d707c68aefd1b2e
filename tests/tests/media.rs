//! Media that fail: a stick that loses a write, a disk that is full before or in the midst of the
//! work, a folder that can only be read. Each is trouble (2), said in words, and leaves a state from
//! which the same command works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, programs, ran, run};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a command under `strace` with these arguments before it.
fn strace(folder: &Path, arguments: &[&str], line: &str) -> Ran {
    let mut words = line.split(' ');
    let program = programs().unwrap().join(words.next().unwrap());
    let mut command = Command::new("strace");
    command.current_dir(folder).args(["-f", "-y", "-qq", "-e", "signal=none"]).args(arguments);
    ran(&command.arg(program).args(words).output().expect("strace is needed for this test"))
}

/// The documents of a story, two of which are with the log, the third only signed and exported.
fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    for n in 0..5 {
        std::fs::write(story.at("signer").join(format!("d{n}.txt")), format!("document {n}"))
            .unwrap();
    }
    story.set_up().unwrap();
    story.round("first", &["d0.txt".into(), "d1.txt".into()], "1").unwrap();
    story.sign("second", &["d2.txt".into()], "2").unwrap();
    story.run("signer", "signer export -o second.batch.cbor").unwrap();
    story.carry("signer", "second.batch.cbor", "log").unwrap();
    story
}

/// The story goes on: the second batch is appended, cosigned, and its receipts are with the signer.
/// Witness w1 is left out: its request waits in its folder.
fn told_further(story: &mut Story) {
    story.run("log", "log append second.batch.cbor").unwrap();
    story.run("log", "log witness-request -o r.cbor").unwrap();
    story.carry("log", "r.cbor", "w1").unwrap();
    for witness in ["w2", "w3"] {
        story.carry("log", "r.cbor", witness).unwrap();
        story.run(witness, &format!("witness cosign r.cbor -o {witness}.cbor")).unwrap();
        story.carry(witness, &format!("{witness}.cbor"), "log").unwrap();
    }
}

fn receipts_back(story: &mut Story) {
    story.run("log", "log add-cosignatures w2.cbor w3.cbor --policy policy").unwrap();
    let line = "log receipts second.batch.cbor -o second.receipts.cbor --policy policy";
    story.run("log", line).unwrap();
    story.carry("log", "second.receipts.cbor", "signer").unwrap();
}

/// A fresh copy of a role's folder, whose journal may sign.
fn fresh(base: &Path, scratch: &Path) -> PathBuf {
    let folder = scratch.join("copy");
    let _ = std::fs::remove_dir_all(&folder);
    copy(base, &folder).unwrap();
    if folder.join("coldlog-signer").is_dir() {
        Story::reopen(&folder).unwrap();
    }
    if folder.join("coldlog-log/public").is_dir() {
        Story::recover_log(&folder).unwrap();
    }
    if folder.join("coldlog-witness").is_dir() {
        Story::recover_witness(&folder).unwrap();
    }
    folder
}

/// The last write to each file that a command puts in place: the file's name, which of its thread's
/// writes it is, and how many bytes it writes.
fn last_writes(folder: &Path, line: &str) -> Vec<(String, usize, usize)> {
    let trace = folder.with_extension("trace");
    let calls = "trace=write,rename,renameat,renameat2,link,linkat";
    let dry = strace(folder, &["-s", "0", "-e", calls, "-o", trace.to_str().unwrap()], line);
    assert_eq!(dry.code, 0, "{line}: {}", dry.err);
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut writes: HashMap<String, (usize, usize)> = HashMap::new();
    let mut found = Vec::new();
    for call in std::fs::read_to_string(&trace).unwrap().lines() {
        let (process, call) = call.split_once(' ').unwrap();
        let call = call.trim_start();
        let result = call.rsplit_once(" = ").map_or("", |(_, result)| result);
        if call.starts_with("write(") {
            let count = counts.entry(process.into()).or_default();
            *count += 1;
            let path = call.split(['<', '>']).nth(1).unwrap_or_default();
            writes.insert(path.into(), (*count, result.parse().unwrap_or(0)));
        } else if result == "0" {
            let quoted: Vec<&str> = call.split('"').collect();
            // The descriptor's path, by which the writes are known, has no dots.
            let (source, target) = (quoted[1].replace("/./", "/"), quoted[3]);
            let written = writes.iter().find(|(path, _)| path.ends_with(&source));
            let (_, (count, bytes)) = written.unwrap_or_else(|| panic!("{target}: {writes:?}"));
            found.push((target.to_owned(), *count, *bytes));
        }
    }
    found
}

/// Loses the last write of each file that a command puts in place; the outputs that users carry must
/// be among them.
fn every_lost_write_is_noticed(base: &Path, line: &str, outputs: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let found = last_writes(&fresh(base, scratch.path()), line);
    for output in outputs {
        assert!(found.iter().any(|(target, ..)| target.ends_with(output)), "{line}: {found:?}");
    }
    for (target, count, bytes) in found {
        let folder = fresh(base, scratch.path());
        let fault = format!("inject=write:retval={bytes}:when={count}");
        let lost = strace(&folder, &["-o", "/dev/null", "-e", "trace=write", "-e", &fault], line);
        assert_eq!(lost.code, 2, "{line}, {target} lost: {}{}", lost.out, lost.err);
        let name = target.rsplit('/').next().unwrap();
        assert!(lost.err.contains("does not read back"), "{line}, {target} lost: {}", lost.err);
        assert!(lost.err.contains(name), "{line}, {target} lost: {}", lost.err);
    }
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_stick_that_loses_the_last_write_of_an_output_is_named() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let signer = story.at("signer");
    let line =
        "signer sign d3.txt d4.txt --operator Ada --output-dir out --passphrase-file passphrase";
    every_lost_write_is_noticed(&signer, line, &["d3.txt.sig", "d4.txt.sig"]);
    every_lost_write_is_noticed(&signer, "signer export -o x.batch.cbor", &["x.batch.cbor"]);
    // The tiles, the entries and the head are lost here one by one, too.
    let line = "log append second.batch.cbor -o x.receipts.cbor";
    every_lost_write_is_noticed(&story.at("log"), line, &["x.receipts.cbor", "public/checkpoint"]);
    told_further(&mut story);
    let log = story.at("log");
    every_lost_write_is_noticed(&log, "log witness-request -o x.cbor", &["x.cbor"]);
    let line = "witness cosign r.cbor -o x.cbor";
    every_lost_write_is_noticed(&story.at("w1"), line, &["x.cbor", "/checkpoint"]);
    let line = "log add-cosignatures w2.cbor w3.cbor --policy policy";
    every_lost_write_is_noticed(&log, line, &["public/checkpoint"]);
    receipts_back(&mut story);
    let line = "log receipts second.batch.cbor -o x.receipts.cbor --policy policy";
    every_lost_write_is_noticed(&log, line, &["x.receipts.cbor"]);
    let line = "signer import second.receipts.cbor --policy policy --output-dir out";
    every_lost_write_is_noticed(&signer, line, &["d2.txt.proof"]);
}

/// Runs a shell script with a mount namespace of its own, the programs in its path.
fn unshared(folder: &Path, script: &str) -> Ran {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", programs().unwrap().display());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).current_dir(folder).env("PATH", path);
    for role in ["SIGNER", "LOG", "WITNESS"] {
        command.env_remove(format!("COLDLOG_{role}"));
    }
    ran(&command.stdin(Stdio::null()).output().expect("unshare is needed for this test"))
}

#[test]
#[cfg_attr(not(have_unshare), ignore = "unshare -rn does not work here")]
fn a_full_stick_is_noticed_before_the_work_starts() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    let files: Vec<PathBuf> = (0..40).map(|n| format!("d{n}.txt").into()).collect();
    for file in &files {
        std::fs::write(folder.join(file), file.to_str().unwrap()).unwrap();
    }
    std::fs::create_dir(folder.join("usb")).unwrap();
    std::fs::create_dir(folder.join("more")).unwrap();
    std::fs::write(folder.join("more/new.txt"), "new").unwrap();
    story.sign("all", &files, "1").unwrap();
    let before = story.run("signer", "signer status").unwrap().out;
    let mount = "set -e; mount -t tmpfs -o size=16k none usb; code=0;";
    let look = "|| code=$?; echo left: $(ls -A usb); exit $code";
    let sign = "signer sign --files-from all.list --operator Grace --output-dir usb --passphrase-file passphrase";
    for line in ["signer export -o usb/x.batch.cbor", sign] {
        let full = unshared(&folder, &format!("{mount} {line} {look}"));
        assert_eq!(full.code, 2, "{line}: {}{}", full.out, full.err);
        let number = |after: &str| -> u64 {
            let text = full.err.split(after).nth(1).unwrap_or_else(|| panic!("{}", full.err));
            text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let (free, needed) = (number("disk of usb has "), number("needs about "));
        assert!(free <= 16384 && needed > free, "{}", full.err);
        assert!(full.err.contains("bytes free") && full.err.contains("nothing was done"));
        assert_eq!(full.out.trim(), "left:", "{line}");
    }
    // Nothing was recorded, either; and where there is room, it works.
    assert_eq!(story.run("signer", "signer status").unwrap().out, before);
    let mount = "set -e; mount -t tmpfs -o size=1m none usb;";
    let room = unshared(&folder, &format!("{mount} signer export -o usb/x.batch.cbor"));
    assert_eq!(room.code, 0, "{}", room.err);
}

/// Runs a command on a disk that is full from the Nth call on, for each N; each time it must say so
/// with 2, `again` must work where there is room, and then `sound` must find nothing.
fn full_at_every_write(
    base: &Path,
    line: &str,
    look: impl Fn(&Path),
    again: impl Fn(&Path) -> String,
    sound: &str,
) {
    let scratch = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for call in ["write", "pwrite64", "mkdir", "fsync", "fdatasync"] {
        for n in 1.. {
            let folder = fresh(base, scratch.path());
            // Some file systems find room for a block only when they are synced.
            let fault = format!("inject={call}:error=ENOSPC:when={n}+");
            let trace = format!("trace={call}");
            let full = strace(&folder, &["-o", "/dev/null", "-e", &trace, "-e", &fault], line);
            if full.code == 0 {
                break;
            }
            refused += 1;
            assert_eq!(full.code, 2, "{line}, {call} {n}: {}{}", full.out, full.err);
            assert!(!full.err.contains("panicked"), "{line}, {call} {n}: {}", full.err);
            look(&folder);
            let check = run(&folder, sound).unwrap();
            assert_eq!(check.code, 0, "{line}, {call} {n}: {}{}", check.out, check.err);
            let next = again(&folder);
            let ran = run(&folder, &next).unwrap();
            assert_eq!(ran.code, 0, "{line}, {call} {n}, then {next}: {}", ran.err);
            let check = run(&folder, sound).unwrap();
            assert_eq!(check.code, 0, "{line}, {call} {n}: {}{}", check.out, check.err);
        }
    }
    assert!(refused > 3, "{line}: the disk was never full");
}

/// Nothing but whole files, and no leftovers, in the folder itself.
fn nothing_half_done(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with(".coldlog-"), "{name} is left");
    }
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_disk_that_fills_up_at_any_write_is_trouble_and_the_same_command_goes_on() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    // Only the last words may fail, when stdout is full; then the output is there, hence --force.
    let same = |line: &str| {
        let line = line.to_owned();
        move |_: &Path| line.clone()
    };
    let line = "signer export -o x.batch.cbor --force";
    let sound = "signer verify-journal";
    full_at_every_write(&story.at("signer"), line, nothing_half_done, same(line), sound);
    let line = "log append second.batch.cbor -o x.receipts.cbor --force";
    full_at_every_write(&story.at("log"), line, nothing_half_done, same(line), "log fsck");
    told_further(&mut story);
    // A witness that remembers the new head answers a request from the old one with its own size.
    let size = |folder: &Path| {
        let heads = run(folder, "witness heads --json").unwrap();
        assert_eq!(heads.code, 0, "{}", heads.err);
        let heads: serde_json::Value = serde_json::from_str(&heads.out).unwrap();
        heads["heads"][0]["size"].as_u64().unwrap()
    };
    story.run("log", "log witness-request --old 5 -o later.cbor").unwrap();
    story.carry("log", "later.cbor", "w1").unwrap();
    let again = |folder: &Path| {
        let request = if size(folder) == 5 { "later.cbor" } else { "r.cbor" };
        format!("witness cosign {request} -o x.cbor --force")
    };
    let look = |folder: &Path| {
        nothing_half_done(folder);
        assert!(size(folder) == 5 || !folder.join("x.cbor").exists(), "an answer without memory");
    };
    let line = "witness cosign r.cbor -o x.cbor --force";
    full_at_every_write(&story.at("w1"), line, look, again, "witness heads");
    receipts_back(&mut story);
    let line = "signer import second.receipts.cbor --policy policy --output-dir out";
    full_at_every_write(&story.at("signer"), line, nothing_half_done, same(line), sound);
}

/// Every file and folder below a folder, with its bytes.
fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        let bytes = entry.file_type().is_file().then(|| std::fs::read(entry.path()).unwrap());
        all.insert(entry.into_path(), bytes);
    }
    all
}

fn assert_unchanged(folder: &Path, before: &BTreeMap<PathBuf, Option<Vec<u8>>>, line: &str) {
    let after = bytes_of(folder);
    let changed: Vec<&PathBuf> = before
        .iter()
        .filter(|(path, bytes)| after.get(*path) != Some(*bytes))
        .map(|(path, _)| path)
        .chain(after.keys().filter(|path| !before.contains_key(*path)))
        .collect();
    assert!(changed.is_empty(), "{line} changed {changed:?}");
}

/// Runs a command where one folder, or with "." its own, can only be read.
fn read_only(folder: &Path, closed: &str, line: &str) -> Ran {
    let bind = format!("mount --bind {closed} {closed} && mount -o remount,bind,ro {closed}");
    // The working folder is entered anew, for it is below the mount.
    unshared(
        folder,
        &format!("{bind} && cd \"$PWD/\" && ! touch {closed}/probe 2>/dev/null && exec {line}"),
    )
}

#[test]
#[cfg_attr(not(have_unshare), ignore = "unshare -rn does not work here")]
fn what_only_reads_works_in_a_read_only_folder_and_changes_no_byte_anywhere() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    told_further(&mut story);
    receipts_back(&mut story);
    story.run("signer", "signer import second.receipts.cbor --policy policy").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    // Who opens records is written down, so it needs a place for that; nothing else changes.
    let journal = tempfile::tempdir().unwrap();
    let openings = journal.path().join("openings");
    let open = format!(
        "verifier open --log public --identity auditor.key --policy policy --openings {}",
        openings.display()
    );
    let lines = [
        ("signer", "signer list"),
        ("signer", "signer list --json"),
        ("signer", "signer show 1"),
        ("signer", "signer status"),
        ("signer", "signer verify-journal"),
        ("signer", "signer public-key"),
        ("signer", "verifier check d2.txt --signature d2.txt.sig --policy policy"),
        ("signer", "verifier inspect d2.txt.proof"),
        ("signer", "verifier inspect second.receipts.cbor --json"),
        ("log", "log head"),
        ("log", "log fsck"),
        ("w1", "witness heads"),
        ("w2", "witness heads --json"),
        ("auditor", "verifier completeness --log public --policy policy"),
        ("auditor", "verifier audit --log public --policy policy"),
        ("auditor", &open),
    ];
    for (role, line) in lines {
        let folder = story.at(role);
        let before = bytes_of(&folder);
        let free = run(&folder, line).unwrap();
        assert_eq!(free.code, 0, "{line}: {}", free.err);
        assert_unchanged(&folder, &before, line);
        let closed = read_only(&folder, ".", line);
        assert_eq!(closed.code, 0, "{line}, read-only: {}", closed.err);
        assert_eq!(closed.out, free.out, "{line}");
        assert_unchanged(&folder, &before, line);
    }
}

#[test]
#[cfg_attr(not(have_unshare), ignore = "unshare -rn does not work here")]
fn what_writes_names_the_folder_that_can_only_be_read() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    told_further(&mut story);
    receipts_back(&mut story);
    for role in ["signer", "log", "w1"] {
        std::fs::create_dir(story.at(role).join("usb")).unwrap();
    }
    let tail = story.run("signer", "signer status").unwrap().out;
    let tail = tail.split("tail ").nth(1).unwrap().lines().next().unwrap().to_owned();
    let sign = "signer sign d4.txt --operator Ada --passphrase-file passphrase";
    let auditor = story.run("auditor", "verifier identity -o second.key").unwrap().out;
    let init = format!(
        "signer --home usb/new init --name b.example --operator Ada --auditor {} --scrypt-log-n 10 --passphrase-file passphrase",
        auditor.trim()
    );
    let reopen = format!("signer reopen --tail {tail}");
    let sign_out = format!("{sign} --output-dir usb");
    // The role, the folder that is closed, the command, and the folder that it must name.
    let lines = [
        ("signer", ".", sign, "coldlog-signer"),
        ("signer", ".", "signer export -o x.batch.cbor", "coldlog-signer"),
        ("signer", ".", "signer import second.receipts.cbor --policy policy", "coldlog-signer"),
        ("signer", ".", &reopen, "coldlog-signer"),
        ("signer", "usb", &init, "usb/new"),
        ("signer", "usb", "signer export -o usb/x.batch.cbor", "usb"),
        ("signer", "usb", "verifier export d0.txt.proof --tlog-proof -o usb/x", "usb"),
        ("signer", "usb", "verifier identity -o usb/x.key", "usb"),
        ("signer", "usb", &sign_out, "usb"),
        (
            "signer",
            "usb",
            "signer import second.receipts.cbor --policy policy --output-dir usb",
            "usb",
        ),
        ("log", ".", "log append second.batch.cbor", "coldlog-log"),
        ("log", ".", "log witness-request -o x.cbor", "coldlog-log"),
        ("log", ".", "log receipts second.batch.cbor -o x.receipts.cbor", "coldlog-log"),
        ("log", ".", "log add-cosignatures w2.cbor --policy policy", "coldlog-log"),
        ("log", "usb", "log --home usb/new init --origin b.example --unencrypted", "usb/new"),
        ("log", "usb", "log append second.batch.cbor -o usb/x.receipts.cbor", "usb"),
        ("log", "usb", "log receipts second.batch.cbor -o usb/x.receipts.cbor", "usb"),
        ("log", "usb", "log witness-request -o usb/x.cbor", "usb"),
        ("log", "usb", "log prove --index 1 -o usb/x.cbor", "usb"),
        ("w1", ".", "witness cosign r.cbor -o x.cbor", "coldlog-witness"),
        ("w1", ".", "witness add-log policy", "coldlog-witness"),
        ("w1", "usb", "witness --home usb/new init --name b.example --unencrypted", "usb/new"),
        ("w1", "usb", "witness cosign r.cbor -o usb/x.cbor", "usb"),
    ];
    for (role, closed, line, named) in lines {
        let folder = story.at(role);
        let before = bytes_of(&folder.join(closed));
        let ran = read_only(&folder, closed, line);
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(named), "{line} names no folder {named}: {}", ran.err);
        assert!(ran.err.to_lowercase().contains("read-only"), "{line}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{line}: {}", ran.err);
        assert_unchanged(&folder.join(closed), &before, line);
    }
}
