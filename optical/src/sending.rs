//! A file on its way out: frames without end, of which any few more than the parcel has pieces are enough.
//!
//! The fountain code is RaptorQ, RFC 6330, with one source block, one sub-block and an alignment of one
//! byte. The frames 0 to `pieces - 1` are the parcel itself, cut; those after them repair what was lost.

use crate::frame::{Frame, Head, Kind, MAX_PARCEL, MAX_PIECES, TransferId};
use crate::parcel;
use raptorq::{EncodingPacket, ObjectTransmissionInformation, SourceBlockEncoder};

/// Why a file cannot be sent like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many bytes.
    #[error(
        "a file of {0} bytes is too large for QR codes, which carry {MAX_PARCEL} bytes, packed: carry it on a stick"
    )]
    Bytes(usize),
    /// Too many codes.
    #[error(
        "a file of {bytes} bytes takes {pieces} QR codes of this size, and at most {MAX_PIECES} are read: use larger codes (a larger window), or carry it on a stick"
    )]
    Pieces {
        /// Of the file.
        bytes: usize,
        /// Too many.
        pieces: usize,
    },
}

/// A file, packed and not yet cut.
pub struct Outgoing {
    kind: Kind,
    bytes: usize,
    parcel: Vec<u8>,
}

impl Outgoing {
    /// Packs a file.
    pub fn new(kind: Kind, file: &[u8]) -> Result<Outgoing, TooLarge> {
        let parcel = parcel::pack(file).filter(|parcel| parcel.len() <= MAX_PARCEL);
        let parcel = parcel.ok_or(TooLarge::Bytes(file.len()))?;
        Ok(Outgoing { kind, bytes: file.len(), parcel })
    }

    /// Bytes of the parcel.
    pub fn length(&self) -> usize {
        self.parcel.len()
    }

    /// Cuts it into symbols of a size, at least 1.
    pub fn cut(&self, symbol_size: u16) -> Result<Transfer, TooLarge> {
        let size = usize::from(symbol_size.max(1));
        let pieces = self.parcel.len().div_ceil(size);
        if pieces > MAX_PIECES as usize {
            return Err(TooLarge::Pieces { bytes: self.bytes, pieces });
        }
        let mut padded = self.parcel.clone();
        padded.resize(pieces * size, 0);
        let config = information(padded.len(), size);
        let encoder = SourceBlockEncoder::new(0, &config, &padded);
        let head = Head {
            kind: self.kind,
            transfer: TransferId::of(self.kind, size, &self.parcel),
            length: self.parcel.len(),
            symbol_size: size,
        };
        Ok(Transfer { head, source: encoder.source_packets(), encoder })
    }
}

/// Of a padded parcel; both sides must agree. The caller keeps the limits of [`crate::frame`].
pub(crate) fn information(padded: usize, symbol_size: usize) -> ObjectTransmissionInformation {
    ObjectTransmissionInformation::new(padded as u64, symbol_size as u16, 1, 1, 1)
}

/// A file, cut: its frames.
pub struct Transfer {
    head: Head,
    source: Vec<EncodingPacket>,
    encoder: SourceBlockEncoder,
}

impl Transfer {
    /// What all frames say.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How many frames are shown by default: a third more than are needed, four more at least.
    pub fn frames(&self) -> u32 {
        let pieces = self.head.pieces();
        pieces + pieces.div_ceil(3).max(4)
    }

    /// A frame. There are 65,536; those of an endless show begin again after that.
    pub fn frame(&self, number: u64) -> Frame {
        let number = (number % (1 << 16)) as u16;
        let symbol = match self.source.get(usize::from(number)) {
            Some(packet) => packet.data().to_vec(),
            None => {
                let beyond = u32::from(number) - self.head.pieces();
                let packets = self.encoder.repair_packets(beyond, 1);
                packets.first().map(|packet| packet.data().to_vec()).unwrap_or_default()
            }
        };
        Frame { head: self.head, number, symbol }
    }
}
