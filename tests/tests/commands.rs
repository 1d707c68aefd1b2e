//! Commands and options that the other stories do not come by.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{copy, programs, ran, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    let files: Vec<PathBuf> = (0..4).map(|n| format!("d{n}.txt").into()).collect();
    for file in &files {
        std::fs::write(story.at("signer").join(file), format!("{}", file.display())).unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &files[..2], "1").unwrap();
    story.round("tuesday", &files[2..], "2").unwrap();
    story
}

#[test]
fn a_document_from_stdin_is_signed_to_stdout_and_proven() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let folder = story.at("signer");
    std::fs::write(folder.join("notes"), "some notes").unwrap();
    let file = |name: &str| std::fs::File::open(folder.join(name)).unwrap();
    // The passphrase comes through a descriptor, which a shell opens.
    let line = "exec \"$0\" sign - --name notes --operator Ada --passphrase-fd 3 3< passphrase";
    let signed = Command::new("sh")
        .current_dir(&folder)
        .args(["-c", line])
        .arg(programs().unwrap().join("signer"))
        .stdin(Stdio::from(file("notes")))
        .output()
        .unwrap();
    let signed = ran(&signed);
    assert_eq!(signed.code, 0, "{}", signed.err);
    assert!(signed.err.contains("write down the journal's tail: 6:"), "{}", signed.err);
    assert!(signed.out.starts_with("-----BEGIN SSH SIGNATURE-----\n"), "{}", signed.out);
    std::fs::write(folder.join("notes.sig"), &signed.out).unwrap();

    story.run("signer", "signer export -o notes.batch.cbor").unwrap();
    story.carry("signer", "notes.batch.cbor", "log").unwrap();
    story.run("log", "log append notes.batch.cbor").unwrap();
    story.cosign("notes").unwrap();
    story
        .run("log", "log receipts notes.batch.cbor -o notes.receipts.cbor --policy policy")
        .unwrap();
    story.carry("log", "notes.receipts.cbor", "signer").unwrap();
    let told = story.run("signer", "signer import notes.receipts.cbor --policy policy").unwrap();
    assert!(told.out.contains("1 documents came from stdin"), "{}", told.out);
    let line = "signer import notes.receipts.cbor --policy policy --output-dir proofs";
    story.run("signer", line).unwrap();
    let line =
        "verifier check notes --proof proofs/record-5.proof --signature notes.sig --policy policy";
    story.run("signer", line).unwrap();
    let shown = story.run("signer", "signer show 5").unwrap().out;
    assert!(shown.contains("\"name\": \"notes\""), "{shown}");
}

#[test]
fn a_signed_list_of_checksums_proves_what_it_lists() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let folder = story.at("signer");
    let sum = |text: &str| coldlog_spec::hash::Hash::of(text.as_bytes()).to_hex();
    std::fs::create_dir(folder.join("dist")).unwrap();
    std::fs::write(folder.join("dist/a"), "one").unwrap();
    std::fs::write(folder.join("b"), "two").unwrap();
    let list = format!("{}  dist/a\n{} *b\n", sum("one"), sum("two"));
    std::fs::write(folder.join("SHA256SUMS"), list).unwrap();
    story.round("sums", &["SHA256SUMS".into()], "3").unwrap();
    let line = "verifier check SHA256SUMS --checksums --policy policy";
    story.run("signer", line).unwrap();
    std::fs::write(folder.join("dist/a"), "won").unwrap();
    let caught = story.expect("signer", line, 1).unwrap();
    assert!(caught.err.contains("tampering: dist/a"), "{}", caught.err);
    let answer = story.expect("signer", &format!("{line} --json"), 1).unwrap().out;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let checks = answer["documents"][0]["checks"].as_array().unwrap();
    let failed: Vec<&str> = checks
        .iter()
        .filter(|c| c["result"] == "no")
        .map(|c| c["check"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["each listed file has its sum"]);
    std::fs::remove_file(folder.join("b")).unwrap();
    story.expect("signer", line, 1).unwrap();
}

#[test]
fn a_folder_is_proven_only_when_nothing_in_it_is_left_unchecked() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let folder = story.at("relying").join("dist");
    std::fs::create_dir(&folder).unwrap();
    for name in ["d0.txt", "d1.txt"] {
        for end in ["", ".sig", ".proof"] {
            let name = format!("{name}{end}");
            copy(&story.at("signer").join(&name), &folder.join(&name)).unwrap();
        }
    }
    let line = "verifier check dist --recursive --policy policy --keep-going";
    let all = story.run("relying", line).unwrap();
    assert!(all.out.ends_with("all 2 documents are proven\n"), "{}", all.out);
    for stranger in ["payload.sig", ".coldlog-left", "x.proof"] {
        std::fs::write(folder.join(stranger), "a stranger").unwrap();
        let caught = story.expect("relying", line, 1).unwrap();
        assert!(caught.out.contains(&format!("REFUSED  dist/{stranger}")), "{}", caught.out);
        std::fs::remove_file(folder.join(stranger)).unwrap();
    }
    // What could not be read is told at the check that it stopped.
    let proof = std::fs::read(folder.join("d0.txt.proof")).unwrap();
    std::fs::write(folder.join("d0.txt.proof"), &proof[..40]).unwrap();
    let json = story.expect("relying", "verifier check dist/d0.txt --policy policy --json", 2);
    let json: serde_json::Value = serde_json::from_str(&json.unwrap().out).unwrap();
    let checks = json["documents"][0]["checks"].as_array().unwrap().iter().take(3);
    let results: Vec<&str> = checks.map(|check| check["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["yes", "trouble", "not reached"], "{json}");
    std::fs::write(folder.join("d0.txt.proof"), proof).unwrap();
    // A signature beside a document goes with it: another document's, or none at all, is noticed.
    let own = std::fs::read(folder.join("d0.txt.sig")).unwrap();
    for (other, code) in [(std::fs::read(folder.join("d1.txt.sig")).unwrap(), 1), (b"#!".into(), 2)]
    {
        std::fs::write(folder.join("d0.txt.sig"), other).unwrap();
        let caught = story.expect("relying", line, code).unwrap();
        assert!(caught.out.contains("  dist/d0.txt: "), "{}", caught.out);
    }
    std::fs::write(folder.join("d0.txt.sig"), own).unwrap();
    std::os::unix::fs::symlink("/bin/sh", folder.join("run.sh")).unwrap();
    let caught = story.expect("relying", line, 1).unwrap();
    assert!(caught.out.contains("REFUSED  dist/run.sh"), "{}", caught.out);
    // The signer leaves such things out, and says so.
    let signed = run(&story.at("signer"), &format!(
        "signer sign {} --recursive --operator Ada --version 9 --output-dir out --passphrase-file passphrase",
        folder.display()
    ))
    .unwrap();
    assert_eq!(signed.code, 0, "{}", signed.err);
    assert!(signed.err.contains("run.sh is left out"), "{}", signed.err);
    assert!(signed.out.starts_with("signed 2,"), "{}", signed.out);
}

#[test]
fn a_witness_that_saw_more_answers_409_with_its_size_and_the_log_says_what_to_do() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let line = "witness cosign monday.witness-request.cbor -o stale.witness-response.cbor";
    story.expect("w1", line, 1).unwrap();
    let answer =
        story.run("w1", "verifier inspect stale.witness-response.cbor --json").unwrap().out;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let items = &answer["content"]["items"][0];
    assert_eq!((&items[3], &items[4]), (&409.into(), &"6\n".into()), "{answer}");
    story.carry("w1", "stale.witness-response.cbor", "log").unwrap();
    let line = "log add-cosignatures stale.witness-response.cbor --policy policy";
    let told = story.expect("log", line, 1).unwrap();
    assert!(told.err.contains("log witness-request --old 6"), "{}", told.err);
    // Its memory did not go back.
    assert!(story.run("w1", "witness heads").unwrap().out.contains(" 6 "));
    // Other keys for a log that it watches are not taken in passing.
    let policy = std::fs::read_to_string(story.at("w1").join("policy")).unwrap();
    let one = policy.lines().find(|line| line.starts_with("log ")).unwrap();
    std::fs::write(story.at("w1").join("one"), one).unwrap();
    let refused = story.expect("w1", "witness add-log one", 1).unwrap();
    assert!(refused.err.contains("watched by other keys"), "{}", refused.err);
    story.run("w1", "witness add-log one --replace").unwrap();
    story.run("w1", "witness add-log policy --replace").unwrap();
}

#[test]
fn an_entry_is_proven_by_its_receipt_and_opened_by_its_number() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    story.run("log", "log prove --index 5 -o four.receipt.cbor").unwrap();
    story.carry("log", "four.receipt.cbor", "signer").unwrap();
    story.run("signer", "verifier export d3.txt.proof --statement -o four.statement").unwrap();
    let line = "verifier inclusion four.statement --receipt four.receipt.cbor --policy policy";
    let proven = story.run("signer", line).unwrap();
    assert_eq!(proven.out, "proven: entry 5 of log.example/releases, in the head of size 6\n");
    story.run("signer", "verifier export d2.txt.proof --statement -o three.statement").unwrap();
    let line = "verifier inclusion three.statement --receipt four.receipt.cbor --policy policy";
    story.expect("signer", line, 1).unwrap();

    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let open = "verifier open --log public --identity auditor.key --policy policy";
    let one = story.run("auditor", &format!("{open} --index 5")).unwrap().out;
    assert_eq!(one.lines().count(), 2, "{one}");
    assert!(one.contains("signed d3.txt 2"), "{one}");
    let own =
        story.run("auditor", &format!("{open} --signer signer.example/releases")).unwrap().out;
    assert!(own.ends_with("5 records opened, each is what its statement commits to\n"), "{own}");
    story.expect("auditor", &format!("{open} --signer other.example"), 1).unwrap();
    let signers = story.run("log", "log signers --json").unwrap().out;
    let signers: serde_json::Value = serde_json::from_str(&signers).unwrap();
    assert_eq!(signers["signers"][0]["signer"], "signer.example/releases");

    // An entry that is swapped with its neighbour opens, and is not under the head.
    let path = story.at("auditor").join("public/tile/entries/000.p/6");
    let sealed = story.at("auditor").join("public/sealed/000.p/6");
    for path in [&path, &sealed] {
        let bytes = std::fs::read(path).unwrap();
        let mut entries: Vec<&[u8]> = coldlog_spec::tile::decode_bundle(&bytes, 6).unwrap();
        entries.swap(4, 5);
        let mut swapped = Vec::new();
        entries.iter().for_each(|e| assert!(coldlog_spec::tile::push_entry(&mut swapped, e)));
        std::fs::write(path, swapped).unwrap();
    }
    let caught = story.expect("auditor", &format!("{open} --index 5"), 1).unwrap();
    assert!(caught.err.contains("tampering"), "{}", caught.err);
}

#[test]
fn a_large_batch_that_is_refused_is_not_in_the_way_of_the_next() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let many = story.at("signer").join("many");
    std::fs::create_dir(&many).unwrap();
    for n in 0..300 {
        std::fs::write(many.join(format!("{n}.txt")), n.to_string()).unwrap();
    }
    let line = "signer sign many --recursive --operator Ada --passphrase-file passphrase";
    story.run("signer", line).unwrap();
    story.run("signer", "signer export -o good.batch.cbor").unwrap();
    story.carry("signer", "good.batch.cbor", "log").unwrap();
    // Refused by its last byte, when a whole tile of it is staged already.
    let log = story.at("log");
    let mut bad = std::fs::read(log.join("good.batch.cbor")).unwrap();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(log.join("bad.batch.cbor"), &bad).unwrap();
    std::fs::write(log.join("worse.batch.cbor"), bad).unwrap();
    std::fs::create_dir(log.join("answers")).unwrap();
    let line = "log append bad.batch.cbor good.batch.cbor worse.batch.cbor -o answers --keep-going";
    let told = story.expect("log", line, 1).unwrap();
    assert!(told.out.contains("good.batch.cbor: 300 records appended"), "{}", told.out);
    assert!(told.err.contains("2 of 3 batches were refused"), "{}", told.err);
    assert!(log.join("answers/good.receipts.cbor").exists());
    assert!(!log.join("answers/bad.receipts.cbor").exists());
    story.run("log", "log fsck").unwrap();
}

#[test]
fn each_file_is_named_by_inspect() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    story.run("signer", "verifier export d0.txt.proof --tlog-proof -o d0.tlog-proof").unwrap();
    story.run("signer", "verifier export d0.txt.proof --receipt -o d0.receipt").unwrap();
    let kinds = [
        ("signer", "coldlog-signer/genesis.cbor", "signed statement (a log entry)"),
        ("signer", "coldlog-signer/key.age", "age file"),
        ("signer", "coldlog-signer/signer.pub", "public key"),
        ("signer", "coldlog-signer/minisign.pub", "public key"),
        ("signer", "coldlog-signer/allowed_signers", "public key"),
        ("signer", "monday.batch.cbor", "coldlog-batch"),
        ("signer", "monday.receipts.cbor", "coldlog-receipts"),
        ("signer", "d0.txt.sig", "document signature"),
        ("signer", "d0.txt.proof", "proof"),
        ("signer", "d0.tlog-proof", "offline proof"),
        ("signer", "d0.receipt", "receipt"),
        ("signer", "policy", "policy"),
        ("log", "coldlog-log/log.policy", "lines for a policy"),
        ("log", "coldlog-log/key.age", "a key file that is not encrypted"),
        ("log", "coldlog-log/public/checkpoint", "checkpoint"),
        ("log", "monday.witness-request.cbor", "coldlog-witness-request"),
        ("w1", "coldlog-witness/witness.policy", "lines for a policy"),
        ("w1", "monday-w1.witness-response.cbor", "coldlog-witness-response"),
        ("auditor", "auditor.key", "age identity file"),
    ];
    for (role, file, kind) in kinds {
        let told = story.run(role, &format!("verifier inspect {file}")).unwrap().out;
        assert!(told.starts_with(kind), "{file}: {told}");
        assert!(!told.contains("AGE-SECRET-KEY-1"), "{file}");
        let json = story.run(role, &format!("verifier inspect {file} --json")).unwrap().out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["kind"].as_str().unwrap().starts_with(kind), "{file}: {json}");
    }
}

#[test]
fn every_command_has_a_long_help_with_an_example() {
    for program in ["signer", "log", "witness", "mirror", "verifier"] {
        let help = run(Path::new("."), &format!("{program} help")).unwrap();
        let listed = help.out.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
        let commands: Vec<&str> = listed
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .collect();
        assert!(commands.len() >= 4, "{program}: {commands:?}");
        for command in commands {
            let command = match (program, command) {
                (_, "evidence") => "evidence check",
                ("verifier", "heads") => "heads export",
                (_, "policy") => "policy check",
                ("signer", "shares") => "shares make",
                (_, other) => other,
            };
            let help = run(Path::new("."), &format!("{program} {command} --help")).unwrap();
            assert_eq!(help.code, 0, "{program} {command}");
            assert!(
                help.out.contains("Example"),
                "{program} {command} has no example:\n{}",
                help.out
            );
            assert!(help.out.contains(&format!("  {program} {command}")), "{program} {command}");
        }
    }
}
