//! The licences of the crates that a program is made of: their texts go with it, as they demand.

use crate::crates::{Crate, Id};
use anyhow::Result;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// How the names of files begin that are licences or notices.
const NAMES: [&str; 7] =
    ["license", "licence", "copying", "copyright", "notice", "unlicense", "authors"];

/// `THIRD-PARTY`: every crate that is linked, and every text once, with those that it is for.
pub fn notices<'a>(crates: impl IntoIterator<Item = (&'a Id, &'a Crate)>) -> Result<String> {
    let mut text = String::from(
        "What these programs are made of besides Coldlog itself: crates, each under the licence beside it.\nThe texts follow, each with the crates that carry it.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), one) in crates {
        if one.is_ours() || !one.linked {
            continue;
        }
        let licence = one.licence.as_deref().unwrap_or("see its text");
        writeln!(text, "{name} {version}: {licence}")?;
        // Beside the manifest, or one folder below: what a crate carries of others is there.
        for entry in walkdir::WalkDir::new(&one.folder).max_depth(2).sort_by_file_name() {
            let entry = entry?;
            if entry.file_type().is_file() && is_licence(entry.path()) {
                let found = std::fs::read(entry.path())?;
                let found = String::from_utf8_lossy(&found).replace("\r\n", "\n");
                let users = texts.entry(found.trim().to_owned()).or_default();
                users.push(format!("{name} {version}"));
            }
        }
    }
    for (licence, mut users) in texts {
        users.dedup();
        writeln!(text, "\n{}\n{}\n\n{licence}", "-".repeat(80), users.join(", "))?;
    }
    Ok(text)
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let source = file.extension().is_some_and(|end| end == "rs" || end == "go" || end == "c");
    let named = name.is_some_and(|name| NAMES.iter().any(|start| name.starts_with(start)));
    named && !source
}
