//! What is to be signed, and where each signature goes: from the arguments, a list, or a manifest.

use super::confirm::Seen;
use super::{Options, manifest};
use anyhow::{Context, Result, bail};
use coldlog_kit::ask::Person;
use coldlog_kit::files;
use coldlog_kit::inputs::{self, Inputs};
use coldlog_spec::record::Scheme;
use std::path::PathBuf;

pub(super) struct Task {
    /// `None` for stdin.
    pub(super) path: Option<PathBuf>,
    /// `None` for stdout.
    pub(super) output: Option<PathBuf>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) purpose: String,
    /// What a person was shown of it.
    pub(super) seen: Option<Seen>,
}

impl Task {
    /// What would be refused when it is written is refused before it is recorded.
    pub(super) fn refuse_existing(&self, force: bool) -> Result<()> {
        if let Some(path) = &self.output
            && !force
            && path.symlink_metadata().is_ok()
        {
            bail!(
                "{} exists already, and is not the signature of this document, version and purpose; nothing was recorded for it; choose an --output-dir, or say --force to replace it",
                path.display()
            );
        }
        Ok(())
    }
}

/// What holds for all documents that say nothing of their own: from the command line, or from the person
/// who is there, or empty.
pub(super) fn for_all(what: &str, said: &Option<String>, person: Option<Person>) -> Result<String> {
    match (said, person) {
        (Some(said), _) => Ok(said.clone()),
        (None, Some(person)) => person.answer(what, Some("")),
        (None, None) => Ok(String::new()),
    }
}

pub(super) fn tasks(
    options: &Options,
    scheme: Scheme,
    person: Option<Person>,
) -> Result<Vec<Task>> {
    let common = || {
        let version = for_all("Version", &options.version, person)?;
        anyhow::Ok((version, for_all("Purpose", &options.purpose, person)?))
    };
    let stdin = options.files.iter().any(|file| file.as_os_str() == "-");
    if stdin {
        if options.files.len() != 1 || options.manifest.is_some() {
            bail!("- stands alone: one document from stdin at a time");
        }
        let name = options.name.clone().context("a document from stdin needs --name")?;
        let (version, purpose) = common()?;
        return Ok(vec![Task { path: None, output: None, name, version, purpose, seen: None }]);
    }
    let task = |path: PathBuf, name: Option<String>, version: String, purpose: String| {
        let file_name = path.file_name().and_then(|name| name.to_str());
        let file_name =
            file_name.with_context(|| format!("{} has no UTF-8 name", path.display()))?;
        let target = match &options.output_dir {
            Some(folder) => {
                files::check_portable(&format!("{file_name}.{}", scheme.extension()))?;
                folder.join(file_name)
            }
            None => path.clone(),
        };
        let output = std::path::absolute(files::with_suffix(&target, scheme.extension()))?;
        let name = name.unwrap_or_else(|| file_name.into());
        let (path, output) = (Some(path), Some(output));
        Ok(Task { path, output, name, version, purpose, seen: None })
    };
    if let Some(manifest) = &options.manifest {
        if !options.files.is_empty() || options.name.is_some() {
            bail!("--manifest names the files: give no others, and no --name");
        }
        return manifest::read(manifest, options, person, task);
    }
    let Inputs { files, others } =
        inputs::expand(&options.files, options.recursive, options.files_from.as_deref())?;
    for other in others {
        let why = "no document: a symlink, a device, or what an interrupted run left";
        coldlog_kit::terminal::talk(format!("signer: {} is left out: {why}", other.display()));
    }
    if options.name.is_some() && files.len() != 1 {
        bail!("--name is for one document, {} were given; use --manifest", files.len());
    }
    let (version, purpose) = common()?;
    let one = |path| task(path, options.name.clone(), version.clone(), purpose.clone());
    files.into_iter().map(one).collect()
}
