//! `verifier watch`: whoever saw two heads that do not fit, at whatever time and from whomever, has a file
//! that convicts the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::hash::Hash;
use coldlog_tests::server::{serve, serve_program};
use coldlog_tests::story::Story;
use coldlog_tests::{copy, run};
use std::path::Path;

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn refused(folder: &Path, line: &str, why: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
}

#[test]
fn a_log_that_keeps_one_history_is_followed_in_folders_servers_and_witnesses() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 300).unwrap();
    let (log, auditor) = (story.at("log"), story.at("auditor"));
    story.append("monday", 0..10).unwrap();
    story.cosign("monday").unwrap();
    let server = serve(&log, "", &[]);
    let witness = "witness serve --listen 127.0.0.1:0 --stop-after 300";
    let witness = serve_program(&story.at("w1"), witness, &[], &[]).unwrap();
    let origin = Hash::of(b"log.example/releases").to_hex();
    let seen_by_witness = format!("{}/{origin}/checkpoint", witness.url);
    let public = log.join("coldlog-log/public");
    let line = format!(
        "verifier watch {} {} {seen_by_witness} --policy policy --rounds 1",
        public.display(),
        server.url
    );
    assert!(done(&auditor, &line).contains("log.example/releases: one history up to 12\n"));
    story.append("tuesday", 10..300).unwrap();
    assert!(done(&auditor, &line).contains("one history up to 302\n"));
    // What others saw fits; nothing is there twice.
    done(&auditor, "verifier heads export -o mine.heads.cbor");
    let import = format!(
        "verifier heads import mine.heads.cbor --memory other --policy policy --log {}",
        server.url
    );
    assert!(done(&auditor, &import).contains("one history up to 302"));
    done(&auditor, "verifier heads export --memory other -o theirs.heads.cbor");
    let read = |name: &str| std::fs::read(auditor.join(name)).unwrap();
    assert!(read("mine.heads.cbor") == read("theirs.heads.cbor"));
    // A witness alone has no tiles: what it shows waits for them.
    let line =
        format!("verifier watch {seen_by_witness} --memory alone --policy policy --rounds 1");
    assert!(done(&auditor, &line).contains("newest head 12, proven up to 0"));
    // What a URL publishes is audited as a copy is.
    drop(witness);
    let line =
        format!("verifier watch {seen_by_witness} {} --policy policy --rounds 1", server.url);
    let ran = run(&auditor, &line).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(
        ran.out.contains("one history up to 302") && ran.err.contains("1 of 2 places"),
        "{}",
        ran.err
    );
    let stranger = "quorum none\n";
    std::fs::write(auditor.join("stranger"), stranger).unwrap();
    let line = format!("verifier watch {} --policy stranger --memory x --rounds 1", server.url);
    assert_eq!(run(&auditor, &line).unwrap().code, 2);
}

#[test]
fn two_histories_end_as_a_file_that_convicts_whoever_saw_which() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, twin) = Story::forked(stage.path()).unwrap();
    let (log, auditor) = (story.at("log"), story.at("auditor"));
    let (here, there) = (log.join("coldlog-log/public"), twin.join("coldlog-log/public"));
    let (here, there) = (here.display(), there.display());
    let script = auditor.join("alarm");
    std::fs::write(&script, "#!/bin/sh\ncp \"$1\" alarmed\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let convicts = |file: &str| {
        let line = format!("verifier evidence check {file} --policy policy");
        assert!(done(&auditor, &line).starts_with("convicted: log.example/releases"));
    };

    // Both sides at once.
    let line = format!(
        "verifier watch {here} {there} --memory both --policy policy --rounds 1 --evidence both.evidence.cbor --on-evidence ./alarm"
    );
    refused(&auditor, &line, "the evidence is in both.evidence.cbor");
    convicts("both.evidence.cbor");
    assert!(
        std::fs::read(auditor.join("alarmed")).unwrap()
            == std::fs::read(auditor.join("both.evidence.cbor")).unwrap()
    );
    // It goes on saying so, and does not write over what it has.
    refused(&auditor, &line, "the evidence is in ");

    // One side today, the other one tomorrow: the memory tells, whichever is larger.
    for (memory, first, second) in [("one", &here, &there), ("two", &there, &here)] {
        let line = |place: &dyn std::fmt::Display| {
            format!(
                "verifier watch {place} --memory {memory} --policy policy --rounds 1 --evidence {memory}.evidence.cbor"
            )
        };
        done(&auditor, &line(first));
        let ran = run(&auditor, &line(second)).unwrap();
        if memory == "one" {
            assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
            convicts("one.evidence.cbor");
            continue;
        }
        // The smaller side alone: its tiles do not reach the head that was seen before. They do when it has
        // grown, or when somebody has the larger one's.
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("newer ones wait"), "{}", ran.out);
        story.append("wednesday", 45..60).unwrap();
        append_more(&mut story);
        refused(&auditor, &line(second), "the evidence is in two.evidence.cbor");
        convicts("two.evidence.cbor");
    }

    // A smaller head of the other side, without tiles, is not forgotten when the larger side is seen again.
    let larger = format!(
        "verifier watch {here} --memory late --policy policy --rounds 1 --evidence late.evidence.cbor"
    );
    done(&auditor, &larger);
    let line =
        format!("verifier watch {there}/checkpoint --memory late --policy policy --rounds 1");
    done(&auditor, &line);
    refused(&auditor, &larger, "the evidence is in late.evidence.cbor");
    convicts("late.evidence.cbor");
    // Nor is one with tiles that do not reach as far.
    let larger = larger.replace("late", "short");
    done(&auditor, &larger);
    let line = format!("verifier watch {there} --memory short --policy policy --rounds 1");
    done(&auditor, &line);
    refused(&auditor, &larger, "the evidence is in short.evidence.cbor");

    // Two auditors, of whom each saw one side, and a stick.
    for (memory, place) in [("ada", &here), ("eve", &there)] {
        done(
            &auditor,
            &format!("verifier watch {place} --memory {memory} --policy policy --rounds 1"),
        );
    }
    done(&auditor, "verifier heads export --memory eve -o eve.heads.cbor");
    let line = format!(
        "verifier heads import eve.heads.cbor --memory ada --policy policy --log {here} --evidence stick.evidence.cbor"
    );
    refused(&auditor, &line, "the evidence is in stick.evidence.cbor");
    convicts("stick.evidence.cbor");
    // A head that the log has not signed is no evidence, and is not remembered.
    let mut bytes = std::fs::read(auditor.join("eve.heads.cbor")).unwrap();
    let at = bytes.len() - 30;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(auditor.join("forged.heads.cbor"), bytes).unwrap();
    let line = format!(
        "verifier heads import forged.heads.cbor --memory new --policy policy --log {here}"
    );
    assert_ne!(run(&auditor, &line).unwrap().code, 0);
    assert!(!auditor.join("new").exists());
}

fn append_more(story: &mut Story) {
    // Beyond the other side's 37 entries.
    for n in 0..12 {
        std::fs::write(story.at("signer").join(format!("d{n}.txt")), format!("again {n}")).unwrap();
    }
    let files = Story::names(0..12);
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let line = format!(
        "signer sign {} --operator Ada --version 3 --purpose x --passphrase-file passphrase --force",
        list.join(" ")
    );
    story.run("signer", &line).unwrap();
    story.run("signer", "signer export -o more.batch.cbor").unwrap();
    story.carry("signer", "more.batch.cbor", "log").unwrap();
    story.run("log", "log append more.batch.cbor").unwrap();
}

#[test]
fn a_broken_promise_and_a_witness_that_cosigned_twice_are_convicted_by_what_people_hold() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 40).unwrap();
    story.append("monday", 0..10).unwrap();
    // From here the log goes two ways. w1 is copied with it, and so cosigns for both sides.
    let (twin, witness) = (story.at("twin"), story.at("w1-twin"));
    copy(&story.at("log"), &twin).unwrap();
    Story::recover_log(&twin).unwrap();
    copy(&story.at("w1"), &witness).unwrap();
    Story::recover_witness(&witness).unwrap();
    let signer = story.at("signer-twin");
    copy(&story.at("signer"), &signer).unwrap();
    Story::reopen(&signer).unwrap();
    story.round("tuesday", &Story::names(10..20), "1").unwrap();
    let line = "--operator Ada --version 9 --purpose x --passphrase-file passphrase";
    done(&signer, &format!("signer sign d20.txt d21.txt d22.txt {line}"));
    done(&signer, "signer export -o other.batch.cbor");
    copy(&signer.join("other.batch.cbor"), &twin.join("other.batch.cbor")).unwrap();
    done(&twin, "log append other.batch.cbor");
    let cosign = |size: u64| {
        done(&twin, &format!("log witness-request --old {size} -o r.cbor --force"));
        copy(&twin.join("r.cbor"), &witness.join("r.cbor")).unwrap();
        done(&witness, "witness cosign r.cbor -o a.cbor --force");
        copy(&witness.join("a.cbor"), &twin.join("a.cbor")).unwrap();
        run(&twin, "log add-cosignatures a.cbor --policy policy").unwrap();
    };
    cosign(0);

    let (holder, auditor) = (story.at("signer"), story.at("auditor"));
    let (here, there) =
        (story.at("log").join("coldlog-log/public"), twin.join("coldlog-log/public"));
    let kept = format!("verifier promises d10.txt.proof d11.txt.proof --log {}", here.display());
    assert!(done(&holder, &format!("{kept} --policy policy")).starts_with("2 promises are kept"));
    // The side that others see is smaller than what was promised: not yet a contradiction.
    let broken =
        format!("verifier promises d10.txt.proof --log {} --policy policy", there.display());
    let ran = run(&holder, &broken).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("ask why it went back"), "{}", ran.err);
    // It grows past it.
    let files: Vec<String> = Story::names(23..40).iter().map(|f| f.display().to_string()).collect();
    done(&signer, &format!("signer sign {} {line}", files.join(" ")));
    done(&signer, "signer export -o more.batch.cbor");
    copy(&signer.join("more.batch.cbor"), &twin.join("more.batch.cbor")).unwrap();
    done(&twin, "log append more.batch.cbor");
    cosign(15);
    refused(&holder, &broken, "no longer holds what it gave a receipt for");
    let told = done(&holder, "verifier evidence check log.evidence.cbor --policy policy");
    assert!(
        told.contains(
            "convicted: log.example/releases: it gave a receipt for this entry as its entry"
        ),
        "{told}"
    );
    done(&holder, "verifier inspect log.evidence.cbor");

    // Two heads that somebody carries together: the log, and the witness that helped.
    let made = format!(
        "verifier evidence make {}/checkpoint {}/checkpoint --policy policy -o both.evidence.cbor",
        here.display(),
        there.display()
    );
    let ran = run(&auditor, &made).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    done(&auditor, &format!("{made} --log {}", there.display()));
    let told = done(&auditor, "verifier evidence check both.evidence.cbor --policy policy");
    assert!(told.contains("convicted as well") && told.contains("w1.example/witness"), "{told}");
    assert!(!told.contains("w2.example"), "{told}");
    // Of heads that the log did not sign, the witness alone is guilty.
    let text = std::fs::read_to_string(there.join("checkpoint")).unwrap();
    let unsigned: String =
        text.split_inclusive('\n').filter(|line| !line.starts_with("— log.example")).collect();
    std::fs::write(auditor.join("unsigned"), unsigned).unwrap();
    let made = format!(
        "verifier evidence make {}/checkpoint unsigned --policy policy --log {} -o w1.evidence.cbor",
        here.display(),
        there.display()
    );
    done(&auditor, &made);
    let told = done(&auditor, "verifier evidence check w1.evidence.cbor --policy policy");
    assert!(told.starts_with("convicted: w1.example/witness: of log.example/releases, "), "{told}");
    // One history convicts nobody.
    let made = format!(
        "verifier evidence make {}/checkpoint d10.txt.proof --policy policy --log {} -o none",
        here.display(),
        here.display()
    );
    copy(&holder.join("d10.txt.proof"), &auditor.join("d10.txt.proof")).unwrap();
    refused(&auditor, &made, "fit: there is nothing to convict");
}
