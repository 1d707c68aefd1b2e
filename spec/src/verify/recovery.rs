//! "Is this what the log has of my journal?" and "may this restored journal sign again?" — asked by a signer
//! whose machine died, before its next record: no sequence number is ever used twice.

use crate::batch::Tail;
use crate::checkpoint::Checkpoint;
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::merkle::{ProofError, verify_inclusion};
use crate::statement::Statement;
use crate::statements::Logged;
use crate::verify::append::{self, Admission, Progress, follows, repeats, verify_record};

/// Why a statement is refused, or a restored journal may not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may not stand at its place.
    #[error(transparent)]
    Append(append::Refusal),
    /// It is not under the head.
    #[error(
        "it is not in the log: its path does not lead to the cosigned head of size {size}: {why}"
    )]
    NotLogged {
        /// The head's size.
        size: u64,
        /// What the path gives.
        why: ProofError,
    },
    /// The backup has another record there.
    #[error(
        "the log has another record with the number {sequence} than this journal: it was forked (a backup that was restored before, or a clone, signed too); both are kept as evidence, start a new journal"
    )]
    Forked {
        /// The number used twice.
        sequence: u64,
        /// Both statements.
        evidence: Box<Evidence>,
    },
    /// The paper knows more.
    #[error(
        "the paper says {paper}, the backup and the log together reach {own}: records are missing that were signed; bring them with --batch, from a batch that was exported, or start a new journal"
    )]
    PaperIsNewer {
        /// From paper.
        paper: String,
        /// The journal's own, short.
        own: String,
    },
    /// The paper knows another record.
    #[error(
        "the paper says {paper}, this journal has another record at that place: it was forked, or the paper is of another journal"
    )]
    PaperIsOther {
        /// From paper.
        paper: String,
    },
    /// More than the paper says, where the paper is all there is.
    #[error(
        "the paper says {paper}, this journal ends at {own}: the paper is older than the backup, and nothing else tells what was signed since; bring the newest paper, or what the log has"
    )]
    PaperIsOlder {
        /// From paper.
        paper: String,
        /// The journal's own, short.
        own: String,
    },
}

/// Verifies a statement and that the log has it under a cosigned head: the next one after `progress`, by the
/// key in force there.
pub fn logged(
    logged: &Logged,
    admission: &mut Admission,
    head: &Checkpoint,
    progress: &Progress,
) -> Result<(Statement, Progress), Refusal> {
    let statement = verify_record(&logged.statement, &logged.sealed, admission);
    let statement = statement.map_err(Refusal::Append)?;
    let Logged { index, path, .. } = logged;
    verify_inclusion(statement.leaf(), *index, head.size, path, head.root)
        .map_err(|why| Refusal::NotLogged { size: head.size, why })?;
    // Which heads it names was the log's to judge when it took it.
    let next = follows(&statement, admission, progress, |_| true).map_err(Refusal::Append)?;
    admission.take(&statement).map_err(Refusal::Append)?;
    Ok((statement, next))
}

/// Whether a record that the journal has, too, is the same.
pub fn same(statement: &Statement, own: &Statement, admission: &Admission) -> Result<(), Refusal> {
    repeats(statement, own.bytes(), admission).map_err(|refusal| match refusal {
        append::Refusal::Forked { sequence, evidence } => Refusal::Forked { sequence, evidence },
        other => Refusal::Append(other),
    })
}

/// What was written down: count and digits, and the words of it.
pub struct Paper<'a> {
    /// The count.
    pub count: u64,
    /// The digits of the chain head.
    pub digits: &'a str,
    /// As it was typed.
    pub text: &'a str,
}

/// Whether a journal has what was written down. `leaf` is the leaf hash of its record with the number
/// `count - 1`; `alone`: nothing but the paper tells how far it must reach, so it must end there.
pub fn reaches(paper: &Paper, own: &Tail, leaf: Option<Hash>, alone: bool) -> Result<(), Refusal> {
    let (paper_says, reached) = (paper.text.to_owned(), own.short());
    if paper.count > own.count {
        return Err(Refusal::PaperIsNewer { paper: paper_says, own: reached });
    }
    if !leaf.is_some_and(|leaf| leaf.to_hex().starts_with(paper.digits)) {
        return Err(Refusal::PaperIsOther { paper: paper_says });
    }
    if alone && paper.count < own.count {
        return Err(Refusal::PaperIsOlder { paper: paper_says, own: reached });
    }
    Ok(())
}
