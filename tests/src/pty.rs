//! A person at a terminal: the real program on a real pseudo-terminal, which is its controlling one, so
//! that it asks as it would ask anybody. `script` of util-linux makes the terminal, and carries keys and
//! what is shown.

use crate::{programs, words};
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A debug build opens a key file in some seconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program at a terminal.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// All that was shown, as it was shown.
    pub shown: String,
    read_to: usize,
}

/// Which of the program's streams are the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// All three.
    All,
    /// Not stdin, which is empty.
    NotStdin,
    /// Not stderr, which nobody sees.
    NotStderr,
}

impl Terminal {
    /// Runs one of the programs in a folder; see [`words`].
    pub fn run(folder: &Path, line: &str) -> Result<Terminal> {
        Terminal::run_with(folder, line, Streams::All)
    }

    /// The same, with only some of its streams at the terminal.
    pub fn run_with(folder: &Path, line: &str, streams: Streams) -> Result<Terminal> {
        let mut words = words(line).into_iter();
        let mut program = Command::new(programs()?.join(words.next().context("an empty command")?));
        program.args(words).current_dir(folder).env_remove("COLDLOG_SIGNER");
        Terminal::start(&program, streams)
    }

    /// Runs a command, but for its streams.
    pub fn start(program: &Command, streams: Streams) -> Result<Terminal> {
        let mut line = quoted(program.get_program())?;
        for word in program.get_args() {
            line.push_str(&format!(" {}", quoted(word)?));
        }
        let line = match streams {
            Streams::All => format!("exec {line}"),
            Streams::NotStdin => format!("exec {line} < /dev/null"),
            Streams::NotStderr => format!("exec {line} 2> /dev/null"),
        };
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot run `script`, of util-linux")?;
        let keyboard = child.stdin.take().context("a keyboard")?;
        let mut from = child.stdout.take().context("a screen")?;
        let (send, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Terminal { child, keyboard, screen, shown: String::new(), read_to: 0 })
    }

    /// Waits until a text is shown, after what was waited for before; returns what came before it.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.read_to..].find(text) {
                let before = self.shown[self.read_to..self.read_to + at].to_owned();
                self.read_to += at + text.len();
                return Ok(before);
            }
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{text:?} was not shown in time; shown is:\n{}", self.shown)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the program ended before it showed {text:?}; shown is:\n{}", self.shown)
                }
            }
        }
    }

    /// Answers each prompt whenever it is shown, until the program ends; returns the exit code.
    pub fn answers(&mut self, prompts: &[(&str, &str)]) -> Result<i32> {
        loop {
            let new = &self.shown[self.read_to..];
            let next = prompts
                .iter()
                .filter_map(|(prompt, answer)| Some((new.find(prompt)? + prompt.len(), *answer)));
            if let Some((length, answer)) = next.min() {
                self.read_to += length;
                self.types(answer)?;
                continue;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => return self.ends(),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("nothing happens; shown is:\n{}", self.shown)
                }
            }
        }
    }

    // What is shown is text; a terminal ends its lines with both characters.
    fn take(&mut self, bytes: &[u8]) {
        self.shown.push_str(&String::from_utf8_lossy(bytes).replace('\r', ""));
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> Result<()> {
        // The echo goes off right after a prompt is shown: no person types as fast as that.
        std::thread::sleep(Duration::from_millis(300));
        self.presses(&format!("{line}\n"))
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &str) -> Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits for the end; returns the exit code.
    pub fn ends(&mut self) -> Result<i32> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            while let Ok(bytes) = self.screen.try_recv() {
                self.take(&bytes);
            }
            if Instant::now() > end {
                self.child.kill()?;
                bail!("the program does not end; shown is:\n{}", self.shown);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // What was shown last may still be under way.
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(500)) {
            self.take(&bytes);
        }
        Ok(status.code().unwrap_or(-1))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nobody waiting.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// For a shell.
fn quoted(word: &std::ffi::OsStr) -> Result<String> {
    let word = word.to_str().context("a word that is no UTF-8")?;
    Ok(format!("'{}'", word.replace('\'', "'\\''")))
}
