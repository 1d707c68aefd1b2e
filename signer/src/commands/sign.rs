//! `signer sign`: hash once, sign, check, record, make durable, and only then release.

use crate::clock::Clock;
use crate::journal::{self, Draft, Journal, Row};
use crate::keys;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::inputs::{self, Inputs};
use coldlog_kit::progress::Progress;
use coldlog_kit::secret;
use coldlog_kit::terminal::say;
use coldlog_spec::document::{DocumentDigest, DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::{PublicKey, SecretKey};
use coldlog_spec::manifest::{self, MAX_MANIFEST, MAX_ROWS};
use coldlog_spec::record::{Document, Operation, Record, Scheme, Signature};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Records made durable by one commit.
const GROUP: usize = 256;

/// What the command line says.
pub struct Options {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Who.
    pub operator: String,
    /// Name of the one document.
    pub name: Option<String>,
    /// Version of all.
    pub version: String,
    /// Why.
    pub purpose: String,
    /// `sshsig` or `minisign`.
    pub format: String,
    /// Take folders.
    pub recursive: bool,
    /// A list of names.
    pub files_from: Option<PathBuf>,
    /// A CSV manifest.
    pub manifest: Option<PathBuf>,
    /// Where signatures go.
    pub output_dir: Option<PathBuf>,
    /// Sign again.
    pub force: bool,
    /// Go on after a document that cannot be signed.
    pub keep_going: bool,
    /// The operator says that the clock is wrong.
    pub clock_wrong: bool,
    /// How a signature is checked before it is recorded: [`self_check`], or a test's.
    pub self_check: SelfCheck,
    /// The passphrase's source.
    pub secret: secret::Source,
}

/// Says whether a key signed a document, from the signature file's bytes.
pub type SelfCheck = fn(&PublicKey, &[u8], &DocumentDigest) -> bool;

/// Checks a signature from the bytes that will leave, as a stranger would.
pub fn self_check(key: &PublicKey, bytes: &[u8], digest: &DocumentDigest) -> bool {
    SignatureFile::decode(bytes).is_ok_and(|file| file.verify(key, digest).is_ok())
}

struct Task {
    /// `None` for stdin.
    path: Option<PathBuf>,
    /// `None` for stdout.
    output: Option<PathBuf>,
    name: String,
    version: String,
    purpose: String,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let Some(scheme) = Scheme::from_name(&options.format) else {
        return trouble(format!("--format is sshsig or minisign, found {:?}", options.format));
    };
    let tasks = tasks(options, scheme)?;
    inputs::refuse_twice(tasks.iter().filter_map(|task| task.output.as_ref()))?;
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    journal.must_go_on(home)?;
    journal.must_be_operated_by(&options.operator)?;
    let clock = Clock::of(&journal, options.clock_wrong)?;
    clock.check().or_no()?;
    need_space(home, &tasks, options)?;
    let run = keys::Run { documents: tasks.len(), group: GROUP };
    let key = keys::load_for(home, &journal, Some(run), &options.secret)?.ed25519();
    let device = journal.device()?;
    journal.begin(home)?;
    let mut run =
        Run { journal, key, device, clock, scheme, options, signed: 0, again: 0, unsigned: 0 };
    let progress = Progress::new("signing", Some(tasks.len() as u64));
    let mut outcome = Ok(());
    for group in tasks.chunks(GROUP) {
        outcome = run.group(group);
        if outcome.is_err() {
            break;
        }
        progress.add(group.len() as u64);
    }
    drop(progress);
    let left = run.journal.leave(home).map_err(Failure::from);
    let outcome = outcome.and(left);
    // However the run ended: what it recorded is there, and its tail belongs on paper.
    let tail = run.journal.tail()?.tail;
    let line = format!(
        "signed {}, signed before {}; write down the journal's tail: {}",
        run.signed,
        run.again,
        tail.short()
    );
    if tasks.iter().any(|task| task.output.is_none()) {
        coldlog_kit::terminal::talk(line)
    } else {
        say(line)
    }
    match run.unsigned {
        0 => outcome,
        count => outcome.and_then(|()| {
            trouble(format!("{count} of {} documents were not signed", tasks.len()))
        }),
    }
}

// A journal row takes some KiB, a signature file a block.
fn need_space(home: &Path, tasks: &[Task], options: &Options) -> Result<()> {
    let count = tasks.len() as u64;
    files::need_space(home, (1 << 16) + count * 8192)?;
    let first =
        tasks.iter().find_map(|task| task.output.as_ref()).map(|path| files::folder_of(path));
    match options.output_dir.clone().or(first) {
        Some(folder) => files::need_space(&folder, count * 4096),
        None => Ok(()),
    }
}

struct Run<'a> {
    journal: Journal,
    key: SecretKey,
    device: String,
    clock: Clock,
    scheme: Scheme,
    options: &'a Options,
    signed: u64,
    again: u64,
    unsigned: u64,
}

// What will be released once its record is durable.
struct Release<'a> {
    // `None` for the record that is made now.
    sequence: Option<u64>,
    task: &'a Task,
    bytes: Vec<u8>,
}

enum Prepared {
    Draft(Box<Record>),
    // Recorded earlier; the signature is still to be released, or not.
    Earlier(Box<Row>),
}

impl Run<'_> {
    // Records of a group become durable by one commit, and only then their signatures leave.
    fn group(&mut self, tasks: &[Task]) -> Outcome {
        let mut drafts = Vec::new();
        let mut releases: Vec<Release> = Vec::new();
        for task in tasks {
            match self.prepare(task) {
                Ok(Prepared::Draft(record)) => {
                    let Operation::Sign { signature, .. } = &record.operation else { continue };
                    let bytes = signature.bytes.clone();
                    releases.push(Release { sequence: None, task, bytes });
                    let output = task.output.clone();
                    drafts.push(Draft { record: *record, salt: secret::random()?, output });
                }
                Ok(Prepared::Earlier(row)) => {
                    self.again += 1;
                    if !row.released {
                        let sequence = Some(row.statement.position.sequence);
                        releases.push(Release { sequence, task, bytes: signature_bytes(&row) });
                    }
                }
                Err(why) if self.options.keep_going => {
                    self.unsigned += 1;
                    coldlog_kit::terminal::talk(format!("signer: {}: {why:#}", task.name));
                }
                Err(why) => return Err(why.into()),
            }
        }
        let statements = self.journal.append(&self.key, drafts)?;
        self.signed += statements.len() as u64;
        // From here on the records are on the disk: the signatures may leave.
        let mut new = statements.iter().map(|statement| statement.position.sequence);
        let mut ready = Vec::with_capacity(releases.len());
        let mut failed = 0;
        for release in releases {
            let Some(sequence) = release.sequence.or_else(|| new.next()) else { continue };
            let row = self.journal.row(sequence)?.context("the record was just written")?;
            match verified(&row) {
                true => ready.push((sequence, release)),
                false => failed += 1,
            }
        }
        release(ready.iter().map(|(_, release)| release), self.options.force)?;
        let released: Vec<u64> = ready.iter().map(|(sequence, _)| *sequence).collect();
        self.journal.mark_released(&released)?;
        if failed > 0 {
            return no(format!(
                "{failed} signatures did not verify after signing: recorded, not released; do not use this machine"
            ));
        }
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<Prepared> {
        let digest = hash(task, self.scheme)?;
        if let Some(row) = earlier(&self.journal, task, &digest, self.options)? {
            return Ok(Prepared::Earlier(Box::new(row)));
        }
        // What would be refused when it is written is refused before it is recorded.
        if let Some(path) = &task.output
            && !self.options.force
            && path.symlink_metadata().is_ok()
        {
            bail!(
                "{} exists already, and is not the signature of this document, version and purpose; nothing was recorded for it; choose an --output-dir, or say --force to replace it",
                path.display()
            );
        }
        let record =
            sign_one(&self.key, task, &digest, self.options, &self.device, &mut self.clock)?;
        Ok(Prepared::Draft(Box::new(record)))
    }
}

fn tasks(options: &Options, scheme: Scheme) -> Result<Vec<Task>> {
    let stdin = options.files.iter().any(|file| file.as_os_str() == "-");
    if stdin {
        if options.files.len() != 1 || options.manifest.is_some() {
            bail!("- stands alone: one document from stdin at a time");
        }
        let name = options.name.clone().context("a document from stdin needs --name")?;
        let (version, purpose) = (options.version.clone(), options.purpose.clone());
        return Ok(vec![Task { path: None, output: None, name, version, purpose }]);
    }
    let task = |path: PathBuf, name: Option<String>, version: String, purpose: String| {
        let file_name = path.file_name().and_then(|name| name.to_str());
        let file_name =
            file_name.with_context(|| format!("{} has no UTF-8 name", path.display()))?;
        let target = match &options.output_dir {
            Some(folder) => {
                files::check_portable(&format!("{file_name}.{}", scheme.extension()))?;
                folder.join(file_name)
            }
            None => path.clone(),
        };
        let output = std::path::absolute(files::with_suffix(&target, scheme.extension()))?;
        let name = name.unwrap_or_else(|| file_name.into());
        Ok(Task { path: Some(path), output: Some(output), name, version, purpose })
    };
    if let Some(manifest) = &options.manifest {
        if !options.files.is_empty() || options.name.is_some() {
            bail!("--manifest names the files: give no others, and no --name");
        }
        return read_manifest(manifest, options, task);
    }
    let Inputs { files, others } =
        inputs::expand(&options.files, options.recursive, options.files_from.as_deref())?;
    for other in others {
        let why = "no document: a symlink, a device, or what an interrupted run left";
        coldlog_kit::terminal::talk(format!("signer: {} is left out: {why}", other.display()));
    }
    if options.name.is_some() && files.len() != 1 {
        bail!("--name is for one document, {} were given; use --manifest", files.len());
    }
    let one =
        |path| task(path, options.name.clone(), options.version.clone(), options.purpose.clone());
    files.into_iter().map(one).collect()
}

fn read_manifest(
    path: &Path,
    options: &Options,
    task: impl Fn(PathBuf, Option<String>, String, String) -> Result<Task>,
) -> Result<Vec<Task>> {
    let rows = match path.extension().is_some_and(|extension| extension == "cbor") {
        true => manifest::decode(&files::read(path, MAX_MANIFEST as u64)?)?,
        false => read_csv(path)?,
    };
    if rows.is_empty() {
        bail!("the manifest names no file");
    }
    let folder = files::folder_of(path);
    let each = rows.into_iter().map(|row| {
        if !row.stays_inside() {
            bail!("the manifest names {:?}, which leads out of its folder", row.file);
        }
        let version = row.version.unwrap_or_else(|| options.version.clone());
        let purpose = row.purpose.unwrap_or_else(|| options.purpose.clone());
        task(folder.join(row.file), row.name, version, purpose)
    });
    each.collect()
}

fn read_csv(path: &Path) -> Result<Vec<manifest::Row>> {
    let text = files::read(path, MAX_MANIFEST as u64)?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let headers = reader.headers().context("reading the manifest's first line")?.clone();
    let known = ["file", "name", "version", "purpose"];
    if let Some(other) = headers.iter().find(|header| !known.contains(header)) {
        bail!("the manifest has a column {other:?}; known are file, name, version, purpose");
    }
    if !headers.iter().any(|header| header == "file") {
        bail!("the manifest needs a column `file`");
    }
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.context("reading the manifest")?;
        if rows.len() == MAX_ROWS {
            bail!("the manifest names more than {MAX_ROWS} files; split it");
        }
        let get = |name: &str| {
            let at = headers.iter().position(|header| header == name)?;
            row.get(at).filter(|text| !text.is_empty()).map(String::from)
        };
        let file = get("file").unwrap_or_default();
        let (name, version) = (get("name"), get("version"));
        rows.push(manifest::Row { file, name, version, purpose: get("purpose") });
    }
    Ok(rows)
}

fn hash(task: &Task, scheme: Scheme) -> Result<DocumentDigest> {
    let mut hasher = DocumentHasher::new(scheme);
    let mut source: Box<dyn Read> = match &task.path {
        Some(path) => Box::new(files::open(path)?),
        None => Box::new(std::io::stdin().lock()),
    };
    let mut buffer = vec![0; 1 << 15];
    loop {
        let read = source.read(&mut buffer).with_context(|| format!("reading {}", task.name))?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
    }
}

// A record of this very document that stands already: signed in an earlier, perhaps interrupted run.
fn earlier(
    journal: &Journal,
    task: &Task,
    digest: &DocumentDigest,
    options: &Options,
) -> Result<Option<Row>> {
    if options.force {
        return Ok(None);
    }
    for row in journal.of_document(&digest.sha256)? {
        let record = &row.disclosure.record;
        let Operation::Sign { document, signature } = &record.operation else { continue };
        let same = document.name == task.name
            && document.version == task.version
            && record.purpose == task.purpose
            && record.operator == options.operator
            && signature.scheme == digest.scheme
            && signature.verified
            && row.output == task.output
            && task.output.is_some();
        if !same {
            continue;
        }
        let there = task.output.as_ref().is_some_and(|path| {
            files::read(path, 8192).is_ok_and(|bytes| bytes == signature.bytes)
        });
        return Ok(Some(Row { released: there, ..row }));
    }
    Ok(None)
}

fn sign_one(
    key: &SecretKey,
    task: &Task,
    digest: &DocumentDigest,
    options: &Options,
    device: &str,
    clock: &mut Clock,
) -> Result<Record> {
    let limit = coldlog_spec::record::MAX_TEXT;
    for text in [&task.name, &task.version, &task.purpose] {
        if text.len() > limit {
            bail!(
                "a name, version or purpose has {} bytes, at most {limit} are recorded",
                text.len()
            );
        }
    }
    let (time, odd) = clock.read()?;
    let comment = format!("timestamp:{time}\tfile:{}\thashed", one_line(&task.name));
    let file = SignatureFile::sign(key, digest, &comment)?;
    let bytes = file.encode();
    let public = key.public();
    let verified = (options.self_check)(&public, &bytes, digest);
    let document = Document {
        name: task.name.clone(),
        version: task.version.clone(),
        media_type: "application/octet-stream".into(),
        size: digest.size,
        sha256: digest.sha256,
    };
    let signature = Signature { scheme: digest.scheme, key: *public.as_bytes(), bytes, verified };
    Ok(Record {
        time,
        operator: options.operator.clone(),
        purpose: task.purpose.clone(),
        device: device.into(),
        clock: odd,
        operation: Operation::Sign { document, signature },
    })
}

// A trusted comment is one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

fn release<'a>(releases: impl Iterator<Item = &'a Release<'a>>, replace: bool) -> Result<()> {
    let mut files: Vec<(&Path, &[u8])> = Vec::new();
    for release in releases {
        match &release.task.output {
            Some(path) => {
                files::create_folder(&files::folder_of(path))?;
                files.push((path, &release.bytes));
            }
            None => {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(&release.bytes).and_then(|()| stdout.flush());
                written.context("writing to stdout")?;
            }
        }
    }
    files::write_all(&files, Existing::from_force(replace), Mode::Public)
}

fn signature_bytes(row: &Row) -> Vec<u8> {
    match &row.disclosure.record.operation {
        Operation::Sign { signature, .. } => signature.bytes.clone(),
        Operation::Genesis { .. } | Operation::KeyEvent { .. } => Vec::new(),
    }
}

fn verified(row: &Row) -> bool {
    matches!(&row.disclosure.record.operation, Operation::Sign { signature, .. } if signature.verified)
}
