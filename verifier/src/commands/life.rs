//! `verifier adopt-key`, `end` and `succession`: a log's new key, its last head, and what follows.

use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{self, Tree};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::end::End;
use coldlog_spec::merkle::{leaf_hash, verify_inclusion};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::rotation::{MAX_ROTATION, Rotation};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::succession::succeeds;
use serde_json::json;
use std::path::Path;

/// `verifier adopt-key`: a policy with the keys to which a log's old key hands over.
pub fn adopt_key(
    rotation: &Path,
    policy: &Path,
    output: &Path,
    without_old: bool,
    force: bool,
) -> Outcome {
    let mut text = files::read(policy, MAX_POLICY as u64)?;
    let known = Policy::parse(&text)?;
    if known.root().is_some() {
        return no(format!(
            "{} is a trust root: its lines change by its renewal only; put the new keys into a policy for `verifier policy renew --to`",
            policy.display()
        ));
    }
    let rotation = Rotation::decode(&files::read(rotation, MAX_ROTATION as u64)?)?;
    rotation.verify(&known).or_no()?;
    let new: Vec<_> = rotation.keys.iter().filter(|key| !known.logs.contains(key)).collect();
    let old = known.logs.iter().filter(|key| key.name == rotation.origin);
    let old: Vec<String> =
        old.filter(|key| !rotation.keys.contains(key)).map(|key| key.encode()).collect();
    if without_old {
        // By bytes: a policy's names need not be UTF-8.
        let stays = |line: &&[u8]| {
            let mut words = line.split(|byte| b" \t\n".contains(byte)).filter(|w| !w.is_empty());
            let is_log = words.next() == Some(b"log");
            !(is_log && words.next().is_some_and(|key| old.iter().any(|o| o.as_bytes() == key)))
        };
        text =
            text.split_inclusive(|byte| *byte == b'\n').filter(stays).collect::<Vec<_>>().concat();
    }
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for key in &new {
        text.extend_from_slice(format!("log {}\n", key.encode()).as_bytes());
    }
    Policy::parse(&text).context("the policy with the new keys")?;
    files::write(output, &text, Existing::from_force(force), Mode::Public)?;
    let fate = match without_old {
        true => "the old lines are left out: nothing that only they have signed holds any longer",
        false => "the old lines stay, for what they have signed",
    };
    say(format!(
        "{} names {} further keys of {}, to which its old key hands over; {fate}",
        output.display(),
        new.len(),
        rotation.origin
    ));
    Ok(())
}

/// `verifier end`: which head is a frozen log's last.
pub fn end(marker: &Path, head: &Path, policy: &Path, as_json: bool) -> Outcome {
    const CHECKS: [&str; 1] = ["end marker signed by the log, of a cosigned head"];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let marker = End::decode(&files::read(marker, MAX_NOTE as u64)?)?;
        let head = SignedCheckpoint::decode(&files::read(head, MAX_NOTE as u64)?)?;
        let cosigned = marker.verify(&head, &policy).or_no()?;
        checks.pass();
        let last = cosigned.checkpoint();
        let text = format!("proven: {} ends with {} entries", last.origin, last.size);
        Ok(Report { text: vec![text], fields: json!({"origin": last.origin, "size": last.size}) })
    })
}

/// `verifier succession`: whether a log's first entry binds the last head of a frozen one.
pub fn succession(log: &Path, end: &Path, last: &Path, policy: &Path, as_json: bool) -> Outcome {
    const CHECKS: [&str; 3] = [
        super::heads::HEAD,
        "first entry is included in the head",
        "first entry names the predecessor's last head, by its end marker",
    ];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let end = End::decode(&files::read(end, MAX_NOTE as u64)?)?;
        let last = SignedCheckpoint::decode(&files::read(last, MAX_NOTE as u64)?)?;
        let folder = super::source(log)?;
        let folder = folder.as_ref();
        let head = policy.verify_head(&published::head(folder)?).or_no()?;
        checks.pass();
        let head = head.checkpoint();
        let mut tree = Tree::new(folder, head.size);
        let entry = tree.entry(0, entries_path)?;
        let path = tree.inclusion(0)?;
        verify_inclusion(leaf_hash(&entry), 0, head.size, &path, head.root).or_no()?;
        checks.pass();
        succeeds(&entry, &head.origin, &end, &last, &policy).or_no()?;
        checks.pass();
        let last = &last.checkpoint;
        let text = format!(
            "proven: {} succeeds {}, which ends with {} entries",
            head.origin, last.origin, last.size
        );
        let fields =
            json!({"successor": head.origin, "predecessor": last.origin, "size": last.size});
        Ok(Report { text: vec![text], fields })
    })
}
