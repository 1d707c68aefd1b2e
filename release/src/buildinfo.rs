//! `BUILDINFO`: by what a release was made. Whoever wants the same bytes needs the same of these.

use crate::compile::{Compiler, PROFILE};
use crate::source::Source;
use crate::tool;
use anyhow::{Context, Result};
use coldlog_kit::time::show;
use std::fmt::Write;
use std::process::Command;

/// The Debian packages whose versions can change the bytes.
const PACKAGES: [&str; 7] = ["binutils", "dpkg", "gcc", "gzip", "libc6-dev", "perl", "tar"];

/// The machine that makes a release.
#[derive(Debug)]
pub struct Machine {
    /// Rust's version.
    pub rust: String,
    /// The version of the C library's package.
    pub glibc: String,
    /// As Debian calls the processor.
    pub architecture: String,
    tools: Vec<(String, String)>,
    system: String,
}

impl Machine {
    /// This one.
    pub fn this(compiler: &Compiler) -> Result<Machine> {
        let rust = compiler.version.lines().find_map(|line| line.strip_prefix("release: "));
        let mut tools = Vec::new();
        for package in PACKAGES {
            // A missing one is missed when it is needed, if it is.
            let mut query = Command::new("dpkg-query");
            query.args(["--show", "--showformat=${Version}", package]);
            let found = query.output().context("releases are made on Debian: no dpkg-query")?;
            let version = String::from_utf8_lossy(&found.stdout).trim().to_owned();
            if found.status.success() && !version.is_empty() {
                tools.push((package.to_owned(), version));
            }
        }
        let glibc = tools.iter().find(|(name, _)| name == "libc6-dev");
        let architecture = tool::output(Command::new("dpkg").arg("--print-architecture"))?;
        let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Ok(Machine {
            rust: rust.context("rustc says no release")?.into(),
            glibc: glibc.context("libc6-dev is not installed")?.1.clone(),
            architecture: architecture.trim().into(),
            tools,
            system: system.unwrap_or("unknown").trim_matches('"').into(),
        })
    }
}

/// The file.
pub fn buildinfo(
    source: &Source,
    compiler: &Compiler,
    machine: &Machine,
    given: bool,
) -> Result<String> {
    let mut text = String::new();
    let how = match given {
        true => "taken from a folder where they were built already: a rehearsal, no release".into(),
        false => format!("built by cargo, profile {PROFILE}, for {}", compiler.target),
    };
    writeln!(text, "coldlog {}", source.version)?;
    writeln!(text, "commit: {}", source.commit)?;
    writeln!(text, "SOURCE_DATE_EPOCH: {} ({})", source.epoch, show(source.epoch))?;
    writeln!(text, "programs: {how}")?;
    writeln!(text, "system: {} ({})", machine.system, machine.architecture)?;
    for (name, version) in &machine.tools {
        writeln!(text, "{name}: {version}")?;
    }
    text.push_str(&compiler.version);
    Ok(text)
}
