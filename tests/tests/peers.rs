//! Other people's tools read what ours write, and ours what theirs write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::cbor::KeyOrder;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::{Hash, from_hex, to_hex};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::proof::{Proof, transparent};
use coldlog_spec::statement::SignedStatement;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, ran, run};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn tool(folder: &Path, program: &str, arguments: &[&str], stdin: Option<&Path>) -> Ran {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    match stdin {
        Some(path) => command.stdin(File::open(path).unwrap()),
        None => command.stdin(Stdio::null()),
    };
    ran(&command.output().unwrap_or_else(|e| panic!("{program} is needed for this test: {e}")))
}

fn told(stage: &Path) -> Story {
    let mut story = Story::new(stage, false, 10).unwrap();
    let files: Vec<PathBuf> = (0..4).map(|n| format!("document-{n}.txt").into()).collect();
    for file in &files {
        std::fs::write(story.at("signer").join(file), format!("contents of {}", file.display()))
            .unwrap();
    }
    story.set_up().unwrap();
    story.round("monday", &files[..2], "1").unwrap();
    story.round("tuesday", &files[2..], "2").unwrap();
    story
}

#[test]
#[cfg_attr(not(have_ssh_keygen), ignore = "ssh-keygen is not installed")]
fn ssh_keygen_accepts_our_signatures_and_refuses_a_changed_document() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let folder = story.at("signer");
    let verify = |document: &str, signature: &str| {
        let signature = &format!("{signature}.sig");
        let arguments = [
            "-Y",
            "verify",
            "-f",
            "coldlog-signer/allowed_signers",
            "-I",
            "signer.example/releases",
            "-n",
            "file",
            "-s",
            signature,
        ];
        tool(&folder, "ssh-keygen", &arguments, Some(&folder.join(document)))
    };
    for n in 0..4 {
        let document = format!("document-{n}.txt");
        let good = verify(&document, &document);
        assert_eq!(good.code, 0, "{}{}", good.out, good.err);
        let mut changed = std::fs::read(folder.join(&document)).unwrap();
        changed[n] ^= 1;
        std::fs::write(folder.join("changed"), changed).unwrap();
        assert_ne!(verify("changed", &document).code, 0);
    }
}

#[test]
#[cfg_attr(not(have_minisign), ignore = "minisign is not installed")]
fn minisign_accepts_our_signatures_and_refuses_a_changed_document() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let folder = story.at("signer");
    std::fs::write(folder.join("mini.txt"), "for minisign").unwrap();
    story
        .run(
            "signer",
            "signer sign mini.txt --format minisign --operator Ada --passphrase-file passphrase",
        )
        .unwrap();
    let arguments = ["-V", "-p", "coldlog-signer/minisign.pub", "-m", "mini.txt"];
    let good = tool(&folder, "minisign", &arguments, None);
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    std::fs::write(folder.join("mini.txt"), "for minisigN").unwrap();
    assert_ne!(tool(&folder, "minisign", &arguments, None).code, 0);
}

#[test]
#[cfg_attr(not(have_ssh_keygen), ignore = "ssh-keygen is not installed")]
fn a_key_and_a_signature_of_ssh_keygen_are_taken() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    let folder = story.at("signer");
    let made = tool(&folder, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "old"], None);
    assert_eq!(made.code, 0, "{}", made.err);
    let recipient = story.run("auditor", "verifier identity -o second.key").unwrap().out;
    story.run("signer", &format!("signer --home imported init --name old.example --operator Ada --auditor {} --import-ssh-key old --scrypt-log-n 10 --passphrase-file passphrase", recipient.trim())).unwrap();
    let line = std::fs::read_to_string(folder.join("imported/signer.pub")).unwrap();
    let theirs = std::fs::read_to_string(folder.join("old.pub")).unwrap();
    assert_eq!(line.split(' ').nth(1), theirs.split(' ').nth(1));
    // Ed25519 and SSHSIG are deterministic: both tools write the same file, to the byte.
    std::fs::write(folder.join("own.txt"), "signed by both").unwrap();
    story
        .run("signer", "signer --home imported sign own.txt --operator Ada --output-dir ours --passphrase-file passphrase")
        .unwrap();
    let arguments = ["-q", "-Y", "sign", "-f", "old", "-n", "file", "own.txt"];
    let signed = tool(&folder, "ssh-keygen", &arguments, None);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let ours = std::fs::read_to_string(folder.join("ours/own.txt.sig")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("own.txt.sig")).unwrap(), ours);
}

#[test]
#[cfg_attr(not(all(have_minisign, have_ssh_keygen)), ignore = "minisign is not installed")]
fn a_signature_of_minisign_is_taken() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    // One Ed25519 key in the hands of both: ours gets it from ssh-keygen, minisign as its own file.
    let folder = story.at("signer");
    let made = tool(&folder, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "old"], None);
    assert_eq!(made.code, 0, "{}", made.err);
    story.import_key = Some("old".into());
    std::fs::write(folder.join("mini.txt"), "signed by minisign").unwrap();
    story.set_up().unwrap();
    let public = std::fs::read_to_string(folder.join("old.pub")).unwrap();
    let public = coldlog_spec::document::parse_public_key(&public).unwrap();
    let secret = ssh_seed(&std::fs::read_to_string(folder.join("old")).unwrap());
    std::fs::write(folder.join("mini.key"), minisign_key(&secret, &public)).unwrap();
    let sign = ["-S", "-s", "mini.key", "-m", "mini.txt", "-x", "theirs.minisig"];
    let signed = tool(&folder, "minisign", &sign, None);
    assert_eq!(signed.code, 0, "{}{}", signed.out, signed.err);

    story.format = "minisign";
    story.round("mini", &["mini.txt".into()], "1").unwrap();
    let line = "verifier check mini.txt --signature theirs.minisig --policy policy";
    story.run("signer", line).unwrap();
    std::fs::write(folder.join("other.txt"), "signed by miniSign").unwrap();
    let sign = ["-S", "-s", "mini.key", "-m", "other.txt", "-x", "other.minisig"];
    assert_eq!(tool(&folder, "minisign", &sign, None).code, 0);
    let line = "verifier check mini.txt --signature other.minisig --policy policy";
    story.expect("signer", line, 1).unwrap();
}

// The 32-byte seed in an unencrypted OpenSSH key: it stands before the public key's second copy.
fn ssh_seed(pem: &str) -> [u8; 32] {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    // string "ssh-ed25519", string public, string (seed || public)
    let at = bytes.windows(4).rposition(|window| window == [0, 0, 0, 64]).unwrap() + 4;
    bytes[at..at + 32].try_into().unwrap()
}

// minisign's unencrypted secret key file: algorithm "Ed", no key derivation, checksum "B2" (not
// looked at without encryption), 48 bytes of derivation parameters, key id, seed, public key, checksum.
fn minisign_key(seed: &[u8; 32], public: &PublicKey) -> String {
    use base64::Engine;
    use blake2::Digest;
    let id = coldlog_spec::document::minisign_key_id(public);
    let pair = [&seed[..], public.as_bytes()].concat();
    let checksum = blake2::Blake2b::<blake2::digest::consts::U32>::new()
        .chain_update(b"Ed")
        .chain_update(id)
        .chain_update(&pair)
        .finalize();
    let blob = [&b"Ed\0\0B2"[..], &[0; 48], &id, &pair, &checksum].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(blob);
    format!("untrusted comment: a test's secret key\n{text}\n")
}

#[test]
#[cfg_attr(not(have_age), ignore = "age is not installed")]
fn age_opens_a_sealed_record_and_its_digest_is_the_commitment() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let public = story.at("log").join("coldlog-log/public");
    let sealed = std::fs::read(public.join("sealed/000.p/6")).unwrap();
    let entries = std::fs::read(public.join("tile/entries/000.p/6")).unwrap();
    let sealed = coldlog_spec::tile::decode_bundle(&sealed, 6).unwrap();
    let entries = coldlog_spec::tile::decode_bundle(&entries, 6).unwrap();
    // The first is the log's own, in the clear.
    assert!(sealed[0].is_empty());
    for (sealed, entry) in sealed.iter().zip(entries).skip(1) {
        let folder = story.at("auditor");
        std::fs::write(folder.join("one.age"), sealed).unwrap();
        let opened =
            tool(&folder, "age", &["-d", "-i", "auditor.key", "-o", "one", "one.age"], None);
        assert_eq!(opened.code, 0, "{}", opened.err);
        let statement = coldlog_spec::statement::Statement::decode(entry).unwrap();
        let opened = Hash::of(&std::fs::read(folder.join("one")).unwrap());
        assert_eq!(Some(opened), statement.commitment());
    }
}

fn python(folder: &Path, script: &str, arguments: &[&str]) -> Ran {
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let mut all = vec![script.to_str().unwrap()];
    all.extend(arguments);
    tool(folder, &python, &all, None)
}

#[test]
#[cfg_attr(not(have_scitt_cose), ignore = "scitt-cose and cbor2 are not installed")]
fn scitt_cose_verifies_our_statement_receipt_and_transparent_statement() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    for part in ["statement", "receipt"] {
        story
            .run(
                "signer",
                &format!("verifier export document-3.txt.proof --{part} -o three.{part}"),
            )
            .unwrap();
    }
    let folder = story.at("signer");
    let proof =
        Proof::decode(&std::fs::read(folder.join("document-3.txt.proof")).unwrap()).unwrap();
    let policy = std::fs::read(folder.join("policy")).unwrap();
    let policy = coldlog_spec::policy::Policy::parse(&policy).unwrap();
    let log = to_hex(policy.receipt_keys("log.example/releases").next().unwrap().as_bytes());
    let signer = std::fs::read_to_string(folder.join("coldlog-signer/signer.pub")).unwrap();
    let signer = coldlog_spec::document::parse_public_key(&signer).unwrap();
    let key = to_hex(signer.as_bytes());
    std::fs::write(folder.join("three.disclosure"), &proof.disclosure).unwrap();
    let script = "scitt_verify.py";
    let good: [&[&str]; 3] = [
        &["statement", "three.statement", "--key", &key, "--preimage", "three.disclosure"],
        &["receipt", "three.receipt", "--statement", "three.statement", "--log-key", &log],
        &["transparent", "document-3.txt.proof", "--key", &key, "--log-key", &log],
    ];
    for arguments in good {
        let ran = python(&folder, script, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    }
    // The keys swapped: every one is refused.
    let bad: [&[&str]; 3] = [
        &["statement", "three.statement", "--key", &log],
        &["receipt", "three.receipt", "--statement", "three.statement", "--log-key", &key],
        &["transparent", "document-3.txt.proof", "--key", &key, "--log-key", &key],
    ];
    for arguments in bad {
        assert_eq!(python(&folder, script, arguments).code, 1, "{arguments:?}");
    }
}

#[test]
#[cfg_attr(not(have_scitt_cose), ignore = "scitt-cose and cbor2 are not installed")]
fn ours_verifies_what_scitt_cose_makes() {
    let folder = tempfile::tempdir().unwrap();
    let made = python(folder.path(), "scitt_make.py", &["."]);
    assert_eq!(made.code, 0, "{}", made.err);
    let read = |name: String| std::fs::read(folder.path().join(name)).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&read("index.json".into())).unwrap();
    let key = |name: &str| {
        PublicKey::from_bytes(&from_hex(index[name].as_str().unwrap()).unwrap()).unwrap()
    };
    let (issuer, log) = (key("issuer_public_key"), key("log_public_key"));
    for n in 0..5 {
        let statement = read(format!("statement-{n}.cbor"));
        assert!(SignedStatement::decode(&statement, KeyOrder::Any).unwrap().verify(&issuer));
        let (sign1, receipts) = transparent(&read(format!("transparent-{n}.cbor"))).unwrap();
        assert_eq!(sign1.encode(), statement);
        assert_eq!(receipts.len(), 1);
        receipts[0].verify_inclusion(&log, leaf_hash(&statement)).unwrap();
        assert!(receipts[0].verify_inclusion(&issuer, leaf_hash(&statement)).is_err());
    }
}

#[test]
#[cfg_attr(not(have_scitt_cose), ignore = "scitt-cose and cbor2 are not installed")]
fn cbor2_reads_every_cbor_file_and_writes_the_same_bytes() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    story
        .run("signer", "verifier export document-3.txt.proof --statement -o three.statement")
        .unwrap();
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(stage.path()) {
        let path = entry.unwrap().into_path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let cbor = [".cbor", ".proof", ".statement"].iter().any(|end| name.ends_with(end));
        if cbor && path.is_file() {
            files.push(path.to_str().unwrap().to_owned());
        }
    }
    assert!(files.len() > 20, "{files:?}");
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let ran = python(stage.path(), "cbor_roundtrip.py", &arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().count(), files.len());
}

#[test]
#[cfg_attr(not(have_unshare), ignore = "unshare -rn does not work here")]
fn every_file_command_works_without_any_network() {
    // The story's own programs run inside a network namespace without interfaces.
    let ran = Command::new("unshare")
        .args(["-rn"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_story_in_short", "--include-ignored", "--nocapture"])
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && out.contains("1 passed"),
        "{out}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn the_story_in_short() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = told(stage.path());
    for line in ALSO_OFFLINE {
        let (role, line) = line.split_once("$ ").unwrap();
        story.run(role, line).unwrap();
    }
}

// What the story itself does not run, so that every command of the signer and every file command of
// the others is run without a network, and under strace.
const ALSO_OFFLINE: [&str; 19] = [
    "signer$ signer list",
    "signer$ signer show 1",
    "signer$ signer status",
    "signer$ signer public-key",
    "signer$ signer verify-journal",
    "signer$ signer export --from 0 -o all.batch.cbor",
    "signer$ verifier check document-3.txt --policy policy",
    "signer$ verifier export document-3.txt.proof --statement -o three.statement",
    "signer$ verifier inspect document-3.txt.proof",
    "signer$ verifier cross-check document-0.txt.proof document-1.txt.proof --policy policy",
    "log$ log fsck",
    "log$ log head",
    "log$ log signers",
    "log$ log prove --index 1 -o one.receipt.cbor",
    "log$ log append monday.batch.cbor",
    "log$ log receipts tuesday.batch.cbor -o again.receipts.cbor --policy policy",
    "log$ log witness-request -o again.witness-request.cbor",
    "log$ log add-cosignatures tuesday-w1.witness-response.cbor --policy policy",
    "w1$ witness heads",
];

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn no_command_asks_for_a_socket() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    // Every program and every command once: the ones that make keys in folders of their own.
    let mut lines: Vec<(&str, String)> = ALSO_OFFLINE
        .iter()
        .map(|line| line.split_once("$ ").unwrap())
        .map(|(role, line)| (role, line.to_owned()))
        .collect();
    let recipient = std::fs::read_to_string(story.at("auditor").join("auditor.key")).unwrap();
    let recipient = recipient.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap();
    let status = run(&story.at("signer"), "signer status").unwrap().out;
    let tail = status.split("tail ").nth(1).unwrap().lines().next().unwrap();
    let own = [
        ("auditor", "verifier identity -o new.key".into()),
        (
            "signer",
            format!(
                "signer --home new init --name n.example --operator Ada --auditor {recipient} --scrypt-log-n 10 --passphrase-file passphrase"
            ),
        ),
        ("signer", format!("signer reopen --tail {tail}")),
        ("signer", "signer sign policy --operator Ada --passphrase-file passphrase".into()),
        ("signer", "signer import tuesday.receipts.cbor --policy policy".into()),
        ("log", "log --home new init --origin new.example --unencrypted".into()),
        ("log", "log allow genesis.cbor --fingerprint 00".into()),
        ("w1", "witness --home new init --name new.example --unencrypted".into()),
        ("w1", "witness add-log policy".into()),
        (
            "w1",
            "witness cosign tuesday.witness-request.cbor -o traced.witness-response.cbor".into(),
        ),
    ];
    lines.extend(own);
    for (role, line) in &lines {
        let mut words = line.split(' ');
        let program = coldlog_tests::programs().unwrap().join(words.next().unwrap());
        let trace = stage.path().join("trace");
        let ran = Command::new("strace")
            .current_dir(story.at(role))
            .args(["-f", "-e", "trace=network", "-o"])
            .arg(&trace)
            .arg(program)
            .args(words)
            .output()
            .unwrap();
        // A witness asked again from an older size says no, and so does a wrong fingerprint's log;
        // that is an answer too.
        assert!(
            ran.status.code().is_some_and(|code| code < 2),
            "{line}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let trace = std::fs::read_to_string(&trace).unwrap();
        let asked: Vec<&str> =
            trace.lines().filter(|l| l.contains("socket(") || l.contains("connect(")).collect();
        assert!(asked.is_empty(), "{line}: {asked:?}");
    }
}

// The names of the crates that a package is built with.
fn crates_of(package: &[&str]) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--package"])
        .args(package)
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    tree.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
}

#[test]
fn the_signer_links_no_network_crate() {
    let network =
        ["tokio", "hyper", "reqwest", "ureq", "axum", "mio", "socket2", "rustls", "openssl"];
    // With all features: whatever is built together with the signer may switch them on.
    for package in [["coldlog-signer", "--all-features"], ["coldlog-kit", "--all-features"]] {
        let crates = crates_of(&package);
        assert!(crates.iter().any(|name| name == "coldlog-spec"), "{crates:?}");
        for name in &crates {
            assert!(!network.contains(&name.as_str()), "{} links {name}", package[0]);
        }
    }
    // The check can fail: where there is one, it is seen.
    assert!(crates_of(&["coldlog-log"]).iter().any(|name| network.contains(&name.as_str())));
}
