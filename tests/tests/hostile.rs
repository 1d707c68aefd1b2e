//! Hostile files, given to every command that reads one: each is refused with 1 or 2, in little
//! memory, without a panic, and nothing is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::evidence::Evidence;
use coldlog_spec::manifest::{Row, encode};
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, programs, ran};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Larger than the memory that a command may take.
const ZEROS: u64 = 2 << 30;

/// Runs a command that may take a gigabyte of address space and a minute.
fn bounded(folder: &Path, line: &str) -> Ran {
    let mut words = line.split(' ');
    let program = programs().unwrap().join(words.next().unwrap());
    let mut command = Command::new("sh");
    command.current_dir(folder).stdin(Stdio::null());
    command.args(["-c", "ulimit -v 1000000; exec timeout 60 \"$@\"", "sh"]);
    for role in ["SIGNER", "LOG", "WITNESS"] {
        command.env_remove(format!("COLDLOG_{role}"));
    }
    ran(&command.arg(program).args(words).output().unwrap())
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

/// The hostile files of a stage, by name.
struct Hostile {
    folder: PathBuf,
    names: Vec<String>,
}

impl Hostile {
    /// Puts a file under its name and, for the commands that go by it, with `.cbor` behind it.
    fn put(&mut self, name: &str, bytes: &[u8]) {
        for end in ["", ".cbor"] {
            let path = self.folder.join(format!("{name}{end}"));
            std::fs::write(&path, bytes).unwrap();
            // Private, so that no command is content with refusing its mode.
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        self.names.push(name.into());
    }

    /// Makes what is no regular file, and one that is larger than the memory.
    fn put_special(&mut self) {
        for end in ["", ".cbor"] {
            let path = |name: &str| self.folder.join(format!("{name}{end}"));
            let made = Command::new("mkfifo").arg(path("fifo")).status().unwrap();
            assert!(made.success());
            std::fs::create_dir(path("folder")).unwrap();
            symlink(format!("loop{end}"), path("loop")).unwrap();
            let zeros = std::fs::File::create(path("zeros")).unwrap();
            zeros.set_len(ZEROS).unwrap();
            zeros.set_permissions(Permissions::from_mode(0o600)).unwrap();
        }
        self.names.extend(["fifo", "folder", "loop", "zeros"].map(String::from));
    }
}

/// The kinds that begin with their name and their version.
const TAGGED: [&str; 7] =
    ["batch", "receipts", "witness-request", "witness-response", "evidence", "manifest", "key"];

/// A file of a tagged kind whose version, the byte 1 after the kind, is another.
fn with_version(bytes: &[u8], kind: &str, version: &[u8]) -> Vec<u8> {
    let tag = format!("coldlog-{kind}");
    let at = bytes.windows(tag.len()).position(|window| window == tag.as_bytes());
    let at = at.unwrap_or_else(|| panic!("no {tag}")) + tag.len();
    assert_eq!(bytes[at], 1, "{kind}");
    [&bytes[..at], version, &bytes[at + 1..]].concat()
}

/// A story of one round, and the hostile files. All valid kinds are among them.
fn told(stage: &Path) -> (Story, Hostile) {
    let mut story = Story::new(stage, false, 10).unwrap();
    for name in ["d0.txt", "mini.txt"] {
        std::fs::write(story.at("signer").join(name), format!("contents of {name}")).unwrap();
    }
    story.set_up().unwrap();
    let line = "signer sign mini.txt --format minisign --operator Ada --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    story.round("first", &["d0.txt".into()], "1").unwrap();
    for name in ["d0.txt", "d0.txt.proof", "d0.txt.sig"] {
        story.carry("signer", name, "relying").unwrap();
    }
    story.carry("log", "coldlog-log/public", "relying").unwrap();
    story.carry("auditor", "auditor.key", "relying").unwrap();
    let key = story.at("relying").join("auditor.key");
    std::fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
    story.run("log", "log prove --index 2 -o with-checkpoint").unwrap();
    story.carry("log", "with-checkpoint", "relying").unwrap();
    for part in ["statement", "receipt", "tlog-proof"] {
        let line = format!("verifier export d0.txt.proof --{part} -o d0.{part}");
        story.run("relying", &line).unwrap();
    }
    let folder = story.at("hostile");
    std::fs::create_dir(&folder).unwrap();
    let mut hostile = Hostile { folder, names: Vec::new() };
    for (name, path) in [
        ("batch", "signer/first.batch.cbor"),
        ("receipts", "signer/first.receipts.cbor"),
        ("witness-request", "log/first.witness-request.cbor"),
        ("witness-response", "log/first-w1.witness-response.cbor"),
        ("proof", "relying/d0.txt.proof"),
        ("statement", "relying/d0.statement"),
        ("receipt", "relying/d0.receipt"),
        ("receipt-with-checkpoint", "log/with-checkpoint"),
        ("tlog-proof", "relying/d0.tlog-proof"),
        ("genesis", "signer/coldlog-signer/genesis.cbor"),
        ("signature", "signer/d0.txt.sig"),
        ("minisig", "signer/mini.txt.minisig"),
        ("public-key", "signer/coldlog-signer/signer.pub"),
        ("age-key", "signer/coldlog-signer/key.age"),
        ("journal", "signer/coldlog-signer/journal.sqlite"),
        ("checkpoint", "log/coldlog-log/public/checkpoint"),
        ("entries", "log/coldlog-log/public/tile/entries/000.p/4"),
        ("sealed", "log/coldlog-log/public/sealed/000.p/4"),
        ("key", "log/coldlog-log/key.age"),
        ("policy", "log/policy"),
        ("identity", "auditor/auditor.key"),
    ] {
        let path = story.stage.join(path);
        hostile.put(name, &std::fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}")));
    }
    let checkpoint = std::fs::read(hostile.folder.join("checkpoint")).unwrap();
    // Well-formed, though it convicts nobody.
    let (first, second, path) = (checkpoint.clone(), checkpoint, Vec::new());
    hostile.put("evidence", &Evidence::SplitView { first, second, path }.encode());
    hostile.put("manifest", &encode(&[Row { file: "d0.txt".into(), ..Row::default() }]));
    for kind in TAGGED {
        let valid = std::fs::read(hostile.folder.join(kind)).unwrap();
        hostile.put(&format!("{kind}-2"), &with_version(&valid, kind, &[2]));
        hostile.put(&format!("{kind}-loose"), &with_version(&valid, kind, &[0x18, 1]));
        let open = [&[0x9f], &valid[1..], &[0xff]].concat();
        hostile.put(&format!("{kind}-open"), &open);
        hostile.put(&format!("{kind}-cut"), &valid[..valid.len() - 1]);
    }
    hostile.put("nothing", b"");
    hostile.put("one-byte", b"\0");
    // Not random, so that a failure can be had again; no structure all the same.
    let noise = (0..999u32).flat_map(|n| coldlog_spec::hash::Hash::of(&n.to_be_bytes()).0);
    hostile.put("noise", &noise.collect::<Vec<u8>>());
    hostile.put("deep", &[[0x81].repeat(1000), vec![0]].concat());
    hostile.put("deep-tags", &[[0xd2].repeat(1000), vec![0]].concat());
    hostile.put("deep-open", &[0x9f].repeat(1000));
    for (name, head) in [("array", 0x9b), ("bytes", 0x5b), ("text", 0x7b), ("map", 0xbb)] {
        hostile.put(&format!("endless-{name}"), &[&[head][..], &[0xff; 8]].concat());
        // As much as may be believed, and four gigabytes where one is there to take.
        hostile.put(&format!("huge-{name}"), &[head, 0, 0, 0, 0, 0xff, 0, 0, 0, 1, 2]);
    }
    let inside = [b"\x86\x6dcoldlog-batch\x01\x5b".as_slice(), &[0xff; 8]].concat();
    hostile.put("endless-inside", &inside);
    hostile.put("twice-the-key", b"\xa2\x01\x01\x01\x02");
    hostile.put("twice-the-key-in-cose", b"\xd2\x84\x43\xa1\x01\x27\xa2\x01\x01\x01\x02\x40\x40");
    hostile.put("not-shortest", b"\x82\x18\x05\x19\x00\x05");
    hostile.put("without-length", b"\xbf\x01\x5f\x41\x00\xff\xff");
    hostile.put_special();
    (story, hostile)
}

/// Where a hostile file is given: the role, the command, and the kinds that are right there.
type Slot = (&'static str, &'static str, &'static [&'static str]);

const SLOTS: [Slot; 28] = [
    ("signer", "signer import FILE --policy policy", &["receipts"]),
    ("signer", "signer import first.receipts.cbor --policy FILE", &["policy"]),
    (
        "signer",
        "signer sign --manifest FILE.cbor --operator Ada --passphrase-file passphrase",
        &["manifest"],
    ),
    (
        "signer",
        "signer sign --manifest FILE --operator Ada --passphrase-file passphrase",
        &["zeros"],
    ),
    ("signer", "signer sign --files-from FILE --operator Ada --passphrase-file passphrase", &[]),
    ("signer", "signer sign mini.txt --operator Ada --passphrase-file FILE", &[]),
    ("log", "log append FILE", &["batch"]),
    ("log", "log append FILE -o x.cbor --keep-going", &["batch"]),
    ("log", "log receipts FILE -o x.cbor", &["batch"]),
    ("log", "log add-cosignatures FILE --policy policy", &["witness-response"]),
    ("log", "log add-cosignatures first-w1.witness-response.cbor --policy FILE", &["policy"]),
    ("log", "log allow FILE --fingerprint 00", &[]),
    ("w1", "witness cosign FILE -o x.cbor", &["witness-request"]),
    ("w1", "witness add-log FILE", &["policy"]),
    ("relying", "verifier check d0.txt --proof FILE --policy policy", &["proof"]),
    ("relying", "verifier check FILE --proof d0.txt.proof --policy policy", &[]),
    ("relying", "verifier check d0.txt --signature FILE --policy policy", &["signature"]),
    ("relying", "verifier check d0.txt --signer FILE --policy policy", &["public-key"]),
    ("relying", "verifier check d0.txt --policy FILE", &["policy"]),
    (
        "relying",
        "verifier inclusion FILE --receipt with-checkpoint --policy policy",
        &["statement"],
    ),
    (
        "relying",
        "verifier inclusion d0.statement --receipt FILE --policy policy",
        &["receipt-with-checkpoint"],
    ),
    ("relying", "verifier cross-check FILE d0.txt.proof --policy policy", &["checkpoint", "proof"]),
    (
        "relying",
        "verifier consistency FILE public/checkpoint --receipt with-checkpoint --policy policy",
        &[],
    ),
    ("relying", "verifier evidence check FILE --policy policy", &[]),
    ("relying", "verifier export FILE --tlog-proof -o x", &["proof"]),
    ("relying", "verifier completeness --log FILE --policy policy", &[]),
    ("relying", "verifier open --log FILE --identity auditor.key --policy policy", &[]),
    ("relying", "verifier open --log public --identity FILE --policy policy", &["identity"]),
];

/// Gives every hostile file to a command; nothing in the role's folder may change.
fn refuses_all(story: &Story, hostile: &Hostile, (role, line, right): Slot) {
    let folder = story.at(role);
    let before = bytes_of(&folder);
    for name in hostile.names.iter().filter(|name| !right.contains(&name.as_str())) {
        let given = line.replace("FILE", &format!("../hostile/{name}"));
        refused(&bounded(&folder, &given), &given);
    }
    assert!(bytes_of(&folder) == before, "{line}: something was written");
}

fn refused(ran: &Ran, line: &str) {
    assert!([1, 2].contains(&ran.code), "{line}: code {}\n{}{}", ran.code, ran.out, ran.err);
    assert!(!ran.err.contains("panicked"), "{line}: {}", ran.err);
    let program = line.split(' ').next().unwrap();
    let says_why = ran.err.lines().any(|said| said.starts_with(&format!("{program}: ")));
    assert!(says_why, "{line}: {}", ran.err);
}

#[test]
fn every_command_refuses_every_hostile_file_and_writes_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let (story, hostile) = told(stage.path());
    for slot in SLOTS {
        refuses_all(&story, &hostile, slot);
    }
}

#[test]
fn inspect_names_every_valid_file_and_refuses_every_hostile_one() {
    let stage = tempfile::tempdir().unwrap();
    let (story, hostile) = told(stage.path());
    let valid: Vec<&str> = hostile.names.iter().map(String::as_str).collect();
    let last = valid.iter().position(|name| *name == "manifest").unwrap();
    let not_ours = ["journal", "entries", "sealed"];
    let before = bytes_of(&story.at("relying"));
    for (at, name) in valid.iter().enumerate() {
        for end in ["", " --json"] {
            let line = format!("verifier inspect ../hostile/{name}{end}");
            let ran = bounded(&story.at("relying"), &line);
            if at <= last && !not_ours.contains(name) {
                assert_eq!(ran.code, 0, "{line}: {}", ran.err);
            } else if !name.ends_with("-2") && !name.starts_with("key-") {
                // What a later version holds is shown, as far as it is CBOR; for keys see below.
                refused(&ran, &line);
            }
            assert!(!ran.err.contains("panicked"), "{line}: {}", ran.err);
        }
    }
    assert!(bytes_of(&story.at("relying")) == before, "something was written");
}

/// Its secrets are hidden, whatever it is called; but a damaged key file is not a sound identity.
#[test]
fn inspect_names_a_key_file_and_finds_a_damaged_one_damaged() {
    let stage = tempfile::tempdir().unwrap();
    let (story, _) = told(stage.path());
    let ran = bounded(&story.at("relying"), "verifier inspect ../hostile/key");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("AGE-SECRET-KEY-1"), "a secret is shown");
    assert!(ran.out.starts_with("a key file that is not encrypted"), "{}", ran.out);
    for damage in ["loose", "open", "cut"] {
        let line = format!("verifier inspect ../hostile/key-{damage}");
        refused(&bounded(&story.at("relying"), &line), &line);
    }
}

#[test]
fn a_published_log_with_a_hostile_file_in_it_is_refused() {
    let stage = tempfile::tempdir().unwrap();
    let (story, hostile) = told(stage.path());
    let relying = story.at("relying");
    let lines = [
        "verifier completeness --log bad --policy policy",
        "verifier open --log bad --identity auditor.key --policy policy",
        "verifier cross-check bad/checkpoint d0.txt.proof --log bad --policy policy",
    ];
    for (place, right) in [
        ("checkpoint", "checkpoint"),
        ("tile/entries/000.p/4", "entries"),
        ("sealed/000.p/4", "sealed"),
    ] {
        copy(&relying.join("public"), &relying.join("bad")).unwrap();
        let place = relying.join("bad").join(place);
        for name in hostile.names.iter().filter(|name| *name != right) {
            let _ = std::fs::remove_file(&place);
            symlink(hostile.folder.join(name), &place).unwrap();
            for line in &lines[..if right == "checkpoint" { 3 } else { 2 }] {
                refused(&bounded(&relying, line), &format!("{line}, {right} is {name}"));
            }
        }
        std::fs::remove_dir_all(relying.join("bad")).unwrap();
    }
}

#[test]
fn a_file_of_a_later_version_is_called_unsupported() {
    let stage = tempfile::tempdir().unwrap();
    let (story, hostile) = told(stage.path());
    let mut lines: Vec<(&str, String)> = Vec::new();
    for (role, line, right) in SLOTS {
        for kind in right.iter().filter(|kind| TAGGED.contains(kind)) {
            lines.push((role, line.replace("FILE", &format!("../hostile/{kind}-2"))));
        }
    }
    lines.push(("relying", "verifier evidence check ../hostile/evidence-2 --policy policy".into()));
    // A log with a key of a later version, and a signer with such a journal: SQLite keeps a number
    // for the version of what is in it at byte 60.
    copy(&story.at("log"), &story.at("log-2")).unwrap();
    Story::recover_log(&story.at("log-2")).unwrap();
    copy(&hostile.folder.join("key-2"), &story.at("log-2").join("coldlog-log/key.age")).unwrap();
    lines.push(("log-2", "log append first.batch.cbor".into()));
    copy(&story.at("signer"), &story.at("signer-2")).unwrap();
    let journal = story.at("signer-2").join("coldlog-signer/journal.sqlite");
    let mut bytes = std::fs::read(&journal).unwrap();
    assert_eq!(bytes[60..64], [0, 0, 0, 1]);
    bytes[63] = 2;
    std::fs::write(&journal, bytes).unwrap();
    lines.push(("signer-2", "signer list".into()));
    lines.push(("signer-2", "signer export -o x.cbor".into()));
    // A genesis whose key event is of version 2; it is read before its signature is checked.
    let genesis = std::fs::read(hostile.folder.join("genesis")).unwrap();
    let at = genesis.windows(3).position(|window| window == b"\x61v\x01").unwrap();
    let later = [&genesis[..at + 2], &[2], &genesis[at + 3..]].concat();
    std::fs::write(story.at("log").join("genesis-2"), later).unwrap();
    lines.push(("log", "log allow genesis-2 --fingerprint 00".into()));
    assert!(lines.len() > 10, "{lines:?}");
    for (role, line) in lines {
        let ran = bounded(&story.at(role), &line);
        refused(&ran, &line);
        let said = ran.err.contains("unsupported") && ran.err.contains('2');
        assert!(said, "{line}: {}", ran.err);
    }
}

/// A line of a CSV manifest is held in memory, and a file without a line's end is one line.
#[test]
fn a_manifest_in_csv_without_end_does_not_fill_the_memory() {
    let stage = tempfile::tempdir().unwrap();
    let (story, _) = told(stage.path());
    let line =
        "signer sign --manifest ../hostile/zeros --operator Ada --passphrase-file passphrase";
    refused(&bounded(&story.at("signer"), line), line);
}
