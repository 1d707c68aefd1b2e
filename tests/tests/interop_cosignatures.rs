//! Cosignatures by our witness under the eyes of others, and theirs under ours (C2SP tlog-cosignature,
//! Ed25519 and ML-DSA-44): crate metamorphic-log and a script over PyPI's cryptography for both kinds
//! (`tests/peers/`), Sigsum's verifier for Ed25519, and Cloudflare's signed notes for what carries them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::ed25519;
use coldlog_spec::hash::{Hash, to_hex};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::mldsa;
use coldlog_spec::note::{Note, SignatureLine, VerifierKey};
use coldlog_spec::witnessing::{Request, Response};
use coldlog_tests::conformance::keys::{Kind, Signer};
use coldlog_tests::conformance::logs::{now, subject};
use coldlog_tests::conformance::tree::Tree;
use coldlog_tests::server::serve_program;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, ran, run};
use ed25519_dalek::Signer as _;
use signed_note::Signer as _;
use sigsum::SigsumSignature;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ORIGIN: &str = "log.example/interop";
const WITNESS: &str = "w.example/witness";
const OTHER: &str = "other.example/witness";
const THIRD: &str = "third.example/witness";
const SERVE: &str =
    "witness serve --listen 127.0.0.1:0 --stop-after 120 --rate 100000 --heartbeat 0";

// --- Ours -----------------------------------------------------------------------------------------

struct Witness {
    stage: tempfile::TempDir,
    keys: Vec<VerifierKey>,
}

impl Witness {
    // Watches logs by these keys.
    fn of(logs: &[VerifierKey]) -> Witness {
        let stage = tempfile::tempdir().unwrap();
        let witness = |line: &str| {
            let ran = run(stage.path(), line).unwrap();
            assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        };
        witness(&format!("witness init --name {WITNESS} --unencrypted"));
        let lines: String = logs.iter().map(|key| format!("log {}\n", key.encode())).collect();
        std::fs::write(stage.path().join("logs"), lines).unwrap();
        witness("witness add-log logs");
        let policy = stage.path().join("coldlog-witness/witness.policy");
        let policy = std::fs::read_to_string(policy).unwrap();
        let keys = policy.lines().filter(|line| line.starts_with("witness "));
        let keys = keys.map(|line| VerifierKey::decode(line.split(' ').nth(2).unwrap()).unwrap());
        Witness { keys: keys.collect(), stage }
    }

    // The head with the witness's lines on it: asked by HTTP, or by file.
    fn cosigned(&self, request: &Request, by_http: bool) -> SignedCheckpoint {
        let folder = self.stage.path();
        let body = match by_http {
            true => {
                let server = serve_program(folder, SERVE, &[], &[]).unwrap();
                let reply = server.ask("POST", "/add-checkpoint", &[], &request.body());
                assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
                String::from_utf8(reply.body).unwrap()
            }
            false => {
                std::fs::write(folder.join("request"), request.encode()).unwrap();
                let ran = run(folder, "witness cosign request -o answer --force").unwrap();
                assert_eq!(ran.code, 0, "{}", ran.err);
                Response::decode(&std::fs::read(folder.join("answer")).unwrap()).unwrap().body
            }
        };
        let mut head = request.head.clone();
        let lines = body.lines().map(|line| SignatureLine::decode(line).unwrap());
        head.note.signatures.extend(lines);
        assert_eq!(head.note.signatures.len(), request.head.note.signatures.len() + 2);
        head
    }
}

fn tree(size: u64) -> Tree {
    Tree((0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect())
}

// A head of so many leaves, with extension lines, signed by an Ed25519 key of the log.
fn head(size: u64, extensions: &str) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: tree(size).root() };
    let text = checkpoint.text() + extensions;
    let line = log_key().sign(&subject(&checkpoint, &text), now());
    SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![line] } }
}

fn log_key() -> Signer {
    Signer::new(ORIGIN, Kind::Ed25519, &[1; 32])
}

// Three heads of one log, cosigned one after the other.
fn cosigned() -> (Witness, Vec<SignedCheckpoint>) {
    let witness = Witness::of(&[log_key().verifier]);
    let mut old = 0;
    let heads = [(1, "", false), (5, "", true), (300, "an extension\nand one more\n", true)];
    let heads = heads.map(|(size, extensions, by_http)| {
        let path = tree(size).consistency(old);
        let request = Request { old, path, head: head(size, extensions) };
        old = size;
        witness.cosigned(&request, by_http)
    });
    (witness, heads.into())
}

fn ours(note: &[u8], keys: &[VerifierKey]) -> bool {
    let keys: Vec<&VerifierKey> = keys.iter().collect();
    let head = SignedCheckpoint::decode(note);
    head.is_ok_and(|head| head.verified_by(&keys).is_ok_and(|vouched| !vouched.is_empty()))
}

// --- The peers for both kinds ---------------------------------------------------------------------

struct Peer {
    program: String,
    script: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Peer {
    fn rust() -> Peer {
        let folder = tempfile::tempdir().unwrap();
        Peer { program: "peer-cosigner".into(), script: None, folder }
    }

    fn python() -> Peer {
        let program = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/cosignature.py");
        Peer { program, script: Some(script), folder: tempfile::tempdir().unwrap() }
    }

    fn run(&self, verb: &str, note: &[u8], arguments: &[&str]) -> Ran {
        let path = self.folder.path().join("note");
        std::fs::write(&path, note).unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.script).arg(verb).arg(path).args(arguments).stdin(Stdio::null());
        let output = command.output();
        ran(&output.unwrap_or_else(|e| panic!("{} is needed for this test: {e}", self.program)))
    }

    fn verify(&self, note: &[u8], keys: &[VerifierKey]) -> Ran {
        let keys: Vec<String> = keys.iter().map(VerifierKey::encode).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let ran = self.run("verify", note, &keys);
        assert!(ran.code == 0 || ran.code == 1, "{}: {}", self.program, ran.err);
        ran
    }

    // Its verifier keys and its lines, of both kinds, from one seed.
    fn cosign(&self, note: &[u8], time: u64) -> (Vec<VerifierKey>, Vec<SignatureLine>) {
        let seed = to_hex(&SEED);
        let ran = self.run("cosign", note, &[OTHER, &time.to_string(), &seed]);
        assert_eq!(ran.code, 0, "{}: {}", self.program, ran.err);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines.len(), 4, "{}", ran.out);
        let keys = lines[..2].iter().map(|key| VerifierKey::decode(key).unwrap());
        let signed = lines[2..].iter().map(|line| SignatureLine::decode(line).unwrap());
        (keys.collect(), signed.collect())
    }
}

const SEED: [u8; 32] = [9; 32];

// The last line of a head alone, changed, over a text that may be changed too.
fn note(text: &str, line: &SignatureLine) -> Vec<u8> {
    Note { text: text.into(), signatures: vec![line.clone()] }.encode()
}

// What is done to a head and one of its cosignatures, and whether it may verify afterwards.
fn mutants(
    head: &SignedCheckpoint,
    line: &SignatureLine,
    key: &VerifierKey,
) -> Vec<(String, Vec<u8>, VerifierKey, bool)> {
    let Checkpoint { origin, size, root } = &head.checkpoint;
    let text = &head.note.text;
    let body = text.strip_prefix(&head.checkpoint.text()).unwrap();
    let mut all = Vec::new();
    let mut add = |what: &str, note: Vec<u8>, key: &VerifierKey, holds: bool| {
        all.push((format!("{what}, size {size}"), note, key.clone(), holds));
    };
    add("nothing", note(text, line), key, true);
    let changed = |checkpoint: Checkpoint| note(&(checkpoint.text() + body), line);
    let with_size = |size| Checkpoint { size, ..head.checkpoint.clone() };
    add("the size, one more", changed(with_size(size + 1)), key, false);
    add("the size, one less", changed(with_size(size - 1)), key, false);
    for bit in [0, 100, 255] {
        let mut root = *root;
        root.0[bit / 8] ^= 1 << (bit % 8);
        let head = Checkpoint { root, ..head.checkpoint.clone() };
        add("a bit of the root", changed(head), key, false);
    }
    for origin in [format!("{origin}/"), origin.replace("log", "lug"), OTHER.into()] {
        let head = Checkpoint { origin, ..head.checkpoint.clone() };
        add("the origin", changed(head), key, false);
    }
    // Bytes 0 to 7 are the time; the others are the signature.
    for at in [7, 0, 8, 9, line.signature.len() / 2, line.signature.len() - 1] {
        let mut line = line.clone();
        line.signature[at] ^= 1;
        let what = if at < 8 { "the time" } else { "the signature" };
        add(what, note(text, &line), key, false);
    }
    for length in [line.signature.len() - 1, 8, 1] {
        let mut line = line.clone();
        line.signature.truncate(length);
        add("the length", note(text, &line), key, false);
    }
    let mut longer = line.clone();
    longer.signature.push(0);
    add("the length", note(text, &longer), key, false);
    // Another key of the same name: nobody that is known, or known under an id that the line then has.
    let is_ed25519 = key.ed25519().is_some() || line.signature.len() == 72;
    let kind = if is_ed25519 { Kind::Ed25519Cosigner } else { Kind::MlDsa44 };
    let other = Signer::new(&key.name, kind, &[7; 32]).verifier;
    add("the key", note(text, line), &other, false);
    let claimed = SignatureLine { id: other.id(), ..line.clone() };
    add("the key and its id", note(text, &claimed), &other, false);
    // The same key under another name: only ML-DSA-44 signs the cosigner's name.
    let renamed = VerifierKey::new(THIRD.into(), key.material.clone());
    let claimed = SignatureLine { id: renamed.id(), name: THIRD.into(), ..line.clone() };
    add("the name", note(text, line), &renamed, false);
    add("the name and the id", note(text, &claimed), &renamed, is_ed25519);
    // Only Ed25519 signs the extension lines.
    let extended = format!("{text}one line more\n");
    add("an extension line", note(&extended, line), key, !is_ed25519);
    all
}

fn accepts_ours_and_refuses_what_was_changed(peer: &Peer) {
    let (witness, heads) = cosigned();
    let mut refused = 0;
    for head in &heads {
        let bytes = head.encode();
        let ran = peer.verify(&bytes, &witness.keys);
        assert_eq!(ran.code, 0, "{}", ran.err);
        // Both were seen, each with a time.
        assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
        for (line, key) in ran.out.lines().zip(&witness.keys) {
            let time = line.strip_prefix(&format!("{WITNESS} {:08x} ", key.id())).unwrap();
            assert!(now() - time.parse::<u64>().unwrap() < 300, "{line}");
        }
        for key in &witness.keys {
            let line = head.note.signatures.iter().find(|line| line.id == key.id()).unwrap();
            for (what, note, key, holds) in mutants(head, line, key) {
                let ran = peer.verify(&note, std::slice::from_ref(&key));
                assert_eq!(ran.code == 0, holds, "{what}: {}{}", ran.out, ran.err);
                assert_eq!(ours(&note, &[key]), holds, "ours, {what}");
                refused += usize::from(!holds);
            }
        }
        // One line that was changed spoils the whole note for whoever knows its key.
        let mut spoiled = head.clone();
        *spoiled.note.signatures.last_mut().unwrap().signature.last_mut().unwrap() ^= 1;
        assert_eq!(peer.verify(&spoiled.encode(), &witness.keys).code, 1);
    }
    println!("{} heads, {refused} changed ones refused", heads.len());
}

fn its_cosignatures_are_ours_to_verify(peer: &Peer) {
    for size in [1, 300] {
        for extensions in ["", "an extension\n"] {
            let mut head = head(size, extensions);
            let (keys, lines) = peer.cosign(&head.encode(), 1_800_000_000);
            // The same seeds are the same keys, and Ed25519 the same bytes.
            let [ed25519, mldsa] = same_keys().witness_verifiers();
            assert_eq!(keys, [ed25519, mldsa]);
            let own = same_keys().cosign(&head, 1_800_000_000).unwrap();
            assert_eq!(lines[0], own[0]);
            for (line, key) in lines.iter().zip(&keys) {
                for (what, note, key, holds) in mutants(&head, line, key) {
                    assert_eq!(ours(&note, &[key]), holds, "{what}");
                }
            }
            head.note.signatures.extend(lines);
            let vouched = head.verified_by(&[&keys[0], &keys[1]]).unwrap();
            assert!(vouched.iter().all(|vouched| vouched.time == 1_800_000_000));
            assert_eq!(vouched.len(), 2);
        }
    }
}

fn same_keys() -> HeadKeys {
    let (ed25519, mldsa) =
        (ed25519::SecretKey::from_seed(&SEED), mldsa::SecretKey::from_seed(&SEED));
    HeadKeys { name: OTHER.into(), ed25519, mldsa }
}

// A log's own program takes a foreign witness's answer, and a foreign quorum is one.
fn is_a_witness_to_our_log(peer: &Peer) {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 1).unwrap();
    let folder = story.at("log");
    let published = std::fs::read(folder.join("coldlog-log/public/checkpoint")).unwrap();
    let (keys, lines) = peer.cosign(&published, now());
    let mut policy = std::fs::read_to_string(folder.join("coldlog-log/log.policy")).unwrap();
    for (name, key) in ["classic", "lattice"].iter().zip(&keys) {
        policy.push_str(&format!("witness {name} {}\n", key.encode()));
    }
    policy.push_str("group both all classic lattice\nquorum both\n");
    std::fs::write(folder.join("foreign"), policy).unwrap();
    let answer = |lines: &[SignatureLine]| Response {
        witness: OTHER.into(),
        status: 200,
        body: lines.iter().map(SignatureLine::encode).collect(),
    };
    for kind in [0, 1] {
        let one = std::slice::from_ref(&lines[kind]);
        std::fs::write(folder.join("one"), answer(one).encode()).unwrap();
        let code = if kind == 0 { 1 } else { 0 };
        story.expect("log", "log add-cosignatures one --policy foreign", code).unwrap();
    }
    let mut changed = lines;
    changed[1].signature[100] ^= 1;
    std::fs::write(folder.join("changed"), answer(&changed).encode()).unwrap();
    story.expect("log", "log add-cosignatures changed --policy foreign", 1).unwrap();
}

#[test]
#[cfg_attr(not(have_peer_cosigner), ignore = "peer-cosigner is not installed")]
fn metamorphic_log_accepts_our_cosignatures_and_refuses_changed_ones() {
    accepts_ours_and_refuses_what_was_changed(&Peer::rust());
}

#[test]
#[cfg_attr(not(have_ml_dsa), ignore = "cryptography with ML-DSA is not installed")]
fn cryptography_accepts_our_cosignatures_and_refuses_changed_ones() {
    accepts_ours_and_refuses_what_was_changed(&Peer::python());
}

#[test]
#[cfg_attr(not(have_peer_cosigner), ignore = "peer-cosigner is not installed")]
fn ours_verifies_what_metamorphic_log_cosigns() {
    its_cosignatures_are_ours_to_verify(&Peer::rust());
    is_a_witness_to_our_log(&Peer::rust());
}

#[test]
#[cfg_attr(not(have_ml_dsa), ignore = "cryptography with ML-DSA is not installed")]
fn ours_verifies_what_cryptography_cosigns() {
    its_cosignatures_are_ours_to_verify(&Peer::python());
    is_a_witness_to_our_log(&Peer::python());
}

#[test]
fn a_time_beyond_what_the_standard_allows_is_refused_though_the_signature_holds() {
    let head = head(5, "");
    for (time, holds) in [(i64::MAX as u64, true), (1 << 63, false), (u64::MAX, false)] {
        for kind in [Kind::Ed25519Cosigner, Kind::MlDsa44] {
            let signer = Signer::new(OTHER, kind, &SEED);
            let line = signer.sign(&subject(&head.checkpoint, &head.note.text), time);
            let note = note(&head.note.text, &line);
            assert_eq!(ours(&note, &[signer.verifier]), holds, "{time}");
        }
    }
}

// --- Sigsum ---------------------------------------------------------------------------------------

// What a Sigsum client is handed (sigsum-proof, version 2).
struct Proof {
    log: ed25519::SecretKey,
    leaf: String,
    head: SignedCheckpoint,
    witness: ed25519::PublicKey,
    time: u64,
    cosignature: Vec<u8>,
    path: Vec<Hash>,
}

impl Proof {
    fn ascii(&self) -> String {
        let Checkpoint { size, root, .. } = &self.head.checkpoint;
        let signature = to_hex(&self.head.note.signatures[0].signature);
        let path: String =
            self.path.iter().map(|hash| format!("node_hash={}\n", hash.to_hex())).collect();
        format!(
            "version=2\nlog={}\nleaf={}\n\nsize={size}\nroot_hash={}\nsignature={signature}\ncosignature={} {} {}\n\nleaf_index=0\n{path}",
            Hash::of(self.log.public().as_bytes()).to_hex(),
            self.leaf,
            root.to_hex(),
            Hash::of(self.witness.as_bytes()).to_hex(),
            self.time,
            to_hex(&self.cosignature),
        )
    }

    fn verifies(&self, document: &[u8], submitter: [u8; 32], witness: [u8; 32]) -> bool {
        let mut policy = sigsum::PolicyBuilder::new();
        policy.add_log((*self.log.public().as_bytes()).into(), None).unwrap();
        policy.add_witness("ours".into(), witness.into(), None).unwrap();
        policy.set_quorum("ours".into()).unwrap();
        let proof = SigsumSignature::from_ascii(&self.ascii()).unwrap();
        let document = sigsum::Hash::new(document);
        sigsum::verify(&document, &proof, &[submitter.into()], &policy.build()).is_ok()
    }
}

#[test]
fn sigsum_accepts_our_ed25519_cosignature_and_refuses_changed_ones() {
    let log = ed25519::SecretKey::from_seed(&[3; 32]);
    let submitter = ed25519::SecretKey::from_seed(&[4; 32]);
    let signer = ed25519_dalek::SigningKey::from_bytes(&[4; 32]);
    let keyhash = |key: &ed25519::PublicKey| Hash::of(key.as_bytes());
    // A tree of five leaves, of which ours is the first.
    let document = b"a document";
    let checksum = Hash::of(&Hash::of(document).0);
    let signature =
        signer.sign(&[b"sigsum.org/v1/tree-leaf\0".as_slice(), &checksum.0].concat()).to_bytes();
    let owner = keyhash(&submitter.public());
    let entry = [checksum.0.as_slice(), &signature, &owner.0].concat();
    let mut leaves = tree(5);
    leaves.0[0] = leaf_hash(&entry);
    let path = vec![leaves.0[1], leaves.root_of(2, 4), leaves.0[4]];

    let origin = format!("sigsum.org/v1/tree/{}", keyhash(&log.public()).to_hex());
    let checkpoint = Checkpoint { origin: origin.clone(), size: 5, root: leaves.root() };
    let signer = Signer::new(&origin, Kind::Ed25519, &[3; 32]);
    let text = checkpoint.text();
    let line = signer.sign(&subject(&checkpoint, &text), now());
    let head = SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![line] } };
    let witness = Witness::of(&[signer.verifier]);
    let cosigned = witness.cosigned(&Request { old: 0, path: Vec::new(), head }, true);
    let own = witness.keys.iter().find(|key| key.public_key().len() == 32).unwrap();
    let line = cosigned.note.signatures.iter().find(|line| line.id == own.id()).unwrap();
    let (time, cosignature) = line.signature.split_first_chunk::<8>().unwrap();
    let (time, cosignature) = (u64::from_be_bytes(*time), cosignature.to_vec());
    let own: [u8; 32] = own.public_key().try_into().unwrap();
    let witness = ed25519::PublicKey::from_bytes(&own).unwrap();
    let leaf = format!("{} {}", owner.to_hex(), to_hex(&signature));
    let mut proof = Proof { log, leaf, head: cosigned, witness, time, cosignature, path };
    let submitter = *submitter.public().as_bytes();

    assert!(proof.verifies(document, submitter, own));
    assert!(!proof.verifies(b"another document", submitter, own));
    assert!(!proof.verifies(document, submitter, submitter), "another witness is no quorum");
    proof.time += 1;
    assert!(!proof.verifies(document, submitter, own), "the time");
    proof.time -= 1;
    proof.cosignature[40] ^= 1;
    assert!(!proof.verifies(document, submitter, own), "the signature");
    proof.cosignature[40] ^= 1;
    let good = proof.head.clone();
    // What the log signs anew, and the witness has not seen.
    let resign = |size, root| {
        let checkpoint = Checkpoint { origin: good.checkpoint.origin.clone(), size, root };
        let text = checkpoint.text();
        let line = signer_of(&good.checkpoint.origin).sign(&subject(&checkpoint, &text), now());
        SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![line] } }
    };
    proof.head = resign(5, good.checkpoint.root);
    assert!(proof.verifies(document, submitter, own), "the log's line is made here as above");
    proof.head = resign(6, good.checkpoint.root);
    assert!(!proof.verifies(document, submitter, own), "the size");
    proof.head = resign(5, Hash([5; 32]));
    assert!(!proof.verifies(document, submitter, own), "the root");
}

fn signer_of(origin: &str) -> Signer {
    Signer::new(origin, Kind::Ed25519, &[3; 32])
}

// --- Cloudflare's signed notes --------------------------------------------------------------------

#[test]
fn signed_note_reads_what_we_cosign_and_our_witness_cosigns_what_it_signs() {
    // A head that is signed there.
    let key = log_key().verifier;
    let blob = STANDARD.encode([[1].as_slice(), &[1; 32]].concat());
    let skey = format!("PRIVATE+KEY+{ORIGIN}+{:08x}+{blob}", key.id());
    let signer = signed_note::StandardSigner::new(&skey).unwrap();
    assert_eq!(signer.key_id(), key.id());
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 5, root: tree(5).root() };
    let mut theirs = signed_note::Note::new(checkpoint.text().as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let head = SignedCheckpoint::decode(&theirs.to_bytes()).unwrap();
    head.must_be_by(std::slice::from_ref(&key)).unwrap();

    let witness = Witness::of(&[key]);
    let cosigned = witness.cosigned(&Request { old: 0, path: Vec::new(), head }, true);
    let bytes = cosigned.encode();
    let read = signed_note::Note::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    let known = || {
        let vkey = log_key().verifier.encode();
        let key = Box::new(signed_note::StandardVerifier::new(&vkey).unwrap());
        signed_note::VerifierList::new(vec![key])
    };
    let (verified, others) = read.verify(&known()).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 2));
    for (line, key) in others.iter().zip(&witness.keys) {
        // The ids of both kinds are what it computes from the type and the key.
        let kind = if key.public_key().len() == 32 { 4 } else { 6 };
        let computed =
            signed_note::key_id(WITNESS, &[[kind].as_slice(), key.public_key()].concat());
        assert_eq!((line.name(), line.id()), (WITNESS, computed));
    }
    let changed = String::from_utf8(bytes).unwrap().replacen("\n5\n", "\n6\n", 1);
    let changed = signed_note::Note::from_bytes(changed.as_bytes()).unwrap();
    assert!(changed.verify(&known()).is_err());
}
