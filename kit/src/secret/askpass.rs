//! Programs that ask a person, as OpenSSH has them (ssh(1), SSH_ASKPASS and SSH_ASKPASS_REQUIRE): the
//! question is their only argument, the answer the first line that they print.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// The program to ask by; `None` for the terminal.
pub(super) fn program(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(program) = named {
        return Some(program.into());
    }
    let terminal = || std::fs::File::open("/dev/tty").is_ok();
    let require = std::env::var("SSH_ASKPASS_REQUIRE").unwrap_or_default();
    let wanted = match require.as_str() {
        "never" => false,
        "force" | "prefer" => true,
        _ => !terminal(),
    };
    let program = std::env::var_os("SSH_ASKPASS").filter(|program| !program.is_empty())?;
    wanted.then(|| program.into())
}

/// Asks once.
pub(super) fn ask(program: &Path, question: &str) -> Result<Zeroizing<String>> {
    let name = program.display();
    let mut command = Command::new(program);
    command.arg(question).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let mut answer = Zeroizing::new(Vec::with_capacity(super::LIMIT as usize));
    if let Some(out) = child.stdout.take() {
        out.take(super::LIMIT)
            .read_to_end(&mut answer)
            .with_context(|| format!("reading from {name}"))?;
    }
    if !child.wait().with_context(|| format!("waiting for {name}"))?.success() {
        bail!("{name} gave no answer");
    }
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line).with_context(|| format!("{name} answered no UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
