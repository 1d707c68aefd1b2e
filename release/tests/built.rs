//! A real release of one program, the signer: with the profile, flags and second build of all others. (The
//! whole is made by `cargo release-files make FOLDER --check`, before it is published: it takes too long to
//! be made for every change.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use common::{dpkg, empty_system, ending, installed, printed, release_files};
use std::path::Path;
use std::process::Command;

/// Runs a shell's line in a system that has nothing but what is in the folder.
fn alone(root: &Path, program: &str, line: &str) -> String {
    let mut command = Command::new("unshare");
    command.args(["-rn", "chroot"]).arg(root).arg(program).args(line.split_whitespace());
    let sbin = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    printed(command.env_clear().env("PATH", sbin))
}

#[test]
#[cfg_attr(not(have_time), ignore = "compiles for minutes: COLDLOG_RELEASE_BUILD=1 or CI=true")]
fn the_signer_built_twice_is_the_same_bytes_and_runs_where_nothing_else_is() {
    let stage = tempfile::tempdir().unwrap();
    let arguments = ["make", "release", "--allow-dirty", "--check", "--only", "signer"];
    let made = release_files(&arguments, stage.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told = String::from_utf8_lossy(&made.stdout).into_owned();
    eprintln!("{told}");
    assert!(told.contains("two builds in two folders are the same bytes"), "{told}");
    let release = stage.path().join("release");
    let signer = release.join("signer");
    let ldd = Command::new("ldd").arg(&signer).output().unwrap();
    let ldd = String::from_utf8_lossy(&[ldd.stdout, ldd.stderr].concat()).into_owned();
    assert!(ldd.contains("statically linked") || ldd.contains("not a dynamic"), "{ldd}");

    // Installed in a system without a C library, a shell or a device, it signs.
    let root = stage.path().join("system");
    empty_system(&root);
    let package = ending(&release, ".deb").into_iter();
    let mut package = package.filter(|p| !p.to_str().unwrap().contains("pkcs11"));
    dpkg(&root, &["--install", package.next().unwrap().to_str().unwrap()]);
    let status = std::fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    assert!(status.contains("Built-Using: glibc"), "{status}");
    assert!(!status.contains("Depends"), "{status}");
    std::fs::create_dir(root.join("tmp")).unwrap();
    std::fs::write(root.join("document"), "a document").unwrap();
    coldlog_tests::write_private(&root.join("passphrase"), "a test\n").unwrap();
    let program = "/usr/bin/signer";
    assert!(alone(&root, program, "--version").starts_with("signer "));
    let auditor = coldlog_tests::run(stage.path(), "verifier identity -o auditor.key").unwrap().out;
    let auditor = auditor.trim();
    let line = "--home s init --name a.example/s --operator Ada --scrypt-log-n 10";
    alone(&root, program, &format!("{line} --auditor {auditor} --passphrase-file passphrase"));
    let signed =
        alone(&root, program, "--home s sign document --operator Ada --passphrase-file passphrase");
    assert!(signed.starts_with("signed 1,"), "{signed}");
    let signature = std::fs::read_to_string(root.join("document.sig")).unwrap();
    assert!(signature.starts_with("-----BEGIN SSH SIGNATURE-----"), "{signature}");

    dpkg(&root, &["--purge", "coldlog-signer"]);
    let left = installed(&root);
    assert!(!left.iter().any(|file| file.starts_with("usr/")), "{left:?}");
}
