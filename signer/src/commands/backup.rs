//! `signer backup`: journal and key file on a removable medium, read back, one generation beside the other.

use super::look;
use crate::backup::{HELD, JOURNAL, KEY, Medium, TOTP};
use crate::journal::{self, Journal};
use crate::keys;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::report::{self, Report};
use coldlog_kit::seal;
use coldlog_kit::sealed_file;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_spec::backup::{File, Manifest};
use coldlog_spec::factor::SecondFactor;
use coldlog_spec::verify::backup::{Verified, extends};
use serde_json::json;
use std::path::Path;

/// What the command line says.
pub struct Options {
    /// The folder on the medium.
    pub folder: std::path::PathBuf,
    /// Generations that stay.
    pub keep: usize,
}

/// `signer backup FOLDER`
pub fn run(home: &Path, options: &Options) -> Outcome {
    let folder = &options.folder;
    // Held until the copy is made: every command that writes to the journal takes it.
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    refuse_own_folder(home, folder)?;
    let key = key_files(home, &journal)?;
    // Damage is not copied, and not put beside what is good.
    look::whole(&journal, None, None)?;
    let medium = Medium::create(folder)?;
    let tail = journal.tail()?;
    if let Some(newest) = medium.generations()?.last() {
        let there = medium.manifest(*newest)?;
        extends(&there, (journal.admission(), &tail.tail), |sequence| {
            Ok::<_, Failure>(journal.row(sequence)?.map(|row| row.statement.leaf()))
        })
        .map_err(as_no)?;
    }
    let source = journal::path_in(home);
    let size = std::fs::metadata(&source).with_context(|| source.display().to_string())?.len();
    files::need_space(folder, size + size / 1024 + (1 << 20))?;
    let new = medium.begin()?;
    let recipients = journal.recipients();
    let (length, digest) = sealed_file::seal(&source, &new.folder.join(JOURNAL), recipients)?;
    let mut listed = vec![File { name: JOURNAL.into(), size: length, sha256: digest }];
    for (name, bytes) in &key {
        new.put_listed(name, bytes, &mut listed)?;
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    new.put_manifest(&Manifest {
        generation: new.number(),
        time: time::now(),
        files: listed,
        events: journal.events()?,
        tail: tail.clone(),
    })?;
    medium.finish(&new)?;
    // As whoever restores will read it; only then an older one may go.
    medium.check(new.number())?;
    let gone = medium.prune(options.keep)?;
    let gone = if gone > 0 { format!("; {gone} older ones removed") } else { String::new() };
    say(format!(
        "generation {} in {}: {} records, read back; tail {}{gone}",
        new.number(),
        folder.display(),
        tail.tail.count,
        tail.tail.short()
    ));
    Ok(())
}

// A refusal of `spec` is a "no"; what the journal says of itself stays what it is.
fn as_no(failure: Failure) -> Failure {
    match failure {
        Failure::Trouble(why) if why.is::<coldlog_spec::verify::backup::Refusal>() => {
            Failure::No(why)
        }
        other => other,
    }
}

fn refuse_own_folder(home: &Path, folder: &Path) -> Result<()> {
    files::create_folder(folder)?;
    let (there, home) = (folder.canonicalize()?, home.canonicalize()?);
    if home.starts_with(&there) {
        bail!(
            "{} has the signer's own folder in it: a backup goes to a folder of its own, on another medium",
            folder.display()
        );
    }
    if there.starts_with(&home) {
        bail!(
            "{} is in the signer's own folder: a backup goes to another medium, kept in another place",
            folder.display()
        );
    }
    Ok(())
}

// What opens the key, as it goes on a medium: always sealed.
fn key_files(home: &Path, journal: &Journal) -> Outcome<Vec<(&'static str, Vec<u8>)>> {
    let mut found = Vec::new();
    let path = keys::file(home);
    if files::is_there(&path)? {
        let key = files::read_private(&path, 1 << 16)?;
        if seal::is_sealed(&key) {
            found.push((KEY, key.to_vec()));
        } else if keys::is_held(&path).unwrap_or(false) {
            // It has no key, but the identity that opens the journal: it is sealed to those who may.
            found.push((HELD, seal::seal_any(&key, journal.recipients())?));
        } else {
            return no("the key file is not encrypted: it goes on no medium; nothing was written");
        }
    }
    let path = home.join(TOTP);
    let demanded = journal.founding()?.second_factor == Some(SecondFactor::Totp);
    match files::is_there(&path)? {
        // Sealed to the key file's identity.
        true => found.push((TOTP, files::read_private(&path, 4096)?.to_vec())),
        false if demanded => {
            return no(format!(
                "{} is missing: without the secret of its one-time codes a restored signer signs nothing",
                path.display()
            ));
        }
        false => {}
    }
    Ok(found)
}

/// `signer backup FOLDER --verify`
pub fn verify(folder: &Path, as_json: bool) -> Outcome {
    report::run_judged(as_json, &["every generation is whole"], |checks| {
        let medium = Medium::open(folder)?;
        let (mut text, mut listed) = (Vec::new(), Vec::new());
        let mut damaged = None;
        for generation in medium.generations()? {
            let found = medium.check(generation);
            let whole = found.is_ok();
            match &found {
                Ok(verified) => {
                    text.push(line(verified));
                    listed.push(fields(verified));
                }
                Err(Failure::No(why) | Failure::Trouble(why)) => {
                    let why = coldlog_kit::exit::text_of(why);
                    text.push(format!("DAMAGED: {why}"));
                    listed.push(json!({"generation": generation, "whole": false, "reason": why}));
                }
            }
            if !whole {
                damaged = Some(generation);
            }
        }
        let verdict = match damaged {
            None => {
                checks.pass();
                Ok(())
            }
            Some(generation) => no(format!(
                "generation {generation} in {} is damaged: make another backup now, on another medium",
                folder.display()
            )),
        };
        Ok((Report { text, fields: json!({"generations": listed}) }, verdict))
    })
}

fn line(verified: &Verified) -> String {
    let manifest = verified.manifest();
    let claims = verified.admission().genesis.claims();
    format!(
        "generation {}: whole; {} / {}, {} records, made {}, tail {}{}",
        manifest.generation,
        claims.issuer,
        claims.subject,
        manifest.tail.tail.count,
        time::show(manifest.time),
        manifest.tail.tail.short(),
        if has_key(manifest) { "" } else { ", no key file" }
    )
}

fn has_key(manifest: &Manifest) -> bool {
    manifest.file(KEY).or(manifest.file(HELD)).is_some()
}

fn fields(verified: &Verified) -> serde_json::Value {
    let manifest = verified.manifest();
    let claims = verified.admission().genesis.claims();
    json!({
        "generation": manifest.generation, "whole": true,
        "issuer": claims.issuer, "journal": claims.subject,
        "time": time::show(manifest.time), "records": manifest.tail.tail.count,
        "tail": manifest.tail.tail.short(), "key_file": has_key(manifest),
    })
}

/// Checks one generation, the newest where none is named.
pub(crate) fn chosen(medium: &Medium, generation: Option<u64>) -> Outcome<Verified> {
    let all = medium.generations()?;
    let number = generation.or(all.last().copied()).unwrap_or_default();
    if !all.contains(&number) {
        let all: Vec<String> = all.iter().map(u64::to_string).collect();
        return no(format!("there is no generation {number}; there are {}", all.join(", ")));
    }
    medium.check(number).map_err(|failure| match failure {
        Failure::No(why) if generation.is_none() && all.len() > 1 => Failure::No(why.context(
            "the newest backup is damaged; an older one is taken only if you name it, with --generation",
        )),
        other => other,
    })
}
