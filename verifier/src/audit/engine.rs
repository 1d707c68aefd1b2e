//! The audit itself: bundles in order, each entry judged, the tree rebuilt beside it.

use super::findings::Findings;
use super::ordered::in_order;
use super::read::{Bundle, Keys, Read, Reader, compare_tile};
use crate::commands::claims;
use crate::records::Row;
use anyhow::{Result, bail};
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::published::{Source, Tree};
use coldlog_kit::seal::Identity;
use coldlog_spec::audit::Counts;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{Frontier, leaf_hash, verify_subtree_consistency};
use coldlog_spec::policy::Policy;
use coldlog_spec::record::Operation;
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, fold};
use coldlog_spec::verify::audit::{Bounds, Entry, Finding, Journals, Kind, Known, Opened, Rows};
use std::collections::HashMap;
use std::path::Path;

/// What is audited.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The published log.
    pub source: &'a dyn Source,
    /// The policy.
    pub policy: &'a Policy,
    /// What opens records; none, and they stay closed.
    pub identities: &'a [Identity],
    /// The newest head.
    pub head: &'a Checkpoint,
    /// Where evidence goes.
    pub evidence: &'a Path,
}

/// What looks on.
pub(crate) type Observer<'a> = dyn FnMut(&Row, &[Finding]) -> Result<()> + 'a;

/// An audit under way.
pub struct Engine<'a> {
    pub(super) scope: Scope<'a>,
    keys: Keys,
    /// The statements in the clear whose keys the readers know.
    events_known: usize,
    /// The journals.
    pub journals: Journals,
    /// The tree above the bundles.
    pub rows: Rows,
    /// The leaves behind the last full bundle.
    tail: Vec<Hash>,
    /// What was found.
    pub findings: Findings,
    /// What there was.
    pub counts: Counts,
    /// Bundles in a row that could not be read.
    missing: usize,
    tree: Tree<'a>,
    roots: HashMap<u64, Hash>,
    claims: claims::Bounds<'a>,
    /// Sizes of heads with the time by which a quorum had cosigned each.
    times: Vec<(u64, u64)>,
    /// Whether witnesses are asked for the times of entries that stay closed, too.
    pub(crate) bounds_of_all: bool,
    /// Whether anybody looks on: a row for each entry is not made for nobody.
    pub(crate) looked_at: bool,
}

/// Roots that are remembered before all are forgotten.
const ROOTS: usize = 4096;
/// Bundles in a row that may be missing: beyond, a head that promises the moon would be followed for ever.
const MISSING: usize = 256;
/// Forks for which the log is searched for the first statement.
const FORKS: usize = 8;

impl<'a> Engine<'a> {
    /// Nothing was looked at yet. `times`: sizes of heads, and the times by which a quorum had cosigned them.
    pub fn new(scope: Scope<'a>, mut times: Vec<(u64, u64)>) -> Engine<'a> {
        let Scope { source, policy, head, .. } = scope;
        let keys = policy.receipt_keys(&head.origin).cloned().collect();
        times.sort_unstable();
        Engine {
            scope,
            keys: Keys::new(),
            events_known: 0,
            journals: Journals::new(&head.origin, keys),
            rows: Rows::new(),
            tail: Vec::new(),
            findings: Findings::default(),
            counts: Counts::default(),
            missing: 0,
            tree: Tree::new(source, head.size),
            roots: HashMap::new(),
            claims: claims::Bounds::new(source, policy, None),
            times,
            bounds_of_all: false,
            looked_at: true,
        }
    }

    /// Begins with an entry in the middle of the log, at a border of tiles of a level.
    pub fn begin_part(&mut self, level: u8, from: u64) -> Result<()> {
        if from > 0 {
            self.skim(from)?;
        }
        if from >= WIDTH {
            self.rows = Rows::part(from / WIDTH, level);
        }
        Ok(())
    }

    /// Takes only the statements in the clear that come before an entry, on trust that these are all; whoever
    /// joins the parts of an audit checks it.
    fn skim(&mut self, to: u64) -> Result<()> {
        let scope = self.scope;
        let keys = Keys::new();
        let identities: &[Identity] = &[];
        let reader =
            Reader { source: scope.source, size: scope.head.size, identities, keys: &keys };
        let bar = Bar::new("reading what is in the clear", Some(to));
        in_order(
            0..to.div_ceil(WIDTH),
            |number| reader.clear(number),
            |number, entries| {
                for (at, entry, sealed) in entries {
                    let index = number * WIDTH + at;
                    if index < to {
                        let disclosure = sealed.and_then(|sealed| {
                            coldlog_kit::seal::open(&sealed, scope.identities).ok()
                        });
                        let clear = coldlog_spec::verify::audit::Clear { index, entry, disclosure };
                        // What changes nothing is a finding of the part that it is in.
                        drop(self.journals.replay(clear));
                    }
                }
                bar.add(WIDTH);
                anyhow::Ok(())
            },
        )?;
        self.journals.begin_part();
        Ok(())
    }

    /// Audits the entries `[from, to)`. `keep` is called between bundles, with the number of entries behind the
    /// last one.
    pub fn run(
        &mut self,
        (from, to): (u64, u64),
        observer: &mut Observer,
        mut keep: impl FnMut(&Engine, u64) -> Result<()>,
    ) -> Result<()> {
        let scope = self.scope;
        let keys = std::mem::replace(&mut self.keys, Keys::new());
        let Scope { source, identities, .. } = scope;
        let reader = Reader { source, size: scope.head.size, identities, keys: &keys };
        self.learn(&keys);
        let bar = Bar::new("auditing", Some(to - from));
        let done = in_order(
            from / WIDTH..to.div_ceil(WIDTH),
            |number| reader.bundle(number),
            |number, bundle| {
                let first = number * WIDTH;
                self.bundle(&keys, (number, from, to), bundle, observer)?;
                bar.add((first + WIDTH).min(to) - first.max(from));
                keep(self, (first + WIDTH).min(to))
            },
        );
        self.keys = keys;
        done
    }

    fn learn(&mut self, keys: &Keys) {
        // Keys come with statements in the clear.
        let events = self.journals.clear().len();
        if events != self.events_known {
            keys.learn(self.journals.keys());
            self.events_known = events;
        }
    }

    fn bundle(
        &mut self,
        keys: &Keys,
        (number, from, to): (u64, u64, u64),
        bundle: Bundle,
        observer: &mut Observer,
    ) -> Result<()> {
        let Bundle { entries, sealed, leaves, findings } = bundle;
        // A bundle whose first part was looked at before is read once more; what is wrong with it is new.
        self.findings.extend(findings);
        match entries {
            Some(entries) => {
                self.missing = 0;
                for (at, read) in entries.into_iter().enumerate() {
                    let index = number * WIDTH + at as u64;
                    if (from..to).contains(&index) {
                        let sealed = sealed.as_ref().and_then(|sealed| sealed.get(at));
                        self.entry(index, read, sealed, observer)?;
                        self.learn(keys);
                    }
                }
            }
            None => {
                self.journals.skip();
                self.missing += 1;
                if self.missing > MISSING {
                    bail!(
                        "{MISSING} bundles in a row could not be read, up to {number}: this is no copy of the log; fetch a whole one"
                    );
                }
            }
        }
        if leaves.len() as u64 == WIDTH {
            let full = fold(&leaves).map(|root| self.rows.push(root)).unwrap_or_default();
            self.compare(&full)?;
        } else {
            self.tail = leaves;
        }
        Ok(())
    }

    fn compare(&mut self, tiles: &[(Tile, Vec<Hash>)]) -> Result<()> {
        for (tile, hashes) in tiles {
            let (_, finding) = compare_tile(self.scope.source, *tile, Some(hashes))?;
            self.findings.extend(finding);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        index: u64,
        read: Read,
        sealed: Option<&[u8]>,
        observer: &mut Observer,
    ) -> Result<()> {
        self.counts.entries += 1;
        let statement = match read.statement {
            Ok(statement) => statement,
            Err(why) => {
                self.findings.add(Finding::new(Kind::StatementMalformed, why).at(index));
                return Ok(());
            }
        };
        let bounds = self.bounds(index, &statement, &read.opened)?;
        let known = self.known(index, &statement)?;
        if let Some(record) = read.opened.record() {
            self.counts.opened += 1;
            self.counts.documents += u64::from(matches!(record.operation, Operation::Sign { .. }));
        }
        let entry = Entry {
            index,
            statement: &statement,
            sealed,
            signed: read.signed,
            known,
            opened: read.opened,
            bounds,
        };
        let (_, findings) = self.journals.take(&entry);
        if self.looked_at {
            let record = match entry.opened {
                Opened::Record(record, _) => Some(*record),
                _ => None,
            };
            let row = Row::new(index, &statement, record, (bounds.not_before, bounds.not_after));
            observer(&row, &findings)?;
        }
        self.findings.extend(findings);
        Ok(())
    }

    // Witnesses are asked for where there is a claim to hold against them.
    fn bounds(&mut self, index: u64, statement: &Statement, opened: &Opened) -> Result<Bounds> {
        if opened.record().is_none() && !self.bounds_of_all {
            return Ok(Bounds::default());
        }
        let covers = self.times.partition_point(|(size, _)| *size <= index);
        let not_after = self.times.get(covers).map(|(_, time)| *time);
        Ok(Bounds { not_before: self.claims.not_before(statement)?, not_after })
    }

    fn known(&mut self, index: u64, statement: &Statement) -> Result<Known> {
        let Some(head) = &statement.position.head else { return Ok(Known::Elsewhere) };
        if head.origin != self.scope.head.origin {
            // A signer of several logs may name a head of another one: it is no bound here.
            return Ok(Known::Elsewhere);
        }
        if head.size > index {
            return Ok(Known::Beyond);
        }
        self.root_at(head.size, head.root).map(Known::Root)
    }

    /// The root at a size. Where the tiles do not give the one that is said, the entries decide.
    pub(super) fn root_at(&mut self, size: u64, said: Hash) -> Result<Hash> {
        if let Some(root) = self.roots.get(&size) {
            return Ok(*root);
        }
        let root = match self.tree.root_at(size) {
            Ok(root) if root == said => root,
            _ => self.root_of_entries(size)?,
        };
        if self.roots.len() >= ROOTS {
            self.roots.clear();
        }
        self.roots.insert(size, root);
        Ok(root)
    }

    fn root_of_entries(&self, size: u64) -> Result<Hash> {
        let tree = Tree::new(self.scope.source, self.scope.head.size);
        let mut frontier = Frontier::default();
        for bundle in 0..size.div_ceil(WIDTH) {
            let width = tile::width_at(0, bundle, self.scope.head.size);
            let bytes = tree.bundle(bundle, entries_path)?;
            let left = (size - bundle * WIDTH).min(width);
            for entry in tile::decode_bundle(&bytes, width)?.iter().take(left as usize) {
                frontier.push(leaf_hash(entry));
            }
        }
        Ok(frontier.root())
    }

    /// Looks for the first statements with the numbers that were used twice, and keeps what convicts. Done at the end,
    /// of the first few: the log is searched for each.
    pub(super) fn convict(&mut self) -> Result<()> {
        let repeated = self.findings.list().filter(|one| one.kind == Kind::NumberRepeated);
        let places: Vec<u64> = repeated.filter_map(|one| one.index).take(FORKS).collect();
        for index in places {
            let second = self.statement(index)?;
            if let Some(evidence) = self.fork(index, &second)? {
                self.findings.convict(index, evidence);
            }
        }
        Ok(())
    }

    fn fork(&self, index: u64, second: &Statement) -> Result<Option<Hash>> {
        let tree = Tree::new(self.scope.source, self.scope.head.size);
        for bundle in 0..=index / WIDTH {
            let width = tile::width_at(0, bundle, self.scope.head.size);
            let Ok(bytes) = tree.bundle(bundle, entries_path) else { continue };
            for entry in tile::decode_bundle(&bytes, width)? {
                let Ok(first) = Statement::decode(entry) else { continue };
                if let Some(evidence) = self.journals.fork(&first, second) {
                    return super::heads::keep(self.scope.evidence, &evidence).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The statement of an entry.
    pub(super) fn statement(&self, index: u64) -> Result<Statement> {
        let tree = Tree::new(self.scope.source, self.scope.head.size);
        Ok(Statement::decode(&tree.entry(index, entries_path)?)?)
    }

    /// After the last entry of the log: the tiles that are not full, and the root.
    pub fn finish(&mut self) -> Result<()> {
        let partial: Vec<(Tile, Vec<Hash>)> =
            self.rows.partial().into_iter().map(|(tile, row)| (tile, row.to_vec())).collect();
        self.compare(&partial)?;
        let (root, expected) = (self.rows.root(&self.tail), self.scope.head.root);
        if root != expected {
            let finding =
                Finding::new(Kind::RootDiffers, format!("the entries have the root {root}"));
            self.findings.add(finding.expected(format!("{expected}, as the head says")));
        }
        Ok(())
    }

    /// After the last entry of a part: each complete subtree of it must be under the head, and each leaf behind them.
    pub fn finish_part(&mut self) -> Result<()> {
        let bundles = self.rows.bundle() * WIDTH;
        let tail = (bundles..).zip(&self.tail).map(|(at, leaf)| (at, at + 1, *leaf));
        let parts: Vec<(u64, u64, Hash)> = self.rows.subtrees().into_iter().chain(tail).collect();
        for (start, end, hash) in parts {
            self.must_be_under_the_head((start, end), hash)?;
        }
        Ok(())
    }

    fn must_be_under_the_head(&mut self, (start, end): (u64, u64), hash: Hash) -> Result<()> {
        let (size, root) = (self.scope.head.size, self.scope.head.root);
        let path = self.tree.subtree_consistency(start, end)?;
        if let Err(why) = verify_subtree_consistency(start, end, size, &path, hash, root) {
            let text = format!("entries {start} to {end} are not under the head: {why}");
            self.findings.add(Finding::new(Kind::RootDiffers, text));
        }
        Ok(())
    }

    /// What a step finds, apart from what was found before.
    pub(super) fn apart(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<Findings> {
        let before = std::mem::take(&mut self.findings);
        let done = step(self);
        let found = std::mem::replace(&mut self.findings, before);
        done.map(|()| found)
    }

    /// Takes the tree of a part that follows.
    pub(super) fn join_rows(&mut self, part: &Rows) -> Result<()> {
        let full = self.rows.join(part);
        self.compare(&full)
    }

    /// Reads the leaves behind the last full bundle, which parts do not carry. What is wrong with that bundle the
    /// last part has told.
    pub(super) fn read_tail(&mut self) -> Result<()> {
        let Scope { source, head, .. } = self.scope;
        let keys = Keys::new();
        if head.size % WIDTH > 0 {
            let reader = Reader { source, size: head.size, identities: &[], keys: &keys };
            self.tail = reader.bundle(head.size / WIDTH)?.leaves;
        }
        Ok(())
    }
}
