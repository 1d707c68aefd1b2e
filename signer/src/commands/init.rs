//! `signer init`: key, journal, genesis.

use crate::journal::{Draft, Journal};
use anyhow::{Context, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::rehearsal::say_loudly;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::{seal, secret};
use coldlog_spec::cose::Claims;
use coldlog_spec::note::is_key_name;
use coldlog_spec::record::{Operation, Record};
use coldlog_spec::rehearsal::own_name;
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
    /// Make it without asking.
    pub yes: bool,
    /// scrypt cost.
    pub scrypt_log_n: u8,
    /// The passphrase's source.
    pub secret: secret::Source,
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
    let keys = if key_file.exists() {
        Keys::load(&key_file, "signer", &options.secret)?
    } else {
        let keys = match &options.import_ssh_key {
            None => Keys::generate("signer", &name)?,
            Some(path) => Keys::from_seed("signer", &name, read_ssh_seed(path)?)?,
        };
        let passphrase = options.secret.ask("the new signing key", true)?;
        keys.save(&key_file, Some((&passphrase, options.scrypt_log_n)))?;
        keys
    };
    if keys.name != name {
        Err(anyhow::anyhow!(
            "{} is the key of {:?}, not of {:?}",
            key_file.display(),
            keys.name,
            name
        ))?;
    }
    recipients.push(keys.recipient());
    let claims = Claims { issuer: name.clone(), subject: options.journal.clone() };
    let record = Record {
        time: coldlog_kit::time::now(),
        operator: options.operators.first().cloned().unwrap_or_default(),
        purpose: "genesis".into(),
        device: options.device.clone(),
        operation: Operation::Genesis { operators: options.operators.clone() },
    };
    let draft = Draft { record, salt: secret::random()?, output: None };
    let key = keys.ed25519();
    // A journal without the files that follow from it is what an interrupted init leaves, too.
    if !begun {
        Journal::create(home, &key, &claims, draft, &recipients)?;
    }
    let journal = Journal::open(home)?;
    journal.leave(home)?;
    let genesis = journal.admission().genesis.clone();
    let genesis_file = home.join("genesis.cbor");
    files::write(&genesis_file, genesis.bytes(), Existing::Replace, Mode::Public)?;
    let public = key.public();
    let ssh = format!("{} {}\n", coldlog_spec::document::ssh_public_key(&public), name);
    files::write(&home.join("signer.pub"), ssh.as_bytes(), Existing::Replace, Mode::Public)?;
    let allowed = format!(
        "{} namespaces=\"file\" {}\n",
        name,
        coldlog_spec::document::ssh_public_key(&public)
    );
    files::write(
        &home.join("allowed_signers"),
        allowed.as_bytes(),
        Existing::Replace,
        Mode::Public,
    )?;
    let minisign = coldlog_spec::document::minisign_public_key(&public);
    files::write(&home.join("minisign.pub"), minisign.as_bytes(), Existing::Replace, Mode::Public)?;
    say_loudly(&name);
    say(format!("signer   {name} ({public:?})"));
    say(format!("genesis  {}", genesis_file.display()));
    say(format!("fingerprint  {}", genesis.leaf()));
    say("Give the genesis file to the log's operator, and read the fingerprint to them.");
    Ok(())
}

// What stands in the log for ever is shown before it is made.
fn agreed(home: &Path, name: &str, options: &Options) -> anyhow::Result<bool> {
    // Where a signer is already, there is nothing to ask: it is refused below.
    let asked = !options.yes && !home.join("minisign.pub").exists();
    let Some(person) = Person::here().filter(|_| asked) else { return Ok(true) };
    let key = match &options.import_ssh_key {
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

fn read_ssh_seed(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
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
