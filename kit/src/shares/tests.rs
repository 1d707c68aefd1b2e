#![allow(clippy::unwrap_used)]

use super::*;
use crate::seal;

fn text(shares: &[&Share]) -> String {
    let shares: Vec<Share> = shares.iter().map(|share| (*share).clone()).collect();
    match join(&shares) {
        Ok(_) => "joined".into(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn any_two_of_three_open_what_was_sealed_and_one_does_not() {
    let (recipient, shares) = make(2, 3).unwrap();
    let sealed = seal::seal_any(b"the passphrase", &[recipient]).unwrap();
    for (a, b) in [(0, 1), (1, 2), (2, 0)] {
        let identity = join(&[shares[a].clone(), shares[b].clone()]).unwrap();
        assert_eq!(seal::open(&sealed, &[identity]).unwrap(), b"the passphrase");
    }
    join(&shares).unwrap();
    assert!(text(&[&shares[1]]).starts_with("2 of the shares are needed, found 1 (number 2)"));
}

#[test]
fn a_share_says_nothing_of_the_key_to_whoever_has_too_few() {
    // Every value of a byte of one share is met: weak coefficients would leave some out (RUSTSEC-2024-0398).
    let mut seen = [false; 256];
    for _ in 0..600 {
        let (_, shares) = make(2, 2).unwrap();
        shares[0].value.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    }
    assert!(seen.iter().all(|seen| *seen));
}

#[test]
fn a_wrong_share_is_named_where_there_is_one_more_than_needed() {
    let (_, mut shares) = make(2, 4).unwrap();
    shares[2].value[7] ^= 1;
    assert!(text(&[&shares[0], &shares[2]]).contains("at least one was altered"));
    assert!(text(&[&shares[0], &shares[2], &shares[3]]).starts_with("share 3 is wrong"));
}

#[test]
fn shares_of_two_sets_and_the_same_one_twice_are_refused() {
    let ((_, one), (_, other)) = (make(2, 3).unwrap(), make(2, 3).unwrap());
    assert!(text(&[&one[0], &other[1]]).contains("expected shares of one set"));
    assert!(text(&[&one[0], &one[0]]).contains("share 1 was given twice"));
    assert!(make(1, 3).is_err() && make(4, 3).is_err());
}

// The page's own words, without the crate: multiplication by shift and reduce, Lagrange at 0.
fn times(mut a: u16, mut b: u16) -> u16 {
    let mut product = 0;
    while b > 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 0x100 != 0 {
            a ^= 0x11d;
        }
        b >>= 1;
    }
    product
}

#[test]
fn the_format_page_is_enough_to_join_them() {
    let (recipient, shares) = make(3, 5).unwrap();
    let some = [&shares[4], &shares[0], &shares[2]];
    let over = |a: u16, b: u16| (0..256).find(|q| times(*q, b) == a).unwrap();
    let secret: Vec<u8> = (0..32)
        .map(|at| {
            some.iter().fold(0, |sum, one| {
                let x = u16::from(one.number);
                let others = some.iter().map(|other| u16::from(other.number)).filter(|o| *o != x);
                let term = others.fold(u16::from(one.value[at]), |p, o| times(p, over(o, o ^ x)));
                sum ^ term
            }) as u8
        })
        .collect();
    let text = bech32::encode_upper::<Bech32>(HRP, &secret).unwrap();
    let identity: age::x25519::Identity = text.parse().unwrap();
    assert_eq!(identity.to_public().to_string(), recipient.to_string());
}
