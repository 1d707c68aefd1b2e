//! `signer sign`: hash once, sign, check, record, make durable, and only then release.

mod confirm;
mod manifest;
mod records;
mod run;
mod tasks;

use self::run::Run;
use self::tasks::{Task, tasks};
use crate::journal::{self, Journal};
use anyhow::{Context, Result};
use coldlog_kit::ask::Person;
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::inputs;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::progress::Progress;
use coldlog_kit::rehearsal::marked;
use coldlog_kit::secret;
use coldlog_kit::terminal::say;
use coldlog_spec::document::{DocumentDigest, SignatureFile};
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::record::{Operation, Scheme};
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
    /// Sign without asking.
    pub yes: bool,
    /// Show each of many documents.
    pub show_all: bool,
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

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let Some(scheme) = Scheme::from_name(&options.format) else {
        return trouble(format!("--format is sshsig or minisign, found {:?}", options.format));
    };
    let person = Person::here().filter(|_| !options.yes);
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    if !journal.is_original(home)? {
        return no(
            "this journal was restored, copied or moved since it last signed: if the original signs too, the journal forks. Take the newest tail that was written down, and run `signer reopen --tail TAIL`",
        );
    }
    let operator = operator(&journal, options, person)?;
    let mut tasks = tasks(options, scheme, person)?;
    inputs::refuse_twice(tasks.iter().filter_map(|task| task.output.as_ref()))?;
    need_space(home, &tasks, options)?;
    let total = tasks.len();
    // The passphrase comes after the answer: whoever says no has not opened the key.
    if let Some(person) = person
        && !confirm::agreed(person, &journal, (&operator, scheme, options), &mut tasks)?
    {
        return no("nothing was signed");
    }
    let unsigned = (total - tasks.len()) as u64;
    let keys = Keys::load(&home.join("key.age"), "signer", &options.secret)?;
    let key = keys.ed25519();
    if key.public() != *journal.key() {
        return no("the key file is not the key of this journal");
    }
    let device = device(&journal)?;
    journal.begin(home)?;
    let (signed, again) = (0, 0);
    let mut run = Run { journal, key, device, operator, scheme, options, signed, again, unsigned };
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
    let row = journal.row(0)?.context("the journal has no genesis")?;
    let Operation::Genesis { operators } = row.disclosure.record.operation else {
        return trouble("the journal does not begin with a genesis");
    };
    let operator = match (&options.operator, person) {
        (Some(operator), _) => operator.clone(),
        (None, Some(person)) => match operators.as_slice() {
            [only] => person.answer("Operator", Some(only))?,
            several => person.answer(&format!("Operator ({})", several.join(", ")), None)?,
        },
        (None, None) => return trouble("say who signs, with --operator"),
    };
    match operators.contains(&operator) {
        true => Ok(operator),
        false => no(format!(
            "{operator:?} is not an operator of this signer; the genesis names {}",
            operators.join(", ")
        )),
    }
}

fn device(journal: &Journal) -> Result<String> {
    Ok(journal.row(0)?.context("the journal has no genesis")?.disclosure.record.device)
}
