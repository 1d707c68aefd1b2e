//! Many signatures by one key, faster, with exactly the set of accepted signatures that
//! [`PublicKey::verify`] has.
//!
//! A signature (R, s) over M by A is good when s is canonical and the encoding of `s·B - k·A`, with
//! `k = SHA-512(R || A || M)`, is R byte for byte, and not of small order. Here the point comes from
//! tables: for each digit of a scalar in radix 2^[`WINDOW`], the multiples of B and of -A are at hand, so
//! that it takes an addition a digit and no doubling. The points of many signatures are encoded
//! together, with one inversion. This is no batch verification: each point is compared by itself.

use super::PublicKey;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};
use std::sync::LazyLock;

/// Bits of a digit. Signed digits, so that half of the multiples are enough.
const WINDOW: usize = 9;
/// Digits of a scalar, which is below 2^253.
const DIGITS: usize = 254usize.div_ceil(WINDOW);
/// Multiples of each digit's unit in a table.
const MULTIPLES: usize = 1 << (WINDOW - 1);
/// Signatures whose points are computed and encoded together.
const TOGETHER: usize = 128;
/// A table costs as much as this many signatures: for fewer it is not worth it.
pub const WORTH_A_TABLE: usize = 64;

/// A message and the signature over it.
pub type Signed<'a> = (&'a [u8], &'a [u8]);

/// A key under which many signatures are verified. Its table takes 1.2 MiB and about two milliseconds.
pub struct Verifier {
    key: PublicKey,
    minus_key: Option<Table>,
}

impl Verifier {
    /// For about `expected` signatures.
    pub fn new(key: &PublicKey, expected: usize) -> Verifier {
        let worth_it = expected >= WORTH_A_TABLE;
        Verifier { key: key.clone(), minus_key: worth_it.then(|| Table::of(-key.point())) }
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether each signature is this key's over its message, as [`PublicKey::verify`] says it.
    pub fn verify_all(&self, signed: &[Signed]) -> Vec<bool> {
        match &self.minus_key {
            Some(table) => {
                let each = signed.chunks(TOGETHER);
                each.flat_map(|some| verify_by_table(&self.key, table, some)).collect()
            }
            None => signed.iter().map(|(message, sig)| self.key.verify(message, sig)).collect(),
        }
    }
}

// Row by row of the tables, and signature by signature within: a row stays in the processor's nearest memory, a
// whole table would not.
fn verify_by_table(key: &PublicKey, minus_key: &Table, signed: &[Signed]) -> Vec<bool> {
    let candidates: Vec<Option<Candidate>> =
        signed.iter().map(|(message, sig)| Candidate::new(key, message, sig)).collect();
    let mut points = vec![EdwardsPoint::identity(); signed.len()];
    for (place, (base, minus_key)) in BASE.rows().zip(minus_key.rows()).enumerate() {
        for (point, candidate) in points.iter_mut().zip(&candidates) {
            if let Some(Candidate { s, .. }) = candidate {
                add(point, base, s[place]);
            }
        }
        for (point, candidate) in points.iter_mut().zip(&candidates) {
            if let Some(Candidate { k, .. }) = candidate {
                add(point, minus_key, k[place]);
            }
        }
    }
    let encoded = EdwardsPoint::compress_batch_alloc(&points).into_iter();
    let judge = |(candidate, encoded): (&Option<Candidate>, CompressedEdwardsY)| {
        let good = |one: &Candidate| encoded.0 == one.r && !SMALL_ORDER.contains(&one.r);
        candidate.as_ref().is_some_and(good)
    };
    candidates.iter().zip(encoded).map(judge).collect()
}

/// A signature whose s is canonical, with the digits of s and k.
struct Candidate {
    r: [u8; 32],
    s: [i16; DIGITS],
    k: [i16; DIGITS],
}

impl Candidate {
    fn new(key: &PublicKey, message: &[u8], sig: &[u8]) -> Option<Candidate> {
        let sig: &[u8; 64] = sig.try_into().ok()?;
        let (r, s) = (sig.first_chunk::<32>()?, sig.last_chunk::<32>()?);
        let s: Scalar = Option::from(Scalar::from_canonical_bytes(*s))?;
        let hash = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        Some(Candidate { r: *r, s: digits(s.as_bytes()), k: digits(k.as_bytes()) })
    }
}

static BASE: LazyLock<Table> = LazyLock::new(|| Table::of(ED25519_BASEPOINT_POINT));
/// The encodings of the points of small order: a point has only one, and is of small order when it has one of these.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.map(|point| point.compress().0));

/// The multiples `j * 2^(WINDOW * i) * P` for each digit i and j from 1 to [`MULTIPLES`].
struct Table(Vec<EdwardsPoint>);

impl Table {
    fn of(point: EdwardsPoint) -> Table {
        let mut multiples = Vec::with_capacity(DIGITS * MULTIPLES);
        let mut unit = point;
        for _ in 0..DIGITS {
            let mut multiple = unit;
            multiples.push(multiple);
            for _ in 1..MULTIPLES {
                multiple += unit;
                multiples.push(multiple);
            }
            // The last one is half a window of the unit.
            unit = multiple + multiple;
        }
        Table(multiples)
    }

    /// The multiples of each digit's unit, least significant first.
    fn rows(&self) -> impl Iterator<Item = &[EdwardsPoint]> {
        self.0.chunks_exact(MULTIPLES)
    }
}

/// Adds the multiple of a row's unit that a digit says. Variable time: all of it is public.
fn add(sum: &mut EdwardsPoint, row: &[EdwardsPoint], digit: i16) {
    let multiple = usize::from(digit.unsigned_abs()).checked_sub(1);
    if let Some(multiple) = multiple.and_then(|place| row.get(place)) {
        if digit > 0 { *sum += multiple } else { *sum -= multiple }
    }
}

/// The digits of a scalar, least significant first, each from `-MULTIPLES + 1` to `MULTIPLES`.
fn digits(scalar: &[u8; 32]) -> [i16; DIGITS] {
    let mut carry = 0;
    std::array::from_fn(|place| {
        let (byte, shift) = (place * WINDOW / 8, place * WINDOW % 8);
        let part = |at: usize| u32::from(scalar.get(at).copied().unwrap_or(0));
        let bits = (part(byte) | part(byte + 1) << 8 | part(byte + 2) << 16) >> shift;
        let digit = (bits & ((1 << WINDOW) - 1)) as i16 + carry;
        carry = i16::from(digit > MULTIPLES as i16);
        digit - (carry << WINDOW)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_from_a_table_is_the_multiple() {
        let scalars = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(128u64), {
            Scalar::from_bytes_mod_order([0x80; 32])
        }];
        for point in [ED25519_BASEPOINT_POINT, ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]] {
            let table = Table::of(point);
            for n in 0..200u64 {
                let wide = Sha512::digest(n.to_le_bytes());
                let scalar = Scalar::from_bytes_mod_order_wide(&wide.into());
                let scalar = scalars.get(n as usize).copied().unwrap_or(scalar);
                let mut sum = EIGHT_TORSION[3];
                let digits = digits(scalar.as_bytes());
                table.rows().zip(digits).for_each(|(row, digit)| add(&mut sum, row, digit));
                assert_eq!(sum, EIGHT_TORSION[3] + scalar * point);
            }
        }
    }

    #[test]
    fn digits_are_signed_and_sum_up() {
        for bytes in [[0u8; 32], [0x7f; 32], [0x80; 32], [0xff; 32]] {
            let scalar = Scalar::from_bytes_mod_order(bytes);
            let base = Scalar::from(1u64 << WINDOW);
            let sum = digits(scalar.as_bytes()).iter().rev().fold(Scalar::ZERO, |sum, digit| {
                let size = Scalar::from(u64::from(digit.unsigned_abs()));
                sum * base + if *digit < 0 { -size } else { size }
            });
            assert_eq!(sum, scalar);
        }
    }
}
