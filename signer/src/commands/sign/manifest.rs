//! Manifests: CSV, or the CBOR form of `coldlog_spec::manifest`.

use super::Options;
use super::tasks::{Task, for_all};
use anyhow::{Context, Result, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::files;
use coldlog_spec::manifest::{self, MAX_MANIFEST, MAX_ROWS};
use std::path::{Path, PathBuf};

pub(super) fn read(
    path: &Path,
    options: &Options,
    person: Option<Person>,
    task: impl Fn(PathBuf, Option<String>, String, String) -> Result<Task>,
) -> Result<Vec<Task>> {
    let rows = match path.extension().is_some_and(|extension| extension == "cbor") {
        true => manifest::decode(&files::read(path, MAX_MANIFEST as u64)?)?,
        false => read_csv(path)?,
    };
    if rows.is_empty() {
        bail!("the manifest names no file");
    }
    let folder = files::folder_of(path);
    // Only what a row leaves open is asked for.
    let open = |part: fn(&manifest::Row) -> bool| person.filter(|_| rows.iter().any(part));
    let for_version = for_all("Version", &options.version, open(|row| row.version.is_none()))?;
    let for_purpose = for_all("Purpose", &options.purpose, open(|row| row.purpose.is_none()))?;
    let each = rows.into_iter().map(|row| {
        if !row.stays_inside() {
            bail!("the manifest names {:?}, which leads out of its folder", row.file);
        }
        let version = row.version.unwrap_or_else(|| for_version.clone());
        let purpose = row.purpose.unwrap_or_else(|| for_purpose.clone());
        task(folder.join(row.file), row.name, version, purpose)
    });
    each.collect()
}

fn read_csv(path: &Path) -> Result<Vec<manifest::Row>> {
    let text = files::read(path, MAX_MANIFEST as u64)?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let headers = reader.headers().context("reading the manifest's first line")?.clone();
    let known = ["file", "name", "version", "purpose"];
    if let Some(other) = headers.iter().find(|header| !known.contains(header)) {
        bail!("the manifest has a column {other:?}; known are file, name, version, purpose");
    }
    if !headers.iter().any(|header| header == "file") {
        bail!("the manifest needs a column `file`");
    }
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.context("reading the manifest")?;
        if rows.len() == MAX_ROWS {
            bail!("the manifest names more than {MAX_ROWS} files; split it");
        }
        let get = |name: &str| {
            let at = headers.iter().position(|header| header == name)?;
            row.get(at).filter(|text| !text.is_empty()).map(String::from)
        };
        let file = get("file").unwrap_or_default();
        let (name, version) = (get("name"), get("version"));
        rows.push(manifest::Row { file, name, version, purpose: get("purpose") });
    }
    Ok(rows)
}
