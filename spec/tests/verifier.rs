//! The verifier by tables accepts what the strict one accepts, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::ed25519::{PublicKey, Signed, Verifier, Verifiers};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use proptest::prelude::*;
use sha2::{Digest, Sha512};

fn hash(parts: &[&[u8]]) -> Scalar {
    let hash = parts.iter().fold(Sha512::new(), |hash, part| hash.chain_update(part));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// A signature made by hand, so that key and nonce may have any torsion, and s any multiple of the
/// order added that fits.
fn sign(
    secret: u64,
    key_torsion: usize,
    nonce: u64,
    nonce_torsion: usize,
    message: &[u8],
) -> (PublicKey, [u8; 64]) {
    let (secret, nonce) =
        (hash(&[b"a", &secret.to_le_bytes()]), hash(&[b"r", &nonce.to_le_bytes()]));
    let key = (secret * B + EIGHT_TORSION[key_torsion]).compress();
    let r = (nonce * B + EIGHT_TORSION[nonce_torsion]).compress();
    let s = nonce + hash(&[r.as_bytes(), key.as_bytes(), message]) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    (PublicKey::from_bytes(key.as_bytes()).unwrap(), signature)
}

/// Both opinions on signatures by one key; they must be the same.
fn agreed(key: &PublicKey, signed: &[Signed]) -> Vec<bool> {
    let strict: Vec<bool> = signed.iter().map(|(message, sig)| key.verify(message, sig)).collect();
    assert_eq!(Verifier::new(key, usize::MAX).verify_all(signed), strict);
    assert_eq!(Verifier::new(key, 1).verify_all(signed), strict);
    strict
}

#[test]
fn torsion_in_key_or_nonce_is_judged_alike() {
    let (mut accepted, mut refused) = (0, 0);
    for key_torsion in 0..8 {
        let mut all = Vec::new();
        let mut key = None;
        for nonce_torsion in 0..8 {
            for n in 0..20u64 {
                let message = [n as u8, nonce_torsion as u8];
                let (by, signature) = sign(7, key_torsion, n, nonce_torsion, &message);
                all.push((message, signature));
                key = Some(by);
            }
        }
        let signed: Vec<Signed> = all.iter().map(|(m, s)| (&m[..], &s[..])).collect();
        for good in agreed(&key.unwrap(), &signed) {
            if good { accepted += 1 } else { refused += 1 }
        }
    }
    // An even k kills a torsion of order two, and so on: some of each.
    assert!(accepted > 100 && refused > 500, "{accepted} {refused}");
}

#[test]
fn a_small_order_nonce_and_a_long_s_are_refused_by_both() {
    let message = b"message";
    let (key, good) = sign(1, 0, 2, 0, message);
    let mut all = vec![(message.to_vec(), good.to_vec())];
    // s + order, as far as it fits into 32 bytes.
    let order = {
        let mut bytes = (-Scalar::ONE).to_bytes();
        bytes[0] += 1;
        bytes
    };
    let mut long = good;
    for _ in 0..8 {
        let mut carry = 0u16;
        for (byte, add) in long[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        all.push((message.to_vec(), long.to_vec()));
    }
    // R of small order with the s that satisfies the equation: s = k·a.
    let secret = hash(&[b"a", &1u64.to_le_bytes()]);
    for torsion in EIGHT_TORSION {
        let r = torsion.compress();
        let s = hash(&[r.as_bytes(), key.as_bytes(), message]) * secret;
        let signature = [r.to_bytes(), s.to_bytes()].concat();
        all.push((message.to_vec(), signature));
    }
    // Not even of a signature's length.
    for length in [0, 1, 63, 65] {
        all.push((message.to_vec(), vec![0; length]));
    }
    let signed: Vec<Signed> = all.iter().map(|(m, s)| (&m[..], &s[..])).collect();
    let verdicts = agreed(&key, &signed);
    assert!(verdicts[0] && verdicts[1..].iter().all(|good| !good), "{verdicts:?}");
    assert!((EIGHT_TORSION[1] * Scalar::from(8u64)).is_identity());
}

proptest! {
    #[test]
    fn any_change_of_any_signature_is_judged_alike(
        seeds in proptest::collection::vec((any::<u64>(), 0usize..8, any::<Option<(prop::sample::Index, u8)>>()), 1..150),
        key_torsion in 0usize..8,
    ) {
        let mut all = Vec::new();
        let mut key = None;
        for (nonce, torsion, change) in seeds {
            let message = nonce.to_be_bytes();
            // Most nonces have no torsion, as in real life.
            let torsion = if nonce % 4 == 0 { torsion } else { 0 };
            let (by, mut signature) = sign(3, key_torsion, nonce, torsion, &message);
            if let Some((place, flip)) = change {
                signature[place.index(64)] ^= flip;
            }
            all.push((message, signature));
            key = Some(by);
        }
        let signed: Vec<Signed> = all.iter().map(|(m, s)| (&m[..], &s[..])).collect();
        agreed(&key.unwrap(), &signed);
    }

    #[test]
    fn any_bytes_are_judged_alike(
        key in any::<[u8; 32]>(),
        all in proptest::collection::vec((any::<[u8; 8]>(), any::<[u8; 32]>(), any::<[u8; 32]>()), 1..70),
    ) {
        // Half of all strings are points; the nonce is one of them or another string.
        if let Ok(key) = PublicKey::from_bytes(&key) {
            let all: Vec<_> = all.into_iter().map(|(m, r, mut s)| { s[31] &= 0x1f; (m, [r, s].concat()) }).collect();
            let signed: Vec<Signed> = all.iter().map(|(m, s)| (&m[..], &s[..])).collect();
            agreed(&key, &signed);
        }
    }
}

#[test]
fn verifiers_that_are_kept_are_of_their_key_and_agree() {
    let mut verifiers = Verifiers::new(2);
    for round in 0..100u64 {
        for seed in 1..4 {
            let message = round.to_be_bytes();
            let (key, good) = sign(seed, 0, round, 0, &message);
            let mut bad = good;
            bad[40] ^= 1;
            let verifier = verifiers.of(&key, 1);
            assert!(*verifier.key() == key);
            let signed: [Signed; 2] = [(&message, &good), (&message, &bad)];
            assert_eq!(verifier.verify_all(&signed), [true, false], "{seed} {round}");
        }
        // Asked for again and again, one key keeps its table while the others take turns.
        let (key, good) = sign(1, 0, round, 0, b"again");
        assert_eq!(verifiers.of(&key, 2).verify_all(&[(b"again", &good)]), [true]);
    }
}

#[test]
fn points_are_what_the_tests_think() {
    assert!(EIGHT_TORSION.iter().all(EdwardsPoint::is_small_order));
}
