//! A rehearsal goes as in earnest, and nothing real takes anything of it, nor it anything real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::{copy, run};
use std::path::Path;

/// Two documents signed and proven, and a third one signed, with its batch.
fn told(stage: &Path, rehearsal: bool) -> Story {
    std::fs::create_dir_all(stage).unwrap();
    let mut story = Story::new(stage, false, 10).unwrap();
    story.rehearsal = rehearsal;
    for name in Story::names(0..3) {
        std::fs::write(story.at("signer").join(&name), name.display().to_string()).unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    story.sign("tuesday", &Story::names(2..3), "1").unwrap();
    story.run("signer", "signer export -o tuesday.batch.cbor").unwrap();
    story
}

/// Brings a file of the other story onto one of this story's machines, as `other-NAME`.
fn bring(other: &Story, role: &str, file: &str, to: &Path) -> String {
    let name = Path::new(file).file_name().unwrap().to_string_lossy().into_owned();
    let name = format!("other-{name}");
    copy(&other.at(role).join(file), &to.join(&name)).unwrap();
    name
}

#[test]
fn a_rehearsal_goes_as_in_earnest_and_says_on_each_line_what_it_is() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(&stage.path().join("rehearsal"), true);
    let told = story.run("signer", "signer status").unwrap();
    assert!(told.out.starts_with("REHEARSAL 4 records; tail 4:"), "{}", told.out);
    let loudly = "REHEARSAL: rehearsal.invalid/signer.example/releases: nothing real takes";
    assert!(told.err.starts_with(loudly), "{}", told.err);
    for (role, line, name) in
        [("log", "log head", "log.example/releases"), ("w2", "witness heads", "w2.example/witness")]
    {
        let told = story.run(role, line).unwrap();
        let loudly = format!("REHEARSAL: rehearsal.invalid/{name}: ");
        assert!(told.err.starts_with(&loudly), "{line}: {}", told.err);
    }
    for end in ["", ".sig", ".proof"] {
        story.carry("signer", &format!("d0.txt{end}"), "relying").unwrap();
        story.carry("signer", &format!("d1.txt{end}"), "relying").unwrap();
    }
    // Whoever does not ask for a rehearsal never gets a yes, and is told why.
    for line in ["d0.txt", "d0.txt d1.txt --keep-going", "d0.txt --json"] {
        let line = format!("verifier check {line} --policy policy");
        let refused = story.expect("relying", &line, 1).unwrap();
        let all = format!("{}{}", refused.out, refused.err);
        let why = "REHEARSAL: rehearsal.invalid/log.example/releases is of a rehearsal: whatever this proves, nothing real was signed";
        assert!(all.contains(why), "{line}: {all}");
        assert!(!refused.out.contains("proven:") && !refused.out.contains("\"yes\""), "{all}");
    }
    let proven = "verifier check d0.txt --policy policy --rehearsal";
    let proven = story.run("relying", proven).unwrap();
    assert!(proven.out.starts_with("REHEARSAL proven: d0.txt\n"), "{}", proven.out);
    let many = "verifier check d0.txt d1.txt --policy policy --rehearsal";
    let many = story.run("relying", many).unwrap().out;
    assert!(many.lines().all(|line| line.starts_with("REHEARSAL ")), "{many}");
    let json = story.run("relying", "verifier check d0.txt --policy policy --rehearsal --json");
    let json: serde_json::Value = serde_json::from_str(&json.unwrap().out).unwrap();
    assert_eq!(json["documents"][0]["rehearsal"], true);
    // The mark is in the bytes of what leaves.
    for file in ["d0.txt.proof", "monday.batch.cbor", "coldlog-signer/genesis.cbor", "policy"] {
        let bytes = std::fs::read(story.at("signer").join(file)).unwrap();
        let mark = b"rehearsal.invalid/";
        assert!(bytes.windows(mark.len()).any(|window| window == mark), "{file}");
    }
}

#[test]
fn nothing_real_takes_a_rehearsals_files_nor_a_rehearsal_real_ones() {
    let stage = tempfile::tempdir().unwrap();
    let mut real = told(&stage.path().join("real"), false);
    let mut practised = told(&stage.path().join("practised"), true);
    refuses_all_of(&mut real, &practised);
    refuses_all_of(&mut practised, &real);
}

// Every file that goes from one party to another, brought to the other story's party.
fn refuses_all_of(own: &mut Story, other: &Story) {
    let (log, signer, w1) = (own.at("log"), own.at("signer"), own.at("w1"));
    let (relying, auditor) = (own.at("relying"), own.at("auditor"));
    let no = |folder: &Path, line: &str, why: &str| {
        let ran = run(folder, line).unwrap();
        let all = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == 1 || ran.code == 2, "{line}: exit code {}\n{all}", ran.code);
        assert!(all.contains(why), "{line}\nexpected {why:?}, found\n{all}");
    };
    const MIXED: &str = "nothing real takes what a rehearsal made";
    let state = |own: &Story| {
        let head = run(&own.at("log"), "log head").unwrap().out;
        let watched = run(&own.at("w1"), "witness list").unwrap().out;
        (head, watched, run(&own.at("signer"), "signer status").unwrap().out)
    };
    let before = state(own);

    // The log: genesis, rules, batch, cosignatures, policy.
    let genesis = bring(other, "signer", "coldlog-signer/genesis.cbor", &log);
    let signers = run(&other.at("log"), "log signers --json").unwrap().out;
    let signers: serde_json::Value = serde_json::from_str(&signers).unwrap();
    let fingerprint = signers["signers"][0]["genesis"].as_str().unwrap();
    no(&log, &format!("log allow {genesis} --fingerprint {fingerprint}"), MIXED);
    let rules = run(&other.at("log"), "log rules").unwrap().out;
    std::fs::write(log.join("other-rules"), rules).unwrap();
    no(&log, "log set-rules other-rules", MIXED);
    let batch = bring(other, "signer", "tuesday.batch.cbor", &log);
    no(&log, &format!("log append {batch}"), "may not write to this log");
    let policy = bring(other, "log", "policy", &log);
    let answers: Vec<String> = WITNESSES
        .iter()
        .map(|w| bring(other, "log", &format!("monday-{w}.witness-response.cbor"), &log))
        .collect();
    let add = format!("log add-cosignatures {} --policy", answers.join(" "));
    no(&log, &format!("{add} {policy}"), "");
    // Under the own policy the head is cosigned already; the strangers' lines are not taken.
    let other_witness = other.named("w1.example/witness");
    let ran = run(&log, &format!("{add} policy")).unwrap();
    assert!(ran.code != 0 || !ran.out.contains(&format!(" {other_witness}/")), "{}", ran.out);
    let receipts = "log receipts monday.batch.cbor -o other.receipts.cbor";
    no(&log, &format!("{receipts} --policy {policy}"), "");

    // The witness: a log's lines, a list of logs, a request.
    let lines = bring(other, "log", "coldlog-log/log.policy", &w1);
    no(&w1, &format!("witness add-log {lines}"), MIXED);
    let request = bring(other, "log", "monday.witness-request.cbor", &w1);
    let cosign = format!("witness cosign {request} -o other.witness-response.cbor");
    no(&w1, &cosign, "does not watch the log");
    // Not even where it was made to watch that log, by hand or by an older program.
    let origin = other.named("log.example/releases");
    let folder = coldlog_spec::hash::Hash::of(origin.as_bytes()).to_hex();
    let watched = Path::new("coldlog-witness/logs").join(folder);
    copy(&other.at("w1").join(&watched).join("log"), &w1.join(&watched).join("log")).unwrap();
    no(&w1, &cosign.replace("other.w", "other-2.w"), MIXED);
    std::fs::remove_dir_all(w1.join(&watched)).unwrap();

    // The signer: receipts, and policies.
    let receipts = bring(other, "log", "monday.receipts.cbor", &signer);
    let policy = bring(other, "log", "policy", &signer);
    for (receipts, policy) in
        [(receipts.as_str(), "policy"), (&receipts, &policy), ("monday.receipts.cbor", &policy)]
    {
        no(&signer, &format!("signer import {receipts} --policy {policy} --force"), "");
    }

    // The relying party and the auditor: documents, proofs, logs.
    for end in ["", ".proof", ".sig"] {
        bring(other, "signer", &format!("d0.txt{end}"), &relying);
        copy(&own.at("signer").join(format!("d1.txt{end}")), &relying.join(format!("d1.txt{end}")))
            .unwrap();
    }
    let others = "other-d0.txt --proof other-d0.txt.proof --signature other-d0.txt.sig";
    let policy = bring(other, "log", "policy", &relying);
    for asked in ["", " --rehearsal"] {
        no(&relying, &format!("verifier check {others} --policy policy{asked}"), "");
        no(&relying, &format!("verifier check d1.txt --policy {policy}{asked}"), "");
    }
    let as_asked = if own.rehearsal { "" } else { " --rehearsal" };
    no(&relying, &format!("verifier check d1.txt --policy policy{as_asked}"), "ehearsal");
    let public = bring(other, "log", "coldlog-log/public", &auditor);
    for line in ["completeness", "open --identity auditor.key"] {
        no(&auditor, &format!("verifier {line} --log {public} --policy policy"), "");
    }
    no(&auditor, &format!("verifier cross-check {public}/checkpoint --policy policy"), "");

    // A policy of both is no policy, whoever reads it: the other's witnesses under the own log, and so on.
    let read = |story: &Story| std::fs::read_to_string(story.at("log").join("policy")).unwrap();
    let (own_lines, other_lines) = (read(own), read(other));
    let own_logs: String = own_lines
        .lines()
        .filter(|line| line.starts_with("log "))
        .map(|l| format!("{l}\n"))
        .collect();
    let without = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with("log ")).map(|l| format!("{l}\n")).collect()
    };
    let other_logs: String = other_lines
        .lines()
        .filter(|line| line.starts_with("log "))
        .map(|line| format!("{line}\n"))
        .collect();
    for mixed in [
        format!("{own_logs}{}", without(&other_lines)),
        format!("{own_logs}{other_lines}"),
        format!("{other_logs}{own_lines}"),
    ] {
        for (folder, line) in [
            (&relying, "verifier check d1.txt --policy mixed"),
            (&relying, "verifier policy check mixed"),
            (&signer, "signer import monday.receipts.cbor --policy mixed"),
            (&log, "log receipts monday.batch.cbor -o mixed.receipts.cbor --policy mixed"),
        ] {
            std::fs::write(folder.join("mixed"), &mixed).unwrap();
            no(folder, line, MIXED);
        }
    }
    std::fs::write(w1.join("mixed"), format!("{own_logs}{other_logs}")).unwrap();
    no(&w1, "witness add-log mixed", MIXED);
    // Nor is a history of both.
    std::fs::write(relying.join("one"), &own_lines).unwrap();
    std::fs::write(relying.join("two"), &other_lines).unwrap();
    copy(&own.at("log").join("coldlog-log/public/checkpoint"), &relying.join("last")).unwrap();
    no(&relying, "verifier policy extend one two --last last -o history", MIXED);

    assert_eq!(state(own), before, "nothing was taken");
}

#[test]
fn a_rehearsals_name_is_only_for_rehearsals() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(&stage.path().join("practised"), true);
    let auditor = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let auditor = auditor.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let signer = format!(
        "signer --home real init --operator Ada --auditor {auditor} --scrypt-log-n 10 --passphrase-file passphrase --name"
    );
    for (role, line) in [
        ("signer", signer.as_str()),
        ("log", "log --home real init --unencrypted --origin"),
        ("w1", "witness --home real init --unencrypted --name"),
        ("w1", "mirror --home real init --unencrypted --name"),
    ] {
        for name in ["rehearsal.invalid/x.example/x", "Rehearsal.INVALID/x", "rehearsal.invalid"] {
            let refused = story.expect(role, &format!("{line} {name}"), 1).unwrap();
            assert!(refused.err.contains("say --rehearsal to practise"), "{}", refused.err);
        }
    }
    // A key that signs in earnest is never practised with.
    let line = format!("{signer} x.example --rehearsal --import-ssh-key key");
    assert!(story.expect("signer", &line, 2).unwrap().err.contains("cannot be used with"));
}
