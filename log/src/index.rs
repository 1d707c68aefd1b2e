//! The index: only a shortcut from journal and sequence number to leaf index. It follows the head,
//! and is rebuilt from the entries whenever it does not fit.

use anyhow::{Context, Result};
use coldlog_kit::published::{Source, Tree};
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::revoked_journal;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, WIDTH, entries_path};
use coldlog_spec::verify::append::Progress;
use coldlog_spec::verify::revocation::is_prepared;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;

/// The index, in step with a head.
pub struct Index {
    db: Connection,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (journal BLOB, sequence INTEGER, place INTEGER NOT NULL,
        leaf BLOB NOT NULL, PRIMARY KEY (journal, sequence)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS events (journal BLOB, sequence INTEGER, place INTEGER NOT NULL,
        PRIMARY KEY (journal, sequence)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revocations (journal BLOB, place INTEGER NOT NULL,
        PRIMARY KEY (journal, place)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS head (only INTEGER PRIMARY KEY, root BLOB NOT NULL) STRICT;";

/// A journal's name in the index.
pub fn journal_id(claims: &Claims) -> Hash {
    Hash::of_parts(&[claims.issuer.as_bytes(), &[0], claims.subject.as_bytes()])
}

impl Index {
    /// Opens the index and brings it to `head`: catches up, or starts anew where it is ahead or damaged.
    pub fn open(path: &Path, source: &dyn Source, head: &Checkpoint) -> Result<Index> {
        match Index::catch_up(path, source, head) {
            Ok(index) => Ok(index),
            Err(why) => {
                // Everything in it is derived; what is damaged is set aside, not deleted.
                let mut aside = String::new();
                if path.exists() {
                    let to = path.with_extension(format!("damaged-{}", coldlog_kit::time::now()));
                    std::fs::rename(path, &to)?;
                    aside = format!("; what it was is in {}", to.display());
                }
                coldlog_kit::terminal::talk(format!("log: the index is rebuilt: {why:#}{aside}"));
                Index::catch_up(path, source, head)
            }
        }
    }

    fn catch_up(path: &Path, source: &dyn Source, head: &Checkpoint) -> Result<Index> {
        let db = Connection::open(path)?;
        db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
        db.execute_batch(SCHEMA)?;
        let index = Index { db };
        let size = index.meta("size")?;
        if size > head.size {
            anyhow::bail!("it knows {size} entries, the head {}", head.size);
        }
        let mut tree = Tree::new(source, head.size);
        // Not only as large as the log was: of this very history.
        if size > 0 && index.root()? != Some(tree.root_at(size)?) {
            anyhow::bail!("its {size} entries are those of another history");
        }
        if size < head.size {
            index.begin()?;
            for bundle in size / WIDTH..head.size.div_ceil(WIDTH) {
                let width = tile::width_at(0, bundle, head.size);
                let bytes = tree.bundle(bundle, entries_path)?;
                for (at, entry) in tile::decode_bundle(&bytes, width)?.into_iter().enumerate() {
                    let place = bundle * WIDTH + at as u64;
                    let statement = Statement::decode(entry);
                    let statement =
                        statement.with_context(|| format!("entry {place} is damaged"))?;
                    index.add(&statement, place)?;
                }
            }
            index.commit(head)?;
        }
        Ok(index)
    }

    fn meta(&self, key: &str) -> Result<u64> {
        let value =
            self.db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
        Ok(value.optional()?.unwrap_or(0))
    }

    fn set_meta(&self, key: &str, value: u64) -> Result<()> {
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![key, value])?;
        Ok(())
    }

    /// The newest size that witnesses cosigned, as far as the index knows; 0 after a rebuild, which
    /// a witness answers with its own size.
    pub fn cosigned_size(&self) -> Result<u64> {
        self.meta("cosigned")
    }

    /// Remembers the newest cosigned size.
    pub fn set_cosigned_size(&self, size: u64) -> Result<()> {
        self.set_meta("cosigned", size)
    }

    /// Opens the index without writing to it.
    pub fn open_to_read(path: &Path) -> Result<Index> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Index { db })
    }

    /// How many entries it knows.
    pub fn size(&self) -> Result<u64> {
        self.meta("size")
    }

    /// Where a record is, and its leaf hash.
    pub fn find(&self, claims: &Claims, sequence: u64) -> Result<Option<(u64, Hash)>> {
        let mut query = self.db.prepare_cached(
            "SELECT place, leaf FROM entries WHERE journal = ?1 AND sequence = ?2",
        )?;
        let journal = journal_id(claims);
        let found: Option<(u64, Vec<u8>)> = query
            .query_row(params![&journal.0[..], sequence], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.and_then(|(place, leaf)| Some((place, Hash::from_slice(&leaf)?))))
    }

    /// Where the key events of a journal after its genesis are, in order.
    pub fn events(&self, claims: &Claims) -> Result<Vec<u64>> {
        let mut query = self
            .db
            .prepare_cached("SELECT place FROM events WHERE journal = ?1 ORDER BY sequence")?;
        let journal = journal_id(claims);
        let places = query.query_map([&journal.0[..]], |row| row.get(0))?;
        Ok(places.collect::<Result<_, _>>()?)
    }

    /// Where the revocations of a journal's keys are that stand outside of it, in order.
    pub fn revocations(&self, claims: &Claims) -> Result<Vec<u64>> {
        let mut query = self
            .db
            .prepare_cached("SELECT place FROM revocations WHERE journal = ?1 ORDER BY place")?;
        let journal = journal_id(claims);
        let places = query.query_map([&journal.0[..]], |row| row.get(0))?;
        Ok(places.collect::<Result<_, _>>()?)
    }

    /// Starts a transaction that [`Index::commit`] ends, after the head has moved.
    pub fn begin(&self) -> Result<()> {
        Ok(self.db.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Gives a transaction up, if one is open.
    pub fn rollback(&self) -> Result<()> {
        match self.db.is_autocommit() {
            true => Ok(()),
            false => Ok(self.db.execute_batch("ROLLBACK")?),
        }
    }

    /// Adds an entry.
    pub fn add(&self, statement: &Statement, place: u64) -> Result<()> {
        let mut insert =
            self.db.prepare_cached("INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4)")?;
        let journal = journal_id(statement.claims());
        insert.execute(params![
            &journal.0[..],
            statement.position.sequence,
            place,
            &statement.leaf().0[..]
        ])?;
        if is_prepared(statement)
            && let Some(revoked) = revoked_journal(statement.claims())
        {
            let mut insert =
                self.db.prepare_cached("INSERT OR REPLACE INTO revocations VALUES (?1, ?2)")?;
            insert.execute(params![&journal_id(&revoked).0[..], place])?;
        }
        if statement.position.sequence > 0 && matches!(statement.payload, Payload::KeyEvent(_)) {
            let mut insert =
                self.db.prepare_cached("INSERT OR REPLACE INTO events VALUES (?1, ?2, ?3)")?;
            insert.execute(params![&journal.0[..], statement.position.sequence, place])?;
        }
        Ok(())
    }

    /// The root of the tree that it knows.
    pub fn root(&self) -> Result<Option<Hash>> {
        let root = self.db.query_row("SELECT root FROM head", [], |row| row.get::<_, Vec<u8>>(0));
        Ok(root.optional()?.and_then(|root| Hash::from_slice(&root)))
    }

    /// Ends the transaction at a head.
    pub fn commit(&self, head: &Checkpoint) -> Result<()> {
        self.set_meta("size", head.size)?;
        self.db.execute("INSERT OR REPLACE INTO head VALUES (1, ?1)", [&head.root.0[..]])?;
        Ok(self.db.execute_batch("COMMIT")?)
    }

    /// Where the records of a journal from `first` on are, as far as they follow each other in the
    /// log's numbers of them; at most `most`.
    pub fn places(&self, claims: &Claims, first: u64, most: u64) -> Result<Vec<u64>> {
        let mut query = self.db.prepare_cached(
            "SELECT sequence, place FROM entries WHERE journal = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let journal = journal_id(claims);
        let rows = query.query_map(params![&journal.0[..], first, most], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
        })?;
        let mut places = Vec::new();
        for row in rows {
            let (sequence, place) = row?;
            if sequence != first + places.len() as u64 {
                break;
            }
            places.push(place);
        }
        Ok(places)
    }

    /// How far a journal is in the log.
    pub fn progress(&self, claims: &Claims) -> Result<Progress> {
        let mut query = self.db.prepare_cached(
            "SELECT sequence, leaf FROM entries WHERE journal = ?1 ORDER BY sequence DESC LIMIT 1",
        )?;
        let journal = journal_id(claims);
        let found: Option<(u64, Vec<u8>)> =
            query.query_row([&journal.0[..]], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(match found {
            None => Progress::default(),
            Some((sequence, leaf)) => {
                Progress { next: sequence + 1, head: Hash::from_slice(&leaf) }
            }
        })
    }
}
