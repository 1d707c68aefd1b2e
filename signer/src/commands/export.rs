//! `signer export`: what has no receipt yet, with the signed tail.

use crate::journal::{self, Journal};
use anyhow::Context;
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::optical::{Kind, Outlet, Show};
use coldlog_kit::progress::Progress;
use coldlog_kit::rehearsal::marked;
use coldlog_kit::sequence::Writer;
use coldlog_kit::terminal::say;
use coldlog_spec::batch::{Header, encode_record, encode_trailer};
use coldlog_spec::registration::Registration;
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The batch, or a folder; a batch that is shown needs no file.
    pub output: Option<PathBuf>,
    /// All records from this number on.
    pub from: Option<u64>,
    /// For this log.
    pub log: Option<String>,
    /// A file for each record.
    pub each: bool,
    /// Replace what is there.
    pub force: bool,
    /// How the batch is shown as QR codes.
    pub show: Show,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let outlet = Outlet::new(options.output.as_deref(), &options.show, options.force)?;
    write(home, options, &outlet)?;
    // The journal is free again while the codes are shown.
    outlet.deliver(Kind::Batch)
}

fn write(home: &Path, options: &Options, outlet: &Outlet) -> Outcome {
    let Options { from, log, each, force, .. } = options;
    let (from, each, force, output) = (*from, *each, *force, outlet.path());
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    let tail = journal.tail()?;
    let logs = journal.logs()?;
    let log = match (log, logs.as_slice()) {
        (Some(log), _) => Some(log.as_str()),
        (None, []) => None,
        (None, [only]) => Some(only.as_str()),
        (None, several) => {
            return no(format!(
                "this journal is in several logs, {}: say for which one, with --log",
                several.join(" and ")
            ));
        }
    };
    let waiting = match log {
        Some(log) => journal.waiting_for(log)?,
        None => journal.waiting()?,
    };
    let waiting = waiting.map(|(first, _)| first);
    let Some(first) = from.or(waiting) else {
        return no(
            "every record has its receipt: there is nothing to export; a log that lost records asks for --from",
        );
    };
    if first >= tail.tail.count {
        return no(format!(
            "the journal has {} records, there is none from number {first}",
            tail.tail.count
        ));
    }
    let remembered = match log {
        Some(log) => journal.newest_head_of(log)?.map_or(0, |(head, _)| head.checkpoint.size),
        None => 0,
    };
    files::need_space(&files::folder_of(output), journal.bytes_from(first)? + 4096)?;
    let progress = Progress::new("exporting", Some(tail.tail.count - first));
    let record = |sequence: u64| {
        journal.row(sequence)?.with_context(|| format!("record {sequence} is missing"))
    };
    if each {
        files::create_folder(output)?;
        for sequence in first..tail.tail.count {
            let row = record(sequence)?;
            let registration = Registration { statement: row.statement, sealed: row.sealed };
            let path = output.join(format!("{sequence:06}.cose"));
            let existing = Existing::from_force(force);
            files::write(&path, &registration.encode(), existing, Mode::Public)?;
            progress.add(1);
        }
        drop(progress);
        say(format!(
            "records {first} to {}, a file each, in {}; post them in this order",
            tail.tail.count - 1,
            output.display()
        ));
        return Ok(());
    }
    let mut writer = Writer::create(output, Existing::from_force(force))?;
    writer.item(&Header { claims: journal.claims().clone(), first, remembered }.encode())?;
    for sequence in first..tail.tail.count {
        let row = record(sequence)?;
        writer.item(&encode_record(row.statement.bytes(), &row.sealed))?;
        progress.add(1);
    }
    let count = tail.tail.count - first;
    writer.item(&encode_trailer(count, writer.digest(), &tail))?;
    writer.finish()?;
    drop(progress);
    let line = format!(
        "{count} records, {first} to {}, in {}; tail {}",
        tail.tail.count - 1,
        outlet.name(),
        tail.tail.short()
    );
    say(marked(&journal.claims().issuer, line));
    Ok(())
}
