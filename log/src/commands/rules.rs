//! `log allow`, `log signers`, `log rules` and `log set-rules`: who may write, and what is demanded.

use crate::commands::manage;
use crate::own;
use crate::place::{self, Place};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::report::{self, Report};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::hash::Hash;
use coldlog_spec::rules::{Allowed, FIRST_LINE as RULES_BEGIN, MAX_RULES, Rules};
use coldlog_spec::statement::Payload;
use coldlog_spec::verify::append::verify_genesis;
use coldlog_spec::verify::own::claims as own_claims;
use serde_json::json;
use std::io::Read;
use std::path::Path;

/// `log allow`: one more line in the rules, by the signer's genesis and the fingerprint that was heard.
pub fn allow(home: &Path, genesis_file: &Path, fingerprint: &str, secret: &Source) -> Outcome {
    let bytes = files::read(genesis_file, 1 << 16)?;
    let admission = verify_genesis(&bytes)?;
    let (found, claims) = (admission.genesis.leaf(), admission.genesis.claims());
    if Hash::from_hex(fingerprint) != Some(found) {
        return no(format!(
            "the genesis of {} has the fingerprint {found}, you gave {fingerprint}: ask the signer's operator by another channel",
            claims.issuer
        ));
    }
    place::must_be_home(home)?;
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, secret)?;
    let at = own::say(&mut place, &keys, None, |place| {
        let rules = place.rules()?;
        match rules.allowed(claims) {
            Ok(there) if there.genesis == found => return Ok(None),
            Ok(_) => {
                return no(format!(
                    "another genesis of {} / {} is allowed already: a journal has one genesis",
                    claims.issuer, claims.subject
                ));
            }
            Err(_) => {}
        }
        let rules = rules.allowing(claims, &found)?;
        rules.admit_journal(&admission.genesis).or_no()?;
        may_be_said(place, &rules)?;
        Ok(Some(Payload::Rules(rules)))
    })?;
    let Some(at) = at else {
        say(format!("{} was allowed already", claims.issuer));
        return Ok(());
    };
    say(format!(
        "allowed {} / {}, key {}, by the rules of entry {at}",
        claims.issuer,
        claims.subject,
        admission.key.thumbprint()
    ));
    Ok(())
}

// Nobody else writes the log's own journal.
fn may_be_said(place: &Place, rules: &Rules) -> Outcome {
    rules.may_be_of(&place.head.checkpoint.origin).or_no()?;
    match rules.allowed(&own_claims(&place.head.checkpoint.origin)) {
        Ok(_) => no("the log's own journal is written by the log alone: take that line out"),
        Err(_) => Ok(()),
    }
}

/// `log set-rules`
pub fn set(home: &Path, file: &Path, secret: &Source) -> Outcome {
    let rules = read(file)?;
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, secret)?;
    let mut before = Rules::default();
    let at = own::say(&mut place, &keys, None, |place| {
        before = place.rules()?.rules.clone();
        may_be_said(place, &rules)?;
        Ok((rules != before).then(|| Payload::Rules(rules.clone())))
    })?;
    let Some(at) = at else {
        say("these rules are in force already");
        return Ok(());
    };
    for line in difference(&before, &rules) {
        say(line);
    }
    say(format!("the rules of entry {at} are in force"));
    Ok(())
}

/// Whether a file begins as admission rules do.
pub(crate) fn is_file(path: &Path) -> anyhow::Result<bool> {
    let mut begin = Vec::new();
    files::open(path)?.take(RULES_BEGIN.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == RULES_BEGIN.as_bytes())
}

/// Reads a file of admission rules.
pub(crate) fn read(path: &Path) -> anyhow::Result<Rules> {
    let bytes = files::read(path, MAX_RULES as u64)?;
    Rules::parse(&bytes).with_context(|| path.display().to_string())
}

// What changes, in words.
fn difference(before: &Rules, after: &Rules) -> Vec<String> {
    let mut lines = Vec::new();
    let name = |allowed: &Allowed| {
        format!("{} / {} ({})", allowed.claims.issuer, allowed.claims.subject, allowed.genesis)
    };
    let gone = before.signers.iter().filter(|one| !after.signers.contains(one));
    lines.extend(gone.map(|one| format!("no longer allowed: {}", name(one))));
    let new = after.signers.iter().filter(|one| !before.signers.contains(one));
    lines.extend(new.map(|one| format!("now allowed: {}", name(one))));
    for (what, before, after) in [
        ("a statement", before.largest_statement, after.largest_statement),
        ("a sealed record", before.largest_sealed, after.largest_sealed),
    ] {
        if before != after {
            lines.push(format!("{what} may have {after} bytes, before {before}"));
        }
    }
    match (before.known_head, after.known_head) {
        (false, true) => lines.push("statements must name a known head".into()),
        (true, false) => lines.push("statements need no longer name a known head".into()),
        _ => {}
    }
    let gone = before.recipients.iter().filter(|one| !after.recipients.contains(one));
    lines.extend(gone.map(|one| format!("records need no longer be sealed to {one}")));
    let new = after.recipients.iter().filter(|one| !before.recipients.contains(one));
    lines.extend(new.map(|one| format!("records must be sealed to {one}")));
    lines
}

/// `log rules`
pub fn show(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        place::must_be_home(home)?;
        let place = Place::open(home)?;
        let in_force = place.rules()?;
        let (rules, at) = (&in_force.rules, in_force.entry);
        let signers: Vec<_> = rules.signers.iter().map(|one| {
            json!({"signer": one.claims.issuer, "journal": one.claims.subject, "genesis": one.genesis.to_hex()})
        }).collect();
        let fields = json!({
            "entry": at, "signers": signers, "largest_statement": rules.largest_statement,
            "largest_sealed": rules.largest_sealed, "require_known_head": rules.known_head,
            "require_recipients": rules.recipients,
        });
        let text = String::from_utf8_lossy(&rules.encode()).trim_end().into();
        Ok(Report { text: vec![text], fields })
    })
}

/// `log signers`
pub fn signers(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        place::must_be_home(home)?;
        let place = Place::open(home)?;
        let (mut text, mut list) = (Vec::new(), Vec::new());
        for Allowed { claims, genesis } in &place.rules()?.signers {
            let logged = place.admission(claims)?;
            let records = place.index.progress(claims)?.next;
            let key = logged.map(|admission| admission.key.thumbprint().to_hex());
            text.push(format!(
                "{} / {}, genesis {genesis}, {}",
                claims.issuer,
                claims.subject,
                match &key {
                    Some(key) => format!("key {key}, {records} records"),
                    None => "no record yet".into(),
                }
            ));
            list.push(json!({
                "signer": claims.issuer, "journal": claims.subject, "key": key,
                "genesis": genesis.to_hex(), "records": records,
            }));
        }
        if text.is_empty() {
            text.push("no signer may write; allow one with `log allow`".into());
        }
        Ok(Report { text, fields: json!({"signers": list}) })
    })
}
