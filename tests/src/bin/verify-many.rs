//! Answers many questions of `verifier check` in one process, for the second implementation's differential
//! test. Five frames in (document, proof, policy, signature, key events), each its length in 4 bytes,
//! big-endian, and its bytes; the last two may be absent. One JSON object a line out, with the exit code and
//! the lines.

use anyhow::{Context, Result};
use coldlog_verifier::commands::check::{Options, answer};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The largest frame: more than any file of ours.
const LIMIT: u32 = 64 << 20;
/// The length of what is absent. It is above the limit, so no frame has it.
const ABSENT: u32 = u32::MAX;

const NAMES: [&str; 5] = ["document", "proof", "policy", "signature", "events"];
/// How many of the names must be there.
const NEEDED: usize = 3;

fn main() -> Result<()> {
    let folder = scratch()?;
    std::env::set_current_dir(&folder)?;
    let mut questions = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let mut answers = BufWriter::new(std::io::stdout().lock());
    let mut files = NAMES.map(Kept::new);
    while !questions.fill_buf()?.is_empty() {
        for (place, file) in files.iter_mut().enumerate() {
            file.next(frame(&mut questions)?)?;
            let is_there = file.path().is_some();
            anyhow::ensure!(is_there || place >= NEEDED, "there must be a {}", NAMES[place]);
        }
        let [_, proof, policy, signature, key_events] = files.each_ref().map(Kept::path);
        let options = Options {
            proof,
            policy: policy.unwrap_or_default(),
            signature,
            key_events,
            // What the command takes where nothing is said.
            require_logs: 1,
            ..Options::default()
        };
        let (code, lines) = answer(Path::new(NAMES[0]), &options);
        writeln!(answers, "{}", serde_json::json!({"code": code, "lines": lines}))?;
        // Whoever waits for it before asking on gets it.
        if questions.buffer().is_empty() {
            answers.flush()?;
        }
    }
    Ok(answers.flush()?)
}

/// A folder in memory where there is one: the files of a question live for a millisecond.
fn scratch() -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?)
}

/// A file of the last question. Most questions have the policy of the one before, which is not written again.
struct Kept {
    name: &'static str,
    on_disk: Option<Vec<u8>>,
    is_asked: bool,
}

impl Kept {
    fn new(name: &'static str) -> Kept {
        Kept { name, on_disk: None, is_asked: false }
    }

    fn next(&mut self, bytes: Option<Vec<u8>>) -> Result<()> {
        self.is_asked = bytes.is_some();
        if bytes.is_some() && bytes != self.on_disk {
            std::fs::write(self.name, bytes.as_deref().unwrap_or_default())?;
            self.on_disk = bytes;
        }
        Ok(())
    }

    fn path(&self) -> Option<PathBuf> {
        self.is_asked.then(|| self.name.into())
    }
}

fn frame(from: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).context("a question was cut")?;
    let length = u32::from_be_bytes(length);
    if length == ABSENT {
        return Ok(None);
    }
    anyhow::ensure!(length <= LIMIT, "a frame of {length} bytes, at most {LIMIT} are taken");
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() == length as usize, "a frame was cut");
    Ok(Some(bytes))
}
