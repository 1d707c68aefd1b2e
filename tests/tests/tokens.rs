//! Keys in PKCS#11 tokens: the whole way of a document, and what goes wrong with tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![cfg_attr(not(have_softhsm2), allow(dead_code, unused_imports))]

use coldlog_tests::story::{Held, Story};
use coldlog_tests::tokens::{SOFTHSM, Tokens};
use coldlog_tests::{Ran, run_with};

/// How a role whose key is in a token says so.
fn held(tokens: &Tokens, module: &str, serial: &str) -> Held {
    Held {
        init: format!("--pkcs11 {module} --token-serial {serial}"),
        open: format!("--pin-file {}", tokens.pin()),
    }
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn what_keys_in_tokens_sign_log_and_witness_is_proven() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    let tokens = Tokens::new(stage.path()).unwrap();
    story.env = tokens.env();
    for role in ["signer", "log", "w1", "w2"] {
        let serial = tokens.add(role).unwrap();
        story.held.insert(role, held(&tokens, SOFTHSM, &serial));
    }
    for name in Story::names(0..3) {
        std::fs::write(story.at("signer").join(&name), name.display().to_string()).unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    story.round("tuesday", &Story::names(2..3), "1").unwrap();
    for name in Story::names(0..3) {
        let line = format!("verifier check {} --policy policy", name.display());
        story.run("signer", &line).unwrap();
    }
    story.run("signer", "signer verify-journal --policy policy").unwrap();
    story.run("log", "log fsck").unwrap();
}

/// A signer whose key is in a token, behind the module of the tests; its key file is plain.
struct Stage {
    _folder: tempfile::TempDir,
    tokens: Tokens,
    folder: std::path::PathBuf,
    module: String,
    serial: String,
}

impl Stage {
    fn bare() -> Stage {
        let stage = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(stage.path()).unwrap();
        let module = tokens.module().unwrap().display().to_string();
        let serial = tokens.add("release").unwrap();
        let folder = stage.path().join("signer");
        std::fs::create_dir(&folder).unwrap();
        for name in Story::names(0..4) {
            std::fs::write(folder.join(&name), name.display().to_string()).unwrap();
        }
        Stage { _folder: stage, tokens, folder, module, serial }
    }

    fn new() -> Stage {
        let stage = Stage::bare();
        let made = stage.init(&[]);
        assert_eq!(made.code, 0, "{}{}", made.out, made.err);
        std::fs::remove_file(stage.tokens.folder.join("logins")).unwrap();
        stage
    }

    fn run(&self, line: &str, more: &[(&str, &str)]) -> Ran {
        let mut env = self.tokens.env();
        env.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        run_with(&self.folder, line, &env).unwrap()
    }

    fn init(&self, more: &[(&str, &str)]) -> Ran {
        let (module, serial, pin) = (&self.module, &self.serial, self.tokens.pin());
        let line = format!(
            "signer init --name s.example --operator Ada --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --pkcs11 {module} --token-serial {serial} --pin-file {pin}"
        );
        self.run(&line, more)
    }

    fn sign(&self, pin: &str, more: &[(&str, &str)]) -> Ran {
        let pin = self.tokens.folder.join(pin);
        let line = format!(
            "signer sign d0.txt d1.txt d2.txt d3.txt --operator Ada --pin-file {}",
            pin.display()
        );
        self.run(&line, more)
    }

    fn signatures(&self) -> usize {
        Story::names(0..4)
            .iter()
            .filter(|name| self.folder.join(name).with_extension("txt.sig").exists())
            .count()
    }
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn init_says_what_the_token_attests_and_whose_word_that_is() {
    let stage = Stage::bare();
    let made = stage.init(&[]).out;
    for said in [
        "made in the token \"release\"",
        "SoftHSM",
        "never extractable; reading its value is refused",
        "wrapping it is refused (KeyUnextractable)",
        "the token's own word",
    ] {
        assert!(made.contains(said), "{said}: {made}");
    }
    let status = stage.run("signer status", &[]).out;
    assert!(
        status.contains(&format!("in the token with the serial number {}", stage.serial)),
        "{status}"
    );
    let status = stage.run("signer status --json", &[]).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["key"]["place"], "pkcs11");
    assert_eq!(status["key"]["token_serial"], stage.serial.as_str());
    assert_eq!(stage.run("signer public-key", &[]).code, 0);
    // No secret key is in the folder: the file holds a reference, and is its owner's alone.
    use std::os::unix::fs::PermissionsExt;
    let key = stage.folder.join("coldlog-signer/key.age");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(String::from_utf8_lossy(&std::fs::read(&key).unwrap()).contains("pkcs11"));
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_run_says_what_it_will_ask_and_logs_in_once() {
    let stage = Stage::new();
    let signed = stage.sign("pin", &[]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    assert!(signed.err.contains("4 documents take 9 signatures"), "{}", signed.err);
    assert!(signed.err.contains("the PIN is asked for once"), "{}", signed.err);
    assert_eq!((stage.tokens.logins(), stage.signatures()), (1, 4));
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_wrong_pin_is_tried_once_and_never_again() {
    let stage = Stage::new();
    let refused = stage.sign("wrong", &[]);
    assert_eq!((refused.code, stage.tokens.logins(), stage.signatures()), (2, 1, 0));
    assert!(
        refused.err.contains(&format!("(serial number {}) did not take the PIN", stage.serial))
    );
    assert!(
        refused.err.contains("a wrong PIN was given since the last right one"),
        "{}",
        refused.err
    );
    assert_eq!(stage.sign("pin", &[]).code, 0);
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn the_last_try_is_used_only_by_who_says_so() {
    let stage = Stage::new();
    let last = ("TOKEN_FLAGS", "0x20000");
    let refused = stage.sign("pin", &[last]);
    assert_eq!((refused.code, stage.tokens.logins()), (2, 0));
    assert!(refused.err.contains("one try is left"), "{}", refused.err);
    let line =
        format!("signer sign d0.txt --operator Ada --pin-file {} --last-try", stage.tokens.pin());
    assert_eq!(stage.run(&line, &[last]).code, 0);
    let locked = stage.sign("pin", &[("TOKEN_FLAGS", "0x40000")]);
    assert_eq!((locked.code, stage.tokens.logins()), (2, 1));
    assert!(locked.err.contains("the token is locked"), "{}", locked.err);
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_token_pulled_out_at_any_signature_leaves_no_signature_without_its_record() {
    let stage = Stage::new();
    // Four documents take nine signatures: the last is the tail's.
    for done in 0..9 {
        let pulled = [("TOKEN_SIGNATURES", &*done.to_string()), ("TOKEN_ERROR", "0x32")];
        let ran = stage.sign("pin", &pulled);
        assert_eq!((ran.code, stage.signatures()), (2, 0), "after {done}: {}", ran.err);
        assert!(ran.err.contains("the token was pulled out (DeviceRemoved)"), "{}", ran.err);
        assert!(ran.err.contains(&stage.serial), "{}", ran.err);
        let status = stage.run("signer status", &[]).out;
        assert!(status.contains("1 records"), "after {done}: {status}");
    }
    assert_eq!(stage.sign("pin", &[]).code, 0);
    assert_eq!(stage.signatures(), 4);
    assert_eq!(stage.run("signer verify-journal", &[]).code, 0);
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_lost_session_is_opened_again_only_where_that_takes_no_pin() {
    let stage = Stage::new();
    let lost = [("TOKEN_SIGNATURES", "3"), ("TOKEN_ERROR", "0xb3"), ("TOKEN_HEALS", "1")];
    let healed = stage.sign("pin", &lost);
    assert_eq!(healed.code, 0, "{}", healed.err);
    assert_eq!((stage.tokens.logins(), stage.signatures()), (1, 4));
    let stage = Stage::new();
    let ran = stage.sign("pin", &lost[..2]);
    assert_eq!((ran.code, stage.tokens.logins(), stage.signatures()), (2, 1, 0), "{}", ran.err);
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn of_two_tokens_with_one_label_the_serial_number_chooses() {
    let stage = Stage::new();
    let other = stage.tokens.add("release").unwrap();
    assert_ne!(other, stage.serial);
    assert_eq!(stage.sign("pin", &[]).code, 0);
    // The first token alone is taken away: the other one, of the same label and PIN, is not taken for it.
    let store = stage.tokens.folder.join("store");
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        // SoftHSM's folders are named by parts of the serial number.
        if path.display().to_string().ends_with(&stage.serial[12..]) {
            std::fs::rename(&path, stage.tokens.folder.join("drawer")).unwrap();
        }
    }
    let gone = stage.run("signer sign d0.txt --force --operator Ada --pin-fd 0", &[]);
    assert_eq!(gone.code, 2);
    assert!(
        gone.err.contains(&format!("no token with the serial number {}", stage.serial)),
        "{}",
        gone.err
    );
    assert!(gone.err.contains(&other), "{}", gone.err);
}

#[test]
#[cfg_attr(not(have_softhsm2), ignore = "softhsm2 is not installed")]
fn a_token_that_lets_keys_out_or_asks_each_time_keeps_none_of_ours() {
    let stage = Stage::bare();
    for (fault, said) in [
        ("TOKEN_LEAKS", "wrapped the private key: it can leave the token"),
        ("TOKEN_IMPORTS", "CKA_LOCAL false, demanded was true"),
        ("TOKEN_ASKS", "takes the PIN for each signature (CKA_ALWAYS_AUTHENTICATE)"),
    ] {
        let refused = stage.init(&[(fault, "1")]);
        assert_eq!(refused.code, 2, "{fault}: {}", refused.out);
        assert!(refused.err.contains(said), "{fault}: {}", refused.err);
        assert!(!stage.folder.join("coldlog-signer/key.age").exists(), "{fault}");
    }
    assert_eq!(stage.init(&[]).code, 0);
}
