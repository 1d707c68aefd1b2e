//! Every command that a document shows is run, and prints what the document says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::console;
use std::path::Path;

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let commands = console::play(&readme, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 20, "the README has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_witness_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/witness.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 12, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_log_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/log.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 20, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_policy_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 10, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_custody_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/custody.md");
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        return console::bless(&page, stage.path()).unwrap();
    }
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 12, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_recovery_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recovery.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 20, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_mirror_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mirror.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 10, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_people_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/people.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 12, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_drill_for_a_stolen_key_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/incident.md");
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        return console::bless(&page, stage.path()).unwrap();
    }
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 30, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_qr_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/qr.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 10, "the page has {commands} commands in console blocks");
}

#[test]
fn every_command_of_the_audit_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md");
    let commands = console::play(&page, stage.path()).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 25, "the page has {commands} commands in console blocks");
    let text = std::fs::read_to_string(&page).unwrap();
    for kind in coldlog_spec::verify::audit::Kind::ALL {
        let line = format!("| `{}` | {} |", kind.name(), kind.severity().name());
        assert!(text.contains(&line), "the page lacks the line {line}");
    }
}
