//! `verifier check`: is this document's signature logged?

use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, text_of, trouble};
use coldlog_kit::inputs::{self, Inputs};
use coldlog_kit::progress::Progress;
use coldlog_kit::rehearsal::{MARK, marked};
use coldlog_kit::report::{self, Checks};
use coldlog_kit::terminal::{escape, field, say, say_json, talk};
use coldlog_kit::{files, time};
use coldlog_spec::cose::Claims;
use coldlog_spec::document::{DocumentDigest, DocumentHasher, SignatureFile, parse_public_key};
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_events::KeyEvents;
use coldlog_spec::policy::{MAX_POLICY, OutsideWindow, Policy};
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::record::Scheme;
use coldlog_spec::rehearsal::NotMeant;
use coldlog_spec::verify::document::{Check, NotProven, Proven, check_logging, expected_scheme};
use coldlog_spec::verify::keys::{InForce, Life, NoLife, NotGood};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What the command line says.
#[derive(Default)]
pub struct Options {
    /// Documents.
    pub files: Vec<PathBuf>,
    /// The proof of the one document.
    pub proof: Option<PathBuf>,
    /// The policy.
    pub policy: PathBuf,
    /// How many logs of the policy must have it.
    pub require_logs: usize,
    /// The signature file of the one document.
    pub signature: Option<PathBuf>,
    /// The signer that must have signed: a key, or a file that holds one.
    pub signer: Option<String>,
    /// Key events of the log.
    pub key_events: Option<PathBuf>,
    /// Take folders.
    pub recursive: bool,
    /// A list of names.
    pub files_from: Option<PathBuf>,
    /// The one document is a list of SHA-256 sums: check what it lists too.
    pub checksums: bool,
    /// Refuse heads that were not cosigned within the time for which the policy is meant.
    pub strict_validity: bool,
    /// Go on after a document that fails.
    pub keep_going: bool,
    /// One JSON object.
    pub json: bool,
    /// What is checked was made to practise.
    pub rehearsal: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> Outcome {
    let policy = super::policy(&options.policy)?;
    let signer = options.signer.as_deref().map(read_signer).transpose()?;
    let lives = Lives::read(options.key_events.as_deref())?;
    let single = options.proof.is_some() || options.signature.is_some() || options.checksums;
    let Inputs { files: documents, others } =
        inputs::expand(&options.files, options.recursive, options.files_from.as_deref())?;
    if single && documents.len() != 1 {
        return trouble("--proof, --signature and --checksums are for one document");
    }
    let (mut results, mut failed, mut troubled) = (Vec::new(), 0, 0);
    let many = documents.len() > 1 || !others.is_empty();
    // What cannot be checked is not proven.
    let other = |path: &PathBuf| {
        let why = "it is no regular file, or an interrupted run left it: it is not checked";
        (path.clone(), Some(why))
    };
    let all = documents.iter().map(|path| (path.clone(), None)).chain(others.iter().map(other));
    let total = documents.len() + others.len();
    let mut seen = 0;
    let progress = Progress::new("checking", Some(total as u64));
    for (document, unchecked) in all {
        let document = document.as_path();
        let proof = proof_of(document, options);
        let outcome = match unchecked {
            Some(why) => no(why),
            None => one(document, &proof, &policy, options, (signer.as_ref(), &lives)),
        };
        seen += 1;
        match &outcome {
            Ok(_) => {}
            Err(Failure::No(_)) => failed += 1,
            Err(Failure::Trouble(_)) => troubled += 1,
        }
        if let Ok(proven) = &outcome {
            warn(document, &proven.proven);
        }
        let stop = outcome.is_err() && !options.keep_going;
        progress.add(1);
        if options.json {
            results.push(to_json(document, &outcome, options));
        } else if many {
            say(line(document, &outcome));
        } else {
            told(document, &outcome?).iter().for_each(say);
        }
        if stop {
            break;
        }
    }
    drop(progress);
    if options.json {
        let result = match (failed, troubled) {
            (0, 0) => "yes",
            (_, 0) => "no",
            _ => "trouble",
        };
        let mut object =
            json!({"version": report::VERSION, "result": result, "documents": results});
        if let Some(window) = policy.window() {
            object["policy"] = coldlog_kit::policy::window_json(window, time::now());
        }
        say_json(&object);
    }
    match (failed, troubled) {
        (0, 0) if many && !options.json => {
            let practised = if options.rehearsal { MARK } else { "" };
            say(format!("{practised} all {total} documents are proven").trim_start());
            Ok(())
        }
        (0, 0) => Ok(()),
        _ => {
            let left = match total - seen {
                0 => String::new(),
                left => format!(", {left} were not looked at (--keep-going looks at all)"),
            };
            let proven = seen - failed - troubled;
            let text = format!(
                "of {total} documents {proven} are proven, {failed} are not, {troubled} could not be checked{left}"
            );
            if troubled > 0 { trouble(text) } else { no(text) }
        }
    }
}

/// The exit code of `verifier check` with these options and this one document, and its result's lines, or its
/// refusal: for the test that asks two implementations the same. Signature and key events are read where the
/// options name them, and in the command's order.
pub fn answer(document: &Path, options: &Options) -> (u8, Vec<String>) {
    let asked = || {
        // As `super::policy`, without what it says beside.
        let bytes = files::read(&options.policy, MAX_POLICY as u64)?;
        let named = || options.policy.display().to_string();
        let policy = Policy::parse(&bytes).with_context(named)?;
        let signer = options.signer.as_deref().map(read_signer).transpose()?;
        let lives = Lives::read(options.key_events.as_deref())?;
        let proof = proof_of(document, options);
        let checked = one(document, &proof, &policy, options, (signer.as_ref(), &lives))?;
        Outcome::Ok(told(document, &checked))
    };
    match asked() {
        Ok(lines) => (0, lines.iter().map(|line| escape(line)).collect()),
        // As `talk` does: one line, whatever the files say.
        Err(Failure::No(why)) => (1, vec![field(&text_of(&why))]),
        Err(Failure::Trouble(why)) => (2, vec![field(&text_of(&why))]),
    }
}

fn proof_of(document: &Path, options: &Options) -> PathBuf {
    options.proof.clone().unwrap_or_else(|| files::with_suffix(document, "proof"))
}

// An expired policy refuses nothing, but that a head is not of its time is never left unsaid.
fn warn(document: &Path, proven: &Proven) {
    for logged in proven.logged.iter().filter(|logged| !logged.under.validity.is_given()) {
        let (document, origin) = (document.display(), &logged.origin);
        let why = OutsideWindow(logged.under.validity);
        talk(format!("verifier: {document}: warning: the head of {origin}: {why}"));
    }
}

fn one(
    document: &Path,
    proof: &Path,
    policy: &Policy,
    options: &Options,
    (signer, lives): (Option<&PublicKey>, &Lives),
) -> Outcome<Checked> {
    policy.must_be(options.rehearsal).or_no()?;
    if !proof.exists() {
        return no(format!(
            "{} has no proof at {}: a signature that is not proven to be logged is not accepted",
            document.display(),
            proof.display()
        ));
    }
    let proof_bytes = files::read(proof, MAX_PROOF as u64)?;
    let proof = Proof::decode(&proof_bytes).with_context(|| proof.display().to_string())?;
    let scheme = expected_scheme(&proof).map_err(|why| Failure::No(why.into()))?;
    // In a folder the signature beside a document is no document of its own: it is checked with it.
    let beside = files::with_suffix(document, scheme.extension());
    let beside = (options.recursive && files::is_there(&beside)?).then_some(&beside);
    let signature = options.signature.as_ref().or(beside).map(|path| {
        let bytes = files::read(path, 8192)?;
        SignatureFile::decode(&bytes).with_context(|| path.display().to_string())
    });
    let signature = signature.transpose()?;
    // The proof is checked on one core while the document is read and hashed on another.
    let (logging, digest) = std::thread::scope(|scope| {
        let logging = scope.spawn(|| check_logging(&proof, policy));
        let digest = hash(document, scheme);
        // A panic in there is a bug, and goes on here.
        let logging = logging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (logging, digest)
    });
    let digest = digest?;
    let life = lives.of(proof.statement.claims(), policy);
    // A key that was handed over from the one that is demanded is as good, where it was in force.
    let known = life.as_ref().ok().and_then(Option::as_ref);
    let from = signer.filter(|key| known.is_some_and(|life| life.has(key)));
    let proven = logging
        .document(&digest, signature.as_ref(), signer.filter(|_| from.is_none()))
        .map_err(|why| Failure::No(why.into()))?;
    let life = life?;
    if let (Some(life), Some(demanded)) = (&life, from) {
        life.must_come_from(demanded, &proven.key).or_no()?;
    }
    let in_force = life.map(|life| life.judge(&proven)).transpose().or_no()?;
    proven.must_be_in(options.require_logs).map_err(|why| Failure::No(why.into()))?;
    if options.strict_validity {
        proven.must_be_valid().map_err(|why| Failure::No(why.into()))?;
    }
    if options.checksums {
        checksums(document, &digest)?;
    }
    Ok(Checked { proven, in_force })
}

/// What is proven of a document, and of its key where key events are at hand.
struct Checked {
    proven: Proven,
    in_force: Option<InForce>,
}

/// The lives of journals, each looked at once.
struct Lives {
    file: Option<KeyEvents>,
    known: RefCell<BTreeMap<Claims, Rc<Life>>>,
}

impl Lives {
    fn read(path: Option<&Path>) -> Result<Lives> {
        let file = path.map(super::keys::read).transpose()?;
        Ok(Lives { file, known: RefCell::default() })
    }

    fn of(&self, journal: &Claims, policy: &Policy) -> Outcome<Option<Rc<Life>>> {
        let Some(file) = &self.file else { return Ok(None) };
        if let Some(life) = self.known.borrow().get(journal) {
            return Ok(Some(life.clone()));
        }
        let life = Rc::new(Life::of(file, policy, journal).or_no()?);
        self.known.borrow_mut().insert(journal.clone(), life.clone());
        Ok(Some(life))
    }
}

fn in_force(state: &InForce) -> String {
    let keys = match state.keys {
        1 => "the journal's only key".into(),
        keys => format!("one of the journal's {keys} keys"),
    };
    let (origin, size) = &state.as_of;
    let spared = match &state.spared {
        None => String::new(),
        Some(since) => format!("; revoked {since}, and this signature is older"),
    };
    format!("{keys}, in force then, as of {origin} at size {size}{spared}")
}

fn hash(path: &Path, scheme: Scheme) -> Result<DocumentDigest> {
    let mut file = files::open(path)?;
    let mut hasher = DocumentHasher::new(scheme);
    let mut buffer = vec![0; 1 << 15];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("reading {}", path.display()))?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
    }
}

pub(crate) fn read_signer(text: &str) -> Result<PublicKey> {
    if let Some(key) = parse_public_key(text) {
        return Ok(key);
    }
    if coldlog_spec::hash::from_hex(text).is_some() {
        anyhow::bail!("{text} is no sound Ed25519 public key");
    }
    let file = String::from_utf8(files::read(Path::new(text), 1 << 16)?)
        .context("the key file is not UTF-8")?;
    parse_public_key(&file)
        .with_context(|| format!("{text} holds no ssh-ed25519 key and no 64 hex digits"))
}

const AS_ASKED: &str = "real, or of a rehearsal, as asked for";
const AT_HAND: &str = "proof is at hand";
const IN_FORCE: &str = "key in force then, not revoked";
const LISTED: &str = "each listed file has its sum";

/// A list whose signature is proven, and whose files are not what it says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotListed(String);

// The files listed in a SHA256SUMS whose own signature was just proven, beside it.
fn checksums(list: &Path, digest: &DocumentDigest) -> Outcome {
    let bytes = files::read(list, 64 << 20)?;
    if Hash::of(&bytes) != digest.sha256 {
        return Err(NotListed("the list changed while it was read".into())).or_no();
    }
    let text = String::from_utf8(bytes).context("the list is not UTF-8")?;
    let mut count = 0;
    for line in text.lines() {
        let parsed = line.split_once("  ").or_else(|| line.split_once(" *"));
        let parsed = parsed.and_then(|(sum, name)| Some((Hash::from_hex(sum)?, name)));
        let Some((expected, name)) = parsed else {
            return trouble(format!("{line:?} is no line of sha256sum"));
        };
        // The list is signed, but a name in it is still no path that may lead elsewhere.
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            let why = format!("the list names {name:?}, which leads out of its folder");
            return Err(NotListed(why)).or_no();
        }
        let found = hash(&files::folder_of(list).join(name), Scheme::Sshsig)?.sha256;
        if found != expected {
            return Err(NotListed(format!(
                "tampering: {name} has the SHA-256 {found}, the signed list says {expected}"
            )))
            .or_no();
        }
        count += 1;
    }
    if count == 0 {
        return Err(NotListed("the list names 0 files: nothing was checked".into())).or_no();
    }
    Ok(())
}

fn bound(time: Option<u64>) -> String {
    time.map_or("not known".into(), time::show)
}

fn told(document: &Path, Checked { proven, in_force: state }: &Checked) -> Vec<String> {
    let line = format!("proven: {}", field(&document.display().to_string()));
    let mut text = vec![marked(&proven.issuer, line)];
    let mut say = |line: String| text.push(line);
    let recorded = &proven.document;
    say(format!(
        "  document   {} {} ({} bytes, SHA-256 {})",
        field(&recorded.name),
        field(&recorded.version),
        recorded.size,
        recorded.sha256
    ));
    say(format!("  signed by  {} ({:?})", field(&proven.issuer), proven.key));
    if let Some(state) = state {
        say(format!("  its key    {}", in_force(state)));
    }
    say(format!(
        "  record     number {} of the journal {}, operator {}, purpose {:?}",
        proven.sequence,
        field(&proven.journal),
        field(&proven.record.operator),
        proven.record.purpose
    ));
    for (key, seen) in &proven.approved_by {
        let how = if *seen { "" } else { ", by its digest only" };
        say(format!("  approved   by {key:?}{how}; whether that is enough, the genesis says"));
    }
    for logged in &proven.logged {
        say(format!(
            "  logged in  {} at index {}, head of size {}",
            logged.origin, logged.index, logged.size
        ));
        for witness in &logged.witnesses {
            say(format!("  vouched    {} at {}", witness.name, time::show(witness.time)));
        }
        say(format!("  witnessed  {}", super::policy::witnessed(&logged.under)));
        if let Some(text) = coldlog_kit::policy::validity(logged.under.validity) {
            say(format!("  validity   {text}"));
        }
    }
    say(format!("  not before {}", bound(proven.not_before)));
    say(format!("  not after  {}", bound(proven.not_after)));
    say(format!("  claimed    {} by the signer's own clock", time::show(proven.record.time)));
    let made =
        if proven.same_policy { "this policy" } else { "another policy; verified under this one" };
    say(format!("  made under {made}"));
    text
}

fn line(document: &Path, outcome: &Outcome<Checked>) -> String {
    match outcome {
        Ok(Checked { proven, .. }) => {
            let places: Vec<String> =
                proven.logged.iter().map(|l| format!("{} #{}", l.origin, l.index)).collect();
            let line = format!(
                "proven   {}: {}, not after {}",
                field(&document.display().to_string()),
                places.join(", "),
                bound(proven.not_after)
            );
            marked(&proven.issuer, line)
        }
        Err(Failure::No(why)) => refused("REFUSED", document, why),
        Err(Failure::Trouble(why)) => refused("TROUBLE", document, why),
    }
}

fn refused(how: &str, document: &Path, why: &anyhow::Error) -> String {
    format!("{how}  {}: {}", field(&document.display().to_string()), field(&text_of(why)))
}

fn to_json(document: &Path, outcome: &Outcome<Checked>, options: &Options) -> Value {
    let name = document.display().to_string();
    let asked = |check: &Check| match check {
        Check::Signer => options.signer.is_some(),
        _ => true,
    };
    let mut names = vec![AS_ASKED, AT_HAND];
    names.extend(Check::ALL.iter().filter(|c| asked(c)).map(|c| c.name()));
    if options.key_events.is_some() {
        names.push(IN_FORCE);
    }
    if options.checksums {
        names.push(LISTED);
    }
    let mut checks = Checks::new(&names);
    // The error says which check it failed, or could not be made; all before it passed.
    if let Err(Failure::No(why) | Failure::Trouble(why)) = outcome {
        let failed = match why.downcast_ref::<NotProven>() {
            Some(why) => why.check().name(),
            None if why.is::<NotListed>() => LISTED,
            None if why.is::<NotMeant>() => AS_ASKED,
            None if why.is::<NotGood>() || why.is::<NoLife>() => IN_FORCE,
            None => AT_HAND,
        };
        names.iter().take_while(|name| **name != failed).for_each(|_| checks.pass());
    }
    let checks = checks.to_json(outcome.as_ref().err());
    match outcome {
        Err(Failure::No(why)) => {
            json!({"file": name, "result": "no", "reason": text_of(why), "checks": checks})
        }
        Err(Failure::Trouble(why)) => {
            json!({"file": name, "result": "trouble", "reason": text_of(why), "checks": checks})
        }
        Ok(Checked { proven, in_force }) => json!({
            "file": name, "result": "yes", "checks": checks, "rehearsal": options.rehearsal,
            "document": {"name": proven.document.name, "version": proven.document.version,
                "size": proven.document.size, "sha256": proven.document.sha256.to_hex()},
            "signer": proven.issuer, "key": coldlog_spec::hash::to_hex(proven.key.as_bytes()),
            "journal": proven.journal, "sequence": proven.sequence,
            "operator": proven.record.operator, "purpose": proven.record.purpose,
            "logs": proven.logged.iter().map(|logged| json!({
                "origin": logged.origin, "index": logged.index, "size": logged.size,
                "root": logged.root.to_hex(),
                "witnessed": super::policy::witnessed_json(&logged.under),
                "witnesses": logged.witnesses.iter().map(|w| json!({"name": w.name, "time": time::show(w.time)})).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "approved_by": proven.approved_by.iter().map(|(key, seen)| json!({
                "key": coldlog_spec::hash::to_hex(key.as_bytes()), "seen": seen})).collect::<Vec<_>>(),
            "not_before": proven.not_before.map(time::show),
            "not_after": proven.not_after.map(time::show),
            "claimed_time": time::show(proven.record.time),
            "made_under_this_policy": proven.same_policy,
            "key_in_force": in_force.as_ref().map(|state| json!({
                "keys": state.keys, "log": state.as_of.0, "size": state.as_of.1,
                "revoked": state.spared.as_ref().map(ToString::to_string),
            })),
        }),
    }
}
