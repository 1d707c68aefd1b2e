//! What an audit came to, in a file: signed by the auditor, for the next one to go on from.

use super::engine::Engine;
use super::findings::Findings;
use super::show::{line, summary};
use anyhow::{Context, Result, bail};
use coldlog_kit::custody::{NewKey, Start};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::{Keys, SCRYPT_LOG_N};
use coldlog_kit::report::{self, Report};
use coldlog_kit::secret::Source as Secret;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_spec::audit::{self, Audit, MAX_AUDIT, Scope, digest};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::document::ssh_public_key;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::is_key_name;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const ROLE: &str = "auditor";

/// `verifier audit-key`: the key that signs what audits come to.
pub fn make_key(
    name: &str,
    output: &Path,
    place: &NewKey,
    unencrypted: bool,
    secret: &Secret,
) -> Outcome {
    if !is_key_name(name) || name.len() > 200 {
        return Err(anyhow::anyhow!(
            "{name:?} cannot be an auditor's name: no spaces, no plus, for example auditor.example/ada"
        )
        .into());
    }
    if files::is_there(output)? {
        return Err(files::taken(output, Existing::Never).into());
    }
    let (after, seed, scrypt_log_n) = (None, None, SCRYPT_LOG_N);
    let start = Start { role: ROLE, name, place, after, seed, scrypt_log_n, unencrypted };
    let keys = start.run(output, secret)?;
    say(ssh_public_key(&keys.ed25519().public()));
    Ok(())
}

/// Who signs what an audit comes to.
pub(crate) struct Auditor(Keys);

impl Auditor {
    /// From a key file.
    pub(super) fn load(path: &Path, secret: &Secret) -> Result<Auditor> {
        Keys::load(path, ROLE, secret).map(Auditor)
    }

    /// The public key.
    pub(super) fn public(&self) -> PublicKey {
        self.0.ed25519().public()
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Writes an audit, signed.
    pub(super) fn save(&self, audit: &Audit, path: &Path, existing: Existing) -> Result<()> {
        let bytes = audit.sign(&self.0.ed25519())?;
        if bytes.len() > MAX_AUDIT {
            bail!("the audit's state has {} bytes, at most {MAX_AUDIT} are taken", bytes.len());
        }
        files::write(path, &bytes, existing, Mode::Private)
    }
}

/// Reads an audit by one of these auditors.
pub(super) fn load(path: &Path, auditors: &[PublicKey]) -> Result<Audit> {
    let bytes = files::read(path, MAX_AUDIT as u64)?;
    Audit::verify(&bytes, auditors).with_context(|| path.display().to_string())
}

/// Where an audit is kept until it is done.
pub(super) fn partial(path: &Path) -> PathBuf {
    files::with_suffix(path, "partial")
}

/// What is the same at each time that an audit is written down.
pub(super) struct Frame<'a> {
    pub(super) auditor: &'a str,
    pub(super) policy: Hash,
    pub(super) head: &'a SignedCheckpoint,
    pub(super) from: u64,
    pub(super) opened: bool,
    pub(super) began: u64,
    /// The statements in the clear that were taken as given.
    pub(super) assumed: usize,
}

impl Frame<'_> {
    /// An engine as it stands behind the entry `to`.
    pub(super) fn of(&self, engine: &Engine, to: u64) -> Audit {
        let journals = &engine.journals;
        let clear = journals.clear().to_vec();
        let assumed = digest(clear.get(..self.assumed).unwrap_or_default());
        let places = journals.places().map(|(claims, place)| (claims.clone(), place.clone()));
        let (auditor, origin) = (self.auditor.into(), self.head.checkpoint.origin.clone());
        Audit {
            claims: Claims { issuer: auditor, subject: origin },
            scope: Scope {
                policy: self.policy,
                head: self.head.encode(),
                from: self.from,
                to,
                opened: self.opened,
                time: (self.began, time::now()),
            },
            assumed,
            rows: engine.rows.clone(),
            places: places.collect(),
            used: journals.people().used.clone(),
            counts: engine.counts,
            findings: engine.findings.list().cloned().collect(),
            more: engine.findings.more().collect(),
            clear,
        }
    }
}

/// Goes on where an audit ended.
pub(super) fn resume(engine: &mut Engine, audit: Audit) -> Result<()> {
    engine.rows = audit.rows;
    engine.findings = Findings::from_parts(audit.findings, audit.more);
    engine.counts = audit.counts;
    engine.journals.resume(audit.clear, audit.places)?;
    engine.journals.people_mut().used = audit.used;
    Ok(())
}

/// `verifier audit show`: what is in a file; nothing is verified.
pub fn show(path: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let audit = Audit::decode(&files::read(path, MAX_AUDIT as u64)?)?;
        let audit::Scope { policy, head, from, to, opened, time: (began, ended) } = &audit.scope;
        let head = SignedCheckpoint::decode(head)?.checkpoint;
        let findings = Findings::from_parts(audit.findings.clone(), audit.more.clone());
        let (auditor, origin) = (&audit.claims.issuer, &audit.claims.subject);
        let (began, ended) = (time::show(*began), time::show(*ended));
        let mut text = vec![
            format!("an audit of {origin} by {auditor}, from {began} to {ended} by its clock"),
            format!(
                "entries {from} to {to}, against the head of size {}, root {}",
                head.size, head.root
            ),
            format!("{} records opened, {} journals", audit.counts.opened, audit.places.len()),
            format!("findings: {}", summary(&findings)),
        ];
        text.extend(findings.list().map(line));
        let list: Vec<Value> = findings.list().map(super::to_json).collect();
        let fields = json!({
            "auditor": auditor, "origin": origin, "from": from, "to": to, "policy": policy.to_hex(),
            "head_size": head.size, "root": head.root.to_hex(), "records_opened": opened,
            "began": began, "ended": ended, "findings": list,
        });
        Ok(Report { text, fields })
    })
}
