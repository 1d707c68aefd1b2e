//! Test vectors made by others: Merkle proofs, Ed25519 oddities, SCITT and COSE Receipts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::cbor::KeyOrder;
use coldlog_spec::ed25519::{PublicKey, Verifier};
use coldlog_spec::hash::{Hash, from_hex};
use coldlog_spec::merkle::{
    leaf_hash, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};
use coldlog_spec::proof::transparent;
use coldlog_spec::receipt::{Proofs, Receipt};
use coldlog_spec::statement::SignedStatement;
use serde_json::Value;
use std::path::PathBuf;

fn folder() -> PathBuf {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    std::env::var_os("COLDLOG_VECTORS").map_or(default, PathBuf::from)
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("the vector {} is missing: {e}", path.display()))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap()
}

fn hash64(value: &Value) -> Option<Hash> {
    Hash::from_slice(&STANDARD.decode(value.as_str()?).ok()?)
}

fn path64(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash64).collect())
}

// Every case of a file; `judge` says whether ours accepts it, `None` where a hash is no hash.
fn merkle(name: &str, judge: impl Fn(&Value) -> Option<bool>) {
    let cases = json(name);
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let accepted = judge(case).unwrap_or(false);
        assert_eq!(accepted, !case["wantErr"].as_bool().unwrap(), "{}", case["name"]);
    }
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn merkle_inclusion_vectors_agree() {
    merkle("merkle/inclusion.json", |case| {
        let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
        let (leaf, root) = (hash64(&case["leafHash"])?, hash64(&case["root"])?);
        Some(verify_inclusion(leaf, index, size, &path64(&case["proof"])?, root).is_ok())
    });
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn merkle_consistency_vectors_agree() {
    merkle("merkle/consistency.json", |case| {
        let (old, new) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
        let (root1, root2) = (hash64(&case["root1"])?, hash64(&case["root2"])?);
        Some(verify_consistency(old, new, &path64(&case["proof"])?, root1, root2).is_ok())
    });
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn merkle_subtree_inclusion_vectors_agree() {
    merkle("merkle/subtreeinclusion.json", |case| {
        let index = case["leafIdx"].as_u64()?;
        let (start, end) = (case["start"].as_u64()?, case["end"].as_u64()?);
        let (leaf, root) = (hash64(&case["leafHash"])?, hash64(&case["root"])?);
        let path = path64(&case["proof"])?;
        Some(verify_subtree_inclusion(leaf, index, start, end, &path, root).is_ok())
    });
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn merkle_subtree_consistency_vectors_agree() {
    merkle("merkle/subtreeconsistency.json", |case| {
        let (start, end) = (case["start"].as_u64()?, case["end"].as_u64()?);
        let size = case["size"].as_u64()?;
        let (root1, root2) = (hash64(&case["root1"])?, hash64(&case["root2"])?);
        let path = path64(&case["proof"])?;
        Some(verify_subtree_consistency(start, end, size, &path, root1, root2).is_ok())
    });
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn ed25519_vectors_are_accepted_exactly_without_the_refused_flags() {
    let refused = [
        "low_order_A",
        "low_order_R",
        "non_canonical_A",
        "non_canonical_R",
        "low_order_residue",
        "reencoded_k",
    ];
    let cases = json("ed25519/ed25519vectors.json");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 914);
    let mut accepted = 0;
    for case in cases {
        let bytes = |name: &str| from_hex(case[name].as_str().unwrap()).unwrap();
        let flags = case["flags"].as_array().cloned().unwrap_or_default();
        let odd = flags.iter().any(|flag| refused.contains(&flag.as_str().unwrap()));
        let message = case["msg"].as_str().unwrap().as_bytes();
        let signature = bytes("sig");
        let good = PublicKey::from_bytes(&bytes("key")).is_ok_and(|key| {
            let good = key.verify(message, &signature);
            let by_table = Verifier::new(&key, usize::MAX).verify_all(&[(message, &signature)]);
            assert_eq!(by_table, [good], "case {} by tables", case["number"]);
            good
        });
        assert_eq!(good, !odd, "case {} with {flags:?}", case["number"]);
        accepted += usize::from(good);
    }
    assert!(accepted > 0);
}

fn key(index: &Value, name: &str) -> PublicKey {
    PublicKey::from_bytes(&from_hex(index[name].as_str().unwrap()).unwrap()).unwrap()
}

fn entry(name: &str) -> SignedStatement {
    SignedStatement::decode(&read(&format!("scitt/{name}.cbor")), KeyOrder::Any).unwrap()
}

// Ok, or the reason in words.
fn judge(index: &Value, case: &Value) -> Result<(), String> {
    let name = case["name"].as_str().unwrap();
    let bytes = read(&format!("scitt/{name}.cbor"));
    let (issuer, log) = (key(index, "issuer_public_key"), key(index, "log_public_key"));
    let text = |e: &dyn std::fmt::Display| e.to_string();
    match case["kind"].as_str().unwrap() {
        "statement" => {
            let statement = SignedStatement::decode(&bytes, KeyOrder::Any).map_err(|e| text(&e))?;
            if !statement.verify(&issuer) {
                return Err("the signature does not verify under the issuer's key".into());
            }
            if let Some(leaf) = case["leaf_hash"].as_str() {
                assert_eq!(leaf_hash(&bytes).to_hex(), leaf);
                let preimage = read(&format!("scitt/{}", case["preimage"].as_str().unwrap()));
                assert_eq!(statement.sign1.payload.as_deref(), Some(&Hash::of(&preimage).0[..]));
            }
            Ok(())
        }
        "receipt" => {
            let receipt = Receipt::decode(&bytes).map_err(|e| text(&e))?;
            let statement = entry(case["statement"].as_str().unwrap());
            let leaf = leaf_hash(&statement.sign1.encode());
            receipt.verify_inclusion(&log, leaf).map(drop).map_err(|e| text(&e))?;
            let proof = receipt.inclusion().map_err(|e| text(&e))?;
            if let Some(size) = case["tree_size"].as_u64() {
                assert_eq!((proof.size, Some(proof.index)), (size, case["leaf_index"].as_u64()));
            }
            Ok(())
        }
        _ => {
            let (sign1, receipts) = transparent(&bytes).map_err(|e| text(&e))?;
            let leaf = leaf_hash(&sign1.encode());
            let statement = SignedStatement::from_sign1(sign1).map_err(|e| text(&e))?;
            if !statement.verify(&issuer) {
                return Err("the signature does not verify under the issuer's key".into());
            }
            receipts
                .iter()
                .try_for_each(|r| r.verify_inclusion(&log, leaf).map(drop).map_err(|e| text(&e)))
        }
    }
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn scitt_vectors_are_accepted_or_refused_with_the_reason() {
    // A word of the reason that each bad vector must be refused for.
    let reasons = [
        ("bad-statement-signature", "signature"),
        ("bad-statement-payload", "signature"),
        ("bad-statement-trailing", "1 more bytes follow"),
        ("bad-statement-truncated", "ends in the middle"),
        ("bad-statement-other-key", "signature"),
        ("bad-statement-crit", "crit"),
        ("bad-statement-no-sub", "subject"),
        ("bad-statement-no-claims", "CWT issuer"),
        ("bad-statement-content-type", "label 3"),
        ("bad-statement-untagged", "tag 18"),
        ("bad-statement-indefinite", "not deterministic"),
        ("bad-receipt-wrong-index", "root"),
        ("bad-receipt-short-path", "hashes"),
        ("bad-receipt-long-path", "hashes"),
        ("bad-receipt-hash-31", "32 bytes"),
        ("bad-receipt-index-beyond", "not in a tree"),
        ("bad-receipt-signature", "signature"),
        ("bad-receipt-attached", "detached"),
        ("bad-receipt-no-proof", "proofs"),
        ("bad-receipt-size-zero", "not in a tree"),
        ("bad-receipt-vds-unprotected", "vds"),
        ("bad-receipt-other-log", "signature"),
        ("bad-receipt-other-leaf", "root"),
    ];
    let index = json("scitt/index.json");
    let (mut good, mut bad) = (0, 0);
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let judged = judge(&index, case);
        if case["valid"].as_bool().unwrap() {
            assert_eq!(judged, Ok(()), "{name}");
            good += 1;
        } else {
            let reason = reasons.iter().find(|(n, _)| *n == name);
            let reason = reason.unwrap_or_else(|| panic!("no reason is known for {name}")).1;
            let why = judged.expect_err(name);
            assert!(why.contains(reason), "{name}: {why}");
            bad += 1;
        }
    }
    assert_eq!((good, bad), (27, reasons.len()));
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn scitt_consistency_vectors_agree() {
    let index = json("scitt/index.json");
    let cases = index["consistency"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let hash = |value: &Value| Hash::from_hex(value.as_str().unwrap()).unwrap();
        let path: Vec<Hash> = case["path"].as_array().unwrap().iter().map(hash).collect();
        let (old, new) = (case["size1"].as_u64().unwrap(), case["size2"].as_u64().unwrap());
        let (root1, root2) = (hash(&case["root1"]), hash(&case["root2"]));
        verify_consistency(old, new, &path, root1, root2).unwrap();
        assert!(verify_consistency(old, new, &path, root2, root1).is_err());
    }
}

#[test]
#[cfg_attr(not(have_vectors), ignore = "COLDLOG_VECTORS is not there")]
fn cose_draft_vectors_parse() {
    let inclusion = Receipt::decode(&read("cose/inclusion-receipt.cbor")).unwrap();
    let proof = inclusion.inclusion().unwrap();
    assert_eq!((proof.size, proof.index, proof.path.len()), (5, 3, 3));
    let consistency = Receipt::decode(&read("cose/consistency-receipt.cbor")).unwrap();
    let Proofs::Consistency(proofs) = &consistency.proofs else { panic!("no consistency proof") };
    assert_eq!((proofs[0].old, proofs[0].new, proofs[0].path.len()), (3, 5, 4));
    assert_eq!(inclusion.encode(), read("cose/inclusion-receipt.cbor"));
    assert_eq!(consistency.encode(), read("cose/consistency-receipt.cbor"));
}
