//! What must be given beside the passphrase before the key is used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::totp;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, run, write_private};
use std::time::{SystemTime, UNIX_EPOCH};

fn sign(story: &Story, document: &str, rest: &str) -> Ran {
    std::fs::write(story.at("signer").join(document), document).unwrap();
    let line = format!("signer sign {document} --operator Ada --passphrase-file passphrase {rest}");
    run(&story.at("signer"), &line).unwrap()
}

fn records(story: &Story) -> usize {
    run(&story.at("signer"), "signer list").unwrap().out.lines().count()
}

fn publish(story: &mut Story) -> String {
    story.run("signer", "signer export -o r.batch.cbor").unwrap();
    story.carry("signer", "r.batch.cbor", "log").unwrap();
    story.run("log", "log append r.batch.cbor").unwrap();
    story.cosign("r").unwrap();
    story.run("log", "log receipts r.batch.cbor -o r.receipts.cbor --policy policy").unwrap();
    story.carry("log", "coldlog-log/public", "auditor").unwrap();
    let open = "verifier open --log public --identity auditor.key --policy policy";
    story.run("auditor", open).unwrap().out
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for c in text.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|d| *d == c).unwrap();
        bits = (bits << 5 | value as u32) & 0xffff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn a_code_opens_the_key_once_and_its_drift_is_recorded() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    // The URI goes to the terminal, not with the results into a file.
    story.init_with = " --second-factor totp".into();
    story.set_up().unwrap();
    let told = story.init_told.clone();
    let uri = told.lines().find(|line| line.starts_with("otpauth://totp/")).unwrap();
    let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let secret = base32(secret);
    assert_eq!(secret.len(), 20);
    let step = || totp::step_of(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let folder = story.at("signer");
    let code = |step: u64| {
        let text = format!("{:06}\n", totp::code(&secret, step));
        write_private(&folder.join("code"), &text).unwrap();
    };
    // A second factor that is not given, no code at all, one of long ago.
    assert_eq!(sign(&story, "a", "").code, 2);
    write_private(&story.at("signer").join("code"), "hello\n").unwrap();
    let ran = sign(&story, "a", "--second-file code");
    assert!(ran.code == 1 && ran.err.contains("six digits"), "{}", ran.err);
    code(step() - 100);
    let ran = sign(&story, "a", "--second-file code");
    assert!(ran.code == 1 && ran.err.contains("look at both clocks"), "{}", ran.err);
    assert_eq!(records(&story), 1);
    assert!(!story.at("signer").join("a.sig").exists());
    // The authenticator's clock goes half a minute behind.
    let used = step() - 1;
    code(used);
    let ran = sign(&story, "a", "--second-file code");
    assert_eq!(ran.code, 0, "{}", ran.err);
    // The same code again, and the one before it.
    for replayed in [used, used - 1] {
        code(replayed);
        let ran = sign(&story, "b", "--second-file code");
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("used already") || ran.err.contains("not of now"), "{}", ran.err);
    }
    assert_eq!(records(&story), 2);
    code(step() + 1);
    assert_eq!(sign(&story, "b", "--second-file code").code, 0);
    let shown = story.run("signer", "signer show 1").unwrap().out;
    assert!(shown.contains("totp (-"), "{shown}");
    // A code that prepared a revocation signs nothing more.
    let auditor = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let to = auditor.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    code(step() + 2);
    let line = format!(
        "signer revoke --prepare drawer.age --to {to} --operator Ada --purpose drawer --passphrase-file passphrase --second-file code"
    );
    let prepared = run(&story.at("signer"), &line).unwrap();
    assert_eq!(prepared.code, 0, "{}", prepared.err);
    let ran = sign(&story, "c", "--second-file code");
    assert!(ran.code == 1 && ran.err.contains("used already"), "{}", ran.err);
    // The secret of the codes is in the backup: a restored signer signs.
    let tail = {
        let status = run(&story.at("signer"), "signer status").unwrap().out;
        status.split("tail ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    story.run("signer", "signer backup medium").unwrap();
    std::fs::rename(story.at("signer").join("coldlog-signer"), story.at("signer").join("lost"))
        .unwrap();
    story.run("signer", "signer restore medium --passphrase-file passphrase").unwrap();
    let line = format!("signer recover --without-log --tail {tail} --passphrase-file passphrase");
    story.run("signer", &line).unwrap();
    assert!(story.at("signer").join("coldlog-signer/totp.age").exists());
    code(step());
    let ran = sign(&story, "d", "--second-file code");
    assert!(ran.err.contains("used already") || ran.code == 0, "{}", ran.err);
    let opened = publish(&mut story);
    assert!(opened.contains("genesis, operators Ada, Grace; demands totp"), "{opened}");
    assert_eq!(opened.matches("opened by passphrase, totp").count(), 2, "{opened}");
}

#[test]
fn neither_of_two_passphrases_opens_the_key_alone() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    let secrets = |story: &Story| {
        write_private(&story.at("signer").join("grace"), "the other passphrase\n").unwrap();
        write_private(&story.at("signer").join("wrong"), "another one\n").unwrap();
    };
    secrets(&story);
    story.init_with = " --second-factor second-passphrase --second-file grace".into();
    story.set_up().unwrap();
    for rest in ["--second-file wrong", "--second-file passphrase"] {
        let ran = sign(&story, "a", rest);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("does not open"), "{}", ran.err);
    }
    assert_eq!(sign(&story, "a", "").code, 2);
    // The file itself opens by neither of them.
    for secret in ["a ceremony, not a secret", "the other passphrase"] {
        let path = story.at("signer").join("coldlog-signer/key.age");
        let opened =
            coldlog_kit::keyfile::Keys::read(&path, "signer", |_| Ok(secret.to_owned().into()));
        assert!(opened.is_err());
    }
    assert_eq!(records(&story), 1);
    assert_eq!(sign(&story, "a", "--second-file grace").code, 0);
    let opened = publish(&mut story);
    assert!(opened.contains("opened by passphrase, second-passphrase"), "{opened}");
    // Both people restore it, too.
    let told = run(&story.at("signer"), "signer status").unwrap().out;
    let tail = told.split("tail ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    story.run("signer", "signer backup medium").unwrap();
    std::fs::remove_dir_all(story.at("signer").join("coldlog-signer")).unwrap();
    let both = "--passphrase-file passphrase --second-file grace";
    let alone =
        run(&story.at("signer"), "signer restore medium --passphrase-file passphrase").unwrap();
    assert!(alone.code != 0 && alone.err.contains("does not open"), "{}", alone.err);
    story.run("signer", &format!("signer restore medium --second-passphrase {both}")).unwrap();
    story.run("signer", &format!("signer recover --without-log --tail {tail} {both}")).unwrap();
    assert_eq!(sign(&story, "z", "--second-file grace").code, 0);
}
