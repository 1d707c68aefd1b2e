//! Answers many questions of `verifier check` in one process, for the second implementation's differential
//! test: three frames in (document, proof, policy; each its length in 4 bytes, big-endian, and its bytes), one
//! JSON object a line out, with the exit code and the lines.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// The largest frame: more than any file of ours.
const LIMIT: u32 = 64 << 20;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::env::set_current_dir(&folder)?;
    let mut questions = BufReader::new(std::io::stdin().lock());
    let mut answers = BufWriter::new(std::io::stdout().lock());
    let names = ["document", "proof", "policy"].map(Path::new);
    while !questions.fill_buf()?.is_empty() {
        for name in names {
            std::fs::write(name, frame(&mut questions)?)?;
        }
        let (code, lines) = coldlog_verifier::commands::check::answer(names[0], names[1], names[2]);
        writeln!(answers, "{}", serde_json::json!({"code": code, "lines": lines}))?;
        // Whoever waits for it before asking on gets it.
        if questions.buffer().is_empty() {
            answers.flush()?;
        }
    }
    Ok(answers.flush()?)
}

fn frame(from: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).context("a question was cut")?;
    let length = u32::from_be_bytes(length);
    anyhow::ensure!(length <= LIMIT, "a frame of {length} bytes, at most {LIMIT} are taken");
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() == length as usize, "a frame was cut");
    Ok(bytes)
}
