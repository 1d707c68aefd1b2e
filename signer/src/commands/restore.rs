//! `signer restore`: a signer's folder out of a backup. It does not sign before `signer recover`.

use super::{backup, look};
use crate::backup::{HELD, JOURNAL, KEY, Medium, TOTP};
use crate::factors::{self, SecondSource};
use crate::journal::{self, Journal};
use crate::keys;
use anyhow::Context;
use coldlog_kit::custody::Reference;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode, NewFile};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::seal;
use coldlog_kit::sealed_file;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::factor::SecondFactor;
use coldlog_spec::verify::backup::{Verified, must_reach};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the command line says.
pub struct Options {
    /// The folder on the medium.
    pub folder: PathBuf,
    /// Which generation, if not the newest.
    pub generation: Option<u64>,
    /// Whether a second person's passphrase opens the key file.
    pub second_passphrase: bool,
    /// The module of the key's token, where the key is in one.
    pub pkcs11: Option<PathBuf>,
    /// The passphrase's source.
    pub secret: Source,
    /// That of the second person's.
    pub second: SecondSource,
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
        let keys = bring_key(home, &from, &verified, options)?;
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

// The key file of the backup, in its place; what holds the key is not opened, for nothing here needs it. Nobody
// signs a backup's list: what is said in a key file is believed as far as it was sealed.
fn bring_key(home: &Path, from: &Path, verified: &Verified, options: &Options) -> Outcome<Keys> {
    let place = keys::file(home);
    let manifest = verified.manifest();
    let bytes = if manifest.file(KEY).is_some() {
        let bytes = files::read(&from.join(KEY), 1 << 16)?;
        if !seal::is_sealed(&bytes) {
            return no(
                "the key file in the backup is not encrypted: `signer backup` writes none such, so it is not taken",
            );
        }
        Some(Zeroizing::new(bytes))
    } else if manifest.file(HELD).is_some() {
        let Some(identity) = &options.secret.identity else {
            return trouble(
                "the key is in a token or an agent, and the file that names it is sealed to the auditors: name an auditor's identity file with --key-identity",
            );
        };
        let sealed = files::read(&from.join(HELD), 1 << 17)?;
        let opened = seal::open(&sealed, &seal::read_identities(identity)?);
        Some(Zeroizing::new(opened.context("the file that names the key").or_no()?))
    } else {
        None
    };
    if let Some(bytes) = &bytes
        && (!files::is_there(&place)? || *files::read_private(&place, 1 << 16)? != **bytes)
    {
        files::write(&place, bytes, Existing::Never, Mode::Private)?;
    }
    let demanded = options.second_passphrase.then_some(SecondFactor::SecondPassphrase);
    let identities = options.secret.identity.as_deref();
    let keys = Keys::read_with(&place, "signer", identities, |what| {
        factors::passphrase(what, demanded, &options.secret, &options.second, false)
    })?;
    must_name_a_known_module(&keys, options)?;
    if manifest.file(TOTP).is_some() {
        let secret = files::read(&from.join(TOTP), 4096)?;
        let place = home.join(TOTP);
        if !files::is_there(&place)? {
            files::write(&place, &secret, Existing::Never, Mode::Private)?;
        }
    }
    Ok(keys)
}

// Whoever seals to a recipient can name a module, and a module is code: a person says that it is the right one.
fn must_name_a_known_module(keys: &Keys, options: &Options) -> Outcome {
    let Some(Reference::Token(key)) = keys.reference() else { return Ok(()) };
    match options.pkcs11.as_deref() {
        Some(said) if said == key.module => Ok(()),
        _ => no(format!(
            "the backup says that the key is in a token, and that the module {} speaks to it: if that is so on this machine, say --pkcs11 {}",
            key.module.display(),
            key.module.display()
        )),
    }
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
