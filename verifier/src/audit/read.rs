//! One bundle, from bytes to statements that are verified and records that are opened: on any core, in any order.

use anyhow::Result;
use coldlog_kit::published::{Source, first};
use coldlog_kit::seal::{self, Identity};
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::ed25519::{PublicKey, Signed, Verifier, Verifiers};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, MAX_BUNDLE, Tile, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::audit::{Finding, Kind, Opened};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Signers whose keys have tables: 1.2 MiB each.
const TABLES: usize = 64;

/// The keys that are known so far, by their thumbprints.
pub(super) struct Keys {
    known: RwLock<HashMap<[u8; 32], PublicKey>>,
    verifiers: Mutex<Verifiers>,
}

impl Keys {
    pub(super) fn new() -> Keys {
        let verifiers = Mutex::new(Verifiers::new(TABLES));
        Keys { known: RwLock::default(), verifiers }
    }

    pub(super) fn learn<'a>(&self, keys: impl Iterator<Item = &'a PublicKey>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(keys.map(|key| (key.thumbprint().0, key.clone())));
    }

    fn verifier(&self, kid: &[u8], expected: usize) -> Option<Arc<Verifier>> {
        let kid: &[u8; 32] = kid.try_into().ok()?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.get(kid)?.clone();
        drop(known);
        let mut verifiers = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner);
        Some(verifiers.of(&key, expected))
    }
}

/// One entry as it was read.
pub(super) struct Read {
    pub(super) statement: Result<Statement, DecodeError>,
    /// Whether the key that it names signed it; `None` where that key was not known yet.
    pub(super) signed: Option<bool>,
    pub(super) opened: Opened,
}

/// The parts of a bundle's file, where they stand in it.
#[derive(Default)]
pub(super) struct Parts {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Parts {
    /// The part at a place in the bundle.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.places.get(at)?.clone())
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().filter_map(|place| self.bytes.get(place.clone()))
    }
}

/// A bundle as it was read.
pub(super) struct Bundle {
    /// Its entries; `None` where they could not be read.
    pub(super) entries: Option<Vec<Read>>,
    /// The sealed records; `None` where they could not be read.
    pub(super) sealed: Option<Parts>,
    /// The leaf hashes: of the entries, or else as the tile has them.
    pub(super) leaves: Vec<Hash>,
    /// What is wrong with its files.
    pub(super) findings: Vec<Finding>,
}

/// What stands in the clear: place in its bundle, entry, sealed record.
type InTheClear = (u64, Vec<u8>, Option<Vec<u8>>);

/// What reads bundles.
pub(super) struct Reader<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) size: u64,
    pub(super) identities: &'a [Identity],
    pub(super) keys: &'a Keys,
}

// The entries of a bundle's file, or what is wrong with it.
fn parts(
    source: &dyn Source,
    (number, width): (u64, u64),
    path: fn(u64, u64) -> String,
    (missing, malformed): (Kind, Kind),
) -> Result<Result<Parts, Finding>> {
    let file = path(number, width);
    let Some((wider, bytes)) = first(source, width, MAX_BUNDLE, |width| path(number, width))?
    else {
        return Ok(Err(Finding::new(missing, "nothing").in_file(file)));
    };
    Ok(match tile::bundle_places(&bytes, wider) {
        Ok(mut places) => {
            places.truncate(width as usize);
            Ok(Parts { bytes, places })
        }
        Err(why) => Err(Finding::new(malformed, why).in_file(file)),
    })
}

impl Reader<'_> {
    /// Reads a bundle.
    pub(super) fn bundle(&self, number: u64) -> Result<Bundle> {
        let place = (number, tile::width_at(0, number, self.size));
        let mut findings = Vec::new();
        let kinds = (Kind::BundleMissing, Kind::BundleMalformed);
        let entries = match parts(self.source, place, entries_path, kinds)? {
            Ok(entries) => Some(entries),
            Err(finding) => {
                findings.push(finding);
                None
            }
        };
        let kinds = (Kind::SealedMissing, Kind::SealedMalformed);
        let sealed = match parts(self.source, place, sealed_path, kinds)? {
            Ok(sealed) => Some(sealed),
            Err(finding) => {
                findings.push(finding);
                None
            }
        };
        let read = entries.as_ref().map(|entries| self.read_all(entries, sealed.as_ref()));
        // A statement has hashed its bytes already.
        let leaf = |(read, bytes): (&Read, &[u8])| match &read.statement {
            Ok(statement) => statement.leaf(),
            Err(_) => leaf_hash(bytes),
        };
        let both = read.as_ref().zip(entries.as_ref());
        let leaves =
            both.map(|(read, entries)| read.iter().zip(entries.iter()).map(leaf).collect());
        let leaves = self.held_against_tile(place, leaves, &mut findings)?;
        Ok(Bundle { entries: read, sealed, leaves, findings })
    }

    /// Only what stands in the clear in a bundle. What cannot be read is left out.
    pub(super) fn clear(&self, number: u64) -> Result<Vec<InTheClear>> {
        let place = (number, tile::width_at(0, number, self.size));
        let kinds = (Kind::BundleMissing, Kind::BundleMalformed);
        let entries = parts(self.source, place, entries_path, kinds)?.unwrap_or_default();
        let clear = entries.iter().enumerate().filter(|(_, entry)| {
            let statement = Statement::decode(entry);
            statement.is_ok_and(|one| !matches!(one.payload, Payload::Commitment(_)))
        });
        let clear: Vec<(usize, &[u8])> = clear.collect();
        if clear.is_empty() {
            return Ok(Vec::new());
        }
        let kinds = (Kind::SealedMissing, Kind::SealedMalformed);
        let sealed = parts(self.source, place, sealed_path, kinds)?.unwrap_or_default();
        let with_sealed = |(at, entry): (usize, &[u8])| {
            (at as u64, entry.to_vec(), sealed.get(at).map(<[u8]>::to_vec))
        };
        Ok(clear.into_iter().map(with_sealed).collect())
    }

    // The tile of these leaves; where they could not be read, the tile's word is taken.
    fn held_against_tile(
        &self,
        (index, width): (u64, u64),
        leaves: Option<Vec<Hash>>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Hash>> {
        let tile = Tile { level: 0, index, width };
        let (found, finding) = compare_tile(self.source, tile, leaves.as_deref())?;
        findings.extend(finding);
        Ok(leaves.or(found).unwrap_or_else(|| vec![Hash([0; 32]); width as usize]))
    }

    fn read_all(&self, entries: &Parts, sealed: Option<&Parts>) -> Vec<Read> {
        let read = entries.iter().enumerate().map(|(at, entry)| {
            let statement = Statement::decode(entry);
            let opened = match (&statement, sealed.and_then(|sealed| sealed.get(at))) {
                (Ok(statement), Some(sealed)) => self.open(statement, sealed),
                _ => Opened::Untried,
            };
            Read { statement, signed: None, opened }
        });
        let mut read: Vec<Read> = read.collect();
        self.verify(&mut read);
        read
    }

    fn open(&self, statement: &Statement, sealed: &[u8]) -> Opened {
        if self.identities.is_empty()
            || statement.commitment().is_none()
            || !seal::is_sealed(sealed)
        {
            return Opened::Untried;
        }
        match seal::open(sealed, self.identities) {
            Ok(bytes) => Opened::of(statement, bytes),
            Err(why) => Opened::Closed(format!("{why:#}")),
        }
    }

    // All signatures by one key together.
    fn verify(&self, read: &mut [Read]) {
        let mut by_key: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        for (at, one) in read.iter().enumerate() {
            if let Ok(statement) = &one.statement {
                match by_key.get_mut(statement.kid()) {
                    Some(places) => places.push(at),
                    None => drop(by_key.insert(statement.kid().to_vec(), vec![at])),
                }
            }
        }
        for (kid, places) in by_key {
            let Some(verifier) = self.keys.verifier(&kid, places.len()) else { continue };
            let statements = places.iter().filter_map(|at| read.get(*at)?.statement.as_ref().ok());
            let messages: Vec<(Vec<u8>, &[u8])> = statements
                .map(|statement| (statement.signed_bytes(), statement.signature()))
                .collect();
            let signed: Vec<Signed> =
                messages.iter().map(|(message, signature)| (&message[..], *signature)).collect();
            let verdicts = verifier.verify_all(&signed);
            for (at, good) in places.into_iter().zip(verdicts) {
                if let Some(one) = read.get_mut(at) {
                    one.signed = Some(good);
                }
            }
        }
    }
}

/// Holds a published tile against the hashes that it should have. Returns its own, and what is wrong.
pub(super) fn compare_tile(
    source: &dyn Source,
    tile: Tile,
    expected: Option<&[Hash]>,
) -> Result<(Option<Vec<Hash>>, Option<Finding>)> {
    let path = |width| Tile { width, ..tile }.path();
    let Some((wider, bytes)) = first(source, tile.width, 32 * WIDTH as usize, path)? else {
        let finding = Finding::new(Kind::TileMissing, "nothing").in_file(tile.path());
        return Ok((None, Some(finding)));
    };
    let mut hashes = match tile::decode_tile(&bytes, wider) {
        Ok(hashes) => hashes,
        Err(why) => {
            return Ok((None, Some(Finding::new(Kind::TileDiffers, why).in_file(tile.path()))));
        }
    };
    hashes.truncate(tile.width as usize);
    let differs = expected.and_then(|expected| {
        let pairs = expected.iter().zip(&hashes).enumerate();
        let (at, (expected, found)) = pairs.into_iter().find(|(_, (one, other))| one != other)?;
        let text = format!("{found} as hash {at}, {expected} is what is below it");
        Some(Finding::new(Kind::TileDiffers, text).in_file(tile.path()))
    });
    Ok((Some(hashes), differs))
}
