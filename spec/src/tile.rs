//! Tiles and entry bundles (C2SP tlog-tiles): names, widths and framing.

use crate::cbor::DecodeError;
use crate::hash::Hash;
use crate::merkle::{Node, node_hash};
use std::ops::Range;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Rows of the tree that one row of tiles spans.
pub const HEIGHT: u8 = 8;
/// The largest entry that a bundle's 16-bit length can frame.
pub const MAX_ENTRY: usize = 65_535;
/// The largest bundle: 256 entries with their lengths.
pub const MAX_BUNDLE: usize = (MAX_ENTRY + 2) * WIDTH as usize;

/// A tile, full (`width` 256) or partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Row of tiles: 0 holds leaf hashes.
    pub level: u8,
    /// Position in the row.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// The tile's path below the log's prefix: `tile/L/NNN[.p/W]`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, number(self.index, self.width))
    }

    /// The tile that holds `node` in a tree of `size`, and the range of its hashes below the node.
    pub fn holding(node: Node, size: u64) -> Option<(Tile, std::ops::Range<usize>)> {
        let (level, depth) = (node.level / HEIGHT, node.level % HEIGHT);
        let first = node.index.checked_shl(u32::from(depth))?;
        let index = first / WIDTH;
        let width = width_at(level, index, size);
        let start = (first % WIDTH) as usize;
        let end = start + (1usize << depth);
        (end <= width as usize).then_some((Tile { level, index, width }, start..end))
    }
}

/// How many hashes the tile `index` of row `level` has in a tree of `size`; 0 when there is none.
pub fn width_at(level: u8, index: u64, size: u64) -> u64 {
    let row = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
    row.saturating_sub(index.saturating_mul(WIDTH)).min(WIDTH)
}

/// The path of a bundle of entries: `tile/entries/NNN[.p/W]`.
pub fn entries_path(index: u64, width: u64) -> String {
    format!("tile/entries/{}", number(index, width))
}

/// The path of a bundle of sealed records, which pages as entries do: `sealed/NNN[.p/W]`.
pub fn sealed_path(index: u64, width: u64) -> String {
    format!("sealed/{}", number(index, width))
}

/// The path of the cosigned head of a size: `heads/NNN`.
pub fn head_path(size: u64) -> String {
    format!("heads/{}", number(size, WIDTH))
}

/// Reads the path of a cosigned head: its size. `None` for any other path.
pub fn parse_head_path(path: &str) -> Option<u64> {
    let size: u64 = digits(path.strip_prefix("heads/")?).parse().ok()?;
    (head_path(size) == path).then_some(size)
}

// The digits of a number in a path, whatever stands around them: who reads one writes it again.
fn digits(number: &str) -> String {
    number.split('/').map(|part| part.trim_start_matches('x')).collect()
}

/// Reads the path of a tile, or of a bundle of entries or sealed records (row 0 then): row, position and
/// width. `None` for any other path.
pub fn parse_path(path: &str) -> Option<(u8, u64, u64)> {
    let (level, rest) = match path.strip_prefix("sealed/") {
        Some(rest) => (None, rest),
        None => match path.strip_prefix("tile/")?.split_once('/')? {
            ("entries", rest) => (None, rest),
            (level, rest) => (Some(level.parse::<u8>().ok()?), rest),
        },
    };
    let (position, width) = match rest.split_once(".p/") {
        Some((position, width)) => (position, width.parse().ok()?),
        None => (rest, WIDTH),
    };
    let index: u64 = digits(position).parse().ok()?;
    let again = match level {
        Some(level) => Tile { level, index, width }.path(),
        None if path.starts_with("sealed/") => sealed_path(index, width),
        None => entries_path(index, width),
    };
    (again == path && (1..=WIDTH).contains(&width)).then_some((level.unwrap_or(0), index, width))
}

// 1234067 is x001/x234/067; a partial one ends in .p/W.
fn number(index: u64, width: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{text}.p/{width}") } else { text }
}

/// The hashes of a tile, which must be exactly `width` of 32 bytes.
pub fn decode_tile(bytes: &[u8], width: u64) -> Result<Vec<Hash>, DecodeError> {
    let found = bytes.len();
    if found as u64 != width * 32 {
        let expected = format!("{} bytes for {width} hashes", width * 32);
        return Err(DecodeError::field("tile", "its length", expected, found.to_string()));
    }
    Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
}

/// A tile's bytes.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The root of a power of two of hashes that stand side by side.
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    if !row.len().is_power_of_two() {
        return None;
    }
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.first().copied()
}

/// Appends one entry to a bundle: big-endian 16-bit length, then the bytes. `false` when it is too long.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle, which must be exactly `width`.
pub fn decode_bundle(bytes: &[u8], width: u64) -> Result<Vec<&[u8]>, DecodeError> {
    let places = bundle_places(bytes, width)?;
    Ok(places.into_iter().map(|place| bytes.get(place).unwrap_or_default()).collect())
}

/// Where each entry of a bundle is in it.
pub fn bundle_places(bytes: &[u8], width: u64) -> Result<Vec<Range<usize>>, DecodeError> {
    let mut places = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let cut = || DecodeError::Malformed {
            what: "entry bundle",
            why: format!("the entry at byte {at} is cut short"),
        };
        let (head, body) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*head));
        let (_, after) = body.split_at_checked(length).ok_or_else(cut)?;
        places.push(at + 2..at + 2 + length);
        rest = after;
    }
    if places.len() as u64 != width {
        let found = places.len().to_string();
        let expected = format!("{width} entries");
        return Err(DecodeError::field("entry bundle", "its count", expected, found));
    }
    Ok(places)
}
