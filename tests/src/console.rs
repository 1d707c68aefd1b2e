//! Documents whose `console` blocks are run, in order, in one shell: what they show is what happens.
//!
//! In a block, a line that begins with `$ ` is a command; lines right after it that begin with `> ` go
//! on with it, as in a terminal. All other lines are its output, stdout and stderr. In them `...`
//! stands for anything within the line, and for any number of lines where it is the whole line. A
//! command must succeed, unless `$ echo $?` follows it. A block that begins with ```` ```console NAME...````
//! needs other people's programs of these names; where one is missing it is left out, but never in CI.

use crate::programs;
use crate::pty::{Streams, Terminal};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command of a document and what it shall print.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// What a step printed, and its exit code.
struct Played {
    out: String,
    code: String,
}

/// How a document is played.
#[derive(Debug, Default)]
pub struct How {
    /// At a terminal, where this is typed when a passphrase is asked for. Otherwise there is no terminal.
    pub passphrase: Option<&'static str>,
    /// As a rehearsal: the mark that programs print is no difference.
    pub rehearsal: bool,
}

/// Runs a document's console blocks in a folder; the error shows the first step that differs.
/// Returns how many commands there were.
pub fn play(document: &Path, stage: &Path) -> Result<usize> {
    let name = document.file_name().context("a document has a name")?.to_string_lossy();
    play_as(&name, &std::fs::read_to_string(document)?, stage, &How::default())
}

/// The same, of a text.
pub fn play_as(name: &str, text: &str, stage: &Path, how: &How) -> Result<usize> {
    let steps = steps(text)?;
    let played = played(&steps, stage, how)?;
    for (number, (Step { line, command, expected }, Played { out, code })) in
        steps.iter().zip(&played).enumerate()
    {
        let asked = steps.get(number + 1).is_some_and(|next| next.command == "echo $?");
        let lines: Vec<&str> = match how.rehearsal {
            false => out.lines().collect(),
            true => out.lines().filter_map(without_mark).collect(),
        };
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        ensure!(
            lines_match(&expected, &lines) && (code == "0" || asked),
            "{name}, line {line}, differs\n$ {command}\n--- expected\n{}\n--- found, with exit code {code}\n{out}",
            expected.join("\n"),
        );
    }
    Ok(steps.len())
}

/// Writes what a document's commands print now into it, with `...` for what differs from run to run.
pub fn bless(document: &Path, stage: &Path) -> Result<()> {
    let text = std::fs::read_to_string(document)?;
    let steps = steps(&text)?;
    let played = played(&steps, stage, &How::default())?;
    let mut outputs = steps.iter().zip(played).map(|(step, played)| (step.line, played.out));
    let mut next = outputs.next();
    let (mut blessed, mut in_console) = (String::new(), false);
    let mut pending: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        if in_console
            && !line.starts_with("> ")
            && let Some(out) = pending.take()
        {
            for line in out.lines() {
                let line = line.replace(&stage.display().to_string(), "...");
                blessed.push_str(&format!("{}\n", vague(&line)));
            }
        }
        if line.starts_with("```") {
            in_console = !in_console && is_run(line);
        } else if in_console && line.starts_with("$ ") {
            if let Some((_, out)) = next.take_if(|(at, _)| *at == index + 1) {
                pending = Some(out);
                next = outputs.next();
            }
        } else if in_console && !line.starts_with("> ") {
            continue;
        }
        blessed.push_str(line);
        blessed.push('\n');
    }
    Ok(std::fs::write(document, blessed)?)
}

/// A line with `...` for digests, key bytes, tails and times.
fn vague(line: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "+/=:-".contains(c);
    let mut text = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let key_id = word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit()) && digits > 0;
        let varies =
            key_id || (word.len() >= 16 && digits >= 4) || (word.len() > 40 && word.contains('+'));
        if varies && text.ends_with('.') {
            // Of four dots in a row the first three are the ones that stand for anything.
            text.pop();
        }
        text.push_str(if varies { "..." } else { word });
        let mut chars = after.chars();
        text.extend(chars.next());
        rest = chars.as_str();
    }
    text
}

// A line that only says that this is a rehearsal is none.
fn without_mark(line: &str) -> Option<&str> {
    match line.starts_with("REHEARSAL: ") {
        true => None,
        false => Some(line.strip_prefix("REHEARSAL ").unwrap_or(line)),
    }
}

fn played(steps: &[Step], stage: &Path, how: &How) -> Result<Vec<Played>> {
    let results = tempfile::tempdir()?;
    let script = results.path().join("script");
    std::fs::write(&script, script_of(steps)?)?;
    let mut folders = vec![programs()?.to_path_buf()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut shell = Command::new("sh");
    shell.arg(&script).current_dir(stage).stdin(Stdio::null()).env("LC_ALL", "C");
    shell.env("PATH", std::env::join_paths(folders)?).env("CONSOLE_RESULTS", results.path());
    for role in ["SIGNER", "LOG", "WITNESS"] {
        shell.env_remove(format!("COLDLOG_{role}"));
    }
    let told = match how.passphrase {
        None => String::from_utf8_lossy(&shell.output()?.stderr).into_owned(),
        Some(passphrase) => {
            let mut terminal = Terminal::start(&shell, Streams::All)?;
            terminal
                .answers(&[("Passphrase for ", passphrase), ("The same once more", passphrase)])?;
            terminal.shown.clone()
        }
    };
    let mut all = Vec::new();
    for (number, Step { line, command, .. }) in steps.iter().enumerate() {
        let read = |name: String| std::fs::read(results.path().join(name));
        let Ok(out) = read(format!("{number}.out")) else {
            bail!("line {line}: the shell did not come to\n$ {command}\n{told}");
        };
        let out = String::from_utf8_lossy(&out).into_owned();
        let code = read(format!("{number}.code"));
        let code = code.map_or("none".into(), |c| String::from_utf8_lossy(&c).trim().to_owned());
        all.push(Played { out, code });
    }
    Ok(all)
}

/// The commands of all `console` blocks, in order.
fn steps(document: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_console = false;
    let mut in_other = false;
    for (index, text) in document.lines().enumerate() {
        let line = index + 1;
        if text.starts_with("```") {
            let inside = in_console || in_other;
            in_console = !inside && is_run(text);
            in_other = !inside && !in_console;
        } else if !in_console {
            continue;
        } else if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step { line, command: command.into(), expected: Vec::new() });
        } else {
            let step = steps.last_mut();
            let step = step.with_context(|| format!("line {line}: no command before"))?;
            match text.strip_prefix("> ") {
                Some(more) if step.expected.is_empty() => {
                    write!(step.command, "\n{more}")?;
                }
                _ => step.expected.push(text.into()),
            }
        }
    }
    Ok(steps)
}

// Whether the block that begins with this line is run.
fn is_run(line: &str) -> bool {
    let mut words = line.trim_start_matches('`').split_whitespace();
    words.next() == Some("console") && words.all(is_at_hand)
}

// Whether a program is installed; in CI all are, or the block fails.
fn is_at_hand(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    if !found && !ci {
        eprintln!("{program} is not installed: a block that needs it is left out");
    }
    found || ci
}

/// One script: what a command prints goes to a file, and variables and `$?` live on to the next.
fn script_of(steps: &[Step]) -> Result<String> {
    let mut script = String::new();
    for (number, Step { command, .. }) in steps.iter().enumerate() {
        writeln!(
            script,
            "{{\n{command}\n}} > \"$CONSOLE_RESULTS/{number}.out\" 2>&1\nconsole_code=$?\necho $console_code > \"$CONSOLE_RESULTS/{number}.code\"\n(exit $console_code)"
        )?;
    }
    Ok(script)
}

fn lines_match(expected: &[&str], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((&"...", rest)) => {
            (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..]))
        }
        Some((line, rest)) => found
            .split_first()
            .is_some_and(|(first, found)| line_matches(line, first) && lines_match(rest, found)),
    }
}

fn line_matches(expected: &str, found: &str) -> bool {
    let Some((start, rest)) = expected.split_once("...") else { return expected == found };
    let Some(mut left) = found.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split("...").collect();
    let Some(end) = pieces.pop() else { return false };
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(end)
}
