//! Policies one after another: a proof outlives the witnesses that vouched for it.
//!
//! ```text
//! coldlog-policies/1
//! until log.example/releases 4711      heads of that log up to this size are judged by what follows
//! <the lines of a policy>
//! now                                  all other heads by this one
//! <the lines of a policy>
//! ```
//!
//! Each policy stands there to the byte, so that its digest is the one that proofs name. In the place of a
//! policy a trust root may stand ([`super::Root`]); what follows one is its renewal.

use super::{MAX_POLICY, Policy, PolicyError, Root};
use crate::checkpoint::{Checkpoint, parse_decimal};
use crate::note::is_key_name;
use crate::verify::renewal::{NotRenewed, follows};

const FIRST_LINE: &str = "coldlog-policies/1";

/// A policy that was in force.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// For each log, the size of the last head that it is for.
    pub until: Vec<(String, u64)>,
    /// The policy.
    pub policy: Policy,
}

// The lines with their newlines, and their numbers from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes.split_inclusive(|byte| *byte == b'\n').enumerate().map(|(at, line)| (at + 1, line))
}

fn words(line: &[u8]) -> Option<Vec<&str>> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
    Some(line.split(' ').collect())
}

// A line that stands between policies.
enum Mark {
    Until(String, u64),
    Now,
}

fn mark(line: &[u8]) -> Result<Option<Mark>, &'static str> {
    match words(line).as_deref() {
        Some(["now"]) => Ok(Some(Mark::Now)),
        Some(["until", origin, size]) => match (is_key_name(origin), parse_decimal(size)) {
            (true, Some(size)) => Ok(Some(Mark::Until((*origin).into(), size))),
            _ => Err("expected `until <origin> <size>`, each number as plain digits"),
        },
        Some(["now" | "until", ..]) => Err("expected `until <origin> <size>` or `now`"),
        _ => Ok(None),
    }
}

/// Whether a file is a history, and not one policy.
pub(super) fn is_history(bytes: &[u8]) -> bool {
    lines(bytes).next().is_some_and(|(_, line)| line == format!("{FIRST_LINE}\n").as_bytes())
}

/// Reads a history: the policy that is in force, with the earlier ones.
pub(super) fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
    let fail = |line: usize, why: &str| PolicyError { line, why: why.into() };
    if bytes.len() > MAX_POLICY {
        return Err(fail(0, "the history is larger than a mebibyte"));
    }
    let mut earlier: Vec<Earlier> = Vec::new();
    // Of the policy under way: its marks, the line before its first, and its text.
    let mut until: Vec<(String, u64)> = Vec::new();
    let (mut is_now, mut begins, mut text) = (false, 1, Vec::new());
    let finish = |until: &mut Vec<(String, u64)>, begins: usize, text: &mut Vec<u8>| {
        let policy = Policy::parse_section(text).map_err(|why| PolicyError {
            line: if why.line == 0 { begins } else { begins + why.line },
            why: why.why,
        })?;
        text.clear();
        Ok::<Earlier, PolicyError>(Earlier { until: std::mem::take(until), policy })
    };
    for (number, line) in lines(bytes).skip(1) {
        let Some(mark) = mark(line).map_err(|why| fail(number, why))? else {
            if until.is_empty() && !is_now {
                return Err(fail(
                    number,
                    "expected `until <origin> <size>` or `now` before a policy",
                ));
            }
            text.extend_from_slice(line);
            continue;
        };
        if is_now {
            return Err(fail(number, "nothing comes after the policy that is in force `now`"));
        }
        if !text.is_empty() {
            earlier.push(finish(&mut until, begins, &mut text)?);
        }
        match mark {
            Mark::Now if !until.is_empty() => {
                return Err(fail(number, "expected a policy before `now`"));
            }
            Mark::Now => is_now = true,
            Mark::Until(origin, size) => {
                if until.iter().any(|(other, _)| *other == origin) {
                    return Err(fail(
                        number,
                        "a second `until` of one log before one policy: keep the one that is meant",
                    ));
                }
                let before = earlier.iter().flat_map(|earlier| &earlier.until).chain(&until);
                let mut of_log = before.filter(|(other, _)| *other == origin);
                if of_log.any(|(_, before)| *before > size) {
                    return Err(fail(
                        number,
                        "no `until` of a log is smaller than those before it",
                    ));
                }
                until.push((origin, size));
            }
        }
        begins = number;
    }
    if !is_now {
        return Err(fail(0, "the history has no policy that is in force `now`"));
    }
    let now = finish(&mut until, begins, &mut text)?;
    for (origin, _) in earlier.iter().flat_map(|earlier| &earlier.until) {
        if !now.policy.names(origin) && !earlier.iter().any(|e| e.policy.names(origin)) {
            return Err(fail(0, "an `until` names a log that no policy names"));
        }
    }
    let all = earlier.iter().map(|earlier| &earlier.policy).chain([&now.policy]);
    must_be_renewals(all.map(Policy::root))?;
    let policy = Policy { earlier, ..now.policy };
    policy.must_be_of_one_kind()?;
    Ok(policy)
}

// Once there is a trust root, each policy is signed under the rules of the one before.
fn must_be_renewals<'a>(roots: impl Iterator<Item = Option<&'a Root>>) -> Result<(), PolicyError> {
    let mut before: Option<&Root> = None;
    for root in roots {
        let renewed = match (before, root) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(NotRenewed::Unsigned),
            (Some(before), Some(root)) => follows(before, root).map(|_| ()),
        };
        renewed.map_err(|why| PolicyError { line: 0, why: why.to_string() })?;
        before = root;
    }
    Ok(())
}

impl Policy {
    // The earlier policy of a head's time, and up to which size of the log it is for.
    fn earlier_for(&self, head: &Checkpoint) -> Option<(&Policy, u64)> {
        self.earlier.iter().find_map(|Earlier { until, policy }| {
            let of_its_time =
                |(origin, until): &&(String, u64)| *origin == head.origin && head.size <= *until;
            until.iter().find(of_its_time).map(|(_, until)| (policy, *until))
        })
    }

    /// The policy for a head: an earlier one, where the head is of its time.
    pub fn at(&self, head: &Checkpoint) -> &Policy {
        self.earlier_for(head).map_or(self, |(policy, _)| policy)
    }

    /// Until which size of a log the policy for a head is in force; `None` for the one that is in force now.
    pub fn until(&self, head: &Checkpoint) -> Option<u64> {
        self.earlier_for(head).map(|(_, until)| until)
    }

    /// The earlier ones, oldest first.
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }
}

/// A history in which `new` comes after `old`, which is a policy or a history; `last` says up to which head
/// of each log the old one is for. The bytes are read again by [`Policy::parse`], which is what to trust.
pub fn extend(old: &[u8], new: &[u8], last: &[Checkpoint]) -> Result<Vec<u8>, PolicyError> {
    if is_history(new) {
        return Err(PolicyError { line: 0, why: "the new policy is a history itself".into() });
    }
    let mut marks = String::new();
    for head in last {
        marks.push_str(&format!("until {} {}\n", head.origin, head.size));
    }
    let with_newline = |text: &[u8]| match text.ends_with(b"\n") {
        true => text.to_vec(),
        false => [text, b"\n"].concat(),
    };
    let before = match is_history(old) {
        false => [format!("{FIRST_LINE}\n{marks}").as_bytes(), &with_newline(old)].concat(),
        true => {
            let mut before = Vec::new();
            for (_, line) in lines(old) {
                match words(line).as_deref() {
                    Some(["now"]) => before.extend_from_slice(marks.as_bytes()),
                    _ => before.extend_from_slice(line),
                }
            }
            with_newline(&before)
        }
    };
    let history = [before.as_slice(), b"now\n", &with_newline(new)].concat();
    Policy::parse(&history).map(|_| history)
}
