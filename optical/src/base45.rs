//! Base45, RFC 9285: two bytes are three of the 45 characters for which QR codes have a compact mode. What
//! it makes passes through scanners that give text only. It never ends in a space, which a line's end may lose.

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// The text of bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    let mut push = |mut value: usize, digits: usize| {
        for _ in 0..digits {
            text.push(char::from(ALPHABET[value % 45]));
            value /= 45;
        }
    };
    for pair in bytes.chunks(2) {
        match pair {
            [high, low] => push(usize::from(*high) << 8 | usize::from(*low), 3),
            _ => push(usize::from(pair[0]), 2),
        }
    }
    text
}

/// The bytes of a text; `None` where no bytes have it.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for digits in text.as_bytes().chunks(3) {
        let mut value = 0;
        for digit in digits.iter().rev() {
            value = value * 45 + ALPHABET.iter().position(|c| c == digit)?;
        }
        match digits.len() {
            3 => bytes.extend(u16::try_from(value).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

/// How many bytes so many characters hold.
pub fn bytes_in(characters: usize) -> usize {
    characters / 3 * 2 + usize::from(characters % 3 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_9285_hold() {
        for (text, encoded) in [
            ("AB", "BB8"),
            ("Hello!!", "%69 VD92EX0"),
            ("base-45", "UJCLQE7W581"),
            ("ietf!", "QED8WEX0"),
        ] {
            assert_eq!(encode(text.as_bytes()), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn what_no_bytes_encode_to_is_refused() {
        // 65536 and 256; a character alone; one that is not of the alphabet; small letters.
        for text in ["GGW", ":::", ":5", "A", "BB8A", "B_8", "bb8", "ÄÖ"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_fit_as_counted(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = encode(&bytes);
            prop_assert_eq!(bytes_in(text.len()), bytes.len());
            prop_assert!(!text.ends_with(' '));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn a_text_has_one_meaning(text in "[0-9A-Z $%*+./:-]{0,30}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
