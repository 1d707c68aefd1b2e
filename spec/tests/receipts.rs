//! The rules by which a signer takes receipts back and a verifier reads them. Each row breaks one rule
//! by one thing, in freshly signed bytes, and stands beside its neighbour that keeps it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::batch::{SignedTail, Tail};
use coldlog_spec::cose::{Claims, Sign1, label};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{consistency_path, inclusion_path, leaf_hash};
use coldlog_spec::policy::Policy;
use coldlog_spec::receipt::{Consistency, Inclusion, Receipt, ReceiptSigner};
use coldlog_spec::receipts::Header;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::verify::heads::{Conviction, judge};
use coldlog_spec::verify::receipts::{Refusal, verify_head, verify_receipt, verify_tail};
use common::rules::*;
use common::*;
use std::collections::BTreeSet;

variants!(ALL, variant, Refusal:
    Decode Checkpoint Head Receipt NoReceiptKey OtherHead OtherClaims History OlderCopy Forked
    TailSignature OlderHead OtherStart Rehearsal);

fn header(old_size: u64, size: usize, leaves: &[Hash], path: Vec<Hash>) -> Header {
    let head = cosigned(size as u64, root(&leaves[..size]), &TIMES);
    Header { claims: claims(), checkpoint: head.encode(), old_size, consistency: path }
}

// A log of 12 entries, and the same log with its first entry rewritten.
fn histories() -> (Vec<Hash>, Vec<Hash>) {
    let (honest, mut other) = (leaves(12), leaves(12));
    other[0] = leaf_hash(b"rewritten");
    (honest, other)
}

// What the signer remembers is the honest log at some size.
fn remembered((size, header): (usize, Header)) -> Result<(), Refusal> {
    let memory = cosigned(size as u64, root(&histories().0[..size]), &TIMES);
    let head = verify_head(&header, &policy("two"), Some(&memory))?;
    assert_eq!(cosigned(12, root(&histories().0), &[]).checkpoint, *head.checkpoint());
    Ok(())
}

fn head_rows() -> Vec<Row<Refusal>> {
    let (honest, other) = histories();
    let path = |leaves: &[Hash], old| consistency_path(old, 12, &mut reader(leaves)).unwrap();
    let from = |old: usize| (old, header(old as u64, 12, &honest, path(&honest, old as u64)));
    let rewritten = |old: usize| (old, header(old as u64, 12, &other, path(&other, old as u64)));
    // Where the older tree is a complete subtree, its other root stands before the path.
    let shown = |(old, mut header): (usize, Header)| {
        header.consistency.insert(0, root(&other[..old]));
        (old, header)
    };
    let note = |checkpoint: Vec<u8>| {
        let header = Header { checkpoint, ..from(5).1 };
        verify_head(&header, &policy("two"), None).map(|_| ())
    };
    let head = |times: &[(usize, u64)]| cosigned(12, root(&honest), times).encode();
    let cut = head(&TIMES)[..head(&TIMES).len() - 1].to_vec();
    let mut altered = cosigned(12, root(&honest), &TIMES);
    altered.note.signatures[2].signature[3] ^= 1;
    let nowhere = header(5, 12, &honest, vec![Hash([7; 32]); path(&honest, 5).len()]);
    let older = header(5, 5, &honest, vec![]);
    vec![
        row("a note cut short", note, [head(&TIMES), cut], "Checkpoint", "no newline at its end"),
        row("too few witnesses", note, [head(&TIMES[..2]), head(&TIMES[..1])], "Head", "quorum"),
        row("an altered line", note, [head(&TIMES), altered.encode()], "Head", "does not verify"),
        row(
            "a proof from elsewhere",
            remembered,
            [from(5), (5, from(4).1)],
            "OtherStart",
            "--old 5",
        ),
        row(
            "an older head",
            remembered,
            [from(12), (12, older)],
            "OlderHead",
            "size 5, this machine remembers one of size 12",
        ),
        row(
            "another root of the same size",
            remembered,
            [from(12), rewritten(12)],
            "History",
            "two histories",
        ),
        row(
            "a rewritten history",
            remembered,
            [from(5), rewritten(5)],
            "History",
            "does not extend",
        ),
        row(
            "a rewritten subtree",
            remembered,
            [from(8), shown(rewritten(8))],
            "History",
            "does not extend",
        ),
        row(
            "a rewritten subtree, not shown",
            remembered,
            [from(8), rewritten(8)],
            "History",
            "no proof that",
        ),
        row("a path to nowhere", remembered, [from(5), (5, nowhere)], "History", "no proof that"),
    ]
}

fn tail_of(key: &SecretKey, claims: &Claims, count: u64, head: Hash) -> SignedTail {
    SignedTail::sign(key, claims, Tail { count, head }).unwrap()
}

fn tail_rows() -> Vec<Row<Refusal>> {
    // This journal ends with the record 1; the log answers to a tail that it was sent.
    let own = Tail { count: 2, head: newest().leaf() };
    let back = |tail: SignedTail| {
        let at = [genesis("age1x"), newest()];
        let place = at.iter().find(|statement| statement.position.sequence + 1 == tail.tail.count);
        verify_tail(&tail, &admission(), &own, place)
    };
    let by = |count, head| tail_of(&signer(), &claims(), count, head);
    let (good, first) = (|| by(2, newest().leaf()), genesis("age1x").leaf());
    let fork = commitment(&after(1, first), 9).leaf();
    let elsewhere = Claims { issuer: "other.example".into(), ..claims() };
    let elsewhere = tail_of(&signer(), &elsewhere, 2, newest().leaf());
    let forger = tail_of(&stranger(), &claims(), 2, newest().leaf());
    let altered = SignedTail::decode(&flipped(good().sign1.encode())).unwrap();
    let not_ours = "not signed by this journal's key";
    vec![
        row("a stranger's tail", back, [good(), forger], "TailSignature", not_ours),
        row("another journal's tail", back, [good(), elsewhere], "TailSignature", not_ours),
        row("a flipped bit", back, [good(), altered], "TailSignature", not_ours),
        row(
            "a journal that went back",
            back,
            [by(1, first), by(3, fork)],
            "OlderCopy",
            "the tail 3:",
        ),
        row(
            "a journal that forked",
            back,
            [good(), by(2, fork)],
            "Forked",
            "another record at that place",
        ),
        row("a fork before the end", back, [by(1, first), by(1, fork)], "Forked", "the tail 1:"),
    ]
}

fn receipt_rows() -> Vec<Row<Refusal>> {
    let statement = newest();
    let mut tree = leaves(12);
    tree[3] = statement.leaf();
    let head = |size: usize| cosigned(size as u64, root(&tree[..size]), &[]).checkpoint;
    let log = head_keys(LOG, 2).ed25519;
    let proof = |size: usize| Inclusion {
        size: size as u64,
        index: 3,
        path: inclusion_path(3, size as u64, &mut reader(&tree[..size])).unwrap(),
    };
    let signed =
        |by: &str, subject: &str| ReceiptSigner::new(&log, by, subject, head(12).root).unwrap();
    let good = || signed(LOG, "journal").inclusion(proof(12));
    let judged = |receipt: Receipt| {
        let index = verify_receipt(&receipt, &statement, &head(12), &policy("two"))?;
        assert_eq!(index, 3);
        Ok(())
    };
    let claimed = |(by, subject): (&str, &str)| judged(signed(by, subject).inclusion(proof(12)));
    let proven = |proof: Inclusion| judged(signed(LOG, "journal").inclusion(proof));
    let under = |policy: String| {
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        verify_receipt(&good(), &statement, &head(12), &policy).map(|_| ())
    };
    let of = |statement: Statement| {
        verify_receipt(&good(), &statement, &head(12), &policy("two")).map(|_| ())
    };
    let against =
        |size: usize| verify_receipt(&good(), &statement, &head(size), &policy("two")).map(|_| ());
    // The log's first line is its Ed25519 key, which alone signs receipts.
    let all = policy_text("two");
    let keyless = all.split_once('\n').unwrap().1.to_owned();
    let mut unclaimed = good().sign1;
    unclaimed.protected.0.retain(|(label, _)| *label != label::CLAIMS);
    let signature = Sign1::sign(&log, unclaimed.protected, &head(12).root.0, true).unwrap();
    let unclaimed = Sign1 { unprotected: unclaimed.unprotected, ..signature };
    let unclaimed = Receipt::from_sign1(unclaimed).unwrap();
    let consistency = Consistency { old: 12, new: 12, path: vec![] };
    let consistency = signed(LOG, "journal").consistency(consistency);
    let altered = Receipt::decode(&flipped(good().encode())).unwrap();
    let practised = Claims { issuer: "rehearsal.invalid/signer".into(), ..claims() };
    let position = after(1, genesis("age1x").leaf());
    let practised =
        Statement::sign(&signer(), &practised, &position, Payload::Commitment(Hash([1; 32])))
            .unwrap();
    // Only the root is signed: the same path fits leaf 3 of 11 entries too.
    let resized = Inclusion { size: 11, ..proof(12) };
    let outside = Inclusion { index: 12, ..proof(12) };
    vec![
        row("a receipt without claims", judged, [good(), unclaimed], "Decode", "CWT claims"),
        row("a policy without the key", under, [all, keyless], "NoReceiptKey", "no Ed25519 key"),
        row(
            "another log",
            claimed,
            [(LOG, "journal"), ("o", "journal")],
            "OtherClaims",
            "by \"o\"",
        ),
        row("another journal", claimed, [(LOG, "journal"), (LOG, "j")], "OtherClaims", "for \"j\""),
        row("another size", proven, [proof(12), resized], "OtherHead", "leads to size 11"),
        row("another head", against, [12, 11], "OtherHead", "cosigned head says size 11"),
        row("an index outside", proven, [proof(12), outside], "Receipt", "leaf index 12"),
        row("an older tree", proven, [proof(12), proof(4)], "Receipt", "does not cover"),
        row("another statement", of, [newest(), genesis("age1x")], "Receipt", "does not cover"),
        row("a flipped bit", judged, [good(), altered], "Receipt", "does not cover"),
        row("a rehearsal's statement", of, [newest(), practised], "Rehearsal", "is of a rehearsal"),
        row("another proof", judged, [good(), consistency], "Receipt", "a consistency proof"),
    ]
}

#[test]
fn every_rule_of_a_receipt_refuses_what_breaks_only_it() {
    let rows: Vec<_> = [head_rows(), tail_rows(), receipt_rows()].into_iter().flatten().collect();
    hold(&rows, variant);
    let reached: BTreeSet<&str> = rows.iter().map(|row| row.refusal).collect();
    assert_eq!(reached, ALL.iter().copied().collect());
}

#[test]
fn a_fork_that_the_signer_meets_convicts_its_key() {
    let forks = tail_rows().into_iter().filter_map(|row| match row.found {
        Err(Refusal::Forked { evidence, .. }) => Some(evidence),
        _ => None,
    });
    let forks: Vec<Box<Evidence>> = forks.collect();
    // The record 1 against a tail of two, and the genesis against a tail of one.
    let [record, genesis] = forks.as_slice() else { panic!("{} forks", forks.len()) };
    convicts_the_signer(record, 1);
    convicts_the_signer(genesis, 0);
}

#[test]
fn a_history_is_evidence_only_where_it_convicts_the_log() {
    let mut convicted = Vec::new();
    for row in head_rows() {
        let Err(Refusal::History { misfit, evidence }) = row.found else { continue };
        assert_eq!(misfit.convicts(), evidence.is_some(), "{}", row.broken);
        let Some(evidence) = evidence else { continue };
        let read = Evidence::decode(&evidence.encode()).unwrap();
        let verdict = judge(&read, &policy("two")).unwrap();
        assert_eq!(verdict, Conviction::SplitView { origin: LOG.into(), misfit });
        convicted.push(row.broken);
    }
    let expected = ["another root of the same size", "a rewritten history", "a rewritten subtree"];
    assert_eq!(convicted, expected);
}
