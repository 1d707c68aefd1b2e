//! Files that appear whole or not at all, and reads that are bounded.

use anyhow::{Context, Result, bail};
use coldlog_spec::hash::Hash;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How the names of files begin that are not whole yet.
const UNFINISHED: &str = ".coldlog-";

/// What to do where a file stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse: nothing ever replaces a key.
    Never,
    /// Refuse, unless the user says --force.
    Keep,
    /// Put the new one in its place.
    Replace,
}

impl Existing {
    /// From a `--force` flag.
    pub fn from_force(force: bool) -> Existing {
        if force { Existing::Replace } else { Existing::Keep }
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// 0600
    Private,
    /// 0644
    Public,
}

/// A file under way: written beside its place, then moved there.
pub struct NewFile {
    temporary: tempfile::NamedTempFile,
    path: PathBuf,
    pub(crate) existing: Existing,
}

impl NewFile {
    /// Starts a file. A symlink, or unless it is replaced any file, in its place is refused now.
    pub fn create(path: &Path, existing: Existing, mode: Mode) -> Result<NewFile> {
        if let Ok(meta) = fs::symlink_metadata(path) {
            if !meta.is_file() {
                bail!(
                    "{} is in the way and is no regular file; remove it or choose another name",
                    path.display()
                );
            }
            if existing != Existing::Replace {
                return Err(taken(path, existing));
            }
        }
        let folder = folder_of(path);
        let bits = match mode {
            Mode::Private => 0o600,
            Mode::Public => 0o644,
        };
        let temporary = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(fs::Permissions::from_mode(bits))
            .tempfile_in(&folder)
            .with_context(|| format!("cannot write into the folder {}", folder.display()))?;
        Ok(NewFile { temporary, path: path.into(), existing })
    }

    /// Where it is until it is in its place.
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Syncs, moves into place, and syncs the folder.
    pub fn finish(self) -> Result<()> {
        let folder = folder_of(&self.path);
        self.place()?;
        sync_folder(&folder)
    }

    // Syncs and moves into place; the folder is the caller's to sync.
    fn place(self) -> Result<()> {
        self.temporary
            .as_file()
            .sync_all()
            .with_context(|| format!("syncing {}", self.path.display()))?;
        self.rename()
    }

    fn rename(self) -> Result<()> {
        let path = self.path;
        let moved = match self.existing {
            Existing::Never | Existing::Keep => self.temporary.persist_noclobber(&path),
            Existing::Replace => self.temporary.persist(&path),
        };
        moved
            .map_err(|e| e.error)
            .with_context(|| format!("putting {} in place", path.display()))?;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

/// Writes a small file whole, syncs it, and reads it back: a removable medium may lose its last write.
pub fn write(path: &Path, bytes: &[u8], existing: Existing, mode: Mode) -> Result<()> {
    write_all(&[(path, bytes)], existing, mode)
}

/// Writes small files, each whole or not at all; each folder is synced once, when all its files are
/// in place. All are durable, and read back, when this returns; after an error some may be there.
pub fn write_all(files: &[(&Path, &[u8])], existing: Existing, mode: Mode) -> Result<()> {
    let mut folders = std::collections::BTreeSet::new();
    for (path, bytes) in files {
        // An interrupted command that is run again finds its own work, which may not be durable yet.
        if existing == Existing::Keep && read(path, bytes.len() as u64).is_ok_and(|b| b == *bytes) {
            sync_file(path)?;
            folders.insert(folder_of(path));
            continue;
        }
        let mut file = NewFile::create(path, existing, mode)?;
        file.write_all(bytes).with_context(|| format!("writing {}", path.display()))?;
        file.place()?;
        folders.insert(folder_of(path));
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))?;
    for (path, bytes) in files {
        let mut back = open_uncached(path)?;
        let mut there = Vec::with_capacity(bytes.len() + 1);
        let read = (&mut back).take(bytes.len() as u64 + 1).read_to_end(&mut there);
        read.with_context(|| format!("reading {} back", path.display()))?;
        if there != *bytes {
            return Err(lost_write(path));
        }
    }
    Ok(())
}

/// Puts a file in place whole, but not durably: see [`sync_file`], [`sync_folder`] and
/// [`sync_file_system`].
pub fn place(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path, Existing::Replace, Mode::Public)?;
    file.write_all(bytes).with_context(|| format!("writing {}", path.display()))?;
    file.rename()
}

/// Makes a file's bytes durable.
pub fn sync_file(path: &Path) -> Result<()> {
    open(path)?.sync_all().with_context(|| format!("syncing {}", path.display()))
}

/// Makes everything on the file system of `folder` durable.
pub fn sync_file_system(folder: &Path) -> Result<()> {
    let file = File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(&file)
        .with_context(|| format!("syncing the file system of {}", folder.display()))?;
    // Elsewhere there is no such call with an answer: every file and folder by itself.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry.with_context(|| format!("walking {}", folder.display()))?;
        File::open(entry.path())
            .and_then(|file| file.sync_all())
            .with_context(|| format!("syncing {}", entry.path().display()))?;
    }
    drop(file);
    Ok(())
}

/// SHA-256 of a synced file as the medium has it.
pub fn hash_uncached(path: &Path) -> Result<Hash> {
    let mut file = open_uncached(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read =
            file.read(&mut buffer).with_context(|| format!("reading {} back", path.display()))?;
        if read == 0 {
            return Ok(Hash(digest.finalize().into()));
        }
        digest.update(&buffer[..read]);
    }
}

/// Something else stands there.
pub fn taken(path: &Path, existing: Existing) -> anyhow::Error {
    let hint = match existing {
        Existing::Never => "",
        _ => ", or say --force to replace it",
    };
    anyhow::anyhow!("{} exists already; choose another name{hint}", path.display())
}

/// What was written does not read back.
pub fn lost_write(path: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} does not read back as it was written: the medium is failing, use another",
        path.display()
    )
}

/// Opens a synced file so that it is read from the medium, not from memory, where the system allows.
pub fn open_uncached(path: &Path) -> Result<File> {
    let file = open(path)?;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(file)
}

/// Refuses work that the disk of `folder` has no room for, before it starts.
pub fn need_space(folder: &Path, bytes: u64) -> Result<()> {
    // The nearest folder that is there already tells.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(there)
        .with_context(|| format!("cannot look at the disk of {}", there.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < bytes {
        bail!(
            "the disk of {} has {free} bytes free, this needs about {bytes}: make room, or use another; nothing was done",
            folder.display()
        );
    }
    Ok(())
}

/// Refuses a file name that a FAT, exFAT or NTFS stick cannot hold. Asked before work whose result
/// goes to a folder of its own, which may be on one.
pub fn check_portable(name: &str) -> Result<()> {
    const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    let why = if name.chars().any(|c| c.is_control() || "<>:\"/\\|?*".contains(c)) {
        "a character that is not allowed there (< > : \" / \\ | ? * or a control character)"
    } else if name.ends_with(['.', ' ']) {
        "a dot or a space at its end"
    } else if name.encode_utf16().count() > 255 {
        "more than 255 characters"
    } else if DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT") {
        "the name of a device"
    } else {
        return Ok(());
    };
    bail!(
        "{name:?} cannot be a file's name on a FAT, exFAT or NTFS stick: it has {why}; rename the document, or sign it in place, without --output-dir"
    )
}

/// Writes evidence: to `path`, or beside it under its own digest where something else stands there already.
/// Evidence is never replaced, and never lost for want of a name. Returns where it is.
pub fn write_evidence(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let digest = Hash::of(bytes).to_hex();
    for path in [path.to_path_buf(), with_suffix(path, &digest)] {
        if read(&path, bytes.len() as u64).is_ok_and(|there| there == bytes) {
            return Ok(path);
        }
        if fs::symlink_metadata(&path).is_err() {
            write(&path, bytes, Existing::Never, Mode::Public)?;
            return Ok(path);
        }
    }
    bail!(
        "{} and the name after it with its digest are taken by something else; name another with --evidence",
        path.display()
    )
}

/// Removes what writers that were killed left in a folder. The caller holds it: nobody writes there now.
pub fn clear_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Whether something stands at a path. Only "not found" means no: any other error is one, for a
/// state that cannot be read must not pass for a state that was never written.
pub fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| format!("cannot look at {}", path.display())),
    }
}

/// What tells a file from its copies and from what was put in its place: when it was made (its inode,
/// where the file system does not say) and when it was last touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Not changed by writing to the file; another for every copy but one of a whole disk.
    pub born: String,
    /// Changed by whatever changes the file, a restored backup among it. Nanoseconds.
    pub touched: i128,
}

impl Mark {
    /// Of a file.
    pub fn of(path: &Path) -> Result<Mark> {
        let meta =
            fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
        let born = meta.created().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let born = match born {
            Some(born) => format!("born {}", born.as_nanos()),
            None => format!("inode {}", meta.ino()),
        };
        let touched = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        Ok(Mark { born, touched })
    }
}

/// Makes a folder's entries durable.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("syncing the folder {}", folder.display()))
}

/// Makes a folder that only its owner may enter, durably; one that is there is closed to others.
pub fn create_private_folder(folder: &Path) -> Result<()> {
    create_folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("closing {} to others", folder.display()))
}

/// Makes a folder and its parents, durably.
pub fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    create_folder(&parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(e).with_context(|| format!("making the folder {}", folder.display()))
        }
        _ => sync_folder(&parent),
    }
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => PathBuf::from("."),
    }
}

/// `FILE` with something behind its name: `FILE.proof`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Reads a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(path, limit, &mut bytes)?;
    Ok(bytes)
}

fn read_into(path: &Path, limit: u64, bytes: &mut Vec<u8>) -> Result<()> {
    let read = open(path)?.take(limit.saturating_add(1)).read_to_end(bytes);
    read.with_context(|| format!("reading {}", path.display()))?;
    if bytes.len() as u64 > limit {
        bail!(
            "{} is larger than {limit} bytes: it is not the file that was asked for",
            path.display()
        );
    }
    Ok(())
}

/// Opens a regular file; a FIFO or device never blocks us.
pub fn open(path: &Path) -> Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.with_context(|| format!("cannot read {}", path.display()))?;
    if !file.metadata().with_context(|| format!("reading {}", path.display()))?.is_file() {
        bail!("{} is no regular file", path.display());
    }
    Ok(file)
}

/// Reads a file that holds a secret: only its owner may be able to.
pub fn read_private(path: &Path, limit: u64) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    let mode =
        fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.mode();
    if mode & 0o077 != 0 {
        bail!(
            "{} can be read by others (mode {:03o}); run `chmod 600` on it",
            path.display(),
            mode & 0o777
        );
    }
    // All the room at once: growing would leave copies of the secret behind. What is read is wiped also
    // where it is refused.
    let room = usize::try_from(limit)?.saturating_add(1);
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(room));
    read_into(path, limit, &mut bytes)?;
    Ok(bytes)
}

/// Holds a folder for this process alone, until dropped.
pub struct FolderLock(#[allow(dead_code)] File);

/// Locks a folder by its `lock` file; another process that holds it is an error, not a wait.
pub fn lock(folder: &Path) -> Result<FolderLock> {
    let path = folder.join("lock");
    let file =
        fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    lock_file(&file, folder)?;
    Ok(FolderLock(file))
}

/// Locks a folder as [`lock`] does, but waits for as long as `patience` where another process holds it.
pub fn lock_within(folder: &Path, patience: std::time::Duration) -> Result<FolderLock> {
    let end = std::time::Instant::now() + patience;
    loop {
        match lock(folder) {
            Ok(lock) => return Ok(lock),
            Err(why) if std::time::Instant::now() >= end || !why.is::<rustix::io::Errno>() => {
                return Err(why);
            }
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(3)),
        }
    }
}

/// Raises the limit of open files to the most that this process may have: a server's connections are
/// files, and by default there is room for 1,024.
pub fn allow_many_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where it cannot be raised, the limit that there is holds, and connections beyond it wait.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Locks an open file until it is closed; `what` is named where another process holds it.
pub fn lock_file(file: &File, what: &Path) -> Result<()> {
    rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).with_context(
        || format!("{} is in use by another process; wait for it to end", what.display()),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_into_room_that_never_grows() {
        let stage = tempfile::tempdir().unwrap();
        let path = stage.path().join("secret");
        write(&path, &[7; 3000], Existing::Never, Mode::Private).unwrap();
        let secret = read_private(&path, 4096).unwrap();
        assert!(*secret == [7; 3000]);
        assert_eq!(secret.capacity(), 4097);
        let full = read_private(&path, 3000).unwrap();
        assert_eq!((full.len(), full.capacity()), (3000, 3001));
        assert!(read_private(&path, 2999).is_err());
    }
}
