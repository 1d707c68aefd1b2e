//! Faults injected into the real programs by `strace`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::story::Story;
use crate::{Ran, copy, programs, ran};
use std::path::Path;
use std::process::Command;

/// The calls that change a disk.
pub const CALLS: &str = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,mkdir";

/// Runs a command with a fault in the calls of some kinds.
pub fn strace(folder: &Path, calls: &str, fault: &str, line: &str) -> Ran {
    let mut words = line.split(' ');
    let program = programs().unwrap().join(words.next().unwrap());
    let mut command = Command::new("strace");
    command.current_dir(folder).args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={calls}")).arg("-e").arg(format!("inject={calls}:{fault}"));
    ran(&command.arg(program).args(words).output().expect("strace is needed for this test"))
}

/// Runs a command in a fresh copy of a folder, killed at the Nth call of each kind, for every N until
/// it ends by itself; calls `look` with the copy after each kill.
pub fn killed_everywhere(base: &Path, line: &str, look: impl Fn(&Path, &str)) {
    let signs = ["signer sign", "signer rotate-key"].iter().any(|verb| line.starts_with(verb));
    let scratch = tempfile::tempdir().unwrap();
    let mut kills = 0;
    // strace counts each kind of call by itself.
    for call in CALLS.split(',') {
        for n in 1..2000 {
            let folder = scratch.path().join("copy");
            copy(base, &folder).unwrap();
            if signs {
                Story::reopen(&folder).unwrap();
            }
            if folder.join("coldlog-log/public").is_dir() {
                Story::recover_log(&folder).unwrap();
            }
            if folder.join("coldlog-mirror").is_dir() {
                Story::recover_mirror(&folder).unwrap();
            }
            if folder.join("coldlog-witness").is_dir() {
                Story::recover_witness(&folder).unwrap();
            }
            let ran = strace(&folder, call, &format!("signal=SIGKILL:when={n}"), line);
            if ran.code != 0 {
                kills += 1;
                look(&folder, &format!("{call} {n}"));
            }
            std::fs::remove_dir_all(&folder).unwrap();
            if ran.code == 0 {
                break;
            }
        }
    }
    assert!(kills >= 3, "only {kills} kills: the faults were not injected");
}
