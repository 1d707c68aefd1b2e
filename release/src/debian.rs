//! Debian packages, by `dpkg-deb`: it is on every Debian system, makes the same bytes from the same
//! files, and the ten lines that it needs are ours to read. (`cargo deb` would be a tool of its own to
//! build, and would compile by its own flags.)

use crate::archive::gzip;
use crate::buildinfo::Machine;
use crate::elf::Needs;
use crate::programs::{Linking, Program};
use crate::source::Source;
use crate::tool;
use crate::tree::{self, EXECUTABLE, READABLE, put};
use anyhow::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const MAINTAINER: &str = "The Coldlog developers <coldlog@users.noreply.github.com>";
const HOME: &str = "https://github.com/coldlog/coldlog";
const COPYRIGHT: &str = include_str!("../debian/copyright");

/// What a package is made of.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The program.
    pub program: &'a Program,
    /// The compiled file.
    pub file: &'a Path,
    /// Its pages, as `PROGRAM pages` writes them.
    pub pages: &'a Path,
    /// The list of its parts.
    pub sbom: &'a [u8],
    /// The licences of its parts.
    pub notices: &'a str,
    /// Compress quickly, for tests.
    pub quick: bool,
}

/// Makes a package in a folder; returns its name.
pub fn package(
    source: &Source,
    machine: &Machine,
    made: &Contents,
    folder: &Path,
) -> Result<String> {
    let version = format!("{}-1", source.version);
    let name = made.program.debian;
    let stage = tempfile::tempdir()?;
    let root = stage.path().join(name);
    install(source, &version, made, &root)?;
    let control = control(machine, &version, made, &root)?;
    put(&root.join("DEBIAN/control"), control.as_bytes(), READABLE)?;
    put(&root.join("DEBIAN/md5sums"), md5sums(&root)?.as_bytes(), READABLE)?;
    tree::settle(&root, source.epoch)?;
    let package = format!("{name}_{version}_{}.deb", machine.architecture);
    let mut dpkg = Command::new("dpkg-deb");
    // One thread: how many there are would show in the bytes.
    dpkg.args(["--root-owner-group", "--threads-max=1"]);
    dpkg.args(if made.quick { ["-Zgzip", "-z1"] } else { ["-Zxz", "-z6"] });
    dpkg.arg("--build").arg(&root).arg(folder.join(&package));
    dpkg.env("SOURCE_DATE_EPOCH", source.epoch.to_string()).env("LC_ALL", "C");
    tool::output(&mut dpkg)?;
    Ok(package)
}

/// Puts everything where it will be installed.
fn install(source: &Source, version: &str, made: &Contents, root: &Path) -> Result<()> {
    let Contents { program, .. } = made;
    let share = root.join("usr/share");
    put(&root.join("usr/bin").join(program.name), &std::fs::read(made.file)?, EXECUTABLE)?;
    for page in tree::files(made.pages)? {
        let to = share.join(&page);
        put(&to, &std::fs::read(made.pages.join(&page))?, READABLE)?;
        if page.starts_with("man") {
            gzip(&to)?;
        }
    }
    let doc = share.join("doc").join(program.debian);
    put(&doc.join("copyright"), COPYRIGHT.as_bytes(), READABLE)?;
    put(&doc.join(format!("{}.cdx.json", program.file())), made.sbom, READABLE)?;
    let changes = std::fs::read(source.root.join("CHANGELOG.md"))?;
    let debian = changelog(source, version)?;
    let compressed = [
        ("changelog", changes.as_slice()),
        ("changelog.Debian", debian.as_bytes()),
        ("THIRD-PARTY", made.notices.as_bytes()),
    ];
    for (name, bytes) in compressed {
        put(&doc.join(name), bytes, READABLE)?;
        gzip(&doc.join(name))?;
    }
    if program.linking == Linking::Static {
        let name = program.debian;
        let why = "# On purpose: it runs on machines that have nothing else.\n";
        let text = format!("{why}{name}: statically-linked-binary [usr/bin/{}]\n", program.name);
        put(&share.join("lintian/overrides").join(name), text.as_bytes(), READABLE)?;
    }
    Ok(())
}

fn control(machine: &Machine, version: &str, made: &Contents, root: &Path) -> Result<String> {
    let program = made.program;
    let needs = Needs::of(made.file)?;
    let mut text = String::new();
    writeln!(text, "Package: {}\nVersion: {version}", program.debian)?;
    writeln!(text, "Architecture: {}\nMaintainer: {MAINTAINER}", machine.architecture)?;
    writeln!(text, "Installed-Size: {}", installed_size(root)?)?;
    if needs.is_static() {
        // Its source is to be at hand as long as the package is.
        writeln!(text, "Built-Using: glibc (= {})", machine.glibc)?;
    } else {
        writeln!(text, "Depends: {}", needs.packages()?.join(", "))?;
    }
    if program.feature.is_some() {
        let plain = format!("coldlog-{}", program.name);
        writeln!(text, "Provides: {plain}\nConflicts: {plain}\nReplaces: {plain}")?;
    }
    writeln!(text, "Section: utils\nPriority: optional\nHomepage: {HOME}")?;
    writeln!(text, "Description: {}", program.summary)?;
    writeln!(text, "{}", wrapped(program.about))?;
    Ok(text)
}

/// KiB, each file rounded up, each folder counted as one, as dpkg does.
fn installed_size(root: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        let folder = entry.file_type().is_dir();
        size += if folder { 1 } else { entry.metadata()?.len().div_ceil(1024) };
    }
    Ok(size)
}

/// `md5sums`, which `dpkg --verify` reads. It guards against bad disks, not against people.
fn md5sums(root: &Path) -> Result<String> {
    let files: Vec<PathBuf> = tree::files(root)?;
    let files = files.iter().filter(|file| file.starts_with("usr"));
    tool::output(Command::new("md5sum").arg("--").args(files).current_dir(root))
}

fn changelog(source: &Source, version: &str) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date"]).arg(format!("@{}", source.epoch));
    let date = tool::output(date.env("LC_ALL", "C"))?;
    Ok(format!(
        "coldlog ({version}) unstable; urgency=medium\n\n  * What changed is in changelog.gz.\n\n -- {MAINTAINER}  {}\n",
        date.trim()
    ))
}

/// A description's lines: a space, then at most 78 characters.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 78 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!(" {word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_lines_that_dpkg_takes() {
        let text = "word ".repeat(40);
        let lines = wrapped(text.trim());
        assert!(lines.lines().count() > 2);
        assert!(lines.lines().all(|line| line.starts_with(" word") && line.len() < 80), "{lines}");
    }
}
