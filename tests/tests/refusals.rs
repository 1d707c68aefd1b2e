//! Every refusal that a user can meet: the real programs, their exit codes, and the texts, word by
//! word, in `tests/refusals/`. The texts of each error variant, those that no command can easily be
//! brought to as well, are in `spec/tests/refusals.txt`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::console;
use coldlog_tests::story::Story;
use std::path::{Path, PathBuf};

fn refused(name: &str) {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    let files: Vec<PathBuf> = (0..4).map(|n| format!("document-{n}.txt").into()).collect();
    for file in &files {
        std::fs::write(story.at("signer").join(file), format!("contents of {}", file.display()))
            .unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &files[..2], "1").unwrap();
    story.round("tuesday", &files[2..], "2").unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("refusals").join(name);
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        console::bless(&document, stage.path()).unwrap();
        return;
    }
    let commands = console::play(&document, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 10, "{name} has {commands} commands");
}

#[test]
fn the_signer_says_why_not() {
    refused("signer.md");
}

#[test]
fn what_holds_a_key_says_why_not() {
    refused("custody.md");
}

#[test]
fn the_log_says_why_not() {
    refused("log.md");
}

#[test]
fn a_witness_says_why_not() {
    refused("witness.md");
}

#[test]
fn the_verifier_says_why_not() {
    refused("verifier.md");
}

#[test]
fn the_monitor_says_why_not() {
    refused("monitor.md");
}

#[test]
fn an_audit_says_why_not() {
    refused("audit.md");
}
