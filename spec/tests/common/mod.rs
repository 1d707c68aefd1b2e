//! What the tests of this crate build from: one log, three witnesses, one signer, and a valid file of
//! every kind.
// Each test file is a crate of its own and takes what it needs.
#![allow(dead_code)]

pub(crate) mod approving;
pub(crate) mod life;
pub(crate) mod rules;

pub(crate) use approving::*;
use coldlog_spec::access::{self, Access};
use coldlog_spec::approval::Carried;
use coldlog_spec::audit::{Audit, Counts, Scope, digest};
use coldlog_spec::backup::{self, Manifest};
use coldlog_spec::batch::{self, SignedTail, Tail};
use coldlog_spec::cbor::KeyOrder;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::cose::{Claims, Headers, Sign1};
use coldlog_spec::document::{DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::end::End;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, KeyEvent};
use coldlog_spec::manifest;
use coldlog_spec::merkle::{self, Node, leaf_hash, node_hash};
use coldlog_spec::mldsa;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::openings::{self, Opening};
use coldlog_spec::pending::{Pack, Pending};
use coldlog_spec::policy::{Content, Policy, Root, Window};
use coldlog_spec::problem::Problem;
use coldlog_spec::proof::Proof;
use coldlog_spec::receipt::{Inclusion, ReceiptSigner};
use coldlog_spec::receipts;
use coldlog_spec::record::{Disclosure, Document, Operation, Record, Scheme, Signature};
use coldlog_spec::registration::Registration;
use coldlog_spec::reseal::Reseal;
use coldlog_spec::rotation::Rotation;
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::statements;
use coldlog_spec::tile;
use coldlog_spec::verify::append::Progress;
use coldlog_spec::verify::audit::{Clear, Finding, Kind as FindingKind, Place, Rows, Seam, Used};
use coldlog_spec::verify::own;
use coldlog_spec::witnessing::{Request, Response};
use std::convert::Infallible;

/// A statement's envelope.
pub(crate) fn envelope(bytes: &[u8]) -> Option<Sign1> {
    Sign1::decode("signed statement", bytes, tile::MAX_ENTRY, KeyOrder::Sorted).ok()
}

/// A statement, read and written again. There is a shortcut to the most frequent form: it must say what the whole
/// decoder says.
pub(crate) fn statement_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let bare = envelope(bytes).filter(|sign1| sign1.unprotected.0.is_empty());
    let whole = bare.and_then(|sign1| Statement::from_sign1(sign1).ok());
    let statement = Statement::decode(bytes).ok();
    assert_eq!(statement, whole);
    Some(statement?.with_unprotected(&Headers::default()))
}

pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

// Any node of a tree in memory, the slow and plain way.
pub(crate) fn reader(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> + '_ {
    |node| {
        let width = 1usize << node.level;
        let start = node.index as usize * width;
        Ok(tile::fold(&leaves[start..start + width]).unwrap())
    }
}

pub(crate) fn root(leaves: &[Hash]) -> Hash {
    merkle::root(leaves.len() as u64, &mut reader(leaves)).unwrap()
}

pub(crate) fn signer() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

pub(crate) fn head_keys(name: &str, seed: u8) -> HeadKeys {
    HeadKeys {
        name: name.into(),
        ed25519: SecretKey::from_seed(&[seed; 32]),
        mldsa: mldsa::SecretKey::from_seed(&[seed; 32]),
    }
}

pub(crate) const LOG: &str = "log.example/test";
pub(crate) const DOCUMENT: &[u8] = b"the document";

pub(crate) fn witnesses() -> Vec<HeadKeys> {
    (0..3).map(|n| head_keys(&format!("w{n}.example"), 10 + n)).collect()
}

pub(crate) fn policy_text(quorum: &str) -> String {
    let mut text = String::new();
    for key in head_keys(LOG, 2).log_verifiers() {
        text += &format!("log {}\n", key.encode());
    }
    for (n, witness) in witnesses().iter().enumerate() {
        let [ed25519, mldsa] = witness.witness_verifiers();
        text += &format!(
            "witness w{n}a {}\nwitness w{n}b {}\ngroup w{n} any w{n}a w{n}b\n",
            ed25519.encode(),
            mldsa.encode()
        );
    }
    text + &format!("group two 2 w0 w1 w2\nquorum {quorum}\n")
}

pub(crate) fn policy(quorum: &str) -> Policy {
    Policy::parse(policy_text(quorum).as_bytes()).unwrap()
}

pub(crate) fn cosigned(size: u64, root: Hash, times: &[(usize, u64)]) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: LOG.into(), size, root };
    let mut head = head_keys(LOG, 2).sign_head(&checkpoint, 50).unwrap();
    for (witness, time) in times {
        let lines = witnesses()[*witness].cosign(&head, *time).unwrap();
        head.note.signatures.extend(lines);
    }
    head
}

pub(crate) fn record() -> Record {
    let key = signer();
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    let document = Document {
        name: "a".into(),
        version: "1".into(),
        media_type: "text/plain".into(),
        size: digest.size,
        sha256: digest.sha256,
    };
    let bytes = SignatureFile::sign(&key, &digest, "").unwrap().encode();
    let signature =
        Signature { scheme: Scheme::Sshsig, key: *key.public().as_bytes(), bytes, verified: true };
    Record {
        time: 77,
        operator: "Ada".into(),
        purpose: "test".into(),
        device: "d".into(),
        clock: None,
        approved: Carried::default(),
        factors: Vec::new(),
        operation: Operation::Sign { document, signature },
    }
}

pub(crate) fn claims() -> Claims {
    Claims { issuer: "signer.example".into(), subject: "journal".into() }
}

// The first statement of a journal; another recipient makes another genesis.
pub(crate) fn genesis(recipient: &str) -> Statement {
    let position = Position { sequence: 0, previous: None, head: None };
    Statement::sign(&signer(), &claims(), &position, event(recipient)).unwrap()
}

pub(crate) fn event(recipient: &str) -> Payload {
    let (key, recipients) = (*signer().public().as_bytes(), vec![recipient.into()]);
    let event = Event::Genesis { key, recipients, recovers: None };
    Payload::KeyEvent(KeyEvent { event, commitment: Hash([3; 32]) })
}

pub(crate) fn after(sequence: u64, previous: Hash) -> Position {
    Position { sequence, previous: Some(previous), head: None }
}

// A record's statement; another `content` makes another statement at the same place.
pub(crate) fn commitment(position: &Position, content: u8) -> Statement {
    Statement::sign(&signer(), &claims(), position, Payload::Commitment(Hash([content; 32])))
        .unwrap()
}

pub(crate) fn make_proof(record: Record, times: &[(usize, u64)]) -> Proof {
    let earlier = cosigned(1, leaf_hash(b"x"), &[(0, 60), (1, 61), (2, 62)]);
    let disclosure = Disclosure { salt: [9; 32], record };
    let head = KnownHead {
        origin: LOG.into(),
        size: 1,
        root: earlier.checkpoint.root,
        note: Hash::of(&earlier.encode()),
    };
    let position = Position { sequence: 3, previous: Some(Hash([4; 32])), head: Some(head) };
    let payload = Payload::Commitment(disclosure.commitment());
    let statement = Statement::sign(&signer(), &claims(), &position, payload).unwrap();
    let sibling = leaf_hash(b"x");
    let root = node_hash(&sibling, &statement.leaf());
    let head = cosigned(2, root, times);
    let receipts = ReceiptSigner::new(&head_keys(LOG, 2).ed25519, LOG, "journal", root).unwrap();
    let receipt = receipts.inclusion(Inclusion { size: 2, index: 1, path: vec![sibling] });
    Proof {
        statement,
        receipts: vec![receipt.with_checkpoint(&head.encode())],
        disclosure: disclosure.encode(),
        policy: policy("two").digest,
        earlier_head: Some(earlier.encode()),
    }
}

pub(crate) const TIMES: [(usize, u64); 3] = [(0, 100), (1, 110), (2, 120)];

/// Those of the files that are text.
pub(crate) const TEXTS: [&str; 9] = [
    "checkpoint",
    "request body",
    "sshsig",
    "minisign",
    "policy",
    "trust root",
    "rules",
    "rotation",
    "end",
];

pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let proof = make_proof(record(), &TIMES);
    let receipt = proof.receipts[0].clone();
    let head = cosigned(5, Hash([5; 32]), &TIMES);
    let tail =
        SignedTail::sign(&signer(), &claims(), Tail { count: 4, head: Hash([7; 32]) }).unwrap();
    let request = Request { old: 3, path: vec![Hash([6; 32])], head: head.clone() };
    let evidence = Evidence::SplitView {
        first: head.encode(),
        second: cosigned(5, Hash([8; 32]), &[]).encode(),
        path: vec![],
    };
    let cosigned_twice = Evidence::CosignedTwice {
        first: head.encode(),
        second: cosigned(5, Hash([8; 32]), &TIMES).encode(),
        path: vec![],
    };
    let broken_promise = Evidence::BrokenPromise {
        statement: proof.statement.bytes().to_vec(),
        receipt: receipt.encode(),
        head: cosigned(2, Hash([8; 32]), &[]).encode(),
        path: vec![],
    };
    let key = *signer().public().as_bytes();
    let first = commitment(&after(3, Hash([4; 32])), 1).bytes().to_vec();
    let second = commitment(&after(3, Hash([4; 32])), 2).bytes().to_vec();
    let fork = Evidence::Fork { key, first: first.clone(), second };
    let response = Response { witness: "w".into(), status: 409, body: "5\n".into() };
    let header = batch::Header { claims: claims(), first: 0, remembered: 3 };
    let answer = receipts::Header {
        claims: claims(),
        checkpoint: head.encode(),
        old_size: 3,
        consistency: vec![Hash([6; 32])],
    };
    let item = receipts::Item::Receipt(3, Box::new(receipt.clone()));
    let end =
        receipts::Item::Trailer { count: 4, digest: Hash([7; 32]), tail: Box::new(tail.clone()) };
    let forked_tail = Evidence::ForkedTail { key, statement: first, tail: tail.sign1.encode() };
    let digest = DocumentHasher::digest(Scheme::Minisign, DOCUMENT);
    let registration =
        Registration { statement: proof.statement.clone(), sealed: b"sealed".to_vec() };
    let read = Access {
        previous: Hash([7; 32]),
        time: 100,
        reader: "auditor.example".into(),
        address: "127.0.0.1".into(),
        first: 256,
        count: 3,
    };
    let life = life::statements_of(&[life::Step::Rotate(1, 2, 2), life::Step::Revoke(2, 1, 1)]);
    let row = manifest::Row { file: "a/b".into(), name: Some("b".into()), ..Default::default() };
    vec![
        ("proof", proof.encode()),
        ("receipt", receipt.encode()),
        ("disclosure", proof.disclosure.clone()),
        ("statement", proof.statement.bytes().to_vec()),
        ("genesis", genesis("age1x").bytes().to_vec()),
        ("checkpoint", head.encode()),
        ("rotation event", life[1].bytes().to_vec()),
        ("revocation event", life[2].bytes().to_vec()),
        ("key events", life::logged(&life, &TIMES).encode()),
        ("tail", tail.sign1.encode()),
        ("batch header", header.encode()),
        ("batch record", batch::encode_record(proof.statement.bytes(), b"sealed")),
        ("batch trailer", batch::encode_trailer(4, Hash([7; 32]), &tail)),
        ("receipts header", answer.encode()),
        ("receipts item", item.encode()),
        ("receipts trailer", end.encode()),
        ("request", request.encode()),
        ("request body", request.body()),
        ("response", response.encode()),
        ("evidence", evidence.encode()),
        ("fork", fork.encode()),
        ("forked tail", forked_tail.encode()),
        ("cosigned twice", cosigned_twice.encode()),
        ("broken promise", broken_promise.encode()),
        (
            "sshsig",
            SignatureFile::sign(&signer(), &DocumentHasher::digest(Scheme::Sshsig, b"x"), "")
                .unwrap()
                .encode(),
        ),
        ("minisign", SignatureFile::sign(&signer(), &digest, "timestamp:1").unwrap().encode()),
        ("manifest", manifest::encode(&[row])),
        ("pending", pending().encode()),
        ("pack", pack().encode()),
        ("registration", registration.encode()),
        ("problem", Problem { title: "Refused".into(), detail: "ask again".into() }.encode()),
        ("access header", access::encode_header(LOG)),
        ("access", read.encode()),
        ("rotation", Rotation::sign(&head_keys(LOG, 2), &head_keys(LOG, 3)).unwrap().encode()),
        ("end", End::sign(&head_keys(LOG, 2), &head).unwrap().encode()),
        ("backup", manifest(&tail).encode()),
        ("statements header", statements::encode_header(&answer)),
        ("statements head", statements::Item::Head(head.encode()).encode()),
        ("statements item", logged_statement().encode()),
        (
            "statements trailer",
            statements::Item::Trailer { count: 4, digest: Hash([7; 32]) }.encode(),
        ),
        ("audit", audit().sign(&signer()).unwrap()),
        ("openings header", openings::encode_header()),
        ("opening", opening().encode()),
        ("approval request", request_to_approve().encode()),
        ("approval", approval(21).encode()),
        ("approved disclosure", Disclosure { salt: [9; 32], record: approved_record() }.encode()),
        ("demanding disclosure", Disclosure { salt: [9; 32], record: demanding() }.encode()),
        ("policy", policy_text("two").into_bytes()),
        ("trust root", trust_root().encode()),
        ("rules", rules().encode()),
        ("rules entry", own(0, Payload::Rules(rules())).bytes().to_vec()),
        ("reseal entry", own(1, Payload::Reseal(reseal())).bytes().to_vec()),
    ]
}

pub(crate) fn opening() -> Opening {
    Opening {
        previous: Hash([7; 32]),
        time: 100,
        who: "ada".into(),
        why: "yearly".into(),
        by: "verifier audit".into(),
        origin: LOG.into(),
        first: 256,
        count: 3,
    }
}

// A part of an audit, with something of everything.
pub(crate) fn audit() -> Audit {
    let finding = Finding::new(FindingKind::NumberMissing, "number 4").at(700).of(&claims(), 4);
    let finding = Finding { evidence: Some(Hash([8; 32])), ..finding };
    let in_file = Finding::new(FindingKind::TileMissing, "nothing").in_file("tile/0/000");
    let mut findings = vec![finding, in_file];
    findings.sort();
    let place = Place {
        seam: Some(Seam { index: 600, sequence: 3, previous: Some(Hash([4; 32])) }),
        progress: Some(Progress { next: 5, head: Some(Hash([5; 32])) }),
        seen: 2,
    };
    let entry = genesis("age1x").bytes().to_vec();
    let clear = Clear { index: 1, entry, disclosure: Some(b"disclosure".to_vec()) };
    let rows = vec![vec![Hash([1; 32])]];
    Audit {
        claims: Claims { issuer: "auditor.example/ada".into(), subject: LOG.into() },
        scope: Scope {
            policy: Hash([2; 32]),
            head: cosigned(800, Hash([5; 32]), &TIMES).encode(),
            from: 512,
            to: 800,
            opened: true,
            time: (100, 200),
        },
        assumed: digest(std::slice::from_ref(&clear)),
        rows: Rows::from_parts((512, 800), rows, Some(1)).unwrap(),
        clear: vec![clear],
        places: vec![(claims(), place)],
        used: Used([([3; 16], 601), ([4; 16], 602)].into()),
        counts: Counts { entries: 288, opened: 280, documents: 270 },
        findings,
        more: vec![(FindingKind::NumberMissing, 3)],
    }
}

pub(crate) fn manifest(tail: &SignedTail) -> Manifest {
    let file =
        |name: &str, byte| backup::File { name: name.into(), size: 1000, sha256: Hash([byte; 32]) };
    Manifest {
        generation: 3,
        time: 77,
        files: vec![file("journal.age", 1), file("key.age", 2)],
        events: vec![genesis("age1x").bytes().to_vec()],
        tail: tail.clone(),
    }
}

// A record as a log has it, the first of a tree of two.
pub(crate) fn logged_statement() -> statements::Item {
    statements::Item::Logged(statements::Logged {
        index: 0,
        path: vec![leaf_hash(b"x")],
        statement: genesis("age1x").bytes().to_vec(),
        sealed: SEALED.to_vec(),
    })
}

pub(crate) const SEALED: &[u8] = b"age-encryption.org/v1\nsealed";

pub(crate) fn trust_root() -> Root {
    let key = SecretKey::from_seed(&[4; 32]);
    let name = "ada.example/policy";
    let mut root = Root::new(Content {
        version: 2,
        previous: Some(Hash([1; 32])),
        window: Window { not_before: 10, expires: 90 },
        threshold: 1,
        keys: vec![VerifierKey::new(name.into(), KeyMaterial::Ed25519(key.public()))],
        policy: policy_text("two"),
    })
    .unwrap();
    root.sign(name, &key).unwrap();
    root
}

pub(crate) fn rules() -> Rules {
    let text = format!(
        "coldlog-rules/1\n# the first\nsigner signer.example journal {}\nlargest-statement 4096\nlargest-sealed 16384\nrequire known-head\nrequire recipient age1x\n",
        genesis("age1x").leaf()
    );
    Rules::parse(text.as_bytes()).unwrap()
}

pub(crate) fn reseal() -> Reseal {
    Reseal {
        from: 3,
        to: 700,
        by: "Ada".into(),
        purpose: "Grace has left".into(),
        recipients: vec!["age1x".into(), "age1y".into()],
    }
}

// What the log says of itself; every statement here is by the one signer's key.
pub(crate) fn own(sequence: u64, payload: Payload) -> Statement {
    let previous = (sequence > 0).then_some(Hash([4; 32]));
    let position = Position { sequence, previous, head: None };
    Statement::sign(&signer(), &own::claims(LOG), &position, payload).unwrap()
}

pub(crate) fn pending() -> Pending {
    let head = cosigned(3, root(&leaves(3)), &[(0, 5)]);
    Pending { head, staging: "0a1b".into(), packs: vec![Hash::of(b"a"), Hash::of(b"b")] }
}

pub(crate) fn pack() -> Pack {
    let file = |path: &str| (path.to_string(), path.as_bytes().to_vec());
    Pack { files: vec![file("sealed/000.p/3"), file("tile/0/000.p/3"), file("tile/entries/000")] }
}
