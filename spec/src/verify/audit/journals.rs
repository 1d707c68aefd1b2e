//! Entry by entry: the journals of a log, what the log says of itself, and what is wrong with either.

use super::entry::{Clear, Entry, Known, Opened, Place, Seam, must_follow};
use super::finding::{Finding, Kind};
use super::people::{Bounds, Judged, People, clock};
use crate::cose::Claims;
use crate::ed25519::PublicKey;
use crate::evidence::Evidence;
use crate::key_event::{Event, Since, revoked_journal};
use crate::statement::{Payload, Statement};
use crate::verify::admission::{Admission, verify_genesis};
use crate::verify::append::{Progress, Refusal, must_be_sealed};
use crate::verify::keys::Revoked;
use crate::verify::own::{self, NotOwn, Own};
use crate::verify::revocation::{self, is_prepared};
use std::collections::BTreeMap;

struct Journal {
    admission: Admission,
    place: Place,
}

/// The journals of a log, as far as an audit has come.
pub struct Journals {
    origin: String,
    log_keys: Vec<PublicKey>,
    said: Own,
    journals: BTreeMap<Claims, Journal>,
    people: People,
    clear: Vec<Clear>,
    revoked: Vec<(Claims, Revoked)>,
}

/// A statement in the clear that is said to have changed something, and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}, which the audit before took, does not hold: {why}; start the audit anew")]
pub struct NotReplayed {
    /// Its index.
    pub index: u64,
    /// Why.
    pub why: String,
}

impl Journals {
    /// Nothing was seen yet of the log of this name, which signs what it says with these keys.
    pub fn new(origin: &str, log_keys: Vec<PublicKey>) -> Journals {
        Journals {
            origin: origin.into(),
            log_keys,
            said: Own::default(),
            journals: BTreeMap::new(),
            people: People::default(),
            clear: Vec::new(),
            revoked: Vec::new(),
        }
    }

    /// Goes on where another audit ended: with the statements in the clear that it took, and how far it was in
    /// each journal. Nothing is believed but that there were no others.
    pub fn resume(
        &mut self,
        clear: Vec<Clear>,
        places: Vec<(Claims, Place)>,
    ) -> Result<(), NotReplayed> {
        for one in clear {
            self.replay(one)?;
        }
        for (claims, place) in places {
            if let Some(journal) = self.journals.get_mut(&claims) {
                journal.place = place;
            }
        }
        Ok(())
    }

    /// Takes a statement in the clear from before the part of the log that is looked at.
    pub fn replay(&mut self, clear: Clear) -> Result<(), NotReplayed> {
        let index = clear.index;
        let failed = |why: String| NotReplayed { index, why };
        let statement = Statement::decode(&clear.entry).map_err(|why| failed(why.to_string()))?;
        let opened = match clear.disclosure {
            Some(bytes) => Opened::of(&statement, bytes),
            None => Opened::Untried,
        };
        let (known, bounds) = (Known::Elsewhere, Bounds::default());
        let (sealed, signed, count) = (None, None, self.clear.len());
        let entry = Entry { index, statement: &statement, sealed, signed, known, opened, bounds };
        let findings = self.take(&entry).1;
        // What was found of it then is in that audit's findings; it must have changed something all the same.
        if self.clear.len() == count {
            let why = findings.first().map_or("it changes nothing".into(), |one| one.found.clone());
            return Err(failed(why));
        }
        Ok(())
    }

    /// Forgets how far each journal is: entries between could not be read.
    pub fn skip(&mut self) {
        for journal in self.journals.values_mut() {
            journal.place.progress = None;
            // What comes next is no seam: it need not follow what a part before has.
            journal.place.seen = journal.place.seen.max(1);
        }
    }

    /// Begins in the middle of a log: what was replayed says nothing of how far the journals are.
    pub fn begin_part(&mut self) {
        self.journals.values_mut().for_each(|journal| journal.place = Place::default());
    }

    /// Takes the next entry. Returns what its record says worth telling, and what is wrong with it.
    pub fn take(&mut self, entry: &Entry) -> (Vec<String>, Vec<Finding>) {
        let Entry { index, statement, .. } = *entry;
        let mut findings = Vec::new();
        let mut said = Vec::new();
        if own::is_own(statement, &self.origin) {
            self.own(entry, &mut findings);
        } else if is_prepared(statement) {
            if self.prepared(entry, &mut findings) {
                said = self.record(entry, &mut findings);
            }
        } else if self.of_journal(entry, &mut findings) {
            said = self.record(entry, &mut findings);
        }
        let (claims, sequence) = (statement.claims(), statement.position.sequence);
        let placed = findings.into_iter().map(|one: Finding| one.at(index).of(claims, sequence));
        (said, placed.collect())
    }

    fn keep(&mut self, entry: &Entry) {
        let disclosure = match &entry.opened {
            Opened::Record(_, bytes) => Some(bytes.clone()),
            _ => None,
        };
        let bytes = entry.statement.bytes().to_vec();
        self.clear.push(Clear { index: entry.index, entry: bytes, disclosure });
    }

    fn own(&mut self, entry: &Entry, findings: &mut Vec<Finding>) {
        let statement = entry.statement;
        let sealed = entry.sealed.unwrap_or_default();
        let verified = own::verify(statement.bytes(), sealed, &self.origin, &self.log_keys);
        if let Err(why) = verified {
            findings.push(Finding::new(Kind::LogStatement, why));
            return;
        }
        if let Err(why) = self.said.take(statement) {
            let kind = match why {
                NotOwn::Order { .. } => Kind::LogOrder,
                _ => Kind::LogStatement,
            };
            findings.push(Finding::new(kind, why));
        }
        self.keep(entry);
    }

    // A revocation that stands outside its journal must be of one that is there. Whether it holds.
    fn prepared(&mut self, entry: &Entry, findings: &mut Vec<Finding>) -> bool {
        let statement = entry.statement;
        let invalid = |why: String| Finding::new(Kind::RevocationInvalid, why);
        let Some(journal) = revoked_journal(statement.claims()) else {
            findings.push(invalid("its journal has no name".into()));
            return false;
        };
        let Some(known) = self.journals.get_mut(&journal) else {
            let (issuer, subject) = (&journal.issuer, &journal.subject);
            findings.push(invalid(format!(
                "it revokes a key of {issuer} / {subject}, which has no genesis before it"
            )));
            return false;
        };
        let key = revocation::verify_by_itself(statement, &journal, known.admission.keys());
        let key = match key {
            Ok(key) => key,
            Err(why) => {
                findings.push(invalid(why.to_string()));
                return false;
            }
        };
        sealed_form(entry, findings);
        known.admission.take_revocation(&key);
        self.note_revocation(entry, &journal, &key, findings);
        self.keep(entry);
        true
    }

    fn note_revocation(
        &mut self,
        entry: &Entry,
        journal: &Claims,
        key: &PublicKey,
        findings: &mut Vec<Finding>,
    ) {
        let Payload::KeyEvent(event) = &entry.statement.payload else { return };
        let Event::Revocation { since, .. } = &event.event else { return };
        let text = format!("the key {} was revoked {since}", key.thumbprint());
        findings.push(Finding::new(Kind::KeyRevoked, text));
        let place = (self.origin.clone(), entry.index);
        let since: Since = since.clone();
        self.revoked.push((journal.clone(), Revoked { key: key.clone(), since, place }));
    }

    // Whether it is a statement of its journal, by one of its keys.
    fn of_journal(&mut self, entry: &Entry, findings: &mut Vec<Finding>) -> bool {
        let statement = entry.statement;
        let claims = statement.claims();
        if !self.journals.contains_key(claims) && !self.begin(statement, findings) {
            return false;
        }
        let Some(journal) = self.journals.get_mut(claims) else { return false };
        let Some(key) = journal.admission.named_by(statement) else {
            let kid = crate::hash::to_hex(statement.kid());
            findings.push(Finding::new(Kind::StatementKey, format!("the key {kid}")));
            return false;
        };
        if !entry.signed.unwrap_or_else(|| statement.verify(key).is_ok()) {
            let text = format!("a signature that does not verify under {}", key.thumbprint());
            findings.push(Finding::new(Kind::StatementSignature, text));
            return false;
        }
        place(entry, &mut journal.place, findings);
        if let Payload::Rules(_) | Payload::Reseal(_) = statement.payload {
            let text = "a signer's journal says what only a log says of itself";
            findings.push(Finding::new(Kind::StatementMalformed, text));
            return false;
        }
        sealed_form(entry, findings);
        known_head(entry, findings);
        if let Some(sealed) = entry.sealed
            && let Err(why) = self.said.admitted(&journal.admission, statement, sealed.len())
        {
            findings.push(Finding::new(Kind::NotAdmitted, why));
        }
        let revokes = match &statement.payload {
            Payload::KeyEvent(event) => match &event.event {
                Event::Revocation { key, .. } => PublicKey::from_bytes(key).ok(),
                _ => None,
            },
            _ => None,
        };
        match journal.admission.take(statement) {
            Ok(()) => {}
            Err(why) => {
                findings.push(Finding::new(kind_of(&why), why));
                return true;
            }
        }
        if let Some(key) = revokes {
            self.note_revocation(entry, claims, &key, findings);
        }
        if matches!(statement.payload, Payload::KeyEvent(_)) {
            self.keep(entry);
        }
        true
    }

    fn begin(&mut self, statement: &Statement, findings: &mut Vec<Finding>) -> bool {
        let genesis = match &statement.payload {
            Payload::KeyEvent(_) => verify_genesis(statement.bytes()),
            _ => {
                let found = format!("record {}", statement.position.sequence);
                Err(Refusal::NotGenesis { found })
            }
        };
        match genesis {
            Ok(admission) => {
                let place = Place { progress: Some(Progress::default()), ..Place::default() };
                self.journals.insert(statement.claims().clone(), Journal { admission, place });
                true
            }
            Err(Refusal::Statement(why)) => {
                findings.push(Finding::new(Kind::StatementSignature, why));
                false
            }
            Err(why) => {
                findings.push(Finding::new(Kind::NoGenesis, why));
                false
            }
        }
    }

    fn record(&mut self, entry: &Entry, findings: &mut Vec<Finding>) -> Vec<String> {
        let wrong = |kind, why: &String| Finding::new(kind, why);
        let record = match &entry.opened {
            Opened::Untried => return Vec::new(),
            Opened::Closed(why) => {
                findings.push(wrong(Kind::RecordClosed, why));
                return Vec::new();
            }
            Opened::Differs(why) => {
                findings.push(wrong(Kind::RecordDiffers, why));
                return Vec::new();
            }
            Opened::Malformed(why) => {
                findings.push(wrong(Kind::RecordMalformed, why));
                return Vec::new();
            }
            Opened::Record(record, _) => record,
        };
        let Judged { said, findings: found } =
            self.people.judge(entry.index, entry.statement, record);
        let found = found.into_iter().chain(clock(record, entry.bounds));
        findings.extend(found.map(|(kind, text)| Finding::new(kind, text)));
        said
    }

    /// The key that a statement names, if its journal has had it.
    pub fn key_of(&self, statement: &Statement) -> Option<&PublicKey> {
        self.journals.get(statement.claims())?.admission.named_by(statement)
    }

    /// The evidence of a number that was used twice: both statements, by one key.
    pub fn fork(&self, first: &Statement, second: &Statement) -> Option<Evidence> {
        let key = self.key_of(second)?;
        let both = first.verify(key).is_ok()
            && first.claims() == second.claims()
            && first.position.sequence == second.position.sequence
            && first.bytes() != second.bytes();
        both.then(|| Evidence::Fork {
            key: *key.as_bytes(),
            first: first.bytes().to_vec(),
            second: second.bytes().to_vec(),
        })
    }

    /// All keys that the journals have had.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.journals.values().flat_map(|journal| journal.admission.keys())
    }

    /// How far each journal is.
    pub fn places(&self) -> impl Iterator<Item = (&Claims, &Place)> {
        self.journals.iter().map(|(claims, journal)| (claims, &journal.place))
    }

    /// The key events, and what the log said, that changed something, in order.
    pub fn clear(&self) -> &[Clear] {
        &self.clear
    }

    /// The revocations, each with its journal.
    pub fn revoked(&self) -> &[(Claims, Revoked)] {
        &self.revoked
    }

    /// The approvals that were used.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The same, to go on with those of another audit.
    pub fn people_mut(&mut self) -> &mut People {
        &mut self.people
    }

    /// How many versions of its rules the log has published.
    pub fn rules(&self) -> u64 {
        self.said.versions()
    }
}

// What is damaged is said once: the journal goes on from the statement at hand.
fn place(entry: &Entry, place: &mut Place, findings: &mut Vec<Finding>) {
    let statement = entry.statement;
    let position = &statement.position;
    match &place.progress {
        None if place.seen == 0 => {
            place.seam = Some(Seam {
                index: entry.index,
                sequence: position.sequence,
                previous: position.previous,
            });
        }
        None => {}
        Some(progress) => {
            findings.extend(must_follow(progress, position.sequence, position.previous));
        }
    }
    let next = position.sequence.saturating_add(1);
    place.progress = Some(Progress { next, head: Some(statement.leaf()) });
    place.seen += 1;
}

fn sealed_form(entry: &Entry, findings: &mut Vec<Finding>) {
    if let Some(Err(why)) = entry.sealed.map(must_be_sealed) {
        findings.push(Finding::new(Kind::SealedForm, why));
    }
}

fn known_head(entry: &Entry, findings: &mut Vec<Finding>) {
    let Some(head) = &entry.statement.position.head else { return };
    let text = match entry.known {
        Known::Elsewhere => return,
        Known::Root(root) if root == head.root => return,
        Known::Root(root) => {
            format!("a head of size {} with the root {}, the log's is {root}", head.size, head.root)
        }
        Known::Beyond => format!("a head of size {}, beyond the entry itself", head.size),
    };
    findings.push(Finding::new(Kind::ForeignHead, text));
}

fn kind_of(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::Statement(_) => Kind::KeyNotInForce,
        Refusal::Ended { .. } => Kind::AfterEnd,
        Refusal::RevokedOutside { .. } => Kind::AfterRevocation,
        _ => Kind::KeyEventInvalid,
    }
}
