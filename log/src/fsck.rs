//! What is wrong with a log's folder: everything recomputed from the entries, on all cores. Reads only.

mod around;

use crate::commands::reseal::state_file;
use crate::index::{Index, journal_id};
use crate::pipeline;
use crate::store::Store;
use anyhow::Result;
use around::{check_heads, check_strays};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files;
use coldlog_kit::published::{Source, Tree};
use coldlog_kit::seal::{self, Identity};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::ed25519::{PublicKey, Verifier};
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::revoked_journal;
use coldlog_spec::merkle::{Frontier, leaf_hash};
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::Policy;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::admission::introduced;
use coldlog_spec::verify::append::{Admission, Progress, follows, verify_genesis, verify_records};
use coldlog_spec::verify::own::{self, Own};
use coldlog_spec::verify::revocation;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// After so many findings the rest is not worth a line.
pub const MOST_FINDINGS: usize = 1000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the entry.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub repair: &'static str,
    /// Nothing that anybody reads depends on it: what a crash may leave.
    pub harmless: bool,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, repair: &'static str) -> Finding {
        Finding { place: place.into(), what: what.into(), repair, harmless: false }
    }
}

/// What only a copy has.
pub const FROM_A_COPY: &str = "copy it from a mirror or a backup: nothing else has it";
/// What the entries give.
pub const DERIVABLE: &str = "`log fsck --repair` makes it anew from the entries";
const DERIVABLE_INDEX: &str = "`log fsck --repair` sets it aside and makes it anew, as does any command that finds it damaged";
const SEALED: &str = "if it was sealed to others only, name an identity of theirs as well; otherwise copy its bundle from a mirror or a backup";
/// What a full file has in a better state.
pub const SUPERSEDED: &str = "`log fsck --repair` sets it aside: its full one serves";
const INVESTIGATE: &str = "keep everything as it is, and compare with a mirror (`verifier cross-check`, `verifier completeness`)";

/// By what a check looks further than the log's own keys.
#[derive(Default)]
pub struct By {
    /// The policy whose witnesses have cosigned the heads.
    pub policy: Option<Policy>,
    /// Who opens the sealed records.
    pub identities: Vec<Identity>,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the log.
    pub findings: Vec<Finding>,
    /// Entries whose bytes were read.
    pub entries: u64,
    /// The tiles that the entries give, where the store has others or none.
    pub tiles: Vec<(Tile, Vec<Hash>)>,
    /// Sealed records that were opened, and are what their statements commit to.
    pub opened: u64,
    /// Heads that meet the policy's quorum, where one was given.
    pub quorums: u64,
    /// Partial files whose full one is there, and is another.
    pub superseded: Vec<String>,
    /// Whether the entries themselves are those that the head stands for.
    pub entries_are_sound: bool,
}

impl Report {
    fn add(&mut self, place: impl Into<String>, what: impl Into<String>, repair: &'static str) {
        self.push(Finding::new(place, what, repair));
    }

    fn push(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// A journal's genesis with the verifier of its key.
struct Known {
    admission: Admission,
    /// All keys that rotations in its name introduce.
    introduced: Vec<PublicKey>,
    verifier: Verifier,
}

/// One bundle, as far as it needs no order.
struct Bundle {
    first: u64,
    /// `None` where the entries cannot be read.
    leaves: Option<Vec<Hash>>,
    /// Each with the length of its sealed record, where that can be read.
    statements: Vec<Result<(Statement, Option<usize>), String>>,
    /// Sealed records that were opened.
    opened: u64,
    findings: Vec<Finding>,
}

/// Checks a log's folder under its head, which the caller has verified.
pub fn check(
    home: &Path,
    source: &dyn Store,
    head: &SignedCheckpoint,
    keys: &[VerifierKey],
    by: &By,
    done: impl Fn(u64),
) -> Outcome<Report> {
    let size = head.checkpoint.size;
    let mut report = Report::default();
    let known = known_journals(source, size);
    let origin = head.checkpoint.origin.as_str();
    let mut order = Order { origin, journals: HashMap::new(), own: Own::default(), lost: false };
    let mut named: BTreeMap<u64, (Hash, u64)> = BTreeMap::new();
    let mut rows = Rows::new(Tree::new(source, size));
    let mut index =
        IndexCheck::open(&home.join("index.sqlite"), &mut Tree::new(source, size), size);
    let (mut frontier, mut readable) = (Frontier::default(), true);
    let mut bundles = 0..size.div_ceil(WIDTH);
    pipeline::ordered(
        || Ok(bundles.next()),
        |bundle| read_bundle(source, size, bundle, &known, (origin, keys, &by.identities)),
        |bundle| {
            let width = tile::width_at(0, bundle.first / WIDTH, size);
            done(width);
            bundle.findings.into_iter().for_each(|finding| report.push(finding));
            report.opened += bundle.opened;
            for (at, statement) in bundle.statements.into_iter().enumerate() {
                let place = bundle.first + at as u64;
                let judged = statement.and_then(|(statement, sealed)| {
                    index.look(&statement, place);
                    order.follows(&statement, sealed, &known, |size, root| {
                        named.entry(size).or_insert((root, place));
                    })
                });
                if let Err(why) = judged {
                    order.lost = true;
                    report.add(format!("entry {place}"), why, INVESTIGATE);
                }
            }
            match bundle.leaves {
                Some(leaves) => {
                    report.entries += leaves.len() as u64;
                    leaves.into_iter().for_each(|leaf| {
                        frontier.push(leaf);
                        rows.push(leaf, &mut report);
                    });
                }
                // Without them no tile above can be made anew.
                None => {
                    order.lost = true;
                    readable = false;
                }
            }
            Ok(())
        },
    )?;
    let root = frontier.root();
    report.entries_are_sound = readable && root == head.checkpoint.root;
    if readable && root != head.checkpoint.root {
        let what =
            format!("the entries have the root {root}, the head says {}", head.checkpoint.root);
        report.add("checkpoint", what, INVESTIGATE);
    }
    if readable {
        rows.finish(&mut report);
    }
    check_heads(source, head, keys, by.policy.as_ref(), named, &mut report)?;
    check_strays(source, size, &mut report)?;
    if files::is_there(&state_file(home))? {
        let what = "some records are sealed to those who shall no longer read them: a reseal was interrupted";
        report.add("reseal/state", what, "run `log reseal` again, with the same auditors");
    }
    if let Some(why) = index.wrong {
        report.add("index.sqlite", why, DERIVABLE_INDEX);
    }
    Ok(report)
}

/// Journals whose keys get tables at the most: 1.2 MiB each.
const TABLES: usize = 64;

// Every journal whose genesis is in the log.
fn known_journals(source: &dyn Source, size: u64) -> HashMap<Hash, Known> {
    let mut known: HashMap<Hash, Known> = HashMap::new();
    let tree = Tree::new(source, size);
    for bundle in 0..size.div_ceil(WIDTH) {
        let Ok(bytes) = tree.bundle(bundle, entries_path) else { continue };
        let width = tile::width_at(0, bundle, size);
        for entry in tile::decode_bundle(&bytes, width).unwrap_or_default() {
            // Cheap: a genesis names its content type in its first bytes.
            if !entry.windows(9).take(96).any(|window| window == b"key-event") {
                continue;
            }
            if let Some(key) = introduced(entry)
                && let Ok(statement) = Statement::decode(entry)
                && let Some(known) = known.get_mut(&journal_id(statement.claims()))
            {
                known.introduced.push(key);
            }
            if let Ok(admission) = verify_genesis(entry) {
                let id = journal_id(admission.genesis.claims());
                let expected = if known.len() < TABLES { size as usize } else { 0 };
                known.entry(id).or_insert_with(|| {
                    let verifier = Verifier::new(&admission.key, expected);
                    Known { admission, introduced: Vec::new(), verifier }
                });
            }
        }
    }
    known
}

fn read_bundle(
    source: &dyn Source,
    size: u64,
    bundle: u64,
    known: &HashMap<Hash, Known>,
    (origin, keys, identities): (&str, &[VerifierKey], &[Identity]),
) -> Bundle {
    let tree = Tree::new(source, size);
    let width = tile::width_at(0, bundle, size);
    let first = bundle * WIDTH;
    let (statements, findings) = (Vec::new(), Vec::new());
    let mut found = Bundle { first, leaves: None, statements, opened: 0, findings };
    let mut read = |path: fn(u64, u64) -> String| match tree.bundle(bundle, path) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            let place = path(bundle, width);
            found.findings.push(Finding::new(place, format!("{why:#}"), FROM_A_COPY));
            None
        }
    };
    let (entries, sealed) = (read(entries_path), read(sealed_path));
    let Some(entries) = entries else { return found };
    // `Tree::bundle` has counted them.
    let entries = tile::decode_bundle(&entries, width).unwrap_or_default();
    found.leaves = Some(entries.iter().map(|entry| leaf_hash(entry)).collect());
    let sealed = sealed.unwrap_or_default();
    let sealed = tile::decode_bundle(&sealed, width).unwrap_or_default();
    for (at, entry) in entries.into_iter().enumerate() {
        let statement = match (Statement::decode(entry), sealed.get(at)) {
            (Err(why), _) => Err(why.to_string()),
            (Ok(statement), sealed) if own::is_own(&statement, origin) => {
                let keys = keys.iter().filter_map(VerifierKey::ed25519);
                let own = own::verify(entry, sealed.copied().unwrap_or_default(), origin, keys);
                own.map(|own| (own, None)).map_err(|why| why.to_string())
            }
            // Its bundle is missing: said once, above.
            (Ok(statement), None) => Ok((statement, None)),
            (Ok(statement), Some(sealed)) if revocation::is_prepared(&statement) => {
                prepared(&statement, sealed, known).map(|()| (statement, Some(sealed.len())))
            }
            (Ok(statement), Some(sealed)) => match known.get(&journal_id(statement.claims())) {
                // What a damaged genesis was is said there; the order tells whether one is.
                None => Ok((statement, Some(sealed.len()))),
                Some(Known { admission, introduced, verifier }) => {
                    let judged =
                        verify_records(&[(entry, *sealed)], admission, introduced, verifier);
                    match judged.into_iter().next() {
                        Some(Err(why)) => Err(why.to_string()),
                        _ => Ok((statement, Some(sealed.len()))),
                    }
                }
            },
        };
        if let (Ok((statement, Some(_))), Some(sealed)) = (&statement, sealed.get(at)) {
            match open(statement, sealed, identities) {
                Ok(opened) => found.opened += u64::from(opened),
                Err(why) => {
                    let place = format!("sealed record {}", first + at as u64);
                    found.findings.push(Finding::new(place, why, SEALED));
                }
            }
        }
        found.statements.push(statement);
    }
    found
}

fn prepared(
    statement: &Statement,
    sealed: &[u8],
    known: &HashMap<Hash, Known>,
) -> Result<(), String> {
    let journal = revoked_journal(statement.claims()).ok_or("its journal has no name")?;
    // What a damaged genesis was is said there; the order tells whether one is.
    let Some(Known { admission, introduced, .. }) = known.get(&journal_id(&journal)) else {
        return Ok(());
    };
    let keys = admission.keys().iter().chain(introduced);
    let verified = revocation::verify_prepared(statement, sealed, &journal, keys);
    verified.map(drop).map_err(|why| why.to_string())
}

// Whether a sealed record was opened: only where somebody is named who may.
fn open(statement: &Statement, sealed: &[u8], identities: &[Identity]) -> Result<bool, String> {
    if identities.is_empty() || statement.commitment().is_none() {
        return Ok(false);
    }
    let bytes = seal::open(sealed, identities).map_err(|why| format!("{why:#}"))?;
    statement.must_commit_to(&bytes).map_err(|why| why.to_string())?;
    Ok(true)
}

// The index, as far as it says it reaches: one that is behind is brought up by the next command.
struct IndexCheck {
    index: Option<Index>,
    size: u64,
    wrong: Option<String>,
}

impl IndexCheck {
    fn open(path: &Path, tree: &mut Tree, size: u64) -> IndexCheck {
        // One that an interrupted command left half written is undone by the next command.
        let half_written = path.with_extension("sqlite-journal").exists();
        let opened = match path.exists() && !half_written {
            true => Index::open_to_read(path)
                .and_then(|index| Ok((index.size()?, index.root()?, index))),
            false => return IndexCheck { index: None, size: 0, wrong: None },
        };
        let wrong = |wrong: String| IndexCheck { index: None, size: 0, wrong: Some(wrong) };
        match opened {
            Ok((reached, ..)) if reached > size => {
                wrong(format!("it knows {reached} entries, the head {size}"))
            }
            // Where the tree cannot say its root, that is said of a tile.
            Ok((reached, root, _))
                if reached > 0 && tree.root_at(reached).is_ok_and(|r| Some(r) != root) =>
            {
                wrong(format!("its {reached} entries are those of another history"))
            }
            Ok((reached, _, index)) => {
                IndexCheck { index: Some(index), size: reached, wrong: None }
            }
            Err(why) => wrong(format!("it is damaged: {why:#}")),
        }
    }

    fn look(&mut self, statement: &Statement, place: u64) {
        let Some(index) = self.index.as_ref().filter(|_| place < self.size) else { return };
        let found = index.find(statement.claims(), statement.position.sequence);
        let expected = Some((place, statement.leaf()));
        self.wrong = match found {
            Ok(found) if found == expected => return,
            Ok(_) => Some(format!("it does not know entry {place}, or knows it elsewhere")),
            Err(why) => Some(format!("it is damaged: {why:#}")),
        };
        self.index = None;
    }
}

// What needs the order of the entries.
struct Order<'a> {
    origin: &'a str,
    journals: HashMap<Hash, (Admission, Progress)>,
    own: Own,
    /// Something is damaged, and it may be the rules: nothing is held against older ones.
    lost: bool,
}

impl Order<'_> {
    fn follows(
        &mut self,
        statement: &Statement,
        sealed: Option<usize>,
        known: &HashMap<Hash, Known>,
        mut names: impl FnMut(u64, Hash),
    ) -> Result<(), String> {
        if own::is_own(statement, self.origin) {
            self.lost &= !matches!(statement.payload, Payload::Rules(_));
            return self.own.take(statement).map_err(|why| why.to_string());
        }
        if revocation::is_prepared(statement) {
            let journal = revoked_journal(statement.claims());
            let journal = journal.and_then(|journal| self.journals.get_mut(&journal_id(&journal)));
            let known = journal.is_some_and(|(had, _)| {
                let key = had.named_by(statement).cloned();
                key.as_ref().inspect(|key| had.take_revocation(key)).is_some()
            });
            return match known || self.lost {
                true => Ok(()),
                false => Err("it revokes a key that no journal before it had".into()),
            };
        }
        let id = journal_id(statement.claims());
        let Some(Known { admission, .. }) = known.get(&id) else {
            return match self.lost {
                true => Ok(()),
                false => Err("its journal has no genesis in this log".into()),
            };
        };
        let begin = || (admission.clone(), Progress::default());
        let (admission, progress) = self.journals.entry(id).or_insert_with(begin);
        let next = follows(statement, admission, progress, |head| {
            if head.origin == self.origin {
                names(head.size, head.root);
            }
            true
        });
        // After a gap or a break the journal goes on from here: one damage is one finding.
        let after = Progress {
            next: statement.position.sequence.saturating_add(1),
            head: Some(statement.leaf()),
        };
        *progress = after;
        next.map_err(|why| why.to_string())?;
        let admitted = match self.lost {
            true => Ok(()),
            false => self
                .own
                .admitted(admission, statement, sealed.unwrap_or_default())
                .map_err(|why| format!("the log's own rules did not let it in: {why}")),
        };
        admission.take(statement).map_err(|why| why.to_string())?;
        admitted
    }
}

// The tiles that the entries give, each compared with the stored one as soon as it is complete.
struct Rows<'a> {
    tree: Tree<'a>,
    rows: Vec<Vec<Hash>>,
    done: Vec<u64>,
}

impl<'a> Rows<'a> {
    fn new(tree: Tree<'a>) -> Rows<'a> {
        let levels = usize::from(tile::HEIGHT);
        Rows { tree, rows: vec![Vec::new(); levels], done: vec![0; levels] }
    }

    fn push(&mut self, leaf: Hash, report: &mut Report) {
        let mut hash = leaf;
        for level in 0..self.rows.len() {
            self.rows[level].push(hash);
            if (self.rows[level].len() as u64) < WIDTH {
                return;
            }
            let full = std::mem::take(&mut self.rows[level]);
            let root = tile::fold(&full);
            self.compare(level, full, report);
            self.done[level] += 1;
            let Some(root) = root else { return };
            hash = root;
        }
    }

    fn finish(mut self, report: &mut Report) {
        for level in 0..self.rows.len() {
            let row = std::mem::take(&mut self.rows[level]);
            if !row.is_empty() {
                self.compare(level, row, report);
            }
        }
    }

    fn compare(&mut self, level: usize, hashes: Vec<Hash>, report: &mut Report) {
        let tile = Tile { level: level as u8, index: self.done[level], width: hashes.len() as u64 };
        let what = match self.tree.tile(tile) {
            Ok(found) if found == hashes => return,
            Ok(_) => "it holds other hashes than its entries give".into(),
            Err(why) => format!("{why:#}"),
        };
        report.add(tile.path(), what, DERIVABLE);
        if report.tiles.len() < MOST_FINDINGS {
            report.tiles.push((tile, hashes));
        }
    }
}
