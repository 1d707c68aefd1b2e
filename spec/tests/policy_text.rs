//! The text of a policy: what stands there, and what may not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "policies/many.rs"]
mod many;

use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::{Policy, Size};
use common::head_keys;
use many::many;
use std::collections::BTreeSet;

fn refused(text: &[u8]) -> (usize, String) {
    let why = Policy::parse(text).unwrap_err();
    (why.line, why.why)
}

#[test]
fn a_key_stands_once_whatever_it_is_called() {
    let keys = head_keys("log.example", 1);
    let [ed25519, mldsa] = keys.log_verifiers();
    for key in [&ed25519, &mldsa] {
        let other = VerifierKey::new("other.example".into(), key.material.clone());
        let text = format!("log {}\nlog {}\nquorum none\n", key.encode(), other.encode());
        assert_eq!(
            refused(text.as_bytes()),
            (2, "the log key of other.example stands twice".into())
        );
    }
    // The same public key under another type is the same key.
    let [cosigner, _] = keys.witness_verifiers();
    let text = format!("log {}\nlog {}\nquorum none\n", ed25519.encode(), cosigner.encode());
    assert_eq!(refused(text.as_bytes()), (2, "the log key of log.example stands twice".into()));
    // One as a log and as a witness: the standard asks for neither list to look into the other.
    let text = format!("log {}\nwitness w {}\nquorum w\n", ed25519.encode(), cosigner.encode());
    assert!(Policy::parse(text.as_bytes()).is_ok());
}

#[test]
fn names_are_octets() {
    let key = |n: u8| head_keys(&format!("p{n}.example"), 100 + n).witness_verifiers();
    let keys: Vec<String> = (0..5).map(|n| key(n)[0].encode()).collect();
    let line = |name: &[u8], key: &str, url: &[u8]| {
        [b"witness ", name, b" ", key.as_bytes(), b" ", url, b"\n"].concat()
    };
    // One octet 0xE9, and é in UTF-8, are two names; so are a K and a Kelvin sign.
    let latin = line(b"w\xe9", &keys[0], b"");
    let utf8 = line("w\u{e9}".as_bytes(), &keys[1], b"https://x/\xff");
    let (k, kelvin) = (line(b"K", &keys[2], b""), line("\u{212a}".as_bytes(), &keys[3], b""));
    let group = b"group g all w\xe9 w\xc3\xa9 K \xe2\x84\xaa\nquorum g\n";
    let lines = [&latin[..], &utf8, &k, &kelvin].concat();
    let text = [&lines[..], group].concat();
    let policy = Policy::parse(&text).unwrap();
    let names: BTreeSet<&str> = policy.witnesses.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(policy.analysis().quorum.unwrap().quorum.size, Size::Exactly(4));
    // What another octet is shown as is no name that can be written.
    let forged = line(b"w(0xE9)", &keys[4], b"");
    let text = [&latin[..], &forged, b"group g all w(0xE9) w\xe9\nquorum g\n"].concat();
    assert!(Policy::parse(&text).is_ok());
}

#[test]
fn thresholds_are_decimal_and_quorums_come_after_what_they_name() {
    let witnesses = many(3);
    let of = |lines: &str| Policy::parse(format!("{witnesses}{lines}").as_bytes());
    for threshold in ["1", "2", "3", "03", "any", "all"] {
        assert!(of(&format!("group g {threshold} w0 w1 w2\nquorum g\n")).is_ok(), "{threshold}");
    }
    for threshold in ["0", "4", "+2", "-1", "2.0", "0x2", "ALL", "99999999999999999999999"] {
        assert!(of(&format!("group g {threshold} w0 w1 w2\nquorum g\n")).is_err(), "{threshold}");
    }
    for lines in [
        "group g any\nquorum g\n",
        "group g all\nquorum g\n",
        "group g any w0 w0\nquorum g\n",
        "group g any w0\ngroup h any w0\nquorum g\n",
        "group g any none\nquorum g\n",
        "group g any g\nquorum g\n",
        "group none any w0\nquorum none\n",
        "group w1 any w0\nquorum w1\n",
        "quorum g\ngroup g any w0\n",
        "quorum w0\nquorum w0\n",
        "quorum none\nquorum none\n",
        "quorum\n",
        "quorum w0 w1\n",
        "quorum W0\n",
        "Quorum w0\n",
        "group g any w0\r\nquorum g\r\n",
        "# a\u{7f}\nquorum w0\n",
        "# a\u{0}\nquorum w0\n",
        "",
    ] {
        assert!(of(lines).is_err(), "{lines:?}");
    }
    for lines in [
        "quorum w0",
        " \t quorum \t w0 \t \n\n \t\n",
        "  # indented\n#\n\tquorum w0\n",
        "quorum w0\ngroup later any w1 w2\n",
        "group any all w0 w1\nquorum any\n",
        "group quorum 1 w0\nquorum quorum\n",
    ] {
        assert!(of(lines).is_ok(), "{lines:?}");
    }
}
