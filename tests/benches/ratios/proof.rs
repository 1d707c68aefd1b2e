//! One proof, in process.

use crate::table::figure;
use crate::table::median;
use crate::table::ms;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::checkpoint::HeadKeys;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::document::DocumentHasher;
use coldlog_spec::document::SignatureFile;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::root_from_inclusion;
use coldlog_spec::mldsa;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::Proof;
use coldlog_spec::receipt::Inclusion;
use coldlog_spec::receipt::ReceiptSigner;
use coldlog_spec::record::Disclosure;
use coldlog_spec::record::Document;
use coldlog_spec::record::Operation;
use coldlog_spec::record::Record;
use coldlog_spec::record::Scheme;
use coldlog_spec::record::Signature;
use coldlog_spec::statement::KnownHead;
use coldlog_spec::statement::Payload;
use coldlog_spec::statement::Position;
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::document::check;
use std::hint::black_box;

const LOG: &str = "log.example/bench";

fn keys(name: &str, seed: u8) -> HeadKeys {
    let mldsa = mldsa::SecretKey::from_seed(&[seed; 32]);
    HeadKeys { name: name.into(), ed25519: SecretKey::from_seed(&[seed; 32]), mldsa }
}

fn cosigned(size: u64, root: Hash) -> SignedCheckpoint {
    let head = Checkpoint { origin: LOG.into(), size, root };
    let mut head = keys(LOG, 2).sign_head(&head, 50).unwrap();
    for seed in [10, 11] {
        let lines = keys(&format!("w{seed}"), seed).cosign(&head, 100).unwrap();
        head.note.signatures.extend(lines);
    }
    head
}

pub(crate) fn one_proof() {
    let mut text = String::new();
    let mut verifiers: Vec<VerifierKey> = Vec::new();
    for key in keys(LOG, 2).log_verifiers() {
        text += &format!("log {}\n", key.encode());
        verifiers.push(key);
    }
    for seed in [10, 11] {
        let [a, b] = keys(&format!("w{seed}"), seed).witness_verifiers();
        text += &format!("witness w{seed}a {}\nwitness w{seed}b {}\n", a.encode(), b.encode());
        text += &format!("group w{seed} any w{seed}a w{seed}b\n");
        verifiers.extend([a, b]);
    }
    text += "group two 2 w10 w11\nquorum two\n";
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let key = SecretKey::from_seed(&[1; 32]);
    let document = DocumentHasher::digest(Scheme::Sshsig, b"document");
    let signature = SignatureFile::sign(&key, &document, "").unwrap();
    let record = Record {
        approved: Default::default(),
        factors: Vec::new(),
        time: 1,
        operator: "Ada".into(),
        purpose: "bench".into(),
        device: "bench".into(),
        clock: None,
        operation: Operation::Sign {
            document: Document {
                name: "a".into(),
                version: "1".into(),
                media_type: "x".into(),
                size: document.size,
                sha256: document.sha256,
            },
            signature: Signature {
                scheme: Scheme::Sshsig,
                key: *key.public().as_bytes(),
                bytes: signature.encode(),
                verified: true,
            },
        },
    };
    let disclosure = Disclosure { salt: [3; 32], record };
    let claims = Claims { issuer: "signer.example".into(), subject: "journal".into() };
    let earlier = cosigned(5, Hash([5; 32]));
    let known = KnownHead {
        origin: LOG.into(),
        size: 5,
        root: Hash([5; 32]),
        note: Hash::of(&earlier.encode()),
    };
    let position = Position { sequence: 9, previous: Some(Hash([1; 32])), head: Some(known) };
    let payload = Payload::Commitment(disclosure.commitment());
    let statement = Statement::sign(&key, &claims, &position, payload).unwrap();
    let path: Vec<Hash> = (0..20).map(|n| Hash([n; 32])).collect();
    let size = 1 << 20;
    let root = root_from_inclusion(statement.leaf(), 12345, size, &path).unwrap();
    let head = cosigned(size, root);
    let signer = ReceiptSigner::new(&keys(LOG, 2).ed25519, LOG, "journal", root).unwrap();
    let receipt = signer.inclusion(Inclusion { size, index: 12345, path });
    let proof = Proof {
        statement,
        receipts: vec![receipt.with_checkpoint(&head.encode())],
        disclosure: disclosure.encode(),
        policy: policy.digest,
        earlier_head: Some(earlier.encode()),
    };
    let bytes = proof.encode();
    let whole = median(400, || {
        let proof = Proof::decode(black_box(&bytes)).unwrap();
        black_box(check(&document, &proof, &policy, None, None).unwrap());
    });
    // Bare: document, statement and receipt by Ed25519; two heads with three signers of two kinds.
    let public = key.public();
    let note = head.note.signatures.iter().zip(&verifiers);
    assert_eq!(note.count(), 6);
    let ed25519 = median(400, || assert!(signature.verify(&public, black_box(&document)).is_ok()));
    let refs: Vec<&VerifierKey> = verifiers.iter().collect();
    let pq: Vec<&VerifierKey> = refs.iter().copied().skip(1).step_by(2).collect();
    let lines = median(400, || assert_eq!(black_box(&head).verified_by(&pq).unwrap().len(), 3));
    let bare = ed25519 * 9 + lines * 2;
    figure(
        "one proof, in process, to its bare signatures (9 Ed25519, 6 ML-DSA-44)",
        format!(
            "{:.3} ({:.3} ms to {:.3} ms)",
            whole.as_secs_f64() / bare.as_secs_f64(),
            ms(whole),
            ms(bare)
        ),
        "at most 1.1",
    );
}
