//! Who may read sealed records over HTTP, and what they read. `home` is a log's or a mirror's, and the caller
//! knows that it is one.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::report::{self, Report};
use coldlog_kit::secret;
use coldlog_kit::sequence::{CutShort, Reader};
use coldlog_kit::terminal::{say, talk};
use coldlog_kit::time;
use coldlog_spec::access::{self, Access, MAX_ITEM, decode_header, encode_header};
use coldlog_spec::hash::Hash;
use serde_json::json;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

fn folder(home: &Path) -> PathBuf {
    home.join("readers")
}

/// The largest file of a reader.
const MAX_READER: u64 = 256;

/// A reader's name is a file's name here, so only some characters make one.
pub(crate) fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    (1..=100).contains(&name.len()) && name.chars().all(sound) && !name.starts_with('.')
}

fn file(home: &Path, name: &str) -> Result<PathBuf> {
    if !is_name(name) {
        bail!(
            "{name:?} is no reader's name: letters, digits, dots, dashes and @ only, for example auditor@bank.example"
        );
    }
    Ok(folder(home).join(name))
}

/// `allow-reader`
pub fn allow(home: &Path, name: &str, certificate: Option<&Path>) -> Outcome {
    let path = file(home, name)?;
    files::create_folder(&folder(home))?;
    if files::is_there(&path)? {
        return no(format!(
            "{name} may read already; take that back first with `forget-reader {name}`"
        ));
    }
    let write = |line: String| files::write(&path, line.as_bytes(), Existing::Never, Mode::Private);
    match certificate {
        Some(pem) => {
            let digest = coldlog_web::certificate_digest(pem, &files::read(pem, 1 << 20)?)?;
            write(format!("certificate {digest}\n"))?;
            say(format!("{name} may read sealed records with the certificate {digest}"));
        }
        None => {
            // Only its digest stays here.
            let random = Zeroizing::new(secret::random()?);
            let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*random));
            write(format!("token {}\n", Hash::of(token.as_bytes())))?;
            talk(format!("{name} may read sealed records with this token, which is shown once:"));
            say(token.as_str());
        }
    }
    Ok(())
}

/// `forget-reader`
pub fn forget(home: &Path, name: &str) -> Outcome {
    let path = file(home, name)?;
    if !files::is_there(&path)? {
        return no(format!("{name} may not read; those who may are listed by `readers`"));
    }
    std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    files::sync_folder(&folder(home))?;
    say(format!("{name} may read no longer"));
    Ok(())
}

/// Each reader's name, and what stands in the reader's file.
pub(crate) fn files_of(home: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = folder(home);
    let mut readers = Vec::new();
    if !files::is_there(&folder)? {
        return Ok(readers);
    }
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|name| is_name(name)) else { continue };
        readers.push((name, files::read(&path, MAX_READER)?));
    }
    readers.sort();
    Ok(readers)
}

// How a reader is known, and the digest of that.
fn known_by(line: &[u8]) -> Option<(&str, Hash)> {
    let (how, digest) = std::str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
    let sound = ["token", "certificate"].contains(&how);
    Some((how, Hash::from_hex(digest)?)).filter(|_| sound)
}

/// `readers`
pub fn list(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let files = files_of(home)?;
        let known = |(name, line): &(String, Vec<u8>)| {
            let known = known_by(line);
            let known = known.map(|(how, digest)| (name.clone(), how.to_owned(), digest));
            known.with_context(|| format!("the file of {name} in readers/ is damaged: forget the reader, and allow it anew"))
        };
        let readers = files.iter().map(known).collect::<Result<Vec<_>>>()?;
        let mut text: Vec<String> =
            readers.iter().map(|(name, how, digest)| format!("{name}, {how} {digest}")).collect();
        if text.is_empty() {
            text.push("nobody may read sealed records over HTTP; `allow-reader` allows it".into());
        }
        let list = readers.iter().map(
            |(name, how, digest)| json!({"reader": name, "by": how, "sha256": digest.to_hex()}),
        );
        Ok(Report { text, fields: json!({"readers": list.collect::<Vec<_>>()}) })
    })
}

/// The reader that has this token or this certificate.
pub fn who(home: &Path, token: Option<&str>, certificate: Option<Hash>) -> Result<Option<String>> {
    // Digests are compared, of which nobody can make one bit by bit.
    let token = token.map(|token| Hash::of(token.as_bytes()));
    let holds = |how: &str, digest: Hash| match how {
        "token" => token == Some(digest),
        _ => certificate == Some(digest),
    };
    // One whose file is damaged reads nothing; the others do.
    let found = files_of(home)?.into_iter().find(|(name, line)| match known_by(line) {
        Some((how, digest)) => holds(how, digest),
        None => {
            tracing::warn!(reader = %name, "the reader's file is damaged");
            false
        }
    });
    Ok(found.map(|(name, _)| name))
}

fn journal(home: &Path) -> PathBuf {
    home.join("accesses")
}

/// The largest access journal that is backed up: some ten million reads.
pub(crate) const MAX_JOURNAL: usize = 1 << 31;

/// The access journal, up to its last whole item: a server may be writing the next one.
pub(crate) fn accesses_until_now(home: &Path) -> Result<Option<Vec<u8>>> {
    let path = journal(home);
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let mut bytes = files::read(&path, MAX_JOURNAL as u64)?;
    let mut whole = 0;
    while let Some(rest) = bytes.get(whole..).filter(|rest| !rest.is_empty()) {
        match coldlog_spec::cbor::item_length("coldlog-access", rest, MAX_ITEM)? {
            Some(length) => whole += length,
            None => break,
        }
    }
    bytes.truncate(whole);
    Ok(Some(bytes))
}

/// The access journal, open for this process alone.
pub struct Accesses {
    file: File,
    previous: Hash,
    path: PathBuf,
}

// Reads the journal through: each read, then the digest of the last item. `torn` is told where the last
// item breaks off.
fn walk(path: &Path, mut each: impl FnMut(&Access) -> Outcome) -> Outcome<(String, Hash, u64)> {
    let mut reader = Reader::open(path, "coldlog-access", MAX_ITEM)?;
    let header = reader.next()?.with_context(|| format!("{} is empty", path.display()))?;
    let origin = decode_header(&header)?;
    let (mut previous, mut number, mut whole) = (Hash::of(&header), 0, header.len() as u64);
    loop {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => return Ok((origin, previous, whole)),
            Err(why) if why.is::<CutShort>() => {
                return Err(Failure::Trouble(Torn { whole, previous }.into()));
            }
            Err(why) => return Err(why.into()),
        };
        number += 1;
        let access = Access::decode(&item)
            .with_context(|| format!("read {number} in {}", path.display()))?;
        previous = access::follows(&access, number, previous).or_no()?;
        whole += item.len() as u64;
        each(&access)?;
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the last read of the access journal breaks off after {whole} bytes: a server puts it aside as it starts, for it was answered by nothing"
)]
struct Torn {
    whole: u64,
    previous: Hash,
}

impl Accesses {
    /// Opens it; where a server was killed, what it had not answered is put aside.
    pub fn open(home: &Path, origin: &str) -> Outcome<Accesses> {
        let path = journal(home);
        if !files::is_there(&path)? {
            files::write(&path, &encode_header(origin), Existing::Keep, Mode::Private)?;
        }
        let file = File::options().read(true).write(true).open(&path);
        let mut file = file.with_context(|| format!("cannot open {}", path.display()))?;
        files::lock_file(&file, &path)?;
        let (whole, previous) = match walk(&path, |_| Ok(())) {
            Ok((_, previous, whole)) => (whole, previous),
            Err(Failure::Trouble(why)) => match why.downcast::<Torn>() {
                Ok(Torn { whole, previous }) => (whole, previous),
                Err(why) => return Err(Failure::Trouble(why)),
            },
            Err(failure) => return Err(failure),
        };
        let length = file.metadata().context("the access journal")?.len();
        if whole < length {
            let torn = files::read(&path, u64::MAX)?.split_off(whole as usize);
            if !access::may_be_begun(&torn, previous) {
                return trouble(format!(
                    "{} is damaged after {whole} bytes, and not by a crash: keep it, put a sound copy in its place or move it away, and start again",
                    path.display()
                ));
            }
            // The crash came before the answer: the read never happened. It is kept all the same.
            let aside = path.with_extension(format!("torn-{}", time::now()));
            std::fs::copy(&path, &aside).with_context(|| aside.display().to_string())?;
            files::sync_file(&aside)?;
            file.set_len(whole).context("the access journal")?;
            file.sync_all().context("the access journal")?;
            talk(format!("a read that was not answered broke off; it is in {}", aside.display()));
        }
        file.seek(SeekFrom::End(0)).context("the access journal")?;
        Ok(Accesses { file, previous, path })
    }

    /// Notes a read; it is durable when this returns.
    pub fn note(&mut self, reader: &str, address: &str, first: u64, count: u64) -> Result<()> {
        let (reader, address) = (reader.to_string(), address.to_string());
        let access =
            Access { previous: self.previous, time: time::now(), reader, address, first, count };
        let item = access.encode();
        let end = self.file.stream_position()?;
        let written = self.file.write_all(&item).and_then(|()| self.file.sync_data());
        if let Err(why) = written {
            // Half an item must not stand before the next.
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
            return Err(why).with_context(|| format!("writing {}", self.path.display()));
        }
        self.previous = Hash::of(&item);
        Ok(())
    }
}

/// `accesses`
pub fn accesses(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let path = journal(home);
        let (mut text, mut list) = (Vec::new(), Vec::new());
        if files::is_there(&path)? {
            walk(&path, |access| {
                let Access { time, reader, address, first, count, .. } = access;
                let last = first + count.saturating_sub(1);
                let at = time::show(*time);
                text.push(format!("{at}  {reader} from {address}: entries {first} to {last}"));
                list.push(json!({
                    "time": time, "reader": reader, "address": address, "first": first, "count": count,
                }));
                Ok(())
            })?;
        }
        if text.is_empty() {
            text.push("nobody has read sealed records over HTTP".into());
        }
        Ok(Report { text, fields: json!({"reads": list}) })
    })
}
