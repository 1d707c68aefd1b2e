//! Texts from outside, made harmless for people's eyes, and numbers and times as they are shown.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// How many characters of one text a report shows. What is cut is said.
pub const LONGEST: usize = 4_000;

/// How many marks may stand on one letter; more of them run into the lines above and below.
const MARKS: usize = 3;

/// A text as one line: what steers a terminal, turns the direction of writing or cannot be seen stands
/// there escaped, as on terminals (`coldlog_kit::terminal::field`), and so do newlines: a name forges
/// no line and hides no character.
pub fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut marks = 0;
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            let more = text.chars().count() - LONGEST;
            // Writing to a String cannot fail.
            let _ = write!(safe, " [and {} more characters]", number(more as u64));
            break;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if c == '\n' {
            safe.push_str("\\n");
        } else if is_hidden(c) || marks > MARKS {
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A text that a person wrote, with its lines, each by itself as [`line()`] has it. Empty ones are left out.
pub fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(line).collect()
}

/// A mark that stands on the letter before it.
pub(crate) fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

// Unicode's controls, formats and default-ignorable characters, its separators of lines, what it keeps
// for private use, and what is no character.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// A number with its thousands apart: `12,345`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 record`, `2 records`: a number with its noun, which takes an s.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A time in UTC, to the second: `2026-10-01 12:00:00 UTC`.
pub fn time(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = parts(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month, day, hour, minute and second of a time in UTC.
pub(crate) fn parts(seconds: u64) -> [u16; 6] {
    // Beyond the year 9999 there is no RFC 3339.
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799));
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let mut numbers =
        text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

/// A text cut to about so many columns, wide letters counted as what they take; what is cut is shown
/// as an ellipsis.
pub fn shorten(text: &str, columns: usize) -> String {
    let width = |c: char| match c {
        'A'..='Z' | 'm' | 'w' | '@' | '%' => 3,
        c if c >= '\u{1100}' => 4,
        _ => 2,
    };
    if text.chars().map(width).sum::<usize>() <= 2 * columns {
        return text.into();
    }
    let mut used = 4;
    let short: String = text
        .chars()
        .take_while(|c| {
            used += width(*c);
            used <= 2 * columns
        })
        .collect();
    short.trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_forges_no_line_hides_no_character_and_paints_over_no_neighbour() {
        let shown =
            super::line("a\u{202e}b\nc\u{1b}[2J\u{200b}\u{feff}\u{e0041}\u{fdd0}\u{1ffff}d");
        assert_eq!(
            shown,
            "a\\u{202e}b\\nc\\u{1b}[2J\\u{200b}\\u{feff}\\u{e0041}\\u{fdd0}\\u{1ffff}d"
        );
        assert_eq!(
            super::line("e\u{301}\u{4e2d} \u{5d0}"),
            "e\u{301}\u{4e2d} \u{5d0}",
            "names stay"
        );
        assert!(super::line(&("a".to_owned() + &"\u{301}".repeat(50))).contains("\\u{301}"));
        assert_eq!(super::lines("one\r\n\n two\u{7} "), ["one", "two\\u{7}"]);
    }

    #[test]
    fn what_is_cut_is_said() {
        let long = "x".repeat(super::LONGEST + 1_234);
        assert!(super::line(&long).ends_with("xx [and 1,234 more characters]"));
        assert_eq!(super::line(&long[..super::LONGEST]), long[..super::LONGEST]);
        assert_eq!(super::shorten("abcdefghij", 10), "abcdefghij");
        assert_eq!(super::shorten("abcdefghijk", 10), "abcdefgh…");
    }

    #[test]
    fn numbers_and_times_are_shown_as_people_read_them() {
        assert_eq!(super::number(0), "0");
        assert_eq!(super::number(123), "123");
        assert_eq!(super::number(1_234_567), "1,234,567");
        assert_eq!(super::counted(1, "record"), "1 record");
        assert_eq!(super::time(1_790_856_000), "2026-10-01 12:00:00 UTC");
        assert_eq!(super::time(u64::MAX), "9999-12-31 23:59:59 UTC");
    }
}
