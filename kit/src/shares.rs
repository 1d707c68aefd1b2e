//! Shares of a recovery key, k of n: an age identity that exists only while enough of them are together.

use anyhow::{Result, bail, ensure};
use bech32::{Bech32, Hrp};
use blahaj::Sharks;
use coldlog_spec::share::Share;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

use crate::seal::{Identity, Recipient, identity_text};

const HRP: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// Makes a new identity, and of it `count` shares, any `threshold` of which give it back. The shares were
/// joined once before they are returned.
pub fn make(threshold: u8, count: u8) -> Result<(Recipient, Vec<Share>)> {
    ensure!(
        (2..=count).contains(&threshold),
        "expected at least 2 shares, and no more to open than there are; found {threshold} of {count}"
    );
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let secret = secret_of(&identity)?;
    let dealt = Sharks(threshold).dealer(&secret).take(usize::from(count));
    let mut shares = Vec::new();
    for (number, one) in (1..=count).zip(dealt) {
        let bytes = Zeroizing::new(Vec::from(&one));
        let mut value = Zeroizing::new([0; 32]);
        ensure!(bytes.len() == 33 && bytes.first() == Some(&number), "the shares came out wrong");
        value.copy_from_slice(&bytes[1..]);
        shares.push(Share { number, count, threshold, recipient: recipient.to_string(), value });
    }
    let few = usize::from(threshold);
    for some in [&shares[..few], &shares[shares.len() - few..]] {
        join(some)?;
    }
    Ok((Recipient::X25519(recipient), shares))
}

/// The identity, out of enough shares of one set. With more than enough, a wrong one is named.
pub fn join(shares: &[Share]) -> Result<Identity> {
    let Some(first) = shares.first() else { bail!("no share was given") };
    let mut by_number = BTreeMap::new();
    for share in shares {
        let set = |share: &Share| (share.threshold, share.count, share.recipient.clone());
        if set(share) != set(first) {
            bail!(
                "share {} is one of {}, any {} of which open {}, but share {} is one of {}, any {} of which open {}: expected shares of one set",
                first.number,
                first.count,
                first.threshold,
                first.recipient,
                share.number,
                share.count,
                share.threshold,
                share.recipient
            );
        }
        if by_number.insert(share.number, share).is_some() {
            bail!("share {} was given twice: expected different ones", share.number);
        }
    }
    let needed = usize::from(first.threshold);
    if by_number.len() < needed {
        let numbers: Vec<String> = by_number.keys().map(u8::to_string).collect();
        bail!(
            "{} of the shares are needed, found {} (number {}): ask the others for theirs",
            needed,
            by_number.len(),
            numbers.join(", ")
        );
    }
    let all: Vec<&Share> = by_number.values().copied().collect();
    if let Some(identity) = interpolate(&all)? {
        return Ok(identity);
    }
    if all.len() > needed {
        for wrong in 0..all.len() {
            let others: Vec<&Share> =
                all.iter().enumerate().filter(|(at, _)| *at != wrong).map(|(_, s)| *s).collect();
            if interpolate(&others)?.is_some() {
                bail!(
                    "share {} is wrong, all others fit: leave it out, and make new shares soon",
                    all[wrong].number
                );
            }
        }
    }
    bail!(
        "the shares do not give the key of {}: at least one was altered; with one share more the wrong one can be named",
        first.recipient
    )
}

// The identity, if it is the one whose recipient the shares name.
fn interpolate(shares: &[&Share]) -> Result<Option<Identity>> {
    let mut points = Vec::new();
    for share in shares {
        let mut point = Zeroizing::new(vec![share.number]);
        point.extend_from_slice(&*share.value);
        let point = blahaj::Share::try_from(point.as_slice());
        points.push(point.map_err(|why| anyhow::anyhow!("a share does not read: {why}"))?);
    }
    let threshold = shares.first().map_or(0, |share| share.threshold);
    let scheme = Sharks(threshold);
    let joined = scheme.recover(&points);
    let secret = Zeroizing::new(joined.map_err(|why| anyhow::anyhow!("{why}"))?);
    let text = Zeroizing::new(bech32::encode_upper::<Bech32>(HRP, &secret)?);
    let identity: age::x25519::Identity =
        text.parse().map_err(|why| anyhow::anyhow!("the joined key does not read: {why}"))?;
    let fits = shares.iter().all(|share| share.recipient == identity.to_public().to_string());
    Ok(fits.then_some(Identity::X25519(identity)))
}

fn secret_of(identity: &age::x25519::Identity) -> Result<Zeroizing<Vec<u8>>> {
    let (_, secret) = bech32::decode(&identity_text(identity))?;
    ensure!(secret.len() == 32, "age made an identity of {} bytes, expected 32", secret.len());
    Ok(Zeroizing::new(secret))
}

#[cfg(test)]
mod tests;
