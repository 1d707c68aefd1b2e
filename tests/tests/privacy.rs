//! What a curious log, a witness, or whoever finds the stick cannot learn: who signed, what, why and
//! where, and whether two records are of one document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::seal;
use coldlog_spec::hash::Hash;
use coldlog_spec::record::{Disclosure, Operation};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::decode_bundle;
use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::write_private;
use std::collections::HashSet;
use std::path::Path;

// Unlikely strings: none occurs by chance, and no two share a part that a search could confuse.
const OPERATOR: &str = "Xanthippe-Quorlby";
const SECOND_OPERATOR: &str = "Wulfgang-Zemblit";
const NAME: &str = "vexing-jukebox-firmware.bin";
const TWIN_NAME: &str = "glyphic-twin-of-it.bin";
const VERSION: &str = "77.13-brimstone";
const PURPOSE: &str = "appease-Mxyzptlk";
const DEVICE: &str = "hollow-oak-laptop-4711";
const CONTENT: &str = "quartz sphinx of black judged vows; not for the log's eyes";

/// A story with a signer whose texts are the ones above. Two rounds are done: in the first one
/// document, in the second the same bytes twice, under two names, and another document.
fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    story.set_up().unwrap();
    let recipient = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let recipient = recipient.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    write_private(&story.at("signer").join("passphrase"), "not a secret\n").unwrap();
    let line = format!(
        "signer --home private init --name private.example --operator {OPERATOR} --operator {SECOND_OPERATOR} --auditor {recipient} --device {DEVICE} --scrypt-log-n 10 --passphrase-file passphrase"
    );
    let made = story.run("signer", &line).unwrap().out;
    let fingerprint = made.lines().find_map(|line| line.strip_prefix("fingerprint  ")).unwrap();
    story.carry("signer", "private/genesis.cbor", "log").unwrap();
    story.run("log", &format!("log allow genesis.cbor --fingerprint {fingerprint}")).unwrap();
    let folder = story.at("signer");
    std::fs::write(folder.join("first.txt"), "the first document").unwrap();
    for name in [NAME, TWIN_NAME] {
        std::fs::write(folder.join(name), CONTENT).unwrap();
    }
    std::fs::write(folder.join("stranger.txt"), "a document that is no twin").unwrap();
    round(&mut story, "monday", OPERATOR, "first.txt");
    let files = format!("{NAME} {TWIN_NAME} stranger.txt");
    round(&mut story, "tuesday", SECOND_OPERATOR, &files);
    story
}

fn round(story: &mut Story, name: &str, operator: &str, files: &str) {
    let line = format!(
        "signer --home private sign {files} --operator {operator} --version {VERSION} --purpose {PURPOSE} --passphrase-file passphrase"
    );
    story.run("signer", &line).unwrap();
    story.run("signer", &format!("signer --home private export -o {name}.batch.cbor")).unwrap();
    story.carry("signer", &format!("{name}.batch.cbor"), "log").unwrap();
    story.run("log", &format!("log append {name}.batch.cbor")).unwrap();
    story.cosign(name).unwrap();
    let line = format!("log receipts {name}.batch.cbor -o {name}.receipts.cbor --policy policy");
    story.run("log", &line).unwrap();
    story.carry("log", &format!("{name}.receipts.cbor"), "signer").unwrap();
    let line = format!("signer --home private import {name}.receipts.cbor --policy policy");
    story.run("signer", &line).unwrap();
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

/// What must not be found: the texts, what the document says, and its digest, from which a guess
/// could be confirmed.
fn secrets() -> Vec<(String, Vec<u8>)> {
    let texts = [OPERATOR, SECOND_OPERATOR, NAME, TWIN_NAME, VERSION, PURPOSE, DEVICE, CONTENT];
    let mut all: Vec<(String, Vec<u8>)> =
        texts.iter().map(|text| ((*text).into(), text.as_bytes().to_vec())).collect();
    let digest = Hash::of(CONTENT.as_bytes());
    all.push(("the document's SHA-256".into(), digest.0.to_vec()));
    all.push(("the document's SHA-256 in hex".into(), digest.to_hex().into_bytes()));
    all
}

#[test]
fn nothing_that_leaves_the_signer_says_who_signed_what_or_why() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let mut folders = vec![story.at("log"), story.at("usb")];
    folders.extend(WITNESSES.map(|witness| story.at(witness)));
    let mut seen = Vec::new();
    for folder in &folders {
        for entry in walkdir::WalkDir::new(folder) {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(&story.stage).unwrap().display().to_string();
            seen.push(path.clone());
            let mut bytes = path.clone().into_bytes();
            if entry.file_type().is_file() {
                bytes.extend(std::fs::read(entry.path()).unwrap());
            }
            for (what, secret) in secrets() {
                assert!(!holds(&bytes, &secret), "{path} holds {what}");
            }
        }
    }
    // The search went where it should.
    for end in [
        "usb/monday.batch.cbor",
        "usb/tuesday.receipts.cbor",
        "log/tuesday.batch.cbor",
        "log/coldlog-log/index.sqlite",
        "log/coldlog-log/public/checkpoint",
        "w3/tuesday-w3.witness-response.cbor",
    ] {
        assert!(seen.iter().any(|path| path == end), "{end} was not searched: {seen:?}");
    }
    // And it can find: the signer's own journal holds all of it, and so does what the auditor opens.
    let journal = std::fs::read(story.at("signer").join("private/journal.sqlite")).unwrap();
    for text in [OPERATOR, SECOND_OPERATOR, NAME, TWIN_NAME, VERSION, PURPOSE, DEVICE] {
        assert!(holds(&journal, text.as_bytes()), "the journal does not hold {text}");
    }
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let line = "verifier open --log public --identity auditor.key --policy policy --json";
    let opened = story.run("auditor", line).unwrap().out;
    for text in [OPERATOR, SECOND_OPERATOR, NAME, TWIN_NAME, VERSION, PURPOSE, DEVICE] {
        assert!(opened.contains(text), "the auditor does not learn {text}");
    }
}

/// All windows of 16 bytes: less may be shared by chance, a field of any worth is longer.
fn windows(bytes: &[u8]) -> HashSet<&[u8]> {
    bytes.windows(16).collect()
}

/// Beside what is constant some bytes may be the same by chance, four hardly ever: a window that holds
/// 12 bytes of a stranger's tells nothing.
fn is_known(window: &[u8], strangers: &HashSet<&[u8]>) -> bool {
    window.windows(12).any(|part| strangers.contains(part))
}

/// What two share must be in a stranger's as well: then it tells nothing about the two.
fn assert_share_only_what_all_share(what: &str, [one, twin, stranger]: [&[u8]; 3]) {
    let (one, twin) = (windows(one), windows(twin));
    let stranger: HashSet<&[u8]> = stranger.windows(12).collect();
    let shared: HashSet<&[u8]> = one.intersection(&twin).copied().collect();
    // Each begins with a constant header, or the comparison does not see what it should.
    assert!(!shared.is_empty() && shared.len() < one.len(), "{what}: {} windows", shared.len());
    let telling: Vec<_> = shared.iter().filter(|window| !is_known(window, &stranger)).collect();
    assert!(telling.is_empty(), "{what} share {telling:02x?}");
}

#[test]
fn two_records_of_the_same_bytes_look_like_records_of_any_two_documents() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let public = story.at("log").join("coldlog-log/public");
    let entries = std::fs::read(public.join("tile/entries/000.p/7")).unwrap();
    let sealed = std::fs::read(public.join("sealed/000.p/7")).unwrap();
    let (entries, sealed) =
        (decode_bundle(&entries, 7).unwrap(), decode_bundle(&sealed, 7).unwrap());
    // Entries 0 to 3 are two versions of the log's rules, the genesis and the first round; then the twins and the stranger, signed in
    // one run, so that they know the same head.
    let (entries, sealed) = (&entries[4..], &sealed[4..]);
    let identities = seal::read_identities(&story.at("auditor").join("auditor.key")).unwrap();
    let opened: Vec<Disclosure> = sealed
        .iter()
        .map(|sealed| Disclosure::decode(&seal::open(sealed, &identities).unwrap()).unwrap())
        .collect();
    let documents: Vec<Hash> = opened
        .iter()
        .map(|disclosure| match &disclosure.record.operation {
            Operation::Sign { document, .. } => document.sha256,
            other => panic!("no document among them: {other:?}"),
        })
        .collect();
    // They are the twins: the same bytes, and, Ed25519 being deterministic, the same signature.
    assert_eq!(documents[0], documents[1]);
    assert_ne!(documents[0], documents[2]);
    let statements: Vec<Statement> =
        entries.iter().map(|entry| Statement::decode(entry).unwrap()).collect();
    assert_ne!(opened[0].salt, opened[1].salt);
    assert_ne!(statements[0].commitment(), statements[1].commitment());
    assert_share_only_what_all_share("statements", [entries[0], entries[1], entries[2]]);
    assert_share_only_what_all_share("sealed records", [sealed[0], sealed[1], sealed[2]]);
}
