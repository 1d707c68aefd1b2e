//! A log is restored, copied, backed up, brought back: it never signs a second history, and what is lost
//! comes back from a mirror, a backup or the signers' journals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{copy, run, write_private};
use std::path::{Path, PathBuf};

const PUBLIC: &str = "coldlog-log/public";

/// Two rounds of 150 records each; before the second, the log's folder is kept as `old`.
fn told(stage: &Path) -> Story {
    Story::of_two_rounds(stage, |story| copy(&story.at("log"), &story.at("old")).unwrap()).unwrap()
}

fn refused(folder: &Path, line: &str, text: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(text), "{line}: {}", ran.err);
}

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

// The published files, without partial tiles and the history of heads.
fn published(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = entries.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap().to_path_buf();
            (path, std::fs::read(entry.path()).unwrap())
        })
        .filter(|(path, _)| !path.to_str().unwrap().contains(".p/"))
        .collect()
}

#[test]
fn a_restored_log_signs_only_after_it_was_compared_and_its_records_are_back() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let (log, old) = (story.at("log"), story.at("old"));
    let head = log.join(PUBLIC).join("checkpoint");
    std::fs::copy(&head, old.join("newest")).unwrap();
    copy(&story.at("signer").join("tuesday.batch.cbor"), &old.join("tuesday.batch.cbor")).unwrap();

    // It would sign another head of size 302 or so, with another time, or with other records.
    for line in [
        "log append tuesday.batch.cbor",
        "log receipts monday.batch.cbor -o x.receipts.cbor",
        "log prove --index 3 -o x.receipt.cbor",
    ] {
        refused(&old, line, "was restored, copied or moved");
    }
    // It can be read all the same.
    done(&old, "log head");
    done(&old, "log fsck");

    refused(&old, "log recover --newest newest", "150 are lost here");
    refused(&old, "log append tuesday.batch.cbor", "was restored, copied or moved");
    // An older head settles it only if there is no newer one: that is the operator's to know.
    let mirror = stage.path().join("mirrored");
    copy(&old, &mirror).unwrap();
    let from = log.join(PUBLIC);
    let told = done(&mirror, &format!("log recover --newest newest --from {}", from.display()));
    assert!(told.contains("150 entries are back"), "{told}");
    assert!(published(&mirror.join(PUBLIC)) == published(&log.join(PUBLIC)));
    done(&mirror, "log fsck");
    let told = done(&mirror, "log append ../old/tuesday.batch.cbor");
    assert!(told.contains("0 records appended, 150 were there already"), "{told}");

    // From the signers' journals: the batches, in any cut, give the same log.
    let journals = stage.path().join("journals");
    copy(&old, &journals).unwrap();
    done(&story.at("signer"), "signer export --from 0 -o all.batch.cbor");
    copy(&story.at("signer").join("all.batch.cbor"), &journals.join("all.batch.cbor")).unwrap();
    let line = "log recover --newest newest --batches monday.batch.cbor";
    refused(&journals, line, "nothing that this log has not");
    // A record that was not there then, or that is left out: other entries than the newest head has.
    let short = stage.path().join("part.batch.cbor");
    done(&story.at("signer"), &format!("signer export --from 200 -o {}", short.display()));
    let line = format!("log recover --newest newest --batches {}", short.display());
    refused(&journals, &line, "records are missing");
    let line = "log recover --newest newest --batches tuesday.batch.cbor all.batch.cbor";
    done(&journals, line);
    done(&journals, "log fsck");
    let tile = |folder: &Path| std::fs::read(folder.join(PUBLIC).join("tile/0/000")).unwrap();
    assert!(tile(&journals) == tile(&log));
    assert_eq!(
        std::fs::read(journals.join(PUBLIC).join("checkpoint")).unwrap(),
        std::fs::read(&head).unwrap()
    );

    // A mirror of another history, or one that is too short, is not believed.
    let short = stage.path().join("short");
    copy(&old, &short).unwrap();
    let ran = run(&short, "log recover --newest newest --from ../old/coldlog-log/public").unwrap();
    assert_ne!(ran.code, 0, "{}", ran.out);
    refused(&short, "log append tuesday.batch.cbor", "was restored, copied or moved");
}

/// Records of the later rounds name heads that are lost with them.
#[test]
fn several_lost_rounds_come_back_from_the_journals() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 520).unwrap();
    let (log, old) = (story.at("log"), story.at("old"));
    copy(&log, &old).unwrap();
    for (name, range) in [("monday", 0..20), ("tuesday", 20..500), ("wednesday", 500..520)] {
        story.round(name, &Story::names(range), "1").unwrap();
        let batch = format!("{name}.batch.cbor");
        copy(&log.join(&batch), &old.join(&batch)).unwrap();
    }
    std::fs::copy(log.join(PUBLIC).join("checkpoint"), old.join("newest")).unwrap();
    let batches = ["monday", "tuesday", "wednesday"].map(|name| format!("{name}.batch.cbor"));
    // The log knows of no head beyond the newest one that it is shown.
    std::fs::copy(log.join(PUBLIC).join("heads/x001/022"), old.join("monday-head"))
        .or_else(|_| std::fs::copy(log.join(PUBLIC).join("heads/022"), old.join("monday-head")))
        .unwrap();
    let line = format!("log recover --newest monday-head --batches {}", batches.join(" "));
    assert_ne!(run(&old, &line).unwrap().code, 0);
    let line = format!("log recover --newest newest --batches {}", batches.join(" "));
    let told = done(&old, &line);
    assert!(told.contains("521 entries are back"), "{told}");
    done(&old, "log append wednesday.batch.cbor");
    assert!(published(&old.join(PUBLIC).join("tile")) == published(&log.join(PUBLIC).join("tile")));
}

#[test]
fn only_the_published_folder_went_back_and_the_machine_remembers() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let log = story.at("log");
    std::fs::remove_dir_all(log.join(PUBLIC)).unwrap();
    copy(&story.at("old").join(PUBLIC), &log.join(PUBLIC)).unwrap();
    std::fs::remove_file(log.join("coldlog-log/index.sqlite")).unwrap();
    refused(&log, "log append tuesday.batch.cbor", "this machine signed a head of size 302");
    // No older head talks it out of that, and the log is not made anew over it.
    copy(&log.join(PUBLIC).join("checkpoint"), &log.join("older")).unwrap();
    refused(&log, "log recover --newest older", "150 are lost here");
    refused(&log, "log append tuesday.batch.cbor", "this machine signed a head of size 302");
    std::fs::remove_dir_all(log.join(PUBLIC)).unwrap();
    let line = "log init --origin log.example/releases --unencrypted";
    refused(&log, line, "is not made anew");
}

#[test]
fn a_log_that_signed_after_a_restore_is_told_that_two_histories_are_out() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let old = story.at("old");
    Story::recover_log(&old).unwrap();
    // Other records in the place of the lost ones.
    copy(&story.at("signer"), &story.at("twin")).unwrap();
    std::fs::copy(story.at("log").join(PUBLIC).join("checkpoint"), old.join("newest")).unwrap();
    done(&story.at("signer"), "signer export --from 0 -o all.batch.cbor");
    refused(&old, "log append ../signer/all.batch.cbor", "the signer remembers a head of size 302");
    std::fs::copy(story.at("log").join("coldlog-log/key.age"), old.join("coldlog-log/key.age"))
        .unwrap();
    write_private(&old.join("passphrase"), "twelve\n").unwrap();
    let made = done(
        &old,
        "signer --home other init --name other.example --operator Eve --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --scrypt-log-n 10 --passphrase-file passphrase",
    );
    let print = made.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    done(&old, &format!("log allow other/genesis.cbor --fingerprint {print}"));
    for n in 0..160 {
        std::fs::write(old.join(format!("o{n}")), n.to_string()).unwrap();
    }
    let list: String = (0..160).map(|n| format!("o{n}\n")).collect();
    std::fs::write(old.join("list"), list).unwrap();
    done(
        &old,
        "signer --home other sign --files-from list --operator Eve --passphrase-file passphrase",
    );
    done(&old, "signer --home other export -o other.batch.cbor");
    done(&old, "log append other.batch.cbor");
    refused(&old, "log recover --newest newest", "two histories were signed");
}

#[test]
fn a_backup_grows_by_what_is_new_and_comes_back_whole() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let log = story.at("log");
    // Before the second round, as a timer would have done it.
    done(&story.at("old"), "log backup ../backup");
    refused(&log, "log drill ../backup", "150 entries behind the newest head, at most 0");
    refused(&log, "log drill ../backup --behind 149", "150 entries behind");
    done(&log, "log drill ../backup --behind 150");
    let told = done(&log, "log backup ../backup");
    assert!(told.contains("up to size 302: 150 entries"), "{told}");
    let told = done(&log, "log backup ../backup");
    assert!(told.contains("0 entries and 0 files were new"), "{told}");
    let told = done(&log, "log drill ../backup --newest coldlog-log/public/checkpoint");
    assert!(told.contains("302 entries came back in"), "{told}");

    // The machine is gone.
    let new = stage.path().join("new");
    std::fs::create_dir(&new).unwrap();
    // As it is left by an interruption after the key was put in place: the same words go on.
    std::fs::create_dir(new.join("coldlog-log")).unwrap();
    std::fs::copy(log.join("coldlog-log/key.age"), new.join("coldlog-log/key.age")).unwrap();
    let told = done(&new, "log restore ../backup --key ../log/coldlog-log/key.age");
    assert!(told.contains("log recover --newest HEAD"), "{told}");
    assert!(published(&new.join(PUBLIC)) == published(&log.join(PUBLIC)));
    done(&new, "log fsck");
    std::fs::write(story.at("signer").join("new.txt"), "new").unwrap();
    story.sign("wednesday", &["new.txt".into()], "3").unwrap();
    story.run("signer", "signer export -o wednesday.batch.cbor").unwrap();
    refused(&new, "log append ../signer/wednesday.batch.cbor", "remembers no head");
    done(&new, "log recover --newest ../log/coldlog-log/public/checkpoint");
    done(&new, "log append ../signer/wednesday.batch.cbor");
    // The old machine, were it still there, would fork the log: its backup is refused from now on.
    done(&new, "log backup ../backup");
    refused(&log, "log backup ../backup", "does not extend");

    // A backup is another place than the log's own, and a key in it is its owner's alone.
    for own in ["coldlog-log/public", "coldlog-log/backup"] {
        let ran = run(&new, &format!("log backup {own}")).unwrap();
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("the log's own place"), "{}", ran.err);
    }

    // Damage is not copied.
    let tile = new.join(PUBLIC).join("tile/0/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[77] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let ran = run(&new, "log backup ../other").unwrap();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("log fsck"), "{}", ran.err);
    assert!(!stage.path().join("other/checkpoint").exists());
    // And a damaged backup is found by the drill, not on the day.
    let entries = stage.path().join("backup/tile/entries/000");
    let mut bytes = std::fs::read(&entries).unwrap();
    bytes[3000] ^= 1;
    std::fs::write(&entries, bytes).unwrap();
    let ran = run(&new, "log drill ../backup").unwrap();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
}

/// The last step of adding cosignatures is `heads/N`; a crash before it must not lose them to the next head.
#[test]
fn cosignatures_that_a_crash_kept_from_the_history_are_put_there() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let log = story.at("log");
    let (head, kept) = (log.join(PUBLIC).join("checkpoint"), log.join(PUBLIC).join("heads/302"));
    let cosigned = std::fs::read_to_string(&head).unwrap();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), cosigned);
    let lines = cosigned.lines().filter(|line| !line.contains(" w"));
    let bare: String = lines.map(|line| format!("{line}\n")).collect();
    std::fs::write(&kept, bare).unwrap();
    story.run("log", "log witness-request -o again.cbor").unwrap();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), cosigned);
}

#[test]
fn only_needless_partial_tiles_are_collected() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let log = story.at("log");
    let public = log.join(PUBLIC);
    assert!(public.join("tile/0/000.p/152").exists());
    let would = done(&log, "log gc --dry-run");
    assert!(would.contains("would remove tile/0/000.p/152"), "{would}");
    assert!(public.join("tile/0/000.p/152").exists());
    std::fs::write(public.join("tile/entries/000.p/9"), "not the first nine").unwrap();
    std::fs::write(public.join("sealed/notes.txt"), "a stranger's").unwrap();
    let before = published(&public);
    done(&log, "log gc");
    assert!(!public.join("tile/0/000.p/152").exists() && !public.join("tile/0/000.p/2").exists());
    assert!(public.join("tile/0/001.p/46").exists());
    assert!(public.join("tile/entries/000.p/9").exists(), "damage is for fsck to name");
    assert!(published(&public) == before);
    refused(&log, "log fsck", "1 findings");
    std::fs::remove_file(public.join("tile/entries/000.p/9")).unwrap();
    // Proofs to and from sizes whose partial tiles are gone are found in the full ones.
    done(&log, "log prove --consistency 152 -o since.receipt.cbor");
    done(&log, "log receipts monday.batch.cbor -o again.receipts.cbor --policy policy");
    story.carry("log", "again.receipts.cbor", "signer").unwrap();
    story.run("signer", "signer verify-journal --policy policy").unwrap();
}

/// A log must not go on from what its disk gives back wrong: it would sign another history.
#[test]
fn a_flipped_bit_at_the_edge_stops_the_next_append() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    std::fs::write(story.at("signer").join("new.txt"), "new").unwrap();
    story.sign("wednesday", &["new.txt".into()], "3").unwrap();
    story.run("signer", "signer export -o wednesday.batch.cbor").unwrap();
    story.carry("signer", "wednesday.batch.cbor", "log").unwrap();
    let log = story.at("log");
    let head = std::fs::read(log.join(PUBLIC).join("checkpoint")).unwrap();
    for (path, text) in [
        ("tile/0/001.p/46", "do not give the root"),
        ("tile/1/000.p/1", "do not give the root"),
        ("tile/entries/001.p/46", "not those of their tile"),
    ] {
        let path = log.join(PUBLIC).join(path);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[20] ^= 4;
        std::fs::write(&path, bad).unwrap();
        let ran = run(&log, "log append wednesday.batch.cbor").unwrap();
        assert_eq!(ran.code, 2, "{}: {}", path.display(), ran.out);
        assert!(ran.err.contains(text) && ran.err.contains("log fsck"), "{}", ran.err);
        std::fs::write(&path, good).unwrap();
        assert!(std::fs::read(log.join(PUBLIC).join("checkpoint")).unwrap() == head);
    }
    done(&log, "log append wednesday.batch.cbor");
    done(&log, "log fsck");
}
