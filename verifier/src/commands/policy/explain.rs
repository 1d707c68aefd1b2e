//! What a policy amounts to, in sentences and as JSON.

use coldlog_kit::time;
use coldlog_spec::policy::{
    Analysis, Defect, Member, QuorumFacts, Root, Rule, Size, Smallest, Window,
};
use serde_json::{Value, json};

/// `1 problem`, `2 problems`
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `1 witness`, `2 witnesses`
pub(super) fn witnesses(count: usize) -> String {
    format!("{count} witness{}", if count == 1 { "" } else { "es" })
}

/// The problems, one sentence each.
pub(super) fn problems(analysis: &Analysis) -> Vec<String> {
    listed(analysis, Defect::is_problem)
}

fn notes(analysis: &Analysis) -> Vec<String> {
    listed(analysis, |defect| !defect.is_problem())
}

fn listed(analysis: &Analysis, wanted: impl Fn(&Defect) -> bool) -> Vec<String> {
    analysis.defects.iter().filter(|defect| wanted(defect)).map(ToString::to_string).collect()
}

/// The lines for people.
pub(super) fn text(analysis: &Analysis) -> Vec<String> {
    let mut text = match &analysis.quorum {
        None => vec!["No witness must cosign.".into()],
        Some(facts) => sentences(analysis, facts),
    };
    text.extend(problems(analysis).iter().map(|problem| format!("problem: {problem}")));
    text.extend(notes(analysis).iter().map(|note| format!("note: {note}")));
    text
}

fn sentences(analysis: &Analysis, facts: &QuorumFacts) -> Vec<String> {
    let log = match analysis.logs.as_slice() {
        [] => "a log".into(),
        [one] => one.clone(),
        several => format!("each of {}", several.join(", ")),
    };
    let all = analysis.parties.iter().filter(|party| party.counts).count();
    let of_all = |size: Size, least: &str| match size {
        _ if all == 1 => "the one witness".into(),
        Size::Exactly(size) if size == all => format!("all {all} witnesses"),
        Size::Exactly(size) => format!("{least}{size} of the {all} witnesses"),
        Size::AtLeast(size) => format!("{size} or more of the {all} witnesses"),
    };
    let mut text = Vec::new();
    for (place, rule) in facts.rules.iter().enumerate() {
        text.push(match place {
            0 => format!("{} must cosign.", capital(&requirement(analysis, rule))),
            _ => format!("Group {} cosigns when {} do.", rule.name, requirement(analysis, rule)),
        });
    }
    text.push(format!(
        "With the help of {}{}, {log} can show a history to a relying party alone.",
        of_all(facts.quorum.size, ""),
        example(&facts.quorum)
    ));
    text.push(match facts.fork.size {
        Size::Exactly(0) => format!("To show two histories, {log} needs the help of no witness."),
        Size::AtLeast(0) => format!(
            "Whether {log} needs the help of any witness to show two histories is not known: there are too many sets of them to try. It is enough to have that of {}.",
            join(facts.fork.examples.concat().as_slice())
        ),
        size => format!(
            "To show two histories, {log} needs the help of {}{}.",
            of_all(size, "at least "),
            example(&facts.fork)
        ),
    });
    text.push(match all {
        1 => "Nothing is accepted any more when it is silent.".into(),
        _ => format!(
            "Nothing is accepted any more when {} of them {} silent{}.",
            number(facts.stall.size),
            if facts.stall.size == Size::Exactly(1) { "is" } else { "are" },
            example(&facts.stall)
        ),
    });
    text
}

/// Who may renew a policy, and for which time it is meant.
pub(super) fn root(root: &Root) -> Vec<String> {
    let content = root.content();
    let names: Vec<&str> = content.keys.iter().map(|key| key.name.as_str()).collect();
    let (threshold, names) = (content.threshold, names.join(", "));
    let Window { not_before, expires } = content.window;
    vec![
        format!("Trust root version {}, {}.", content.version, root.digest()),
        format!("{threshold} of the policy keys {names} renew it."),
        format!("It is meant for {} to {}.", time::show(not_before), time::show(expires)),
    ]
}

/// The same for programs.
pub(super) fn root_json(root: &Root, now: u64) -> Value {
    let content = root.content();
    json!({
        "version": content.version, "digest": root.digest().to_hex(),
        "previous": content.previous.map(|hash| hash.to_hex()),
        "threshold": content.threshold,
        "keys": content.keys.iter().map(|key| key.encode()).collect::<Vec<_>>(),
        "validity": coldlog_kit::policy::window_json(content.window, now),
    })
}

// What a group needs, in words.
fn requirement(analysis: &Analysis, rule: &Rule) -> String {
    let members: Vec<String> = rule.members.iter().map(|member| name(analysis, member)).collect();
    match (rule.threshold, members.as_slice()) {
        (_, [only]) => only.clone(),
        (threshold, _) if threshold == members.len() => format!("all of {}", members.join(", ")),
        (threshold, _) => format!("{threshold} of {}", members.join(", ")),
    }
}

fn name(analysis: &Analysis, member: &Member) -> String {
    match member {
        Member::Group(name) => format!("group {name}"),
        Member::Party { name, witnesses, .. } => {
            let party = analysis.parties.iter().find(|party| party.name == *name);
            match party.is_some_and(|party| party.witnesses.len() == witnesses.len()) {
                true => name.clone(),
                // One that cosigns with its other keys elsewhere.
                false => format!("{name} (by {})", witnesses.join(", ")),
            }
        }
    }
}

fn capital(text: &str) -> String {
    match text.strip_prefix("all of ") {
        Some(rest) => format!("All of {rest}"),
        None => text.into(),
    }
}

fn number(size: Size) -> String {
    match size {
        Size::Exactly(size) => size.to_string(),
        Size::AtLeast(size) => format!("{size} or more"),
    }
}

fn example(smallest: &Smallest) -> String {
    let Some(set) = smallest.examples.first().filter(|set| !set.is_empty()) else {
        return String::new();
    };
    let names = join(set);
    match smallest.size {
        Size::Exactly(_) if smallest.all && smallest.examples.len() == 1 => {
            format!(", namely {names}")
        }
        Size::Exactly(_) => format!(", for example {names}"),
        // There may be smaller ones.
        Size::AtLeast(_) => format!(" (not known better; enough are these {}: {names})", set.len()),
    }
}

fn join(names: &[String]) -> String {
    match names {
        [] => "nobody".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The fields of the object.
pub(super) fn fields(analysis: &Analysis) -> Value {
    let parties = analysis
        .parties
        .iter()
        .map(|party| json!({"name": party.name, "lines": party.witnesses, "counts": party.counts}));
    let smallest = |smallest: &Smallest| {
        let (size, exact) = match smallest.size {
            Size::Exactly(size) => (size, true),
            Size::AtLeast(size) => (size, false),
        };
        json!({"size": size, "exact": exact, "examples": smallest.examples, "all": smallest.all})
    };
    let facts = analysis.quorum.as_ref();
    json!({
        "logs": analysis.logs,
        "witnesses": parties.collect::<Vec<_>>(),
        "must_cosign": facts.map(|facts| facts.rules.iter().map(rule).collect::<Vec<_>>()),
        "quorum": facts.map(|facts| smallest(&facts.quorum)),
        "fork": facts.map(|facts| smallest(&facts.fork)),
        "stall": facts.map(|facts| smallest(&facts.stall)),
        "problems": problems(analysis),
        "notes": notes(analysis),
    })
}

fn rule(rule: &Rule) -> Value {
    let members = rule.members.iter().map(|member| match member {
        Member::Group(name) => json!({"group": name}),
        Member::Party { name, witnesses, .. } => json!({"witness": name, "lines": witnesses}),
    });
    json!({
        "name": rule.name, "threshold": rule.threshold, "members": members.collect::<Vec<_>>(),
    })
}
