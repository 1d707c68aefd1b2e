//! What goes to a person's eyes.

use std::fmt::Write;

/// A text that may come from outside, with what could steer a terminal shown escaped.
pub fn escape(text: &str) -> String {
    escape_as(text, |safe, c| write!(safe, "{}", c.escape_unicode()))
}

fn escape_as(text: &str, show: impl Fn(&mut String, char) -> std::fmt::Result) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = c.is_control() && c != '\n'
            || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            // Writing to a String cannot fail.
            let _ = show(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A JSON text in which what could steer a terminal is escaped as JSON has it.
pub fn escape_json(value: &serde_json::Value) -> String {
    // What steers lies in the Basic Multilingual Plane: four digits are enough.
    escape_as(&value.to_string(), |safe, c| write!(safe, "\\u{:04x}", u32::from(c)))
}

/// A field that comes from outside, for a line of its own: also its newlines are shown escaped, so
/// that a name cannot forge a line.
pub fn field(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

/// Prints a result on stdout. A reader that went away ends the output, not the work; a full disk
/// ends the program with 2, for half a result is none.
pub fn say(text: impl std::fmt::Display) {
    print(&escape(&text.to_string()));
}

/// Prints a JSON object on stdout; see [`say`].
pub fn say_json(value: &serde_json::Value) {
    print(&escape_json(value));
}

fn print(safe: &str) {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{safe}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            talk(format!("cannot write the result: {error}"));
            std::process::exit(2);
        }
        _ => {}
    }
}

/// Talks on stderr, one line; where even that is full or gone, the exit code still says it.
pub fn talk(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", field(&text.to_string()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_could_steer_a_terminal_is_escaped_and_json_stays_json() {
        let name = "a\u{202e}b\u{1b}[2J\u{9b}31m\u{7f}\"\\ \u{fc}";
        let shown = super::escape(name);
        assert_eq!(shown, "a\\u{202e}b\\u{1b}[2J\\u{9b}31m\\u{7f}\"\\ \u{fc}");
        let value = serde_json::json!({"name": name});
        let text = super::escape_json(&value);
        assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
