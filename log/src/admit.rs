//! Whether a statement continues its journal in this log: what batches and posted statements are asked.

use crate::place::{InForce, Place};
use crate::sequencer::Edge;
use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_kit::published::{Bundles, Tree};
use coldlog_spec::hash::Hash;
use coldlog_spec::statement::{KnownHead, Payload, Statement};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::{Admission, Progress, Refusal, judge};
use std::collections::HashMap;
use std::sync::Arc;

/// Judges the statements of one journal, in the order in which they come.
pub struct Judge<'a> {
    place: &'a Place,
    admission: Admission,
    rules: Arc<InForce>,
    /// How far the journal is in the log, with what was pushed.
    progress: Progress,
    /// The size of the newest head that this log is known to have signed: in a recovery, beyond the one here.
    newest: u64,
    roots: HashMap<u64, Hash>,
    entries: Bundles<'a>,
}

impl<'a> Judge<'a> {
    /// A judge of a journal; or why the rules refuse the journal as a whole. `newest` is the size of the
    /// newest head that this log is known to have signed.
    pub fn new(
        place: &'a Place,
        admission: &Admission,
        newest: u64,
    ) -> Result<Result<Judge<'a>, Refusal>> {
        let size = place.head.checkpoint.size;
        let rules = place.rules()?;
        if let Err(refused) = rules.admit_journal(&admission.genesis) {
            return Ok(Err(refused.into()));
        }
        Ok(Ok(Judge {
            place,
            admission: admission.clone(),
            rules,
            progress: place.index.progress(admission.genesis.claims())?,
            newest,
            roots: HashMap::new(),
            entries: Bundles::new(place.store.as_ref(), size, entries_path),
        }))
    }

    /// Where a statement is in the log already; `None` for one that is new and may be pushed; or why it
    /// is refused. An error in reading is neither. Its signature must be verified; `sealed` is the length of
    /// its sealed record, `edge` holds what was pushed before it.
    pub fn judge(
        &mut self,
        statement: &Statement,
        sealed: usize,
        edge: &Edge,
    ) -> Result<Result<Option<u64>, Refusal>> {
        let number = statement.position.sequence;
        if number < self.progress.next {
            let there = self.place.index.find(statement.claims(), number)?;
            let (at, leaf) = there.context("the index has no such record")?;
            // One that came in this append is in no bundle yet.
            if at >= self.place.head.checkpoint.size {
                return match leaf == statement.leaf() {
                    true => Ok(Ok(Some(at))),
                    false => bail!(
                        "record {number} of the journal came twice at once, with other content"
                    ),
                };
            }
            let logged = Some(self.entries.get(at)?);
            let by = (&self.admission, &self.rules.rules);
            let judged = judge((statement, sealed), by, &self.progress, logged, |_| true);
            return Ok(judged.map(|_| Some(at)));
        }
        if let Some(head) = &statement.position.head
            && head.origin == self.place.head.checkpoint.origin
        {
            self.read_root(head, edge)?;
        }
        let (place, roots) = (self.place, &self.roots);
        // A signer that writes to several logs may name a head of another one: it is no bound here.
        let own_history = |head: &KnownHead| {
            head.origin != place.head.checkpoint.origin || roots.get(&head.size) == Some(&head.root)
        };
        let by = (&self.admission, &self.rules.rules);
        let judged = judge((statement, sealed), by, &self.progress, None, own_history);
        let next = match judged {
            Ok(next) => next,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = self.admission.take(statement) {
            return Ok(Err(refusal));
        }
        self.progress = next.unwrap_or_else(|| self.progress.clone());
        Ok(Ok(None))
    }

    /// Appends a statement that was judged new; returns its index.
    pub fn push(&self, statement: &Statement, sealed: &[u8], edge: &mut Edge) -> Result<u64> {
        let index = edge.push(statement.leaf(), statement.bytes(), sealed)?;
        self.place.index.add(statement, index)?;
        if matches!(statement.payload, Payload::KeyEvent(_)) {
            self.place.note_pushed(index, statement.bytes());
        }
        Ok(index)
    }

    /// The journal, with all key events that were judged.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Names the refused record; a fork leaves its evidence.
    pub fn refused(&self, number: u64, refusal: Refusal) -> Result<anyhow::Error> {
        let Refusal::Forked { sequence, evidence } = &refusal else {
            return Ok(
                anyhow::Error::from(refusal).context(format!("record {number} of the journal"))
            );
        };
        let name = format!("fork-{}-{sequence}.evidence.cbor", self.admission.kid);
        let folder = self.place.home.join("evidence");
        files::create_folder(&folder)?;
        let path = files::write_evidence(&folder.join(name), &evidence.encode())?;
        let place = format!("record {number} of the journal, evidence in {}", path.display());
        Ok(anyhow::Error::from(refusal).context(place))
    }

    fn read_root(&mut self, head: &KnownHead, edge: &Edge) -> Result<()> {
        if self.roots.contains_key(&head.size) {
            return Ok(());
        }
        let here = self.place.head.checkpoint.size;
        let root = match head.size {
            size if size <= here => Tree::new(self.place.store.as_ref(), here).root_at(size)?,
            // A head that was lost, and whose entries have just come back.
            size if size <= self.newest && size <= edge.size() => edge.root_at(size)?,
            _ => return Ok(()),
        };
        self.roots.insert(head.size, root);
        Ok(())
    }
}
