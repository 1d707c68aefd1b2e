//! Questions to the person at the terminal. Where nobody is, nothing is asked, and scripts go on as they do.

use crate::terminal::escape;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, IsTerminal, Read, Write};

/// The longest answer, in bytes: a terminal's line has no more.
const LONGEST: u64 = 4096;

/// Somebody who sees what is said, and can answer: stdin and stderr are a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Person(());

impl Person {
    /// Whoever is there.
    pub fn here() -> Option<Person> {
        let there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        there.then_some(Person(()))
    }

    /// Tells something, in lines.
    pub fn tell(self, text: impl std::fmt::Display) {
        // Where it cannot be shown, the question after it cannot either, and nobody says yes.
        let _ = writeln!(std::io::stderr(), "{}", escape(&text.to_string()));
    }

    /// Asks once; only `y` and `yes` are a yes.
    pub fn agrees(self, question: &str) -> Result<bool> {
        let answer = ask(&format!("{question} [y/N] "))?;
        Ok(answer.is_some_and(|answer| {
            ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
        }))
    }

    /// Asks for a text; an empty line is `default`, where there is one.
    pub fn answer(self, question: &str, default: Option<&str>) -> Result<String> {
        let hint = match default {
            Some("") => " (Enter for none)".into(),
            Some(default) => format!(" (Enter for {default})"),
            None => String::new(),
        };
        loop {
            let answer = ask(&format!("{question}{hint}: "))?.context("nobody answered")?;
            let answer = answer.trim();
            if answer.chars().any(char::is_control) {
                self.tell(
                    "There is a key in it that is no letter (an arrow, maybe); once more, please.",
                );
                continue;
            }
            match (answer, default) {
                ("", Some(default)) => return Ok(default.into()),
                ("", None) => self.tell("It must not be empty."),
                (answer, _) => return Ok(answer.into()),
            }
        }
    }
}

/// Asks what must be answered. Where nobody is to be asked, that is an error.
pub fn confirm(question: &str) -> Result<bool> {
    let person = Person::here().with_context(|| {
        format!("no terminal to ask {question:?}; look at what is shown, then say --yes")
    })?;
    person.agrees(question)
}

// `None` where the terminal is closed, or the person says that nothing more comes.
fn ask(prompt: &str) -> Result<Option<String>> {
    let mut out = std::io::stderr();
    write!(out, "{}", escape(prompt)).and_then(|()| out.flush()).context("asking")?;
    let mut line = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_until(b'\n', &mut line)
        .context("reading the answer")?;
    if line.is_empty() {
        let _ = writeln!(out);
        return Ok(None);
    }
    if !line.ends_with(b"\n") && line.len() as u64 == LONGEST {
        bail!("the answer is longer than {LONGEST} bytes");
    }
    let text = String::from_utf8(line).context("the answer is not UTF-8")?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}
