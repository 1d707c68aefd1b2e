//! What goes to a person's eyes.

use std::fmt::Write;

/// A text that may come from outside, with what could steer a terminal shown escaped.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A field that comes from outside, for a line of its own: also its newlines are shown escaped, so
/// that a name cannot forge a line.
pub fn field(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

/// Prints a result on stdout. A reader that went away ends the output, not the work; a full disk
/// ends the program with 2, for half a result is none.
pub fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{}", escape(&text.to_string())) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            talk(format!("cannot write the result: {error}"));
            std::process::exit(2);
        }
        _ => {}
    }
}

/// Talks on stderr; where even that is full or gone, the exit code still says it.
pub fn talk(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", escape(&text.to_string()));
}
