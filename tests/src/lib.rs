//! The stage on which whole-program tests and the ceremony play: the real binaries, and a
//! folder for each role that stands for a machine.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Builds the binaries, once a process, and returns their folder. With `COLDLOG_PROGRAMS` it is that folder,
/// and nothing is built: for a runner that starts a process for each test and has built them already.
pub fn programs() -> Result<&'static Path> {
    static PROGRAMS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAMS.get_or_init(|| build().map_err(|why| format!("{why:#}")));
    built.as_deref().map_err(|why| anyhow::anyhow!("{why}"))
}

fn build() -> Result<PathBuf> {
    if let Some(built) = std::env::var_os("COLDLOG_PROGRAMS") {
        return Ok(PathBuf::from(built));
    }
    let exe = std::env::current_exe()?;
    // target/PROFILE/ceremony, or target/PROFILE/deps/some_test
    let mut folder = exe.parent().context("the program has no folder")?.to_path_buf();
    let in_test = folder.ends_with("deps");
    if in_test {
        folder.pop();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--quiet", "--bins"]);
    // The selection by which the caller itself was built: another one would have other features, and
    // compile every dependency anew.
    if folder.ends_with("release") {
        // What is measured is what users run.
        command.arg("--release");
        for package in ["signer", "log", "witness", "mirror", "verifier"] {
            command.args(["--package", &format!("coldlog-{package}")]);
        }
    } else {
        command.arg("--workspace");
        if in_test {
            command.arg("--tests");
        }
    }
    if !command.status().context("cannot run cargo")?.success() {
        bail!("the programs do not build");
    }
    Ok(folder)
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; -1 when it was killed.
    pub code: i32,
    /// stdout
    pub out: String,
    /// stderr
    pub err: String,
}

/// The words of a command as a shell would split it, with single quotes only.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// `FILE` with something behind its name: `FILE.sig`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// A path as a person would type it: in quotes where it needs them.
pub fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{text}'") }
}

/// Runs one of the programs in a folder; see [`words`].
pub fn run(folder: &Path, line: &str) -> Result<Ran> {
    run_with(folder, line, &[])
}

/// The same, with more in its environment.
pub fn run_with(folder: &Path, line: &str, env: &[(String, String)]) -> Result<Ran> {
    let mut words = words(line).into_iter();
    let program = words.next().context("an empty command")?;
    let mut command = Command::new(programs()?.join(program));
    command.current_dir(folder).args(words).stdin(Stdio::null());
    for role in ["SIGNER", "LOG", "WITNESS", "MIRROR"] {
        command.env_remove(format!("COLDLOG_{role}"));
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let output = command.output().with_context(|| format!("cannot run {line}"))?;
    Ok(ran(&output))
}

/// Runs a command that must succeed, and returns its time and the most memory that it had, in KiB.
pub fn measured(folder: &Path, line: &str) -> Result<(Duration, u64)> {
    let mut words = words(line).into_iter();
    let program = programs()?.join(words.next().context("an empty command")?);
    let mut command = Command::new(program);
    command.current_dir(folder).args(words).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let mut peak = 0;
    loop {
        if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
            peak = peak.max(kib.unwrap_or(0));
        }
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("{line}: {status}");
            }
            return Ok((start.elapsed(), peak));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The result of a finished process.
pub fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Copies a file or a folder; what is there already is replaced.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target = match entry.path().strip_prefix(from)? {
            rest if rest.as_os_str().is_empty() => to.to_path_buf(),
            rest => to.join(rest),
        };
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&target)?;
        } else {
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("copying {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    Ok(options.open(path)?.write_all(text.as_bytes())?)
}

pub mod bastion;
pub mod buckets;
pub mod conformance;
pub mod console;
pub mod kills;
pub mod pty;
pub mod runbook;
pub mod server;
pub mod story;
pub mod tokens;
