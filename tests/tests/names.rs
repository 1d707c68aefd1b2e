//! Hostile names: of documents, in lists, and symlinks where an output should go. What is shown is
//! what is, line by line, and nothing is written through a link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{Ran, programs, ran, run};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// Clears a screen, sets a title, returns to the line's start, forges a line of `verifier check` on a
/// line of its own, turns text around, and hides some.
const NAME: &str = "a\u{1b}[2J\u{1b}]0;t\u{7}\r\nproven   b: log #1\u{9b}31m\u{202e}txt\u{2066}.\u{200f}\u{200b}\u{7f}\u{85}\nproven: c";

/// Runs a program with arguments that may hold anything.
fn run_with(folder: &Path, program: &str, arguments: &[&OsStr]) -> Ran {
    let mut command = Command::new(programs().unwrap().join(program));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for role in ["SIGNER", "LOG", "WITNESS"] {
        command.env_remove(format!("COLDLOG_{role}"));
    }
    ran(&command.output().unwrap())
}

/// `line` with NAME for each word `NAME`, and what follows it there.
fn with_name(folder: &Path, line: &str) -> Ran {
    let words: Vec<String> = line.split(' ').map(|word| word.replace("NAME", NAME)).collect();
    let arguments: Vec<&OsStr> = words[1..].iter().map(OsStr::new).collect();
    run_with(folder, &words[0], &arguments)
}

/// What could steer a terminal: control characters but the line's end, and Unicode's Bidi_Control.
fn steering(text: &str) -> Vec<char> {
    let bidi = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| c.is_control() && *c != '\n' || bidi(*c)).collect()
}

fn assert_calm(line: &str, ran: &Ran) {
    for (stream, text) in [("stdout", &ran.out), ("stderr", &ran.err)] {
        assert!(steering(text).is_empty(), "{line}: {:?} in {stream}: {text:?}", steering(text));
    }
}

/// A command whose output has so many lines, none of which steers.
fn shows(folder: &Path, line: &str, code: i32, out: usize, err: usize) -> Ran {
    let ran = with_name(folder, line);
    assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
    assert_calm(line, &ran);
    let lines = (ran.out.lines().count(), ran.err.lines().count());
    assert_eq!(lines, (out, err), "{line}:\n{}\n{}", ran.out, ran.err);
    ran
}

/// A story in which a document with the hostile name and one called `plain` are signed and proven;
/// the auditor has a copy of the log.
fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    for name in [NAME, "plain"] {
        std::fs::write(folder.join(name), format!("contents of {name:?}")).unwrap();
    }
    let line = "signer sign NAME plain --operator Ada --passphrase-file passphrase";
    shows(&folder, line, 0, 1, 0);
    finish(&mut story);
    story
}

/// What was signed goes all the way to proofs.
fn finish(story: &mut Story) {
    story.run("signer", "signer export -o r.batch.cbor").unwrap();
    story.carry("signer", "r.batch.cbor", "log").unwrap();
    story.run("log", "log append r.batch.cbor").unwrap();
    story.cosign("r").unwrap();
    let line = "log receipts r.batch.cbor -o r.receipts.cbor --policy policy";
    story.run("log", line).unwrap();
    story.carry("log", "r.receipts.cbor", "signer").unwrap();
    story.run("signer", "signer import r.receipts.cbor --policy policy").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
}

#[test]
fn a_name_that_steers_terminals_is_shown_escaped_on_its_own_line() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let (signer, auditor) = (story.at("signer"), story.at("auditor"));
    shows(&signer, "signer list", 0, 3, 0);
    let plain = run(&signer, "signer show 2").unwrap().out.lines().count();
    shows(&signer, "signer show 1", 0, plain, 0);
    let plain = run(&signer, "verifier check plain --policy policy").unwrap();
    assert_eq!(plain.code, 0, "{}", plain.err);
    let check = "verifier check NAME --signature NAME.sig --policy policy";
    shows(&signer, check, 0, plain.out.lines().count(), 0);
    shows(&signer, "verifier check NAME plain --policy policy", 0, 3, 0);
    let inspected = with_name(&signer, "verifier inspect NAME.proof");
    assert_calm("verifier inspect", &inspected);
    let open = "verifier open --log public --identity auditor.key --policy policy";
    shows(&auditor, open, 0, 5, 0);
    // As JSON it is one line, and what it says, once parsed, is the name itself.
    for (folder, line, pointer) in [
        (&signer, "signer list --json", "/records/1/document/name"),
        (&signer, "signer show 1 --json", "/record/document/name"),
        (&signer, "verifier check NAME --policy policy --json", "/documents/0/document/name"),
        (&auditor, &format!("{open} --json"), "/records/1/document/name"),
    ] {
        let ran = shows(folder, line, 0, 1, 0);
        let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(json.pointer(pointer).unwrap(), NAME, "{line}");
    }
}

#[test]
fn an_altered_document_with_such_a_name_is_refused_in_one_line() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let folder = story.at("signer");
    // The file is another than the one that was signed.
    std::fs::write(folder.join(NAME), "altered").unwrap();
    shows(&folder, "verifier check NAME --policy policy", 1, 0, 1);
    shows(&folder, "verifier check NAME plain --policy policy --keep-going", 1, 2, 1);
    shows(&folder, "verifier check NAME --policy policy --json", 1, 1, 1);
}

#[test]
fn trouble_with_a_file_of_such_a_name_is_one_line() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let folder = story.at("signer");
    let sign = "signer sign NAME --purpose other --operator Ada --passphrase-file passphrase";
    let out = format!("{sign} --output-dir out");
    let going = format!("{sign} --keep-going");
    std::fs::write(folder.join(format!("{NAME}.empty")), "").unwrap();
    let lines = [
        // Something is in the way of the signature, or no file has such a name on a stick.
        (sign, 2, 1, 1),
        (&going, 2, 1, 2),
        (&out, 2, 0, 1),
        // It is not what was asked for.
        ("verifier check NAME.empty --policy policy", 1, 0, 1),
        ("verifier check plain --proof NAME --policy policy", 2, 0, 1),
        ("verifier check plain --policy NAME", 2, 0, 1),
        ("verifier inspect NAME", 2, 0, 1),
        ("verifier inspect NAME.empty", 2, 0, 1),
        ("signer import NAME.empty --policy policy", 2, 0, 1),
        // It is not there.
        ("signer sign NAME.not --operator Ada --passphrase-file passphrase", 2, 0, 1),
        ("verifier inspect NAME.not", 2, 0, 1),
        ("signer export --from 0 -o NAME", 2, 0, 1),
    ];
    let mut forged = Vec::new();
    for (line, code, out, err) in lines {
        let ran = with_name(&folder, line);
        assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
        assert_calm(line, &ran);
        let found = (ran.out.lines().count(), ran.err.lines().count());
        if found != (out, err) {
            forged.push((line.replace(NAME, "NAME"), found, (out, err)));
        }
    }
    assert!(forged.is_empty(), "found and expected lines of stdout and stderr: {forged:#?}");
}

/// A folder from a stranger is checked file by file, and the lines are read by people and by `grep`.
#[test]
fn a_document_without_proof_forges_no_line_of_a_whole_folders_check() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let folder = story.at("signer");
    std::fs::create_dir(folder.join("dist")).unwrap();
    for file in ["plain", "plain.proof"] {
        std::fs::copy(folder.join(file), folder.join("dist").join(file)).unwrap();
    }
    std::fs::write(folder.join("dist").join(NAME), "never signed").unwrap();
    let line = "verifier check dist --recursive --keep-going --policy policy";
    shows(&folder, line, 1, 2, 1);
    let line = "verifier check dist --recursive --keep-going --policy policy --json";
    let ran = shows(&folder, line, 1, 1, 1);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["documents"].as_array().unwrap().len(), 2);
}

/// Unicode counts it among its Bidi_Control characters, as it does those above.
#[test]
fn an_arabic_letter_mark_is_shown_escaped_as_well() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    std::fs::write(folder.join("a\u{61c}b"), "with a mark").unwrap();
    let line = "signer sign a\u{61c}b --operator Ada --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    for line in ["signer list", "signer list --json"] {
        assert_calm(line, &run(&folder, line).unwrap());
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_refused_in_words_and_not_recorded() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    let name = OsStr::from_bytes(b"bad-\xff\xfe.txt");
    std::fs::write(folder.join(name), "x").unwrap();
    let before = story.run("signer", "signer list").unwrap().out;
    let rest = ["--operator", "Ada", "--passphrase-file", "passphrase"].map(OsStr::new);
    let whole = [OsStr::new("."), OsStr::new("--recursive")];
    for files in [&[name][..], &whole] {
        let arguments = [&[OsStr::new("sign")], files, &rest].concat();
        let ran = run_with(&folder, "signer", &arguments);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("UTF-8") && ran.err.contains("bad-"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    assert_eq!(story.run("signer", "signer list").unwrap().out, before);
    // Whoever only checks meets such names, too: there is no proof, and that is what is said.
    let check = ["check", "--policy", "policy"].map(OsStr::new);
    let ran = run_with(&folder, "verifier", &[&check[..], &[name]].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("has no proof"), "{}", ran.err);
}

#[test]
fn a_signed_list_of_checksums_leads_nowhere_else() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    std::fs::create_dir_all(folder.join("dist/sub")).unwrap();
    std::fs::write(folder.join("dist/sub/good"), "listed").unwrap();
    std::fs::write(folder.join("outside"), "listed").unwrap();
    let sum = coldlog_spec::hash::Hash::of(b"listed").to_hex();
    let outside = folder.join("outside").display().to_string();
    // The sums are right: only where the names lead is wrong.
    let lists = [
        ("good.sums", "sub/good", 0),
        ("up.sums", "../outside", 1),
        ("up-and-down.sums", "sub/../../outside", 1),
        ("absolute.sums", outside.as_str(), 1),
        ("dot.sums", "./sub/good", 1),
    ];
    for (list, name, _) in &lists {
        std::fs::write(folder.join("dist").join(list), format!("{sum}  {name}\n")).unwrap();
    }
    let files: Vec<_> = lists.iter().map(|(list, ..)| format!("dist/{list}").into()).collect();
    story.round("lists", &files, "1").unwrap();
    for (list, name, code) in lists {
        let line = format!("verifier check dist/{list} --checksums --policy policy");
        let ran = run(&folder, &line).unwrap();
        assert_eq!(ran.code, code, "{name}: {}", ran.err);
        if code == 1 {
            assert!(ran.err.contains("leads out of its folder"), "{name}: {}", ran.err);
            assert!(ran.err.contains(name), "{name}: {}", ran.err);
        }
    }
}

#[test]
fn a_symlink_where_an_output_should_go_is_refused_and_its_target_untouched() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    for n in ["one", "two"] {
        std::fs::write(story.at("signer").join(n), n).unwrap();
    }
    story.run("log", "log witness-request --old 3 -o w.cbor").unwrap();
    story.carry("log", "w.cbor", "w1").unwrap();
    let sign = "signer sign one --operator Ada --passphrase-file passphrase --output-dir out";
    let import = "signer import r.receipts.cbor --policy policy --output-dir out";
    // The role, the command, where it would write, and whether it takes --force.
    let outputs = [
        ("signer", sign, "out/one.sig", true),
        ("signer", import, "out/plain.proof", true),
        ("signer", "signer export --from 0 -o out/x", "out/x", true),
        ("signer", "verifier export plain.proof --receipt -o out/x", "out/x", true),
        ("signer", "verifier identity -o out/x", "out/x", false),
        ("log", "log append r.batch.cbor -o out/x", "out/x", true),
        ("log", "log receipts r.batch.cbor -o out/x", "out/x", true),
        ("log", "log witness-request -o out/x", "out/x", true),
        ("log", "log prove --index 1 -o out/x", "out/x", true),
        ("w1", "witness cosign w.cbor -o out/x", "out/x", true),
    ];
    for (role, line, output, forced) in outputs {
        let folder = story.at(role);
        // A symlink to a file, one to nothing, and one to a folder.
        for target in ["precious", "nothing", "sub"] {
            for force in [false, true] {
                if force && !forced {
                    continue;
                }
                let _ = std::fs::remove_dir_all(folder.join("out"));
                std::fs::create_dir_all(folder.join("out/sub")).unwrap();
                std::fs::write(folder.join("out/precious"), "precious").unwrap();
                symlink(target, folder.join(output)).unwrap();
                let line = format!("{line}{}", if force { " --force" } else { "" });
                let ran = run(&folder, &line).unwrap();
                let what = format!("{line}, link to {target}: {}{}", ran.out, ran.err);
                // A folder named as the receipts' place is a place, through a link as well.
                if line.starts_with("log append") && target == "sub" {
                    assert_eq!(ran.code, 0, "{what}");
                } else {
                    assert_eq!(ran.code, 2, "{what}");
                    assert_eq!(std::fs::read_dir(folder.join("out/sub")).unwrap().count(), 0);
                }
                assert!(!ran.err.contains("panicked"), "{what}");
                assert_eq!(std::fs::read_link(folder.join(output)).unwrap(), Path::new(target));
                let precious = std::fs::read(folder.join("out/precious")).unwrap();
                assert_eq!(precious, b"precious", "{what}");
                assert!(!folder.join("out/nothing").exists(), "{what}");
            }
        }
    }
}
