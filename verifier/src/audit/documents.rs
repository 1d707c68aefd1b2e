//! The documents that are really in use, held against the records: what is expected comes from the real work, and
//! not from a list that a thief of the key could extend.

use super::engine::Engine;
use crate::records::Row;
use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_spec::document::{DocumentDigest, DocumentHasher, SignatureFile};
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Scheme;
use coldlog_spec::verify::audit::{Finding, Kind, Severity};
use coldlog_spec::verify::keys::Made;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest list, and the largest signature file.
const MAX_LIST: u64 = 256 << 20;
const MAX_SIGNATURE: u64 = 16 << 10;

struct Document {
    name: String,
    /// Where its bytes are, if they are at hand.
    file: Option<PathBuf>,
    sha256: Hash,
    signatures: Vec<Vec<u8>>,
    records: Vec<Record>,
    /// A record of the same name with other bytes.
    other: Option<(u64, String, Hash)>,
}

struct Record {
    index: u64,
    sequence: u64,
    signer: (String, String),
    key: String,
    signature: Hash,
    /// It has findings of its own.
    doubtful: bool,
    not_after: Option<u64>,
}

/// Documents in use.
#[derive(Default)]
pub struct InUse {
    documents: Vec<Document>,
    by_digest: HashMap<Hash, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
}

fn digest(path: &Path, scheme: Scheme) -> Result<DocumentDigest> {
    let mut file = files::open(path)?;
    let mut hasher = DocumentHasher::new(scheme);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(|| path.display().to_string())? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

impl InUse {
    /// All files below a folder, with the signature files beside them; or a list as `sha256sum` writes it.
    pub fn read(path: &Path) -> Result<InUse> {
        let mut in_use = InUse::default();
        match path.is_dir() {
            true => in_use.folder(path)?,
            false => in_use.list(path)?,
        }
        if in_use.documents.is_empty() {
            bail!("{} names no document: nothing would be checked", path.display());
        }
        Ok(in_use)
    }

    fn add(&mut self, document: Document) {
        let at = self.documents.len();
        self.by_digest.entry(document.sha256).or_default().push(at);
        let base = document.name.rsplit('/').next().unwrap_or_default().to_owned();
        self.by_name.entry(base).or_default().push(at);
        self.documents.push(document);
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let ours = [".sig", ".minisig", ".proof"];
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry?;
            let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let name = name.to_string_lossy().into_owned();
            if !entry.file_type().is_file() || ours.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let mut signatures = Vec::new();
            for end in ["sig", "minisig"] {
                let path = files::with_suffix(entry.path(), end);
                if files::is_there(&path)? {
                    signatures.push(files::read(&path, MAX_SIGNATURE)?);
                }
            }
            let sha256 = digest(entry.path(), Scheme::Sshsig)?.sha256;
            let file = Some(entry.path().to_path_buf());
            let (records, other) = (Vec::new(), None);
            self.add(Document { name, file, sha256, signatures, records, other });
        }
        Ok(())
    }

    fn list(&mut self, path: &Path) -> Result<()> {
        let bytes = files::read(path, MAX_LIST)?;
        let text = std::str::from_utf8(&bytes).context("the list of documents is not UTF-8")?;
        for (at, line) in text.lines().enumerate() {
            let read = line.split_once(' ').and_then(|(digest, name)| {
                Some((Hash::from_hex(digest)?, name.trim_start_matches([' ', '*'])))
            });
            let Some((sha256, name)) = read else {
                bail!(
                    "line {} of {} is none of sha256sum's: expected 64 hex digits, two spaces and a name",
                    at + 1,
                    path.display()
                );
            };
            let (name, signatures, records) = (name.into(), Vec::new(), Vec::new());
            self.add(Document { name, file: None, sha256, signatures, records, other: None });
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.documents.len()
    }

    /// Looks at a record.
    pub fn see(&mut self, row: &Row, findings: &[Finding]) {
        let Some(signed) = &row.document else { return };
        let doubtful = findings.iter().any(|one| one.kind.severity() >= Severity::Warning);
        for at in self.by_digest.get(&signed.sha256).into_iter().flatten() {
            if let Some(document) = self.documents.get_mut(*at) {
                document.records.push(Record {
                    index: row.index,
                    sequence: row.sequence,
                    signer: (row.signer.clone(), row.journal.clone()),
                    key: row.key.clone(),
                    signature: signed.signature,
                    doubtful,
                    not_after: row.not_after,
                });
            }
        }
        let base = signed.name.rsplit('/').next().unwrap_or_default();
        for at in self.by_name.get(base).into_iter().flatten() {
            if let Some(document) = self.documents.get_mut(*at)
                && document.sha256 != signed.sha256
            {
                document.other = Some((row.index, signed.version.clone(), signed.sha256));
            }
        }
    }

    /// What is wrong with them, after the last record.
    pub fn judge(&self, engine: &Engine, origin: &str) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for document in &self.documents {
            findings.extend(document.judge(engine, origin)?);
        }
        Ok(findings)
    }
}

impl Document {
    fn judge(&self, engine: &Engine, origin: &str) -> Result<Option<Finding>> {
        let finding = |kind, found: String| Some(Finding::new(kind, found).in_file(&self.name));
        // A key of a journal made a signature of which no record tells: this is what all of it is for.
        for bytes in &self.signatures {
            let recorded = self.records.iter().any(|one| one.signature == Hash::of(bytes));
            if !recorded && let Some(by) = self.signed_by(bytes, engine)? {
                let text = format!("a signature by {by} over these bytes, in no record");
                return Ok(finding(Kind::SignatureUnlogged, text));
            }
        }
        if self.records.is_empty() {
            let digest = self.sha256;
            return Ok(match &self.other {
                Some((index, version, recorded)) => finding(
                    Kind::DocumentDiffers,
                    format!(
                        "SHA-256 {digest}; entry {index} of that name, version {version:?}, has {recorded}"
                    ),
                ),
                None => finding(Kind::DocumentUnlogged, format!("no record of SHA-256 {digest}")),
            });
        }
        let doubt = |record: &Record| {
            if record.doubtful {
                return Some(format!("entry {} has findings of its own", record.index));
            }
            let revoked = engine.journals.revoked().iter().find(|(claims, revoked)| {
                let same =
                    (&claims.issuer, &claims.subject) == (&record.signer.0, &record.signer.1);
                let places = [(origin, record.index)];
                let made = Made {
                    sequence: record.sequence,
                    places: &places,
                    not_after: record.not_after,
                };
                same && revoked.key.thumbprint().to_hex() == record.key && !revoked.spares(made)
            });
            let (_, revoked) = revoked?;
            Some(format!("the key of entry {} was revoked {}", record.index, revoked.since))
        };
        let doubts: Vec<String> = self.records.iter().filter_map(doubt).collect();
        match doubts.first() {
            Some(doubt) if doubts.len() == self.records.len() => {
                Ok(finding(Kind::DocumentDoubtful, doubt.clone()))
            }
            _ => Ok(None),
        }
    }

    // The key of a journal that signed the document's bytes.
    fn signed_by(&self, signature: &[u8], engine: &Engine) -> Result<Option<Hash>> {
        let (Some(file), Ok(signature)) = (&self.file, SignatureFile::decode(signature)) else {
            return Ok(None);
        };
        let digest = digest(file, signature.scheme())?;
        let mut keys = engine.journals.keys();
        let by = keys.find(|key| signature.verify(key, &digest).is_ok());
        Ok(by.map(|key| key.thumbprint()))
    }
}
