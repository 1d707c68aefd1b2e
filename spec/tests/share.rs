//! A share is one text and no other: words from paper are held against their checksum.

use coldlog_spec::share::{MAX_SHARE, NotAShare, Share};
use proptest::prelude::*;
use zeroize::Zeroizing;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kgc3n8nss4vt8h6";

fn share(number: u8, value: [u8; 32]) -> Share {
    Share {
        number,
        count: 255,
        threshold: 200,
        recipient: RECIPIENT.into(),
        value: Zeroizing::new(value),
    }
}

#[test]
fn its_words_are_those_of_bip_39() {
    // The list's own vectors: trezor/python-mnemonic, entropies of 256 bits.
    for (byte, first, last) in [
        (0x00, "abandon", "art"),
        (0x7f, "legal", "title"),
        (0x80, "letter", "bless"),
        (0xff, "zoo", "vote"),
    ] {
        let text = share(7, [byte; 32]).encode();
        let words: Vec<&str> = text.lines().skip(2).flat_map(|line| line.split(' ')).collect();
        assert_eq!((words.len(), words[0], words[23]), (24, first, last));
    }
}

#[test]
fn each_mistake_of_a_typist_is_told_by_its_name() {
    let good = share(7, [0x7f; 32]).encode().to_string();
    assert_eq!(Share::decode(&good).unwrap(), share(7, [0x7f; 32]));
    let case = |from: &str, to: &str| Share::decode(&good.replacen(from, to, 1)).unwrap_err();
    assert_eq!(case("share/v1", "share/v2"), NotAShare::Head);
    assert_eq!(case("7 of", "0 of"), NotAShare::Line);
    assert_eq!(case("any 200", "any 1"), NotAShare::Line);
    assert_eq!(case("age1q", "age1Q"), NotAShare::Line);
    assert_eq!(case("legal", "legall"), NotAShare::Word(1));
    assert_eq!(case("title", ""), NotAShare::Words(23));
    assert_eq!(case("title", "zoo"), NotAShare::Checksum);
    assert_eq!(case("legal winner", "winner legal"), NotAShare::Checksum);
    assert_eq!(case("legal winner", "legal  winner"), NotAShare::Form);
    assert_eq!(case("7 of", "07 of"), NotAShare::Form);
    assert!(!format!("{:?}", share(7, [0x7f; 32])).contains("legal"));
}

proptest! {
    #[test]
    fn what_is_decoded_encodes_to_the_same_text(value: [u8; 32], number in 1..=255u8, at: prop::sample::Index, to: char) {
        let text = share(number, value).encode().to_string();
        prop_assert!(text.len() <= MAX_SHARE);
        prop_assert_eq!(Share::decode(&text).unwrap(), share(number, value));
        let mut altered: Vec<char> = text.chars().collect();
        let at = at.index(altered.len());
        altered[at] = to;
        let altered: String = altered.into_iter().collect();
        if let Ok(read) = Share::decode(&altered) {
            let again = read.encode().to_string();
            prop_assert_eq!(again, altered);
        }
    }
}
