//! "May this head be cosigned?" — the one decision of a witness, by file or by HTTP (C2SP tlog-witness).

use crate::checkpoint::{Checkpoint, SignedCheckpoint, Subtree};
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::merkle::{ProofError, empty_root, is_subtree, verify_subtree_consistency};
use crate::note::VerifierKey;
use crate::verify::heads::{Misfit, extends};
use crate::witnessing::{Request, SubtreeRequest};

/// Why not, with the protocol's status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: the request's old size is beyond the head's.
    #[error("the old size {old} is larger than the head's size {new}")]
    OldBeyondNew {
        /// The request's old size.
        old: u64,
        /// The head's size.
        new: u64,
    },
    /// 403: not by the log's key.
    #[error("the head is not signed by the key of {origin:?} that this witness was given: {why}")]
    NotSigned {
        /// The log.
        origin: String,
        /// What is wrong.
        why: String,
    },
    /// 404: not a log that it watches.
    #[error("this witness does not watch the log {origin:?}; add it with `witness add-log`")]
    UnknownLog {
        /// The log.
        origin: String,
    },
    /// 409: the witness saw another size last.
    #[error(
        "this witness saw size {known} last, the request proves from size {old}; make a request with `log witness-request --old {known}`"
    )]
    Stale {
        /// The size it saw.
        known: u64,
        /// The request's old size.
        old: u64,
    },
    /// 422: the head does not extend what the witness saw.
    #[error("refused: {misfit}")]
    NotAnExtension {
        /// How.
        misfit: Misfit,
        /// The two heads, where they convict the log.
        evidence: Option<Box<Evidence>>,
    },
    /// 422: a tree without entries has another root, or a proof where none belongs.
    #[error("a head of size 0 has the root of the empty tree, and a request from size 0 no proof")]
    EmptyTree,
}

impl Refusal {
    /// The HTTP status of the protocol.
    pub fn status(&self) -> u64 {
        match self {
            Refusal::OldBeyondNew { .. } => 400,
            Refusal::NotSigned { .. } => 403,
            Refusal::UnknownLog { .. } => 404,
            Refusal::Stale { .. } => 409,
            Refusal::NotAnExtension { .. } | Refusal::EmptyTree => 422,
        }
    }
}

/// Why a part of a tree is not cosigned, with the protocol's status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubtreeRefusal {
    /// 400: no part of a tree, or not of this one.
    #[error(
        "[{start}, {end}) is no subtree of a tree of {size} entries (its start is a multiple of the next power of two from its width on)"
    )]
    NotASubtree {
        /// The first entry.
        start: u64,
        /// After the last.
        end: u64,
        /// The head's size.
        size: u64,
    },
    /// 404: not a log that it watches.
    #[error("this witness does not watch the log {origin:?}; add it with `witness add-log`")]
    UnknownLog {
        /// The log.
        origin: String,
    },
    /// 403: not a head of ours.
    #[error("the head is not cosigned by this witness: {why}")]
    NotOurs {
        /// What is wrong.
        why: String,
    },
    /// 422: not part of that head's tree.
    #[error("refused: {0}")]
    NotProven(ProofError),
}

impl SubtreeRefusal {
    /// The HTTP status of the protocol.
    pub fn status(&self) -> u64 {
        match self {
            SubtreeRefusal::NotASubtree { .. } => 400,
            SubtreeRefusal::NotOurs { .. } => 403,
            SubtreeRefusal::UnknownLog { .. } => 404,
            SubtreeRefusal::NotProven(_) => 422,
        }
    }
}

/// Decides on a part of a tree: it is cosigned when it is part of a head that carries a cosignature of
/// ours, by one of `own`. `watched` is whether this witness watches that log.
pub fn decide_subtree(
    request: &SubtreeRequest,
    watched: bool,
    own: &[VerifierKey],
) -> Result<Subtree, SubtreeRefusal> {
    let SubtreeRequest { start, end, root, path, head } = request;
    let Checkpoint { origin, size, root: whole } = &head.checkpoint;
    if !is_subtree(*start, *end) || end > size {
        return Err(SubtreeRefusal::NotASubtree { start: *start, end: *end, size: *size });
    }
    if !watched {
        return Err(SubtreeRefusal::UnknownLog { origin: origin.clone() });
    }
    let own: Vec<&VerifierKey> = own.iter().collect();
    let not_ours = |why: String| SubtreeRefusal::NotOurs { why };
    let vouched = head.verified_by(&own).map_err(|why| not_ours(why.to_string()))?;
    if vouched.is_empty() {
        return Err(not_ours(format!("it is signed by {}", head.signer_names())));
    }
    verify_subtree_consistency(*start, *end, *size, path, *root, *whole)
        .map_err(SubtreeRefusal::NotProven)?;
    Ok(Subtree { origin: origin.clone(), start: *start, end: *end, root: *root })
}

/// Decides on a request. `keys` are those given for the log of the request's origin (none: not
/// watched); `last` is the newest head that this witness cosigned for it.
pub fn decide(
    request: &Request,
    keys: &[VerifierKey],
    last: Option<&SignedCheckpoint>,
) -> Result<(), Refusal> {
    let head = &request.head.checkpoint;
    if keys.is_empty() {
        return Err(Refusal::UnknownLog { origin: head.origin.clone() });
    }
    let refs: Vec<&VerifierKey> = keys.iter().collect();
    let not_signed = |why: String| Refusal::NotSigned { origin: head.origin.clone(), why };
    let vouched = request.head.verified_by(&refs).map_err(|e| not_signed(e.to_string()))?;
    if vouched.is_empty() {
        return Err(not_signed(format!("it is signed by {}", request.head.signer_names())));
    }
    if request.old > head.size {
        return Err(Refusal::OldBeyondNew { old: request.old, new: head.size });
    }
    let empty = Checkpoint { origin: head.origin.clone(), size: 0, root: empty_root() };
    let known = last.map_or(&empty, |last| &last.checkpoint);
    let refuse = |misfit: Misfit, path: &[Hash]| {
        let evidence = last.filter(|_| misfit.convicts()).map(|last| {
            Box::new(Evidence::SplitView {
                first: last.encode(),
                second: request.head.encode(),
                path: path.to_vec(),
            })
        });
        Refusal::NotAnExtension { misfit, evidence }
    };
    // A second history of the same size is worth more than a word on sizes: it convicts.
    if known.size == head.size && known.root != head.root {
        return Err(match known.size {
            0 => Refusal::EmptyTree,
            size => refuse(
                Misfit::SameSizeOtherRoot { size, first: known.root, second: head.root },
                &[],
            ),
        });
    }
    if request.old != known.size {
        return Err(Refusal::Stale { known: known.size, old: request.old });
    }
    if (head.size == 0 && head.root != empty_root())
        || (request.old == 0 && !request.path.is_empty())
    {
        return Err(Refusal::EmptyTree);
    }
    extends(known, head, &request.path).map_err(|misfit| refuse(misfit, &request.path))
}
