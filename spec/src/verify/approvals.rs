//! "Did enough people approve this?" — asked by the signer before it signs, and by the auditor after.

use crate::approval::{ApprovalPolicy, Approver, Carried, Requested};
use crate::cose::Claims;
use crate::ed25519::PublicKey;
use crate::hash::Hash;
use crate::merkle::verify_inclusion;
use std::collections::BTreeSet;

/// What is to be signed, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing<'a> {
    /// The signer and the journal.
    pub claims: &'a Claims,
    /// The leaf of the journal's genesis, where it is known.
    pub genesis: Option<Hash>,
    /// The document.
    pub document: &'a Requested,
    /// Who signs.
    pub operator: &'a str,
    /// Why.
    pub purpose: &'a str,
    /// When, by the signer's clock. POSIX seconds.
    pub time: u64,
}

/// Who approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The names, as the policy has them.
    pub by: Vec<String>,
    /// Those of them whose program did not read the documents.
    pub unseen: Vec<String>,
    /// How many were demanded.
    pub threshold: usize,
    /// How many approvers there are.
    pub of: usize,
}

impl Approved {
    /// In words: `approved by Ben and Cleo (unseen), 2 of 3`.
    pub fn words(&self) -> String {
        let name = |name: &String| match self.unseen.contains(name) {
            true => format!("{name} (unseen)"),
            false => name.clone(),
        };
        let names: Vec<String> = self.by.iter().map(name).collect();
        format!("approved by {}, {} of {}", names.join(" and "), self.by.len(), self.of)
    }
}

/// The first reason why it is not approved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// Too few.
    #[error("{found} approvals, {demanded} are demanded ({policy})")]
    TooFew {
        /// Distinct approvers.
        found: usize,
        /// The threshold.
        demanded: usize,
        /// The policy in words.
        policy: String,
    },
    /// A stranger.
    #[error("an approval is by {key}, which is no approver here ({policy})")]
    Stranger {
        /// The key.
        key: String,
        /// The policy in words.
        policy: String,
    },
    /// Forged or altered.
    #[error("the approval of {0} is not signed by that key: it was altered")]
    Signature(String),
    /// One person twice.
    #[error("{0} approved twice: that counts once, leave one of the two out")]
    Twice(String),
    /// For something else.
    #[error("the approval of {by} is for another {what}: {approved}, not {found}")]
    Other {
        /// The approver.
        by: String,
        /// journal, operator or purpose.
        what: &'static str,
        /// What was approved.
        approved: String,
        /// What is to be signed.
        found: String,
    },
    /// Another document.
    #[error(
        "the approval of {by} is not for {name:?} {version:?} with {size} bytes and the SHA-256 {sha256}: other bytes, another name or another version were approved"
    )]
    OtherDocument {
        /// The approver.
        by: String,
        /// The document's name.
        name: String,
        /// Its version.
        version: String,
        /// Its size.
        size: u64,
        /// Its digest.
        sha256: Hash,
    },
    /// Two requests.
    #[error("the approvals of {0} and {1} are of two requests: all must be of one")]
    TwoRequests(String, String),
    /// Too late.
    #[error(
        "the approval of {by} held until {expires}, it is {time} (POSIX seconds, the signer's clock): make a new request"
    )]
    Expired {
        /// The approver.
        by: String,
        /// Until when.
        expires: u64,
        /// Now.
        time: u64,
    },
    /// Used before.
    #[error(
        "this approval was used already, by record {0}: an approval is for one signature; make a new request"
    )]
    Used(u64),
}

/// Judges a record's approvals under the policy of its journal. Where nothing is demanded nothing
/// may be carried: there is nobody who could have approved.
pub fn judge(
    policy: &ApprovalPolicy,
    signing: &Signing,
    carried: &Carried,
) -> Result<Approved, NotApproved> {
    let mut by: Vec<&Approver> = Vec::new();
    let mut unseen = Vec::new();
    for approval in &carried.approvals {
        let key = &approval.key;
        let Some(approver) = policy.approvers().iter().find(|one| one.key == *key) else {
            return Err(NotApproved::Stranger { key: format!("{key:?}"), policy: policy.words() });
        };
        let name = approver.name.clone();
        if !approval.verify() {
            return Err(NotApproved::Signature(name));
        }
        if by.iter().any(|other| other.name == name) {
            return Err(NotApproved::Twice(name));
        }
        if let (Some(first), Some(other)) = (carried.approvals.first(), by.first())
            && first.terms != approval.terms
        {
            return Err(NotApproved::TwoRequests(other.name.clone(), name));
        }
        if !approval.seen {
            unseen.push(name);
        }
        by.push(approver);
    }
    if let (Some(first), Some(approver)) = (carried.approvals.first(), by.first()) {
        is_for(&first.terms, &approver.name, signing, carried)?;
    }
    let (found, demanded) = (by.len(), policy.threshold());
    if found < demanded {
        return Err(NotApproved::TooFew { found, demanded, policy: policy.words() });
    }
    let by = by.into_iter().map(|approver| approver.name.clone()).collect();
    Ok(Approved { by, unseen, threshold: demanded, of: policy.approvers().len() })
}

fn is_for(
    terms: &crate::approval::Terms,
    by: &str,
    signing: &Signing,
    carried: &Carried,
) -> Result<(), NotApproved> {
    let other = |what, approved: &str, found: &str| NotApproved::Other {
        by: by.into(),
        what,
        approved: approved.into(),
        found: found.into(),
    };
    let journal = |claims: &Claims, genesis: Hash| {
        format!("{} / {} (genesis {genesis})", claims.issuer, claims.subject)
    };
    let genesis = signing.genesis.unwrap_or(terms.genesis);
    if (&terms.claims, terms.genesis) != (signing.claims, genesis) {
        let (approved, found) =
            (journal(&terms.claims, terms.genesis), journal(signing.claims, genesis));
        return Err(other("journal", &approved, &found));
    }
    if terms.operator != signing.operator {
        return Err(other("operator", &terms.operator, signing.operator));
    }
    if terms.purpose != signing.purpose {
        return Err(other("purpose", &terms.purpose, signing.purpose));
    }
    let document = signing.document;
    let leaf = document.leaf();
    verify_inclusion(leaf, carried.index, terms.count, &carried.path, terms.root).map_err(
        |_| NotApproved::OtherDocument {
            by: by.into(),
            name: document.name.clone(),
            version: document.version.clone(),
            size: document.size,
            sha256: document.sha256,
        },
    )?;
    if signing.time > terms.expires {
        let (expires, time) = (terms.expires, signing.time);
        return Err(NotApproved::Expired { by: by.into(), expires, time });
    }
    Ok(())
}

/// Who signed what a record carries, where the journal's genesis is not at hand: each approval holds
/// and is for this record; whether they are enough, only the genesis says.
pub fn carried_by(
    signing: &Signing,
    carried: &Carried,
) -> Result<Vec<(PublicKey, bool)>, NotApproved> {
    let mut by: Vec<(PublicKey, bool)> = Vec::new();
    for approval in &carried.approvals {
        let name = format!("{:?}", approval.key);
        if !approval.verify() {
            return Err(NotApproved::Signature(name));
        }
        if by.iter().any(|(key, _)| *key == approval.key) {
            return Err(NotApproved::Twice(name));
        }
        if let (Some(first), Some((other, _))) = (carried.approvals.first(), by.first())
            && first.terms != approval.terms
        {
            return Err(NotApproved::TwoRequests(format!("{other:?}"), name));
        }
        is_for(&approval.terms, &name, signing, carried)?;
        by.push((approval.key.clone(), approval.seen));
    }
    Ok(by)
}

/// Which approvals were used: by journal, request and place in it.
#[derive(Debug, Default)]
pub struct Used(BTreeSet<(Claims, Hash, u64)>);

impl Used {
    /// Notes a record's approvals; false where they were used before.
    pub fn note(&mut self, claims: &Claims, carried: &Carried) -> bool {
        let Some(first) = carried.approvals.first() else { return true };
        self.0.insert((claims.clone(), first.terms.id, carried.index))
    }
}
