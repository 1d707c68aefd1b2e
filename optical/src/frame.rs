//! A frame: one line of text, one QR code. `spec/formats/qr.md`.
//!
//! ```text
//! frame  = "CL1:" base45(packet)
//! packet = kind (1) | transfer (8) | length of the parcel (3) | number (2) | symbol (1 to 2,844) | check (4)
//! check  = SHA-256("coldlog-frame" | all before it), the first 4 bytes
//! ```
//!
//! Numbers are big-endian. A frame that was misread, cut or altered does not get past its check; what is made
//! on purpose does, and is held against the transfer's name when the parcel is whole.

use crate::base45;
use sha2::{Digest, Sha256};
use std::fmt;

/// How a frame begins. The digit is the format's version.
pub const PREFIX: &str = "CL1:";

/// The longest line that is a frame: what the largest QR code holds.
pub const MAX_LINE: usize = 4296;

/// Bytes of a packet around its symbol.
pub const AROUND: usize = 18;

/// The largest parcel: larger files want a stick.
pub const MAX_PARCEL: usize = 1 << 20;

/// The most pieces that a parcel is cut into.
pub const MAX_PIECES: u32 = 2048;

/// What a transfer carries: said in each frame, so that the wrong one is named before all are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A signer's batch.
    Batch,
    /// A log's receipts.
    Receipts,
    /// A log's request to its witnesses.
    WitnessRequest,
    /// A witness's answer.
    WitnessResponse,
}

impl Kind {
    const ALL: [Kind; 4] =
        [Kind::Batch, Kind::Receipts, Kind::WitnessRequest, Kind::WitnessResponse];

    /// Its number in frames.
    pub fn code(self) -> u8 {
        match self {
            Kind::Batch => 1,
            Kind::Receipts => 2,
            Kind::WitnessRequest => 3,
            Kind::WitnessResponse => 4,
        }
    }

    fn of_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Batch => "a batch",
            Kind::Receipts => "receipts",
            Kind::WitnessRequest => "a witness request",
            Kind::WitnessResponse => "a witness response",
        })
    }
}

/// A transfer's name: it is made from all that the transfer is, so frames of two never fit together, and the
/// same file, shown twice, is one transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub [u8; 8]);

impl TransferId {
    /// Of a parcel that is sent in symbols of a size.
    pub fn of(kind: Kind, symbol_size: usize, parcel: &[u8]) -> TransferId {
        let mut digest = Sha256::new();
        digest.update(b"coldlog-transfer");
        digest.update([kind.code()]);
        digest.update((symbol_size as u64).to_be_bytes());
        digest.update(parcel);
        let mut id = [0; 8];
        id.copy_from_slice(&digest.finalize()[..8]);
        TransferId(id)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pair) in self.0.chunks(2).enumerate() {
            let dash = if place > 0 { "-" } else { "" };
            write!(f, "{dash}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}

/// What every frame of a transfer says alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What is carried.
    pub kind: Kind,
    /// The transfer.
    pub transfer: TransferId,
    /// Bytes of the parcel, 1 to [`MAX_PARCEL`].
    pub length: usize,
    /// Bytes of each symbol.
    pub symbol_size: usize,
}

impl Head {
    /// How many pieces the parcel has: as many frames are enough, now and then one or two more.
    pub fn pieces(&self) -> u32 {
        // At most MAX_PARCEL.
        self.length.div_ceil(self.symbol_size) as u32
    }
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What all frames of the transfer say.
    pub head: Head,
    /// The symbol's number (RFC 6330 calls it the encoding symbol ID).
    pub number: u16,
    /// A symbol of the fountain code.
    pub symbol: Vec<u8>,
}

/// Why a line is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another QR code, or another text.
    #[error("no frame of Coldlog's (it does not begin with {PREFIX:?})")]
    Foreign,
    /// A later format.
    #[error("a frame of version {0:?}, this program reads version 1: use a newer one")]
    Version(char),
    /// Characters that are not base45, or too many.
    #[error("a frame that is no base45: the scanner changed it, or cut it")]
    Garbled,
    /// Too little for a head, a symbol and a check.
    #[error("a frame of {0} bytes, which is too short")]
    Short(usize),
    /// The check does not fit.
    #[error("a frame that fails its check: it was misread or altered")]
    Check,
    /// A number that names no kind.
    #[error(
        "a frame that carries a kind of file ({0}) that this program does not know: use a newer one"
    )]
    Kind(u8),
    /// A length that no parcel has, or too many pieces.
    #[error(
        "a frame of a parcel of {length} bytes in pieces of {symbol_size}, which is beyond the limits"
    )]
    Size {
        /// Of the parcel.
        length: usize,
        /// Of a symbol.
        symbol_size: usize,
    },
}

impl Frame {
    /// The line.
    pub fn encode(&self) -> String {
        let mut packet = Vec::with_capacity(self.symbol.len() + AROUND);
        packet.push(self.head.kind.code());
        packet.extend(self.head.transfer.0);
        packet.extend(&(self.head.length as u32).to_be_bytes()[1..]);
        packet.extend(self.number.to_be_bytes());
        packet.extend(&self.symbol);
        packet.extend(check(&packet));
        format!("{PREFIX}{}", base45::encode(&packet))
    }

    /// Reads a line, without its end.
    pub fn parse(line: &str) -> Result<Frame, FrameError> {
        let text = match (line.strip_prefix(PREFIX), line.as_bytes()) {
            (Some(text), _) => text,
            (None, [b'C', b'L', version @ b'0'..=b'9', b':', ..]) => {
                return Err(FrameError::Version(char::from(*version)));
            }
            _ => return Err(FrameError::Foreign),
        };
        if line.len() > MAX_LINE {
            return Err(FrameError::Garbled);
        }
        let packet = base45::decode(text).ok_or(FrameError::Garbled)?;
        if packet.len() <= AROUND {
            return Err(FrameError::Short(packet.len()));
        }
        let (packet, sum) = packet.split_at(packet.len() - 4);
        if check(packet) != sum {
            return Err(FrameError::Check);
        }
        let (around, symbol) = packet.split_at(AROUND - 4);
        let mut transfer = [0; 8];
        transfer.copy_from_slice(&around[1..9]);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let head = Head {
            kind: Kind::of_code(around[0]).ok_or(FrameError::Kind(around[0]))?,
            transfer: TransferId(transfer),
            length: number(&around[9..12]),
            symbol_size: symbol.len(),
        };
        if !(1..=MAX_PARCEL).contains(&head.length) || head.pieces() > MAX_PIECES {
            let Head { length, symbol_size, .. } = head;
            return Err(FrameError::Size { length, symbol_size });
        }
        let number = u16::from_be_bytes([around[12], around[13]]);
        Ok(Frame { head, number, symbol: symbol.to_vec() })
    }
}

fn check(bytes: &[u8]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(b"coldlog-frame").chain_update(bytes).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests;
