//! `log fsck`: everything recomputed from the entries.

use crate::place::public;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::published::{self, Folder, Source, Tree};
use coldlog_kit::terminal::{say, say_json};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::append::{Admission, Progress, follows, verify_genesis, verify_record};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// After so many findings the rest is not worth a line.
const MOST_FINDINGS: usize = 1000;

/// Runs the command; reads only.
pub fn run(home: &Path, as_json: bool) -> Outcome {
    let source = Folder(public(home));
    let head = published::head(&source)?;
    let keys = crate::commands::manage::verifiers(home)?;
    let keys: Vec<&VerifierKey> = keys.iter().collect();
    if head.verified_by(&keys).or_no()?.is_empty() {
        return no(
            "the checkpoint is not signed by the log's own keys (log.policy): it was replaced",
        );
    }
    let size = head.checkpoint.size;
    let tree = Tree::new(&source, size);
    let mut findings: Vec<String> = Vec::new();
    let mut rebuild = Rebuild::new(Tree::new(&source, size));
    let mut journals: HashMap<Hash, (Admission, Progress)> = HashMap::new();
    let mut roots: BTreeSet<(u64, Hash)> = BTreeSet::new();
    let mut hashes = 0u64;
    let progress = Bar::new("recomputing", Some(size));
    for bundle in 0..size.div_ceil(WIDTH) {
        let width = tile::width_at(0, bundle, size);
        progress.add(width);
        let both = tree
            .bundle(bundle, entries_path)
            .and_then(|entries| tree.bundle(bundle, sealed_path).map(|sealed| (entries, sealed)));
        let (entries, sealed) = match both {
            Ok(both) => both,
            Err(why) => {
                findings.push(format!("{why:#}"));
                (0..width).for_each(|_| rebuild.push(Hash([0; 32])));
                continue;
            }
        };
        let (entries, sealed) =
            (tile::decode_bundle(&entries, width)?, tile::decode_bundle(&sealed, width)?);
        for (at, (entry, sealed)) in entries.iter().zip(sealed).enumerate() {
            let place = bundle * WIDTH + at as u64;
            if findings.len() >= MOST_FINDINGS {
                break;
            }
            let origin = &head.checkpoint.origin;
            if let Err(why) = check_entry(entry, sealed, origin, &mut journals, &mut roots) {
                findings.push(format!("entry {place}: {why:#}"));
            }
            rebuild.push(coldlog_spec::merkle::leaf_hash(entry));
            hashes += 1;
        }
    }
    drop(progress);
    findings.extend(rebuild.finish());
    for (known, root) in roots {
        // What a signer knew was published, and stays.
        let path = tile::head_path(known);
        match source.get(&path, MAX_NOTE)? {
            Some(bytes)
                if SignedCheckpoint::decode(&bytes)
                    .is_ok_and(|h| (h.checkpoint.size, h.checkpoint.root) == (known, root)) => {}
            Some(_) => findings.push(format!("{path} is not the head of size {known}")),
            None => findings.push(format!("{path} is missing: the published head of size {known}")),
        }
        match Tree::new(&source, size).root_at(known) {
            Ok(found) if found == root => {}
            Ok(found) => findings.push(format!(
                "a record names the root {root} for size {known}, the tree has {found}"
            )),
            Err(why) => findings.push(format!("{why:#}")),
        }
    }
    match Tree::new(&source, size).root() {
        Ok(root) if root == head.checkpoint.root => {}
        Ok(root) => findings.push(format!(
            "the tiles have the root {root}, the head says {}",
            head.checkpoint.root
        )),
        Err(why) => findings.push(format!("{why:#}")),
    }
    if as_json {
        let result = if findings.is_empty() && size > 0 { "yes" } else { "no" };
        say_json(
            &json!({"version": 1, "result": result, "size": size, "entries": hashes, "findings": findings}),
        );
    } else {
        for finding in &findings {
            say(finding);
        }
    }
    if findings.is_empty() && size == 0 {
        return no("the log has 0 entries: nothing was checked but its signed head");
    }
    if !findings.is_empty() {
        return no(format!("{} findings in a log of {size} entries", findings.len()));
    }
    if !as_json {
        say(format!("{size} entries, their sealed records, tiles and the root are in order"));
    }
    Ok(())
}

fn check_entry(
    entry: &[u8],
    sealed: &[u8],
    origin: &str,
    journals: &mut HashMap<Hash, (Admission, Progress)>,
    roots: &mut BTreeSet<(u64, Hash)>,
) -> anyhow::Result<()> {
    let statement = Statement::decode(entry)?;
    let id = crate::index::journal_id(statement.claims());
    if let Payload::KeyEvent(_) = &statement.payload
        && !journals.contains_key(&id)
    {
        journals.insert(id, (verify_genesis(entry)?, Progress::default()));
    }
    let (admission, progress) =
        journals.get_mut(&id).context("its journal has no genesis before it")?;
    let statement = verify_record(entry, sealed, admission)?;
    *progress = follows(&statement, admission, progress, |known| {
        roots.insert((known.size, known.root));
        known.origin == origin
    })?;
    Ok(())
}

// The tiles that the entries give, each compared with the stored one as soon as it is complete.
struct Rebuild<'a> {
    tree: Tree<'a>,
    rows: Vec<Vec<Hash>>,
    done: Vec<u64>,
    findings: Vec<String>,
}

impl<'a> Rebuild<'a> {
    fn new(tree: Tree<'a>) -> Rebuild<'a> {
        let levels = usize::from(tile::HEIGHT);
        Rebuild {
            tree,
            rows: vec![Vec::new(); levels],
            done: vec![0; levels],
            findings: Vec::new(),
        }
    }

    fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0..self.rows.len() {
            self.rows[level].push(hash);
            if (self.rows[level].len() as u64) < WIDTH {
                return;
            }
            let full = std::mem::take(&mut self.rows[level]);
            self.compare(level, &full);
            self.done[level] += 1;
            let Some(root) = tile::fold(&full) else { return };
            hash = root;
        }
    }

    fn finish(mut self) -> Vec<String> {
        for level in 0..self.rows.len() {
            let row = std::mem::take(&mut self.rows[level]);
            if !row.is_empty() {
                self.compare(level, &row);
            }
        }
        self.findings
    }

    fn compare(&mut self, level: usize, hashes: &[Hash]) {
        let tile = Tile { level: level as u8, index: self.done[level], width: hashes.len() as u64 };
        match self.tree.tile(tile) {
            Ok(found) if found == hashes => {}
            Ok(_) => self
                .findings
                .push(format!("{} holds other hashes than its entries give", tile.path())),
            Err(why) => self.findings.push(format!("{why:#}")),
        }
    }
}
