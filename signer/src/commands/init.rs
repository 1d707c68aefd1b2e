//! `signer init`: key, journal, genesis.

use crate::factors::{self, SecondSource};
use crate::journal::{Draft, Journal};
use crate::keys;
use anyhow::{Context, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::custody::{NewKey, Start};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::rehearsal::say_loudly;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::{seal, secret};
use coldlog_spec::approval::{ApprovalPolicy, Approver, Carried};
use coldlog_spec::cose::Claims;
use coldlog_spec::document::parse_public_key;
use coldlog_spec::factor::SecondFactor;
use coldlog_spec::key_event::Recovers;
use coldlog_spec::note::is_key_name;
use coldlog_spec::record::{Operation, Record};
use coldlog_spec::rehearsal::own_name;
use coldlog_spec::verify::clock::{EARLIEST, Known, judge};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the command line says.
pub struct Options {
    /// The signer's name.
    pub name: String,
    /// Whether it is a signer to practise with.
    pub rehearsal: bool,
    /// The journal's name.
    pub journal: String,
    /// Who may operate.
    pub operators: Vec<String>,
    /// age recipients.
    pub auditors: Vec<String>,
    /// The machine.
    pub device: String,
    /// An OpenSSH key to bring in.
    pub import_ssh_key: Option<PathBuf>,
    /// Where the signing key shall live.
    pub place: NewKey,
    /// Make it without asking.
    pub yes: bool,
    /// The folder of a journal that was lost, as far as it is there: the new one goes on with it.
    pub recovers: Option<PathBuf>,
    /// scrypt cost.
    pub scrypt_log_n: u8,
    /// `NAME=FILE` with a public key: who approves.
    pub approvers: Vec<String>,
    /// How many must.
    pub threshold: Option<usize>,
    /// What must be given beside the passphrase.
    pub second_factor: Option<SecondFactor>,
    /// The passphrase's source.
    pub secret: secret::Source,
    /// The second factor's source.
    pub second: SecondSource,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let name = own_name(&options.name, options.rehearsal).or_no()?;
    for name in [&name, &options.journal] {
        if !is_key_name(name) {
            bail_usage(name)?;
        }
    }
    let mut recipients = Vec::new();
    for auditor in &options.auditors {
        recipients.push(seal::parse_recipient(auditor)?);
    }
    let approvals = approval_policy(&options.approvers, options.threshold)?;
    if !agreed(home, &name, options)? {
        return no("nothing was made");
    }
    // The journal holds disclosures in the clear: nobody else may look in.
    files::create_private_folder(home)?;
    let _lock = files::lock(home)?;
    let key_file = home.join("key.age");
    let journal_file = home.join("journal.sqlite");
    let begun = journal_file.exists() && !Journal::is_empty(&journal_file)?;
    if begun && home.join("minisign.pub").exists() {
        Err(anyhow::anyhow!("{} holds a signer already; choose another --home", home.display()))?;
    }
    // A key without a journal is what an interrupted init leaves: it goes on with that key.
    let key_pair = if key_file.exists() {
        let (factor, second) = (options.second_factor, &options.second);
        let identities = options.secret.identity.as_deref();
        let mut read = Keys::read_with(&key_file, "signer", identities, |what| {
            factors::passphrase(what, factor, &options.secret, second, false)
        })?;
        read.open(&options.secret)?;
        read
    } else {
        let (factor, second) = (options.second_factor, &options.second);
        let start = Start {
            role: "signer",
            name: &name,
            place: &options.place,
            after: None,
            seed: options.import_ssh_key.as_deref().map(read_ssh_seed).transpose()?,
            scrypt_log_n: options.scrypt_log_n,
            unencrypted: factors::may_be_open(&options.place, factor, &options.secret)?,
        };
        start.run_asking(&key_file, &options.secret, |what| {
            factors::passphrase(what, factor, &options.secret, second, true)
        })?
    };
    if key_pair.name != name {
        Err(anyhow::anyhow!(
            "{} is the key of {:?}, not of {:?}",
            key_file.display(),
            key_pair.name,
            name
        ))?;
    }
    if options.second_factor == Some(SecondFactor::Totp) && !begun {
        factors::make_secret(home, &key_pair)?;
    }
    recipients.push(key_pair.recipient());
    let claims = Claims { issuer: name.clone(), subject: options.journal.clone() };
    let time = coldlog_kit::time::now();
    // Whatever the clock says, it stands at the journal's beginning; a dead battery is told of.
    let known = Known { witnessed: None, genesis: EARLIEST, last: None };
    let odd = judge(time, &known, true)?;
    if let Some(odd) = &odd {
        coldlog_kit::terminal::talk(format!(
            "signer: the clock is {}: set it, and begin anew",
            crate::clock::words(odd)
        ));
    }
    let record = Record {
        time,
        operator: options.operators.first().cloned().unwrap_or_default(),
        purpose: "genesis".into(),
        device: options.device.clone(),
        clock: odd,
        approved: Carried::default(),
        factors: Vec::new(),
        operation: Operation::Genesis {
            operators: options.operators.clone(),
            approvals: approvals.clone(),
            second_factor: options.second_factor,
        },
    };
    let draft = Draft { record, salt: secret::random()?, output: None };
    let key = key_pair.ed25519();
    // A journal without the files that follow from it is what an interrupted init leaves, too.
    if !begun {
        let recovers = options.recovers.as_deref().map(recovered).transpose()?;
        Journal::create(home, &key, &claims, draft, &recipients, recovers)?;
    }
    let mut journal = Journal::open(home)?;
    if begun {
        must_be_as_asked(home, &journal, options, &approvals, &recipients)?;
    }
    journal.begin_counting(key_pair.place().filter(|_| options.place.pkcs11.is_some()))?;
    journal.leave(home)?;
    keys::write_genesis(home, &journal)?;
    keys::write_public(home, &journal)?;
    let genesis = &journal.admission().genesis;
    let public = key.public();
    say_loudly(&name);
    say(format!("signer   {name} ({public:?})"));
    say(format!("genesis  {}", home.join("genesis.cbor").display()));
    say(format!("fingerprint  {}", genesis.leaf()));
    say("Give the genesis file to the log's operator, and read the fingerprint to them.");
    Ok(())
}

// What an interrupted init left has its genesis: the same words must be said again, for it does not change. And
// a copy of a journal is not made the one that signs.
fn must_be_as_asked(
    home: &Path,
    journal: &Journal,
    options: &Options,
    approvals: &ApprovalPolicy,
    recipients: &[seal::Recipient],
) -> Outcome {
    journal.must_be_up_to_date()?;
    let founding = journal.founding()?;
    let asked: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    let same = journal.claims().subject == options.journal
        && journal.operators()? == options.operators
        && founding.approvals == *approvals
        && founding.second_factor == options.second_factor
        && journal.admission().recipients() == asked;
    if !same {
        return no(format!(
            "{} has a genesis from an init that was interrupted, with other operators, auditors, approvers or another second factor than are said now: say the same again, or choose another --home",
            home.display()
        ));
    }
    match journal.was_left(home)? && !journal.is_original(home)? {
        true => no("this journal was copied or moved since it was made: see `signer reopen`"),
        false => Ok(()),
    }
}

fn approval_policy(
    approvers: &[String],
    threshold: Option<usize>,
) -> anyhow::Result<ApprovalPolicy> {
    let threshold = match (approvers.is_empty(), threshold) {
        (true, None) => return Ok(ApprovalPolicy::default()),
        (false, None) => bail!("say with --approvals how many of the approvers must approve"),
        (_, Some(threshold)) => threshold,
    };
    let approvers = approvers.iter().map(|text| read_approver(text));
    let approvers = approvers.collect::<anyhow::Result<_>>()?;
    Ok(ApprovalPolicy::new(threshold, approvers)?)
}

/// An approver as the command line says it: `NAME=PUBLIC-KEY-FILE`.
pub(super) fn read_approver(text: &str) -> anyhow::Result<Approver> {
    let (name, file) = text
        .split_once('=')
        .with_context(|| format!("an approver is NAME=PUBLIC-KEY-FILE, found {text:?}"))?;
    let bytes = files::read(Path::new(file), 1 << 16)?;
    let key = std::str::from_utf8(&bytes).ok().and_then(parse_public_key);
    let key = key.with_context(|| format!("{file} holds no ssh-ed25519 public key"))?;
    Ok(Approver { name: name.into(), key })
}

// What the genesis says of the journal that it goes on with.
fn recovered(home: &Path) -> anyhow::Result<Recovers> {
    let lost = Journal::open_to_read(home)?;
    Ok(Recovers { genesis: lost.admission().genesis.leaf(), tail: lost.tail()?.tail })
}

// What stands in the log for ever is shown before it is made.
fn agreed(home: &Path, name: &str, options: &Options) -> anyhow::Result<bool> {
    // Where a signer is already, there is nothing to ask: it is refused below.
    let asked = !options.yes && !home.join("minisign.pub").exists();
    let Some(person) = Person::here().filter(|_| asked) else { return Ok(true) };
    let key = match &options.import_ssh_key {
        None if options.place.is_held() => "held in the token or the agent that was named".into(),
        None => "made new, on this machine".into(),
        Some(path) => format!("brought in from {}", path.display()),
    };
    say_loudly(name);
    person.tell("To make:");
    for (what, value) in [
        ("signer", name),
        ("journal", &options.journal),
        ("key", &key),
        ("operators", &options.operators.join(", ")),
        ("auditors", &options.auditors.join(", ")),
        ("machine", &options.device),
        ("in", &home.display().to_string()),
    ] {
        person.tell(format!("  {what:<10} {}", field(value)));
    }
    person.tell(
        "The names and the auditors stand in the first record, which is never changed: whoever is not an auditor now cannot read these records later.",
    );
    person.agrees("Make this signer?")
}

fn bail_usage(name: &str) -> anyhow::Result<()> {
    bail!(
        "{name:?} cannot be a name: no spaces, no plus, at most 255 bytes, for example signer.example/release"
    )
}

pub(crate) fn read_ssh_seed(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let bytes = files::read_private(path, 1 << 16)?;
    let key = ssh_key::PrivateKey::from_openssh(&bytes[..])
        .with_context(|| format!("{} is no OpenSSH private key", path.display()))?;
    if key.is_encrypted() {
        bail!(
            "{} is encrypted; remove its passphrase on this offline machine first (ssh-keygen -p)",
            path.display()
        );
    }
    match key.key_data().ed25519() {
        Some(pair) => Ok(Zeroizing::new(pair.private.to_bytes())),
        None => bail!("{} is not an Ed25519 key; only Ed25519 can sign statements", path.display()),
    }
}
