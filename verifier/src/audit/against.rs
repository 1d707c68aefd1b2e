//! What an audit is against: the log, the policy, and the newest head; and whose audits are believed.

use super::engine::Scope;
use super::heads;
use super::saved::Auditor;
use anyhow::{Context, Result};
use coldlog_kit::files;
use coldlog_kit::published::{self, Source};
use coldlog_kit::seal::Identity;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::document::parse_public_key;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::{CosignedCheckpoint, MAX_POLICY, Policy};
use coldlog_spec::verify::audit::Finding;
use std::path::Path;

/// What an audit is against: the same for a part and for the whole.
pub(crate) struct Against {
    pub(super) policy: Policy,
    pub(super) digest: Hash,
    pub(super) source: Box<dyn Source>,
    pub(super) head: SignedCheckpoint,
    pub(super) cosigned: Option<CosignedCheckpoint>,
    pub(super) findings: Vec<Finding>,
}

impl Against {
    pub(crate) fn read(log: &Path, policy: &Path) -> Result<Against> {
        let digest = Hash::of(&files::read(policy, MAX_POLICY as u64)?);
        let (policy, source) = (crate::commands::policy(policy)?, crate::commands::source(log)?);
        let head = published::head(source.as_ref())?;
        let mut findings = Vec::new();
        let cosigned = heads::newest(&head, &policy, &mut findings);
        Ok(Against { policy, digest, source, head, cosigned, findings })
    }

    /// What is wrong with the newest head.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What an engine is made for.
    pub(crate) fn scope<'a>(&'a self, identities: &'a [Identity], evidence: &'a Path) -> Scope<'a> {
        let (source, policy) = (self.source.as_ref(), &self.policy);
        Scope { source, policy, identities, head: &self.head.checkpoint, evidence }
    }

    /// The time of the newest head.
    pub(crate) fn times(&self) -> Vec<(u64, u64)> {
        let newest = self.cosigned.as_ref();
        let time = newest.and_then(|head| Some((head.checkpoint().size, head.not_after()?)));
        time.into_iter().collect()
    }
}

/// The auditors whose audits are believed: the one at hand, and those that are named.
pub(super) fn auditors(own: Option<&Auditor>, trust: &[String]) -> Result<Vec<PublicKey>> {
    let mut keys: Vec<PublicKey> = own.map(Auditor::public).into_iter().collect();
    for text in trust {
        let key = match parse_public_key(text) {
            Some(key) => Some(key),
            None => {
                let bytes = files::read(Path::new(text), 1 << 16)?;
                std::str::from_utf8(&bytes).ok().and_then(parse_public_key)
            }
        };
        keys.push(key.with_context(|| {
            format!("{text} is neither an Ed25519 public key nor a file with one")
        })?);
    }
    Ok(keys)
}
