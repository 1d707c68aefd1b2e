//! `SHA256SUMS`: the one file that is signed, and names all others.

use crate::tree;
use anyhow::{Context, Result};
use coldlog_spec::hash::Hash;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The list.
pub const NAME: &str = "SHA256SUMS";

/// The sums of all files of a folder but some, by name.
pub fn of(folder: &Path, without: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for file in tree::files(folder)? {
        let name = file.to_str().context("a file whose name is no UTF-8")?;
        if !without.contains(&name) {
            sums.insert(name.to_owned(), Hash::of(&std::fs::read(folder.join(&file))?).to_hex());
        }
    }
    Ok(sums)
}

/// As `sha256sum` writes them.
pub fn text(sums: &BTreeMap<String, String>) -> String {
    sums.iter().fold(String::new(), |mut text, (name, sum)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{sum}  {name}");
        text
    })
}
