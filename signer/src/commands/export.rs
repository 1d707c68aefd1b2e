//! `signer export`: what has no receipt yet, with the signed tail.

use crate::journal::{self, Journal};
use anyhow::Context;
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::sequence::Writer;
use coldlog_kit::terminal::say;
use coldlog_spec::batch::{Header, encode_record, encode_trailer};
use coldlog_spec::registration::Registration;
use std::path::Path;

/// Runs the command.
pub fn run(home: &Path, output: &Path, from: Option<u64>, each: bool, force: bool) -> Outcome {
    let _lock = journal::lock(home)?;
    let journal = Journal::open(home)?;
    let tail = journal.tail()?;
    let waiting = journal.waiting()?.map(|(first, _)| first);
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
    let remembered = journal.newest_head()?.map_or(0, |(head, _)| head.checkpoint.size);
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
    say(format!(
        "{count} records, {first} to {}, in {}; tail {}",
        tail.tail.count - 1,
        output.display(),
        tail.tail.short()
    ));
    Ok(())
}
