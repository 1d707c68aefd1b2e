//! `signer restore`: a signer's folder out of a backup. It does not sign before `signer recover`.

use super::{backup, look};
use crate::backup::{JOURNAL, KEY, Medium};
use crate::journal::{self, Journal};
use crate::keys;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode, NewFile};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::sealed_file;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::verify::backup::{Verified, must_reach};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The folder on the medium.
    pub folder: PathBuf,
    /// Which generation, if not the newest.
    pub generation: Option<u64>,
    /// The passphrase's source.
    pub secret: Source,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let medium = Medium::open(&options.folder)?;
    let verified = backup::chosen(&medium, options.generation)?;
    let from = medium.path_of(verified.manifest().generation);
    files::create_private_folder(home)?;
    let _lock = files::lock(home)?;
    let place = journal::path_in(home);
    if files::is_there(&place)? {
        // An interrupted restore is given again, with the same words.
        must_be_this(home, &verified)?;
    } else {
        files::clear_unfinished(home)?;
        let keys = bring_key(home, &from, &verified, &options.secret)?;
        if keys.ed25519().public() != verified.admission().key {
            return no("the key file in the backup is not the key of its journal");
        }
        bring_journal(&place, &from, &verified, &keys)?;
    }
    let journal = Journal::open(home)?;
    keys::write_genesis(home, &journal)?;
    keys::write_public(home, &journal)?;
    tell(&verified, &journal)
}

fn must_be_this(home: &Path, verified: &Verified) -> Outcome {
    let journal = Journal::open(home)?;
    let same = journal.admission() == verified.admission()
        && journal.tail()?.tail == verified.manifest().tail.tail;
    match same && journal.is_restored()? {
        true => Ok(()),
        false => trouble(format!(
            "{} holds a signer already; restore into another --home",
            home.display()
        )),
    }
}

fn bring_key(home: &Path, from: &Path, verified: &Verified, secret: &Source) -> Outcome<Keys> {
    let place = home.join(KEY);
    if verified.manifest().file(KEY).is_some() {
        let bytes = files::read(&from.join(KEY), 1 << 16)?;
        if !files::is_there(&place)? || *files::read_private(&place, 1 << 16)? != bytes {
            files::write(&place, &bytes, Existing::Never, Mode::Private)?;
        }
    }
    Ok(Keys::load(&place, "signer", secret)?)
}

// The journal gets its name when it is verified and says that it was restored.
fn bring_journal(place: &Path, from: &Path, verified: &Verified, keys: &Keys) -> Outcome {
    let sealed = from.join(JOURNAL);
    let size = sealed_file::measure(&sealed)?.0;
    files::need_space(&files::folder_of(place), size + (1 << 20))?;
    let mut file = NewFile::create(place, Existing::Never, Mode::Private)?;
    sealed_file::open(&sealed, &mut file, &keys.identity())?;
    let journal = Journal::open_at(file.temporary())?;
    must_reach(verified, &journal.tail()?.tail).or_no()?;
    if journal.admission() != verified.admission() {
        return no("the journal in the backup has another genesis than its manifest");
    }
    look::whole(&journal, None, None)?;
    journal.mark_restored()?;
    drop(journal);
    Ok(file.finish()?)
}

fn tell(verified: &Verified, journal: &Journal) -> Outcome {
    let tail = journal.tail()?.tail;
    say(format!(
        "restored generation {}: {} records; tail {}",
        verified.manifest().generation,
        tail.count,
        tail.short()
    ));
    say(
        "It does not sign yet: what was signed after this backup is not in it. Ask the log what it has,",
    );
    say(format!("    {}", journal.question_for_log()?));
    say("    signer recover --statements own.statements.cbor --policy POLICY --tail TAIL");
    Ok(())
}
