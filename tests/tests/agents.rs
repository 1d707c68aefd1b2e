//! Keys in an ssh-agent: the real `ssh-agent` and `ssh-add`, and what goes wrong with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![cfg_attr(not(have_ssh_agent), allow(dead_code, unused_imports))]

use coldlog_tests::story::{Held, Story};
use coldlog_tests::{Ran, programs, ran, run_with, write_private};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An agent of a test's own, ended with it.
struct Agent {
    child: Child,
    folder: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    fn new(stage: &Path) -> Agent {
        let folder = stage.join("agent");
        std::fs::create_dir(&folder).unwrap();
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(folder.join("socket"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Agent { child, folder };
        let end = Instant::now() + Duration::from_secs(20);
        while !agent.folder.join("socket").exists() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        agent
    }

    fn env(&self) -> Vec<(String, String)> {
        vec![("SSH_AUTH_SOCK".into(), self.folder.join("socket").display().to_string())]
    }

    /// Makes a key and adds it; returns the path of its public half.
    fn key(&self, name: &str, kind: &str) -> PathBuf {
        let file = self.folder.join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-C", name, "-t", kind, "-f"]).arg(&file);
        assert!(keygen.status().unwrap().success());
        self.add(&["-q", &file.display().to_string()]);
        file.with_extension("pub")
    }

    fn add(&self, arguments: &[&str]) {
        let mut add = Command::new("ssh-add");
        let output = add.args(arguments).envs(self.env()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "ssh-add {arguments:?}: {output:?}");
    }
}

fn init(public: &Path) -> String {
    format!(
        "signer init --name s.example --operator Ada --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --ssh-agent {}",
        public.display()
    )
}

/// A signer whose key is in an agent.
fn signer(stage: &Path, documents: usize) -> (Agent, PathBuf, PathBuf) {
    let agent = Agent::new(stage);
    let public = agent.key("ada", "ed25519");
    agent.key("other", "ed25519");
    let folder = stage.join("signer");
    std::fs::create_dir(&folder).unwrap();
    for name in Story::names(0..documents) {
        std::fs::write(folder.join(&name), name.display().to_string()).unwrap();
    }
    let made = run_with(&folder, &init(&public), &agent.env()).unwrap();
    assert_eq!(made.code, 0, "{}", made.err);
    (agent, public, folder)
}

fn sign(agent: &Agent, folder: &Path) -> Ran {
    run_with(folder, "signer sign d0.txt --force --operator Ada", &agent.env()).unwrap()
}

#[test]
#[cfg_attr(not(have_ssh_agent), ignore = "ssh-agent is not installed")]
fn what_keys_in_an_agent_sign_log_and_witness_is_proven() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    let agent = Agent::new(stage.path());
    story.env = agent.env();
    for role in ["signer", "log", "w1", "w2"] {
        let public = agent.key(role, "ed25519");
        let init = format!("--ssh-agent {}", public.display());
        story.held.insert(role, Held { init, open: String::new() });
    }
    for name in Story::names(0..2) {
        std::fs::write(story.at("signer").join(&name), name.display().to_string()).unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    story.run("signer", "verifier check d0.txt --policy policy").unwrap();
    story.run("signer", "verifier check d1.txt --policy policy").unwrap();
    let status = story.run("signer", "signer status").unwrap().out;
    assert!(status.contains("encrypted with a passphrase"), "{status}");
}

#[test]
#[cfg_attr(not(have_ssh_agent), ignore = "ssh-agent is not installed")]
fn a_locked_agent_a_gone_agent_and_a_removed_key_are_told_apart() {
    let stage = tempfile::tempdir().unwrap();
    let (mut agent, public, folder) = signer(stage.path(), 1);
    let status = run_with(&folder, "signer status", &[]).unwrap().out;
    assert!(status.contains("the key is in the ssh-agent, as \"ada\""), "{status}");
    assert_eq!(sign(&agent, &folder).code, 0);

    let askpass = stage.path().join("askpass");
    std::fs::write(&askpass, "#!/bin/sh\necho lock\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700)).unwrap();
    let lock = |flag: &str| {
        let mut command = Command::new("ssh-add");
        command
            .arg(flag)
            .envs(agent.env())
            .env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force");
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    };
    lock("-x");
    let locked = sign(&agent, &folder);
    assert_eq!(locked.code, 2);
    assert!(locked.err.contains("it is locked (unlock it with `ssh-add -X`)"), "{}", locked.err);
    lock("-X");

    agent.add(&["-q", "-d", &public.display().to_string()]);
    let removed = sign(&agent, &folder);
    assert_eq!(removed.code, 2);
    assert!(removed.err.contains("has 1 keys, but not \"ada\""), "{}", removed.err);
    assert!(removed.err.contains("no other key is taken"), "{}", removed.err);

    let nowhere = run_with(
        &folder,
        "signer sign d0.txt --force --operator Ada",
        &[("SSH_AUTH_SOCK".into(), String::new())],
    )
    .unwrap();
    assert!(nowhere.err.contains("SSH_AUTH_SOCK names none"), "{}", nowhere.err);
    agent.child.kill().unwrap();
    agent.child.wait().unwrap();
    let gone = sign(&agent, &folder);
    assert_eq!(gone.code, 2);
    assert!(gone.err.contains("does not answer"), "{}", gone.err);
}

/// Lets something happen to the agent once the first signatures of a long run are out; says how it ended.
fn in_mid_run(happens: impl FnOnce(&mut Agent, &Path)) -> (Ran, PathBuf, tempfile::TempDir) {
    let stage = tempfile::tempdir().unwrap();
    let (mut agent, public, folder) = signer(stage.path(), 3000);
    let mut command = Command::new(programs().unwrap().join("signer"));
    command.current_dir(&folder).args(["sign", "--operator", "Ada", "--output-dir", "out"]);
    command.args(Story::names(0..3000)).envs(agent.env());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    while !folder.join("out/d0.txt.sig").exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    happens(&mut agent, &public);
    let ended = ran(&child.wait_with_output().unwrap());
    (ended, folder, stage)
}

// As many records, beside the genesis, as signatures are out.
fn must_match(folder: &Path) {
    let out = std::fs::read_dir(folder.join("out")).unwrap().count();
    let status = run_with(folder, "signer status --json", &[]).unwrap().out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["records"], out + 1);
    assert!(out < 3000);
    assert_eq!(run_with(folder, "signer verify-journal", &[]).unwrap().code, 0);
}

#[test]
#[cfg_attr(not(have_ssh_agent), ignore = "ssh-agent is not installed")]
fn a_key_that_is_removed_in_mid_run_ends_it_and_no_signature_lacks_its_record() {
    let (ended, folder, _stage) = in_mid_run(|agent, public| {
        agent.add(&["-q", "-d", &public.display().to_string()]);
    });
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("has 1 keys, but not \"ada\""), "{}", ended.err);
    must_match(&folder);
}

#[test]
#[cfg_attr(not(have_ssh_agent), ignore = "ssh-agent is not installed")]
fn an_agent_that_ends_in_mid_run_ends_it_and_no_signature_lacks_its_record() {
    let (ended, folder, _stage) = in_mid_run(|agent, _| agent.child.kill().unwrap());
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("is gone, with \"ada\""), "{}", ended.err);
    must_match(&folder);
}

#[test]
#[cfg_attr(not(have_ssh_agent), ignore = "ssh-agent is not installed")]
fn keys_of_other_types_are_refused_with_the_reason() {
    let stage = tempfile::tempdir().unwrap();
    let agent = Agent::new(stage.path());
    let fido = stage.path().join("fido.pub");
    let blob = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";
    std::fs::write(&fido, format!("sk-ssh-ed25519@openssh.com {blob} ada@token\n")).unwrap();
    for (public, said) in [
        (agent.key("rsa", "rsa"), "ssh-rsa: statements are signed with Ed25519 and nothing else"),
        (agent.key("ecdsa", "ecdsa"), "ecdsa-sha2-nistp256: statements are signed with Ed25519"),
        (fido, "signs its application, flags and a counter around a hash, never our bytes alone"),
    ] {
        let refused = run_with(stage.path(), &init(&public), &agent.env()).unwrap();
        assert_eq!(refused.code, 2, "{}", refused.out);
        assert!(refused.err.contains(said), "{}", refused.err);
        assert!(!stage.path().join("coldlog-signer/key.age").exists());
    }
    // What is no key at all.
    write_private(&stage.path().join("odd.pub"), "ssh-ed25519 AAAA odd\n").unwrap();
    let refused = run_with(stage.path(), &init(Path::new("odd.pub")), &agent.env()).unwrap();
    assert!(refused.err.contains("is no OpenSSH public key, or damaged"), "{}", refused.err);
}
