//! The life of a key: `signer rotate-key`, `change`, `revoke`, `retire`. Each is a record of the journal, in
//! the log like any other.

use crate::clock::Clock;
use crate::factors::{self, SecondSource};
use crate::journal::{self, Draft, Journal};
use crate::keys;
use anyhow::{Context, Result};
use coldlog_kit::custody::{NewKey, Protected, Start};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::terminal::{field, say, talk};
use coldlog_kit::{seal, secret, time};
use coldlog_spec::approval::{ApprovalPolicy, Carried};
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
use coldlog_spec::verify::clock::TOLERANCE;
use coldlog_spec::verify::counter::Counted;
use std::path::{Path, PathBuf};

/// Who does it, and why: recorded, not public.
pub struct By {
    /// One of the operators.
    pub operator: String,
    /// Why.
    pub purpose: String,
    /// Whether the clock is known to be wrong.
    pub clock_wrong: bool,
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
    /// Where the new key shall live.
    pub place: NewKey,
}

/// `signer change`
pub struct Change {
    /// Operators to add, and to remove.
    pub operators: (Vec<String>, Vec<String>),
    /// Auditors to add, and to remove.
    pub auditors: (Vec<String>, Vec<String>),
    /// Approvers to add (`NAME=PUBLIC-KEY-FILE`), and to remove (names).
    pub approvers: (Vec<String>, Vec<String>),
    /// How many of them must approve.
    pub threshold: Option<usize>,
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
    home: PathBuf,
    may_sign: bool,
    journal: Journal,
    keys: Keys,
    demanded: Option<SecondFactor>,
    factors: Vec<Factor>,
}

/// Where what is signed goes. Outside of the journal, it does not matter whether that has ended.
#[derive(PartialEq)]
enum Writes {
    Journal,
    Elsewhere,
}

// However a command ends, the journal is left as the one that signs: what was durable is.
impl Drop for Desk {
    fn drop(&mut self) {
        // A copy does not become the one that signs by this.
        let left = self.may_sign.then(|| self.journal.leave(&self.home));
        if let Some(Err(why)) = left {
            talk(format!("signer: the journal's mark was not written: {why:#}"));
        }
    }
}

impl Desk {
    fn open(home: &Path, by: &By) -> Outcome<Desk> {
        Desk::open_to(home, by, Writes::Journal)
    }

    fn open_to(home: &Path, by: &By, writes: Writes) -> Outcome<Desk> {
        let _lock = journal::lock(home)?;
        let mut journal = Journal::open(home)?;
        if writes == Writes::Journal {
            journal.must_go_on(home)?;
        }
        journal.must_be_operated_by(&by.operator)?;
        // Before anything is asked for that is of use once only.
        Clock::of(&journal, by.clock_wrong)?.check().or_no()?;
        let demanded = journal.founding()?.second_factor;
        let secrets = (&by.secret, &by.second);
        let (keys, factors) = factors::open(home, &mut journal, demanded, None, secrets)?;
        // Here, so that no command forgets it: a code opens the key once, whatever comes of it.
        let may_sign = journal.is_original(home)?;
        if may_sign {
            journal.begin(home)?;
        }
        factors::take(&mut journal, &factors)?;
        Ok(Desk { _lock, home: home.into(), may_sign, journal, keys, demanded, factors })
    }

    fn draft(&self, by: &By, event: &str) -> Result<Draft> {
        self.draft_of_change(by, event, None, None)
    }

    fn draft_of_change(
        &self,
        by: &By,
        event: &str,
        operators: Option<Vec<String>>,
        approvals: Option<ApprovalPolicy>,
    ) -> Result<Draft> {
        let device = self.journal.device()?;
        let (time, clock) = Clock::of(&self.journal, by.clock_wrong)?.read()?;
        let record = Record {
            time,
            operator: by.operator.clone(),
            purpose: by.purpose.clone(),
            device,
            clock,
            approved: Carried::default(),
            factors: self.factors.clone(),
            operation: Operation::KeyEvent { event: event.into(), operators, approvals },
        };
        Ok(Draft { record, salt: secret::random()?, output: None })
    }

    // Appends an event and leaves the journal as the one that goes on; tells its number and the tail.
    fn append(
        &mut self,
        next: Option<&SecretKey>,
        draft: Draft,
        make: Box<journal::events::MakeEvent>,
    ) -> Outcome<u64> {
        let key = self.keys.ed25519();
        let statement = self.journal.append_event(&key, next, draft, make)?;
        Ok(statement.position.sequence)
    }

    fn tail(&self) -> Result<String> {
        Ok(format!("write down the journal's tail: {}", self.journal.tail()?.tail.short()))
    }
}

/// `signer rotate-key`: the old key hands over, the new one consents; both sign.
pub fn rotate(home: &Path, options: &Rotate, by: &By) -> Outcome {
    let mut desk = Desk::open(home, by)?;
    if let Some(reference) = desk.keys.reference()
        && options.place.rank() < reference.rank()
    {
        return no(format!(
            "the key is {reference}, and the journal would move to a lesser place: name a token for the new one too (--pkcs11, --token-serial), or retire this journal (`signer retire`) and begin a new one there (`signer init`)"
        ));
    }
    let next = next_key(home, options, by, &desk)?;
    let (old, new) = (desk.journal.key().clone(), next.ed25519());
    let claims = desk.journal.claims().clone();
    // The next place begins before the record: whenever this is cut, the journal is between its numbers.
    if let Some(place) = next.place() {
        let low = desk.journal.tail()?.tail.count;
        // One that keeps no counter is told of below.
        let _ = place.count(Counted { low, high: low + 1 });
    }
    let draft = desk.draft(by, "rotation")?;
    let make = |position: &Position, commitment| {
        Ok(KeyEvent::rotation(&old, &new, &claims, position, commitment)?)
    };
    let number = desk.append(Some(&new), draft, Box::new(make))?;
    desk.journal.begin_counting(next.place())?;
    let was_held = desk.keys.reference().map(ToString::to_string);
    let given_up = keys::finish_rotation(home, &desk.journal)?;
    say(format!("rotated  {old:?} to {:?}, record {number}", new.public()));
    say(
        "prepare  a new revocation for the drawer (`signer revoke --prepare`): the one there is of the old key",
    );
    say(format!("new      {}, and allowed_signers with both", home.join("signer.pub").display()));
    let old = given_up.display();
    say(match was_held {
        None => format!("Once the log has the record, destroy the old key: {old}"),
        Some(held) => {
            format!(
                "Once the log has the record, destroy the old key, {held}, and the file that names it: {old}"
            )
        }
    });
    say(desk.tail()?);
    Ok(())
}

// A next key without its record is what an interrupted rotation leaves: it goes on with that key.
fn next_key(home: &Path, options: &Rotate, by: &By, desk: &Desk) -> Outcome<Keys> {
    let next_file = keys::next_file(home);
    let passphrase =
        |what: &str, new| factors::passphrase(what, desk.demanded, &by.secret, &by.second, new);
    if files::is_there(&next_file)? {
        if options.import_ssh_key.is_some() || options.place.is_held() {
            return no(format!(
                "{} is there from a rotation that was interrupted, and would be the next key: run `signer rotate-key` without a key of yours, or remove that file",
                next_file.display()
            ));
        }
        let identities = by.secret.identity.as_deref();
        let mut next =
            Keys::read_with(&next_file, "signer", identities, |what| passphrase(what, false))?;
        next.open(&by.secret)?;
        return Ok(next);
    }
    let old = Protected::of(&files::read_private(&keys::file(home), 1 << 16)?);
    if old == Protected::ByRecipients && options.place.key_recipient.is_empty() {
        return trouble(
            "several people open the key file, each with an own key: name who opens the new one, with --key-recipient for each",
        );
    }
    let count = desk.journal.admission().keys().len() + 1;
    let mut place = options.place.clone();
    if place.pkcs11.is_some() && place.key_label.is_none() {
        // The old key may be in the same token, under the plain name.
        place.key_label = Some(format!("{} {count}", desk.keys.name));
    }
    let start = Start {
        role: "signer",
        name: &desk.keys.name,
        place: &place,
        after: Some(&desk.keys),
        seed: options.import_ssh_key.as_deref().map(super::init::read_ssh_seed).transpose()?,
        scrypt_log_n: options.scrypt_log_n,
        unencrypted: factors::may_be_open(&place, desk.demanded, &by.secret)?,
    };
    Ok(start.run_asking(&next_file, &by.secret, |_| passphrase("the next signing key", true))?)
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

// The approvers from now on; `None` where they stay.
fn changed_approvals(before: &ApprovalPolicy, options: &Change) -> Outcome<Option<ApprovalPolicy>> {
    let (add, remove) = &options.approvers;
    if add.is_empty() && remove.is_empty() && options.threshold.is_none() {
        return Ok(None);
    }
    let mut approvers = before.approvers().to_vec();
    for name in remove {
        let Some(at) = approvers.iter().position(|approver| approver.name == *name) else {
            return no(format!("{name:?} is none of the approvers: {}", before.words()));
        };
        approvers.remove(at);
    }
    for text in add {
        approvers.push(super::init::read_approver(text)?);
    }
    let threshold = match options.threshold {
        Some(threshold) => threshold,
        None if before.demands() => before.threshold(),
        None => return trouble("say with --approvals how many of the approvers must approve"),
    };
    if approvers.is_empty() || threshold == 0 {
        return no(
            "nobody would approve any more: a journal that demands approvals does so to its end; begin a new one (`signer init`)",
        );
    }
    Ok(Some(ApprovalPolicy::new(threshold, approvers).or_no()?))
}

/// `signer change`: operators, auditors and approvers come and go, by records only.
pub fn change(home: &Path, options: &Change, by: &By) -> Outcome {
    let all = [&options.operators, &options.auditors, &options.approvers];
    let nobody = all.iter().all(|(add, remove)| add.is_empty() && remove.is_empty());
    if nobody && options.threshold.is_none() {
        return trouble(
            "nothing to change: say --add-operator, --remove-operator, --add-auditor, --remove-auditor, --add-approver, --remove-approver or --approvals",
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
    let approvals = changed_approvals(&desk.journal.founding()?.approvals, options)?;
    let approved = approvals.as_ref().map(ApprovalPolicy::words);
    let draft = desk.draft_of_change(by, "change", Some(operators.clone()), approvals)?;
    let (names, count) = (operators.join(", "), recipients.len());
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Change { recipients }, commitment })
    };
    let number = desk.append(None, draft, Box::new(make))?;
    say(format!(
        "changed  record {number}: operators {}; records are sealed to {count} recipients{}",
        field(&names),
        approved.map_or(String::new(), |words| format!("; approvals by {}", field(&words)))
    ));
    say(desk.tail()?);
    Ok(())
}

/// `signer retire`: the journal ends as planned.
pub fn retire(home: &Path, by: &By) -> Outcome {
    let mut desk = Desk::open(home, by)?;
    let key = *desk.journal.key().as_bytes();
    let draft = desk.draft(by, "retirement")?;
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Retirement { key }, commitment })
    };
    let number = desk.append(None, draft, Box::new(make))?;
    say(format!(
        "retired  {:?}, record {number}: all that was signed stays good, nothing more can be signed",
        desk.journal.key()
    ));
    say(desk.tail()?);
    Ok(())
}

fn since(options: &Revoke) -> Outcome<Since> {
    let Revoke { since_record, since_time, since_head, prepare, .. } = options;
    Ok(match (since_record, since_time, since_head) {
        (Some(number), None, None) => Since::Record(*number),
        (None, Some(text), None) => {
            let since = time::parse(text).map_err(anyhow::Error::msg)?;
            // A bound ahead takes nothing back, and nothing can narrow it in this journal any more.
            if since > time::now() + TOLERANCE {
                return no(format!(
                    "{text} is ahead of this machine's clock: what is not signed yet needs no bound; name the time from which on the key may have been in other hands"
                ));
            }
            Since::Time(since)
        }
        (None, None, Some(path)) => {
            let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?)
                .with_context(|| path.display().to_string())?
                .checkpoint;
            Since::Head { origin: head.origin, size: head.size, root: head.root }
        }
        (None, None, None) if prepare.is_some() => Since::Publication,
        (None, None, None) => {
            return trouble(
                "say from when on the key is not to be trusted: --since-record, --since-time or --since-head; or --prepare a revocation for a day on which nobody can say",
            );
        }
        _ => return trouble("one bound: --since-record, --since-time or --since-head"),
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
        return prepare(home, output, &options.to, since, by);
    }
    let mut desk = Desk::open(home, by)?;
    let key = key.unwrap_or_else(|| desk.journal.key().clone());
    if !desk.journal.admission().keys().contains(&key) {
        return no(format!("{key:?} is no key of this journal: `signer public-key` shows them"));
    }
    let ends = key == *desk.journal.key();
    let draft = desk.draft(by, "revocation")?;
    let (bytes, bound) = (*key.as_bytes(), since.clone());
    let make = move |_: &Position, commitment| {
        Ok(KeyEvent { event: Event::Revocation { key: bytes, since: bound }, commitment })
    };
    let number = desk.append(None, draft, Box::new(make))?;
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

// A revocation that stands outside of the journal: for the drawer, without a bound, by a key that may be lost
// later; or with one, where a thief has taken the journal's next number, or has ended it.
fn prepare(home: &Path, output: &Path, to: &[String], since: Since, by: &By) -> Outcome {
    if to.is_empty() {
        return trouble(
            "name who may open the prepared revocation: --to age1..., repeat for several",
        );
    }
    let readers = seal::parse_recipients(to)?;
    let desk = Desk::open_to(home, by, Writes::Elsewhere)?;
    let key = desk.keys.ed25519();
    let words = since.to_string();
    let (statement, sealed) = prepared(&desk, &key, since, by)?;
    let registration = Registration { statement, sealed }.encode();
    Registration::decode(&registration)?;
    let sealed = seal::seal_any(&registration, &readers)?;
    files::write(output, &sealed, Existing::Never, Mode::Private)?;
    say(format!(
        "prepared {:?}, {words}: {}, sealed to {} recipients; keep it away from this machine, and publish it with `log revoke`",
        desk.journal.key(),
        output.display(),
        readers.len()
    ));
    Ok(())
}

fn prepared(desk: &Desk, key: &SecretKey, since: Since, by: &By) -> Result<(Statement, Vec<u8>)> {
    let public: PublicKey = key.public();
    let claims: Claims = revocation_claims(desk.journal.claims(), &public, &since);
    let Draft { record, salt, .. } = desk.draft(by, "revocation")?;
    let disclosure = Disclosure { salt, record };
    let event = Event::Revocation { key: *public.as_bytes(), since };
    let event = KeyEvent { event, commitment: disclosure.commitment() };
    let position = Position { sequence: 0, previous: None, head: None };
    let statement = Statement::sign(key, &claims, &position, Payload::KeyEvent(event))?;
    let recipients = seal::parse_recipients(desk.journal.admission().recipients())?;
    Ok((statement, seal::seal(&disclosure.encode(), &recipients)?))
}
