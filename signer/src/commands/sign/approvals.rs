//! The approvals that were brought along, held against each document before it is signed.

use crate::journal::{Founding, Journal};
use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_spec::approval::{
    Approval, ApprovalPolicy, Carried, MAX_APPROVAL, MAX_APPROVERS, Request, Requested,
};
use coldlog_spec::verify::approvals::{NotApproved, Signing, judge};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// All approvals of a run.
pub(super) struct Approvals {
    policy: ApprovalPolicy,
    approvals: Vec<Approval>,
    request: Option<Request>,
    // Places of the request that this run took.
    taken: BTreeSet<u64>,
}

/// What is signed, and by whom.
pub(super) struct What<'a> {
    pub(super) document: &'a Requested,
    pub(super) operator: &'a str,
    pub(super) purpose: &'a str,
    pub(super) time: u64,
}

impl Approvals {
    /// Reads the files.
    pub(super) fn load(founding: &Founding, paths: &[PathBuf]) -> Result<Approvals> {
        if paths.len() > MAX_APPROVERS {
            bail!("at most {MAX_APPROVERS} approvals are taken, found {}", paths.len());
        }
        let mut approvals = Vec::with_capacity(paths.len());
        let mut request: Option<Request> = None;
        for path in paths {
            let bytes = files::read(path, MAX_APPROVAL as u64)?;
            let approval = Approval::decode(&bytes).with_context(|| path.display().to_string())?;
            let brought = approval.request.clone();
            let brought =
                brought.with_context(|| format!("{} lacks its request", path.display()))?;
            request.get_or_insert(brought);
            approvals.push(approval.bare());
        }
        let policy = founding.approvals.clone();
        Ok(Approvals { policy, approvals, request, taken: BTreeSet::new() })
    }

    /// Whether the genesis demands approvals.
    pub(super) fn demanded(&self) -> bool {
        self.policy.demands()
    }

    /// Whether this run may go on as if nothing had been taken: after all documents were looked at.
    pub(super) fn begin_again(&mut self) {
        self.taken.clear();
    }

    /// What the record of a document carries, once it is judged.
    pub(super) fn carry(&mut self, journal: &Journal, what: &What) -> Result<Carried> {
        if self.approvals.is_empty() && !self.demanded() {
            return Ok(Carried::default());
        }
        let carried = self.place(journal, what)?;
        let signing = Signing {
            claims: journal.claims(),
            genesis: Some(journal.admission().genesis.leaf()),
            document: what.document,
            operator: what.operator,
            purpose: what.purpose,
            time: what.time,
        };
        judge(&self.policy, &signing, &carried)?;
        self.taken.insert(carried.index);
        Ok(carried)
    }

    // One document may stand in a request more than once: each place is for one signature.
    fn place(&self, journal: &Journal, what: &What) -> Result<Carried> {
        let approvals = self.approvals.clone();
        let Some(request) = &self.request else { return Ok(Carried::default()) };
        let places = request.documents.iter().enumerate();
        let places = places.filter(|(_, document)| *document == what.document);
        let mut used = None;
        for (place, _) in places {
            let index = place as u64;
            match journal.used_by(&what.document.sha256, &request.id, index)? {
                _ if self.taken.contains(&index) => {
                    used = used.or(Some(journal.tail()?.tail.count))
                }
                Some(sequence) => used = Some(sequence),
                None => return Ok(Carried { approvals, index, path: request.path(place) }),
            }
        }
        match used {
            Some(sequence) => Err(NotApproved::Used(sequence).into()),
            // Nowhere: the judge says so.
            None => Ok(Carried { approvals, ..Carried::default() }),
        }
    }
}
