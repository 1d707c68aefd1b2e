//! Key files with several recipients, keys behind age plugins, and programs that ask for a passphrase.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::{Held, Story};
use coldlog_tests::{run, run_with, write_private};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const AUDITOR: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
/// The test plugin's only key.
const RECIPIENT: &str = "age1coldlogtest1dpshyerhv9ex26jsfd5";
const IDENTITY: &str = "AGE-PLUGIN-COLDLOGTEST-1DPSHYERHV9EX27586KR";

/// A PATH with the test plugin on it, and where it counts.
fn with_plugin(stage: &Path) -> Vec<(String, String)> {
    let plugin = Path::new(env!("CARGO_BIN_EXE_age-plugin-coldlogtest"));
    let path = format!("{}:{}", plugin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let touches = stage.join("touches").display().to_string();
    vec![("PATH".into(), path), ("COLDLOGTEST_TOUCHES".into(), touches)]
}

fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn each_of_several_recipients_opens_the_key_file_and_nobody_else() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let mut recipients = Vec::new();
    for name in ["ada", "grace", "mallory"] {
        let made = run(folder, &format!("verifier identity -o {name}")).unwrap();
        recipients.push(made.out.trim().to_owned());
    }
    std::fs::write(folder.join("d0.txt"), "a document").unwrap();
    let line = format!(
        "signer init --name s.example --operator Ada --auditor {AUDITOR} --key-recipient {} --key-recipient {}",
        recipients[0], recipients[1]
    );
    let made = run(folder, &line).unwrap();
    assert_eq!(made.code, 0, "{}", made.err);
    let status = run(folder, "signer status").unwrap().out;
    assert!(status.contains("encrypted to age recipients"), "{status}");
    for name in ["ada", "grace"] {
        let line = format!("signer sign d0.txt --force --operator Ada --key-identity {name}");
        let signed = run(folder, &line).unwrap();
        assert_eq!(signed.code, 0, "{}", signed.err);
    }
    let refused =
        run(folder, "signer sign d0.txt --force --operator Ada --key-identity mallory").unwrap();
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("key.age does not open with mallory"), "{}", refused.err);
    let refused = run(folder, "signer sign d0.txt --force --operator Ada").unwrap();
    assert!(
        refused.err.contains("name the file of an identity that opens it with --key-identity"),
        "{}",
        refused.err
    );
    // age has no passphrase beside recipients.
    let line = format!("{line} --passphrase-file ada");
    let refused = run(folder, &line).unwrap();
    assert!(refused.err.contains("cannot be used with"), "{}", refused.err);
    // The same for a log and a witness.
    for line in ["log init --origin l.example", "witness init --name w.example"] {
        let made = run(folder, &format!("{line} --key-recipient {}", recipients[0])).unwrap();
        assert_eq!(made.code, 0, "{}", made.err);
    }
}

#[test]
fn an_auditors_key_behind_a_plugin_opens_the_records() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.env = with_plugin(stage.path());
    story
        .held
        .insert("signer", Held { init: format!("--auditor {RECIPIENT}"), open: String::new() });
    for name in Story::names(0..2) {
        std::fs::write(story.at("signer").join(&name), name.display().to_string()).unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &Story::names(0..2), "1").unwrap();
    let folder = story.at("auditor");
    write_private(&folder.join("hardware.key"), &format!("# a key in hardware\n{IDENTITY}\n"))
        .unwrap();
    let line =
        "verifier open --log ../log/coldlog-log/public --identity hardware.key --policy policy";
    let opened = story.run("auditor", line).unwrap().out;
    assert!(opened.contains("d0.txt") && opened.contains("d1.txt"), "{opened}");
    let touches = std::fs::read_to_string(stage.path().join("touches")).unwrap();
    assert!(touches.lines().count() >= 2, "{touches}");
    // Without the plugin, it is named.
    let path = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let refused = run_with(&folder, line, &path).unwrap();
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("there is no age-plugin-coldlogtest on the PATH"), "{said}");
}

#[test]
fn a_key_file_opens_by_a_key_behind_a_plugin() {
    let stage = tempfile::tempdir().unwrap();
    let env = with_plugin(stage.path());
    std::fs::write(stage.path().join("d0.txt"), "a document").unwrap();
    write_private(&stage.path().join("hardware.key"), IDENTITY).unwrap();
    let line = format!(
        "signer init --name s.example --operator Ada --auditor {AUDITOR} --key-recipient {RECIPIENT}"
    );
    let made = run_with(stage.path(), &line, &env).unwrap();
    assert_eq!(made.code, 0, "{}", made.err);
    let line = "signer sign d0.txt --operator Ada --key-identity hardware.key";
    let signed = run_with(stage.path(), line, &env).unwrap();
    assert_eq!(signed.code, 0, "{}", signed.err);
}

#[test]
fn a_program_asks_for_the_passphrase_as_ssh_has_it() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    std::fs::write(folder.join("d0.txt"), "a document").unwrap();
    let asked = folder.join("asked").display().to_string();
    program(
        &folder.join("ask"),
        &format!("#!/bin/sh\necho \"$1\" >> '{asked}'\necho four words of sense\n"),
    );
    program(&folder.join("cancel"), "#!/bin/sh\nexit 1\n");
    let line = format!(
        "signer init --name s.example --operator Ada --auditor {AUDITOR} --scrypt-log-n 10 --askpass ./ask"
    );
    let made = run(folder, &line).unwrap();
    assert_eq!(made.code, 0, "{}", made.err);
    let questions = std::fs::read_to_string(folder.join("asked")).unwrap();
    assert_eq!(questions, "Passphrase for the new signing key: \nThe same once more: \n");
    let sign = "signer sign d0.txt --force --operator Ada";
    let env = |require: &str| {
        let program = folder.join("ask").display().to_string();
        vec![
            ("SSH_ASKPASS".to_owned(), program),
            ("SSH_ASKPASS_REQUIRE".to_owned(), require.to_owned()),
        ]
    };
    for require in ["force", "prefer"] {
        let signed = run_with(folder, sign, &env(require)).unwrap();
        assert_eq!(signed.code, 0, "{}", signed.err);
    }
    let refused = run(folder, &format!("{sign} --askpass ./cancel")).unwrap();
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("./cancel gave no answer"), "{}", refused.err);
    let before = std::fs::read_to_string(folder.join("asked")).unwrap();
    // setsid leaves no terminal, whoever runs the tests.
    let never = run_without_terminal(folder, sign, &env("never"));
    assert!(never.contains("no terminal to ask for the passphrase"), "{never}");
    assert_eq!(std::fs::read_to_string(folder.join("asked")).unwrap(), before);
    // Without a terminal the program is asked.
    let signed = run_without_terminal(folder, sign, &env(""));
    assert!(!signed.contains("signer:"), "{signed}");
}

fn run_without_terminal(folder: &Path, line: &str, env: &[(String, String)]) -> String {
    let mut words = line.split(' ');
    let signer = coldlog_tests::programs().unwrap().join(words.next().unwrap());
    let mut command = std::process::Command::new("setsid");
    command.arg("--wait").arg(signer).args(words).current_dir(folder);
    command.envs(env.iter().map(|(name, value)| (name, value))).stdin(std::process::Stdio::null());
    String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
}
