//! `signer shares`: a recovery key that exists only where enough people bring their shares of it.

use crate::keys;
use anyhow::{Context, Result};
use coldlog_kit::exit::{OrNo, Outcome, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::seal;
use coldlog_kit::secret::Source;
use coldlog_kit::shares;
use coldlog_kit::terminal::{say, talk};
use coldlog_spec::share::{MAX_SHARE, Share};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The sealed passphrase, beside the shares.
const PASSPHRASE: &str = "passphrase.age";
/// The longest secret that [`join`] opens.
const LIMIT: u64 = 1 << 16;

/// `signer shares make`
pub struct Make {
    /// How many open it.
    pub threshold: u8,
    /// How many there are.
    pub count: u8,
    /// The folder for all of them, before they are carried apart.
    pub output: PathBuf,
    /// Whether the passphrase of the signer's key file is sealed to them.
    pub passphrase: bool,
    /// Where that comes from.
    pub secret: Source,
}

/// `signer shares join`
pub struct Join {
    /// The shares' files.
    pub shares: Vec<PathBuf>,
    /// What is sealed to the recovery key, and opened instead of writing the key.
    pub open: Option<PathBuf>,
    /// The secret that comes out.
    pub output: PathBuf,
}

/// Makes a recovery key and its shares; prints its recipient.
pub fn make(home: &Path, options: &Make) -> Outcome {
    // Asked for before anything is made.
    let passphrase = match options.passphrase {
        true => Some(passphrase(home, &options.secret)?),
        false => None,
    };
    let (recipient, made) = shares::make(options.threshold, options.count)?;
    let mut new: Vec<(PathBuf, Zeroizing<Vec<u8>>)> = Vec::new();
    for share in &made {
        let text = Zeroizing::new(share.encode().as_bytes().to_vec());
        new.push((options.output.join(format!("share-{}.txt", share.number)), text));
    }
    if let Some(passphrase) = &passphrase {
        let sealed = seal::seal_any(passphrase.as_bytes(), std::slice::from_ref(&recipient))?;
        new.push((options.output.join(PASSPHRASE), Zeroizing::new(sealed)));
    }
    files::create_private_folder(&options.output)?;
    // All or none: a set of which one is missing would be found out on the day that it is needed.
    for (path, _) in &new {
        if files::is_there(path)? {
            return Err(files::taken(path, Existing::Never).into());
        }
    }
    for (path, bytes) in &new {
        files::write(path, bytes, Existing::Never, Mode::Private)?;
    }
    // As whoever recovers will read them; the key itself was never written.
    let mut again = Vec::new();
    for (path, _) in new.iter().take(made.len()) {
        again.push(read(path)?);
    }
    shares::join(&again)?;
    say(&recipient);
    talk(format!(
        "{} shares in {}, any {} of which give the key back; they were read back and joined. Carry each to its keeper, print it if you like, and leave none here.",
        options.count,
        options.output.display(),
        options.threshold
    ));
    Ok(())
}

// Only one that opens the key file is worth keeping.
fn passphrase(home: &Path, secret: &Source) -> Result<Zeroizing<String>> {
    let path = keys::file(home);
    let mut typed = None;
    Keys::read(&path, "signer", |what| {
        let text = secret.ask(what, false)?;
        typed = Some(text.clone());
        Ok(text)
    })?;
    typed.with_context(|| {
        format!("{} has no passphrase: leave out --with-passphrase", path.display())
    })
}

/// Joins shares, and writes the recovery key, or what it opens.
pub fn join(options: &Join) -> Outcome {
    let mut given = Vec::new();
    for path in &options.shares {
        given.push(read(path)?);
    }
    let identity = shares::join(&given).or_no()?;
    let Some(sealed) = &options.open else {
        let text = seal::identity_file(&identity)?;
        files::write(&options.output, text.as_bytes(), Existing::Never, Mode::Private)?;
        talk(format!(
            "the recovery key is in {}: use it, destroy the file, and make new shares, for these were together",
            options.output.display()
        ));
        return Ok(());
    };
    let bytes = files::read(sealed, LIMIT)?;
    if !seal::is_sealed(&bytes) {
        return trouble(format!("{} is not an age file", sealed.display()));
    }
    let plain = seal::open(&bytes, &[identity]).with_context(|| sealed.display().to_string());
    let plain = Zeroizing::new(plain.or_no()?);
    files::write(&options.output, &plain, Existing::Never, Mode::Private)?;
    talk(format!(
        "what was sealed in {} is in {}: use it, destroy the file, and make new shares, for these were together",
        sealed.display(),
        options.output.display()
    ));
    Ok(())
}

fn read(path: &Path) -> Result<Share> {
    let bytes = files::read_private(path, MAX_SHARE as u64)?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("{}: expected a share, found no text", path.display()))?;
    Share::decode(text).with_context(|| path.display().to_string())
}
