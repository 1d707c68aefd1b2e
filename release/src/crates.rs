//! The crates that a program is made of: from the lock file, as cargo resolves it for this program.

use crate::compile::{Compiler, quiet};
use crate::programs::Program;
use crate::source::Source;
use crate::tool;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

/// A crate's name and version.
pub type Id = (String, String);

/// A crate.
#[derive(Debug)]
pub struct Crate {
    /// As its author says: an SPDX expression, mostly.
    pub licence: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// SHA-256 of the package, as the lock file says; our own crates have none.
    pub checksum: Option<String>,
    /// Whether it is in the program; otherwise it only works while that is built.
    pub linked: bool,
    /// The crates that it uses, of those that are in the list.
    pub uses: BTreeSet<Id>,
    /// Where its source is.
    pub folder: PathBuf,
}

impl Crate {
    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.checksum.is_none()
    }
}

/// All crates of a program, in order of their names.
pub fn crates(
    source: &Source,
    compiler: &Compiler,
    program: &Program,
) -> Result<BTreeMap<Id, Crate>> {
    let built = tree(source, compiler, program, "normal,build")?;
    let linked = tree(source, compiler, program, "normal,no-proc-macro")?;
    let checksums = checksums(&std::fs::read_to_string(source.root.join("Cargo.lock"))?);
    let metadata = metadata(source, compiler)?;
    let packages = list(&metadata["packages"])?;
    let ids: HashMap<&str, Id> = packages
        .iter()
        .map(|package| Ok((text(package, "id")?, id_of(package)?)))
        .collect::<Result<_>>()?;
    let mut crates = BTreeMap::new();
    for package in packages {
        let id = id_of(package)?;
        if !built.contains(&id) {
            continue;
        }
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        let said = |name: &str| package[name].as_str().map(str::to_owned);
        crates.insert(
            id.clone(),
            Crate {
                licence: said("license"),
                description: said("description"),
                checksum: checksums.get(&id).cloned(),
                linked: linked.contains(&id),
                uses: BTreeSet::new(),
                folder: manifest.parent().context("a manifest has a folder")?.into(),
            },
        );
    }
    let missing: Vec<&Id> = built.iter().filter(|id| !crates.contains_key(*id)).collect();
    ensure!(missing.is_empty(), "cargo metadata does not know {missing:?}");
    for node in list(&metadata["resolve"]["nodes"])? {
        let uses = used_by(node, &ids)?.into_iter().filter(|id| built.contains(id)).collect();
        let id = ids.get(text(node, "id")?).context("a node without a package")?;
        if let Some(one) = crates.get_mut(id) {
            one.uses = uses;
        }
    }
    Ok(crates)
}

/// Whether a program's crate has a feature.
pub fn has_feature(
    source: &Source,
    compiler: &Compiler,
    package: &str,
    feature: &str,
) -> Result<bool> {
    let metadata = metadata(source, compiler)?;
    let found = list(&metadata["packages"])?.iter().find(|found| found["name"] == package);
    Ok(!found.with_context(|| format!("no crate {package}"))?["features"][feature].is_null())
}

/// What a crate uses, but for its tests.
fn used_by(node: &Value, ids: &HashMap<&str, Id>) -> Result<BTreeSet<Id>> {
    let mut used = BTreeSet::new();
    for one in list(&node["deps"])? {
        let kinds = list(&one["dep_kinds"])?;
        if kinds.iter().any(|kind| kind["kind"] != "dev") {
            used.insert(ids.get(text(one, "pkg")?).context("an unknown package")?.clone());
        }
    }
    Ok(used)
}

/// What `cargo tree` lists: exactly what is built for one program, with the features it has there.
fn tree(
    source: &Source,
    compiler: &Compiler,
    program: &Program,
    edges: &str,
) -> Result<BTreeSet<Id>> {
    let mut cargo = quiet(source, "cargo");
    cargo.args(["tree", "--locked", "--prefix", "none", "--format", "{p}", "--edges", edges]);
    cargo.args(["--package", program.package, "--target", &compiler.target]);
    cargo.args(program.features());
    let mut ids = BTreeSet::new();
    for line in tool::output(&mut cargo)?.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        let version = version.strip_prefix('v').with_context(|| format!("cargo tree: {line}"))?;
        ids.insert((name.into(), version.into()));
    }
    Ok(ids)
}

fn metadata(source: &Source, compiler: &Compiler) -> Result<Value> {
    let mut cargo = quiet(source, "cargo");
    cargo.args(["metadata", "--locked", "--format-version", "1", "--all-features"]);
    cargo.args(["--filter-platform", &compiler.target]);
    Ok(serde_json::from_str(&tool::output(&mut cargo)?)?)
}

/// SHA-256 of each package, from the lock file's lines.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let mut sums = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let start = format!("{name} = \"");
            package.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'))
        };
        if let (Some(name), Some(version), Some(sum)) =
            (field("name"), field("version"), field("checksum"))
        {
            sums.insert((name.into(), version.into()), sum.into());
        }
    }
    sums
}

fn id_of(package: &Value) -> Result<Id> {
    Ok((text(package, "name")?.into(), text(package, "version")?.into()))
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("cargo metadata has no list where one was expected")
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name].as_str().with_context(|| format!("cargo metadata: no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_files_sums_are_found() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let sums = checksums(lock);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[&("a".to_owned(), "1.0.0".to_owned())], "ab");
    }
}
