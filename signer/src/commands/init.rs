//! `signer init`: key, journal, genesis.

use crate::journal::{Draft, Journal};
use crate::keys;
use anyhow::{Context, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::terminal::say;
use coldlog_kit::{seal, secret};
use coldlog_spec::cose::Claims;
use coldlog_spec::note::is_key_name;
use coldlog_spec::record::{Operation, Record};
use coldlog_spec::verify::clock::{EARLIEST, Known, judge};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the command line says.
pub struct Options {
    /// The signer's name.
    pub name: String,
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
    /// scrypt cost.
    pub scrypt_log_n: u8,
    /// The passphrase's source.
    pub secret: secret::Source,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    for name in [&options.name, &options.journal] {
        if !is_key_name(name) {
            bail_usage(name)?;
        }
    }
    let mut recipients = Vec::new();
    for auditor in &options.auditors {
        recipients.push(seal::parse_recipient(auditor)?);
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
        Keys::load(&key_file, "signer", &options.secret)?
    } else {
        let made = match &options.import_ssh_key {
            None => Keys::generate("signer", &options.name)?,
            Some(path) => Keys::from_seed("signer", &options.name, read_ssh_seed(path)?)?,
        };
        let passphrase = options.secret.ask("the new signing key", true)?;
        made.save(&key_file, Some((&passphrase, options.scrypt_log_n)))?;
        made
    };
    if key_pair.name != options.name {
        Err(anyhow::anyhow!(
            "{} is the key of {:?}, not of {:?}",
            key_file.display(),
            key_pair.name,
            options.name
        ))?;
    }
    recipients.push(key_pair.recipient());
    let claims = Claims { issuer: options.name.clone(), subject: options.journal.clone() };
    let time = coldlog_kit::time::now();
    // Whatever the clock says, it stands at the journal's beginning; a dead battery is told of.
    let known = Known { witnessed: None, genesis: EARLIEST, last: EARLIEST };
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
        operation: Operation::Genesis { operators: options.operators.clone() },
    };
    let draft = Draft { record, salt: secret::random()?, output: None };
    let key = key_pair.ed25519();
    // A journal without the files that follow from it is what an interrupted init leaves, too.
    if !begun {
        Journal::create(home, &key, &claims, draft, &recipients, None)?;
    }
    let journal = Journal::open(home)?;
    journal.leave(home)?;
    keys::write_genesis(home, &journal)?;
    keys::write_public(home, &journal)?;
    let genesis = &journal.admission().genesis;
    let public = key.public();
    say(format!("signer   {} ({public:?})", options.name));
    say(format!("genesis  {}", home.join("genesis.cbor").display()));
    say(format!("fingerprint  {}", genesis.leaf()));
    say("Give the genesis file to the log's operator, and read the fingerprint to them.");
    Ok(())
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
