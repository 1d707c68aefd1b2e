//! `verifier policy key`, `renew`, `sign` and `join`: a trust root on its way, from a draft to the signatures of
//! those who hold the policy keys, each on an own machine.

use super::difference::{read_root, show};
use super::explain;
use anyhow::{Context, Result, bail};
use coldlog_kit::ask::confirm;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, VerifierKey, is_key_name};
use coldlog_spec::policy::{Content, MAX_POLICY, Policy, Root, Window};
use coldlog_spec::verify::renewal::{NotRenewed, is_next};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

// What the key file of a policy key says of itself.
const ROLE: &str = "policy";

/// What `verifier policy key` is asked.
pub struct NewKey {
    /// The holder's name.
    pub name: String,
    /// The key file.
    pub output: PathBuf,
    /// Do not encrypt it.
    pub unencrypted: bool,
    /// Its scrypt cost.
    pub scrypt_log_n: u8,
    /// The passphrase's source.
    pub secret: Source,
}

/// `verifier policy key`: a policy key, and beside it what others need of it.
pub fn key(options: &NewKey) -> Outcome {
    let NewKey { name, output, .. } = options;
    if !is_key_name(name) {
        return trouble(format!(
            "{name:?} cannot be a key's name: no spaces, no plus, for example ada.example/policy"
        ));
    }
    let public = files::with_suffix(output, "pub");
    // A key without its public half is what an interrupted run leaves: it goes on with that key.
    let keys = match files::is_there(output)? && !files::is_there(&public)? {
        true => Keys::load(output, ROLE, &options.secret)?,
        false => {
            let keys = Keys::generate(ROLE, name)?;
            let passphrase = match options.unencrypted {
                true => None,
                false => Some(options.secret.ask("the new policy key", true)?),
            };
            keys.save(output, passphrase.as_ref().map(|p| (p.as_str(), options.scrypt_log_n)))?;
            keys
        }
    };
    if keys.name != *name {
        return trouble(format!("{} is the key of {:?}", output.display(), keys.name));
    }
    let key = verifier_key(&keys).encode();
    files::write(&public, format!("{key}\n").as_bytes(), Existing::Replace, Mode::Public)?;
    say(key);
    Ok(())
}

fn verifier_key(keys: &Keys) -> VerifierKey {
    VerifierKey::new(keys.name.clone(), KeyMaterial::Ed25519(keys.ed25519().public()))
}

/// What `verifier policy renew` is asked.
pub struct Renew {
    /// The policy in force.
    pub old: PathBuf,
    /// The policy that is to be in force; by default the same.
    pub to: Option<PathBuf>,
    /// The policy keys, or their files; by default those of the policy in force.
    pub keys: Vec<OsString>,
    /// How many of them renew it; by default as many as now, at first more than half.
    pub threshold: Option<usize>,
    /// The time for which it is meant, in POSIX seconds; by default from now on.
    pub not_before: Option<u64>,
    /// Its end.
    pub expires: u64,
    /// The draft.
    pub output: PathBuf,
    /// Replace it if it exists.
    pub force: bool,
}

/// `verifier policy renew`: a draft of the trust root that comes next.
pub fn renew(options: &Renew) -> Outcome {
    let old = super::super::policy(&options.old)?;
    let before = old.root().map(Root::content);
    let keys: Vec<VerifierKey> = match (options.keys.as_slice(), before) {
        ([], Some(before)) => before.keys.clone(),
        ([], None) => {
            return trouble(format!(
                "{} is no trust root yet: name the policy keys that may renew it (--key)",
                options.old.display()
            ));
        }
        (given, _) => given.iter().map(|text| read_key(text)).collect::<Result<_>>()?,
    };
    let threshold = match (options.threshold, before) {
        (Some(threshold), _) => threshold,
        (None, Some(before)) => before.threshold.min(keys.len()),
        (None, None) => keys.len() / 2 + 1,
    };
    let content = Content {
        version: before.map_or(1, |before| before.version.saturating_add(1)),
        previous: old.root().map(Root::digest),
        window: Window {
            not_before: options.not_before.unwrap_or_else(coldlog_kit::time::now),
            expires: options.expires,
        },
        threshold,
        keys,
        policy: text(&old, options)?,
    };
    let root = Root::new(content)?;
    must_be_sound(&root, &options.output)?;
    files::write(
        &options.output,
        &root.encode(),
        Existing::from_force(options.force),
        Mode::Public,
    )?;
    show(&old, &root);
    say(format!("{}: a draft; {}", options.output.display(), who_must_sign(&old, &root)?));
    Ok(())
}

/// A policy that nobody should use is not drafted, signed or taken.
pub(super) fn must_be_sound(root: &Root, place: &Path) -> Outcome {
    let problems = explain::problems(&root.policy().analysis());
    if problems.is_empty() {
        return Ok(());
    }
    let (place, why) = (place.display(), problems.join("; "));
    no(format!("{place} is not written, for the new policy is not sound: {why}"))
}

// The text of the new policy.
fn text(old: &Policy, options: &Renew) -> Result<String> {
    let path = options.to.as_ref().unwrap_or(&options.old);
    let bytes = files::read(path, MAX_POLICY as u64)?;
    let kept = match &options.to {
        None => old.root(),
        Some(_) => None,
    };
    if let Some(root) = kept {
        return Ok(root.content().policy.clone());
    }
    if bytes.starts_with(b"coldlog-") {
        bail!(
            "{} is a trust root or a history: name the new policy's own lines (--to)",
            path.display()
        );
    }
    let mut text = String::from_utf8(bytes).with_context(|| {
        format!("{}: a policy in a trust root is UTF-8, as are its names", path.display())
    })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Policy::parse(text.as_bytes()).with_context(|| path.display().to_string())?;
    Ok(text)
}

// A verifier key, or a file with one.
fn read_key(given: &OsStr) -> Result<VerifierKey> {
    if let Some(text) = given.to_str().filter(|text| text.contains('+')) {
        return Ok(VerifierKey::decode(text)?);
    }
    let path = Path::new(given);
    let text = String::from_utf8(files::read(path, 4096)?)
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    VerifierKey::decode(text.trim_end()).with_context(|| path.display().to_string())
}

// Who has signed, and what is missing.
fn who_must_sign(old: &Policy, root: &Root) -> Result<String> {
    let mut parts = Vec::new();
    let own = root.content();
    let rules = old.root().map(|old| ("the policy in force", old.content()));
    for (whose, content) in rules.into_iter().chain([("the new one", own)]) {
        let by = root.signed_by(&content.keys)?.len();
        let names: Vec<&str> = content.keys.iter().map(|key| key.name.as_str()).collect();
        let (threshold, names) = (content.threshold, names.join(", "));
        parts.push(format!("{by} of the {threshold} signatures by keys of {whose} ({names})"));
    }
    Ok(format!("it has {}", parts.join(" and ")))
}

/// What `verifier policy sign` is asked.
pub struct Sign {
    /// The draft, or what others have signed of it.
    pub draft: PathBuf,
    /// The key file.
    pub key: PathBuf,
    /// The policy in force, which it renews.
    pub policy: PathBuf,
    /// The signed root.
    pub output: PathBuf,
    /// Ask nothing.
    pub yes: bool,
    /// Replace it if it exists.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// `verifier policy sign`: a holder of a policy key reads what changes, and signs.
pub fn sign(options: &Sign) -> Outcome {
    let mut root = read_root(&options.draft)?;
    let old = super::super::policy(&options.policy)?;
    must_be_next(&old, &root).or_no()?;
    must_be_sound(&root, &options.output)?;
    show(&old, &root);
    if !options.yes && !confirm("Sign this trust root?")? {
        return no("nothing was signed");
    }
    let keys = Keys::load(&options.key, ROLE, &options.secret)?;
    let own = verifier_key(&keys);
    let before = old.root().map(|old| old.content().keys.as_slice()).unwrap_or_default();
    if !root.content().keys.iter().chain(before).any(|key| *key == own) {
        return no(format!(
            "{} is the key {}, which neither the policy in force nor the new one names as a policy key",
            options.key.display(),
            own.encode()
        ));
    }
    root.sign(&keys.name, &keys.ed25519())?;
    // What others have signed is held against the text as well.
    let told = who_must_sign(&old, &root)?;
    files::write(
        &options.output,
        &root.encode(),
        Existing::from_force(options.force),
        Mode::Public,
    )?;
    say(format!("{}: signed by {}; {told}", options.output.display(), keys.name));
    Ok(())
}

// The order of versions, before anybody has signed.
fn must_be_next(old: &Policy, root: &Root) -> Result<(), NotRenewed> {
    old.root().map_or(Ok(()), |old| is_next(old, root))
}

/// `verifier policy join`: the signatures on several copies of one root, in one file.
pub fn join(copies: &[PathBuf], policy: &Path, output: &Path, force: bool) -> Outcome {
    let old = super::super::policy(policy)?;
    let mut joined: Option<Root> = None;
    for path in copies {
        let root = read_root(path)?;
        let Some(first) = &mut joined else {
            joined = Some(root);
            continue;
        };
        if !first.join(&root) {
            let (first, other): (Hash, Hash) = (first.digest(), root.digest());
            return no(format!(
                "{} is another trust root than the first: {other}, expected {first}",
                path.display()
            ));
        }
    }
    let root = joined.context("name the signed copies")?;
    let told = who_must_sign(&old, &root).or_no()?;
    files::write(output, &root.encode(), Existing::from_force(force), Mode::Public)?;
    say(format!("{}: trust root version {}; {told}", output.display(), root.content().version));
    Ok(())
}
