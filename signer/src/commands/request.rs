//! `signer request`: what approvers are asked.

use super::sign;
use crate::journal::Journal;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::secret;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::approval::{MAX_DOCUMENTS, Request};
use coldlog_spec::hash::Hash;
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The documents, as for `sign`.
    pub sign: sign::Options,
    /// How long an approval holds.
    pub expires: String,
    /// The request's file.
    pub output: PathBuf,
    /// Replace it.
    pub force: bool,
}

/// The longest that approvals may hold: 90 days.
const LONGEST: u64 = 90 * 86_400;

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let lasts = lasts(&options.expires)?;
    let journal = Journal::open_to_read(home)?;
    let founding = journal.founding()?;
    if !founding.approvals.demands() {
        return no(
            "the genesis of this journal names no approvers: nothing here needs an approval",
        );
    }
    let operator = options.sign.operator.clone().unwrap_or_default();
    journal.must_be_operated_by(&operator)?;
    let (documents, purpose) = sign::requested(&options.sign)?;
    if documents.len() > MAX_DOCUMENTS {
        return no(format!("a request has at most {MAX_DOCUMENTS} documents; make two"));
    }
    let made = time::now();
    let request = Request {
        claims: journal.claims().clone(),
        genesis: journal.admission().genesis.leaf(),
        id: Hash(secret::random()?),
        operator,
        purpose,
        made,
        expires: made.saturating_add(lasts),
        documents,
    };
    // What a reader would refuse is not written.
    let bytes = request.encode();
    Request::decode(&bytes)?;
    files::write(&options.output, &bytes, Existing::from_force(options.force), Mode::Public)?;
    say(format!(
        "request for {} documents in {}; it holds until {}",
        request.documents.len(),
        options.output.display(),
        time::show(request.expires)
    ));
    say(format!("approvals needed: {}", field(&founding.approvals.words())));
    Ok(())
}

fn lasts(text: &str) -> Result<u64> {
    let lasts = time::parse_duration(text).with_context(|| {
        format!("--expires is a length of time such as 24h or 3days, found {text:?}")
    })?;
    if lasts == 0 || lasts > LONGEST {
        bail!("--expires is from one second to 90 days, found {text:?}");
    }
    Ok(lasts)
}
