//! What a rehearsal's commands say, so that nobody takes what they made for real.

use crate::terminal::talk;
use coldlog_spec::rehearsal::is_rehearsal;
use std::path::Path;

/// The word on every line that matters.
pub const MARK: &str = "REHEARSAL";

/// Says loudly, before a command of a party begins, that it is a rehearsal's. `public` is the file with the
/// party's public key lines; where there is none, or none of a rehearsal, nothing is said.
pub fn announce(public: &Path) {
    let Ok(bytes) = crate::files::read(public, 1 << 16) else { return };
    let text = String::from_utf8_lossy(&bytes);
    // `log <name>+...`, `witness <name>/ed25519 <name>+...`, `ssh-ed25519 <key> <name>`
    let words = text.lines().next().unwrap_or_default().split([' ', '+']);
    if let Some(name) = words.filter(|word| is_rehearsal(word)).min_by_key(|word| word.len()) {
        say_loudly(name);
    }
}

/// The same, where the name is at hand.
pub fn say_loudly(name: &str) {
    if is_rehearsal(name) {
        talk(format!("{MARK}: {name}: nothing real takes what is made here"));
    }
}

/// A line that is written down or carried on, with the mark where it is of a rehearsal.
pub fn marked(name: &str, line: impl std::fmt::Display) -> String {
    if is_rehearsal(name) { format!("{MARK} {line}") } else { line.to_string() }
}
