//! A JSON object a line.

use super::to_json;
use crate::monitor::channel::Channel;
use crate::monitor::store::Message;
use anyhow::{Context, Result};
use coldlog_kit::terminal::{escape_json, say_json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The longest line that may have been begun: a message's alerts are smaller.
const MAX_LINE: u64 = 16 << 20;

pub(super) fn send(file: Option<&Path>, message: &Message, channel: &Channel) -> Result<()> {
    let lines = message.alerts.iter().map(|alert| {
        let mut line = to_json(alert, channel.facts);
        line["message"] = message.id.as_str().into();
        line
    });
    let Some(path) = file else {
        lines.for_each(|line| say_json(&line));
        return Ok(());
    };
    let text: String = lines.map(|line| escape_json(&line) + "\n").collect();
    append(path, &text).with_context(|| format!("writing {}", path.display()))
}

// A line that was only begun when the machine died is taken back: its message is sent again.
fn append(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MAX_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    (&mut file).take(MAX_LINE).read_to_end(&mut end)?;
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let whole = from + whole as u64;
    if whole < length {
        file.set_len(whole)?;
    }
    file.seek(SeekFrom::Start(whole))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn a_line_that_was_only_begun_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        let has = || std::fs::read_to_string(&path).unwrap();
        append(&path, "{1}\n").unwrap();
        append(&path, "{2}\n{3}\n").unwrap();
        assert_eq!(has(), "{1}\n{2}\n{3}\n");
        for torn in ["{1}\n{2}\n{3", "{1}\n{2}\n{"] {
            std::fs::write(&path, torn).unwrap();
            append(&path, "{4}\n").unwrap();
            assert_eq!(has(), "{1}\n{2}\n{4}\n");
        }
        std::fs::write(&path, "{").unwrap();
        append(&path, "{4}\n").unwrap();
        assert_eq!(has(), "{4}\n");
    }
}
