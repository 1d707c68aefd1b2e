//! What a log's server says when it refuses: concise problem details in CBOR (RFC 9290).

use crate::cbor::{self, DecodeError, Fields, Value};

/// The media type.
pub const MEDIA_TYPE: &str = "application/concise-problem-details+cbor";
const WHAT: &str = "problem details";
const MAX_TEXT: usize = 4096;
/// The largest problem.
pub const MAX_PROBLEM: usize = 2 * MAX_TEXT + 64;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// -1: the kind of problem, in few words.
    pub title: String,
    /// -2: what was expected, what was found, what to do next.
    pub detail: String,
}

impl Problem {
    /// The encoding; what is too long is cut at a character.
    pub fn encode(&self) -> Vec<u8> {
        let cut = |text: &str| text[..text.floor_char_boundary(MAX_TEXT)].to_owned();
        cbor::to_bytes(&cbor::map(vec![
            ((-1).into(), Value::Text(cut(&self.title))),
            ((-2).into(), Value::Text(cut(&self.detail))),
        ]))
    }

    /// Reads a problem that has a title and a detail and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Problem, DecodeError> {
        let mut fields = Fields::new(WHAT, "the map", cbor::decode(WHAT, bytes, MAX_PROBLEM)?)?;
        let mut text = |key: i64, name: &'static str| {
            let value = fields.optional(key);
            let value =
                value.ok_or_else(|| DecodeError::field(WHAT, name, "present", "nothing"))?;
            cbor::into_text(WHAT, name, value, MAX_TEXT)
        };
        let (title, detail) = (text(-1, "the title (-1)")?, text(-2, "the detail (-2)")?);
        fields.finish()?;
        Ok(Problem { title, detail })
    }
}
