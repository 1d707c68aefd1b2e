//! `mirror add-log`, `remove-log` and `list`: which logs are mirrored, and how far they are.

use crate::place::{self, Copy};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_witness::commands::logs::{self, in_policy};
use coldlog_witness::place::{self as memory, Held};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What names a log to mirror.
pub struct Add {
    /// A policy file, or the log's own lines.
    pub policy: PathBuf,
    /// Where its copy is fetched from; the URL in its policy line, where none is said.
    pub from: Option<String>,
    /// What sealed records are read with.
    pub token_file: Option<PathBuf>,
    /// Keep no sealed records.
    pub entries_only: bool,
    /// Take other keys, or another source.
    pub replace: bool,
}

/// `mirror add-log`
pub fn add(home: &Path, options: &Add) -> Outcome {
    place::must_be_home(home)?;
    let named = in_policy(&options.policy)?;
    let [log] = named.as_slice() else {
        return trouble(format!("the file names {} logs, one at a time is added", named.len()));
    };
    let token = match &options.token_file {
        Some(path) => Some(files::read_private(path, 1024)?),
        None => None,
    };
    let policy = Some(options.policy.clone());
    logs::add(home, &logs::Add { policy, list: None, rotation: None, replace: options.replace })?;
    let copy = Copy::of(home, &log.origin);
    files::create_folder(copy.folder())?;
    let path = copy.folder().join("token");
    match token {
        Some(token) => files::write(&path, &token, Existing::Replace, Mode::Private)?,
        // A token is for the place that it came with, and goes to no other.
        None if options.from.is_some() && files::is_there(&path)? => {
            std::fs::remove_file(&path).context("removing the token of the source before")?;
        }
        None => {}
    }
    let path = copy.folder().join("entries-only");
    if options.entries_only {
        files::write(&path, b"", Existing::Replace, Mode::Public)?;
    } else if files::is_there(&path)? {
        say("no sealed records are kept of it, as was said before; for those, make another mirror");
    }
    if let (Some(from), Some(held)) = (&options.from, Held::open(home, &log.origin)?) {
        let mut known = held.known()?.log;
        // A folder is meant as it stands here, from wherever the mirror runs later.
        let is_folder = !from.contains("://");
        let from = match is_folder {
            true => Path::new(from)
                .canonicalize()
                .with_context(|| format!("the source {from}"))?
                .display()
                .to_string(),
            false => from.clone(),
        };
        known.url = Some(from);
        held.describe(&known)?;
    }
    Ok(())
}

/// `mirror remove-log`
pub fn remove(home: &Path, origin: &str) -> Outcome {
    place::must_be_home(home)?;
    logs::remove(home, origin)
}

/// The mirror's own keys, as its policy lines name them.
pub(crate) fn own(home: &Path) -> Result<Vec<VerifierKey>> {
    let mut lines = files::read(&home.join("mirror.policy"), MAX_POLICY as u64)?;
    lines.extend_from_slice(b"quorum none\n");
    Ok(Policy::parse(&lines)?.witnesses.into_iter().map(|(_, key)| key).collect())
}

/// `mirror list`
pub fn list(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        place::must_be_home(home)?;
        let own = own(home)?;
        let (mut text, mut list) = (Vec::new(), Vec::new());
        for known in memory::all(home)? {
            let copy = Copy::of(home, &known.log.origin);
            let served = copy.served(&own)?.map(|head| head.checkpoint);
            let locked = known.last.map_or(0, |last| last.checkpoint.size);
            let size = served.as_ref().map_or(0, |head| head.size);
            let behind = match locked.saturating_sub(size) {
                0 => String::new(),
                missing => format!(", {missing} entries of its newest head are not here yet"),
            };
            let (origin, from) = (field(&known.log.origin), known.log.url.as_deref());
            let from = from.map(|from| format!(", from {}", field(from))).unwrap_or_default();
            text.push(format!(
                "{origin}: size {size} in {}{from}{behind}",
                copy.public().display()
            ));
            list.push(json!({
                "origin": known.log.origin, "size": size, "root": served.map(|head| head.root.to_hex()),
                "locked_on": locked, "from": known.log.url, "folder": copy.public(),
                "sealed": copy.keeps_sealed()?,
            }));
        }
        if text.is_empty() {
            text.push("no log is mirrored; add one with `mirror add-log`".into());
        }
        Ok(Report { text, fields: json!({"logs": list}) })
    })
}

/// Says what was done, for a log.
pub(crate) fn tell(origin: &str, copied: &crate::copy::Copied) {
    let (origin, size) = (field(origin), copied.size);
    match copied.size.saturating_sub(copied.from) {
        0 => say(format!("{origin}: nothing new, size {size}")),
        new => say(format!(
            "{origin}: {new} entries are new, size {size} is cosigned; {} bytes were fetched for {} bytes of entries and sealed records",
            copied.fetched, copied.kept
        )),
    }
}
