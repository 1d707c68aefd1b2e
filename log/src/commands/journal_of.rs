//! `log journal-of`: what this log has of one journal, for a signer whose machine died. No key is needed:
//! the cosigned head and the paths to it prove each statement.

use crate::place::Place;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{Bundles, Inclusions, Source, Tree};
use coldlog_kit::sequence::Writer;
use coldlog_kit::terminal::say;
use coldlog_spec::cose::Claims;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::statement::{KnownHead, Statement};
use coldlog_spec::statements::{Header, Item, Logged, encode_header};
use coldlog_spec::tile::{entries_path, head_path, sealed_path};
use std::path::{Path, PathBuf};

/// Records whose places are looked up at a time.
const CHUNK: u64 = 256;

/// What the command line says.
pub struct Options {
    /// The signer's name.
    pub issuer: String,
    /// The journal's.
    pub journal: String,
    /// The file.
    pub output: PathBuf,
    /// The first number.
    pub from: u64,
    /// The size of the head that the signer remembers.
    pub old: u64,
    /// The head must meet this policy's quorum.
    pub policy: Option<PathBuf>,
    /// Replace the file.
    pub force: bool,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let place = Place::open(home)?;
    if let Some(policy) = &options.policy {
        let policy = Policy::parse(&files::read(policy, MAX_POLICY as u64)?)?;
        policy
            .verify_head(&place.head)
            .context("the newest head is not cosigned: run `log witness-request`, and `log add-cosignatures` with the answers")
            .or_no()?;
    }
    let claims = Claims { issuer: options.issuer.clone(), subject: options.journal.clone() };
    let has = place.index.progress(&claims)?.next;
    let Options { from, old, .. } = *options;
    if has <= from {
        return no(format!(
            "this log has {has} records of {} / {}, there is none from number {from}",
            claims.issuer, claims.subject
        ));
    }
    let size = place.head.checkpoint.size;
    if old > size {
        return no(format!(
            "the signer remembers a head of size {old}, this log has {size} entries: it is not that log, or it was restored from an old copy"
        ));
    }
    let mut tree = Tree::new(place.store.as_ref(), size);
    let consistency = tree.consistency(old)?;
    let checkpoint = place.head.encode();
    let header = Header { claims: claims.clone(), checkpoint, old_size: old, consistency };
    let mut writer = Writer::create(&options.output, Existing::from_force(options.force))?;
    writer.item(&encode_header(&header))?;
    let mut inclusions = Inclusions::new(tree);
    let mut entries = Bundles::new(place.store.as_ref(), size, entries_path);
    let mut sealed = Bundles::new(place.store.as_ref(), size, sealed_path);
    let progress = Progress::new("writing statements", Some(has - from));
    let mut next = from;
    let mut named = None;
    while next < has {
        let places = place.index.places(&claims, next, CHUNK)?;
        if places.is_empty() {
            return no(format!("record {next} is not where the index says: run `log reindex`"));
        }
        for index in places {
            let statement = entries.get(index)?.to_vec();
            let head = Statement::decode(&statement)?.position.head;
            if head != named {
                named = head;
                if let Some(note) = note_of(place.store.as_ref(), named.as_ref())? {
                    writer.item(&Item::Head(note).encode())?;
                }
            }
            let sealed = sealed.get(index)?.to_vec();
            let path = inclusions.path(index)?;
            writer.item(&Item::Logged(Logged { index, path, statement, sealed }).encode())?;
            next += 1;
            progress.add(1);
        }
    }
    drop(progress);
    let (count, digest) = (next - from, writer.digest());
    writer.item(&Item::Trailer { count, digest }.encode())?;
    writer.finish()?;
    say(format!(
        "{count} records of {} / {}, {from} to {}, under the head of size {size} in {}",
        claims.issuer,
        claims.subject,
        next - 1,
        options.output.display()
    ));
    Ok(())
}

// The note of a head that a record names, if it is published as the signer saw it.
fn note_of(source: &dyn Source, head: Option<&KnownHead>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(head) = head else { return Ok(None) };
    let note = source.get(&head_path(head.size), MAX_NOTE)?;
    Ok(note.filter(|note| Hash::of(note) == head.note))
}
