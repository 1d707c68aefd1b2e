//! An alert's text: words with the names of values in braces, `{operator} signed {document.name}`.

use super::facts::{self, Facts, On};
use coldlog_kit::time;
use serde_json::Value;

/// The longest value that a text shows, in characters.
const MAX_SHOWN: usize = 200;

/// Names that stand for a time, and are shown as one.
const TIMES: [&str; 6] = ["time", "now", "claimed", "not_before", "not_after", "found.since"];

/// A text with places for values.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads one. `found` are the names that the rule's parts add, without `found.`.
    pub(crate) fn parse(text: &str, on: On, found: &[&str]) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("{text:?}: a brace is not closed"));
            };
            let known = match name.strip_prefix("found.") {
                Some(name) => found.contains(&name),
                None => facts::is_known(on, name),
            };
            if !known {
                return Err(format!(
                    "the message names {{{name}}}, which a rule like this does not have"
                ));
            }
            pieces.extend([Piece::Text(before.into()), Piece::Name(name.into())]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.into()));
        Ok(Template(pieces))
    }

    /// The text, in one line.
    pub(crate) fn fill(&self, facts: &Facts) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => show(name, facts::at(facts, name)),
        });
        coldlog_kit::terminal::field(&pieces.collect::<String>())
    }
}

fn show(name: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".into(),
        Value::String(text) => text.clone(),
        Value::Number(number) if TIMES.contains(&name) => {
            number.as_u64().map_or_else(|| number.to_string(), time::show)
        }
        Value::Array(items) => {
            items.iter().map(|item| show("", item)).collect::<Vec<String>>().join(", ")
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_shows_values_and_none_of_them_steers_a_terminal_or_forges_a_line() {
        let Value::Object(facts) = json!({"operator": "Ada\nGrace\u{1b}[2J", "time": 0, "factors": ["a", "b"],
            "document": {"name": "x".repeat(300)}, "found": {"count": 7}})
        else {
            panic!("an object")
        };
        let text = Template::parse(
            "{operator} {time} {factors} {device}: {found.count}{index}",
            On::Record,
            &["count"],
        );
        assert_eq!(
            text.unwrap().fill(&facts),
            "Ada\\nGrace\\u{1b}[2J 1970-01-01T00:00:00Z a, b nothing: 7nothing"
        );
        let text = Template::parse("{document.name}", On::Record, &[]).unwrap().fill(&facts);
        assert_eq!(text.len(), 203);
        for wrong in
            ["{oprator}", "{operator", "{found.count}", "{document.weight}", "{reader}", "{}"]
        {
            assert!(Template::parse(wrong, On::Record, &[]).is_err(), "{wrong}");
        }
    }
}
