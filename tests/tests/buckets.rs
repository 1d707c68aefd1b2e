//! A log on an object store, by the real binaries and a server that speaks S3: the whole way from a batch
//! to proofs, and two machines that write one log while they are killed at random.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::buckets::{command, done, moved_to_a_bucket, serve, with};
use coldlog_tests::server;
use coldlog_tests::story::Story;
use coldlog_tests::{copy, write_private};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_log_in_a_bucket_does_all_that_one_in_a_folder_does() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 301).unwrap();
    let server = serve(&stage.path().join("s3"));
    moved_to_a_bucket(&story, &server);
    let log = story.at("log");
    for (name, files) in [("monday", Story::names(0..150)), ("tuesday", Story::names(150..300))] {
        story.sign(name, &files, "1").unwrap();
        story.run("signer", &format!("signer export -o {name}.batch.cbor")).unwrap();
        story.carry("signer", &format!("{name}.batch.cbor"), "log").unwrap();
        let told = done(&server, &log, &format!("log append {name}.batch.cbor"));
        assert!(told.contains("were there already"), "{told}");
        done(&server, &log, &format!("log witness-request -o {name}.request.cbor"));
        for witness in ["w1", "w2"] {
            story.carry("log", &format!("{name}.request.cbor"), witness).unwrap();
            let answer = format!("{name}-{witness}.cbor");
            let line = format!("witness cosign {name}.request.cbor -o {answer}");
            story.run(witness, &line).unwrap();
            story.carry(witness, &answer, "log").unwrap();
        }
        let line = format!("log add-cosignatures {name}-w1.cbor {name}-w2.cbor --policy policy");
        done(&server, &log, &line);
        let receipts = format!("{name}.receipts.cbor");
        let line = format!("log receipts {name}.batch.cbor -o {receipts} --policy policy");
        done(&server, &log, &line);
        story.carry("log", &receipts, "signer").unwrap();
        story.run("signer", &format!("signer import {receipts} --policy policy")).unwrap();
    }
    let told = done(&server, &log, "log append tuesday.batch.cbor");
    assert!(told.contains("0 records appended, 150 were there already"), "{told}");
    done(&server, &log, "log fsck");
    // What is in the bucket is a published log, and nothing is left of the staging.
    let public = stage.path().join("s3/bucket/log");
    assert!(public.join("tile/0/000").is_file() && public.join("heads/302").is_file());
    copy(&public, &story.at("auditor").join("public")).unwrap();
    story.run("auditor", "verifier completeness --log public --policy policy").unwrap();
    // Auditors read it where it is, its published heads included.
    let auditor = story.at("auditor");
    let line = "verifier audit --log s3://bucket/log --policy policy";
    let told = done(&server, &auditor, line);
    assert!(told.contains("audited: entries 0 to 302 of"), "{told}");
    let line = "verifier completeness --log s3://bucket/log --policy policy";
    let told = done(&server, &auditor, line);
    assert!(told.contains("signer.example/releases"), "{told}");
    let head = std::fs::read(public.join("heads/152")).unwrap();
    std::fs::write(public.join("heads/152"), "no head").unwrap();
    let told = with(&server, &auditor, "verifier audit --log s3://bucket/log --policy policy");
    assert_eq!(told.code, 1, "{}", told.err);
    assert!(told.out.contains("head-malformed  heads/152"), "{}{}", told.out, told.err);
    std::fs::write(public.join("heads/152"), head).unwrap();
    let staged = walkdir::WalkDir::new(public.join("staging")).into_iter().flatten();
    assert_eq!(staged.filter(|entry| entry.file_type().is_file()).count(), 0);

    // A machine that is new to it, a backup, a drill, a restore into another bucket.
    std::fs::create_dir_all(log.join("second")).unwrap();
    std::fs::copy(log.join("coldlog-log/key.age"), log.join("second/key.age")).unwrap();
    done(&server, &log, "log --home second join --store s3://bucket/log");
    assert!(done(&server, &log, "log --home second head").contains("\n302\n"));
    done(&server, &log, "log backup s3://bucket/backup");
    let told = done(&server, &log, "log drill s3://bucket/backup");
    assert!(told.contains("302 entries came back"), "{told}");
    let line = "log --home third restore s3://bucket/backup --store s3://bucket/third --key coldlog-log/key.age";
    done(&server, &log, line);
    done(&server, &log, "log --home third fsck");
    // What lies beyond the head may be what another machine has just put there.
    std::fs::write(public.join("tile/0/009"), "another's newest").unwrap();
    let gone = done(&server, &log, "log gc");
    assert!(public.join("tile/0/009").is_file());
    std::fs::remove_file(public.join("tile/0/009")).unwrap();
    assert!(gone.contains("files that nothing needs"), "{gone}");
    done(&server, &log, "log fsck");

    // Records are sealed anew there, too, and no older copy of them is left, staged ones included.
    copy(&story.at("auditor").join("auditor.key"), &log.join("auditor.key")).unwrap();
    let new = done(&server, &log, "verifier identity -o new.key");
    copy(&public.join("checkpoint"), &log.join("newest")).unwrap();
    done(&server, &log, "log --home third recover --newest newest");
    let line = "log --home third reseal --identity auditor.key --by Ada --from 254 --to 258";
    done(&server, &log, &format!("{line} --auditor {}", new.trim()));
    done(&server, &log, "log --home third fsck");
    let third = stage.path().join("s3/bucket/third");
    for (index, code) in [(253, 1), (254, 0), (257, 0), (258, 1)] {
        let public = third.display();
        let line = format!(
            "verifier open --log {public} --identity new.key --policy alone --index {index}"
        );
        let lines = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
        std::fs::write(log.join("alone"), format!("{lines}quorum none\n")).unwrap();
        let ran = with(&server, &log, &line);
        assert_eq!(ran.code, code, "{index}: {}{}", ran.out, ran.err);
    }
    assert!(!third.join("sealed/001.p/46").exists());

    // Whoever can write into the bucket cannot make the log sign: a head must be its own.
    let line = "log --home forged init --origin log.example/releases --store s3://bucket/forged --unencrypted";
    done(&server, &log, line);
    let own = std::fs::read(public.join("sequencer")).unwrap();
    std::fs::copy(stage.path().join("s3/bucket/forged/sequencer"), public.join("sequencer"))
        .unwrap();
    let ran = with(&server, &log, "log append tuesday.batch.cbor");
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("the store was restored in part"), "{}", ran.err);
    let line = "log --home third append tuesday.batch.cbor";
    std::fs::copy(
        stage.path().join("s3/bucket/forged/sequencer"),
        stage.path().join("s3/bucket/third/sequencer"),
    )
    .unwrap();
    std::fs::copy(
        stage.path().join("s3/bucket/forged/checkpoint"),
        stage.path().join("s3/bucket/third/checkpoint"),
    )
    .unwrap();
    let ran = with(&server, &log, line);
    assert_eq!(ran.code, 1, "{}", ran.out);
    std::fs::write(public.join("sequencer"), own).unwrap();
    done(&server, &log, "log append tuesday.batch.cbor");

    // A bucket that went back is known by the machine that signed in it.
    let kept = stage.path().join("kept");
    copy(&public, &kept).unwrap();
    story.sign("more", &Story::names(300..301), "2").unwrap();
    story.run("signer", "signer export -o more.batch.cbor").unwrap();
    story.carry("signer", "more.batch.cbor", "log").unwrap();
    done(&server, &log, "log append more.batch.cbor");
    std::fs::remove_dir_all(&public).unwrap();
    copy(&kept, &public).unwrap();
    let ran = with(&server, &log, "log append more.batch.cbor");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("signed a head of size 303"), "{}", ran.err);
}

// A few numbers that look random, from a seed.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn two_machines_that_are_killed_at_random_write_one_history() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 60).unwrap();
    let server = serve(&stage.path().join("s3"));
    moved_to_a_bucket(&story, &server);
    let log = story.at("log");
    // Each machine has a signer of its own; both also get one batch twice.
    write_private(&log.join("passphrase"), "twelve\n").unwrap();
    let made = done(
        &server,
        &log,
        "signer --home twin init --name twin.example --operator Eve --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --scrypt-log-n 10 --passphrase-file passphrase",
    );
    let print = made.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    done(&server, &log, &format!("log allow twin/genesis.cbor --fingerprint {print}"));
    let second = stage.path().join("second");
    std::fs::create_dir_all(second.join("coldlog-log")).unwrap();
    std::fs::copy(log.join("coldlog-log/key.age"), second.join("coldlog-log/key.age")).unwrap();
    done(&server, &second, "log join --store s3://bucket/log");

    let mut batches = Vec::new();
    for n in 0..6 {
        let name = format!("b{n}");
        story.sign(&name, &Story::names(n * 10..n * 10 + 10), "1").unwrap();
        let from = if n == 0 { 0 } else { 1 + n * 10 };
        let line = format!("signer export --from {from} -o {name}.batch.cbor");
        story.run("signer", &line).unwrap();
        std::fs::write(log.join(format!("t{n}")), n.to_string()).unwrap();
        done(
            &server,
            &log,
            &format!("signer --home twin sign t{n} --operator Eve --passphrase-file passphrase"),
        );
        let from = if n == 0 { 0 } else { 1 + n };
        let line = format!("signer --home twin export --from {from} -o twin{n}.batch.cbor");
        done(&server, &log, &line);
        copy(
            &story.at("signer").join(format!("{name}.batch.cbor")),
            &second.join(format!("{name}.batch.cbor")),
        )
        .unwrap();
        copy(&log.join(format!("twin{n}.batch.cbor")), &second.join(format!("twin{n}.batch.cbor")))
            .unwrap();
        batches.push(format!("{name}.batch.cbor"));
    }
    let twins: Vec<String> = (0..6).map(|n| format!("twin{n}.batch.cbor")).collect();
    let (mut seed, mut kills) = (7, 0);
    let mut left = [batches, twins];
    for (folder, list) in [&log, &second].iter().zip(&mut left) {
        // The first machine has the signer's batches, the second the twin's.
        list.iter().for_each(|batch| {
            let from = second.join(batch);
            if !folder.join(batch).exists() {
                copy(&from, &folder.join(batch)).unwrap();
            }
        });
    }
    // Each is killed within a span, in microseconds, that is quartered by each that came to its end and
    // grows with each that did not: however fast the machine, both happen, and kills more often.
    let mut spans = [20_000, 20_000];
    let mut turns = 0;
    while left.iter().any(|list| !list.is_empty()) {
        turns += 1;
        assert!(turns < 400, "no end: {left:?}");
        let mut running: Vec<(usize, Child)> = Vec::new();
        for (machine, folder) in [&log, &second].iter().enumerate() {
            let Some(batch) = left[machine].first() else { continue };
            let mut command = command(&server, folder, &format!("log append {batch}"));
            let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            running.push((machine, child));
        }
        for (machine, mut child) in running {
            std::thread::sleep(Duration::from_micros(next(&mut seed) % spans[machine]));
            let _ = child.kill();
            let status = child.wait_with_output().unwrap();
            match status.status.code() {
                Some(0) => {
                    left[machine].remove(0);
                    spans[machine] = (spans[machine] / 4).max(1000);
                }
                None => {
                    kills += 1;
                    spans[machine] += spans[machine] / 2;
                }
                Some(_) => panic!("{}", String::from_utf8_lossy(&status.stderr)),
            }
        }
    }
    println!("{kills} kills");
    assert!(kills >= 12, "only {kills} kills");
    // All of it again, from the other side: nothing is new.
    for n in 0..6 {
        let told = done(&server, &second, &format!("log append b{n}.batch.cbor"));
        assert!(told.contains(": 0 records appended"), "{told}");
        let told = done(&server, &log, &format!("log append twin{n}.batch.cbor"));
        assert!(told.contains(": 0 records appended"), "{told}");
    }
    done(&server, &log, "log fsck");
    done(&server, &log, "log gc");
    done(&server, &second, "log fsck");
    // 61 records of one signer, 7 of the other, and two versions of the log's rules.
    let public = stage.path().join("s3/bucket/log");
    let entries = std::fs::read(public.join("tile/entries/000.p/70")).unwrap();
    let entries = coldlog_spec::tile::decode_bundle(&entries, 70).unwrap();
    assert_eq!(entries.iter().collect::<BTreeSet<_>>().len(), 70);
}

#[test]
fn two_servers_on_one_bucket_take_any_statement_in_turn() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 24).unwrap();
    let bucket = serve(&stage.path().join("s3"));
    moved_to_a_bucket(&story, &bucket);
    let (log, second) = (story.at("log"), stage.path().join("second"));
    std::fs::create_dir_all(second.join("coldlog-log")).unwrap();
    std::fs::copy(log.join("coldlog-log/key.age"), second.join("coldlog-log/key.age")).unwrap();
    done(&bucket, &second, "log join --store s3://bucket/log");
    story.sign("all", &Story::names(0..24), "1").unwrap();
    story.run("signer", "signer export --each -o each").unwrap();
    let environment: Vec<(&str, &str)> =
        bucket.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let rate = "--rate 100000";
    let servers = [&log, &second].map(|folder| server::serve(folder, rate, &environment));
    let body =
        |n: usize| std::fs::read(story.at("signer").join(format!("each/{n:06}.cose"))).unwrap();
    let (first, over) = (body(0), AtomicBool::new(false));
    assert_eq!(servers[0].post(&first).status, 201);
    std::thread::scope(|scope| {
        // Both are busy all the time, so neither gives the log up and opens it anew between two statements.
        for server in &servers {
            let (first, over) = (&first, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(server.post(first).status, 201);
                }
            });
        }
        for n in 1..=24 {
            // Each machine has just moved the head under the other; and either knows what the other has.
            let reply = servers[n % 2].post(&body(n));
            if reply.status != 201 {
                over.store(true, Ordering::Relaxed);
            }
            assert_eq!(reply.status, 201, "{n}: {reply:?}");
            assert_eq!(reply.header("location"), Some(format!("/entries/{}", n + 1).as_str()));
            assert_eq!(servers[(n + 1) % 2].get(&format!("/entries/{}", n + 1)).status, 200);
        }
        over.store(true, Ordering::Relaxed);
    });
    drop(servers);
    done(&bucket, &second, "log fsck");
    let head = done(&bucket, &log, "log head");
    assert_eq!(head.lines().nth(1), Some("26"));
}
