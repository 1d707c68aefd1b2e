//! `signer import`: receipts verified against the policy and the journal, then proofs.

use crate::journal::{self, Journal, Logged, ReceiptStore, Row};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::files::with_suffix;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::optical::{Inlet, Kind};
use coldlog_kit::progress::Progress;
use coldlog_kit::sequence::Reader;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::receipt::Receipt;
use coldlog_spec::receipts::{Header, Item, MAX_ITEM};
use coldlog_spec::record::Operation;
use coldlog_spec::verify::receipts::{Refusal, verify_head, verify_receipt, verify_tail};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The receipts file.
    pub receipts: Option<PathBuf>,
    /// The QR codes that show it.
    pub qr: Option<PathBuf>,
    /// The policy.
    pub policy: PathBuf,
    /// Where proofs go.
    pub output_dir: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Replace proofs.
    pub force: bool,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let policy = coldlog_kit::policy::read("signer", &options.policy)?;
    let Options { receipts, qr, force, .. } = options;
    let inlet = Inlet::open(receipts.as_deref(), qr.as_deref(), Kind::Receipts, *force)?;
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    let mut reader = Reader::open(inlet.path(), "coldlog-receipts", MAX_ITEM)?;
    let header = reader.next()?.context("the receipts file is empty")?;
    let header = Header::decode(&header)?;
    if header.claims != *journal.claims() {
        let (found, expected) = (&header.claims, journal.claims());
        return no(format!(
            "the receipts are for {} / {}, this journal is {} / {}",
            found.issuer, found.subject, expected.issuer, expected.subject
        ));
    }
    let head = SignedCheckpoint::decode(&header.checkpoint)?;
    let memory = journal.newest_head_of(&head.checkpoint.origin)?.map(|(head, _)| head);
    let cosigned = verify_head(&header, &policy, memory.as_ref())
        .map_err(|refusal| keep_evidence(refusal, &options.evidence))?;
    coldlog_kit::policy::warn_of_head("signer", &cosigned);
    // All is verified before the first receipt is committed; the transaction keeps it whole.
    let import =
        Import { journal: &journal, policy: &policy, head: cosigned.checkpoint(), options };
    let original = journal.is_original(home)?;
    if original {
        journal.begin(home)?;
    }
    let mut range = None;
    let stored = journal.store_receipts(&head, |store| {
        range = Some(import.verify(&mut reader, store)?);
        cosigned.not_before().map(|time| journal.note_witnessed(time)).transpose()?;
        Ok::<(), Failure>(())
    });
    let left = if original { journal.leave(home) } else { Ok(()) };
    stored.and(left.map_err(Failure::from))?;
    let proofs = import.write_proofs(range.context("a range was imported")?, &head)?;
    let checkpoint = cosigned.checkpoint();
    let vouch: Vec<&str> = cosigned.witnesses().iter().map(|w| w.name.as_str()).collect();
    let Proofs { written, kept, nameless, headless } = proofs;
    let kept = if kept > 0 { format!(", {kept} there already and kept") } else { String::new() };
    say(format!(
        "{written} proofs written{kept}, under the head of {} with {} entries, cosigned by {}",
        checkpoint.origin,
        checkpoint.size,
        if vouch.is_empty() { "nobody (the policy demands none)".into() } else { vouch.join(", ") }
    ));
    if nameless > 0 {
        say(format!(
            "{nameless} documents came from stdin, or back from the log, and have no file to put a proof beside: import again with --output-dir for record-NUMBER.proof"
        ));
    }
    if headless > 0 {
        say(format!(
            "{headless} recovered records name a head whose note is lost: they are logged, and get no proof; sign those documents again"
        ));
    }
    Ok(())
}

// A refusal that convicts somebody leaves its evidence before it is told.
fn keep_evidence(refusal: Refusal, place: &Path) -> Failure {
    let evidence = match &refusal {
        Refusal::History { evidence: Some(evidence), .. } | Refusal::Forked { evidence, .. } => {
            evidence.encode()
        }
        _ => return Failure::No(refusal.into()),
    };
    match files::write_evidence(place, &evidence) {
        Ok(place) => {
            Failure::No(anyhow::anyhow!("{refusal}; the evidence is in {}", place.display()))
        }
        Err(why) => Failure::Trouble(why.context(refusal.to_string())),
    }
}

struct Import<'a> {
    journal: &'a Journal,
    policy: &'a Policy,
    head: &'a Checkpoint,
    options: &'a Options,
}

impl Import<'_> {
    // Verifies every receipt and stores it; returns the first and the last sequence number.
    fn verify(&self, reader: &mut Reader<File>, store: &ReceiptStore) -> Outcome<(u64, u64)> {
        let progress = Progress::new("verifying receipts", None);
        let (mut count, mut first, mut last) = (0, None, None);
        // A receipt that does not fit is told only if the tail at the end has no better reason: a
        // journal that was restored or forked.
        let mut failure = None;
        let tail = loop {
            let Some(item) = reader.next()? else {
                return no("the receipts file has no trailer: it was cut short, copy it again");
            };
            match Item::decode(&item)? {
                Item::Receipt(sequence, receipt) => {
                    count += 1;
                    progress.add(1);
                    if last.is_some_and(|last| last >= sequence) {
                        return no(format!(
                            "the receipt of record {sequence} is out of order; the log wrote a bad file"
                        ));
                    }
                    first.get_or_insert(sequence);
                    last = Some(sequence);
                    if failure.is_none() {
                        failure = self.one(sequence, *receipt, store).err();
                    }
                }
                Item::Trailer { count: claimed, digest, tail } => {
                    if claimed != count || digest != reader.digest_before() {
                        return no(format!(
                            "the trailer counts {claimed} receipts, the file holds {count} or was altered; copy it again"
                        ));
                    }
                    break tail;
                }
            }
        };
        if reader.next()?.is_some() {
            return no("items follow the trailer of the receipts file");
        }
        let own = self.journal.tail()?.tail;
        let newest = match tail.tail.count.checked_sub(1) {
            Some(sequence) => self.journal.row(sequence)?.map(|row| row.statement),
            None => None,
        };
        verify_tail(&tail, self.journal.admission(), &own, newest.as_ref())
            .map_err(|refusal| keep_evidence(refusal, &self.options.evidence))?;
        match (failure, first, last) {
            (Some(failure), ..) => Err(failure),
            (None, Some(first), Some(last)) => Ok((first, last)),
            _ => no("the receipts file holds 0 receipts: nothing was checked"),
        }
    }

    fn one(&self, sequence: u64, receipt: Receipt, store: &ReceiptStore) -> Outcome {
        let Some(row) = self.journal.row(sequence)? else {
            return no(format!(
                "a receipt is for record {sequence}, which this journal does not have: was it restored from an older copy? Keep both, and bring the newest"
            ));
        };
        verify_receipt(&receipt, &row.statement, self.head, self.policy)
            .with_context(|| format!("the receipt of record {sequence}"))
            .or_no()?;
        store.put(sequence, &receipt.bare().encode())?;
        Ok(())
    }

    // Writes the proofs of the records from the first to the last that have a receipt under a head.
    fn write_proofs(&self, (first, last): (u64, u64), head: &SignedCheckpoint) -> Result<Proofs> {
        let digest = Hash::of(&head.encode());
        let progress = Progress::new("writing proofs", Some(last - first + 1));
        let mut proofs = Proofs::default();
        for sequence in first..=last {
            progress.add(1);
            let row = self.journal.row(sequence)?.context("the record was just read")?;
            let signed = matches!(row.disclosure.record.operation, Operation::Sign { .. });
            if !signed || row.receipts.iter().all(|logged| logged.head != digest) {
                continue;
            }
            let folder = self.options.output_dir.as_ref();
            let path = match (&row.output, folder) {
                (Some(target), None) => with_suffix(&target.with_extension(""), "proof"),
                (Some(target), Some(folder)) => {
                    let name = target.file_stem().context("the signature has no name")?;
                    let path = with_suffix(&folder.join(name), "proof");
                    files::check_portable(&name.to_string_lossy())?;
                    path
                }
                // A document from stdin has no name of its own: its record's number names the proof.
                (None, Some(folder)) => folder.join(format!("record-{sequence}.proof")),
                (None, None) => {
                    proofs.nameless += 1;
                    continue;
                }
            };
            if let Some(folder) = folder {
                files::create_folder(folder)?;
            }
            let Some(proof) = proof(self.journal, &row, self.policy)? else {
                proofs.headless += 1;
                continue;
            };
            match write_proof(&path, &proof, self.options.force)? {
                true => proofs.written += 1,
                false => proofs.kept += 1,
            }
        }
        Ok(proofs)
    }
}

/// What became of the proofs.
#[derive(Default)]
struct Proofs {
    written: u64,
    /// The same record has a proof there already.
    kept: u64,
    /// Documents from stdin, which have no file to put a proof beside.
    nameless: u64,
    /// Recovered records that name a head whose note the log could not give back to the byte.
    headless: u64,
}

// One document may have several records: the first takes `FILE.proof`, another, while that stands,
// `FILE.<sequence>.proof`. A proof is never replaced by another record's.
// Says whether it wrote one.
fn write_proof(path: &Path, proof: &Proof, force: bool) -> Result<bool> {
    let sequence = proof.statement.position.sequence;
    let of = |path: &Path| {
        let there = Proof::decode(&files::read(path, MAX_PROOF as u64).ok()?).ok()?;
        Some((there.statement.position.sequence, there))
    };
    // One of the same statement that says more: it has all logs of the old one, and another.
    let joins = |there: &Proof| {
        let (old, new) = (origins(there), origins(proof));
        there.statement == proof.statement && old.is_subset(&new) && old != new
    };
    let own = path.with_extension(format!("{sequence}.proof"));
    let path = match of(path) {
        Some((other, _)) if other != sequence => own.as_path(),
        _ => path,
    };
    let existing = match of(path) {
        Some((_, there)) if there == *proof => return Ok(false),
        Some((_, there)) if joins(&there) => Existing::Replace,
        // The same record under another head: both prove it, and the newer one is asked for.
        Some((same, _)) if same == sequence && force => Existing::Replace,
        Some((same, _)) if same == sequence => return Ok(false),
        _ => Existing::from_force(force),
    };
    files::write(path, &proof.encode(), existing, Mode::Public)?;
    Ok(true)
}

fn origins(proof: &Proof) -> BTreeSet<String> {
    let claims = proof.receipts.iter().map(|receipt| {
        Claims::from_headers("receipt", &receipt.sign1.protected).map(|claims| claims.issuer)
    });
    claims.flatten().collect()
}

// `None` where the head that a recovered record names is not at hand.
fn proof(journal: &Journal, row: &Row, policy: &Policy) -> Result<Option<Proof>> {
    // A proof is made under a policy: logs that it does not name have no place in it.
    let logged = row.receipts.iter().filter(|logged| policy.names(&logged.origin));
    let receipts = logged.map(|Logged { receipt, head, .. }| {
        Ok(Receipt::decode(receipt)?.with_checkpoint(&journal.head_note(head)?))
    });
    let receipts = receipts.collect::<Result<Vec<Receipt>>>()?;
    let named: Option<Hash> = row.statement.position.head.as_ref().map(|head| head.note);
    let note = named.map(|digest| journal.head_note(&digest)).transpose();
    let earlier_head = match note {
        Err(_) if journal.is_recovered(row.statement.position.sequence)? => return Ok(None),
        note => note?,
    };
    Ok(Some(Proof {
        statement: row.statement.clone(),
        receipts,
        disclosure: row.disclosure.encode(),
        policy: policy.digest,
        earlier_head,
    }))
}
