//! The README's `console` blocks are run, in order, in one shell: what it shows is what happens.
//!
//! In a block, a line that begins with `$ ` is a command; lines right after it that begin with `> ` go
//! on with it, as in a terminal. All other lines are its output, stdout and stderr. In them `...`
//! stands for anything within the line, and for any number of lines where it is the whole line. A
//! command must succeed, unless `$ echo $?` follows it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use coldlog_tests::programs;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command of the README and what it shall print.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let steps = steps(&std::fs::read_to_string(readme).unwrap());
    assert!(steps.len() > 20, "the README has {} commands in console blocks", steps.len());

    let (stage, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = results.path().join("script");
    std::fs::write(&script, script_of(&steps)).unwrap();
    let mut folders = vec![programs().unwrap().to_path_buf()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut shell = Command::new("sh");
    shell.arg(&script).current_dir(stage.path()).stdin(Stdio::null()).env("LC_ALL", "C");
    shell.env("PATH", std::env::join_paths(folders).unwrap()).env("README_RESULTS", results.path());
    for role in ["SIGNER", "LOG", "WITNESS"] {
        shell.env_remove(format!("COLDLOG_{role}"));
    }
    let ran = shell.output().unwrap();

    for (number, Step { line, command, expected }) in steps.iter().enumerate() {
        let read = |name: String| std::fs::read(results.path().join(name));
        let Ok(found) = read(format!("{number}.out")) else {
            let told = String::from_utf8_lossy(&ran.stderr);
            panic!("README.md, line {line}: the shell did not come to\n$ {command}\n{told}");
        };
        let found = String::from_utf8_lossy(&found).into_owned();
        let code = read(format!("{number}.code"));
        let code = code.map_or("none".into(), |c| String::from_utf8_lossy(&c).trim().to_owned());
        let asked = steps.get(number + 1).is_some_and(|next| next.command == "echo $?");
        let lines: Vec<&str> = found.lines().collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert!(
            lines_match(&expected, &lines) && (code == "0" || asked),
            "README.md, line {line}, differs\n$ {command}\n--- expected\n{}\n--- found, with exit code {code}\n{}",
            expected.join("\n"),
            found
        );
    }
}

/// The commands of all `console` blocks, in order.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_console = false;
    let mut in_other = false;
    for (index, text) in readme.lines().enumerate() {
        let line = index + 1;
        if text.starts_with("```") {
            let inside = in_console || in_other;
            in_console = !inside && text.trim_end() == "```console";
            in_other = !inside && !in_console;
        } else if !in_console {
            continue;
        } else if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step { line, command: command.into(), expected: Vec::new() });
        } else {
            let step = steps.last_mut();
            let step = step.unwrap_or_else(|| panic!("README.md, line {line}: no command before"));
            match text.strip_prefix("> ") {
                Some(more) if step.expected.is_empty() => {
                    write!(step.command, "\n{more}").unwrap();
                }
                _ => step.expected.push(text.into()),
            }
        }
    }
    steps
}

/// One script: what a command prints goes to a file, and variables and `$?` live on to the next.
fn script_of(steps: &[Step]) -> String {
    let mut script = String::new();
    for (number, Step { command, .. }) in steps.iter().enumerate() {
        writeln!(
            script,
            "{{\n{command}\n}} > \"$README_RESULTS/{number}.out\" 2>&1\nreadme_code=$?\necho $readme_code > \"$README_RESULTS/{number}.code\"\n(exit $readme_code)"
        )
        .unwrap();
    }
    script
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
    let end = pieces.pop().unwrap();
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(end)
}
