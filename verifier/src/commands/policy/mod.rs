//! `verifier policy ...`: what a policy amounts to, how one is made, and how another comes after it.

mod adopt;
mod compose;
mod difference;
mod explain;
mod renew;

pub use adopt::{Adopt, adopt};
pub use difference::diff;
pub use renew::{NewKey, Renew, Sign, join, key, renew, sign};

use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say, talk};
use coldlog_kit::time;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::policy::{self, Earlier, MAX_POLICY, Policy, Under};
use compose::{Composed, Given};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `verifier policy check`: what a policy says, in words, and what is wrong with it.
pub fn check(file: &Path, as_json: bool) -> Outcome {
    report::run_judged(as_json, &[], |_| {
        let policy = super::policy(file)?;
        let analysis = policy.analysis();
        let problems = explain::problems(&analysis);
        let (mut text, mut fields) = (explain::text(&analysis), explain::fields(&analysis));
        if let Some(root) = policy.root() {
            text.extend(explain::root(root));
            fields["root"] = explain::root_json(root, time::now());
        }
        if !policy.earlier().is_empty() {
            text.push("For older heads:".into());
            text.extend(policy.earlier().iter().map(earlier));
            fields["earlier"] = policy.earlier().iter().map(earlier_json).collect();
        }
        let report = Report { text, fields };
        let verdict = match problems.len() {
            0 => Ok(()),
            count => no(format!("{} has {}", file.display(), explain::counted(count, "problem"))),
        };
        Ok((report, verdict))
    })
}

// A policy of a history in a line.
fn earlier(earlier: &Earlier) -> String {
    let until = earlier.until.iter().map(|(origin, size)| format!("{origin} up to {size}"));
    let until = until.collect::<Vec<_>>().join(", ");
    let policy = &earlier.policy;
    let (quorum, digest) = (policy.quorum().unwrap_or("none"), policy.digest);
    let witnesses = explain::witnesses(policy.analysis().parties.len());
    let version =
        policy.root().map(|root| format!("trust root version {}, ", root.content().version));
    let version = version.unwrap_or_default();
    format!("  {until}: {witnesses}, quorum {quorum}, {version}policy {digest}")
}

fn earlier_json(earlier: &Earlier) -> Value {
    let until = earlier.until.iter().map(|(origin, size)| json!({"log": origin, "size": size}));
    let policy = &earlier.policy;
    json!({
        "until": until.collect::<Vec<_>>(), "quorum": policy.quorum(),
        "policy": policy.digest.to_hex(), "witnesses": policy.analysis().parties.len(),
    })
}

/// How far a head was witnessed, and by which policy.
pub(super) fn witnessed(under: &Under) -> String {
    let quorum = match &under.quorum {
        None => "quorum none".to_owned(),
        Some((name, needed, members)) => format!("quorum {} ({needed} of {members})", field(name)),
    };
    let policy = match under.until {
        None => "the policy in force".to_owned(),
        Some(size) => format!("the policy for heads up to size {size}"),
    };
    format!("by {} of {}, {quorum}, under {policy} ({})", under.witnessed, under.of, under.policy)
}

/// The same for programs.
pub(super) fn witnessed_json(under: &Under) -> Value {
    let quorum = under
        .quorum
        .as_ref()
        .map(|(name, needed, members)| json!({"name": name, "needed": needed, "members": members}));
    json!({
        "by": under.witnessed, "of": under.of, "quorum": quorum,
        "policy": under.policy.to_hex(), "until": under.until,
        "validity": coldlog_kit::policy::validity_json(under.validity),
    })
}

// The last heads that the old policy vouches for, which it is to be kept for.
fn last_heads(old: &Policy, paths: &[PathBuf]) -> Outcome<Vec<Checkpoint>> {
    let mut last = Vec::new();
    for path in paths {
        let head = super::heads::read_head(path)?;
        let whose = || format!("{} is to be the last head under the old policy", path.display());
        let cosigned = old.verify_head(&head).with_context(whose).or_no()?;
        last.push(cosigned.checkpoint().clone());
    }
    Ok(last)
}

// Up to which heads the old policy counts, and for which logs it does not.
fn say_last(output: &str, old: &Policy, last: &[Checkpoint]) {
    for head in last {
        say(format!(
            "{output}: heads of {} up to size {} by the old policy",
            head.origin, head.size
        ));
    }
    for log in old.analysis().logs.iter().filter(|log| !last.iter().any(|h| h.origin == **log)) {
        talk(format!(
            "verifier: all heads of {log} are judged by the new policy: name its last head (--last) if the old one is to count for older ones"
        ));
    }
}

/// What `verifier policy extend` is asked.
pub struct Extend {
    /// The policy that was in force, or a history.
    pub old: PathBuf,
    /// The policy that is in force from now on.
    pub new: PathBuf,
    /// The last head of each log that the old one is for.
    pub last: Vec<PathBuf>,
    /// The history.
    pub output: PathBuf,
    /// Replace it if it exists.
    pub force: bool,
}

/// `verifier policy extend`: a history, in which older heads are judged by the policy of their time.
pub fn extend(options: &Extend) -> Outcome {
    let (old, new) = (super::policy(&options.old)?, super::policy(&options.new)?);
    let last = last_heads(&old, &options.last)?;
    let read = |path: &Path| files::read(path, MAX_POLICY as u64);
    let text = policy::extend(&read(&options.old)?, &read(&options.new)?, &last)
        .with_context(|| format!("{} after {}", options.new.display(), options.old.display()))?;
    let problems = explain::problems(&new.analysis());
    if !problems.is_empty() {
        let (place, why) = (options.output.display(), problems.join("; "));
        return no(format!("{place} is not written, for the new policy is not sound: {why}"));
    }
    files::write(&options.output, &text, Existing::from_force(options.force), Mode::Public)?;
    say_last(&options.output.display().to_string(), &old, &last);
    Ok(())
}

/// What `verifier policy init` is asked.
pub struct Init {
    /// Keys of logs, or files with their lines.
    pub logs: Vec<OsString>,
    /// Keys of witnesses, or files with their lines.
    pub witnesses: Vec<OsString>,
    /// How many must cosign: a number, `all` or `any`; by default the majority.
    pub quorum: Option<String>,
    /// The policy.
    pub output: PathBuf,
    /// Replace it if it exists.
    pub force: bool,
}

/// `verifier policy init`: a policy from the lines that `log init` and `witness init` have written.
pub fn init(options: &Init) -> Outcome {
    let read = |all: &[OsString]| all.iter().map(|text| Given::read(text)).collect();
    let (logs, witnesses): (Result<Vec<_>, _>, Result<Vec<_>, _>) =
        (read(&options.logs), read(&options.witnesses));
    let Composed { text, quorum, policy } =
        compose::compose(&logs?, &witnesses?, options.quorum.as_deref())?;
    let analysis = policy.analysis();
    let problems = explain::problems(&analysis);
    if !problems.is_empty() {
        let (place, why) = (options.output.display(), problems.join("; "));
        return no(format!("{place} is not written, for the policy would not be sound: {why}"));
    }
    files::write(&options.output, &text, Existing::from_force(options.force), Mode::Public)?;
    say(format!(
        "{}: {}, {}, quorum {quorum}",
        options.output.display(),
        explain::counted(analysis.logs.len(), "log"),
        explain::witnesses(analysis.parties.len()),
    ));
    explain::text(&analysis).iter().for_each(say);
    Ok(())
}
