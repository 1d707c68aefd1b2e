//! Which of two versions is the older one.

use serde_json::Value;
use std::cmp::Ordering;

/// Compares two values: numbers as numbers, texts as versions.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => versions(&text(one), &text(other)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Compares versions as Semantic Versioning does, and takes others as well: first the numbers at the beginning, in
/// which 1.9 is before 1.10, and v2 is 2.0; then what follows them, without which it is later: 1.0-rc1 is
/// before 1.0. What stands after a plus is left out.
fn versions(one: &str, other: &str) -> Ordering {
    let ((one, before), (other, after)) = (split(one), split(other));
    let order = one.cmp(&other);
    order.then_with(|| match (before.is_empty(), after.is_empty()) {
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ => before.cmp(&after),
    })
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    // By length first, so that no number is too long.
    Number(usize, String),
    Word(String),
}

// The numbers at the beginning, without zeros at their end, and the rest.
fn split(version: &str) -> (Vec<Part>, Vec<Part>) {
    let mut numbers = parts(version);
    let word = numbers.iter().position(|part| matches!(part, Part::Word(_)));
    let rest = word.map(|word| numbers.split_off(word)).unwrap_or_default();
    while matches!(numbers.last(), Some(Part::Number(0, _))) {
        numbers.pop();
    }
    (numbers, rest)
}

fn parts(version: &str) -> Vec<Part> {
    let version = version.split('+').next().unwrap_or_default().trim();
    let numbered = version.strip_prefix(['v', 'V']);
    let numbered = numbered.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut rest = numbered.unwrap_or(version);
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let same = |c: char| if digit { c.is_ascii_digit() } else { c.is_alphabetic() };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if digit {
            let number = part.trim_start_matches('0');
            parts.push(Part::Number(number.len(), number.into()));
        } else if !part.is_empty() {
            parts.push(Part::Word(part.to_lowercase()));
        }
        rest = if end == 0 { rest.get(first.len_utf8()..).unwrap_or_default() } else { after };
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_mean_them() {
        let ascending = [
            "0.9",
            "1.0-alpha",
            "1.0-beta2",
            "1.0-beta10",
            "1.0-rc.1",
            "1.0",
            "1.0.1",
            "1.9",
            "v1.10",
            "2.0",
            "2026.11.3",
            "10000000000000000000000000",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (place, other) in ascending.iter().enumerate() {
                assert_eq!(versions(one, other), at.cmp(&place), "{one} and {other}");
            }
        }
        for (one, other) in
            [("1", "1.0.0"), ("v1.2", "1.2"), ("1.2+build7", "1.2"), ("01.2", "1.2"), ("", "0")]
        {
            assert_eq!(versions(one, other), Ordering::Equal, "{one} and {other}");
        }
        assert_eq!(compare(&9.into(), &10.into()), Ordering::Less);
    }
}
