//! The conformance suite, which was written from the standard alone, against the real witness: before and
//! after it is killed and started again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::server::serve_program;
use coldlog_tests::{programs, run, words};
use std::path::Path;
use std::process::Command;

fn suite(folder: &Path, line: &str) -> (i32, String) {
    let program = programs().unwrap().join("witness-conformance");
    let output = Command::new(program).current_dir(folder).args(words(line)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), told + &err)
}

#[test]
fn the_witness_passes_every_case_and_again_after_it_was_killed() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let done = |line: &str| {
        let ran = run(folder, line).unwrap();
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
        ran.out
    };
    done("witness init --name w.example/witness --unencrypted");
    let (code, told) = suite(folder, "keys suite");
    assert_eq!(code, 0, "{told}");
    for entry in std::fs::read_dir(folder.join("suite")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "log") {
            done(&format!("witness add-log {}", path.display()));
        }
    }
    let lines = std::fs::read_to_string(folder.join("coldlog-witness/witness.policy")).unwrap();
    let keys = lines.lines().filter(|line| line.starts_with("witness "));
    let keys: String =
        keys.map(|line| format!(" --witness {}", line.split(' ').nth(2).unwrap())).collect();
    for again in [false, true] {
        let line =
            "witness serve --listen 127.0.0.1:0 --stop-after 300 --rate 100000 --heartbeat 0";
        // It is killed, not asked, when the server is dropped.
        let server = serve_program(folder, line, &[], &[]).unwrap();
        let (code, told) = suite(folder, &format!("run {} --keys suite{keys}", server.url));
        let failed: Vec<&str> = told.lines().filter(|line| !line.starts_with("pass ")).collect();
        assert_eq!(code, 0, "again: {again}: {failed:#?}");
        assert!(told.lines().count() > 250, "{}", told.lines().count());
        assert!(told.contains(" 0 failed, 0 skipped"), "{failed:#?}");
    }
}
