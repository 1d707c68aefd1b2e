//! A share of a recovery key (`formats/share.md`): a text that fits on paper, words and all.

use bip39::{Language, Mnemonic};
use std::fmt::Write;
use zeroize::Zeroizing;

/// The first line.
const HEAD: &str = "coldlog-share/v1";
/// The longest file, with words of eight letters.
pub const MAX_SHARE: usize = 512;
/// Words of a share: 256 bits and their checksum (BIP-39).
const WORDS: usize = 24;
const IN_A_LINE: usize = 6;

/// Why a text is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAShare {
    /// It begins otherwise.
    #[error("expected a share, which begins with the line \"{HEAD}\", found something else")]
    Head,
    /// The second line.
    #[error(
        "the share's second line: expected \"NUMBER of COUNT, any THRESHOLD open RECIPIENT\" with 2 <= THRESHOLD <= COUNT <= 255, 1 <= NUMBER <= COUNT and an age recipient (age1...), found something else: compare it with the paper"
    )]
    Line,
    /// A word that is not in the list.
    #[error(
        "word {0} of the share is not in the list of words (BIP-39, English): compare it with the paper"
    )]
    Word(usize),
    /// More or fewer words.
    #[error("expected {WORDS} words, found {0}: compare them with the paper")]
    Words(usize),
    /// All are words, but not these.
    #[error(
        "the words do not fit their checksum: one of them is wrong, or two have changed places; compare them with the paper"
    )]
    Checksum,
    /// Other spaces or lines.
    #[error(
        "the share is not written as shares are: six words a line, one space between them, no line more"
    )]
    Form,
}

/// One share of a set. Whoever has `threshold` of them has the key; with fewer, nothing is known of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    /// Which one, from 1.
    pub number: u8,
    /// How many there are.
    pub count: u8,
    /// How many open it.
    pub threshold: u8,
    /// The age recipient of the key that they give.
    pub recipient: String,
    /// The share itself.
    pub value: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({} of {}, {})", self.number, self.count, self.recipient)
    }
}

impl Share {
    /// The file.
    pub fn encode(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_SHARE));
        let Share { number, count, threshold, recipient, .. } = self;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{HEAD}\n{number} of {count}, any {threshold} open {recipient}");
        if let Ok(words) = Mnemonic::from_entropy_in(Language::English, &*self.value) {
            for (at, word) in words.words().enumerate() {
                text.push_str(word);
                text.push(if (at + 1) % IN_A_LINE == 0 { '\n' } else { ' ' });
            }
        }
        text
    }

    /// Reads a share. Nothing that it says is repeated in an error: it is a secret.
    pub fn decode(text: &str) -> Result<Share, NotAShare> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(NotAShare::Head);
        }
        let (number, count, threshold, recipient) =
            lines.next().and_then(second_line).ok_or(NotAShare::Line)?;
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).take(WORDS + 1).collect();
        if words.len() != WORDS {
            return Err(NotAShare::Words(words.len()));
        }
        let joined = Zeroizing::new(words.join(" "));
        let words = Mnemonic::parse_in_normalized(Language::English, &joined);
        let words = words.map_err(|why| match why {
            bip39::Error::UnknownWord(at) => NotAShare::Word(at + 1),
            _ => NotAShare::Checksum,
        })?;
        let bytes = Zeroizing::new(words.to_entropy_array().0);
        let mut value = Zeroizing::new([0; 32]);
        value.copy_from_slice(bytes.get(..32).ok_or(NotAShare::Checksum)?);
        let share = Share { number, count, threshold, recipient, value };
        match share.encode().as_str() == text {
            true => Ok(share),
            false => Err(NotAShare::Form),
        }
    }
}

fn second_line(line: &str) -> Option<(u8, u8, u8, String)> {
    let (number, rest) = line.split_once(" of ")?;
    let (count, rest) = rest.split_once(", any ")?;
    let (threshold, recipient) = rest.split_once(" open ")?;
    let (number, count, threshold): (u8, u8, u8) =
        (number.parse().ok()?, count.parse().ok()?, threshold.parse().ok()?);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_recipient = recipient.len() == 62
        && recipient.strip_prefix("age1").is_some_and(|rest| rest.chars().all(plain));
    let fits = (1..=count).contains(&number) && (2..=count).contains(&threshold) && is_recipient;
    fits.then(|| (number, count, threshold, recipient.to_owned()))
}
