//! `release-files close`: the last look at a release that was signed, before it is published.

use crate::sums;
use crate::tree::{READABLE, put};
use anyhow::{Context, Result};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::terminal::say;
use coldlog_spec::document::{DocumentHasher, SignatureFile, parse_public_key};
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

/// The list's signature.
const SIGNATURE: &str = "SHA256SUMS.sig";
const MAX_SIGNATURE: u64 = 1 << 16;

/// What comes with a release and is not in the list, because it is about the list.
const ABOUT: [&str; 6] =
    [sums::NAME, SIGNATURE, "SHA256SUMS.proof", "policy", "signer.pub", "allowed_signers"];

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
    for name in [SIGNATURE, "SHA256SUMS.proof"] {
        if !coldlog_kit::files::is_there(&folder.join(name))? {
            return no(format!("{} has no {name}: sign {} first", folder.display(), sums::NAME));
        }
    }
    let key = std::fs::read_to_string(signer).with_context(|| signer.display().to_string())?;
    let allowed = allowed_signers(&key)?;
    // Before anything of the release is run: from here on its verifier is the one that the key signed.
    is_signed(folder, &list, &key)?;
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

fn is_signed(folder: &Path, list: &str, signer: &str) -> Outcome {
    let key = parse_public_key(signer).context("the signer's public key is no Ed25519 key")?;
    let signature = coldlog_kit::files::read(&folder.join(SIGNATURE), MAX_SIGNATURE)?;
    let signature = SignatureFile::decode(&signature).context(SIGNATURE)?;
    let digest = DocumentHasher::digest(signature.scheme(), list.as_bytes());
    signature.verify(&key, &digest).context(SIGNATURE).or_no()
}

fn is_proven(folder: &Path, policy: &Path, signer: &Path) -> Result<bool> {
    let mut verifier = Command::new(folder.canonicalize()?.join("verifier"));
    verifier.current_dir(folder).args(["check", sums::NAME, "--checksums"]);
    verifier.args(["--signature", SIGNATURE, "--policy"]).arg(policy.canonicalize()?);
    verifier.arg("--signer").arg(signer.canonicalize()?).stdin(Stdio::null());
    let status = verifier.status().context("the release has no verifier that runs here")?;
    Ok(status.success())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use coldlog_kit::exit::Failure;
    use coldlog_spec::document::ssh_public_key;
    use coldlog_spec::ed25519::SecretKey;
    use coldlog_spec::record::Scheme;

    /// A release whose verifier is content with everything, and leaves a trace that it was run.
    struct Release(tempfile::TempDir);

    impl Release {
        fn new() -> Release {
            let release = Release(tempfile::tempdir().unwrap());
            put(&release.file("verifier"), b"#!/bin/sh\ntouch ../ran\n", 0o755).unwrap();
            release.list();
            put(&release.file("SHA256SUMS.proof"), b"a proof", READABLE).unwrap();
            put(&release.0.path().join("policy"), b"a policy", READABLE).unwrap();
            let key = format!("{} coldlog.example\n", ssh_public_key(&key(1).public()));
            put(&release.0.path().join("signer.pub"), key.as_bytes(), READABLE).unwrap();
            release
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.path().join("release").join(name)
        }

        fn list(&self) -> Vec<u8> {
            let folder = self.0.path().join("release");
            let list = sums::text(&sums::of(&folder, &ABOUT).unwrap()).into_bytes();
            put(&self.file(sums::NAME), &list, READABLE).unwrap();
            list
        }

        fn sign(&self, list: &[u8], key: &SecretKey) {
            let digest = DocumentHasher::digest(Scheme::Sshsig, list);
            let signature = SignatureFile::sign(key, &digest, "").unwrap().encode();
            put(&self.file(SIGNATURE), &signature, READABLE).unwrap();
        }

        fn close(&self) -> Outcome {
            let at = |name| self.0.path().join(name);
            let (folder, policy) = (at("release"), at("policy"));
            run(&Options { folder, policy, signer: at("signer.pub") })
        }

        /// Why it is refused; nothing of the release was run, and nothing added.
        fn refused(&self) -> String {
            let Err(Failure::No(why)) = self.close() else { panic!("it is not refused") };
            assert!(!self.0.path().join("ran").exists(), "its verifier was run: {why:#}");
            assert!(!self.file("signer.pub").exists());
            format!("{why:#}")
        }
    }

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&[seed; 32])
    }

    #[test]
    fn a_release_that_the_key_signed_is_closed_when_its_verifier_is_content() {
        let release = Release::new();
        release.sign(&release.list(), &key(1));
        release.close().unwrap();
        assert!(release.0.path().join("ran").exists());
        assert!(release.file("signer.pub").exists());
    }

    #[test]
    fn a_verifier_that_nobody_signed_is_not_run() {
        let release = Release::new();
        release.sign(&release.list(), &key(1));
        // Replaced, and the list with it.
        put(&release.file("verifier"), b"#!/bin/sh\ntouch ../ran\nexit 0\n", 0o755).unwrap();
        let list = release.list();
        let why = release.refused();
        assert!(why.contains("SHA256SUMS.sig") && why.contains("altered"), "{why}");
        // And the signature with the list.
        release.sign(&list, &key(2));
        let why = release.refused();
        assert!(why.contains("by the key"), "{why}");
    }
}
