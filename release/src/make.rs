//! `release-files make`: everything, in one folder.

use crate::buildinfo::{Machine, buildinfo};
use crate::compile::{Compiler, compile};
use crate::crates::{self, Crate, Id};
use crate::debian::{self, Contents};
use crate::elf::Needs;
use crate::programs::{Linking, PROGRAMS, Program};
use crate::source::Source;
use crate::tree::{self, EXECUTABLE, READABLE, put};
use crate::{archive, check, compile, licences, sbom, sums, tool};
use anyhow::{Context, Result, ensure};
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::terminal::{say, talk};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is asked for.
#[derive(Debug)]
pub struct Options {
    /// The release's folder.
    pub folder: PathBuf,
    /// Make it twice and compare.
    pub check: bool,
    /// Some programs only; all when empty.
    pub only: Vec<String>,
    /// Where programs are that are built already.
    pub programs: Option<PathBuf>,
    /// Files may differ from the last commit.
    pub allow_dirty: bool,
}

/// A program, compiled, with what goes with it.
struct Made {
    program: &'static Program,
    file: PathBuf,
    pages: PathBuf,
    crates: BTreeMap<Id, Crate>,
    sbom: Vec<u8>,
}

/// What documents go into the archive.
const DOCUMENTS: [&str; 6] =
    ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes a release.
pub fn run(options: &Options) -> Outcome {
    if coldlog_kit::files::is_there(&options.folder)? {
        return no(format!("{} exists: a release gets a new folder", options.folder.display()));
    }
    if let Some(name) = options.only.iter().find(|name| PROGRAMS.iter().all(|p| p.file() != **name))
    {
        return trouble(format!("--only {name}: there is no such program"));
    }
    let source = Source::here()?;
    if !source.is_clean() && !options.allow_dirty {
        return no("files differ from the last commit: commit them, or say --allow-dirty");
    }
    let parent = coldlog_kit::files::folder_of(&options.folder);
    let stage = tempfile::Builder::new().prefix(".release-").tempdir_in(&parent)?;
    let first = stage.path().join("first");
    make(&source, options, &first)?;
    if options.check {
        talk("once more, from a copy of the source in another folder");
        let elsewhere = tempfile::Builder::new().prefix("coldlog-elsewhere-").tempdir()?;
        let copy = source.copy_to(&elsewhere.path().join("a/longer/path"))?;
        let second = stage.path().join("second");
        make(&copy, options, &second)?;
        let differing = check::differing(&first, &second)?;
        if !differing.is_empty() {
            return no(format!("two builds differ in {}", differing.join(", ")));
        }
        say(format!("{}: two builds in two folders are the same bytes", options.folder.display()));
    }
    std::fs::rename(&first, &options.folder)?;
    for (name, sum) in sums::of(&options.folder, &[])? {
        let size = std::fs::metadata(options.folder.join(&name))?.len();
        say(format!("{sum}  {size:>9}  {name}"));
    }
    Ok(())
}

fn make(source: &Source, options: &Options, folder: &Path) -> Result<()> {
    let compiler = Compiler::of(source)?;
    let machine = Machine::this(&compiler)?;
    let work = tempfile::tempdir()?;
    std::fs::create_dir(folder)?;
    let mut all = Vec::new();
    for program in PROGRAMS.iter().filter(|program| is_wanted(options, program)) {
        if let Some(feature) = program.feature
            && (options.programs.is_some()
                || !crates::has_feature(source, &compiler, program.package, feature)?)
        {
            continue;
        }
        all.push(made(source, &compiler, &machine, options, program, work.path())?);
    }
    for made in &all {
        let notices = licences::notices(&made.crates)?;
        let Made { program, file, pages, sbom, .. } = made;
        let quick = options.programs.is_some();
        let contents = Contents { program, file, pages, sbom, notices: &notices, quick };
        debian::package(source, &machine, &contents, folder)?;
        put(&folder.join(format!("{}.cdx.json", program.file())), sbom, READABLE)?;
        if program.is_bare() {
            put(&folder.join(program.file()), &std::fs::read(file)?, EXECUTABLE)?;
        }
    }
    let buildinfo = buildinfo(source, &compiler, &machine, options.programs.is_some())?;
    put(&folder.join("BUILDINFO"), buildinfo.as_bytes(), READABLE)?;
    pack(source, &machine, &all, &buildinfo, work.path(), folder)?;
    let list = sums::text(&sums::of(folder, &[])?);
    put(&folder.join(sums::NAME), list.as_bytes(), READABLE)?;
    tree::settle(folder, source.epoch)
}

fn is_wanted(options: &Options, program: &Program) -> bool {
    options.only.is_empty() || options.only.iter().any(|name| *name == program.file())
}

/// Compiles a program, looks at what came out, and lets it write its pages.
fn made(
    source: &Source,
    compiler: &Compiler,
    machine: &Machine,
    options: &Options,
    program: &'static Program,
    work: &Path,
) -> Result<Made> {
    talk(program.debian);
    let found = match &options.programs {
        Some(folder) => folder.join(program.name),
        None => compile(source, compiler, program)?,
    };
    let bytes = std::fs::read(&found).with_context(|| found.display().to_string())?;
    let file = work.join("programs").join(program.file());
    put(&file, &bytes, EXECUTABLE)?;
    if options.programs.is_none() {
        inspect(source, program, &file, &bytes)?;
    }
    let pages = work.join("pages").join(program.debian);
    std::fs::create_dir_all(&pages)?;
    tool::run(Command::new(&file).arg("pages").arg(&pages).env_clear())?;
    let crates = crates::crates(source, compiler, program)?;
    let sbom = sbom::sbom(source, machine, program, &bytes, &crates)?;
    Ok(Made { program, file, pages, crates, sbom })
}

/// A static program that needs something, or one that says where it was built, is not shipped.
fn inspect(source: &Source, program: &Program, file: &Path, bytes: &[u8]) -> Result<()> {
    let needs = Needs::of(file)?;
    let name = program.file();
    ensure!(
        needs.is_static() == (program.linking == Linking::Static),
        "{name} is not linked as it must be: it needs {needs:?}"
    );
    for path in compile::paths(source)? {
        let path = path.as_os_str().as_encoded_bytes();
        let found = bytes.windows(path.len()).any(|window| window == path);
        ensure!(
            !found,
            "{name} has a path of this machine in it: {}",
            String::from_utf8_lossy(path)
        );
    }
    Ok(())
}

/// The archive of everything.
fn pack(
    source: &Source,
    machine: &Machine,
    all: &[Made],
    buildinfo: &str,
    work: &Path,
    folder: &Path,
) -> Result<()> {
    let name = format!("coldlog-{}-{}-linux", source.version, machine.architecture);
    let root = work.join(&name);
    let doc = root.join("share/doc/coldlog");
    for made in all {
        let to = root.join("bin").join(made.program.file());
        put(&to, &std::fs::read(&made.file)?, EXECUTABLE)?;
        for page in tree::files(&made.pages)? {
            let bytes = std::fs::read(made.pages.join(&page))?;
            put(&root.join("share").join(page), &bytes, READABLE)?;
        }
    }
    for document in DOCUMENTS {
        put(&doc.join(document), &std::fs::read(source.root.join(document))?, READABLE)?;
    }
    for page in tree::files(&source.root.join("docs"))? {
        let bytes = std::fs::read(source.root.join("docs").join(&page))?;
        put(&doc.join("docs").join(page), &bytes, READABLE)?;
    }
    put(&doc.join("BUILDINFO"), buildinfo.as_bytes(), READABLE)?;
    let union: BTreeMap<&Id, &Crate> =
        all.iter().flat_map(|made| &made.crates).filter(|(_, one)| one.linked).collect();
    put(&doc.join("THIRD-PARTY"), licences::notices(union)?.as_bytes(), READABLE)?;
    archive::pack(source, &root, &folder.join(format!("{name}.tar.gz")))
}
