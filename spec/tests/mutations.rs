//! Mutations: any split of a tree, any order of a head's lines, any one change of any file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod change;
mod common;

use change::*;
use coldlog_spec::access::{self, Access};
use coldlog_spec::approval::{self, Approval};
use coldlog_spec::audit::Audit;
use coldlog_spec::backup::Manifest;
use coldlog_spec::batch::{self, SignedTail};
use coldlog_spec::cbor;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::document::DocumentHasher;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::{Hash, from_hex, to_hex};
use coldlog_spec::key_events::KeyEvents;
use coldlog_spec::merkle::{self, Node, empty_root, leaf_hash};
use coldlog_spec::openings::{self, Opening};
use coldlog_spec::pending::{Pack, Pending};
use coldlog_spec::policy::{HeadError, Policy};
use coldlog_spec::problem::Problem;
use coldlog_spec::proof::Proof;
use coldlog_spec::receipt::Receipt;
use coldlog_spec::record::{Disclosure, Scheme};
use coldlog_spec::registration::Registration;
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::{self, Tile, WIDTH};
use coldlog_spec::verify::document::{Proven, check};
use coldlog_spec::verify::heads::{Conviction, judge};
use coldlog_spec::verify::keys::Life;
use coldlog_spec::witnessing::{Request, Response};
use coldlog_spec::{manifest, receipts, statements};
use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use std::convert::Infallible;
use std::sync::LazyLock;

// ---- Any split of a tree

// The rows of tiles as a log keeps them: a full tile of one row is a hash of the row above, and
// nothing that was written changes.
#[derive(Default)]
struct Rows(Vec<Vec<Hash>>);

impl Rows {
    fn append(&mut self, batch: &[Hash]) {
        for leaf in batch {
            let (mut level, mut hash) = (0, *leaf);
            loop {
                if self.0.len() == level {
                    self.0.push(Vec::new());
                }
                let row = &mut self.0[level];
                row.push(hash);
                if !(row.len() as u64).is_multiple_of(WIDTH) {
                    break;
                }
                hash = tile::fold(&row[row.len() - WIDTH as usize..]).unwrap();
                level += 1;
            }
        }
    }

    // Reads through the names and widths of tiles in a tree of `size`.
    fn reader(&self, size: u64) -> impl FnMut(Node) -> Result<Hash, Infallible> + '_ {
        move |node| {
            let (Tile { level, index, .. }, within) = Tile::holding(node, size).unwrap();
            let start = (index * WIDTH) as usize;
            let row = &self.0[usize::from(level)];
            Ok(tile::fold(&row[start + within.start..start + within.end]).unwrap())
        }
    }
}

// Appends batch by batch and holds every head against the tree that was made at once.
fn split_as(sizes: &[u64]) {
    let all = leaves(sizes.iter().sum());
    let mut rows = Rows::default();
    let mut heads = vec![(0, empty_root())];
    for size in sizes {
        let (old, _) = heads[heads.len() - 1];
        let new = old + size;
        rows.append(&all[old as usize..new as usize]);
        let head = merkle::root(new, &mut rows.reader(new)).unwrap();
        assert_eq!(head, root(&all[..new as usize]), "root of {new} in {sizes:?}");
        heads.push((new, head));
        // From each head so far to the newest, as the log answers a witness.
        for (old, older) in heads.iter().filter(|(old, _)| *old > 0 || new > 0) {
            let path = merkle::consistency_path(*old, new, &mut rows.reader(new)).unwrap();
            let verdict = merkle::verify_consistency(*old, new, &path, *older, head);
            assert_eq!(verdict, Ok(()), "{old} to {new} in {sizes:?}");
        }
    }
}

#[test]
fn a_tree_of_three_rows_of_tiles_is_the_same_in_any_split() {
    // Around 256 * 256, where the third row begins.
    split_as(&[65_535, 1, 1, 255, 1]);
}

#[test]

fn the_empty_tree_extends_itself() {
    assert_eq!(merkle::verify_consistency(0, 0, &[], empty_root(), empty_root()), Ok(()));
}

// ---- Any order of a head's lines

// The lines on one head: the log's two, then two for each of three witnesses, `times` in order.
fn lines(times: &[u64; 6]) -> SignedCheckpoint {
    static SIGNED: LazyLock<SignedCheckpoint> = LazyLock::new(|| cosigned(5, Hash([5; 32]), &[]));
    let mut head = SIGNED.clone();
    for (witness, times) in witnesses().iter().zip(times.chunks_exact(2)) {
        head.note.signatures.push(witness.cosign(&head, times[0]).unwrap().swap_remove(0));
        head.note.signatures.push(witness.cosign(&head, times[1]).unwrap().swap_remove(1));
    }
    head
}

fn two_of_three() -> &'static Policy {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| policy("two"));
    &POLICY
}

#[test]

fn a_witness_that_cosigned_twice_bounds_the_time_alike_in_any_order() {
    let bounds = |times: &[(usize, u64)]| {
        let head = two_of_three().verify_head(&cosigned(5, Hash([5; 32]), times)).unwrap();
        (head.not_before(), head.not_after())
    };
    assert_eq!(bounds(&[(0, 100), (1, 110), (1, 300)]), bounds(&[(0, 100), (1, 300), (1, 110)]));
}

// ---- Any one change of any file

fn cbor_files() -> &'static [(&'static str, Vec<u8>)] {
    static FILES: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
        let mut files = files();
        files.retain(|(name, _)| !TEXTS.contains(name));
        files.push(("rewritten", rewritten().encode()));
        files
    });
    &FILES
}

// A log whose second head has another first leaf: the path convicts it.
fn rewritten() -> Evidence {
    let (older, mut newer) = (leaves(5), leaves(12));
    newer[0] = leaf_hash(b"rewritten");
    Evidence::SplitView {
        first: cosigned(5, root(&older), &[]).encode(),
        second: cosigned(12, root(&newer), &[]).encode(),
        path: merkle::consistency_path(5, 12, &mut reader(&newer)).unwrap(),
    }
}

// What the file's own decoder reads, written again.
fn again(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match name {
        "proof" => Proof::decode(bytes).ok().map(|v| v.encode()),
        "receipt" => Receipt::decode(bytes).ok().map(|v| v.encode()),
        "key events" => KeyEvents::decode(bytes).ok().map(|v| v.encode()),
        "statement" | "genesis" | "rotation event" | "revocation event" | "rules entry"
        | "reseal entry" => statement_again(bytes),
        "disclosure" | "approved disclosure" | "demanding disclosure" => {
            Disclosure::decode(bytes).ok().map(|v| v.encode())
        }
        "approval request" => approval::Request::decode(bytes).ok().map(|v| v.encode()),
        "approval" => Approval::decode(bytes).ok().map(|v| v.encode()),
        "tail" => SignedTail::decode(bytes).ok().map(|v| v.sign1.encode()),
        "batch header" => batch::Header::decode(bytes).ok().map(|v| v.encode()),
        "batch record" | "batch trailer" => {
            batch::Item::decode(bytes).ok().map(|item| match item {
                batch::Item::Record { statement, sealed } => {
                    batch::encode_record(&statement, &sealed)
                }
                batch::Item::Trailer { count, digest, tail } => {
                    batch::encode_trailer(count, digest, &tail)
                }
            })
        }
        "receipts header" => receipts::Header::decode(bytes).ok().map(|v| v.encode()),
        "receipts item" | "receipts trailer" => {
            receipts::Item::decode(bytes).ok().map(|v| v.encode())
        }
        "request" => {
            let body = Request::body_of_file(bytes).ok()?;
            Request::from_body(&body).ok().map(|v| v.encode())
        }
        "response" => Response::decode(bytes).ok().map(|v| v.encode()),
        "evidence" | "fork" | "forked tail" | "rewritten" | "cosigned twice" | "broken promise" => {
            Evidence::decode(bytes).ok().map(|v| v.encode())
        }
        "manifest" => manifest::decode(bytes).ok().map(|v| manifest::encode(&v)),
        "pending" => Pending::decode(bytes).ok().map(|v| v.encode()),
        "pack" => Pack::decode(bytes).ok().map(|v| v.encode()),
        "registration" => Registration::decode(bytes).ok().map(|v| v.encode()),
        "problem" => Problem::decode(bytes).ok().map(|v| v.encode()),
        "audit" => {
            let auditor = signer().public();
            Audit::verify(bytes, [&auditor]).ok().and_then(|v| v.sign(&signer()).ok())
        }
        "openings header" => {
            openings::decode_header(bytes).ok().map(|()| openings::encode_header())
        }
        "opening" => Opening::decode(bytes).ok().map(|v| v.encode()),
        "backup" => Manifest::decode(bytes).ok().map(|v| v.encode()),
        "statements header" => {
            statements::decode_header(bytes).ok().map(|v| statements::encode_header(&v))
        }
        "statements head" | "statements item" | "statements trailer" => {
            statements::Item::decode(bytes).ok().map(|v| v.encode())
        }
        "access header" => access::decode_header(bytes).ok().map(|v| access::encode_header(&v)),
        "access" => Access::decode(bytes).ok().map(|v| v.encode()),
        other => panic!("no decoder for {other}"),
    }
}

fn proven(bytes: &[u8]) -> Option<Proven> {
    let proof = Proof::decode(bytes).ok()?;
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    check(&digest, &proof, two_of_three(), None, Some(&signer().public())).ok()
}

// A changed file is refused, or it is written again as it stands; and whatever is signed proves what
// it proved before, or nothing.
fn holds(name: &str, good: &[u8], bad: &[u8]) {
    let Some(written) = again(name, bad).filter(|_| bad != good) else { return };
    assert_eq!(written, bad, "{name} re-encodes to other bytes");
    // Readers of a sequence cut items by their heads alone: both must see the same end.
    assert_eq!(cbor::item_length("sequence", bad, 1 << 22), Ok(Some(bad.len())), "{name}");
    match name {
        "proof" => same_facts(good, bad),
        "key events" => {
            let life = |bytes: &[u8]| {
                Life::of(&KeyEvents::decode(bytes).unwrap(), two_of_three(), &claims()).ok()
            };
            let full = life(good).unwrap();
            if let Some(found) = life(bad) {
                // An event may be cut out; whoever makes the file can do that. None is made up.
                let all = full.revoked();
                assert!(found.revoked().iter().all(|one| all.contains(one)), "{name}");
                assert!(found.has(&life_key(1)), "{name}");
            }
        }
        "revocation event" => {
            let verdict = Statement::decode(bad).unwrap().verify(&life_key(2));
            assert!(verdict.is_err(), "{name}: a signature over other bytes");
        }
        "statement" | "genesis" | "rotation event" | "rules entry" | "reseal entry" => {
            let verdict = Statement::decode(bad).unwrap().verify(&signer().public());
            assert!(verdict.is_err(), "{name}: a signature over other bytes");
        }
        // The request beside it is held against it; all else is signed.
        "approval" => {
            let (good, bad) = (Approval::decode(good).unwrap(), Approval::decode(bad).unwrap());
            assert!(!bad.verify() || bad.clone().bare() == good.bare(), "{name}");
        }
        "tail" => assert!(!SignedTail::decode(bad).unwrap().verify(&signer().public())),
        "evidence" | "fork" | "forked tail" | "rewritten" | "cosigned twice" | "broken promise" => {
            let verdict = |bytes: &[u8]| judge(&Evidence::decode(bytes).unwrap(), two_of_three());
            let full = verdict(good).unwrap();
            match (verdict(bad), &full) {
                (Err(_), _) => {}
                // Which head stands first is free.
                (
                    Ok(Conviction::SplitView { origin, .. }),
                    Conviction::SplitView { origin: same, .. },
                ) => assert_eq!(origin, *same),
                // A line that is broken is one fewer.
                (
                    Ok(Conviction::CosignedTwice { witnesses, .. }),
                    Conviction::CosignedTwice { witnesses: all, .. },
                ) => assert!(witnesses.iter().all(|name| all.contains(name))),
                (Ok(found), full) => assert_eq!(found, *full),
            }
        }
        _ => {}
    }
}

fn life_key(seed: u8) -> PublicKey {
    life::seeded(seed).public()
}

fn same_facts(good: &[u8], bad: &[u8]) {
    let Some(mut found) = proven(bad) else { return };
    let full = proven(good).unwrap();
    // The policy's digest is not signed: it only says where the proof comes from.
    assert_eq!(found.same_policy, Proof::decode(bad).unwrap().policy == two_of_three().digest);
    found.same_policy = full.same_policy;
    // A witness's line may be cut out or turned into a stranger's, and then it does not count. Each
    // witness has two lines, so that no bound moves by one change.
    let all = &full.logged[0].witnesses;
    assert!(found.logged[0].witnesses.iter().all(|witness| all.contains(witness)));
    found.logged[0].witnesses.clone_from(all);
    assert_eq!(found, full);
}

#[test]
fn the_unchanged_files_pass_all_that_the_changed_ones_may_fail() {
    for (name, bytes) in cbor_files() {
        assert_eq!(again(name, bytes).as_ref(), Some(bytes), "{name}");
        let mut places = Vec::new();
        assert_eq!(length_bytes(bytes, 0, &mut places), bytes.len(), "{name}");
    }
    let (name, proof) = &cbor_files()[0];
    assert!(*name == "proof" && proven(proof).is_some());
    // The walk reaches what is embedded: a receipt's path, the claims, the known head.
    let nodes = nodes(&cbor::decode("proof", proof, 1 << 22).unwrap());
    assert!(nodes > 40, "{nodes}");
}

#[test]

fn a_receipt_with_its_labels_in_another_order_is_written_as_it_was_read() {
    // 18([<< {1: -8, 395: 1} >>, {-70005: h'', 396: {-1: [<< [1, 0, []] >>]}}, null, h''])
    let bytes = "d28447a2012719018b01a23a000111744019018ca120814483010080f640";
    let bytes = from_hex(bytes).unwrap();
    assert_eq!(to_hex(&again("receipt", &bytes).unwrap_or(bytes.clone())), to_hex(&bytes));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_into_batches_gives_the_same_root_and_consistent_heads(
        sizes in proptest::collection::vec(0u64..400, 1..8)
    ) {
        split_as(&sizes);
    }

    #[test]
    fn a_head_needs_its_log_and_a_quorum_in_any_order_of_its_lines(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        kept in any::<[bool; 8]>(),
        times in prop::array::uniform6(1u64..1000),
        quorum in 1usize..=3,
    ) {
        let text = policy_text("two").replace("group two 2", &format!("group two {quorum}"));
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let mut head = lines(&times);
        let all = head.note.signatures.clone();
        let chosen = order.iter().filter(|line| kept[**line]);
        head.note.signatures = chosen.map(|line| all[*line].clone()).collect();
        // A witness counts from its first line on, and until its last.
        let spans: Vec<(u64, u64)> = (0..3).filter_map(|witness| {
            let own = [2 * witness, 2 * witness + 1];
            let own = own.iter().filter(|line| kept[2 + **line]).map(|line| times[*line]);
            Some((own.clone().min()?, own.max()?))
        }).collect();
        let (mut first, mut last): (Vec<u64>, Vec<u64>) = spans.into_iter().unzip();
        first.sort_unstable();
        last.sort_unstable_by(|a, b| b.cmp(a));
        match policy.verify_head(&head) {
            Ok(cosigned) => {
                prop_assert!(kept[0] || kept[1]);
                prop_assert!(first.len() >= quorum);
                prop_assert_eq!(cosigned.not_after(), Some(first[quorum - 1]));
                prop_assert_eq!(cosigned.not_before(), Some(last[quorum - 1]));
                let vouching = kept[2..].iter().filter(|kept| **kept).count();
                prop_assert_eq!(cosigned.witnesses().len(), vouching);
                prop_assert_eq!(&SignedCheckpoint::decode(&head.encode()).unwrap(), &head);
            }
            Err(HeadError::Quorum { .. }) => {
                prop_assert!((kept[0] || kept[1]) && first.len() < quorum);
            }
            Err(refusal) => prop_assert!(!kept[0] && !kept[1], "{}", refusal),
        }
    }

    #[test]
    fn one_changed_field_of_any_file_is_refused_or_stands_as_written(change in any_change()) {
        for (name, bytes) in cbor_files() {
            holds(name, bytes, &change.of(bytes));
        }
    }

    #[test]
    fn one_changed_line_of_a_head_adds_nothing_to_a_proof(change in any_change()) {
        let good = &cbor_files()[0].1;
        let mut proof = Proof::decode(good).unwrap();
        let note = proof.receipts[0].checkpoint.clone().unwrap();
        let mut lines: Vec<&[u8]> = note.split_inclusive(|byte| *byte == b'\n').collect();
        change.list(&mut lines);
        proof.receipts[0] = proof.receipts[0].clone().with_checkpoint(&lines.concat());
        holds("proof", good, &proof.encode());
    }

    #[test]
    fn one_changed_length_of_any_file_is_refused_or_stands_as_written(
        at in any::<Index>(),
        by in 1u8..=255,
    ) {
        for (name, bytes) in cbor_files() {
            let mut places = Vec::new();
            length_bytes(bytes, 0, &mut places);
            let mut bad = bytes.clone();
            bad[*at.get(&places)] ^= by;
            holds(name, bytes, &bad);
        }
    }
}
