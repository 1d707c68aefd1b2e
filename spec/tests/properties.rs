//! Properties: any tree, any split, any mutation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "properties/shortcuts.rs"]
mod shortcuts;

use coldlog_spec::access::{self, Access};
use coldlog_spec::approval::{self, Approval};
use coldlog_spec::audit::Audit;
use coldlog_spec::backup::Manifest;
use coldlog_spec::batch::{self, SignedTail, Tail};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::document::{DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::end::End;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_events::KeyEvents;
use coldlog_spec::merkle::{self, leaf_hash};
use coldlog_spec::openings::{self, Opening};
use coldlog_spec::pending::{Pack, Pending};
use coldlog_spec::policy::{HeadError, Policy, Root};
use coldlog_spec::problem::Problem;
use coldlog_spec::proof::Proof;
use coldlog_spec::receipt::Receipt;
use coldlog_spec::record::{Disclosure, Operation, Scheme};
use coldlog_spec::registration::Registration;
use coldlog_spec::rotation::Rotation;
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::cosign::{self, decide};
use coldlog_spec::verify::document::check;
use coldlog_spec::verify::heads::{extends, judge};
use coldlog_spec::witnessing::{Request, Response};
use coldlog_spec::{cbor, cose, manifest, receipts, statements};
use common::*;
use proptest::prelude::*;

#[test]
fn every_small_tree_agrees_with_ct_merkle() {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    type Peer = MemoryBackedTree<sha2::Sha256, Vec<u8>>;
    let mut peer = Peer::new();
    let all = leaves(1100);
    for size in 1..=all.len() {
        peer.push((size as u64 - 1).to_be_bytes().to_vec());
        assert_eq!(root(&all[..size]).0[..], peer.root().as_bytes()[..], "size {size}");
        let index = (size * 7919) % size;
        let ours =
            merkle::inclusion_path(index as u64, size as u64, &mut reader(&all[..size])).unwrap();
        let theirs = peer.prove_inclusion(index);
        let flat: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
        assert_eq!(flat, theirs.as_bytes(), "inclusion of {index} in {size}");
        let old = 1 + (size * 104_729) % size;
        let ours =
            merkle::consistency_path(old as u64, size as u64, &mut reader(&all[..size])).unwrap();
        let flat: Vec<u8> = ours.iter().flat_map(|hash| hash.0).collect();
        if old < size {
            assert_eq!(flat, peer.prove_consistency(size - old).as_bytes(), "{old} to {size}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn inclusion_holds_and_nothing_else(size in 1u64..600, at in any::<u64>(), flip in any::<(usize, u8)>()) {
        let all = leaves(size);
        let index = at % size;
        let path = merkle::inclusion_path(index, size, &mut reader(&all)).unwrap();
        let (leaf, root) = (all[index as usize], root(&all));
        prop_assert_eq!(merkle::verify_inclusion(leaf, index, size, &path, root), Ok(()));
        let other = (index + 1) % size;
        if other != index {
            prop_assert!(merkle::verify_inclusion(leaf, other, size, &path, root).is_err());
        }
        if !path.is_empty() {
            let mut bad = path.clone();
            let at = flip.0 % bad.len();
            bad[at].0[flip.0 % 32] ^= flip.1 | 1;
            prop_assert!(merkle::verify_inclusion(leaf, index, size, &bad, root).is_err());
            bad.pop();
            prop_assert!(merkle::verify_inclusion(leaf, index, size, &bad, root).is_err());
        }
    }

    #[test]
    fn consistency_holds_and_a_rewritten_history_convicts(new in 1u64..600, at in any::<u64>(), touched in any::<u64>()) {
        let old = at % (new + 1);
        let all = leaves(new);
        let path = merkle::consistency_path(old, new, &mut reader(&all)).unwrap();
        let (root1, root2) = (root(&all[..old as usize]), root(&all));
        prop_assert_eq!(merkle::verify_consistency(old, new, &path, root1, root2), Ok(()));
        if old > 0 && old < new {
            let mut other = all.clone();
            other[(touched % old) as usize] = leaf_hash(b"rewritten");
            let path = merkle::consistency_path(old, new, &mut reader(&other)).unwrap();
            let head = |size, root| Checkpoint { origin: "log.example".into(), size, root };
            let (older, newer) = (head(old, root1), head(new, root(&other)));
            let misfit = extends(&older, &newer, &path).unwrap_err();
            // A complete subtree is its own start of the path: there the other root must be shown.
            prop_assert_eq!(misfit.convicts(), !old.is_power_of_two(), "{}", misfit);
            let shown = [&[root(&other[..old as usize])][..], &path].concat();
            let misfit = extends(&older, &newer, &shown).unwrap_err();
            prop_assert_eq!(misfit.convicts(), old.is_power_of_two(), "{}", misfit);
            // An honest log is never convicted by a path that somebody made up.
            let honest = head(new, root(&all));
            let misfit = extends(&older, &honest, &[&[Hash([1; 32])][..], &path].concat());
            prop_assert!(!misfit.unwrap_err().convicts());
        }
    }

    #[test]
    fn what_is_read_as_cbor_is_what_ciborium_reads_and_writes_the_same_bytes(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..40),
        item in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        by in any::<u8>(),
    ) {
        // Bytes from nowhere, and one of ours with a byte changed.
        let ours = files();
        let mut changed = item.get(&ours).1.clone();
        let at = place.index(changed.len());
        changed[at] ^= by;
        bytes.push(0x80);
        for bytes in [bytes, changed] {
            if let Ok(value) = cbor::decode_with("item", &bytes, 1 << 20, cbor::KeyOrder::Any) {
                let theirs: cbor::Value = ciborium::from_reader(&bytes[..]).unwrap();
                prop_assert_eq!(&value, &theirs);
                let mut written = Vec::new();
                ciborium::into_writer(&value, &mut written).unwrap();
                prop_assert_eq!(&written, &bytes);
                prop_assert_eq!(cbor::to_bytes(&value), bytes);
            }
        }
    }

    #[test]
    fn numbers_and_lengths_are_written_as_ciborium_writes_them(
        number in any::<u64>(),
        shift in 0u32..64,
        length in 0usize..70_000,
        truth: bool,
    ) {
        let number = number >> shift;
        let values = vec![
            cbor::Value::from(number),
            cbor::Value::Integer((-1 - i128::from(number)).try_into().unwrap()),
            cbor::Value::Bytes(vec![7; length]),
            cbor::Value::Text("x".repeat(length % 300)),
            cbor::Value::Bool(truth),
            cbor::Value::Null,
            cbor::Value::Tag(number, Box::new(cbor::Value::Null)),
            cbor::Value::Map(vec![(1.into(), cbor::Value::Array(vec![cbor::Value::Null; length % 40]))]),
        ];
        let value = cbor::Value::Array(values);
        let mut written = Vec::new();
        ciborium::into_writer(&value, &mut written).unwrap();
        let ours = cbor::to_bytes(&value);
        // It did not grow: growing leaves a copy behind in memory, of a key file too.
        prop_assert_eq!(ours.capacity(), written.len());
        prop_assert_eq!(ours, written);
        // And a byte string at the front is read as it was written.
        let mut bytes = Vec::new();
        cbor::write_bytes(&vec![7; length], &mut bytes);
        let (found, rest) = cbor::leading_bytes(&bytes).unwrap_or_default();
        prop_assert!(length > 65_535 || (found.len() == length && rest.is_empty()));
        let mut loose = vec![0x59];
        loose.extend_from_slice(&(length.min(255) as u16).to_be_bytes());
        loose.resize(3 + length, 7);
        prop_assert!(cbor::leading_bytes(&loose).is_none(), "not the shortest head");
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode_all(&bytes);
    }

    #[test]
    fn one_changed_byte_of_any_file_is_refused_or_means_the_same(at in any::<prop::sample::Index>(), by in 1u8..=255) {
        for (name, bytes) in files() {
            let mut bad = bytes.clone();
            let place = at.index(bad.len());
            bad[place] ^= by;
            decode_all(&bad);
            // What still decodes is other bytes under the same signatures: no proof survives.
            // All that may go is a signature line on the head, which then is a stranger's line.
            if name == "proof" && let Ok(found) = proven(&bad) {
                let full = proven(&bytes).unwrap();
                prop_assert!(found.logged[0].witnesses.len() <= full.logged[0].witnesses.len());
                prop_assert_eq!(&found.document, &full.document);
                prop_assert_eq!(&found.record, &full.record);
                prop_assert_eq!(found.not_before, full.not_before);
                let place = |p: &coldlog_spec::verify::document::Proven| {
                    (p.sequence, p.logged[0].index, p.logged[0].size, p.logged[0].root)
                };
                prop_assert_eq!(place(&found), place(&full));
            }
            let mut short = bytes.clone();
            short.truncate(place);
            if name == "proof" {
                prop_assert!(proven(&short).is_err());
            }
        }
    }
}

fn proven(bytes: &[u8]) -> Result<coldlog_spec::verify::document::Proven, String> {
    let proof = Proof::decode(bytes).map_err(|e| e.to_string())?;
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    let proven = check(&digest, &proof, &policy("two"), None, Some(&signer().public()))
        .map_err(|e| e.to_string())?;
    // The policy's digest is not signed: it only says where the proof comes from.
    if proof.policy == policy("two").digest { Ok(proven) } else { Err("another policy".into()) }
}

// Runs every decoder; whatever one accepts must re-encode to the same bytes.
fn decode_all(bytes: &[u8]) -> Vec<&'static str> {
    let mut accepted = Vec::new();
    let mut same = |name: &'static str, again: Option<Vec<u8>>| {
        if let Some(again) = again {
            assert_eq!(again, bytes, "{name} re-encodes to other bytes");
            accepted.push(name);
        }
    };
    same("proof", Proof::decode(bytes).ok().map(|v| v.encode()));
    same("receipt", Receipt::decode(bytes).ok().map(|v| v.encode()));
    same("disclosure", Disclosure::decode(bytes).ok().map(|v| v.encode()));
    same("statement", statement_again(bytes));
    same("key events", KeyEvents::decode(bytes).ok().map(|v| v.encode()));
    same("checkpoint", SignedCheckpoint::decode(bytes).ok().map(|v| v.encode()));
    same("approval", Approval::decode(bytes).ok().map(|v| v.encode()));
    let asked = approval::Request::decode(bytes).ok().map(|v| v.encode());
    same("approval request", asked);
    same("tail", SignedTail::decode(bytes).ok().map(|v| v.sign1.encode()));
    same("batch header", batch::Header::decode(bytes).ok().map(|v| v.encode()));
    let item = batch::Item::decode(bytes).ok().map(|item| match item {
        batch::Item::Record { statement, sealed } => batch::encode_record(&statement, &sealed),
        batch::Item::Trailer { count, digest, tail } => batch::encode_trailer(count, digest, &tail),
    });
    same("batch item", item);
    same("receipts header", receipts::Header::decode(bytes).ok().map(|v| v.encode()));
    same("receipts item", receipts::Item::decode(bytes).ok().map(|v| v.encode()));
    let body = Request::body_of_file(bytes).ok();
    same("request body", Request::from_body(bytes).ok().map(|v| v.body()));
    same("response", Response::decode(bytes).ok().map(|v| v.encode()));
    same("evidence", Evidence::decode(bytes).ok().map(|v| v.encode()));
    same("manifest", manifest::decode(bytes).ok().map(|v| manifest::encode(&v)));
    same("pending", Pending::decode(bytes).ok().map(|v| v.encode()));
    same("rotation", Rotation::decode(bytes).ok().map(|v| v.encode()));
    same("end", End::decode(bytes).ok().map(|v| v.encode()));
    same("pack", Pack::decode(bytes).ok().map(|v| v.encode()));
    same("registration", Registration::decode(bytes).ok().map(|v| v.encode()));
    same("problem", Problem::decode(bytes).ok().map(|v| v.encode()));
    same("access header", access::decode_header(bytes).ok().map(|v| access::encode_header(&v)));
    let header = openings::decode_header(bytes).ok();
    same("openings header", header.map(|()| openings::encode_header()));
    same("opening", Opening::decode(bytes).ok().map(|v| v.encode()));
    let audit = Audit::verify(bytes, [&signer().public()]).ok();
    same("audit", audit.and_then(|v| v.sign(&signer()).ok()));
    same("backup", Manifest::decode(bytes).ok().map(|v| v.encode()));
    let header = statements::decode_header(bytes).ok();
    same("statements header", header.map(|v| statements::encode_header(&v)));
    same("statements item", statements::Item::decode(bytes).ok().map(|v| v.encode()));
    same("access", Access::decode(bytes).ok().map(|v| v.encode()));
    same("signature", SignatureFile::decode(bytes).ok().map(|v| v.encode()));
    if let Some(Ok(request)) = body.as_deref().map(Request::from_body) {
        same("request", Some(request.encode()));
    }
    same("rules", Rules::parse(bytes).ok().map(|v| v.encode()));
    same("trust root", Root::decode(bytes).ok().map(|v| v.encode()));
    if Policy::parse(bytes).is_ok_and(|policy| policy.root().is_none()) {
        accepted.push("policy");
    }
    let _ = cbor::item_length("sequence", bytes, 1 << 16);
    accepted
}

#[test]
fn every_file_decodes_as_its_own_kind_only() {
    for (name, bytes) in files() {
        let kinds = decode_all(&bytes);
        assert_eq!(kinds.len(), 1, "{name}: {kinds:?}");
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(decode_all(&longer), Vec::<&str>::new(), "{name} with a byte behind it");
    }
}

#[test]
fn every_cbor_file_reads_the_same_in_serde_cbor_and_coset() {
    use coset::{CoseSign1, TaggedCborSerializable};
    for (name, bytes) in files() {
        if TEXTS.contains(&name) {
            continue;
        }
        let theirs: serde_cbor::Value = serde_cbor::from_slice(&bytes).unwrap();
        let ours = cbor::decode("peer", &bytes, 1 << 22).unwrap();
        assert!(equal(&ours, &theirs), "{name}");
        if [
            "proof",
            "receipt",
            "statement",
            "genesis",
            "rotation event",
            "revocation event",
            "rules entry",
            "reseal entry",
            "tail",
            "approval",
        ]
        .contains(&name)
        {
            let peer = CoseSign1::from_tagged_slice(&bytes).unwrap();
            let ours =
                cose::Sign1::decode("peer", &bytes, 1 << 22, cbor::KeyOrder::Sorted).unwrap();
            assert_eq!(peer.signature, ours.signature, "{name}");
            let payload = ours.payload.clone().unwrap_or_default();
            let signed = coset::sig_structure_data(
                coset::SignatureContext::CoseSign1,
                peer.protected,
                None,
                b"",
                &payload,
            );
            assert_eq!(signed, cose::sig_structure(&ours.protected_bytes, &payload), "{name}");
        }
    }
}

fn equal(ours: &cbor::Value, theirs: &serde_cbor::Value) -> bool {
    use cbor::Value as A;
    use serde_cbor::Value as B;
    match (ours, theirs) {
        // serde_cbor drops the tag.
        (A::Tag(_, inner), theirs) => equal(inner, theirs),
        (A::Integer(a), B::Integer(b)) => i128::from(*a) == *b,
        (A::Bytes(a), B::Bytes(b)) => a == b,
        (A::Text(a), B::Text(b)) => a == b,
        (A::Bool(a), B::Bool(b)) => a == b,
        (A::Null, B::Null) => true,
        (A::Array(a), B::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (A::Map(a), B::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.iter().any(|(k, v)| equal(key, k) && equal(value, v)))
        }
        _ => false,
    }
}

#[test]
fn a_good_proof_says_who_where_and_between_which_times() {
    let proven = proven(&make_proof(record(), &TIMES).encode()).unwrap();
    assert_eq!((proven.sequence, proven.logged[0].index), (3, 1));
    // Two of three: the second witness completes the quorum, and one may lie either way.
    assert_eq!((proven.not_before, proven.not_after), (Some(61), Some(110)));
    assert!(proven.same_policy);
    let names: Vec<&str> = proven.logged[0].witnesses.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["w0a", "w0b", "w1a", "w1b", "w2a", "w2b"]);
}

#[test]
fn a_proof_by_the_log_alone_needs_quorum_none() {
    let proof = make_proof(record(), &[]);
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    assert!(check(&digest, &proof, &policy("two"), None, None).is_err());
    let proven = check(&digest, &proof, &policy("none"), None, None).unwrap();
    assert_eq!((proven.not_before, proven.not_after), (None, None));
    assert!(!proven.same_policy);
    let one = make_proof(record(), &[(0, 100)]);
    let refusal = check(&digest, &one, &policy("two"), None, None).unwrap_err();
    assert!(refusal.to_string().contains("quorum"), "{refusal}");
}

#[test]
fn another_document_signer_or_failed_self_check_is_refused() {
    let proof = make_proof(record(), &TIMES);
    let policy = policy("two");
    let other = DocumentHasher::digest(Scheme::Sshsig, b"another document");
    let refusal = check(&other, &proof, &policy, None, None).unwrap_err();
    assert!(refusal.to_string().starts_with("tampering"), "{refusal}");
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    let stranger = SecretKey::from_seed(&[99; 32]).public();
    assert!(check(&digest, &proof, &policy, None, Some(&stranger)).is_err());
    let mut failed = record();
    if let Operation::Sign { signature, .. } = &mut failed.operation {
        signature.verified = false;
    }
    let refusal = check(&digest, &make_proof(failed, &TIMES), &policy, None, None).unwrap_err();
    assert!(refusal.to_string().contains("self") || refusal.to_string().contains("own check"));
}

#[test]
fn an_altered_cosignature_makes_the_whole_head_bad() {
    let mut head = cosigned(5, Hash([5; 32]), &TIMES);
    head.note.signatures[2].signature[3] ^= 1;
    let refusal = policy("two").verify_head(&head).unwrap_err();
    assert!(matches!(refusal, HeadError::Note(_)), "{refusal}");
}

#[test]
fn a_witness_takes_only_extensions_and_says_why_not() {
    let all = leaves(40);
    let keys = head_keys(LOG, 2).log_verifiers();
    let head = |size: usize| cosigned(size as u64, root(&all[..size]), &[]);
    let path = |old: u64, new: usize| {
        merkle::consistency_path(old, new as u64, &mut reader(&all[..new])).unwrap()
    };
    let ask = |old: u64, new: usize, last: Option<usize>| {
        let request = Request { old, path: path(old, new), head: head(new) };
        decide(&request, &keys, last.map(head).as_ref()).map_err(|refusal| refusal.status())
    };
    assert_eq!(ask(0, 20, None), Ok(()));
    assert_eq!(ask(20, 40, Some(20)), Ok(()));
    assert_eq!(ask(20, 20, Some(20)), Ok(()), "an unchanged head may be cosigned again");
    assert_eq!(ask(10, 40, Some(20)), Err(409));
    assert_eq!(ask(30, 20, Some(20)), Err(400));
    assert_eq!(ask(20, 10, Some(20)), Err(400));
    let request = Request { old: 20, path: path(20, 40), head: head(40) };
    assert_eq!(decide(&request, &[], None).unwrap_err().status(), 404);
    let stranger = head_keys(LOG, 77).log_verifiers();
    assert_eq!(decide(&request, &stranger, None).unwrap_err().status(), 403);
    let bad = Request { path: vec![Hash([1; 32])], ..request.clone() };
    assert_eq!(decide(&bad, &keys, Some(&head(20))).unwrap_err().status(), 422);
    let fork = cosigned(20, Hash([9; 32]), &[]);
    let request = Request { old: 20, path: vec![], head: fork };
    let refusal = decide(&request, &keys, Some(&head(20))).unwrap_err();
    assert_eq!(refusal.status(), 422);
    let cosign::Refusal::NotAnExtension { evidence: Some(evidence), .. } = refusal else {
        panic!("a fork of the same size is evidence: {refusal}")
    };
    judge(&evidence, &policy("two")).unwrap();
    // Two heads that fit convict nobody.
    let fits = Evidence::SplitView {
        first: head(20).encode(),
        second: head(40).encode(),
        path: path(20, 40),
    };
    assert!(judge(&fits, &policy("two")).is_err());
}

#[test]
fn signatures_of_one_kind_never_pass_as_another() {
    // The same key for everything: only the domains keep them apart.
    let (claims, key) = (claims(), signer());
    let tail = SignedTail::sign(&key, &claims, Tail { count: 1, head: Hash([1; 32]) }).unwrap();
    assert!(Statement::decode(&tail.sign1.encode()).is_err());
    let statement = make_proof(record(), &TIMES).statement;
    assert!(SignedTail::decode(statement.bytes()).is_err());
    assert!(Receipt::decode(statement.bytes()).is_err());
    // A document whose bytes are what a statement or a checkpoint signs is still only a document.
    let signed = statement.signed_bytes();
    for scheme in [Scheme::Sshsig, Scheme::Minisign] {
        let digest = DocumentHasher::digest(scheme, &signed);
        let signature = match SignatureFile::sign(&key, &digest, "").unwrap() {
            SignatureFile::Sshsig { signature, .. } | SignatureFile::Minisign { signature, .. } => {
                signature
            }
        };
        assert!(!key.public().verify(&signed, &signature));
    }
}
