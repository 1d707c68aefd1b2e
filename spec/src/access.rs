//! The access journal of a log's server: who read which sealed records, and when. A CBOR sequence of a
//! header and one item for each read, each of which names the one before (`formats.cddl`: `access`).

use crate::cbor::{self, DecodeError, Items, Value};
use crate::hash::Hash;
use crate::kind::Kind;

const WHAT: &str = "coldlog-access";
/// The largest item.
pub const MAX_ITEM: usize = 2048;
const MAX_NAME: usize = 255;

/// What the journal begins with.
pub fn encode_header(origin: &str) -> Vec<u8> {
    let mut items = Kind::Access.head();
    items.push(origin.into());
    cbor::to_bytes(&Value::Array(items))
}

/// Reads the first item: the log's origin.
pub fn decode_header(item: &[u8]) -> Result<String, DecodeError> {
    let mut items = Kind::Access.open(cbor::decode(WHAT, item, MAX_ITEM)?, 1)?;
    items.text("origin", MAX_NAME)
}

/// One read of sealed records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// SHA-256 of the item before.
    pub previous: Hash,
    /// POSIX seconds, by the server's clock.
    pub time: u64,
    /// The reader's name, as it was allowed.
    pub reader: String,
    /// Where it came from.
    pub address: String,
    /// The index of the first entry whose sealed record was read.
    pub first: u64,
    /// How many from there.
    pub count: u64,
}

impl Access {
    /// The item.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_bytes(&Value::Array(vec![
            cbor::bytes(self.previous.0),
            self.time.into(),
            self.reader.as_str().into(),
            self.address.as_str().into(),
            self.first.into(),
            self.count.into(),
        ]))
    }

    /// Reads an item after the header.
    pub fn decode(item: &[u8]) -> Result<Access, DecodeError> {
        let mut items = Items::new(WHAT, "a read", cbor::decode(WHAT, item, MAX_ITEM)?, 6..=6)?;
        Ok(Access {
            previous: items.hash("the item before")?,
            time: items.uint("time")?,
            reader: items.text("reader", MAX_NAME)?,
            address: items.text("address", MAX_NAME)?,
            first: items.uint("first entry")?,
            count: items.uint("count")?,
        })
    }
}

/// Whether the bytes at the end of a journal may be a read whose writing was interrupted: it follows the
/// item before, as far as it goes, and nothing follows it.
pub fn may_be_begun(torn: &[u8], previous: Hash) -> bool {
    const HEAD: [u8; 3] = [0x86, 0x58, 0x20];
    let begun = [&HEAD[..], &previous.0].concat();
    torn.len() < MAX_ITEM
        && torn.iter().zip(&begun).all(|(found, expected)| found == expected)
        && !torn.windows(HEAD.len()).skip(1).any(|three| three == HEAD)
}

/// An item that does not follow the one before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "read {number} of the journal follows {found}, expected {expected}: reads were removed or altered; keep the file, and ask who could write to the server"
)]
pub struct Broken {
    /// Counted from 1.
    pub number: u64,
    /// The digest of the item before.
    pub expected: Hash,
    /// The digest that it names.
    pub found: Hash,
}

/// Checks that a read follows the item before; returns the digest that the next one must name.
pub fn follows(access: &Access, number: u64, previous: Hash) -> Result<Hash, Broken> {
    match access.previous == previous {
        true => Ok(Hash::of(&access.encode())),
        false => Err(Broken { number, expected: previous, found: access.previous }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_the_next_read_may_be_torn() -> Result<(), Broken> {
        let read = |previous, first| {
            let (reader, address) = ("auditor.example".into(), "127.0.0.1".into());
            Access { previous, time: 5, reader, address, first, count: 256 }
        };
        let header = Hash::of(&encode_header("log.example/releases"));
        let one = read(header, 0);
        let next = follows(&one, 1, header)?;
        assert_eq!(
            follows(&read(header, 256), 2, next),
            Err(Broken { number: 2, expected: next, found: header })
        );
        let item = one.encode();
        assert!((0..item.len()).all(|length| may_be_begun(&item[..length], header)));
        assert!((34..item.len()).all(|length| !may_be_begun(&item[..length], next)));
        let two = [item, read(next, 256).encode()].concat();
        assert!(!may_be_begun(&two, header));
        assert!(!may_be_begun(&[0x96], header));
        Ok(())
    }
}
