//! The runbook of the ceremony: every command on it is run, at a terminal, in earnest and as a rehearsal,
//! and the printed pages are made from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::console::{How, play_as};
use coldlog_tests::runbook::{self, made, rehearsed, steps};
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn source() -> String {
    std::fs::read_to_string(repository().join(runbook::SOURCE)).unwrap()
}

// What step 1.7 mounts is there; the passphrase is typed where it is asked for.
fn played(text: &str, rehearsal: bool) -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    for stick in ["key", "usb"] {
        std::fs::create_dir(stage.path().join(stick)).unwrap();
    }
    let how = How { passphrase: Some("six words by dice"), rehearsal };
    let commands =
        play_as("ceremony.md", text, stage.path(), &how).unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 25, "the runbook has {commands} commands");
    stage
}

#[test]
fn every_command_of_the_runbook_does_what_it_says() {
    played(&source(), false);
}

#[test]
fn the_same_commands_are_practised_in_a_rehearsal() {
    let text = rehearsed(&source());
    for (command, least) in [(" init --rehearsal ", 3), ("verifier check --rehearsal ", 1)] {
        assert!(text.matches(command).count() >= least, "{command}");
    }
    let stage = played(&text, true);
    let policy = std::fs::read_to_string(stage.path().join("usb/policy")).unwrap();
    let keys =
        policy.lines().filter(|line| line.starts_with("log ") || line.starts_with("witness "));
    assert!(
        keys.clone().count() == 8 && keys.clone().all(|key| key.contains("rehearsal.invalid/"))
    );
}

#[test]
fn the_printed_pages_are_made_from_the_runbook_as_it_is() {
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        runbook::make(&repository()).unwrap();
    }
    for (path, text) in made(&repository()).unwrap() {
        let there = std::fs::read_to_string(repository().join(path)).unwrap_or_default();
        assert!(there == text, "{path} is older than {}: run `cargo runbook`", runbook::SOURCE);
        let rows = text.matches("<tr class=\"step\">").count();
        assert_eq!(rows, steps(&source()).len(), "{path}: a row for each step");
        assert_eq!(text.matches("class=\"initials\"").count(), rows, "{path}");
        assert_eq!(text.contains("class=\"rehearsal\""), path == runbook::TO_PRACTISE);
    }
}

#[test]
fn steps_are_numbered_without_a_gap_and_each_says_who_does_it() {
    let text = source();
    let (mut page, mut step) = (0, 0);
    for number in steps(&text) {
        let found: Vec<u32> = number.split('.').map(|part| part.parse().unwrap()).collect();
        let next = if found[0] == page { [page, step + 1] } else { [page + 1, 1] };
        assert_eq!(found, next, "after {page}.{step}");
        (page, step) = (found[0], found[1]);
    }
    let parts = text.split("\n### ").skip(1);
    for part in parts.filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
        assert!(part.contains("\n- **Who** "), "{part}");
    }
}

#[test]
fn what_only_the_offline_machine_can_run_is_at_least_a_shells_language() {
    let text = source();
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|b| b.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5);
    for block in blocks {
        let parsed = Command::new("sh").args(["-n", "-c", block]).output().unwrap();
        assert!(parsed.status.success(), "{block}\n{}", String::from_utf8_lossy(&parsed.stderr));
    }
}
