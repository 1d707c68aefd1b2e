//! `log revoke`: publishes a revocation that was prepared, when the machine that holds the journal is gone.

use crate::commands::{append, manage};
use crate::place::{self, Place};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{field, say, talk};
use coldlog_kit::{files, seal};
use coldlog_spec::key_event::revoked_journal;
use coldlog_spec::registration::{MAX_REGISTRATION, Registration};
use coldlog_spec::verify::revocation::verify_prepared;
use std::path::Path;

/// Runs the command: the file as `signer revoke --prepare` sealed it, with an identity that opens it, or
/// opened already.
pub fn run(home: &Path, file: &Path, identity: Option<&Path>, secret: &Source) -> Outcome {
    let bytes = files::read(file, 2 * MAX_REGISTRATION as u64)?;
    let bytes = match (seal::is_sealed(&bytes), identity) {
        (false, _) => bytes,
        (true, Some(identity)) => seal::open(&bytes, &seal::read_identities(identity)?)?,
        (true, None) => {
            return no(format!(
                "{} is sealed: name who may open it, with --identity FILE",
                file.display()
            ));
        }
    };
    let Registration { statement, sealed } = Registration::decode(&bytes)?;
    let journal = revoked_journal(statement.claims()).context(
        "expected a prepared revocation (`signer revoke --prepare`): found another statement",
    )?;
    place::must_be_home(home)?;
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, secret)?;
    let appended = append::sequenced(&mut place, &keys, |place, edge| {
        let Some(admission) = place.admission(&journal)? else {
            return no(format!(
                "the journal {} / {} is not in this log: there is nothing to revoke",
                journal.issuer, journal.subject
            ));
        };
        let key = verify_prepared(&statement, &sealed, &journal, admission.keys()).or_no()?;
        let in_force = Some(admission.key.clone()).filter(|in_force| *in_force != key);
        // Another one of the same key and bound says the same.
        if let Some((at, _)) = place.index.find(statement.claims(), 0)? {
            return Ok((at, key, in_force, false));
        }
        let index = edge.push(statement.leaf(), statement.bytes(), &sealed)?;
        place.index.add(&statement, index)?;
        Ok((index, key, in_force, true))
    });
    let (at, key, in_force, new) = appended?;
    let already = if new { "" } else { " already" };
    say(format!(
        "revoked{already}: {} / {}, key {key:?}, by entry {at}; let the witnesses cosign the new head",
        field(&journal.issuer),
        field(&journal.subject)
    ));
    if let Some(other) = in_force {
        talk(format!(
            "Attention: {key:?} is not in force any more; in force is {other:?}, which this does not revoke. If that key is the thief's, take the journal out of the rules (`log set-rules`), and tell all who verify which key they may demand"
        ));
    }
    Ok(())
}
