//! Tables of rules: each row breaks one rule by one thing, and stands beside its neighbour that keeps
//! it.
#![allow(unused_macros, unused_imports)]

use super::*;
use coldlog_spec::verify::append::{Admission, verify_genesis};
use coldlog_spec::verify::heads::{Conviction, judge};

// Every variant by name, so that one without a row fails a test, and a new one does not compile.
macro_rules! variants {
    ($all:ident, $name:ident, $refusal:ident: $($variant:ident)*) => {
        const $all: &[&str] = &[$(stringify!($variant)),*];
        fn $name(refusal: &$refusal) -> &'static str {
            match refusal { $($refusal::$variant { .. } => stringify!($variant)),* }
        }
    };
}

pub(crate) struct Row<R> {
    // What is broken.
    pub(crate) broken: &'static str,
    pub(crate) kept: Result<(), R>,
    pub(crate) found: Result<(), R>,
    // The variant, and words of its text.
    pub(crate) refusal: &'static str,
    pub(crate) says: &'static str,
}

// `as_told` makes the thing that is judged: from the good part, then from the broken one.
pub(crate) fn row<T, R>(
    broken: &'static str,
    as_told: impl Fn(T) -> Result<(), R>,
    [good, bad]: [T; 2],
    refusal: &'static str,
    says: &'static str,
) -> Row<R> {
    Row { broken, kept: as_told(good), found: as_told(bad), refusal, says }
}

pub(crate) fn hold<R: std::fmt::Display>(rows: &[Row<R>], name: fn(&R) -> &'static str) {
    for Row { broken, kept, found, refusal, says } in rows {
        if let Err(why) = kept {
            panic!("{broken}: the neighbour that keeps the rule is refused: {why}");
        }
        let Err(why) = found else { panic!("{broken}: accepted") };
        assert_eq!(name(why), *refusal, "{broken}: {why}");
        assert!(why.to_string().contains(says), "{broken}: {why}");
    }
}

pub(crate) fn stranger() -> SecretKey {
    SecretKey::from_seed(&[99; 32])
}

pub(crate) fn admission() -> Admission {
    verify_genesis(genesis("age1x").bytes()).unwrap()
}

// The log has the genesis and one record.
pub(crate) fn newest() -> Statement {
    commitment(&after(1, genesis("age1x").leaf()), 1)
}

// The changed byte is the signature's last: the signature is the last item of the file.
pub(crate) fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

// Evidence is judged as others read it, from its bytes.
pub(crate) fn convicts_the_signer(evidence: &Evidence, place: u64) {
    let read = Evidence::decode(&evidence.encode()).unwrap();
    let Conviction::Fork { issuer, subject, sequence, key } = judge(&read, &policy("two")).unwrap()
    else {
        panic!("a fork is the signer's")
    };
    assert_eq!((Claims { issuer, subject }, sequence), (claims(), place));
    assert_eq!(key, signer().public().thumbprint());
}

pub(crate) use variants;
