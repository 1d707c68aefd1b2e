//! A release for tests: made as real ones are, of the programs that the tests were built with.

use coldlog_tests::{copy, programs};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const PROGRAMS: [&str; 5] = ["verifier", "signer", "log", "witness", "mirror"];

/// Runs `release-files`.
pub(crate) fn release_files(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_release-files"));
    command.args(arguments).current_dir(folder).env("SOURCE_DATE_EPOCH", "1790000000");
    command.output().unwrap()
}

/// What a command printed; it must have succeeded.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    text(&output.stdout)
}

/// A release of debug builds, without their symbols, which would be most of it; the programs without symbols are
/// beside it, in `stripped`.
pub(crate) fn rehearsed(stage: &Path, name: &str) -> PathBuf {
    let made = made_once();
    for (from, to) in [("release", name), ("stripped", "stripped")] {
        copy(&made.join(from), &stage.join(to)).unwrap();
    }
    stage.join(name)
}

// It takes a minute, and several tests begin with it: the first one of a run makes it for all. (nextest has a
// process for each test, and a name for the run.)
fn made_once() -> PathBuf {
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rehearsed");
    std::fs::create_dir_all(&all).unwrap();
    let lock = std::fs::File::create(all.join("lock")).unwrap();
    lock.lock().unwrap();
    let made = all.join(&run);
    if made.join("release").exists() {
        return made;
    }
    for entry in std::fs::read_dir(&all).unwrap() {
        let old = entry.unwrap().path();
        if old.is_dir() {
            std::fs::remove_dir_all(old).unwrap();
        }
    }
    let stripped = made.join("stripped");
    std::fs::create_dir_all(&stripped).unwrap();
    for program in PROGRAMS {
        let built = programs().unwrap().join(program);
        printed(Command::new("strip").arg(built).arg("-o").arg(stripped.join(program)));
    }
    let arguments = ["make", "release", "--allow-dirty", "--programs", "stripped"];
    let told = release_files(&arguments, &made);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    made
}

/// The files of a release whose names end so.
pub(crate) fn ending(release: &Path, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_str().unwrap().ends_with(end));
    files.sort();
    files
}

/// A system in which nothing is installed.
pub(crate) fn empty_system(root: &Path) {
    std::fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
}

/// `dpkg` as root of that system, in a namespace where whoever runs the tests is root.
pub(crate) fn dpkg(root: &Path, arguments: &[&str]) -> String {
    let mut dpkg = Command::new("unshare");
    dpkg.args(["-rn", "dpkg", "--log=/dev/null", "--force-not-root", "--force-depends"]);
    dpkg.arg(format!("--root={}", root.display())).args(arguments);
    let sbin = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    printed(dpkg.env("PATH", sbin))
}

/// The files of a system that are not dpkg's own.
pub(crate) fn installed(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name.starts_with("var/lib/dpkg") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(name);
            }
        }
    }
    files.sort();
    files
}
