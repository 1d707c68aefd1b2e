//! The life of a key: `signer rotate-key`, `change`, `revoke`, `retire`. Each is a record of the journal, in
//! the log like any other.

use crate::clock::Clock;
use crate::factors::{self, SecondSource};
use crate::journal::{self, Draft, Journal};
use crate::keys;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::{seal, secret, time};
use coldlog_spec::approval::Carried;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::document::parse_public_key;
use coldlog_spec::ed25519::{PublicKey, SecretKey};
use coldlog_spec::factor::{Factor, SecondFactor};
use coldlog_spec::key_event::{Event, KeyEvent, Since, revocation_claims};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::record::{Disclosure, Operation, Record};
use coldlog_spec::registration::Registration;
use coldlog_spec::statement::{Payload, Position, Statement};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Who does it, and why: recorded, not public.
pub struct By {
    /// One of the operators.
    pub operator: String,
    /// Why.
    pub purpose: String,
    /// The passphrase's source.
    pub secret: secret::Source,
    /// The second factor's source.
    pub second: SecondSource,
}

/// `signer rotate-key`
pub struct Rotate {
    /// An OpenSSH key to bring in; otherwise one is made.
    pub import_ssh_key: Option<PathBuf>,
    /// scrypt cost.
    pub scrypt_log_n: u8,
}

/// `signer change`
pub struct Change {
    /// Operators to add, and to remove.
    pub operators: (Vec<String>, Vec<String>),
    /// Auditors to add, and to remove.
    pub auditors: (Vec<String>, Vec<String>),
}

/// `signer revoke`
pub struct Revoke {
    /// The key; by default the one in force.
    pub key: Option<String>,
    /// From a record on.
    pub since_record: Option<u64>,
    /// From a time on.
    pub since_time: Option<String>,
    /// For all that is not under a head.
    pub since_head: Option<PathBuf>,
    /// Not now: into a file that is sealed to `to`, for the day on which this machine is gone.
    pub prepare: Option<PathBuf>,
    /// Who may open the file.
    pub to: Vec<String>,
}

impl Revoke {
    /// From the command line; the bounds are record, time and head.
    pub fn new(
        key: Option<String>,
        (since_record, since_time, since_head): (Option<u64>, Option<String>, Option<PathBuf>),
        prepare: Option<PathBuf>,
        to: Vec<String>,
    ) -> Revoke {
        Revoke { key, since_record, since_time, since_head, prepare, to }
    }
}

// An open journal with its key, held by this process, about to be written by one who may.
struct Desk {
    _lock: files::FolderLock,
    journal: Journal,
    keys: Keys,
    demanded: Option<SecondFactor>,
    factors: Vec<Factor>,
}

impl Desk {
    fn open(home: &Path, by: &By) -> Outcome<Desk> {
        let _lock = journal::lock(home)?;
        let journal = Journal::open(home)?;
        journal.must_go_on(home)?;
        journal.must_be_operated_by(&by.operator)?;
        let demanded = journal.founding()?.second_factor;
        let (keys, factors) =
            factors::open(home, &journal, demanded, None, (&by.secret, &by.second))?;
        Ok(Desk { _lock, journal, keys, demanded, factors })
    }

    fn draft(&self, by: &By, event: &str, operators: Option<Vec<String>>) -> Result<Draft> {
        let device = self.journal.device()?;
        let (time, clock) = Clock::of(&self.journal, false)?.read()?;
        let record = Record {
            time,
            operator: by.operator.clone(),
            purpose: by.purpose.clone(),
            device,
            clock,
            approved: Carried::default(),
            factors: self.factors.clone(),
            operation: Operation::KeyEvent { event: event.into(), operators },
        };
        Ok(Draft { record, salt: secret::random()?, output: None })
    }

    // Appends an event and leaves the journal as the one that goes on; tells its number and the tail.
    fn append(
        &mut self,
        home: &Path,
        next: Option<&SecretKey>,
        draft: Draft,
        make: Box<journal::events::MakeEvent>,
    ) -> Outcome<u64> {
        let key = self.keys.ed25519();
        self.journal.begin(home)?;
        factors::take(&mut self.journal, &self.factors)?;
        let appended = self.journal.append_event(&key, next, draft, make);
        let left = self.journal.leave(home);
        let statement = appended.map_err(Failure::from)?;
        left?;
        Ok(statement.position.sequence)
    }

    fn tail(&self) -> Result<String> {
        Ok(format!("write down the journal's tail: {}", self.journal.tail()?.tail.short()))
    }
}

/// `signer rotate-key`: the old key hands over, the new one consents; both sign.
pub fn rotate(home: &Path, options: &Rotate, by: &By) -> Outcome {
    let mut desk = Desk::open(home, by)?;
    if let Some(reference) = desk.keys.reference() {
        return no(format!(
            "the key is {reference}, and a rotation makes a key file: the journal would move to a lesser place. Retire this journal (`signer retire`), and begin a new one there (`signer init`)"
        ));
    }
    let next_file = keys::next_file(home);
    // A next key without its record is what an interrupted rotation leaves: it goes on with that key.
    let next = match files::is_there(&next_file)? {
        true => Keys::read_with(&next_file, "signer", by.secret.identity.as_deref(), |what| {
            factors::passphrase(what, desk.demanded, &by.secret, &by.second, false)
        })?,
        false => {
            let seed = match &options.import_ssh_key {
                Some(path) => super::init::read_ssh_seed(path)?,
                None => Zeroizing::new(secret::random()?),
            };
            let next = desk.keys.with_seed(seed);
            let what = "the next signing key";
            let passphrase =
                factors::passphrase(what, desk.demanded, &by.secret, &by.second, true)?;
            next.save(&next_file, Some((passphrase.as_str(), options.scrypt_log_n)))?;
            next
        }
    };
    let (old, new) = (desk.journal.key().clone(), next.ed25519());
    let claims = desk.journal.claims().clone();
    let draft = desk.draft(by, "rotation", None)?;
    let make = |position: &Position, commitment| {
        Ok(KeyEvent::rotation(&old, &new, &claims, position, commitment)?)
    };
    let number = desk.append(home, Some(&new), draft, Box::new(make))?;
    let given_up = keys::finish_rotation(home, &desk.journal)?;
    say(format!("rotated  {old:?} to {:?}, record {number}", new.public()));
    say(format!("new      {}, and allowed_signers with both", home.join("signer.pub").display()));
    say(format!("Once the log has the record, destroy the old key: {}", given_up.display()));
    say(desk.tail()?);
    Ok(())
}

fn changed(
    what: &str,
    before: Vec<String>,
    (add, remove): &(Vec<String>, Vec<String>),
) -> Outcome<Vec<String>> {
    let mut after = before;
    for name in remove {
        let Some(at) = after.iter().position(|there| there == name) else {
            return no(format!("{name:?} is none of the {what}: {}", after.join(", ")));
        };
        after.remove(at);
    }
    for name in add {
        if after.contains(name) {
            return no(format!("{name:?} is among the {what} already"));
        }
        after.push(name.clone());
    }
    match after.is_empty() {
        true => no(format!("no {what} would be left: name others with the same command")),
        false => Ok(after),
    }
}

/// `signer change`: operators and auditors come and go, by records only.
pub fn change(home: &Path, options: &Change, by: &By) -> Outcome {
    let both = [&options.operators, &options.auditors];
    if both.iter().all(|(add, remove)| add.is_empty() && remove.is_empty()) {
        return trouble(
            "nothing to change: say --add-operator, --remove-operator, --add-auditor or --remove-auditor",
        );
    }
    for auditor in &options.auditors.0 {
        seal::parse_recipient(auditor)?;
    }
    let mut desk = Desk::open(home, by)?;
    let operators = changed("operators", desk.journal.operators()?, &options.operators)?;
    let own = desk.keys.recipient().to_string();
    if options.auditors.1.contains(&own) {
        return no("this recipient is the signer's own: it must read its records itself");
    }
    let before = desk.journal.admission().recipients().to_vec();
    let recipients = changed("recipients", before, &options.auditors)?;
    if recipients == [own] {
        return no("no auditor would be left: name another with --add-auditor");
    }
    let draft = desk.draft(by, "change", Some(operators.clone()))?;
    let (names, count) = (operators.join(", "), recipients.len());
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Change { recipients }, commitment })
    };
    let number = desk.append(home, None, draft, Box::new(make))?;
    say(format!(
        "changed  record {number}: operators {}; records are sealed to {count} recipients",
        field(&names)
    ));
    say(desk.tail()?);
    Ok(())
}

/// `signer retire`: the journal ends as planned.
pub fn retire(home: &Path, by: &By) -> Outcome {
    let mut desk = Desk::open(home, by)?;
    let key = *desk.journal.key().as_bytes();
    let draft = desk.draft(by, "retirement", None)?;
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Retirement { key }, commitment })
    };
    let number = desk.append(home, None, draft, Box::new(make))?;
    say(format!(
        "retired  {:?}, record {number}: all that was signed stays good, nothing more can be signed",
        desk.journal.key()
    ));
    say(desk.tail()?);
    Ok(())
}

fn since(options: &Revoke) -> Outcome<Since> {
    let Revoke { since_record, since_time, since_head, prepare, .. } = options;
    Ok(match (since_record, since_time, since_head, prepare) {
        (Some(number), None, None, None) => Since::Record(*number),
        (None, Some(text), None, None) => {
            Since::Time(time::parse(text).map_err(anyhow::Error::msg)?)
        }
        (None, None, Some(path), None) => {
            let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?)
                .with_context(|| path.display().to_string())?
                .checkpoint;
            Since::Head { origin: head.origin, size: head.size, root: head.root }
        }
        (None, None, None, Some(_)) => Since::Publication,
        (None, None, None, None) => {
            return trouble(
                "say from when on the key is not to be trusted: --since-record, --since-time or --since-head; or --prepare a revocation for a day on which nobody can say",
            );
        }
        _ => {
            return trouble(
                "one bound: --since-record, --since-time or --since-head; a prepared revocation is bound by its publication",
            );
        }
    })
}

/// `signer revoke`
pub fn revoke(home: &Path, options: &Revoke, by: &By) -> Outcome {
    let since = since(options)?;
    let key = options.key.as_deref();
    let key = key.map(|text| {
        parse_public_key(text).context("--key is a public key: ssh-ed25519 ..., or 64 hex digits")
    });
    let key = key.transpose()?;
    if let Some(output) = &options.prepare {
        return prepare(home, output, &options.to, by);
    }
    let mut desk = Desk::open(home, by)?;
    let key = key.unwrap_or_else(|| desk.journal.key().clone());
    if !desk.journal.admission().keys().contains(&key) {
        return no(format!("{key:?} is no key of this journal: `signer public-key` shows them"));
    }
    let ends = key == *desk.journal.key();
    let draft = desk.draft(by, "revocation", None)?;
    let (bytes, bound) = (*key.as_bytes(), since.clone());
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Revocation { key: bytes, since: bound }, commitment })
    };
    let number = desk.append(home, None, draft, Box::new(make))?;
    say(format!("revoked  {key:?}, record {number}: {since}"));
    if ends {
        say(
            "it was the key in force: the journal ends here; begin a new one with `signer init` in another --home",
        );
    }
    say("Bring the record to the log now (`signer export`): until it is there, nobody knows.");
    say(desk.tail()?);
    Ok(())
}

// A revocation in the drawer: signed now, by a key that may be lost later; it names no bound.
fn prepare(home: &Path, output: &Path, to: &[String], by: &By) -> Outcome {
    if to.is_empty() {
        return trouble(
            "name who may open the prepared revocation: --to age1..., repeat for several",
        );
    }
    let readers = seal::parse_recipients(to)?;
    let desk = Desk::open(home, by)?;
    let key = desk.keys.ed25519();
    let (statement, sealed) = prepared(&desk, &key, by)?;
    let registration = Registration { statement, sealed }.encode();
    Registration::decode(&registration)?;
    let sealed = seal::seal_any(&registration, &readers)?;
    files::write(output, &sealed, Existing::Never, Mode::Private)?;
    say(format!(
        "prepared {:?}: {}, sealed to {} recipients; keep it away from this machine, and publish it with `log revoke`",
        desk.journal.key(),
        output.display(),
        readers.len()
    ));
    Ok(())
}

fn prepared(desk: &Desk, key: &SecretKey, by: &By) -> Result<(Statement, Vec<u8>)> {
    let public: PublicKey = key.public();
    let claims: Claims = revocation_claims(desk.journal.claims(), &public);
    let Draft { record, salt, .. } = desk.draft(by, "revocation", None)?;
    let disclosure = Disclosure { salt, record };
    let event = Event::Revocation { key: *public.as_bytes(), since: Since::Publication };
    let event = KeyEvent { event, commitment: disclosure.commitment() };
    let position = Position { sequence: 0, previous: None, head: None };
    let statement = Statement::sign(key, &claims, &position, Payload::KeyEvent(event))?;
    let recipients = seal::parse_recipients(desk.journal.admission().recipients())?;
    Ok((statement, seal::seal(&disclosure.encode(), &recipients)?))
}
