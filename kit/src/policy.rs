//! A policy file, read at one place: whoever takes one hears in time that it expires.

use crate::terminal::{field, talk};
use crate::{files, time};
use anyhow::Result;
use coldlog_spec::policy::{
    CosignedCheckpoint, MAX_POLICY, OutsideWindow, Policy, Standing, Validity, Window,
};
use serde_json::{Value, json};
use std::path::Path;

/// Reads a policy, a trust root or a history. On stderr it warns months before the one in force expires, and
/// from then on: that invalidates nothing, but somebody must renew it.
pub fn read(program: &str, path: &Path) -> Result<Policy> {
    let policy = Policy::parse(&files::read(path, MAX_POLICY as u64)?)?;
    warn(program, path, &policy);
    Ok(policy)
}

/// Warns of a policy that expires, has expired, or is not meant for today.
pub fn warn(program: &str, path: &Path, policy: &Policy) {
    if let Some(text) = warning(policy, time::now()) {
        talk(format!("{program}: {}: {text}", path.display()));
    }
}

/// What is to be said of the time for which a policy is meant, by a clock; `None` where all is well.
pub fn warning(policy: &Policy, now: u64) -> Option<String> {
    let root = policy.root()?;
    let Window { not_before, expires } = root.content().window;
    let keys: Vec<String> = root.content().keys.iter().map(|key| field(&key.name)).collect();
    let keys = keys.join(", ");
    let (from, until) = (time::show(not_before), time::show(expires));
    match root.content().window.at(now) {
        Standing::InForce => None,
        Standing::NotYet => Some(format!(
            "warning: the policy is meant for {from} and later, this machine's clock says {}",
            time::show(now)
        )),
        Standing::ExpiresIn(left) => Some(format!(
            "warning: the policy expires in {}, at {until}: ask those who hold its policy keys for its renewal ({keys}); what is cosigned until then stays proven",
            days(left)
        )),
        Standing::Expired => Some(format!(
            "warning: the policy expired at {until}: what was cosigned before stays proven, for later heads take its renewal, from those who hold its policy keys ({keys})"
        )),
    }
}

fn days(seconds: u64) -> String {
    match seconds / (24 * 3600) {
        0 => "less than a day".into(),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

/// A window for programs, and where a clock stands to it.
pub fn window_json(window: Window, now: u64) -> Value {
    let standing = match window.at(now) {
        Standing::NotYet => "not yet",
        Standing::InForce => "in force",
        Standing::ExpiresIn(_) => "expires soon",
        Standing::Expired => "expired",
    };
    json!({
        "not_before": time::show(window.not_before), "expires": time::show(window.expires),
        "standing": standing,
    })
}

/// Where a head stands to the window of its policy, in words; `None` where the policy has no window.
pub fn validity(validity: Validity) -> Option<String> {
    match validity {
        Validity::Unlimited => None,
        Validity::Within(window) => Some(format!(
            "cosigned within the policy's time, {} to {}",
            time::show(window.not_before),
            time::show(window.expires)
        )),
        outside => Some(format!("NOT shown within the policy's time: {}", OutsideWindow(outside))),
    }
}

/// The same for programs.
pub fn validity_json(validity: Validity) -> Option<Value> {
    let window = validity.window()?;
    let cosigned = match validity {
        Validity::Unlimited | Validity::Within(_) => "within",
        Validity::Early(..) => "early",
        Validity::Late(..) => "late",
        Validity::NotDated(_) => "not dated",
    };
    Some(json!({
        "not_before": time::show(window.not_before), "expires": time::show(window.expires),
        "cosigned": cosigned,
    }))
}

/// Warns of a head that is not shown to be cosigned within the time for which its policy is meant.
pub fn warn_of_head(program: &str, head: &CosignedCheckpoint) {
    let validity = head.under().validity;
    if !validity.is_given() {
        let (origin, size) = (&head.checkpoint().origin, head.checkpoint().size);
        let why = OutsideWindow(validity);
        talk(format!("{program}: warning: the head of {origin}, size {size}: {why}"));
    }
}
