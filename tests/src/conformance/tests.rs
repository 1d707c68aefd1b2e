//! The suite against a witness of its own, which is right or wrong in one way at a time.

mod fake;
mod fault;
mod server;

use super::cosignature::verify;
use super::http::Prefix;
use super::logs::{Which, now, open, subject};
use super::report::{Case, Outcome, Report};
use super::tree::Tree;
use super::{Options, keys, run};
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys};
use coldlog_spec::merkle::{is_subtree, leaf_hash, verify_subtree_consistency};
use coldlog_spec::{ed25519, mldsa};
use fake::Fake;
use fault::Fault;
use server::Server;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn options(server: &Server, fake: &Fake) -> Options {
    Options {
        submission: server.url("/w/"),
        monitoring: Some(server.url("/m")),
        keys: fake.keys.iter().map(|key| key.verifier.clone()).collect(),
        monitoring_delay: Duration::ZERO,
    }
}

fn serve(fault: Fault, folder: &Path) -> (Server, Options) {
    let fake = Arc::new(Fake::new(fault, &keys(folder).unwrap()));
    let answering = fake.clone();
    let server = Server::start(move |request| answering.answer(request), fault != Fault::HangsUp);
    let options = options(&server, &fake);
    (server, options)
}

fn conform(fault: Fault) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let (_server, options) = serve(fault, folder.path());
    run(&options, folder.path(), &mut |_| {}).unwrap()
}

#[test]
fn a_right_witness_passes_and_passes_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, options) = serve(Fault::Nothing, folder.path());
    let mut remembered = 0;
    for _ in 0..2 {
        let report = run(&options, folder.path(), &mut |_| {}).unwrap();
        let (passed, failed, skipped) = report.counts();
        let right = passed > 150 && failed == 0 && skipped == 0;
        let wrong = || report.cases.iter().filter(|case| case.outcome != Outcome::Pass);
        let wrong = || wrong().map(Case::text).collect::<Vec<_>>().join("\n");
        assert!(right, "{}\n{}", report.summary(), wrong());
        let mut names: Vec<_> = report.cases.iter().map(|case| &case.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), report.cases.len(), "each case has a name of its own");
        remembered += names.iter().filter(|name| name.starts_with("remembers/")).count();
        println!("{}", report.summary());
    }
    assert_eq!(remembered, 4);
}

#[test]
fn a_witness_that_forgot_is_found_out_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    for expected in [None, Some("remembers/single")] {
        let (_server, options) = serve(Fault::Nothing, folder.path());
        let report = run(&options, folder.path(), &mut |_| {}).unwrap();
        assert_eq!(report.failed().first().copied(), expected);
    }
}

#[test]
fn a_witness_without_subtrees_passes_with_one_case_skipped() {
    let report = conform(Fault::NoSubtree);
    assert_eq!(report.failed(), Vec::<&str>::new());
    let skipped = report.cases.iter().filter(|case| matches!(case.outcome, Outcome::Skip(_)));
    assert_eq!(skipped.map(|case| case.name.as_str()).collect::<Vec<_>>(), ["subtree"]);
}

// The names, or their beginnings, of cases that must fail for a fault.
const MUTANTS: &[(Fault, &[&str])] = &[
    (Fault::AlwaysSucceeds, &["unknown-origin", "conflict/zero-old", "malformed/empty-body"]),
    (Fault::KeepsNothing, &["accepts-an-extension", "grows", "race/one-history"]),
    (Fault::IgnoresProofs, &["wrong-proof/none", "rewritten/first-leaf"]),
    (Fault::ChecksAndWritesApart, &["race/forks/", "race/sizes/"]),
    (Fault::WritesAgainApart, &["race/cosigning-again/"]),
    (Fault::WrongContentType, &["conflict/stale-old", "conflict/never-cosigned"]),
    (Fault::SizeWithoutNewline, &["conflict/stale-old", "conflict/future-old"]),
    (Fault::OldLargerIsConflict, &["old-larger-than-head/by-one"]),
    (Fault::AnyEmptyRoot, &["empty-tree/other-root/silent"]),
    (Fault::ProofAtZero, &["old-zero-with-a-proof/silent"]),
    (Fault::SameSizeAnyRoot, &["same-size-other-root/single"]),
    (Fault::ConflictForOtherRoot, &["same-size-other-root/hybrid"]),
    (Fault::OneGoodLineWillDo, &["two-keys/hybrid/second-fails", "two-keys/rotated/first-fails"]),
    (Fault::MindsUnknownKeys, &["ignores-unknown-keys", "sixteen-large-signatures"]),
    (Fault::MindsItsOwnName, &["ignores-lines-under-its-own-name"]),
    (Fault::UnknownOriginIsForbidden, &["unknown-origin"]),
    (Fault::NoTime, &["answer/timestamp/ed25519", "answer/timestamp/ml-dsa-44"]),
    (Fault::OldTime, &["answer/time/ed25519", "answer/time/ml-dsa-44"]),
    (Fault::SignsThreeLines, &["extension-lines/single"]),
    (Fault::OneKeyOnly, &["answer/cosignature/ml-dsa-44"]),
    (Fault::AnswerWithoutNewline, &["answer/signature-lines"]),
    (Fault::ReturnsTheLogsLines, &["answer/no-line-of-the-log"]),
    (Fault::LenientNumbers, &["malformed/old-with-a-leading-zero", "malformed/old-with-a-plus"]),
    (Fault::LenientNewlines, &["malformed/carriage-returns"]),
    (Fault::NoLargeBodies, &["sixteen-large-signatures"]),
    (Fault::AnyMethod, &["method/PUT", "monitoring/method", "subtree/method"]),
    (Fault::HangsUp, &["keep-alive"]),
    (Fault::ServesTheFirst, &["monitoring/after-cosigning/single"]),
    (Fault::ServesWithoutTheLog, &["monitoring/after-cosigning/hybrid"]),
    (Fault::ServesAnotherSignature, &["monitoring/after-cosigning/rotated"]),
    (Fault::ServesRefused, &["monitoring/refusals-change-nothing/hybrid"]),
    (Fault::AnyCaseOfHash, &["monitoring/hash-in-capitals"]),
    (Fault::SubtreeWithTime, &["subtree/a-leaf", "subtree/the-whole-tree"]),
    (Fault::SubtreeAnyProof, &["subtree/wrong-proof/other-hash", "subtree/wrong-proof/truncated"]),
    (Fault::SubtreeAnyHead, &["subtree/not-cosigned", "subtree/cosignature-of-another-head"]),
    (Fault::SubtreeAnyRange, &["subtree/not-aligned", "subtree/beyond-the-head"]),
    (Fault::SubtreeOneKey, &["subtree/head-cosigned-by-"]),
];

#[test]
fn each_wrong_witness_fails_a_case_that_says_so() {
    let mut escaped = Vec::new();
    for (fault, expected) in MUTANTS {
        let report = conform(*fault);
        let failed = report.failed();
        println!("{fault:?}: {}", failed.join(" "));
        let seen = |name: &&&str| failed.iter().any(|failed| failed.starts_with(**name));
        escaped.extend(expected.iter().filter(|name| !seen(name)).map(|name| (fault, name)));
    }
    assert!(escaped.is_empty(), "{escaped:?}");
}

#[test]
fn proofs_are_those_that_verify() {
    let leaves: Vec<_> = (0..40u8).map(|index| leaf_hash(&[index])).collect();
    for size in 1..=leaves.len() {
        let tree = Tree(leaves[..size].to_vec());
        let size = tree.size();
        let ranges = (0..size).flat_map(|start| (start + 1..=size).map(move |end| (start, end)));
        for (start, end) in ranges.filter(|(start, end)| is_subtree(*start, *end)) {
            let proof = tree.subtree_consistency(start, end);
            let root = tree.root_of(start, end);
            verify_subtree_consistency(start, end, size, &proof, root, tree.root()).unwrap();
        }
    }
}

#[test]
fn what_keys_sign_is_what_the_other_code_signs() {
    let keys = HeadKeys {
        name: "log.example".into(),
        ed25519: ed25519::SecretKey::from_seed(&[1; 32]),
        mldsa: mldsa::SecretKey::from_seed(&[1; 32]),
    };
    let root = Tree(vec![leaf_hash(b"leaf")]).root();
    let head = Checkpoint { origin: "log.example".into(), size: 1, root };
    let signed = keys.sign_head(&head, 7).unwrap();
    let about = subject(&head, &signed.note.text);
    for (key, line) in keys.log_verifiers().iter().zip(&signed.note.signatures) {
        assert!(verify(key, line, &about).is_some());
    }
    for (key, line) in keys.witness_verifiers().iter().zip(keys.cosign(&signed, 9).unwrap()) {
        assert_eq!(verify(key, &line, &about), Some(9));
    }
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path()).unwrap();
    let log = &logs[Which::Hybrid as usize];
    let note = log.sign(&log.head(&log.tree(3)));
    let signed = coldlog_spec::checkpoint::SignedCheckpoint::decode(&note.encode()).unwrap();
    let verifiers: Vec<_> = log.signers.iter().map(|signer| &signer.verifier).collect();
    assert_eq!(signed.verified_by(&verifiers).unwrap().len(), 2);
    assert!(signed.verified_by(&verifiers).unwrap()[1].time.abs_diff(now()) < 60);
}

#[test]
fn keys_are_kept_and_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let lines = keys(folder.path()).unwrap();
    assert_eq!(lines, keys(folder.path()).unwrap());
    assert_eq!(lines.lines().count(), 8);
    for which in Which::ALL {
        let file = folder.path().join(format!("{}.key", which.name()));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let log = std::fs::read_to_string(file.with_extension("log")).unwrap();
        assert!(lines.contains(&log));
    }
}

#[test]
fn a_url_prefix_is_http_with_or_without_a_path() {
    for url in ["http://localhost:8080", "http://localhost/", "http://[::1]:80/a/b/"] {
        Prefix::parse(url).unwrap();
    }
    for url in ["https://localhost", "localhost:80", "http://", "http://a b", "http://a/?q"] {
        Prefix::parse(url).unwrap_err();
    }
    assert!(Prefix::parse("https://localhost").unwrap_err().contains("plaintext port"));
}
