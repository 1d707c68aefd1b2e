//! `release-files close`: the last look at a release that was signed, before it is published.

use crate::sums;
use crate::tree::{READABLE, put};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::terminal::say;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is asked for.
#[derive(Debug)]
pub struct Options {
    /// The release.
    pub folder: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The public key.
    pub signer: PathBuf,
}

/// What comes with a release and is not in the list, because it is about the list.
const ABOUT: [&str; 6] =
    [sums::NAME, "SHA256SUMS.sig", "SHA256SUMS.proof", "policy", "signer.pub", "allowed_signers"];

/// Checks a release as a stranger would, and adds the policy and the key, for them to compare.
pub fn run(options: &Options) -> Outcome {
    let Options { folder, policy, signer } = options;
    let list = std::fs::read_to_string(folder.join(sums::NAME));
    let list = list.with_context(|| format!("{} has no {}", folder.display(), sums::NAME))?;
    if list != sums::text(&sums::of(folder, &ABOUT)?) {
        return no(format!(
            "{} does not list what is in {}: something was changed, added or removed since it was made",
            sums::NAME,
            folder.display()
        ));
    }
    for name in ["SHA256SUMS.sig", "SHA256SUMS.proof"] {
        if !coldlog_kit::files::is_there(&folder.join(name))? {
            return no(format!("{} has no {name}: sign {} first", folder.display(), sums::NAME));
        }
    }
    let key = std::fs::read_to_string(signer).with_context(|| signer.display().to_string())?;
    let allowed = allowed_signers(&key)?;
    if !is_proven(folder, policy, signer)? {
        return no("the release's own verifier refuses it");
    }
    let policy = std::fs::read(policy)?;
    put(&folder.join("policy"), &policy, READABLE)?;
    put(&folder.join("signer.pub"), key.as_bytes(), READABLE)?;
    put(&folder.join("allowed_signers"), allowed.as_bytes(), READABLE)?;
    say(format!("{} is whole, signed and proven: publish it", folder.display()));
    Ok(())
}

/// `NAME namespaces="file" TYPE KEY`, for `ssh-keygen -Y verify`.
fn allowed_signers(key: &str) -> Result<String> {
    let words: Vec<&str> = key.split_whitespace().collect();
    let [kind, key, name] = words[..] else {
        anyhow::bail!("the signer's public key is not one line of OpenSSH's: type, key, name");
    };
    Ok(format!("{name} namespaces=\"file\" {kind} {key}\n"))
}

fn is_proven(folder: &Path, policy: &Path, signer: &Path) -> Result<bool> {
    let mut verifier = Command::new(folder.canonicalize()?.join("verifier"));
    verifier.current_dir(folder).args(["check", sums::NAME, "--checksums"]);
    verifier.args(["--signature", "SHA256SUMS.sig", "--policy"]).arg(policy.canonicalize()?);
    verifier.arg("--signer").arg(signer.canonicalize()?).stdin(Stdio::null());
    let status = verifier.status().context("the release has no verifier that runs here")?;
    Ok(status.success())
}
