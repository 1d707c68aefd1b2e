//! `verifier policy adopt`: a trust root takes the place of the policy in force.

use super::difference::{read_root, show};
use super::renew::must_be_sound;
use anyhow::Context;
use coldlog_kit::ask::confirm;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::policy::warning;
use coldlog_kit::terminal::{say, talk};
use coldlog_kit::time;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::{self, MAX_POLICY, Policy, Root};
use coldlog_spec::verify::renewal::{Renewed, may_replace};
use std::path::PathBuf;

/// What the command line says.
pub struct Adopt {
    /// The signed root.
    pub renewal: PathBuf,
    /// The policy in force.
    pub policy: PathBuf,
    /// The last head of each log that the old policy is for.
    pub last: Vec<PathBuf>,
    /// The digest of the root, for the first one.
    pub fingerprint: Option<String>,
    /// Where the new history goes; by default into the policy's place.
    pub output: Option<PathBuf>,
    /// Ask nothing.
    pub yes: bool,
    /// Replace what is at `output`.
    pub force: bool,
}

/// Runs the command.
pub fn adopt(options: &Adopt) -> Outcome {
    let place = options.policy.as_path();
    let bytes = files::read(place, MAX_POLICY as u64)?;
    // Not by the reader that warns: here is the renewal.
    let old = Policy::parse(&bytes).with_context(|| place.display().to_string())?;
    let root = read_root(&options.renewal)?;
    let renewed = may_replace(&old, &root).or_no()?;
    must_be_sound(&root, options.output.as_deref().unwrap_or(place))?;
    let last = super::last_heads(&old, &options.last)?;
    let new = policy::extend(&bytes, &root.encode(), &last)
        .with_context(|| format!("{} after {}", options.renewal.display(), place.display()))?;
    show(&old, &root);
    match &renewed {
        Some(Renewed { by_old, by_new }) => say(format!(
            "signed by {} under the rules in force, and by {} under its own",
            by_old.join(", "),
            by_new.join(", ")
        )),
        None => must_be_known(&root, options.fingerprint.as_deref())?,
    }
    if let Some(text) = warning(&root.draft(), time::now()) {
        talk(format!("verifier: {}: {text}", options.renewal.display()));
    }
    if !options.yes && !confirm("Take this policy from now on?")? {
        return no("nothing was changed");
    }
    let (output, existing) = match &options.output {
        Some(output) => (output.as_path(), Existing::from_force(options.force)),
        None => (place, Existing::Replace),
    };
    files::write(output, &new, existing, Mode::Public)?;
    super::say_last(&output.display().to_string(), &old, &last);
    Ok(())
}

// Nothing says who may renew a policy without a root: the first one is compared by people.
fn must_be_known(root: &Root, fingerprint: Option<&str>) -> Outcome {
    let digest = root.digest();
    match fingerprint.map(|text| (text, Hash::from_hex(text.trim()))) {
        Some((_, Some(known))) if known == digest => Ok(()),
        Some((text, _)) => no(format!(
            "the trust root is {digest}, --fingerprint says {text:?}: it is another one"
        )),
        None => no(format!(
            "the policy in force has no trust root, so nothing says who may renew it: compare {digest} with those who hold the policy keys, by another channel, and give it as --fingerprint"
        )),
    }
}
