//! Key events of a journal: what is in force, and how it changes.

use super::{Draft, Journal, insert, put_tail};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::seal;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::key_event::KeyEvent;
use coldlog_spec::record::{Disclosure, Operation};
use coldlog_spec::statement::{Payload, Position, Statement};
use coldlog_spec::verify::append::{Admission, Progress, follows};
use rusqlite::Connection;
use std::path::Path;

/// The numbers of the key events after the genesis: records without a document.
fn events(db: &Connection) -> Result<Vec<u64>> {
    let mut query = db.prepare(
        "SELECT sequence FROM records WHERE document IS NULL AND sequence > 0 ORDER BY sequence",
    )?;
    Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Takes the key events of a journal, each verified by the key that was in force before it.
pub(super) fn take_events(db: &Connection, admission: &mut Admission) -> Result<()> {
    for sequence in events(db)? {
        let bytes: Vec<u8> =
            db.query_row("SELECT statement FROM records WHERE sequence = ?1", [sequence], |row| {
                row.get(0)
            })?;
        let does_not_hold = || format!("the journal's key event, record {sequence}, does not hold");
        let statement = Statement::decode(&bytes).with_context(does_not_hold)?;
        statement.verify(&admission.key).with_context(does_not_hold)?;
        admission.take(&statement).with_context(does_not_hold)?;
    }
    Ok(())
}

/// The event of a position, made for the commitment to its disclosure.
pub(crate) type MakeEvent<'a> =
    dyn FnOnce(&Position, coldlog_spec::hash::Hash) -> Result<KeyEvent> + 'a;

impl Journal {
    /// Who may operate the signer: as the newest record says that names them.
    pub fn operators(&self) -> Result<Vec<String>> {
        let mut places = vec![0];
        places.extend(events(&self.db)?);
        for sequence in places.into_iter().rev() {
            let row =
                self.row(sequence)?.with_context(|| format!("record {sequence} is missing"))?;
            match row.disclosure.record.operation {
                Operation::Genesis { operators, .. }
                | Operation::KeyEvent { operators: Some(operators), .. } => return Ok(operators),
                Operation::KeyEvent { .. } | Operation::Sign { .. } => {}
            }
        }
        bail!("the journal does not begin with a genesis")
    }

    /// Refuses whoever is no operator.
    pub fn must_be_operated_by(&self, operator: &String) -> Outcome {
        let operators = self.operators()?;
        match operators.contains(operator) {
            true => Ok(()),
            false => no(format!(
                "{operator:?} is not an operator of this signer; its journal names {}",
                operators.join(", ")
            )),
        }
    }

    /// Refuses a journal that has ended, one that came out of a backup, and a copy.
    pub fn must_go_on(&self, home: &Path) -> Outcome {
        self.must_be_up_to_date()?;
        if let Some(ended) = self.admission.ended() {
            return no(format!(
                "this journal ended with its {}, record {}: nothing may be signed any more; begin a new journal in another --home (`signer init`)",
                ended.event, ended.sequence
            ));
        }
        match self.is_original(home)? {
            true => Ok(()),
            false => no(
                "this journal was restored, copied or moved since it last signed: if the original signs too, the journal forks. Take the newest tail that was written down, and run `signer reopen --tail TAIL`",
            ),
        }
    }

    /// This machine, as records name it.
    pub fn device(&self) -> Result<String> {
        let genesis = self.row(0)?.context("the journal has no genesis")?;
        Ok(genesis.disclosure.record.device)
    }

    /// Appends a key event, durable when this returns. The key in force signs it, and what is in force after
    /// it signs the tail: `next`, where the event hands over to another key.
    pub fn append_event(
        &mut self,
        key: &SecretKey,
        next: Option<&SecretKey>,
        draft: Draft,
        make: Box<MakeEvent>,
    ) -> Result<Statement> {
        let tail = self.tail()?.tail;
        let position =
            Position { sequence: tail.count, previous: Some(tail.head), head: self.known_head()? };
        let disclosure = Disclosure { salt: draft.salt, record: draft.record };
        self.will_count(tail.count + 1)?;
        let event = make(&position, disclosure.commitment())?;
        let payload = Payload::KeyEvent(event);
        let statement = Statement::sign(key, self.claims(), &position, payload)?;
        // What no log would take must not be committed.
        let progress = Progress { next: tail.count, head: Some(tail.head) };
        let mut after = self.admission.clone();
        follows(&statement, &after, &progress, |_| true)?;
        after.take(&statement)?;
        Statement::decode(statement.bytes())?;
        let recipients = seal::parse_recipients(after.recipients())?;
        let sealed = seal::seal(&disclosure.encode(), &recipients)?;
        Disclosure::decode(&disclosure.encode())?;
        let claims = self.claims().clone();
        let step = self.db.transaction()?;
        insert(&step, &statement, &sealed, &disclosure, None)?;
        put_tail(&step, next.unwrap_or(key), &statement, &claims)?;
        step.commit().context("making the key event durable")?;
        self.has_counted(tail.count + 1);
        (self.admission, self.recipients) = (after, recipients);
        Ok(statement)
    }
}
