//! `signer sign`: hash once, sign, check, record, make durable, and only then release.

mod approvals;
mod confirm;
mod manifest;
mod records;
mod run;
mod tasks;

use self::approvals::Approvals;
use self::run::Run;
use self::tasks::{Task, tasks};
use crate::clock::Clock;
use crate::factors::{self, SecondSource};
use crate::journal::{self, Journal};
use crate::keys;
use anyhow::{Result, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::inputs;
use coldlog_kit::progress::Progress;
use coldlog_kit::rehearsal::marked;
use coldlog_kit::secret;
use coldlog_kit::terminal::say;
use coldlog_spec::approval::Requested;
use coldlog_spec::document::{DocumentDigest, SignatureFile};
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::record::Scheme;
use std::path::{Path, PathBuf};

/// Records made durable by one commit.
const GROUP: usize = 256;

/// What the command line says.
pub struct Options {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Who; asked for where it is not said and somebody is there, like the two after it.
    pub operator: Option<String>,
    /// Name of the one document.
    pub name: Option<String>,
    /// Version of all.
    pub version: Option<String>,
    /// Why.
    pub purpose: Option<String>,
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
    /// Sign without asking.
    pub yes: bool,
    /// Show each of many documents.
    pub show_all: bool,
    /// How a signature is checked before it is recorded: [`self_check`], or a test's.
    pub self_check: SelfCheck,
    /// Approvals that were brought.
    pub approvals: Vec<PathBuf>,
    /// The passphrase's source.
    pub secret: secret::Source,
    /// The second factor's source.
    pub second: SecondSource,
}

/// Says whether a key signed a document, from the signature file's bytes.
pub type SelfCheck = fn(&PublicKey, &[u8], &DocumentDigest) -> bool;

/// Checks a signature from the bytes that will leave, as a stranger would.
pub fn self_check(key: &PublicKey, bytes: &[u8], digest: &DocumentDigest) -> bool {
    SignatureFile::decode(bytes).is_ok_and(|file| file.verify(key, digest).is_ok())
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let Some(scheme) = Scheme::from_name(&options.format) else {
        return trouble(format!("--format is sshsig or minisign, found {:?}", options.format));
    };
    let person = Person::here().filter(|_| !options.yes);
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    journal.must_go_on(home)?;
    let operator = operator(&journal, options, person)?;
    let clock = Clock::of(&journal, options.clock_wrong)?;
    clock.check().or_no()?;
    let founding = journal.founding()?;
    let mut tasks = tasks(options, scheme, person)?;
    inputs::refuse_twice(tasks.iter().filter_map(|task| task.output.as_ref()))?;
    need_space(home, &tasks, options)?;
    let mut approvals = Approvals::load(&founding, &options.approvals)?;
    all_approved(&mut approvals, &journal, &tasks, (&operator, options.force), scheme)?;
    let total = tasks.len();
    // The passphrase comes after the answer: whoever says no has not opened the key.
    if let Some(person) = person
        && !confirm::agreed(person, &journal, (&operator, scheme, options), &mut tasks)?
    {
        return no("nothing was signed");
    }
    let unsigned = (total - tasks.len()) as u64;
    let run = keys::Run { documents: tasks.len(), group: GROUP };
    let demanded = founding.second_factor;
    let mut journal = journal;
    let secrets = (&options.secret, &options.second);
    let (keys, factors) = factors::open(home, &mut journal, demanded, Some(run), secrets)?;
    let key = keys.ed25519();
    let device = journal.device()?;
    journal.begin(home)?;
    factors::take(&mut journal, &factors)?;
    let (signed, again) = (0, 0);
    let mut run = Run {
        journal,
        key,
        device,
        operator,
        clock,
        scheme,
        options,
        approvals,
        factors,
        signed,
        again,
        unsigned,
    };
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
    let line = marked(&run.journal.claims().issuer, line);
    if tasks.iter().any(|task| task.output.is_none()) {
        coldlog_kit::terminal::talk(line)
    } else {
        say(line)
    }
    if let (Some(person), Ok(())) = (person, &outcome) {
        person.tell(
            "The records are on this machine only, until `signer export` carries them to the log.",
        );
    }
    match run.unsigned {
        0 => outcome,
        count => {
            outcome.and_then(|()| trouble(format!("{count} of {total} documents were not signed")))
        }
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

// Who signs: as the command line says, or as the person at the terminal does.
fn operator(journal: &Journal, options: &Options, person: Option<Person>) -> Outcome<String> {
    let operators = journal.operators()?;
    let operator = match (&options.operator, person) {
        (Some(operator), _) => operator.clone(),
        (None, Some(person)) => match operators.as_slice() {
            [only] => person.answer("Operator", Some(only))?,
            several => person.answer(&format!("Operator ({})", several.join(", ")), None)?,
        },
        (None, None) => return trouble("say who signs, with --operator"),
    };
    journal.must_be_operated_by(&operator)?;
    Ok(operator)
}

/// What these options would sign, hashed, and why.
pub(super) fn requested(options: &Options) -> Result<(Vec<Requested>, String)> {
    let tasks = tasks(options, Scheme::Sshsig, None)?;
    let purpose = options.purpose.clone().unwrap_or_default();
    let mut documents = Vec::with_capacity(tasks.len());
    for task in &tasks {
        if task.path.is_none() {
            bail!("a document from stdin cannot be asked for: put it into a file");
        }
        if task.purpose != purpose {
            bail!("a request has one purpose: the manifest names another one, {:?}", task.purpose);
        }
        documents.push(records::requested(task, &records::hash(task, Scheme::Sshsig)?));
    }
    Ok((documents, purpose))
}

// Before the first signature, and before anybody is asked for a secret: is each document approved?
// Each is read and judged once more when it is signed. What comes from stdin can be read only once.
fn all_approved(
    approvals: &mut Approvals,
    journal: &Journal,
    tasks: &[Task],
    (operator, force): (&str, bool),
    scheme: Scheme,
) -> Outcome {
    if !approvals.demanded() {
        return Ok(());
    }
    let time = coldlog_kit::time::now();
    for task in tasks.iter().filter(|task| task.path.is_some()) {
        let digest = records::hash(task, scheme)?;
        if records::earlier(journal, task, &digest, (operator, force))?.is_some() {
            continue;
        }
        let document = records::requested(task, &digest);
        let purpose = task.purpose.as_str();
        let what = approvals::What { document: &document, operator, purpose, time };
        approvals.carry(journal, &what).map_err(run::refused)?;
    }
    approvals.begin_again();
    Ok(())
}
