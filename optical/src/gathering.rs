//! Frames on their way in: in any order, twice or not at all, until they are enough.

use crate::frame::{Frame, FrameError, Head, Kind, TransferId};
use crate::parcel::{self, ParcelError};
use crate::sending::information;
use raptorq::{EncodingPacket, PayloadId, SourceBlockDecoder};
use std::collections::BTreeMap;

/// How many frames more than a parcel has pieces are kept. RaptorQ needs two more once in a million times.
const SPARE: u32 = 32;

/// Why frames give no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// Frames of another kind.
    #[error("these QR codes carry {found} (transfer {transfer}), not {expected}")]
    Kind {
        /// What is wanted.
        expected: Kind,
        /// What is shown.
        found: Kind,
        /// Of which transfer.
        transfer: TransferId,
    },
    /// Frames of two transfers.
    #[error(
        "these are QR codes of two transfers, {first} ({first_kind}) and {other} ({other_kind}): read one at a time"
    )]
    Mixed {
        /// The one that came first.
        first: TransferId,
        /// What it carries.
        first_kind: Kind,
        /// The other.
        other: TransferId,
        /// What it carries.
        other_kind: Kind,
    },
    /// Frames that contradict each other.
    #[error(
        "frame {number} of transfer {transfer} contradicts another one: they were not made by one program from one file"
    )]
    Conflict {
        /// The frame's number.
        number: u16,
        /// Of which transfer.
        transfer: TransferId,
    },
    /// Enough frames, but not of what they name.
    #[error(
        "the frames of transfer {0} are all there, but what they give is something else: one at least was made to deceive; read it again from the screen"
    )]
    NotWhole(TransferId),
    /// What they give is no parcel.
    #[error("transfer {transfer}: {why}")]
    Parcel {
        /// Of which transfer.
        transfer: TransferId,
        /// Why not.
        why: ParcelError,
    },
    /// Nothing was read at all.
    #[error("no frame was read{}", also(*.unreadable, .why))]
    Nothing {
        /// Lines or pictures that are no frames.
        unreadable: u64,
        /// The first one's reason.
        why: Option<String>,
    },
    /// Not enough.
    #[error("{have} of {pieces} frames of transfer {transfer} were read, at least {missing} more are needed{}", also(*.unreadable, .why))]
    Missing {
        /// Of which transfer.
        transfer: TransferId,
        /// Frames that count.
        have: u32,
        /// Pieces of the parcel.
        pieces: u32,
        /// The difference, one at least.
        missing: u32,
        /// Lines or pictures that are no frames.
        unreadable: u64,
        /// The first one's reason.
        why: Option<String>,
    },
}

fn also(unreadable: u64, why: &Option<String>) -> String {
    match why {
        Some(why) => format!(" ({unreadable} could not be used, the first: {why})"),
        None => String::new(),
    }
}

/// What a line did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is new.
    New,
    /// It was there already.
    Again,
    /// It is no frame.
    Ignored,
    /// All is there.
    Whole,
}

/// Frames of one transfer, until they are enough.
pub struct Gathering {
    expected: Kind,
    head: Option<Head>,
    symbols: BTreeMap<u16, Vec<u8>>,
    parcel: Option<Vec<u8>>,
    unreadable: u64,
    why: Option<String>,
}

impl Gathering {
    /// Of a file of this kind.
    pub fn of(expected: Kind) -> Gathering {
        Gathering {
            expected,
            head: None,
            symbols: BTreeMap::new(),
            parcel: None,
            unreadable: 0,
            why: None,
        }
    }

    /// Takes a line. What is no frame is counted, and why; a frame that cannot belong here is an error.
    pub fn take(&mut self, line: &str) -> Result<Taken, GatherError> {
        match Frame::parse(line) {
            Ok(frame) => self.take_frame(frame),
            Err(why) => {
                self.ignore(&why);
                Ok(Taken::Ignored)
            }
        }
    }

    /// Counts something that is no frame.
    pub fn ignore(&mut self, why: &impl ToString) {
        self.unreadable = self.unreadable.saturating_add(1);
        // A word about a frame of ours says more than one about a stranger's code.
        let foreign = FrameError::Foreign.to_string();
        if self.why.as_ref().is_none_or(|why| *why == foreign) {
            self.why = Some(why.to_string());
        }
    }

    fn take_frame(&mut self, frame: Frame) -> Result<Taken, GatherError> {
        let Frame { head, number, symbol } = frame;
        let transfer = head.transfer;
        if head.kind != self.expected {
            let (expected, found) = (self.expected, head.kind);
            return Err(GatherError::Kind { expected, found, transfer });
        }
        let first = *self.head.get_or_insert(head);
        if first.transfer != transfer {
            return Err(GatherError::Mixed {
                first: first.transfer,
                first_kind: first.kind,
                other: transfer,
                other_kind: head.kind,
            });
        }
        // One name, two heads: the name is made from what the head says.
        if first != head {
            return Err(GatherError::Conflict { number, transfer });
        }
        if let Some(there) = self.symbols.get(&number) {
            if *there != symbol {
                return Err(GatherError::Conflict { number, transfer });
            }
            return Ok(self.parcel.as_ref().map_or(Taken::Again, |_| Taken::Whole));
        }
        if self.parcel.is_some() {
            return Ok(Taken::Whole);
        }
        self.symbols.insert(number, symbol);
        self.solve(&first)
    }

    // Tries to solve as soon as there can be a solution.
    fn solve(&mut self, head: &Head) -> Result<Taken, GatherError> {
        // At most MAX_PIECES and SPARE.
        let (have, pieces) = (self.symbols.len() as u32, head.pieces());
        if have < pieces {
            return Ok(Taken::New);
        }
        let padded = pieces as usize * head.symbol_size;
        let config = information(padded, head.symbol_size);
        let mut decoder = SourceBlockDecoder::new(0, &config, padded as u64);
        let packets = self.symbols.iter().map(|(number, symbol)| {
            EncodingPacket::new(PayloadId::new(0, u32::from(*number)), symbol.clone())
        });
        let Some(mut parcel) = decoder.decode(packets) else {
            return match have >= pieces + SPARE {
                true => Err(GatherError::NotWhole(head.transfer)),
                false => Ok(Taken::New),
            };
        };
        parcel.truncate(head.length);
        if TransferId::of(head.kind, head.symbol_size, &parcel) != head.transfer {
            return Err(GatherError::NotWhole(head.transfer));
        }
        self.parcel = Some(parcel);
        Ok(Taken::Whole)
    }

    /// What all frames so far say.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// How many different frames are there.
    pub fn have(&self) -> u32 {
        self.symbols.len() as u32
    }

    /// Lines and pictures that are no frames.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The file.
    pub fn finish(&self) -> Result<Vec<u8>, GatherError> {
        let (unreadable, why) = (self.unreadable, self.why.clone());
        let Some(head) = self.head else {
            return Err(GatherError::Nothing { unreadable, why });
        };
        let (transfer, have, pieces) = (head.transfer, self.have(), head.pieces());
        match &self.parcel {
            Some(parcel) => {
                parcel::unpack(parcel).map_err(|why| GatherError::Parcel { transfer, why })
            }
            None => {
                let missing = pieces.saturating_sub(have).max(1);
                Err(GatherError::Missing { transfer, have, pieces, missing, unreadable, why })
            }
        }
    }
}

#[cfg(test)]
mod tests;
