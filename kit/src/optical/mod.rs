//! Files that travel as QR codes: shown by one machine, read by another's camera.
//!
//! A command that writes a file writes it, and shows it afterwards; one that reads a file has it put together
//! first, and then reads it as if it had come on a stick. So nothing is decided twice.

mod show;
mod source;
mod target;

pub use coldlog_optical::frame::Kind;
pub use target::Target;

use show::window_of;

use crate::exit::Outcome;
use crate::files::{self, Existing, Mode};
use anyhow::{Context, Result};
use coldlog_optical::code::{self, Version};
use coldlog_optical::parcel::MAX_FILE;
use coldlog_optical::sending::{Outgoing, Transfer};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How a file is shown.
#[derive(Debug, Clone, clap::Args)]
pub struct Show {
    /// Show the file as animated QR codes: "terminal" for this window, NAME.gif, NAME.html (a page with the
    /// animation), NAME.txt (a line for each code), or a folder for a PNG of each code.
    #[arg(long, value_name = "TARGET")]
    pub qr: Option<Target>,
    /// Codes a second.
    #[arg(long, requires = "qr", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub fps: u8,
    /// The largest QR version (5 to 40), where a camera reads no fine codes; by default it is chosen.
    #[arg(long, requires = "qr", value_parser = clap::value_parser!(u8).range(5..=40))]
    pub qr_version: Option<u8>,
    /// On a terminal, stop after so many rounds; by default any key stops it.
    #[arg(long, requires = "qr")]
    pub loops: Option<u64>,
}

/// A file that a command writes, and how it is shown.
pub struct Outlet<'a> {
    path: PathBuf,
    show: &'a Show,
    existing: Existing,
    scratch: Option<TempDir>,
}

impl<'a> Outlet<'a> {
    /// Where no file is asked for it is a scratch one. What would keep it from being shown is told now.
    pub fn new(output: Option<&Path>, show: &'a Show, force: bool) -> Result<Outlet<'a>> {
        let existing = Existing::from_force(force);
        match &show.qr {
            Some(Target::Terminal) => {
                window_of(show)?;
            }
            Some(target) => target.refuse_taken(existing)?,
            None => {}
        }
        let (path, scratch) = match output {
            Some(path) => (path.into(), None),
            None => scratch("shown")?,
        };
        Ok(Outlet { path, show, existing, scratch })
    }

    /// Where the command writes its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same, for people.
    pub fn name(&self) -> String {
        match self.scratch {
            Some(_) => "QR codes".into(),
            None => self.path.display().to_string(),
        }
    }

    /// Shows the file.
    pub fn deliver(self, kind: Kind) -> Outcome {
        let Some(target) = &self.show.qr else { return Ok(()) };
        let size = std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        let file = files::read(&self.path, size.max(MAX_FILE as u64))?;
        let outgoing = Outgoing::new(kind, &file)?;
        let limit = match (target, self.show.qr_version.and_then(Version::new)) {
            (Target::Terminal, limit) => {
                let window = window_of(self.show)?.version()?;
                limit.map_or(window, |limit| limit.min(window))
            }
            (_, Some(limit)) => limit,
            (_, None) => Version::LARGEST,
        };
        let version = Version::for_parcel(outgoing.length(), limit);
        let shown = Shown {
            transfer: outgoing.cut(version.symbol_size())?,
            version,
            bytes: file.len(),
            kind,
            fps: self.show.fps,
        };
        match target {
            Target::Terminal => show::run(&shown, self.show.loops)?,
            target => target.write(&shown, self.existing)?,
        }
        Ok(())
    }
}

/// A file that is being shown.
pub(crate) struct Shown {
    transfer: Transfer,
    version: Version,
    bytes: usize,
    kind: Kind,
    fps: u8,
}

impl Shown {
    fn codes(&self) -> Result<Vec<code::Code>> {
        let frames = u64::from(self.transfer.frames());
        Ok(code::draw_all(&self.transfer, 0..frames, self.version)?)
    }

    /// What is shown, for people: as many codes as needed, how large, and how long.
    fn lines(&self) -> Vec<String> {
        let (head, frames) = (self.transfer.head(), self.transfer.frames());
        let seconds = f64::from(frames) / f64::from(self.fps);
        vec![
            format!(
                "{}, {} bytes, as {frames} QR codes of which any {} and now and then one more are enough; transfer {}",
                self.kind,
                self.bytes,
                head.pieces(),
                head.transfer
            ),
            format!(
                "QR version {} ({} modules), {} bytes packed, {} in each code, {seconds:.1} s a round at {} codes a second",
                self.version.number(),
                self.version.modules(),
                head.length,
                head.symbol_size,
                self.fps
            ),
        ]
    }
}

/// A file that a command reads.
pub struct Inlet {
    path: PathBuf,
    _scratch: Option<TempDir>,
}

impl Inlet {
    /// The file itself; or the one that QR codes give, put where the file is named, or into a scratch one.
    pub fn open(
        file: Option<&Path>,
        codes: Option<&Path>,
        kind: Kind,
        force: bool,
    ) -> Result<Inlet> {
        let Some(codes) = codes else {
            let path = file.context("name the file, or --qr with the QR codes that show it")?;
            return Ok(Inlet { path: path.into(), _scratch: None });
        };
        let bytes = source::read(codes, kind)?;
        let (path, _scratch) = match file {
            Some(path) => (path.into(), None),
            None => scratch("read")?,
        };
        files::write(&path, &bytes, Existing::from_force(force), Mode::Public)?;
        Ok(Inlet { path, _scratch })
    }

    /// Where the command reads it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn scratch(name: &str) -> Result<(PathBuf, Option<TempDir>)> {
    let folder = tempfile::Builder::new().prefix("coldlog-qr-").tempdir();
    let folder = folder.context("cannot make a scratch folder")?;
    Ok((folder.path().join(name), Some(folder)))
}
