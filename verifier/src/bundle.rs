//! `verifier bundle`: entries of a log with all that it takes to verify them, in one zip file, for somebody who has
//! nothing of ours: documents or digests, proofs, policy, heads, an explanation, and the verifier's page.

use crate::audit::{Against, Engine};
use crate::commands::keys;
use crate::openings::OpeningArgs;
use crate::records::Row;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{self, Tree};
use coldlog_kit::seal::{self, Identity};
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::document::{DocumentHasher, ssh_public_key};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::verify_inclusion;
use coldlog_spec::policy::MAX_POLICY;
use coldlog_spec::proof::MAX_PROOF;
use coldlog_spec::record::{Disclosure, Operation, Scheme};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::{entries_path, sealed_path};
use coldlog_spec::tlog_proof;
use coldlog_spec::verify::audit::{Finding, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::path::PathBuf;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The largest document, and the largest page.
const MAX_DOCUMENT: u64 = 1 << 30;
const MAX_PAGE: u64 = 16 << 20;

/// What `verifier bundle` is asked.
pub struct Options {
    /// The entries.
    pub indexes: Vec<u64>,
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's age identity: records are disclosed.
    pub identity: Option<PathBuf>,
    /// Who opens records, and why.
    pub opening: OpeningArgs,
    /// Documents of these entries, or their proofs.
    pub files: Vec<PathBuf>,
    /// The verifier's page.
    pub page: Option<PathBuf>,
    /// The zip file.
    pub output: PathBuf,
    /// Replace it.
    pub force: bool,
}

/// `verifier bundle`
pub fn run(options: &Options) -> Outcome {
    let against = Against::read(&options.log, &options.policy)?;
    if let Some(finding) = against.findings().first() {
        return no(format!("{}: {}", finding.kind.name(), finding.found));
    }
    let identities = match &options.identity {
        Some(path) => seal::read_identities(path)?,
        None => Vec::new(),
    };
    let evidence = PathBuf::from("log.evidence.cbor");
    let scope = against.scope(&identities, &evidence);
    let (size, origin) = (scope.head.size, scope.head.origin.clone());
    let wanted: BTreeSet<u64> = options.indexes.iter().copied().collect();
    if let Some(beyond) = wanted.last().filter(|last| **last >= size) {
        return no(format!("the cosigned head has {size} entries, there is no entry {beyond}"));
    }
    if !identities.is_empty() {
        // The whole journal is read, for what its genesis demands; these are what is disclosed.
        options.opening.note(&origin, "verifier bundle", (0, size))?;
    }
    let mut rows: BTreeMap<u64, (Row, Vec<Finding>)> = BTreeMap::new();
    let mut engine = Engine::new(scope, against.times());
    engine.run(
        (0, size),
        &mut |row, findings| {
            if wanted.contains(&row.index) {
                rows.insert(row.index, (row.clone(), findings.to_vec()));
            }
            Ok(())
        },
        |_, _| Ok(()),
    )?;
    engine.finish()?;
    if let Some(finding) = engine.findings.list().find(|one| one.kind == Kind::RootDiffers) {
        return no(format!("tampering: {}; run `verifier audit`", finding.found));
    }
    if let Some(lacking) = wanted.iter().find(|index| !rows.contains_key(index)) {
        return no(format!("entry {lacking} is no statement: run `verifier audit`"));
    }
    let mut bundle = Bundle::default();
    bundle.entries(options, &identities, &rows, size)?;
    bundle.journals(options, &rows)?;
    bundle.files(options, &rows)?;
    bundle.add("policy", files::read(&options.policy, MAX_POLICY as u64)?);
    if let Some(page) = &options.page {
        bundle.add("verify.html", files::read(page, MAX_PAGE)?);
    }
    let text = bundle.explained(&origin, &rows, options);
    bundle.add("README.txt", text.into_bytes());
    let count = bundle.parts.len();
    let bytes = bundle.zip()?;
    let existing = Existing::from_force(options.force);
    let mode = if identities.is_empty() { Mode::Public } else { Mode::Private };
    files::write(&options.output, &bytes, existing, mode)?;
    let about = match wanted.len() {
        1 => "1 entry".into(),
        entries => format!("{entries} entries"),
    };
    say(format!(
        "{count} files about {about} are in {}, SHA-256 {}",
        options.output.display(),
        Hash::of(&bytes)
    ));
    Ok(())
}

#[derive(Default)]
struct Bundle {
    parts: BTreeMap<String, Vec<u8>>,
    told: BTreeMap<u64, Vec<String>>,
    documents: Vec<String>,
}

impl Bundle {
    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        self.parts.insert(name.into(), bytes);
    }

    // Each entry with the path to the head; what is sealed stays so beside it.
    fn entries(
        &mut self,
        options: &Options,
        identities: &[Identity],
        rows: &BTreeMap<u64, (Row, Vec<Finding>)>,
        size: u64,
    ) -> Result<()> {
        let source = crate::commands::source(&options.log)?;
        let head = published::head(source.as_ref())?;
        if head.checkpoint.size != size {
            bail!("the log went on meanwhile: run the command again");
        }
        let note = head.encode();
        let mut tree = Tree::new(source.as_ref(), size);
        for (index, (row, findings)) in rows {
            let entry = tree.entry(*index, entries_path)?;
            let sealed = tree.entry(*index, sealed_path)?;
            let statement = Statement::decode(&entry)?;
            let path = tree.inclusion(*index)?;
            // A proof that does not hold convinces nobody.
            verify_inclusion(statement.leaf(), *index, size, &path, head.checkpoint.root)
                .with_context(|| {
                    format!("the tiles of the log do not prove entry {index}; run `verifier audit`")
                })?;
            let proof = tlog_proof::encode(*index, &path, &note);
            self.add(&format!("entries/{index}.statement"), entry);
            self.add(&format!("entries/{index}.tlog-proof"), proof);
            let mut told = vec![format!(
                "record {} of {} / {}, {}",
                row.sequence, row.signer, row.journal, row.operation
            )];
            if let Ok(bytes) = seal::open(&sealed, identities)
                && statement.must_commit_to(&bytes).is_ok()
            {
                let record = Disclosure::decode(&bytes)?.record;
                told.extend(self.disclosed(*index, &record));
                self.add(&format!("entries/{index}.disclosure"), bytes);
            }
            if !sealed.is_empty() {
                self.add(&format!("entries/{index}.age"), sealed);
            }
            told.extend(row.not_before.map(|at| format!("not made before {}", time::show(at))));
            told.extend(row.not_after.map(|at| format!("not made after {}", time::show(at))));
            told.extend(findings.iter().map(|one| {
                format!(
                    "FINDING {} ({}): {}",
                    one.kind.name(),
                    one.kind.severity().name(),
                    one.found
                )
            }));
            self.told.insert(*index, told);
        }
        self.add("head", note);
        Ok(())
    }

    fn disclosed(&mut self, index: u64, record: &coldlog_spec::record::Record) -> Vec<String> {
        let mut told = vec![
            format!(
                "operator {}, purpose {}, machine {}",
                record.operator, record.purpose, record.device
            ),
            format!("claimed time {}", time::show(record.time)),
        ];
        if let Operation::Sign { document, signature } = &record.operation {
            told.push(format!(
                "document {} {}, {} bytes, SHA-256 {}",
                document.name, document.version, document.size, document.sha256
            ));
            let name = format!("entries/{index}.{}", signature.scheme.extension());
            self.add(&name, signature.bytes.clone());
            if let Ok(key) = coldlog_spec::ed25519::PublicKey::from_bytes(&signature.key) {
                told.push(format!("signed by {}", ssh_public_key(&key)));
            }
        }
        told
    }

    // The life of the keys, with proofs.
    fn journals(
        &mut self,
        options: &Options,
        rows: &BTreeMap<u64, (Row, Vec<Finding>)>,
    ) -> Result<()> {
        let signers: BTreeSet<&str> = rows.values().map(|(row, _)| row.signer.as_str()).collect();
        for (number, signer) in signers.into_iter().enumerate() {
            if let Some(bytes) = keys::events_of(&options.log, &options.policy, signer)? {
                self.add(&format!("key-events-{}", number + 1), bytes);
            }
        }
        Ok(())
    }

    // Documents must be those of the records; proofs are taken as they are.
    fn files(
        &mut self,
        options: &Options,
        rows: &BTreeMap<u64, (Row, Vec<Finding>)>,
    ) -> Result<()> {
        for path in &options.files {
            let name = path.file_name().context("a document has no name")?.to_string_lossy();
            let bytes = files::read(path, MAX_DOCUMENT)?;
            if !name.ends_with(".proof") && !name.ends_with(".sig") && !name.ends_with(".minisig") {
                let digest = DocumentHasher::digest(Scheme::Sshsig, &bytes).sha256;
                let documents = rows.values().filter_map(|(row, _)| row.document.as_ref());
                if !documents.clone().any(|one| one.sha256 == digest) {
                    bail!(
                        "{} is the document of none of these entries, as far as they are opened: its SHA-256 is {digest}",
                        path.display()
                    );
                }
                self.documents.push(name.clone().into_owned());
            } else if bytes.len() > MAX_PROOF {
                bail!("{} is larger than any proof or signature", path.display());
            }
            self.add(&format!("documents/{name}"), bytes);
        }
        Ok(())
    }

    fn explained(
        &self,
        origin: &str,
        rows: &BTreeMap<u64, (Row, Vec<Finding>)>,
        options: &Options,
    ) -> String {
        let mut text = format!(
            "Evidence about {} entries of the transparency log {}\n\n",
            rows.len(),
            field(origin)
        );
        text.push_str(INTRODUCTION);
        for (index, told) in &self.told {
            text.push_str(&format!("\nEntry {index}\n"));
            told.iter().for_each(|line| text.push_str(&format!("  {}\n", field(line))));
        }
        text.push_str("\nFiles\n");
        text.push_str(FILES);
        if options.page.is_some() {
            text.push_str(
                "  verify.html            a verifier: open it in a browser, without a network\n",
            );
        }
        text.push_str(HOW);
        text
    }

    // The same parts give the same bytes: no times of today, names in order.
    fn zip(&self) -> Result<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in &self.parts {
            writer.start_file(name.as_str(), stored)?;
            writer.write_all(bytes)?;
        }
        Ok(writer.finish()?.into_inner())
    }
}

const INTRODUCTION: &str = "\
A signing key that is kept on a machine without a network writes a record of everything that it signs. The records are
entries of a log that can only grow: its operator signs a head, which fixes all entries up to then, and independent
witnesses cosign a head only if it extends the one that they saw before. What is below was verified when this bundle was
made: the whole log under the head, and these entries in it. Nobody has to take our word; see the end.
";

const FILES: &str = "\
  policy                 the public keys of the log and of its witnesses, and how many witnesses must agree
  head                   the log's newest head with their cosignatures (C2SP tlog-checkpoint, a text file)
  entries/N.statement    entry N: a signed statement (COSE_Sign1, RFC 9052; SCITT, RFC 9943)
  entries/N.tlog-proof   that entry N is under the head (C2SP tlog-proof, a text file)
  entries/N.age          its record, encrypted to the auditors (age v1)
  entries/N.disclosure   the same record, where it is disclosed: its SHA-256 is in the statement
  entries/N.sig          the signature of the document (OpenSSH's SSHSIG; .minisig: minisign)
  key-events-N           which keys the signer has had, each change with its proof
  documents/             documents, and the proofs that their signer gave out
";

const HOW: &str = "
How to verify it with nothing of ours
  1. The hash of an entry is SHA-256 over a zero byte and the statement's bytes (RFC 9162, section 2.1.1). With the path in
     the tlog-proof it gives the root that stands in the head (section 2.1.3.2).
  2. The lines of the head are Ed25519 and ML-DSA-44 signatures by the keys of the policy (C2SP signed-note and
     tlog-cosignature). Each witness's line carries the time at which it saw the head.
  3. The statement is a COSE_Sign1 by the signer's key, whose thumbprint is its key identifier; its payload is SHA-256 of
     the disclosure. The first key event holds the key itself.
  4. The disclosure is CBOR: a salt, and the record that is told above.
  5. The document's signature: ssh-keygen -Y check-novalidate -n file -s entries/N.sig < documents/NAME
     (and, with the signer's key in an allowed_signers file, ssh-keygen -Y verify).

How to verify it with ours, where documents/ has a document and its proof
  verifier check documents/NAME --policy policy --key-events key-events-1
  verifier inspect entries/N.statement
Check the keys in the policy with those who run the log and the witnesses: all else follows from them.
";
