//! Approvals: who must agree before something is signed (`formats.cddl`: `approval-policy`), the
//! request that goes to them, and the approval that comes back (`formats/approval.md`).

mod carried;
mod request;
mod signed;

pub use carried::Carried;
pub use request::{MAX_DOCUMENTS, MAX_REQUEST, Request, Requested};
pub use signed::{APPROVAL_TYPE, Approval, MAX_APPROVAL, Terms};

use crate::cbor::{self, DecodeError, Fields, Items, Value};
use crate::ed25519::PublicKey;

/// The most approvers of a policy.
pub const MAX_APPROVERS: usize = 32;
/// The longest name of an approver, in bytes.
pub const MAX_NAME: usize = 255;

/// How many of whom must approve. It stands in a genesis; the default demands nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalPolicy {
    threshold: usize,
    approvers: Vec<Approver>,
}

/// Somebody who may approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// The name that is shown.
    pub name: String,
    /// The key that signs.
    pub key: PublicKey,
}

/// Why these are no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Never to be met, or met by nobody.
    #[error(
        "{threshold} approvals of {approvers} approvers cannot be demanded: from 1 to {approvers}"
    )]
    Threshold {
        /// Demanded.
        threshold: usize,
        /// There are.
        approvers: usize,
    },
    /// Too many.
    #[error("a policy has at most {MAX_APPROVERS} approvers, found {0}")]
    TooMany(usize),
    /// A name that shows nothing.
    #[error("an approver's name has 1 to {MAX_NAME} bytes, found {0:?}")]
    Name(String),
    /// One name for two.
    #[error("two approvers are called {0:?}: nobody could tell who approved")]
    SameName(String),
    /// One key for two.
    #[error("{0:?} and {1:?} have one key: they would count twice")]
    SameKey(String, String),
}

impl ApprovalPolicy {
    /// A policy that can be met, by people who can be told apart.
    pub fn new(threshold: usize, approvers: Vec<Approver>) -> Result<ApprovalPolicy, PolicyError> {
        if approvers.len() > MAX_APPROVERS {
            return Err(PolicyError::TooMany(approvers.len()));
        }
        if threshold < 1 || threshold > approvers.len() {
            return Err(PolicyError::Threshold { threshold, approvers: approvers.len() });
        }
        for (place, approver) in approvers.iter().enumerate() {
            if approver.name.is_empty() || approver.name.len() > MAX_NAME {
                return Err(PolicyError::Name(approver.name.clone()));
            }
            for other in &approvers[..place] {
                if other.name == approver.name {
                    return Err(PolicyError::SameName(other.name.clone()));
                }
                if other.key == approver.key {
                    return Err(PolicyError::SameKey(other.name.clone(), approver.name.clone()));
                }
            }
        }
        Ok(ApprovalPolicy { threshold, approvers })
    }

    /// How many must approve; 0 where nobody must.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Who may.
    pub fn approvers(&self) -> &[Approver] {
        &self.approvers
    }

    /// Whether anything is demanded.
    pub fn demands(&self) -> bool {
        self.threshold > 0
    }

    /// In words: `2 of Ben, Cleo, Dora`.
    pub fn words(&self) -> String {
        let names: Vec<&str> = self.approvers.iter().map(|one| one.name.as_str()).collect();
        format!("{} of {}", self.threshold, names.join(", "))
    }

    /// As it stands in a record; `None` where nothing is demanded.
    pub fn to_value(&self) -> Option<Value> {
        let approver = |one: &Approver| {
            cbor::text_map(vec![
                ("name", one.name.as_str().into()),
                ("key", cbor::bytes(one.key.as_bytes())),
            ])
        };
        self.demands().then(|| {
            cbor::text_map(vec![
                ("threshold", (self.threshold as u64).into()),
                ("approvers", Value::Array(self.approvers.iter().map(approver).collect())),
            ])
        })
    }

    /// Reads what [`ApprovalPolicy::to_value`] wrote.
    pub fn from_value(what: &'static str, value: Value) -> Result<ApprovalPolicy, DecodeError> {
        const FIELD: &str = "approval_policy";
        let mut fields = Fields::new(what, FIELD, value)?;
        let threshold = usize::try_from(fields.uint("threshold")?).unwrap_or(usize::MAX);
        let mut items =
            Items::new(what, "approvers", fields.take("approvers")?, 1..=MAX_APPROVERS)?;
        fields.finish()?;
        let mut approvers = Vec::with_capacity(items.left());
        while items.left() > 0 {
            let mut fields = Fields::new(what, "an approver", items.any("an approver")?)?;
            let name = fields.text("name", MAX_NAME)?;
            let key = PublicKey::from_bytes(&fields.hash("key")?.0).map_err(|why| {
                DecodeError::field(what, "an approver's key", "a sound key", why.to_string())
            })?;
            fields.finish()?;
            approvers.push(Approver { name, key });
        }
        ApprovalPolicy::new(threshold, approvers)
            .map_err(|why| DecodeError::field(what, FIELD, "one that can be met", why.to_string()))
    }
}
