//! QR codes, ISO/IEC 18004: level L, for what is lost the fountain repairs, in alphanumeric mode.

use crate::frame::{AROUND, Frame, PREFIX};
use crate::{base45, sending::Transfer};
use qrcode::{Color, EcLevel, QrCode};

/// Empty modules that the standard wants around a code.
pub const QUIET: usize = 4;

/// The smallest and the largest version that is chosen where there is room: the latter has 117 modules a side,
/// which a camera still tells apart.
const CHOSEN: std::ops::RangeInclusive<u8> = 10..=25;

/// With so many pieces or fewer, a transfer and what repairs it is 60 codes at most.
const PIECES_WANTED: usize = 42;

// Data codewords of each version at level L: ISO/IEC 18004, table 7.
const CODEWORDS: [u16; 40] = [
    19, 34, 55, 80, 108, 136, 156, 194, 232, 274, 324, 370, 428, 461, 523, 589, 647, 721, 795, 861,
    932, 1006, 1094, 1174, 1276, 1370, 1468, 1531, 1631, 1735, 1843, 1955, 2071, 2191, 2306, 2434,
    2566, 2702, 2812, 2956,
];

/// A size of QR codes: 1 to 40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u8);

impl Version {
    /// The smallest one that is shown: smaller ones hold hardly more than a frame's head.
    pub const SMALLEST: Version = Version(5);

    /// The largest one that there is.
    pub const LARGEST: Version = Version(40);

    /// From [`Version::SMALLEST`] to [`Version::LARGEST`].
    pub fn new(version: u8) -> Option<Version> {
        Version::all().find(|there| there.0 == version)
    }

    fn all() -> impl DoubleEndedIterator<Item = Version> {
        (Version::SMALLEST.0..=Version::LARGEST.0).map(Version)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Modules a side, without the quiet zone.
    pub fn modules(self) -> usize {
        17 + 4 * usize::from(self.0)
    }

    /// Characters that it holds in alphanumeric mode.
    pub fn characters(self) -> usize {
        let count = match self.0 {
            ..=9 => 9,
            10..=26 => 11,
            _ => 13,
        };
        let bits = usize::from(CODEWORDS[usize::from(self.0) - 1]) * 8 - 4 - count;
        bits / 11 * 2 + usize::from(bits % 11 >= 6)
    }

    /// Bytes of a symbol whose frame fits.
    pub fn symbol_size(self) -> u16 {
        // At most 2,843; at least 82.
        (base45::bytes_in(self.characters() - PREFIX.len()) - AROUND) as u16
    }

    /// The largest one that is so many modules wide at most, quiet zone and all.
    pub fn within(modules: usize) -> Option<Version> {
        let fits = |version: &Version| version.modules() + 2 * QUIET <= modules;
        Version::all().rev().find(fits)
    }

    /// The smallest one in which a parcel takes few codes, but not beyond a limit.
    pub fn for_parcel(length: usize, limit: Version) -> Version {
        let enough = |version: &Version| {
            length.div_ceil(usize::from(version.symbol_size())) <= PIECES_WANTED
        };
        CHOSEN.map(Version).find(enough).unwrap_or(Version(*CHOSEN.end())).min(limit)
    }
}

/// A code as modules: true is black.
pub struct Code {
    side: usize,
    modules: Vec<bool>,
}

impl Code {
    /// Modules a side.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether a module is black; outside of the code it is not.
    pub fn black(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.modules[y * self.side + x]
    }

    /// The same with the quiet zone: 0, 0 is its corner.
    pub fn black_in_frame(&self, x: usize, y: usize) -> bool {
        x >= QUIET && y >= QUIET && self.black(x - QUIET, y - QUIET)
    }

    /// Modules a side, with the quiet zone.
    pub fn framed_side(&self) -> usize {
        self.side + 2 * QUIET
    }
}

/// A frame that does not fit into its code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a frame of {characters} characters does not fit into a QR code of version {version}: {why}"
)]
pub struct DoesNotFit {
    characters: usize,
    version: u8,
    why: String,
}

/// Draws a frame.
pub fn draw(frame: &Frame, version: Version) -> Result<Code, DoesNotFit> {
    let line = frame.encode();
    let number = qrcode::Version::Normal(i16::from(version.0));
    let code = alphanumeric(&line, number).map_err(|why| DoesNotFit {
        characters: line.len(),
        version: version.0,
        why: why.to_string(),
    })?;
    let side = code.width();
    Ok(Code { side, modules: code.to_colors().into_iter().map(|c| c == Color::Dark).collect() })
}

// One segment: the crate's own choice of modes cuts out runs of digits, and is now and then longer.
fn alphanumeric(line: &str, version: qrcode::Version) -> qrcode::QrResult<QrCode> {
    let mut bits = qrcode::bits::Bits::new(version);
    bits.push_alphanumeric_data(line.as_bytes())?;
    bits.push_terminator(EcLevel::L)?;
    QrCode::with_bits(bits, EcLevel::L)
}

/// Draws the frames of a transfer from one number on.
pub fn draw_all(
    transfer: &Transfer,
    numbers: std::ops::Range<u64>,
    version: Version,
) -> Result<Vec<Code>, DoesNotFit> {
    numbers.map(|number| draw(&transfer.frame(number), version)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_holds_what_is_counted_and_not_a_character_more() {
        for version in Version::all() {
            let number = qrcode::Version::Normal(i16::from(version.0));
            let fits = |characters: usize| alphanumeric(&"A".repeat(characters), number).is_ok();
            assert!(fits(version.characters()), "{version:?}");
            assert!(!fits(version.characters() + 1), "{version:?}");
        }
        assert_eq!(Version::LARGEST.characters(), crate::frame::MAX_LINE);
    }

    #[test]
    fn every_frame_of_a_transfer_fits_into_its_version_whatever_is_in_it() {
        let file: Vec<u8> = (0u32..9000).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        let outgoing = crate::sending::Outgoing::new(crate::frame::Kind::Batch, &file).unwrap();
        for version in Version::all().step_by(3) {
            let transfer = outgoing.cut(version.symbol_size()).unwrap();
            for number in 0..6 {
                let mut frame = transfer.frame(number);
                assert!(draw(&frame, version).is_ok(), "{version:?}");
                // Zeros and small numbers give long runs of digits.
                frame.symbol.fill(number as u8 * 3);
                assert!(draw(&frame, version).is_ok(), "{version:?}");
            }
        }
    }

    #[test]
    fn a_version_is_chosen_for_the_room_and_the_parcel() {
        assert_eq!(Version::within(44), None);
        assert_eq!(Version::within(45), Some(Version(5)));
        assert_eq!(Version::within(1000), Some(Version(40)));
        let largest = Version::LARGEST;
        assert_eq!(Version::for_parcel(100, largest), Version(10));
        assert_eq!(Version::for_parcel(1 << 20, largest), Version(25));
        assert_eq!(Version::for_parcel(1 << 20, Version(7)), Version(7));
    }
}
