//! Who may write stands in the log itself; records that are sealed anew for other auditors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::batches::Batch;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::published;
use coldlog_kit::secret::Source;
use coldlog_log::sequencer::Edge;
use coldlog_log::store::{FolderStore, Store};
use coldlog_spec::batch::Item;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{Payload, Position, Statement};
use coldlog_spec::tile::{decode_bundle, push_entry};
use coldlog_spec::verify::own;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, run};
use std::path::{Path, PathBuf};

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn refused(folder: &Path, line: &str, text: &str) -> Ran {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(text), "{line}: {}", ran.err);
    ran
}

/// The policy of a log that needs no witnesses.
fn alone(story: &Story) -> PathBuf {
    let log = story.at("log");
    let lines = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    std::fs::write(log.join("alone"), format!("{lines}quorum none\n")).unwrap();
    log.join("alone")
}

fn exported(story: &mut Story, name: &str, documents: std::ops::Range<usize>) {
    story.sign(name, &Story::names(documents), "1").unwrap();
    story.run("signer", &format!("signer export -o {name}.batch.cbor")).unwrap();
    story.carry("signer", &format!("{name}.batch.cbor"), "log").unwrap();
}

#[test]
fn each_version_of_the_rules_is_an_entry_and_decides_about_the_next_batch() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    alone(&story);
    let log = story.at("log");
    exported(&mut story, "one", 0..1);
    done(&log, "log append one.batch.cbor");
    let first = done(&log, "log rules");
    assert!(
        first.starts_with("coldlog-rules/1\nsigner signer.example/releases journal "),
        "{first}"
    );
    std::fs::write(log.join("first"), &first).unwrap();
    assert_eq!(done(&log, "log set-rules first"), "these rules are in force already\n");

    // Nobody; a record that is too large; one that knows no head; another auditor: each is refused.
    exported(&mut story, "two", 1..2);
    let auditor = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let auditor = auditor.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    let other = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let refusals = [
        ("coldlog-rules/1\n".to_owned(), "may not write to this log"),
        (format!("{first}largest-sealed 300\n"), "the rules allow 300"),
        (format!("{first}largest-statement 200\n"), "the rules allow 200"),
        (format!("{first}require known-head\n"), "names none"),
        (format!("{first}require recipient {other}\n"), "does not name"),
    ];
    for (rules, why) in &refusals {
        std::fs::write(log.join("rules"), rules).unwrap();
        let told = done(&log, "log set-rules rules");
        assert!(told.lines().count() >= 2 && told.ends_with("are in force\n"), "{told}");
        assert_eq!(done(&log, "log rules"), *rules);
        refused(&log, "log append two.batch.cbor", why);
        // The same, by whoever has the batch and a copy of the log.
        let line = "verifier admission two.batch.cbor --log coldlog-log/public --policy alone";
        refused(&log, line, why);
    }
    let rules = format!("{first}require recipient {auditor}\nlargest-sealed 60000\n");
    std::fs::write(log.join("rules"), &rules).unwrap();
    done(&log, "log set-rules rules");
    let line = "verifier admission two.batch.cbor --log coldlog-log/public --policy alone";
    let told = done(&log, line);
    assert!(told.contains("of entry 8 let the batch in at size 9: 3 records, 2 were"), "{told}");
    done(&log, "log append two.batch.cbor");
    let told = done(&log, line);
    assert!(told.contains("at size 10: 3 records, 3 were there already"), "{told}");
    // As the log was, at each size: 1 was the first rules, 3 the first batch.
    for (at, code) in [(0, 1), (3, 0), (4, 1), (8, 1), (9, 0)] {
        let ran = run(&log, &format!("{line} --at {at}")).unwrap();
        assert_eq!(ran.code, code, "{at}: {}{}", ran.out, ran.err);
    }
    refused(&log, &format!("{line} --at 11"), "11 were asked for");
    let ran = run(&log, &format!("{line} --json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["result"], &json["rules"]), (&"yes".into(), &8.into()));
    let line = "verifier completeness --log coldlog-log/public --policy alone";
    let told = done(&log, line);
    assert!(told.contains("let in by the 7 versions of the log's rules"), "{told}");
    let shown = done(&log, "log rules --json");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["entry"], &shown["largest_sealed"]), (&8.into(), &60_000.into()));
    done(&log, "log fsck");

    // A batch of the second round knows a head, where one is demanded.
    story.round("three", &Story::names(2..3), "1").unwrap();
    std::fs::write(log.join("rules"), format!("{first}require known-head\n")).unwrap();
    done(&log, "log set-rules rules");
    exported(&mut story, "four", 3..4);
    done(&log, "log append four.batch.cbor");
    done(&log, "log fsck");
    // Nobody but the log writes its own journal, and a malformed file changes nothing.
    let own = format!("{first}signer log.example/releases log {}\n", "5e".repeat(32));
    std::fs::write(log.join("rules"), own).unwrap();
    refused(&log, "log set-rules rules", "written by the log alone");
    std::fs::write(log.join("rules"), "coldlog-rules/1\nallow everybody\n").unwrap();
    let ran = run(&log, "log set-rules rules").unwrap();
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("line 2 of the rules"), "{}", ran.err);
}

/// A log with the keys and the store of an honest one, which lets in what its rules refuse.
#[test]
fn a_log_that_lets_in_what_its_own_rules_refuse_is_found_out() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 2).unwrap();
    alone(&story);
    let log = story.at("log");
    exported(&mut story, "one", 0..1);
    done(&log, "log append one.batch.cbor");
    story.sign("two", &Story::names(1..2), "1").unwrap();
    story.run("signer", "signer export --from 2 -o two.batch.cbor").unwrap();
    story.carry("signer", "two.batch.cbor", "log").unwrap();
    let honest = stage.path().join("honest");
    copy(&log, &honest).unwrap();
    let first = done(&log, "log rules");
    lets_in(&log, Rules::default());
    // The signer may write, and its journal leaves an auditor out.
    let other =
        "require recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n";
    lets_in(&honest, Rules::parse(format!("{first}{other}").as_bytes()).unwrap());
}

fn lets_in(log: &Path, rules: Rules) {
    let home = log.join("coldlog-log");
    let keys = Keys::load(&home.join("key.age"), "log", &Source::default()).unwrap();
    let store = FolderStore::new(home.join("public"));
    let old = published::head(&store).unwrap();
    let Checkpoint { origin, size, root } = old.checkpoint.clone();
    let mut edge = Edge::load(&store, size, root).unwrap();
    let first = std::fs::read(home.join(format!("public/tile/entries/000.p/{size}"))).unwrap();
    let first = decode_bundle(&first, size).unwrap()[0].to_vec();
    let previous = Statement::decode(&first).unwrap().leaf();
    let position = Position { sequence: 1, previous: Some(previous), head: None };
    let rules = Payload::Rules(rules);
    let rules = Statement::sign(&keys.ed25519(), &own::claims(&origin), &position, rules).unwrap();
    edge.push(rules.leaf(), rules.bytes(), b"").unwrap();
    let mut batch = Batch::open(&log.join("two.batch.cbor")).unwrap();
    for item in batch.next().ok().flatten().unwrap().items {
        let Item::Record { statement, sealed } = Item::decode(&item).unwrap() else { panic!() };
        let statement = Statement::decode(&statement).unwrap();
        edge.push(statement.leaf(), statement.bytes(), &sealed).unwrap();
    }
    let (size, root) = edge.finish().unwrap();
    let new = keys.head_keys().sign_head(&Checkpoint { origin, size, root }, 1).unwrap();
    store.swap_head(Some(&old), &new).unwrap();

    let line = "verifier completeness --log coldlog-log/public --policy alone";
    let ran = refused(log, line, "the log let in what its own rules refuse");
    assert!(ran.err.contains("entry 4"), "{}", ran.err);
    let ran = run(log, "log fsck").unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("entry 4: the log's own rules did not let it in"), "{}", ran.out);
}

#[test]
fn records_are_sealed_anew_and_the_departed_auditor_reads_no_more() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::of_two_rounds(stage.path(), |_| {}).unwrap();
    alone(&story);
    let log = story.at("log");
    done(&log, "log backup ../backup");
    copy(&story.at("auditor").join("auditor.key"), &log.join("auditor.key")).unwrap();
    let new = done(&log, "verifier identity -o new.key");
    let (new, stranger) = (new.trim(), done(&log, "verifier identity -o stranger.key"));
    let public = log.join("coldlog-log/public");
    let entries = std::fs::read(public.join("tile/entries/000")).unwrap();
    assert!(public.join("sealed/000.p/152").exists());

    // Whoever cannot open them cannot seal them anew, and nothing has changed.
    let line = format!("log reseal --identity stranger.key --auditor {stranger} --by Eve");
    let ran = run(&log, line.replace('\n', "").as_str()).unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.err.contains("no record can be sealed anew by this identity: entry 1"),
        "{}",
        ran.err
    );
    // Nor is anything written that could not be read again.
    let line =
        format!("log reseal --identity auditor.key --auditor {new} --by {}", "x".repeat(5000));
    let ran = run(&log, &line).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("a text of at most 4096 bytes"), "{}", ran.err);
    let size = |folder: &Path| done(folder, "log head").lines().nth(1).unwrap().to_owned();
    assert_eq!(size(&log), "302");
    refused(
        &log,
        &format!("log reseal --identity auditor.key --auditor {new} --by Ada --from 302"),
        "no entries 302",
    );
    done(&log, "log fsck");

    let line =
        format!("log reseal --identity auditor.key --auditor {new} --by Ada --purpose handover");
    let told = done(&log, &line);
    assert!(told.contains("entries 0 to 301 are sealed to 1 recipients"), "{told}");
    assert_eq!(size(&log), "303");
    done(&log, "log fsck");
    let open = |key: &str| {
        format!("verifier open --log coldlog-log/public --identity {key} --policy alone")
    };
    let told = done(&log, &open("new.key"));
    assert!(told.contains("301 records opened, each is what its statement commits to"), "{told}");
    assert!(told.contains("Ada sealed the records of entries 0 to 301"), "{told}");
    refused(&log, &open("auditor.key"), "301 records did not open with this identity, 0 did");
    // No older copy of a bundle is left that opens.
    for entry in walkdir::WalkDir::new(public.join("sealed")).into_iter().flatten() {
        let path = entry.path().strip_prefix(&public).unwrap().display().to_string();
        let known = ["sealed", "sealed/000", "sealed/001.p", "sealed/001.p/47", "sealed/000.p"];
        assert!(known.contains(&path.as_str()), "{path}");
    }
    // Entries, and all that is proven, stay as they are.
    assert_eq!(std::fs::read(public.join("tile/entries/000")).unwrap(), entries);
    for document in ["d0.txt", "d299.txt"] {
        story.run("signer", &format!("verifier check {document} --policy policy")).unwrap();
    }
    // The backup follows: its bundles are replaced, its older copies are gone.
    let told = done(&log, "log backup ../backup");
    assert!(told.contains("1 entries and 4 files were new"), "{told}");
    let backup = stage.path().join("backup/sealed");
    assert_eq!(
        std::fs::read(backup.join("000")).unwrap(),
        std::fs::read(public.join("sealed/000")).unwrap()
    );
    assert!(!backup.join("001.p/46").exists());
    done(&log, "log drill ../backup");

    // Once more, for a part, with two auditors; the log goes on meanwhile and afterwards.
    let both = format!("--auditor {new} --auditor {}", stranger.trim());
    done(&log, &format!("log reseal --identity new.key {both} --by Ada --from 250 --to 258"));
    let told = done(&log, &format!("{} --index 257", open("stranger.key")));
    assert!(told.contains("1 records opened"), "{told}");
    refused(&log, &format!("{} --index 258", open("stranger.key")), "did not open");
    std::fs::write(story.at("signer").join("new.txt"), "new").unwrap();
    story.sign("wednesday", &["new.txt".into()], "3").unwrap();
    story.run("signer", "signer export -o wednesday.batch.cbor").unwrap();
    story.carry("signer", "wednesday.batch.cbor", "log").unwrap();
    done(&log, "log append wednesday.batch.cbor");
    done(&log, "log fsck");

    // What is not what its statement commits to stays as it is, and is named; the rest is sealed anew.
    let path = log.join("coldlog-log/public/sealed/000");
    let bytes = std::fs::read(&path).unwrap();
    let mut records = decode_bundle(&bytes, 256).unwrap();
    records.swap(3, 4);
    let mut swapped = Vec::new();
    records.iter().for_each(|record| assert!(push_entry(&mut swapped, record)));
    std::fs::write(&path, &swapped).unwrap();
    let line =
        format!("log reseal --identity new.key --auditor {} --by Ada --to 10", stranger.trim());
    let ran = refused(&log, &line, "2 records stay as they were");
    assert!(ran.err.contains("entry 3 stays as it was: the disclosure hashes to"), "{}", ran.err);
    let after = std::fs::read(&path).unwrap();
    let after = decode_bundle(&after, 256).unwrap();
    assert!(after[3] == records[3] && after[4] == records[4] && after[5] != records[5]);
    done(&log, &format!("{} --index 5", open("stranger.key")));
    done(&log, "log fsck");
}

/// What a kill leaves: the entry, the newest bundle, and not yet the full ones.
fn interrupt(folder: &Path, sequence: u64, old: &[u8]) {
    let home = folder.join("coldlog-log");
    let size: u64 = done(folder, "log head").lines().nth(1).unwrap().parse().unwrap();
    let (bundle, width) = (size / 256, size % 256);
    let entries = std::fs::read(home.join(format!("public/tile/entries/00{bundle}.p/{width}")));
    let entries = entries.unwrap();
    let entry = *decode_bundle(&entries, width).unwrap().last().unwrap();
    let statement = Statement::decode(entry).unwrap();
    let Payload::Reseal(reseal) = statement.payload else { panic!("no reseal") };
    assert_eq!(statement.position.sequence, sequence);
    let payload = Hash::of(&reseal.encode());
    let state = format!("{sequence} {payload} 0 {}\n", Hash([0; 32]));
    std::fs::create_dir_all(home.join("reseal")).unwrap();
    std::fs::write(home.join("reseal/state"), state).unwrap();
    std::fs::write(home.join("public/sealed/000"), old).unwrap();
}

#[test]
fn a_reseal_that_was_interrupted_is_followed_by_backups_and_not_finished_over_a_later_one() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::of_two_rounds(stage.path(), |_| {}).unwrap();
    alone(&story);
    let log = story.at("log");
    copy(&story.at("auditor").join("auditor.key"), &log.join("auditor.key")).unwrap();
    let [one, two] = ["one", "two"]
        .map(|name| done(&log, &format!("verifier identity -o {name}.key")).trim().to_owned());
    let bundle = log.join("coldlog-log/public/sealed/000");
    let before = std::fs::read(&bundle).unwrap();
    let range = "--from 254 --to 256";
    let first = format!("log reseal --identity auditor.key --auditor {one} --by Ada {range}");
    done(&log, &first);
    interrupt(&log, 1, &before);
    assert!(run(&log, "log fsck").unwrap().out.contains("a reseal was interrupted"));
    // A backup that is made now has the old bundle; the next one follows, whatever came between.
    done(&log, "log backup ../backup");
    // So much that the entry of the reseal is in no bundle that the next backup must read anyway.
    for n in 0..230 {
        std::fs::write(story.at("signer").join(format!("m{n}.txt")), n.to_string()).unwrap();
    }
    let more: Vec<PathBuf> = (0..230).map(|n| format!("m{n}.txt").into()).collect();
    story.sign("more", &more, "3").unwrap();
    story.run("signer", "signer export -o more.batch.cbor").unwrap();
    story.carry("signer", "more.batch.cbor", "log").unwrap();
    done(&log, "log append more.batch.cbor");
    done(&log, "log backup ../backup");
    done(&log, &first);
    done(&log, "log backup ../backup");
    let copied = std::fs::read(stage.path().join("backup/sealed/000")).unwrap();
    assert!(copied == std::fs::read(&bundle).unwrap() && copied != before);
    done(&log, "log drill ../backup");

    // Another machine's reseal came after one that was interrupted here.
    let third =
        format!("log reseal --identity one.key --auditor {two} --auditor {one} --by Eve {range}");
    done(&log, &third);
    interrupt(&log, 2, &before);
    let state = std::fs::read(log.join("coldlog-log/reseal/state")).unwrap();
    std::fs::write(&bundle, &copied).unwrap();
    std::fs::remove_file(log.join("coldlog-log/reseal/state")).unwrap();
    done(&log, &format!("log reseal --identity one.key --auditor {two} --by Ada {range}"));
    let settled = std::fs::read(&bundle).unwrap();
    std::fs::write(log.join("coldlog-log/reseal/state"), state).unwrap();
    refused(&log, &third, "came after it");
    assert!(std::fs::read(&bundle).unwrap() == settled);
    done(&log, "log fsck");
}

#[test]
fn a_log_is_rebuilt_from_batches_and_files_of_rules() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 2).unwrap();
    let log = story.at("log");
    // Before the first batch: neither the genesis nor the second signer's permission is in it.
    copy(&log, &stage.path().join("old")).unwrap();
    let old = stage.path().join("old");
    exported(&mut story, "one", 0..1);
    done(&log, "log append one.batch.cbor");
    coldlog_tests::write_private(&log.join("passphrase"), "twelve\n").unwrap();
    let made = done(
        &log,
        "signer --home twin init --name twin.example --operator Eve --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --scrypt-log-n 10 --passphrase-file passphrase",
    );
    let print = made.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    done(&log, &format!("log allow twin/genesis.cbor --fingerprint {print}"));
    std::fs::write(log.join("rules"), done(&log, "log rules")).unwrap();
    done(&log, "signer --home twin export -o twin.batch.cbor");
    done(&log, "log append twin.batch.cbor");
    exported(&mut story, "two", 1..2);
    done(&log, "log append two.batch.cbor");
    for file in ["one.batch.cbor", "two.batch.cbor", "rules", "twin.batch.cbor"] {
        copy(&log.join(file), &old.join(file)).unwrap();
    }
    copy(&log.join("coldlog-log/public/checkpoint"), &old.join("newest")).unwrap();
    // In another order, or with something left out, it is another log.
    let line = "log recover --newest newest --batches";
    refused(&old, &format!("{line} one.batch.cbor twin.batch.cbor rules"), "may not write");
    refused(
        &old,
        &format!("{line} rules one.batch.cbor twin.batch.cbor two.batch.cbor"),
        "in the order",
    );
    let told = done(&old, &format!("{line} one.batch.cbor rules twin.batch.cbor two.batch.cbor"));
    assert!(told.contains("5 entries are back"), "{told}");
    let head = |folder: &Path| std::fs::read(folder.join("coldlog-log/public/checkpoint")).unwrap();
    assert!(head(&old) == head(&log));
    done(&old, "log fsck");
    done(&old, "log append one.batch.cbor");
}
