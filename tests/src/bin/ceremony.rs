//! `cargo ceremony [FOLDER]`: the whole story on real files, with the four real programs.

use anyhow::{Context, Result, ensure};
use coldlog_tests::story::{Story, WITNESSES, documents};
use coldlog_tests::{copy, typed, with_suffix, write_private};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    if arguments.next().is_some()
        || folder.as_ref().is_some_and(|f| f.to_string_lossy().starts_with('-'))
    {
        eprintln!(
            "usage: cargo ceremony [FOLDER]\n\nPlays signer, log, witnesses, auditor and relying party on the documents in FOLDER\n(by default this repository's own files), each in a folder of its own."
        );
        return ExitCode::from(2);
    }
    match ceremony(folder.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ceremony: {why:#}");
            ExitCode::from(1)
        }
    }
}

fn ceremony(folder: Option<&Path>) -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?;
    let folder = folder.unwrap_or(repository);
    let found = documents(folder)?;
    let base =
        std::env::var_os("COLDLOG_CEREMONY_DIR").map_or("coldlog-ceremony".into(), PathBuf::from);
    std::fs::create_dir_all(&base)?;
    // A new folder each time: a second run never meets the first.
    let stage = tempfile::Builder::new().prefix("run-").tempdir_in(&base)?.keep();
    let mut story = Story::new(&stage, true, 16)?;
    println!("The stage is {}: a folder for each machine.", stage.display());

    let place = story.at("signer").join("documents");
    for file in &found {
        copy(&folder.join(file), &place.join(file))?;
    }
    let mut files: Vec<PathBuf> =
        found.iter().map(|file| Path::new("documents").join(file)).collect();
    if (files.len() + 2).is_power_of_two() {
        // A consistency path from a complete subtree does not hold its root, so that the second
        // attack would be refused but not convict: one document more tells the whole story.
        std::fs::write(place.join("ceremony.txt"), "Signed in a ceremony of Coldlog.\n")?;
        files.push("documents/ceremony.txt".into());
    }
    story.set_up()?;
    let (monday, tuesday) = files.split_at(files.len() / 2);
    story.round("monday", monday, "1.0")?;
    // What a dishonest log will go back to, in the second attack.
    copy(&story.at("log"), &story.at("evil-log"))?;
    Story::recover_log(&story.at("evil-log"))?;
    let tail = story.round("tuesday", tuesday, "1.1")?;

    story.tell("\n== The log grew without rewriting anything");
    // Before the documents: the log's rules, and the genesis.
    let first = monday.len() + 2;
    let total = files.len() + 2;
    story.run("log", &format!("log prove --consistency {first} -o growth.receipt.cbor"))?;
    copy(
        &story
            .at("log")
            .join("coldlog-log/public")
            .join(coldlog_spec::tile::head_path(first as u64)),
        &story.at("log").join("monday.checkpoint"),
    )?;
    copy(
        &story.at("log").join("coldlog-log/public/checkpoint"),
        &story.at("log").join("tuesday.checkpoint"),
    )?;
    for file in ["growth.receipt.cbor", "monday.checkpoint", "tuesday.checkpoint"] {
        story.carry("log", file, "auditor")?;
    }
    story.run("auditor", "verifier consistency monday.checkpoint tuesday.checkpoint --receipt growth.receipt.cbor --policy policy")?;

    story.tell("\n== A relying party, offline, with the documents, their proofs and the policy");
    story.carry("signer", "documents", "relying")?;
    story.carry("signer", "coldlog-signer/signer.pub", "relying")?;
    let sample = files.first().context("a document")?;
    let signature = typed(&with_suffix(sample, "sig"));
    let victim = story.at("relying").join(sample);
    let sample = typed(sample);
    story.run(
        "relying",
        &format!(
            "verifier check {sample} --policy policy --signature {signature} --signer signer.pub"
        ),
    )?;
    story.run(
        "relying",
        "verifier check documents --recursive --policy policy --signer signer.pub",
    )?;

    story.tell("\n== The auditor, with a copy of the published log");
    story.run("log", "log fsck")?;
    story.carry("log", "coldlog-log/public", "auditor")?;
    story.run(
        "auditor",
        &format!("verifier completeness --log public --policy policy --at-least {tail}"),
    )?;
    story.run("auditor", "verifier open --log public --identity auditor.key --policy policy")?;
    for witness in WITNESSES {
        let memory = walk_to(&story.at(witness).join("coldlog-witness/logs"), "checkpoint")?;
        copy(&memory, &story.at("auditor").join(format!("{witness}.checkpoint")))?;
    }
    story.run("auditor", "verifier cross-check w1.checkpoint w2.checkpoint w3.checkpoint monday.checkpoint --log public --policy policy")?;

    println!("\n== Attack 1: a document is changed by one byte");
    let mut bytes = std::fs::read(&victim)?;
    match bytes.first_mut() {
        Some(byte) => *byte ^= 1,
        None => bytes.push(b'!'),
    }
    std::fs::write(&victim, bytes)?;
    let caught = story.expect("relying", &format!("verifier check {sample} --policy policy"), 1)?;
    ensure!(caught.err.contains("tampering"), "the change is named");

    println!(
        "\n== Attack 2: the log goes back to Monday, takes another signer's records, and asks a witness"
    );
    std::fs::create_dir_all(story.at("evil-signer"))?;
    copy(&story.at("signer").join("documents"), &story.at("evil-signer").join("documents"))?;
    write_private(&story.at("evil-signer").join("passphrase"), "another\n")?;
    let recipient = story.run("evil-signer", "verifier identity -o own.key")?.out;
    let made = story.run("evil-signer", &format!("signer init --name evil.example/signer --operator Eve --auditor {} --scrypt-log-n 10 --passphrase-file passphrase", recipient.trim()))?;
    let fingerprint = made.out.lines().find_map(|line| line.strip_prefix("fingerprint  "));
    let fingerprint = fingerprint.context("a fingerprint")?.to_owned();
    story.run("evil-signer", "signer sign documents --recursive --force --operator Eve --version 6 --purpose rewriting --passphrase-file passphrase")?;
    story.run("evil-signer", "signer export -o evil.batch.cbor")?;
    story.carry("evil-signer", "evil.batch.cbor", "evil-log")?;
    story.carry("evil-signer", "coldlog-signer/genesis.cbor", "evil-log")?;
    story.run("evil-log", &format!("log allow genesis.cbor --fingerprint {fingerprint}"))?;
    story.run("evil-log", "log append evil.batch.cbor")?;
    story.run(
        "evil-log",
        &format!("log witness-request --old {total} -o evil.witness-request.cbor"),
    )?;
    story.carry("evil-log", "evil.witness-request.cbor", "w1")?;
    story.expect(
        "w1",
        "witness cosign evil.witness-request.cbor -o evil.witness-response.cbor",
        1,
    )?;
    story.carry("w1", "log.evidence.cbor", "auditor")?;
    story.run("auditor", "verifier evidence check log.evidence.cbor --policy policy")?;

    println!("\n== Attack 3: an operator signs a document, and withholds the record");
    std::fs::write(story.at("signer").join("secret.txt"), "payable to the bearer\n")?;
    let after = story.sign("secret", &[PathBuf::from("secret.txt")], "1")?;
    story.carry("signer", "secret.txt", "relying")?;
    story.carry("signer", "secret.txt.sig", "relying")?;
    story.expect(
        "relying",
        "verifier check secret.txt --signature secret.txt.sig --policy policy",
        1,
    )?;
    let caught = story.expect(
        "auditor",
        &format!("verifier completeness --log public --policy policy --at-least {after}"),
        1,
    )?;
    ensure!(caught.err.contains("withheld"), "the gap is named");

    println!(
        "\nProven: {} documents signed in 2 batches, each logged ({} entries) and vouched for by {} witnesses; 1 history, 0 records missing; 3 attacks tried, 3 caught; {} commands run. Look around in {}",
        files.len(),
        total,
        WITNESSES.len(),
        story.commands,
        stage.display()
    );
    Ok(())
}

fn walk_to(folder: &Path, name: &str) -> Result<PathBuf> {
    let found = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let found = found.map(|entry| entry.into_path()).find(|path| path.ends_with(name));
    found.with_context(|| format!("no {name} below {}", folder.display()))
}
