//! Uploads to mirrors (C2SP tlog-mirror): framing, what is taken, and what a package proves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::merkle::{
    is_subtree, leaf_hash, subtree_consistency_path, verify_subtree_consistency,
};
use coldlog_spec::mirroring::{
    Info, Package, Standing, Upload, UploadRefusal, decide_upload, verify_bundle,
};
use common::*;
use proptest::prelude::*;

#[test]
fn every_subtree_of_every_small_tree_is_proven_and_no_other_is() {
    let all = leaves(70);
    for size in 1..=70u64 {
        let tree = &all[..size as usize];
        for start in 0..size {
            for end in start + 1..=size {
                let path = subtree_consistency_path(start, end, size, &mut reader(tree)).unwrap();
                let part = root(&tree[start as usize..end as usize]);
                let proven = verify_subtree_consistency(start, end, size, &path, part, root(tree));
                assert_eq!(proven.is_ok(), is_subtree(start, end), "[{start}, {end}) of {size}");
                let other = leaf_hash(b"another");
                verify_subtree_consistency(start, end, size, &path, other, root(tree)).unwrap_err();
            }
        }
    }
}

fn upload(start: u64, end: u64) -> Upload {
    Upload { origin: "log.example".into(), start, end, ticket: vec![7; 3] }
}

#[test]
fn packages_are_those_of_the_standard() {
    let packages =
        |start, end| upload(start, end).packages().map(|r| (r.start, r.end)).collect::<Vec<_>>();
    assert_eq!(packages(0, 0), []);
    assert_eq!(packages(300, 300), []);
    assert_eq!(packages(0, 256), [(0, 256)]);
    assert_eq!(packages(0, 257), [(0, 256), (256, 257)]);
    assert_eq!(packages(300, 1025), [(300, 512), (512, 768), (768, 1024), (1024, 1025)]);
    assert_eq!(packages(1000, 1010), [(1000, 1010)]);
    assert_eq!(packages(u64::MAX - 1, u64::MAX), [(u64::MAX - 1, u64::MAX)]);
}

#[test]
fn a_bundle_is_taken_only_where_its_path_leads_to_the_head() {
    let all = leaves(600);
    let head = Checkpoint { origin: "log.example".into(), size: 600, root: root(&all) };
    let parts = [(0, 0..256), (1, 256..512), (2, 512..600)];
    for (bundle, range) in parts {
        let path =
            subtree_consistency_path(range.start, range.end, 600, &mut reader(&all)).unwrap();
        let part = &all[range.start as usize..range.end as usize];
        verify_bundle(bundle, part, &path, &head).unwrap();
        verify_bundle((bundle + 1) % 3, part, &path, &head).unwrap_err();
        verify_bundle(bundle, &part[..part.len() - 1], &path, &head).unwrap_err();
        verify_bundle(bundle, &[], &path, &head).unwrap_err();
        let mut other = part.to_vec();
        other.swap(3, 4);
        verify_bundle(bundle, &other, &path, &head).unwrap_err();
        verify_bundle(u64::MAX / 256, part, &path, &head).unwrap_err();
    }
}

#[test]
fn an_upload_is_taken_where_the_standard_says_so() {
    let standing = Standing { pending: vec![600, 900, 1000], size: 512, next: 700 };
    let decide = |start, end| decide_upload(&upload(start, end), Some(&standing));
    for (start, end) in
        [(512, 600), (700, 1000), (700, 900), (600, 1000), (0, 600), (512, 512), (600, 600)]
    {
        assert_eq!(decide(start, end), Ok(()), "[{start}, {end})");
    }
    // Beyond what it has, of a head that it never saw, and of one that it has left behind.
    for (start, end) in [(701, 1000), (700, 800), (700, 1001), (0, 256)] {
        let refused = decide(start, end).unwrap_err();
        assert_eq!(refused.status(), 409, "[{start}, {end}): {refused}");
    }
    let far = Standing { pending: vec![100_000], size: 0, next: 50_000 };
    let again = |start| decide_upload(&upload(start, 100_000), Some(&far));
    assert_eq!(again(50_000 - 8192), Ok(()));
    assert_eq!(again(50_000 - 8193).unwrap_err().status(), 409);
    let none = Standing { pending: vec![], size: 0, next: 0 };
    assert_eq!(decide_upload(&upload(0, 0), Some(&none)), Err(UploadRefusal::NoHead));
    let unknown = decide_upload(&upload(0, 0), None).unwrap_err();
    assert_eq!(unknown.status(), 404, "{unknown}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_was_written_is_read_and_the_same_again(
        start in any::<u64>(), more in 0u64..2000, ticket in proptest::collection::vec(any::<u8>(), 0..40),
        entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 1..20),
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..63),
    ) {
        let end = start.saturating_add(more);
        let upload = Upload { origin: "log.example/a".into(), start, end, ticket: ticket.clone() };
        let path: Vec<_> = path.into_iter().map(coldlog_spec::hash::Hash).collect();
        let package = Package { entries, path };
        let count = package.entries.len() as u64;
        let (head, body) = (upload.encode().unwrap(), package.encode().unwrap());
        let whole = [head.clone(), body.clone()].concat();
        prop_assert_eq!(Upload::decode(&whole), Ok(Some((upload, head.len()))));
        prop_assert_eq!(Package::decode(&whole[head.len()..], count), Ok(Some((package, body.len()))));
        for cut in 0..head.len() {
            prop_assert_eq!(Upload::decode(&head[..cut]), Ok(None));
        }
        for cut in 0..body.len() {
            prop_assert_eq!(Package::decode(&body[..cut], count), Ok(None));
        }
        let info = Info { size: end, next: start, ticket };
        prop_assert_eq!(Info::decode(&info.encode()), Ok(info));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0u64..5) {
        if let Ok(Some((upload, used))) = Upload::decode(&bytes) {
            prop_assert_eq!(upload.encode().unwrap(), bytes[..used].to_vec());
        }
        if let Ok(Some((package, used))) = Package::decode(&bytes, count) {
            prop_assert_eq!(package.encode().unwrap(), bytes[..used].to_vec());
        }
        if let Ok(info) = Info::decode(&String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(info.encode().into_bytes(), bytes);
        }
    }
}

#[test]
fn what_is_no_upload_is_refused() {
    let mut bytes = upload(9, 8).encode().unwrap();
    Upload::decode(&bytes).unwrap_err();
    bytes = Upload { origin: "no origin".into(), ..upload(0, 1) }.encode().unwrap();
    Upload::decode(&bytes).unwrap_err();
    Package::decode(&[0, 0, 64], 1).unwrap_err();
    for text in ["", "1\n2\n", "1\n2\n\n\n", "01\n2\n\n", "1\n2\n!\n", "1\n2\n", "1\n2\n\n "] {
        Info::decode(text).unwrap_err();
    }
    assert_eq!(Info::decode("1\n2\n\n").unwrap(), Info { size: 1, next: 2, ticket: vec![] });
}
