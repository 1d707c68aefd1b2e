//! What a person sees before they sign, and the one question. What is shown was read once, and that very
//! digest is signed: see [`Seen`].

use super::Options;
use super::records::{earlier, hash};
use super::tasks::Task;
use crate::journal::Journal;
use anyhow::{Result, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::files::Mark;
use coldlog_kit::progress::Progress;
use coldlog_kit::rehearsal::marked;
use coldlog_kit::terminal::{field, talk};
use coldlog_spec::document::DocumentDigest;
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Scheme;
use std::path::Path;

/// More documents than these are summed up.
const FEW: usize = 8;
/// Of many, so many are shown from each end.
const ENDS: usize = 3;

/// A document as it was when a person saw its digest.
pub(super) struct Seen {
    digest: DocumentDigest,
    /// Of the file; `None` for stdin.
    mark: Option<Mark>,
}

impl Seen {
    /// Takes the file's mark before it is hashed: what changes it while it is read is noticed, too.
    pub(super) fn of(
        path: Option<&Path>,
        hash: impl FnOnce() -> Result<DocumentDigest>,
    ) -> Result<Seen> {
        let mark = path.map(Mark::of).transpose()?;
        let seen = Seen { digest: hash()?, mark };
        seen.unchanged(path)?;
        Ok(seen)
    }

    /// The digest that was shown, of a file that is still the one that was read.
    pub(super) fn unchanged(&self, path: Option<&Path>) -> Result<DocumentDigest> {
        if let (Some(path), Some(mark)) = (path, &self.mark)
            && Mark::of(path)? != *mark
        {
            bail!(
                "{} was changed or replaced after it was read to be shown: it was not signed; run the command again, and look at the new digest",
                path.display()
            );
        }
        Ok(self.digest)
    }
}

/// One document, as it is offered.
pub(super) struct Line<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) purpose: &'a str,
    pub(super) digest: &'a DocumentDigest,
    /// Where the signature goes; `None` for stdout.
    pub(super) output: Option<&'a Path>,
    /// The record of it, if it was signed before and is not signed again.
    pub(super) before: Option<u64>,
}

/// All that one "yes" is for.
pub(super) struct Offer<'a> {
    pub(super) signer: &'a str,
    pub(super) operator: &'a str,
    pub(super) scheme: Scheme,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) show_all: bool,
}

impl Offer<'_> {
    /// Shows it, and asks once. Where nothing would be signed, nothing is asked.
    pub(super) fn is_taken(&self, person: Person) -> Result<bool> {
        self.text().iter().for_each(|line| person.tell(line));
        match self.lines.iter().filter(|line| line.before.is_none()).count() {
            0 => Ok(true),
            1 => person.agrees("Sign this document?"),
            count => person.agrees(&format!("Sign these {count} documents?")),
        }
    }

    fn text(&self) -> Vec<String> {
        let first = format!(
            "To sign, as {}, with the key of {}: {}",
            field(self.operator),
            field(self.signer),
            self.count()
        );
        let mut text = vec![marked(self.signer, first)];
        if self.lines.len() <= FEW || self.show_all {
            let each = self.lines.iter().enumerate();
            each.for_each(|(at, line)| text.extend(self.in_full(at + 1, line)));
        } else {
            text.extend(self.in_short());
        }
        text.extend(self.together());
        text
    }

    fn count(&self) -> String {
        let bytes: u64 = self.lines.iter().map(|line| line.digest.size).sum();
        let again = self.lines.iter().filter(|line| line.before.is_some()).count();
        let documents = match self.lines.len() {
            1 => "1 document".into(),
            count => format!("{count} documents"),
        };
        let again = match again {
            0 => String::new(),
            again => format!("; {again} of them signed before, which are not signed again"),
        };
        format!("{documents}, {}{again}", in_bytes(bytes))
    }

    fn in_full(&self, number: usize, line: &Line) -> Vec<String> {
        let [first, second] = in_groups(&line.digest.sha256);
        let mut text = vec![
            format!("{number:>4}. {}", field(line.name)),
            format!("      version    {}", or_none(line.version)),
            format!("      purpose    {}", or_none(line.purpose)),
            format!("      size       {}", in_bytes(line.digest.size)),
            format!("      SHA-256    {first}"),
            format!("                 {second}"),
            format!("      signature  {} ({})", to(line.output), self.scheme.name()),
        ];
        if let Some(record) = line.before {
            text.push(format!("      signed before, as record {record}: not signed again"));
        }
        text
    }

    fn in_short(&self) -> Vec<String> {
        let same = |part: fn(&Line) -> String| {
            let mut parts: Vec<String> = self.lines.iter().map(part).collect();
            parts.dedup();
            match parts.as_slice() {
                [one] => one.clone(),
                several => format!("{} and others", several.first().cloned().unwrap_or_default()),
            }
        };
        let mut text = vec![
            format!("      version    {}", same(|line| or_none(line.version))),
            format!("      purpose    {}", same(|line| or_none(line.purpose))),
            format!(
                "      signatures {} ({})",
                same(|line| match line.output.and_then(Path::parent) {
                    Some(folder) => format!("in {}", field(&folder.display().to_string())),
                    None => to(line.output),
                }),
                self.scheme.name()
            ),
        ];
        let from_end = self.lines.len() - ENDS;
        for (at, line) in self.lines.iter().enumerate() {
            if at == ENDS {
                let between = self.lines.len() - 2 * ENDS;
                text.push(format!("      ... {between} more; --show-all shows each of them"));
            }
            if at < ENDS || at >= from_end {
                let [first, _] = in_groups(&line.digest.sha256);
                let first = first.get(..19).unwrap_or_default();
                text.push(format!(
                    "{:>4}. {}, {}, SHA-256 {first} ...",
                    at + 1,
                    field(line.name),
                    in_bytes(line.digest.size)
                ));
            }
        }
        text
    }

    // One value to compare with another machine's, by voice.
    fn together(&self) -> Vec<String> {
        if self.lines.len() < 2 {
            return Vec::new();
        }
        let mut sums = String::new();
        for line in &self.lines {
            let file = line.file.unwrap_or(Path::new("-")).display();
            sums.push_str(&format!("{}  {file}\n", line.digest.sha256.to_hex()));
        }
        let [first, second] = in_groups(&Hash::of(sums.as_bytes()));
        vec![
            "All together (`sha256sum FILES | sha256sum`, in this order):".into(),
            format!("      SHA-256    {first}"),
            format!("                 {second}"),
        ]
    }
}

/// Reads every document once, shows them all, and asks once. With `--keep-going`, what cannot be read or
/// signed is told and taken out.
pub(super) fn agreed(
    person: Person,
    journal: &Journal,
    (operator, scheme, options): (&str, Scheme, &Options),
    tasks: &mut Vec<Task>,
) -> Result<bool> {
    let progress = Progress::new("reading", Some(tasks.len() as u64));
    let (mut kept, mut before) = (Vec::new(), Vec::new());
    for mut task in tasks.drain(..) {
        let looked_at = look(journal, &task, (operator, scheme, options.force));
        progress.add(1);
        match looked_at {
            Ok((seen, record)) => {
                task.seen = Some(seen);
                kept.push(task);
                before.push(record);
            }
            Err(why) if options.keep_going => talk(format!("signer: {}: {why:#}", task.name)),
            Err(why) => return Err(why),
        }
    }
    drop(progress);
    *tasks = kept;
    let lines = tasks.iter().zip(before).filter_map(|(task, before)| {
        Some(Line {
            file: task.path.as_deref(),
            name: &task.name,
            version: &task.version,
            purpose: &task.purpose,
            digest: &task.seen.as_ref()?.digest,
            output: task.output.as_deref(),
            before,
        })
    });
    let signer = &journal.claims().issuer;
    let (lines, show_all) = (lines.collect(), options.show_all);
    Offer { signer, operator, scheme, lines, show_all }.is_taken(person)
}

fn look(
    journal: &Journal,
    task: &Task,
    (operator, scheme, force): (&str, Scheme, bool),
) -> Result<(Seen, Option<u64>)> {
    let seen = Seen::of(task.path.as_deref(), || hash(task, scheme))?;
    let before = earlier(journal, task, &seen.digest, (operator, force))?;
    if before.is_none() {
        task.refuse_existing(force)?;
    }
    Ok((seen, before.map(|row| row.statement.position.sequence)))
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "(none)".into() } else { field(text) }
}

fn to(output: Option<&Path>) -> String {
    output.map_or("stdout".into(), |path| field(&path.display().to_string()))
}

// Two lines of eight groups of four digits, to be read aloud.
fn in_groups(hash: &Hash) -> [String; 2] {
    let hex = hash.to_hex();
    let groups: Vec<&str> = (0..16).filter_map(|at| hex.get(4 * at..4 * at + 4)).collect();
    let (first, second) = groups.split_at(groups.len() / 2);
    [first.join(" "), second.join(" ")]
}

fn in_bytes(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {}", if count == 1 { "byte" } else { "bytes" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_grouped_by_thousands() {
        let shown = [0, 1, 999, 1000, 1_234_567].map(super::in_bytes);
        assert_eq!(shown, ["0 bytes", "1 byte", "999 bytes", "1,000 bytes", "1,234,567 bytes"]);
    }
}
