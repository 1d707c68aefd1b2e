//! The life of a signer whose key is in a token: what the token counts, backup and restore, and the change to
//! another key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![cfg_attr(not(have_softhsm2), allow(dead_code, unused_imports))]

use coldlog_tests::tokens::{SOFTHSM, Tokens};
use coldlog_tests::{Ran, copy, run_with, write_private};
use std::path::PathBuf;

struct Stage {
    _folder: tempfile::TempDir,
    tokens: Tokens,
    folder: PathBuf,
    serial: String,
}

impl Stage {
    fn new() -> Stage {
        let stage = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(stage.path()).unwrap();
        let serial = tokens.add("release").unwrap();
        let folder = stage.path().join("signer");
        std::fs::create_dir(&folder).unwrap();
        let stage = Stage { _folder: stage, tokens, folder, serial };
        stage.done("verifier identity -o auditor.key");
        write_private(&stage.folder.join("passphrase"), "not a secret\n").unwrap();
        stage
    }

    fn run(&self, line: &str) -> Ran {
        run_with(&self.folder, line, &self.tokens.env()).unwrap()
    }

    fn done(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
        ran.out
    }

    fn refused(&self, line: &str, why: &str) {
        let ran = self.run(line);
        assert!(ran.code > 0 && ran.err.contains(why), "{line}: {}{}", ran.out, ran.err);
    }

    fn pin(&self) -> String {
        format!("--pin-file {}", self.tokens.pin())
    }

    fn in_token(&self) -> String {
        format!("--pkcs11 {SOFTHSM} --token-serial {} {}", self.serial, self.pin())
    }

    fn init(&self, rest: &str) {
        let key = std::fs::read_to_string(self.folder.join("auditor.key")).unwrap();
        let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        self.done(&format!(
            "signer init --name s.example --operator Ada --auditor {recipient} --scrypt-log-n 10 {rest}"
        ));
    }

    fn sign_line(&self, name: &str, rest: &str) -> String {
        std::fs::write(self.folder.join(name), name).unwrap();
        format!("signer sign {name} --operator Ada {} {rest}", self.pin())
    }

    // The tail that is written down.
    fn sign(&self, name: &str) -> String {
        let told = self.done(&self.sign_line(name, ""));
        told.rsplit_once("tail: ").unwrap().1.trim().to_owned()
    }
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn an_older_state_of_the_journal_does_not_sign_though_the_paper_is_old_as_well() {
    let stage = Stage::new();
    stage.init(&stage.in_token());
    let old = stage.sign("a");
    let (home, kept) = (stage.folder.join("coldlog-signer"), stage.folder.join("kept"));
    copy(&home, &kept).unwrap();
    stage.sign("b");
    std::fs::remove_dir_all(&home).unwrap();
    copy(&kept, &home).unwrap();
    // The copy is seen by the disk's own marks; whoever takes an old paper for the newest is told by the token,
    // before a number is used twice.
    stage.refused(&stage.sign_line("c", ""), "signer reopen --tail");
    let reopened = stage.run(&format!("signer reopen --tail {old} --yes"));
    assert_eq!(reopened.code, 0, "{}", reopened.err);
    // `reopen` took the paper's word. A token that is asked first says no.
    let again = stage.run(&stage.sign_line("c", ""));
    assert_eq!(again.code, 1, "{}{}", again.out, again.err);
    assert!(
        again.err.contains("the token has counted 3 records, the journal has 2"),
        "{}",
        again.err
    );
    assert!(!stage.folder.join("c.sig").exists());
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_token_that_was_set_back_is_told_of_and_the_paper_begins_anew() {
    let stage = Stage::new();
    stage.init(&stage.in_token());
    stage.sign("a");
    let (store, kept) = (stage.tokens.folder.join("store"), stage.tokens.folder.join("kept"));
    copy(&store, &kept).unwrap();
    let tail = stage.sign("b");
    std::fs::remove_dir_all(&store).unwrap();
    copy(&kept, &store).unwrap();
    stage.refused(&stage.sign_line("c", ""), "the token was set back");
    stage.done(&format!("signer reopen --tail {tail} --yes"));
    stage.sign("c");
    stage.sign("d");
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_signer_in_a_token_is_backed_up_and_restored_where_a_person_names_the_module() {
    let stage = Stage::new();
    stage.init(&stage.in_token());
    let tail = stage.sign("a");
    stage.done("signer backup medium");
    let names: Vec<_> = std::fs::read_dir(stage.folder.join("medium/generation-000001"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&"held.age".to_owned()) && !names.contains(&"key.age".to_owned()));
    std::fs::remove_dir_all(stage.folder.join("coldlog-signer")).unwrap();
    stage.refused("signer restore medium", "name an auditor's identity file with --key-identity");
    let restore = "signer restore medium --key-identity auditor.key";
    stage.refused(restore, &format!("say --pkcs11 {SOFTHSM}"));
    stage.done(&format!("{restore} --pkcs11 {SOFTHSM}"));
    let recover = format!("signer recover --without-log {}", stage.pin());
    stage.done(&format!("{recover} --tail {tail}"));
    stage.sign("b");
    // What the backup lacks, the token knows of.
    std::fs::remove_dir_all(stage.folder.join("coldlog-signer")).unwrap();
    stage.done(&format!("{restore} --pkcs11 {SOFTHSM}"));
    stage.refused(&format!("{recover} --tail {tail}"), "the token has counted 3 records");
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_key_moves_into_a_token_and_on_to_the_next_but_not_out_again() {
    let stage = Stage::new();
    stage.init("--passphrase-file passphrase");
    let by = "--operator Ada --purpose yearly";
    let rotate = format!("signer rotate-key {by} --passphrase-file passphrase");
    let told = stage.done(&format!("{rotate} {}", stage.in_token()));
    assert!(told.contains("made in the token") && told.contains("rotated"), "{told}");
    let sealed = "--passphrase-file passphrase";
    stage.done(&stage.sign_line("a", sealed));
    stage.refused(&format!("{rotate} {}", stage.pin()), "the journal would move to a lesser place");
    let other = stage.tokens.add("the next one").unwrap();
    let told =
        stage.done(&format!("{rotate} --pkcs11 {SOFTHSM} --token-serial {other} {}", stage.pin()));
    assert!(told.contains("destroy the old key, in the token with the serial number"), "{told}");
    stage.done(&stage.sign_line("b", sealed));
    stage.done("signer verify-journal");
    let listed = stage.done("signer list");
    assert_eq!(listed.matches("rotation").count(), 2, "{listed}");
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_logs_key_moves_into_a_token() {
    let stage = Stage::new();
    stage.done("log init --origin log.example --passphrase-file passphrase");
    let line =
        format!("log rotate-key -o rotation --passphrase-file passphrase {}", stage.in_token());
    let told = stage.done(&line);
    assert!(told.contains("made in the token"), "{told}");
    stage.done(&format!("log rotate-key --finish --passphrase-file passphrase {}", stage.pin()));
    stage.refused(
        &format!("log rotate-key -o again --passphrase-file passphrase {}", stage.pin()),
        "the log would move to a lesser place",
    );
    stage.refused("log fsck", "the log has 0 entries: nothing was checked but its signed head");
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn an_approvers_key_lives_in_a_token_or_in_an_agent() {
    let stage = Stage::new();
    stage.done(&format!("signer approver-key --name ben -o ben {}", stage.in_token()));
    let socket = stage.folder.join("agent.sock").display().to_string();
    let agent = std::process::Command::new("ssh-agent").args(["-D", "-a", &socket]).spawn();
    let mut agent = agent.unwrap();
    let env = vec![("SSH_AUTH_SOCK".to_owned(), socket)];
    let with_agent = |line: &str| {
        let ran = run_with(&stage.folder, line, &env).unwrap();
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    };
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", "id"])
        .current_dir(&stage.folder)
        .status();
    assert!(made.unwrap().success());
    let socket = stage.folder.join("agent.sock");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !socket.exists() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let added = std::process::Command::new("ssh-add")
        .args(["-q", "id"])
        .env("SSH_AUTH_SOCK", &socket)
        .current_dir(&stage.folder)
        .status();
    assert!(added.unwrap().success());
    with_agent("signer approver-key --name cleo -o cleo --ssh-agent id.pub");
    stage.init("--passphrase-file passphrase --approvals 2 --approver ben=ben.pub --approver cleo=cleo.pub");
    std::fs::write(stage.folder.join("a"), "a").unwrap();
    stage.done("signer request a --operator Ada -o a.request.cbor");
    stage.done(&format!(
        "signer approve a.request.cbor a --key ben --yes -o b.cbor {}",
        stage.pin()
    ));
    with_agent("signer approve a.request.cbor a --key cleo --yes -o c.cbor");
    agent.kill().unwrap();
    agent.wait().unwrap();
    let sign = "signer sign a --operator Ada --passphrase-file passphrase";
    stage.refused(&format!("{sign} --approval b.cbor"), "1 approvals, 2 are demanded");
    stage.done(&format!("{sign} --approval b.cbor --approval c.cbor"));
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn two_passphrases_are_asked_for_where_the_key_is_in_a_token_too() {
    let stage = Stage::new();
    write_private(&stage.folder.join("grace"), "the other one\n").unwrap();
    let both = "--passphrase-file passphrase --second-file grace";
    stage.init(&format!("--second-factor second-passphrase {both} {}", stage.in_token()));
    stage.done(&stage.sign_line("a", both));
    let alone = stage.run(&stage.sign_line("b", "--passphrase-file passphrase"));
    assert!(alone.code > 0 && !stage.folder.join("b.sig").exists(), "{}", alone.err);
}
