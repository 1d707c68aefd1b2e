//! `verifier policy diff`: what another policy changes, in words.

use super::explain;
use anyhow::Result;
use coldlog_kit::exit::Outcome;
use coldlog_kit::files;
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{Change, MAX_POLICY, Policy, Root, RootError, differences, older_heads};
use serde_json::{Value, json};
use std::path::Path;

/// `verifier policy diff`
pub fn diff(old: &Path, new: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let old = super::super::policy(old)?;
        let (new, is_draft) = policy_or_draft(new)?;
        let mut changes = differences(&old, &new);
        // A draft is to come into a history, which will say how older heads are judged.
        if !is_draft {
            changes.extend(older_heads(&old, &new));
        }
        let each: Vec<Value> = changes
            .iter()
            .map(|change| json!({"change": change.name(), "text": change.to_string()}))
            .collect();
        Ok(Report { text: lines(&changes), fields: json!({"changes": each}) })
    })
}

/// The lines for people.
pub(super) fn lines(changes: &[Change]) -> Vec<String> {
    match changes {
        [] => vec!["Nothing changes.".into()],
        changes => changes.iter().map(|change| field(&change.to_string())).collect(),
    }
}

/// Shows what a new policy changes, what is worth knowing about it, and which one it is.
pub(super) fn show(old: &Policy, root: &Root) {
    let new = root.draft();
    lines(&differences(old, &new)).iter().for_each(say);
    explain::problems(&new.analysis()).iter().for_each(|why| say(format!("problem: {why}")));
    say(format!("trust root version {}, {}", root.content().version, root.digest()));
}

// What is to be compared need not be signed yet; whether it is such a draft.
fn policy_or_draft(path: &Path) -> Result<(Policy, bool)> {
    let bytes = files::read(path, MAX_POLICY as u64)?;
    match Policy::parse(&bytes) {
        Ok(policy) => Ok((policy, false)),
        Err(why) => match Root::decode(&bytes) {
            Ok(root) => Ok((root.draft(), true)),
            Err(RootError::Malformed { line: 1, .. }) => {
                Err(anyhow::Error::from(why).context(path.display().to_string()))
            }
            Err(why) => Err(anyhow::Error::from(why).context(path.display().to_string())),
        },
    }
}

/// Reads a trust root, signed or not.
pub(super) fn read_root(path: &Path) -> Result<Root> {
    use anyhow::Context;
    let bytes = files::read(path, MAX_NOTE as u64)?;
    Root::decode(&bytes).with_context(|| path.display().to_string())
}
