//! `log receipts` and `log prove`.

use crate::commands::manage;
use crate::place::Place;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::published::Tree;
use coldlog_kit::secret::Source;
use coldlog_kit::sequence::{Reader, Writer};
use coldlog_kit::terminal::say;
use coldlog_spec::batch;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::receipt::{Consistency, Inclusion, ReceiptSigner};
use coldlog_spec::receipts::{Header, Item};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use std::path::{Path, PathBuf};

/// What `log receipts` is asked.
pub struct Options {
    /// The batch whose receipts are wanted.
    pub batch: PathBuf,
    /// Where they go.
    pub output: PathBuf,
    /// The head must meet this policy's quorum.
    pub policy: Option<PathBuf>,
    /// The size from which consistency is proven, if not the batch's.
    pub old: Option<u64>,
    /// Replace the file.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// `log receipts`
pub fn run(home: &Path, options: &Options) -> Outcome {
    let place = Place::open(home)?;
    if let Some(policy) = &options.policy {
        let policy = Policy::parse(&files::read(policy, MAX_POLICY as u64)?)?;
        policy
            .verify_head(&place.head)
            .context("the newest head is not ready for receipts: run `log witness-request`, and `log add-cosignatures` with the answers")
            .or_no()?;
    }
    let keys = manage::keys(&place, &options.secret)?;
    let existing = Existing::from_force(options.force);
    write(&place, &keys, &options.batch, &options.output, options.old, existing)
}

/// Writes the receipts of a batch under the newest head.
pub(crate) fn write(
    place: &Place,
    keys: &Keys,
    batch_file: &Path,
    output: &Path,
    old: Option<u64>,
    existing: Existing,
) -> Outcome {
    let mut reader = Reader::open(batch_file, "coldlog-batch", batch::MAX_ITEM)?;
    let header = reader.next()?.context("the batch is empty")?;
    let header = batch::Header::decode(&header)?;
    let head = &place.head.checkpoint;
    let old_size = old.unwrap_or(header.remembered);
    if old_size > head.size {
        return no(format!(
            "the signer remembers a head of size {old_size}, this log has {} entries: it is not that log, or it was restored from an old copy",
            head.size
        ));
    }
    let mut tree = Tree::new(&place.store, head.size);
    let receipts_header = Header {
        claims: header.claims.clone(),
        checkpoint: place.head.encode(),
        old_size,
        consistency: tree.consistency(old_size)?,
    };
    let signer =
        ReceiptSigner::new(&keys.ed25519(), &head.origin, &header.claims.subject, head.root);
    let mut writer = Writer::create(output, existing)?;
    writer.item(&receipts_header.encode())?;
    let mut count = 0;
    let mut end = None;
    while let Some(item) = reader.next()? {
        let statement = match batch::Item::decode(&item)? {
            batch::Item::Record { statement, .. } => statement,
            batch::Item::Trailer { tail, .. } => {
                end = Some(tail);
                break;
            }
        };
        let statement = Statement::decode(&statement)?;
        let sequence = statement.position.sequence;
        let Some(index) = place.index.place(&header.claims, sequence)? else {
            return no(format!("record {sequence} is not in the log; append the batch first"));
        };
        if tree.entry(index, entries_path)? != statement.bytes() {
            return no(format!("record {sequence} of the batch is not the one in the log"));
        }
        let path = tree.inclusion(index)?;
        let receipt = signer.inclusion(Inclusion { size: head.size, index, path });
        writer.item(&Item::Receipt(sequence, Box::new(receipt)).encode())?;
        count += 1;
    }
    if count == 0 {
        return no("the batch holds 0 records: there is nothing to answer");
    }
    let Some(tail) = end else {
        return no("the batch has no trailer: it was cut short, copy it again");
    };
    let digest = writer.digest();
    writer.item(&Item::Trailer { count, digest, tail: Box::new(tail) }.encode())?;
    writer.finish()?;
    say(format!("{count} receipts under the head of size {} in {}", head.size, output.display()));
    Ok(())
}

/// What `log prove` is asked.
pub struct Prove {
    /// An entry's index, for inclusion.
    pub index: Option<u64>,
    /// An older size, for consistency.
    pub consistency: Option<u64>,
    /// The receipt file.
    pub output: PathBuf,
    /// Replace it.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// `log prove`
pub fn prove(home: &Path, options: &Prove) -> Outcome {
    let place = Place::open(home)?;
    let keys = manage::keys(&place, &options.secret)?;
    let head = &place.head.checkpoint;
    let mut tree = Tree::new(&place.store, head.size);
    let key = keys.ed25519();
    let receipt = match (options.index, options.consistency) {
        (Some(index), None) => {
            let path = tree.inclusion(index)?;
            let statement = Statement::decode(&tree.entry(index, entries_path)?)?;
            let subject = &statement.claims().subject;
            let signer = ReceiptSigner::new(&key, &head.origin, subject, head.root);
            signer.inclusion(Inclusion { size: head.size, index, path })
        }
        (None, Some(old)) => {
            let path = tree.consistency(old)?;
            let signer = ReceiptSigner::new(&key, &head.origin, "consistency", head.root);
            signer.consistency(Consistency { old, new: head.size, path })
        }
        _ => return coldlog_kit::exit::trouble("say either --index N or --consistency OLD-SIZE"),
    };
    let receipt = receipt.with_checkpoint(&place.head.encode()).encode();
    files::write(&options.output, &receipt, Existing::from_force(options.force), Mode::Public)?;
    say(format!("proof under the head of size {} in {}", head.size, options.output.display()));
    Ok(())
}
