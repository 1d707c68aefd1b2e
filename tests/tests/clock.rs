//! The offline machine's clock: back, ahead, dead. `faketime` turns it for the real programs.
#![cfg(have_faketime)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::Story;
use coldlog_tests::{Ran, programs, ran, run, words};
use std::path::Path;
use std::process::Command;

const SIGN: &str = "--operator Ada --passphrase-file passphrase";

// Runs a command with another time: an offset like "-2h", or "@2010-01-01 00:00:00".
fn at(folder: &Path, time: &str, line: &str) -> Ran {
    let mut words = words(line).into_iter();
    let program = programs().unwrap().join(words.next().unwrap());
    let mut command = Command::new("faketime");
    // The files' own times stay: a journal tells a copy of it by them.
    command.env("NO_FAKE_STAT", "1").current_dir(folder);
    ran(&command.args(["-f", time]).arg(program).args(words).output().unwrap())
}

fn clock_of(folder: &Path, sequence: u64) -> serde_json::Value {
    let shown = run(folder, &format!("signer show {sequence} --json")).unwrap().out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["record"]["clock"].clone()
}

#[test]
fn a_clock_that_went_back_is_told_of_and_recorded() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::with_documents(stage.path(), 4).unwrap();
    let folder = story.at("signer");
    assert_eq!(run(&folder, &format!("signer sign d0.txt {SIGN}")).unwrap().code, 0);
    assert!(clock_of(&folder, 1).is_null());
    // Two minutes behind the record before: it may be, and it is recorded.
    let back = at(&folder, "-120s", &format!("signer sign d1.txt d2.txt {SIGN}"));
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(back.err.matches("seconds behind the record before").count(), 1, "{}", back.err);
    let seconds = clock_of(&folder, 2)["behind_last"].as_u64().unwrap();
    assert!((100..=130).contains(&seconds), "{seconds}");
    // It is the jump that is noted, not each record after it.
    assert!(clock_of(&folder, 3).is_null());
    let line = "signer list";
    assert!(run(&folder, line).unwrap().out.contains("clock: "), "a reader of the list sees it");
}

#[test]
fn a_time_that_cannot_be_is_refused_unless_the_operator_says_so() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 5).unwrap();
    story.round("monday", &Story::names(0..1), "1").unwrap();
    let folder = story.at("signer");
    let line = format!("signer sign d1.txt {SIGN}");
    let cases = [
        ("-2h", "behind the witnesses' time on the newest head"),
        ("@1970-01-02 00:00:00", "behind the witnesses' time on the newest head"),
    ];
    for (time, why) in cases {
        let refused = at(&folder, time, &line);
        assert_eq!(refused.code, 1, "{time}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains(why), "{time}: {}", refused.err);
        assert!(!folder.join("d1.txt.sig").exists(), "{time}");
    }
    assert!(run(&folder, "signer status").unwrap().out.starts_with("2 records"));
    let said = at(&folder, "-2h", &format!("{line} --clock-wrong"));
    assert_eq!(said.code, 0, "{}", said.err);
    let clock = clock_of(&folder, 2);
    assert!(clock["impossible"].as_u64().unwrap() > 7000, "{clock}");
    // A wrong year ahead is possible, told of, and recorded.
    let ahead = at(&folder, "+1000d", &format!("signer sign d2.txt {SIGN}"));
    assert_eq!(ahead.code, 0, "{}", ahead.err);
    assert!(ahead.err.contains("seconds ahead of all that is known"), "{}", ahead.err);
    assert!(clock_of(&folder, 3)["ahead"].as_u64().unwrap() > 900 * 86_400);

    // The auditor sees all three: what the signer noted, and what cannot be.
    story.run("signer", "signer export -o tuesday.batch.cbor").unwrap();
    story.carry("signer", "tuesday.batch.cbor", "log").unwrap();
    story.run("log", "log append tuesday.batch.cbor").unwrap();
    story.cosign("tuesday").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let line = "verifier open --log public --identity auditor.key --policy policy";
    let opened = story.run("auditor", line).unwrap().out;
    assert!(opened.contains("before the head that it names was cosigned"), "{opened}");
    assert!(opened.contains("after a head that covers it was cosigned"), "{opened}");
    assert!(opened.contains("the signer noted: "), "{opened}");
    assert!(opened.contains("2 of them claim a time that cannot be"), "{opened}");
    let told = story.run("auditor", &format!("{line} --json")).unwrap().out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["impossible_times"], 2);
    assert_eq!(told["records"][0]["clock"]["claim"], "possible");
    assert_eq!(told["records"][2]["clock"]["claim"], "before its head");
}

#[test]
fn a_dead_battery_is_noticed_before_any_head_is_known() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::with_documents(stage.path(), 1).unwrap();
    let folder = story.at("signer");
    let refused = at(&folder, "@1970-01-02 00:00:00", &format!("signer sign d0.txt {SIGN}"));
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("before this program was written"), "{}", refused.err);
    let refused = at(&folder, "-1h", &format!("signer sign d0.txt {SIGN}"));
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("behind the journal's genesis"), "{}", refused.err);
}
