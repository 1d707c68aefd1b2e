//! Backups on a medium: a folder of generations, each whole or not there.
//!
//! ```text
//! FOLDER/generation-000001/backup.cbor   the manifest
//! FOLDER/generation-000001/journal.age   the journal, sealed to its recipients
//! FOLDER/generation-000001/key.age       the key file, under its own passphrase
//! FOLDER/generation-000001/held.age      or, of a key in a token or agent, the file that names it, sealed to the auditors
//! FOLDER/generation-000001/totp.age      the secret of one-time codes, sealed to the key file's identity
//! ```

use anyhow::{Context, Result};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, FolderLock, Mode};
use coldlog_kit::sealed_file;
use coldlog_spec::backup::{File, MAX_MANIFEST, Manifest};
use coldlog_spec::hash::Hash;
use coldlog_spec::verify::backup::{Verified, holds, verify};
use std::fs;
use std::path::{Path, PathBuf};

/// The manifest's name in a generation.
pub const MANIFEST: &str = "backup.cbor";
/// The sealed journal's.
pub const JOURNAL: &str = "journal.age";
/// The key file's.
pub const KEY: &str = "key.age";

/// The file that names a key elsewhere, where it was not sealed itself.
pub const HELD: &str = "held.age";
/// The secret of one-time codes.
pub const TOTP: &str = "totp.age";

const PREFIX: &str = "generation-";
/// How the folder of a generation begins that is not whole yet, before its name.
const UNFINISHED: &str = ".coldlog-";
/// And that of one that is being removed, before its number.
const OLD: &str = ".coldlog-old-";

/// A folder with backups.
pub struct Medium {
    folder: PathBuf,
    _lock: Option<FolderLock>,
}

/// A generation under way.
pub struct Unfinished {
    /// Where its files are put.
    pub folder: PathBuf,
    number: u64,
}

impl Medium {
    /// Opens a medium to write on it; makes the folder where there is none.
    pub fn create(folder: &Path) -> Result<Medium> {
        files::create_folder(folder)?;
        close(folder)?;
        let lock = Some(files::lock(folder)?);
        let medium = Medium { folder: folder.into(), _lock: lock };
        // What a backup that was killed left is nobody's.
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(is_left_over) && entry.file_type()?.is_dir() {
                remove(&entry.path())?;
            }
        }
        Ok(medium)
    }

    /// Opens a medium to read it.
    pub fn open(folder: &Path) -> Outcome<Medium> {
        let medium = Medium { folder: folder.into(), _lock: None };
        if !folder.is_dir() || medium.generations()?.is_empty() {
            return trouble(format!(
                "{} holds no backup; make one with `signer backup FOLDER`",
                folder.display()
            ));
        }
        Ok(medium)
    }

    /// The numbers of the generations that are there, oldest first.
    pub fn generations(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        let folder = &self.folder;
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
            found.extend(number.filter(|number| name.to_str() == Some(&name_of(*number))));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// A generation's folder.
    pub fn path_of(&self, generation: u64) -> PathBuf {
        self.folder.join(name_of(generation))
    }

    /// A generation's manifest, verified.
    pub fn manifest(&self, generation: u64) -> Outcome<Verified> {
        let path = self.path_of(generation).join(MANIFEST);
        let read = || format!("generation {generation}");
        let bytes = files::read(&path, MAX_MANIFEST as u64).with_context(read).or_no()?;
        let verified = verify(&bytes).with_context(read).or_no()?;
        let found = verified.manifest().generation;
        if found != generation {
            return no(format!(
                "{} is the manifest of generation {found}: files of two backups were mixed",
                path.display()
            ));
        }
        Ok(verified)
    }

    /// Reads every file of a generation from the medium and holds it against the manifest.
    pub fn check(&self, generation: u64) -> Outcome<Verified> {
        let verified = self.manifest(generation)?;
        verified.file(JOURNAL).or_no()?;
        for file in &verified.manifest().files {
            let path = self.path_of(generation).join(&file.name);
            let place = || format!("generation {generation}");
            let (size, digest) = sealed_file::measure(&path).with_context(place).or_no()?;
            holds(file, size, digest).with_context(place).or_no()?;
        }
        Ok(verified)
    }

    /// Begins the next generation.
    pub fn begin(&self) -> Result<Unfinished> {
        let number = self.generations()?.last().map_or(1, |newest| newest + 1);
        let folder = self.folder.join(format!("{UNFINISHED}{}", name_of(number)));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        close(&folder)?;
        Ok(Unfinished { folder, number })
    }

    /// Gives a generation its name, all its files being there.
    pub fn finish(&self, unfinished: &Unfinished) -> Result<()> {
        let to = self.path_of(unfinished.number);
        files::sync_folder(&unfinished.folder)?;
        fs::rename(&unfinished.folder, &to)
            .with_context(|| format!("putting {} in place", to.display()))?;
        files::sync_folder(&self.folder)
    }

    /// Removes the oldest generations, but for the newest `keep`. Returns how many went.
    pub fn prune(&self, keep: usize) -> Result<usize> {
        let all = self.generations()?;
        let old = &all[..all.len().saturating_sub(keep)];
        for number in old {
            // What is half removed must not pass for a generation.
            let aside = self.folder.join(format!("{OLD}{number}"));
            let from = self.path_of(*number);
            fs::rename(&from, &aside).with_context(|| format!("removing {}", from.display()))?;
            files::sync_folder(&self.folder)?;
            remove(&aside)?;
        }
        Ok(old.len())
    }
}

impl Unfinished {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Puts a small file in it.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::write(&self.folder.join(name), bytes, Existing::Never, Mode::Private)
    }

    /// Puts a small file in it, and lists it.
    pub fn put_listed(&self, name: &str, bytes: &[u8], listed: &mut Vec<File>) -> Result<()> {
        self.put(name, bytes)?;
        let (size, sha256) = (bytes.len() as u64, Hash::of(bytes));
        listed.push(File { name: name.into(), size, sha256 });
        Ok(())
    }

    /// Puts its manifest in it: last.
    pub fn put_manifest(&self, manifest: &Manifest) -> Result<()> {
        self.put(MANIFEST, &manifest.encode())
    }
}

// Only what `begin` and `prune` name so: other folders of that kind are others', and may hold keys.
fn is_left_over(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unfinished = name
        .strip_prefix(UNFINISHED)
        .and_then(|rest| rest.strip_prefix(PREFIX))
        .is_some_and(digits);
    unfinished || name.strip_prefix(OLD).is_some_and(digits)
}

fn name_of(number: u64) -> String {
    format!("{PREFIX}{number:06}")
}

// Only its owner may enter. A FAT or exFAT stick has no such modes, and what lies there is sealed.
fn close(folder: &Path) -> Result<()> {
    let closed = files::create_private_folder(folder);
    match closed {
        Err(why) if why.downcast_ref::<std::io::Error>().is_some_and(is_unsupported) => Ok(()),
        other => other,
    }
}

fn is_unsupported(why: &std::io::Error) -> bool {
    matches!(why.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::Unsupported)
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::is_left_over;

    #[test]
    fn only_what_a_backup_leaves_itself_is_removed() {
        for left in [".coldlog-generation-000001", ".coldlog-old-12"] {
            assert!(is_left_over(left), "{left}");
        }
        for others in [
            ".coldlog-signer",
            ".coldlog-generation-",
            ".coldlog-old-a",
            ".coldlog-",
            "generation-000001",
        ] {
            assert!(!is_left_over(others), "{others}");
        }
    }
}
