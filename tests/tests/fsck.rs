//! Each kind of damage to a log's folder is named, with its place and its repair; what the entries give
//! is made anew, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::tile::{decode_bundle, push_entry};
use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::path::{Path, PathBuf};

/// A log with two rows of tiles: 302 entries under the newest head, 152 under the first.
fn told(stage: &Path) -> Story {
    Story::of_two_rounds(stage, |_| {}).unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 7]).unwrap();
}

/// Changes the order of two entries of a bundle.
fn swap_entries(path: &Path, width: u64) {
    let bytes = std::fs::read(path).unwrap();
    let mut entries = decode_bundle(&bytes, width).unwrap();
    entries.swap(3, 4);
    let mut swapped = Vec::new();
    entries.into_iter().for_each(|entry| assert!(push_entry(&mut swapped, entry)));
    std::fs::write(path, swapped).unwrap();
}

type Harm = fn(&Path);

/// What is done to the log's folder; what is said of which place; whether it can be made anew.
const DAMAGE: [(&str, Harm, &str, &str, bool); 20] = [
    (
        "bit rot in a full tile",
        |log| flip(&log.join("public/tile/0/000"), 100),
        "tile/0/000",
        "other hashes",
        true,
    ),
    (
        "bit rot in a partial tile",
        |log| flip(&log.join("public/tile/0/001.p/46"), 100),
        "tile/0/001.p/46",
        "other hashes",
        true,
    ),
    (
        "bit rot in an upper tile",
        |log| flip(&log.join("public/tile/1/000.p/1"), 3),
        "tile/1/000.p/1",
        "other hashes",
        true,
    ),
    (
        "a missing tile",
        |log| std::fs::remove_file(log.join("public/tile/0/000")).unwrap(),
        "tile/0/000",
        "missing",
        true,
    ),
    ("a truncated tile", |log| cut(&log.join("public/tile/0/000")), "tile/0/000", "damaged", true),
    (
        "swapped tiles",
        |log| {
            // The first 46 hashes of one in the place of the other.
            let full = std::fs::read(log.join("public/tile/0/000")).unwrap();
            std::fs::write(log.join("public/tile/0/001.p/46"), &full[..46 * 32]).unwrap();
        },
        "tile/0/001.p/46",
        "other hashes",
        true,
    ),
    (
        "bit rot in an entry",
        |log| flip(&log.join("public/tile/entries/000"), 5000),
        "entry ",
        "",
        false,
    ),
    (
        "a missing bundle of entries",
        |log| std::fs::remove_file(log.join("public/tile/entries/000")).unwrap(),
        "tile/entries/000",
        "missing",
        false,
    ),
    (
        "a truncated bundle of entries",
        |log| cut(&log.join("public/tile/entries/001.p/46")),
        "tile/entries/001.p/46",
        "damaged",
        false,
    ),
    (
        "entries in another order",
        |log| swap_entries(&log.join("public/tile/entries/000"), 256),
        "entry 3",
        "sequence number is 3, expected 2",
        false,
    ),
    (
        "a lost sealed bundle",
        |log| std::fs::remove_file(log.join("public/sealed/000")).unwrap(),
        "sealed/000",
        "missing",
        false,
    ),
    (
        "a truncated sealed bundle",
        |log| cut(&log.join("public/sealed/001.p/46")),
        "sealed/001.p/46",
        "damaged",
        false,
    ),
    (
        "a sealed record that is none",
        |log| flip(&log.join("public/sealed/000"), 4),
        "entry 1",
        "sealed record",
        false,
    ),
    (
        "a head that is lost",
        |log| std::fs::remove_file(log.join("public/heads/152")).unwrap(),
        "heads/152",
        "missing",
        false,
    ),
    (
        "a head that is altered",
        |log| flip(&log.join("public/heads/152"), 30),
        "heads/152",
        "",
        false,
    ),
    (
        "a head under another size",
        |log| copy(&log.join("public/heads/152"), &log.join("public/heads/151")).unwrap(),
        "heads/151",
        "holds the head of size 152",
        false,
    ),
    (
        "a damaged index",
        |log| std::fs::write(log.join("index.sqlite"), "no database").unwrap(),
        "index.sqlite",
        "damaged",
        true,
    ),
    (
        "a wrong partial bundle",
        |log| std::fs::write(log.join("public/tile/entries/000.p/9"), "not the first 9").unwrap(),
        "tile/entries/000.p/9",
        "does not begin with it",
        true,
    ),
    (
        "a forged head",
        |log| {
            let line = "log --home forger init --origin log.example/releases --unencrypted";
            assert_eq!(run(log, line).unwrap().code, 0);
            copy(&log.join("forger/public/checkpoint"), &log.join("public/heads/000")).unwrap();
        },
        "heads/000",
        "forged",
        false,
    ),
    (
        "bit rot in the rules",
        |log| flip(&log.join("public/tile/entries/000"), 250),
        "entry 0",
        "",
        false,
    ),
];

#[test]
fn each_kind_of_damage_is_named_with_its_place_and_its_repair() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    assert_eq!(run(&story.at("log"), "log fsck").unwrap().code, 0);
    for (what, harm, place, text, derivable) in DAMAGE {
        let folder = stage.path().join("harmed");
        copy(&story.at("log"), &folder).unwrap();
        harm(&folder.join("coldlog-log"));
        let found = run(&folder, "log fsck --json").unwrap();
        assert_eq!(found.code, 1, "{what}: {}{}", found.out, found.err);
        let report: serde_json::Value = serde_json::from_str(&found.out).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let named = findings.iter().any(|finding| {
            let is = |key: &str, text: &str| finding[key].as_str().unwrap().contains(text);
            is("place", place)
                && is("what", text)
                && !finding["repair"].as_str().unwrap().is_empty()
        });
        assert!(named, "{what}: {}", found.out);
        assert!(findings.len() < 20, "{what}: one damage, and {}", found.out);

        let before = bytes_of(&folder.join("coldlog-log/public"));
        let mended = run(&folder, "log fsck --repair").unwrap();
        assert_eq!(mended.code, i32::from(!derivable), "{what}: {}{}", mended.out, mended.err);
        if derivable {
            assert_eq!(run(&folder, "log fsck").unwrap().code, 0, "{what}");
            Story::recover_log(&folder).unwrap();
            let line = "log append tuesday.batch.cbor";
            assert_eq!(run(&folder, line).unwrap().code, 0, "{what}");
            // As it was, to the byte, and what was damaged is kept.
            let original = bytes_of(&story.at("log").join("coldlog-log/public"));
            let now = bytes_of(&folder.join("coldlog-log/public"));
            let differs = now.iter().filter(|file| !original.contains(file));
            let gone = original.iter().filter(|file| !now.contains(file));
            let names: Vec<_> = differs.chain(gone).map(|(path, _)| path).collect();
            assert!(names.is_empty(), "{what}: {names:?}");
            let kept = std::fs::read_dir(folder.join("coldlog-log")).unwrap();
            let kept = kept.filter(|e| {
                e.as_ref().unwrap().file_name().to_string_lossy().starts_with("damaged-")
            });
            assert_eq!(kept.count(), usize::from(what != "a missing tile"), "{what}");
        } else {
            assert!(
                bytes_of(&folder.join("coldlog-log/public")) == before,
                "{what}: something was changed"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn what_a_crash_leaves_is_noted_and_no_damage() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let public = story.at("log").join("coldlog-log/public");
    std::fs::write(public.join("tile/0/.coldlog-Ab12"), "half").unwrap();
    std::fs::write(public.join("tile/0/002"), "an orphan").unwrap();
    std::fs::write(public.join("sealed/notes.txt"), "a stranger").unwrap();
    let found = run(&story.at("log"), "log fsck").unwrap();
    assert_eq!(found.code, 0, "{}{}", found.out, found.err);
    for note in [
        "note: tile/0/.coldlog-Ab12: an interrupted command left it",
        "note: tile/0/002: it lies beyond the head",
        "note: sealed/notes.txt: it is no file of a log",
    ] {
        assert!(found.out.contains(note), "{}", found.out);
    }
}

#[test]
fn the_index_is_only_a_shortcut() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let index = story.at("log").join("coldlog-log/index.sqlite");
    let receipts = |story: &mut Story, name: &str| {
        let line = format!("log receipts monday.batch.cbor -o {name} --policy policy");
        story.run("log", &line).unwrap();
        std::fs::read(story.at("log").join(name)).unwrap()
    };
    let before = receipts(&mut story, "before.receipts.cbor");
    let told = story.run("log", "log reindex").unwrap().out;
    assert!(told.ends_with("the index knows 302 entries\n"), "{told}");
    assert_eq!(receipts(&mut story, "made-anew.receipts.cbor"), before);
    // Lost altogether, nothing is lost.
    std::fs::remove_file(&index).unwrap();
    assert_eq!(receipts(&mut story, "lost.receipts.cbor"), before);
    // An index that knows another log's records, as many, is noticed, and not believed.
    story.run("log", "log --home other init --origin other.example --unencrypted").unwrap();
    let rules = story.run("log", "log rules").unwrap().out;
    std::fs::write(story.at("log").join("rules"), rules).unwrap();
    story.run("log", "log --home other set-rules rules").unwrap();
    let line = "log --home other append monday.batch.cbor tuesday.batch.cbor";
    let told = story.run("log", line).unwrap().out;
    assert!(told.ends_with("the log has 302 entries\n"), "{told}");
    std::fs::copy(story.at("log").join("other/index.sqlite"), &index).unwrap();
    let found = story.expect("log", "log fsck", 1).unwrap().out;
    assert!(
        found.contains("index.sqlite: its 302 entries are those of another history"),
        "{found}"
    );
    assert_eq!(receipts(&mut story, "foreign.receipts.cbor"), before);
    story.run("log", "log fsck").unwrap();
    // So is one that was made of the log's own first entries, and is only behind.
    story.run("log", "log --home behind init --origin other.example --unencrypted").unwrap();
    story.run("log", "log --home behind witness-request -o other.cbor").unwrap();
    std::fs::copy(story.at("log").join("behind/index.sqlite"), &index).unwrap();
    assert_eq!(receipts(&mut story, "behind.receipts.cbor"), before);
    story.run("log", "log fsck").unwrap();
}

/// Nobody but an auditor sees what is in a sealed record, and nobody but a policy knows the witnesses.
#[test]
fn what_only_an_auditor_or_a_policy_can_see_is_seen_with_them() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let (log, auditor) = (story.at("log"), story.at("auditor"));
    copy(&auditor.join("auditor.key"), &log.join("auditor.key")).unwrap();
    let line = "log fsck --identity auditor.key --policy policy";
    let told = story.run("log", line).unwrap().out;
    assert!(told.contains("301 sealed records were opened"), "{told}");
    // The head of the rules alone was shown to no witness.
    assert!(told.contains("\n2 heads meet the quorum\n"), "{told}");

    let sealed = log.join("coldlog-log/public/sealed/000");
    let good = std::fs::read(&sealed).unwrap();
    // An older, partial copy shows that one of the two is damaged, as long as there is one.
    flip(&sealed, 3000);
    let told = story.expect("log", "log fsck", 1).unwrap().out;
    assert!(told.contains("sealed/000.p/152: ") && told.contains("tells which"), "{told}");
    std::fs::write(&sealed, &good).unwrap();
    story.run("log", "log gc").unwrap();
    // In the middle of a record: its frame, and its first words, are as they were.
    flip(&sealed, 3000);
    story.run("log", "log fsck").unwrap();
    let told = story.expect("log", line, 1).unwrap().out;
    assert!(told.contains("sealed record ") && told.contains("mirror or a backup"), "{told}");
    std::fs::write(&sealed, &good).unwrap();
    // Two records change places: each opens, and is not the one that its statement commits to.
    swap_entries(&sealed, 256);
    story.run("log", "log fsck").unwrap();
    let told = story.expect("log", line, 1).unwrap().out;
    assert!(told.contains("sealed record 3: ") && told.contains("sealed record 4: "), "{told}");
    std::fs::write(&sealed, &good).unwrap();
    // Somebody who is no auditor opens nothing.
    story.run("log", "verifier identity -o nobody.key").unwrap();
    story.expect("log", "log fsck --identity nobody.key", 1).unwrap();
    story.run("log", "log fsck --identity nobody.key auditor.key").unwrap();

    // A witness's line that does not verify; the log's own do.
    let head = log.join("coldlog-log/public/heads/152");
    let text = std::fs::read_to_string(&head).unwrap();
    let at = text.find("\u{2014} w1.example").unwrap();
    let end = at + text[at..].find('\n').unwrap();
    let mut bytes = text.into_bytes();
    bytes[end - 20] = if bytes[end - 20] == b'A' { b'B' } else { b'A' };
    std::fs::write(&head, bytes).unwrap();
    story.run("log", "log fsck").unwrap();
    let told = story.expect("log", "log fsck --policy policy", 1).unwrap().out;
    assert!(told.contains("heads/152: ") && told.contains("w1.example/witness"), "{told}");
}

#[test]
fn a_forged_checkpoint_is_not_looked_behind() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    story.run("log", "log --home other init --origin log.example/releases --unencrypted").unwrap();
    let log = story.at("log");
    std::fs::copy(log.join("other/public/checkpoint"), log.join("coldlog-log/public/checkpoint"))
        .unwrap();
    let found = story.expect("log", "log fsck", 1).unwrap();
    assert!(found.err.contains("not signed by the log's own keys"), "{}", found.err);
}

fn bytes_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = entries.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let bytes = std::fs::read(entry.path()).unwrap();
            (entry.path().strip_prefix(folder).unwrap().to_path_buf(), bytes)
        })
        .collect()
}
