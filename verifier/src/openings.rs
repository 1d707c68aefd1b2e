//! Who opened which sealed records, when and why: an auditor's access has a memory, too.

use anyhow::{Context, Result, bail};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::time;
use coldlog_spec::access::{self, Access, Broken};
use coldlog_spec::cbor::item_length;
use coldlog_spec::hash::Hash;
use coldlog_spec::kind::other_than;
use coldlog_spec::openings::{self, MAX_ITEM, Opening};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The largest journal that is read.
const MAX_JOURNAL: u64 = 256 << 20;

/// What is said of an opening, and where it is written down.
#[derive(Debug, Clone, clap::Args)]
pub struct OpeningArgs {
    /// Who opens the records; by default the user.
    #[arg(long, env = "COLDLOG_AUDITOR", value_name = "NAME")]
    pub auditor: Option<String>,
    /// Why.
    #[arg(long, default_value = "not said", value_name = "TEXT")]
    pub why: String,
    /// The journal of openings: each is written there before anything is opened.
    #[arg(
        long,
        env = "COLDLOG_OPENINGS",
        default_value = "coldlog-openings.cbor",
        value_name = "FILE"
    )]
    pub openings: PathBuf,
}

impl OpeningArgs {
    /// Who opens them.
    pub fn who(&self) -> String {
        let user = || std::env::var("USER").ok();
        self.auditor.clone().or_else(user).unwrap_or_else(|| "unknown".into())
    }

    /// Writes down that records of a log are about to be opened by a command: `count` from the entry `first` on.
    pub fn note(&self, origin: &str, by: &str, (first, count): (u64, u64)) -> Result<()> {
        let path = &self.openings;
        let lock = files::with_suffix(path, "lock");
        let lock_file = File::options().create(true).append(true).open(&lock);
        let lock_file = lock_file.with_context(|| lock.display().to_string())?;
        files::lock_file(&lock_file, path)?;
        let (mut bytes, previous) = match files::is_there(path)? {
            true => {
                let journal = Journal::read(path)?;
                if let Err(broken) = journal.whole() {
                    return Err(broken).with_context(|| path.display().to_string());
                }
                if journal.torn {
                    bail!(
                        "{} breaks off in its last item: keep it, put a sound copy in its place or name another with --openings",
                        path.display()
                    );
                }
                (journal.bytes, journal.digest)
            }
            false => {
                let header = openings::encode_header();
                let digest = Hash::of(&header);
                (header, digest)
            }
        };
        let (who, why) = (self.who(), self.why.clone());
        let (time, by, origin) = (time::now(), by.into(), origin.into());
        let item = Opening { previous, time, who, why, by, origin, first, count }.encode();
        if item.len() > MAX_ITEM || Opening::decode(&item).is_err() {
            bail!("--auditor and --why take at most 1024 bytes each");
        }
        bytes.extend_from_slice(&item);
        files::write(path, &bytes, Existing::Replace, Mode::Private)
    }
}

/// One read, of either journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// POSIX seconds, by the clock of whoever wrote it.
    pub time: u64,
    /// Who.
    pub who: String,
    /// Why, or from where.
    pub why: String,
    /// The log.
    pub origin: String,
    /// The index of the first entry.
    pub first: u64,
    /// How many from there.
    pub count: u64,
}

/// A journal of reads: an auditor's own, or a log server's.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The reads.
    pub reads: Vec<Read>,
    /// SHA-256 of each item, and of the header before them.
    pub digests: Vec<Hash>,
    broken: Option<Broken>,
    /// Its last item breaks off: a server is writing it now, or was copied while it did.
    torn: bool,
    digest: Hash,
    bytes: Vec<u8>,
}

impl Journal {
    /// Reads a journal of either kind.
    pub fn read(path: &Path) -> Result<Journal> {
        let bytes = files::read(path, MAX_JOURNAL)?;
        let named = || path.display().to_string();
        // A text is told by its name before it is read as CBOR.
        if let Some(found) = other_than("coldlog-openings", &bytes).filter(|_| bytes.is_ascii()) {
            bail!("{} is {found}, expected a journal of reads", path.display());
        }
        let (mut rest, mut torn) = (bytes.as_slice(), false);
        let mut item = || -> Result<Option<&[u8]>> {
            let length = item_length("coldlog-openings", rest, MAX_ITEM)?;
            let whole = length.and_then(|length| rest.split_at_checked(length));
            torn = whole.is_none() && !rest.is_empty();
            Ok(whole.map(|(one, after)| {
                rest = after;
                one
            }))
        };
        let header = item().with_context(named)?.context("it is empty").with_context(named)?;
        let own = openings::decode_header(header);
        let server = match own {
            Ok(()) => None,
            Err(why) => match access::decode_header(header) {
                Ok(origin) => Some(origin),
                Err(_) => return Err(why).with_context(named),
            },
        };
        let mut digest = Hash::of(header);
        let (mut reads, mut broken, mut digests) = (Vec::new(), None, vec![digest]);
        while let Some(item) = item().with_context(named)? {
            let number = reads.len() as u64 + 1;
            let (read, next) = match &server {
                None => {
                    let one = Opening::decode(item).with_context(named)?;
                    let next = one.follows(number, digest);
                    let why = format!("{} ({})", one.why, one.by);
                    let Opening { time, who, origin, first, count, .. } = one;
                    (Read { time, who, why, origin, first, count }, next)
                }
                Some(origin) => {
                    let one = Access::decode(item).with_context(named)?;
                    let next = access::follows(&one, number, digest);
                    let Access { time, reader: who, address: why, first, count, .. } = one;
                    (Read { time, who, why, origin: origin.clone(), first, count }, next)
                }
            };
            broken = broken.or(next.err());
            digest = Hash::of(item);
            digests.push(digest);
            reads.push(read);
        }
        Ok(Journal { reads, digests, broken, torn, digest, bytes })
    }

    /// Whether each read follows the one before.
    pub fn whole(&self) -> Result<(), Broken> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}
