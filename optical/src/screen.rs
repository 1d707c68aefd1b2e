//! A code in the characters of a terminal: a character is two modules, one above the other.

use crate::code::Code;
use std::fmt::Write;

/// Lines below a code, for words.
pub const WORDS: usize = 1;

/// How many modules a side a window shows, with room for words.
pub fn room(columns: usize, rows: usize) -> usize {
    columns.min(rows.saturating_sub(WORDS) * 2)
}

/// A code, in the middle of so many columns. Black and white are named, whatever the terminal's colours are.
pub fn to_text(code: &Code, columns: usize) -> String {
    let side = code.framed_side();
    let margin = " ".repeat(columns.saturating_sub(side) / 2);
    let mut text = String::new();
    for y in (0..side).step_by(2) {
        text.push_str(&margin);
        // Black ink on white, from the colours that are the same everywhere.
        let _ = write!(text, "\x1b[38;5;16;48;5;231m");
        for x in 0..side {
            text.push(match (code.black_in_frame(x, y), code.black_in_frame(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (true, true) => '\u{2588}',
            });
        }
        text.push_str("\x1b[0m\x1b[K\r\n");
    }
    text
}

#[cfg(test)]
mod tests;
