//! The journal: every record before its signature is released, in SQLite, synced at each commit.
//!
//! A row is never changed but for two marks (released, receipt). The journal's tail is signed and
//! stored in the same transaction as the records that it covers.

mod counting;
pub(crate) mod events;
mod founding;
mod receipts;
mod recovery;

pub use founding::Founding;
pub use receipts::ReceiptStore;
pub use recovery::Recovering;

use anyhow::{Context, Result, bail};
use coldlog_kit::custody::Place;
use coldlog_kit::files::{self, Existing, FolderLock, Mark, Mode};
use coldlog_kit::seal::{self, Recipient};
use coldlog_spec::batch::{SignedTail, Tail};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::{PublicKey, SecretKey};
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, KeyEvent, Recovers};
use coldlog_spec::record::{Disclosure, Record};
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::verify::append::{Admission, verify_genesis};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The journal of one signer, open.
pub struct Journal {
    db: Connection,
    admission: Admission,
    recipients: Vec<Recipient>,
    /// What counts the records beside the journal, once its key is open.
    counter: Option<Arc<dyn Place>>,
}

/// Beside the journal: how it stood when the last command left it.
const MARK: &str = "journal.mark";
const UNDER_WAY: &str = "under way";

/// A record as it stands in the journal.
#[derive(Debug, Clone)]
pub struct Row {
    /// The statement.
    pub statement: Statement,
    /// The age ciphertext.
    pub sealed: Vec<u8>,
    /// The disclosure.
    pub disclosure: Disclosure,
    /// Where the signature was written, if it was.
    pub output: Option<PathBuf>,
    /// Whether the signature is known to have been written.
    pub released: bool,
    /// Its receipts, one for each log that has it, by origin.
    pub receipts: Vec<Logged>,
}

/// A receipt as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log.
    pub origin: String,
    /// The bare receipt.
    pub receipt: Vec<u8>,
    /// The digest of its head's note.
    pub head: Hash,
}

const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE records (
        sequence INTEGER PRIMARY KEY,
        statement BLOB NOT NULL, sealed BLOB NOT NULL, disclosure BLOB NOT NULL,
        document BLOB, output TEXT, released INTEGER NOT NULL DEFAULT 0,
        receipt BLOB, head BLOB) STRICT;
    CREATE INDEX by_document ON records (document);
    CREATE INDEX waiting ON records (sequence) WHERE receipt IS NULL;
    CREATE TABLE heads (note_digest BLOB PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL,
        note BLOB NOT NULL) STRICT;
    PRAGMA user_version = 1;";

/// What a new record of a journal is made from.
pub struct Draft {
    /// The record.
    pub record: Record,
    /// Its salt.
    pub salt: [u8; 32],
    /// Where its signature will be written.
    pub output: Option<PathBuf>,
}

/// Where the journal is in a signer's folder.
pub fn path_in(home: &Path) -> PathBuf {
    home.join("journal.sqlite")
}

/// Holds a signer's folder for this process alone.
pub fn lock(home: &Path) -> Result<FolderLock> {
    there(home)?;
    files::lock(home)
}

fn there(home: &Path) -> Result<PathBuf> {
    let path = path_in(home);
    if !path.is_file() {
        bail!("{} holds no journal; make one with `signer init`", home.display());
    }
    Ok(path)
}

fn connect(path: &Path) -> Result<Connection> {
    let db = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    // EXTRA also syncs the folder after a commit: a record is on the disk when commit returns.
    db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;")?;
    Ok(db)
}

impl Journal {
    /// Makes the journal with its genesis; returns the genesis statement.
    pub fn create(
        home: &Path,
        key: &SecretKey,
        claims: &Claims,
        draft: Draft,
        recipients: &[Recipient],
        recovers: Option<Recovers>,
    ) -> Result<Statement> {
        let path = path_in(home);
        let disclosure = Disclosure { salt: draft.salt, record: draft.record };
        let event = Event::Genesis {
            key: *key.public().as_bytes(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
            recovers,
        };
        let event = KeyEvent { event, commitment: disclosure.commitment() };
        let position = Position { sequence: 0, previous: None, head: None };
        let genesis = Statement::sign(key, claims, &position, Payload::KeyEvent(event))?;
        let sealed = seal::seal(&disclosure.encode(), recipients)?;
        let mut db = connect(&path)?;
        // What a reader would refuse must not be committed.
        Statement::decode(genesis.bytes())?;
        Disclosure::decode(&disclosure.encode())?;
        let step = db.transaction()?;
        step.execute_batch(SCHEMA)?;
        insert(&step, &genesis, &sealed, &disclosure, None)?;
        put_tail(&step, key, &genesis, claims)?;
        step.commit()?;
        Ok(genesis)
    }

    /// Whether nothing was committed to a journal's file: what an interrupted init leaves.
    pub fn is_empty(path: &Path) -> Result<bool> {
        let version: i64 = connect(path)?.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok(version == 0)
    }

    /// Opens a journal and checks that its genesis and its tail hold.
    pub fn open(home: &Path) -> Result<Journal> {
        let path = there(home)?;
        Journal::over(connect(&path)?)
    }

    /// Opens a journal's file wherever it is: one that is not in its place yet.
    pub fn open_at(path: &Path) -> Result<Journal> {
        Journal::over(connect(path)?)
    }

    /// Opens a journal without writing to it. Only where an interrupted run left its last step half
    /// done is that step undone first, as any command would.
    pub fn open_to_read(home: &Path) -> Result<Journal> {
        let path = there(home)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let readable = db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        match readable {
            Err(rusqlite::Error::SqliteFailure(why, _))
                if matches!(why.code, ErrorCode::ReadOnly | ErrorCode::CannotOpen) =>
            {
                Journal::open(home)
            }
            _ => Journal::over(db),
        }
    }

    fn over(db: Connection) -> Result<Journal> {
        let version: i64 = db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .context("the journal is damaged: keep it, and restore the newest copy")?;
        if version == 0 {
            bail!("the journal is empty: `signer init` was interrupted; run it again");
        }
        if version != 1 {
            bail!("unsupported: the journal has version {version}, this program reads version 1");
        }
        let genesis: Vec<u8> =
            db.query_row("SELECT statement FROM records WHERE sequence = 0", [], |row| row.get(0))?;
        let mut admission =
            verify_genesis(&genesis).context("the journal's genesis does not hold")?;
        events::take_events(&db, &mut admission)?;
        let recipients = seal::parse_recipients(admission.recipients())?;
        let journal = Journal { db, admission, recipients, counter: None };
        // One snapshot: a signing run in another process must not look like damage.
        journal.db.execute_batch("BEGIN")?;
        let (count, last): (u64, u64) =
            journal.db.query_row("SELECT count(*), max(sequence) FROM records", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let tail = journal.tail()?;
        let newest = journal.row(last)?.context("the journal's newest record is missing")?;
        if count != last + 1
            || tail.tail.count != count
            || tail.tail.head != newest.statement.leaf()
        {
            bail!(
                "the journal holds {count} records, its signed tail says {}: it was cut or altered; keep it, and restore the newest copy",
                tail.tail.short()
            );
        }
        if !tail.verify(&journal.admission.key) {
            bail!(
                "the journal's tail is not signed by its key: it was altered; keep it, and restore the newest copy"
            );
        }
        journal.db.execute_batch("COMMIT")?;
        Ok(journal)
    }

    /// Issuer and subject.
    pub fn claims(&self) -> &Claims {
        self.admission.genesis.claims()
    }
    /// The genesis, and what the key events have made of it.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
    /// Whom every record is sealed to: the auditors and the signer.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }
    /// The signer's public key in force.
    pub fn key(&self) -> &PublicKey {
        &self.admission.key
    }

    /// Whether this is the very journal that signed last: not a copy, and not an older state put in
    /// its place.
    pub fn is_original(&self, home: &Path) -> Result<bool> {
        let mark = home.join(MARK);
        if !files::is_there(&mark)? {
            return Ok(false);
        }
        let text = String::from_utf8(files::read(&mark, 1024)?).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let [born, writes, touched] = lines[..] else { return Ok(false) };
        let found = Mark::of(&path_in(home))?;
        let now = writes_of(home)?;
        let as_left = match (touched, writes.parse::<u32>()) {
            // A command that was interrupted wrote to it, or was about to.
            (UNDER_WAY, Ok(writes)) => now >= writes,
            (touched, Ok(writes)) => now == writes && touched == found.touched.to_string(),
            (_, Err(_)) => false,
        };
        Ok(born == found.born && as_left)
    }

    /// Whether a command ever left the journal as it is to go on.
    pub fn was_left(&self, home: &Path) -> Result<bool> {
        files::is_there(&home.join(MARK))
    }

    /// Marks that a command begins to write to the original.
    pub fn begin(&self, home: &Path) -> Result<()> {
        self.mark(home, UNDER_WAY)
    }

    /// Takes the journal as it stands for the one that signs from now on: a command that wrote to it
    /// is done. Where its last step could not even be undone, the mark stays under way.
    pub fn leave(&self, home: &Path) -> Result<()> {
        if files::is_there(&path_in(home).with_extension("sqlite-journal"))? {
            return Ok(());
        }
        self.mark(home, &Mark::of(&path_in(home))?.touched.to_string())
    }

    fn mark(&self, home: &Path, touched: &str) -> Result<()> {
        let found = Mark::of(&path_in(home))?;
        let text = format!("{}\n{}\n{touched}\n", found.born, writes_of(home)?);
        files::write(&home.join(MARK), text.as_bytes(), Existing::Replace, Mode::Private)
    }

    /// The signed tail.
    pub fn tail(&self) -> Result<SignedTail> {
        let bytes: Vec<u8> =
            self.db.query_row("SELECT value FROM meta WHERE key = 'tail'", [], |row| row.get(0))?;
        Ok(SignedTail::decode(&bytes)?)
    }

    fn known_head(&self) -> Result<Option<KnownHead>> {
        let newest = self.newest_head()?;
        Ok(newest.map(|(SignedCheckpoint { checkpoint, .. }, note)| KnownHead {
            origin: checkpoint.origin,
            size: checkpoint.size,
            root: checkpoint.root,
            note,
        }))
    }

    /// Appends records, in one transaction that is durable when this returns.
    pub fn append(&mut self, key: &SecretKey, drafts: Vec<Draft>) -> Result<Vec<Statement>> {
        let head = self.known_head()?;
        let tail = self.tail()?.tail;
        let (mut sequence, mut previous) = (tail.count, tail.head);
        let claims = self.claims().clone();
        self.will_count(tail.count + drafts.len() as u64)?;
        let mut statements = Vec::with_capacity(drafts.len());
        let step = self.db.transaction()?;
        for draft in drafts {
            let disclosure = Disclosure { salt: draft.salt, record: draft.record };
            let position = Position { sequence, previous: Some(previous), head: head.clone() };
            let payload = Payload::Commitment(disclosure.commitment());
            let statement = Statement::sign(key, &claims, &position, payload)?;
            let sealed = seal::seal(&disclosure.encode(), &self.recipients)?;
            insert(&step, &statement, &sealed, &disclosure, draft.output.as_deref())?;
            sequence += 1;
            previous = statement.leaf();
            statements.push(statement);
        }
        if let Some(newest) = statements.last() {
            put_tail(&step, key, newest, &claims)?;
        }
        step.commit().context("making the records durable")?;
        self.has_counted(tail.count + statements.len() as u64);
        Ok(statements)
    }

    /// Marks signatures as written.
    pub fn mark_released(&mut self, sequences: &[u64]) -> Result<()> {
        let step = self.db.transaction()?;
        for sequence in sequences {
            step.execute("UPDATE records SET released = 1 WHERE sequence = ?1", [sequence])?;
        }
        Ok(step.commit()?)
    }

    /// The records of a document, newest first.
    pub fn of_document(&self, sha256: &Hash) -> Result<Vec<Row>> {
        let mut query = self.db.prepare_cached(
            "SELECT sequence FROM records WHERE document = ?1 ORDER BY sequence DESC",
        )?;
        let found: Vec<u64> =
            query.query_map([&sha256.0[..]], |row| row.get(0))?.collect::<Result<_, _>>()?;
        found.into_iter().filter_map(|sequence| self.row(sequence).transpose()).collect()
    }

    /// One record.
    pub fn row(&self, sequence: u64) -> Result<Option<Row>> {
        type Raw =
            (Vec<u8>, Vec<u8>, Vec<u8>, Option<String>, bool, Option<Vec<u8>>, Option<Vec<u8>>);
        let mut query = self.db.prepare_cached(
            "SELECT statement, sealed, disclosure, output, released, receipt, head FROM records WHERE sequence = ?1",
        )?;
        let raw: Option<Raw> = query
            .query_row([sequence], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                ))
            })
            .optional()?;
        let Some((statement, sealed, disclosure, output, released, receipt, head)) = raw else {
            return Ok(None);
        };
        let damaged = || format!("record {sequence} of the journal is damaged");
        let head = head.and_then(|head| Hash::from_slice(&head));
        let mut receipts = Vec::new();
        if let Some((receipt, head)) = receipt.zip(head) {
            let origin = self.head_origin(&head)?;
            receipts.push(Logged { origin, receipt, head });
        }
        receipts.extend(self.further(sequence)?);
        receipts.sort_by(|a, b| a.origin.cmp(&b.origin));
        Ok(Some(Row {
            statement: Statement::decode(&statement).with_context(damaged)?,
            disclosure: Disclosure::decode(&disclosure).with_context(damaged)?,
            sealed,
            output: output.map(PathBuf::from),
            released,
            receipts,
        }))
    }

    /// The bytes of the statements and sealed records from a number on.
    pub fn bytes_from(&self, first: u64) -> Result<u64> {
        let bytes: Option<u64> = self.db.query_row(
            "SELECT sum(length(statement) + length(sealed) + 16) FROM records WHERE sequence >= ?1",
            [first],
            |row| row.get(0),
        )?;
        Ok(bytes.unwrap_or(0))
    }
}

fn insert(
    step: &rusqlite::Transaction,
    statement: &Statement,
    sealed: &[u8],
    disclosure: &Disclosure,
    output: Option<&Path>,
) -> Result<()> {
    let document = match &disclosure.record.operation {
        coldlog_spec::record::Operation::Sign { document, .. } => Some(document.sha256.0.to_vec()),
        coldlog_spec::record::Operation::Genesis { .. }
        | coldlog_spec::record::Operation::KeyEvent { .. } => None,
    };
    let output = output
        .map(|path| path.to_str().context("the output's path is not UTF-8; use --output-dir"))
        .transpose()?;
    step.execute(
        "INSERT INTO records (sequence, statement, sealed, disclosure, document, output) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![statement.position.sequence, statement.bytes(), sealed, disclosure.encode(), document, output],
    )?;
    Ok(())
}

// SQLite counts the transactions that wrote to a file in its header (file format, section 1.3.7).
fn writes_of(home: &Path) -> Result<u32> {
    let mut header = [0; 28];
    let mut file = files::open(&path_in(home))?;
    std::io::Read::read_exact(&mut file, &mut header).context("reading the journal's header")?;
    Ok(u32::from_be_bytes([header[24], header[25], header[26], header[27]]))
}

fn put_tail(
    step: &rusqlite::Transaction,
    key: &SecretKey,
    newest: &Statement,
    claims: &Claims,
) -> Result<()> {
    let tail = Tail { count: newest.position.sequence + 1, head: newest.leaf() };
    let signed = SignedTail::sign(key, claims, tail)?.sign1.encode();
    step.execute("INSERT OR REPLACE INTO meta VALUES ('tail', ?1)", [signed])?;
    Ok(())
}
