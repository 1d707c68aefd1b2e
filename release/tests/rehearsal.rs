//! The whole way of a release, with programs that are built already: made, signed, logged, verified by a
//! stranger, installed, removed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::document::ssh_public_key;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_tests::{console, copy};
use common::{PROGRAMS, dpkg, empty_system, ending, installed, printed, rehearsed, release_files};
use std::path::Path;
use std::process::Command;

fn play(page: &str, stage: &Path) -> usize {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    console::play(&page, stage).unwrap_or_else(|why| panic!("{why:#}"))
}

#[test]
fn a_release_is_made_signed_logged_and_verified_by_a_stranger_as_the_pages_say() {
    let stage = tempfile::tempdir().unwrap();
    let stage = stage.path();
    let release = rehearsed(stage, "coldlog-0.1.0");
    let key = |line: &[&str]| release_files(line, stage);

    // Nobody publishes what is not signed.
    std::fs::write(stage.join("key"), "ssh-ed25519 AAAA someone\n").unwrap();
    let close = ["close", "coldlog-0.1.0", "--policy", "policy", "--signer", "key"];
    let refused = key(&close);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("sign SHA256SUMS first"));

    assert!(play("release.md", stage) > 15);

    let stranger = stage.join("stranger");
    std::fs::create_dir(&stranger).unwrap();
    copy(&release, &stranger.join("coldlog-0.1.0")).unwrap();
    copy(&stage.join("policy"), &stranger.join("policy")).unwrap();
    copy(&stage.join("releases/signer.pub"), &stranger.join("signer.pub")).unwrap();
    copy(&release.join("allowed_signers"), &stranger.join("allowed_signers")).unwrap();
    assert!(play("verify-release.md", &stranger) > 12);

    // A file that came in after the list was signed is not published with it.
    std::fs::write(release.join("extra.deb"), "not in the list").unwrap();
    let close = ["close", "coldlog-0.1.0", "--policy", "policy", "--signer", "releases/signer.pub"];
    let refused = key(&close);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("changed, added or removed"));
    std::fs::remove_file(release.join("extra.deb")).unwrap();
    // Nor one that another key signed.
    let other = ssh_public_key(&SecretKey::from_seed(&[7; 32]).public());
    std::fs::write(stage.join("key"), format!("{other} someone\n")).unwrap();
    let refused = key(&["close", "coldlog-0.1.0", "--policy", "policy", "--signer", "key"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is by the key"), "{refused:?}");
}

#[test]
fn a_release_has_a_package_a_list_of_contents_and_sums_for_each_program() {
    let stage = tempfile::tempdir().unwrap();
    let release = rehearsed(stage.path(), "release");
    let again = release_files(&["make", "release", "--allow-dirty"], stage.path());
    assert_eq!(again.status.code(), Some(1), "a release that exists is not replaced: {again:?}");
    assert_eq!(ending(&release, ".deb").len(), PROGRAMS.len());
    assert_eq!(ending(&release, ".cdx.json").len(), PROGRAMS.len());
    let sums = std::fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), std::fs::read_dir(&release).unwrap().count() - 1);
    printed(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&release));
    let info = std::fs::read_to_string(release.join("BUILDINFO")).unwrap();
    assert!(info.contains("a rehearsal, no release"), "{info}");

    // The same programs make the same bytes, at whatever time and under whatever mask.
    let twin = stage.path().join("twin");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 077; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_release-files")]);
    shell.args(["make", "twin", "--allow-dirty", "--programs", "stripped"]);
    shell.current_dir(stage.path()).env("SOURCE_DATE_EPOCH", "1790000000").env("TZ", "Asia/Tokyo");
    printed(&mut shell);
    assert_eq!(std::fs::read_to_string(twin.join("SHA256SUMS")).unwrap(), sums);
}

#[test]
fn the_ceremonys_machine_takes_the_programs_of_a_release_and_no_changed_one() {
    let stage = tempfile::tempdir().unwrap();
    let release = rehearsed(stage.path(), "release");
    // What step 1.3 puts on the stick: of all files of the list two.
    let (stick, local) = (stage.path().join("usb/bin"), stage.path().join("local"));
    std::fs::create_dir_all(&stick).unwrap();
    std::fs::create_dir(&local).unwrap();
    for name in ["signer", "verifier", "SHA256SUMS"] {
        std::fs::copy(release.join(name), stick.join(name)).unwrap();
    }
    // The lines of step 1.7 that install and check, in folders of this test.
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ceremony.md");
    let page = std::fs::read_to_string(page).unwrap();
    let start = page.find("install -m 755 usb/bin").unwrap();
    let lines = &page[start..][..page[start..].find("sysctl").unwrap()];
    let lines = lines.replace("/usr/local/bin", local.to_str().unwrap());
    let lines = lines.replace("/ceremony", stage.path().to_str().unwrap());
    let install = || {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &lines]).current_dir(stage.path()).output().unwrap()
    };
    let taken = install();
    assert!(taken.status.success(), "{taken:?}");
    let told = String::from_utf8(taken.stdout).unwrap();
    let expected = ["signer", "verifier"].map(|name| {
        let bytes = std::fs::read(release.join(name)).unwrap();
        format!("{}  {}", Hash::of(&bytes).to_hex(), local.join(name).display())
    });
    let expected = format!("signer: OK\nverifier: OK\n{}\n", expected.join("\n"));
    assert_eq!((told, taken.stderr), (expected, vec![]));
    std::fs::write(stick.join("verifier"), "another").unwrap();
    let refused = install();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("verifier: FAILED"), "{refused:?}");
}

#[test]
#[cfg_attr(not(have_cyclonedx), ignore = "needs cyclonedx-python-lib")]
fn another_library_accepts_the_lists_of_contents_and_finds_them_locked() {
    let stage = tempfile::tempdir().unwrap();
    let release = rehearsed(stage.path(), "release");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut check = Command::new(python);
    check.arg(root.join("tests/peers/sbom.py")).arg(root.join("../Cargo.lock"));
    let found = printed(check.args(ending(&release, ".cdx.json")));
    assert_eq!(found.lines().count(), PROGRAMS.len(), "{found}");
    // The signer's list shows what the signer is: nothing that speaks to a network.
    let list = std::fs::read_to_string(release.join("signer.cdx.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let names: Vec<&str> = list["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"coldlog-spec") && names.contains(&"rust-std"), "{names:?}");
    assert!(!names.contains(&"tokio") && !names.contains(&"ureq"), "{names:?}");
}

#[test]
#[cfg_attr(not(have_unshare), ignore = "needs user namespaces")]
fn every_package_is_installed_runs_and_is_removed_without_a_trace() {
    let stage = tempfile::tempdir().unwrap();
    let release = rehearsed(stage.path(), "release");
    for program in PROGRAMS {
        let root = stage.path().join(format!("system-of-{program}"));
        empty_system(&root);
        let package = ending(&release, "_amd64.deb").into_iter();
        let mut package = package.chain(ending(&release, "_arm64.deb"));
        let start = format!("coldlog-{program}_");
        let file = package.find(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&start));
        let file = file.unwrap();
        dpkg(&root, &["--install", file.to_str().unwrap()]);
        let told = printed(Command::new(root.join("usr/bin").join(program)).arg("--version"));
        assert_eq!(told, format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
        let listed = installed(&root);
        for page in [
            format!("usr/share/man/man1/{program}.1.gz"),
            format!("usr/share/man/man1/{program}-init.1.gz")
                .replace("verifier-init", "verifier-check"),
            format!("usr/share/bash-completion/completions/{program}"),
            format!("usr/share/zsh/vendor-completions/_{program}"),
            format!("usr/share/fish/vendor_completions.d/{program}.fish"),
            format!("usr/share/doc/coldlog-{program}/copyright"),
            format!("usr/share/doc/coldlog-{program}/changelog.Debian.gz"),
            format!("usr/share/doc/coldlog-{program}/THIRD-PARTY.gz"),
        ] {
            assert!(listed.contains(&page), "{page} is not in {listed:?}");
        }
        // Every file has the sum that the package says.
        assert_eq!(dpkg(&root, &["--verify", &format!("coldlog-{program}")]), "");
        let status = std::fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
        assert!(status.contains("Depends: libc6 (>= 2."), "{status}");
        completes(&root, program);
        dpkg(&root, &["--purge", &format!("coldlog-{program}")]);
        assert_eq!(installed(&root), Vec::<String>::new());
    }
}

/// What bash offers after the program's name.
fn completes(root: &Path, program: &str) {
    let script = format!(
        "source usr/share/bash-completion/completions/{program}\nCOMP_WORDS=({program} '')\nCOMP_CWORD=1\n_{program} {program} '' {program}\necho \"${{COMPREPLY[@]}}\""
    );
    let offered = printed(Command::new("bash").args(["-c", &script]).current_dir(root));
    let word = if program == "verifier" { "check" } else { "init" };
    assert!(offered.split_whitespace().any(|w| w == word), "{program}: {offered}");
    assert!(!offered.contains("pages"), "{program}: {offered}");
}
