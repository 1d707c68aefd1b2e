//! `log fsck`: what is wrong, where, and what to do; `--repair` makes anew what the entries give.

use crate::fsck::{self, By, Finding, Report};
use crate::place::{self, Place};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::published;
use coldlog_kit::seal;
use coldlog_kit::terminal::{field, say, say_json};
use coldlog_kit::{report, time};
use coldlog_spec::tile;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// Make anew what the entries give.
    pub repair: bool,
    /// The policy by which cosignatures are verified.
    pub policy: Option<PathBuf>,
    /// Identity files that open the sealed records.
    pub identities: Vec<PathBuf>,
    /// One JSON object.
    pub json: bool,
}

/// Runs the command; without `repair` it only reads.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let mut by = By::default();
    if let Some(path) = &options.policy {
        by.policy = Some(coldlog_kit::policy::read("log", path)?);
    }
    for path in &options.identities {
        by.identities.extend(seal::read_identities(path)?);
    }
    let as_json = options.json;
    let found = check(home, &by)?;
    let size = found.size;
    let mut report = found.report;
    if options.repair && report.findings.iter().any(|finding| !finding.harmless) {
        mend(home, &report)?;
        report = check(home, &by)?.report;
    }
    let damage = report.findings.iter().filter(|finding| !finding.harmless).count();
    if as_json {
        let result = if damage == 0 && size > 0 { "yes" } else { "no" };
        let findings: Vec<Value> = report.findings.iter().map(to_json).collect();
        say_json(&json!({
            "version": report::VERSION, "result": result, "size": size,
            "entries": report.entries, "opened": report.opened, "quorums": report.quorums,
            "findings": findings,
        }));
    } else {
        report.findings.iter().for_each(|finding| say(line(finding)));
    }
    if damage > 0 {
        return no(format!("{damage} findings in a log of {size} entries"));
    }
    if size == 0 {
        return no("the log has 0 entries: nothing was checked but its signed head");
    }
    if !as_json {
        say(format!("{size} entries, their tiles, heads and the root are in order"));
        say(match options.identities.is_empty() {
            true => "their sealed records are there; --identity opens them, too".into(),
            false => format!("{} sealed records were opened", report.opened),
        });
        if options.policy.is_some() {
            say(format!("{} heads meet the quorum", report.quorums));
        }
    }
    Ok(())
}

/// Checks a log's folder, and is done only when nothing is damaged.
pub(crate) fn must_be_sound(home: &Path) -> Outcome {
    let report = check(home, &By::default())?.report;
    match report.findings.iter().find(|finding| !finding.harmless) {
        None => Ok(()),
        Some(finding) => no(line(finding)),
    }
}

struct Checked {
    size: u64,
    report: Report,
}

fn check(home: &Path, by: &By) -> Outcome<Checked> {
    place::must_be_home(home)?;
    let store = place::store(home)?;
    let head = published::head(store.as_ref())?;
    let keys = super::manage::verifiers(home)?;
    head.must_be_by(&keys)
        .context("the checkpoint is not signed by the log's own keys (log.policy): it was replaced")
        .or_no()?;
    let size = head.checkpoint.size;
    let progress = Progress::new("recomputing", Some(size));
    let report =
        fsck::check(home, store.as_ref(), &head, &keys, by, |entries| progress.add(entries))?;
    Ok(Checked { size, report })
}

// Tiles from the entries, when these are sound, and the index. What was there is set aside.
fn mend(home: &Path, report: &Report) -> Outcome {
    let aside = home.join(format!("damaged-{}", time::now()));
    {
        let _lock = place::lock(home)?;
        let store = place::store(home)?;
        let sound = report.entries_are_sound;
        for (tile, hashes) in report.tiles.iter().filter(|_| sound) {
            let path = tile.path();
            if let Some(bytes) = store.get(&path, tile::MAX_BUNDLE)? {
                let to = aside.join(&path);
                files::create_folder(&files::folder_of(&to))?;
                files::write(&to, &bytes, Existing::Never, Mode::Public)?;
                say(format!("set aside: {}", to.display()));
            }
            store.put(&path, &tile::encode_tile(hashes))?;
            say(format!("made anew: {path}"));
        }
        for path in &report.superseded {
            if let Some(bytes) = store.get(path, tile::MAX_BUNDLE)? {
                let to = aside.join(path);
                files::create_folder(&files::folder_of(&to))?;
                files::write(&to, &bytes, Existing::Never, Mode::Public)?;
                store.remove(path)?;
                say(format!("set aside: {}", to.display()));
            }
        }
        if report.findings.iter().any(|finding| finding.place == "index.sqlite") {
            set_aside(&home.join("index.sqlite"), &aside.join("index.sqlite"))?;
            say("made anew: index.sqlite");
        }
    }
    // Opening the log brings the index up to its head.
    if report.entries_are_sound {
        Place::open(home)?;
    }
    Ok(())
}

/// `log reindex`: the index is only a shortcut, and follows from the entries.
pub fn reindex(home: &Path) -> Outcome {
    {
        let _lock = place::lock(home)?;
        let aside = home.join(format!("damaged-{}", time::now()));
        set_aside(&home.join("index.sqlite"), &aside.join("index.sqlite"))?;
    }
    let place = Place::open(home)?;
    say(format!("the index knows {} entries", place.head.checkpoint.size));
    Ok(())
}

fn set_aside(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !files::is_there(from)? {
        return Ok(());
    }
    let folder = files::folder_of(to);
    files::create_folder(&folder)?;
    std::fs::rename(from, to)
        .with_context(|| format!("setting {} aside as {}", from.display(), to.display()))?;
    files::sync_folder(&folder)?;
    files::sync_folder(&files::folder_of(from))?;
    say(format!("set aside: {}", to.display()));
    Ok(())
}

fn line(finding: &Finding) -> String {
    let kind = if finding.harmless { "note: " } else { "" };
    format!("{kind}{}: {}; {}", field(&finding.place), field(&finding.what), finding.repair)
}

fn to_json(finding: &Finding) -> Value {
    json!({
        "place": finding.place, "what": finding.what, "repair": finding.repair,
        "harmless": finding.harmless,
    })
}
