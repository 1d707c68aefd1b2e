//! "Did enough people approve this?": each way in which they did not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::approval::{Approval, Carried, MAX_DOCUMENTS, PolicyError, Request, Requested};
use coldlog_spec::approval::{ApprovalPolicy, Approver};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Operation;
use coldlog_spec::verify::approvals::{Approved, NotApproved, Signing, Used, judge};
use common::*;

fn signed(request: &Request, seeds: &[u8]) -> Carried {
    let sign = |seed: &u8| {
        let key = SecretKey::from_seed(&[*seed; 32]);
        Approval::sign(&key, request.clone(), 75, *seed != 23).unwrap().bare()
    };
    Carried { approvals: seeds.iter().map(sign).collect(), index: 1, path: request.path(1) }
}

fn verdict(carried: &Carried, change: impl FnOnce(&mut Signing)) -> Result<Approved, NotApproved> {
    let Operation::Sign { document, .. } = record().operation else { unreachable!() };
    let (claims, document) = (claims(), Requested::from(&document));
    let mut signing = Signing {
        claims: &claims,
        genesis: Some(genesis("age1x").leaf()),
        document: &document,
        operator: "Ada",
        purpose: "test",
        time: 77,
    };
    change(&mut signing);
    judge(&approval_policy(), &signing, carried)
}

#[test]
fn enough_approvers_of_this_very_thing_are_named() {
    let carried = signed(&request_to_approve(), &[21, 23]);
    let approved = verdict(&carried, |_| {}).unwrap();
    assert_eq!(approved.words(), "approved by Ben and Dora (unseen), 2 of 3");
    // Up to the last second.
    assert!(verdict(&carried, |signing| signing.time = 80).is_ok());
}

#[test]
fn each_way_in_which_it_is_not_approved_has_its_reason() {
    let request = request_to_approve();
    let carried = signed(&request, &[21, 22]);
    let few = verdict(&signed(&request, &[21]), |_| {});
    assert!(matches!(few, Err(NotApproved::TooFew { found: 1, demanded: 2, .. })));
    let none = verdict(&Carried::default(), |_| {});
    assert!(matches!(none, Err(NotApproved::TooFew { found: 0, .. })));
    let stranger = verdict(&signed(&request, &[21, 22, 9]), |_| {});
    assert!(matches!(stranger, Err(NotApproved::Stranger { .. })));
    let twice = verdict(&signed(&request, &[21, 21]), |_| {});
    assert_eq!(twice, Err(NotApproved::Twice("Ben".into())));
    let mut two = carried.clone();
    let other = Request { id: Hash([7; 32]), ..request.clone() };
    two.approvals[1] = signed(&other, &[22]).approvals.remove(0);
    let two = verdict(&two, |_| {});
    assert_eq!(two, Err(NotApproved::TwoRequests("Ben".into(), "Cleo".into())));
    let late = verdict(&carried, |signing| signing.time = 81);
    assert!(matches!(late, Err(NotApproved::Expired { .. })));
    for (change, expected) in [
        ((|signing| signing.purpose = "other") as fn(&mut Signing), "purpose"),
        (|signing| signing.operator = "Grace", "operator"),
        (|signing| signing.genesis = Some(Hash([1; 32])), "journal"),
    ] {
        let found = verdict(&carried, change);
        assert!(matches!(found, Err(NotApproved::Other { what, .. }) if what == expected));
    }
    // Another place of the request, or another path, is another document.
    for (index, path) in
        [(0, request.path(0)), (1, request.path(0)), (2, request.path(1)), (1, vec![])]
    {
        let moved = Carried { index, path, ..carried.clone() };
        assert!(matches!(verdict(&moved, |_| {}), Err(NotApproved::OtherDocument { .. })));
    }
    // More documents were asked for.
    let mut longer = request.clone();
    longer.documents.swap(0, 1);
    let swapped = Carried { index: 1, path: longer.path(1), ..signed(&longer, &[21, 22]) };
    assert!(matches!(verdict(&swapped, |_| {}), Err(NotApproved::OtherDocument { .. })));
}

#[test]
fn a_place_of_a_request_is_used_once() {
    let carried = signed(&request_to_approve(), &[21, 22]);
    let mut used = Used::default();
    assert!(used.note(&claims(), &carried));
    assert!(!used.note(&claims(), &carried));
    assert!(used.note(&claims(), &Carried { index: 2, ..carried }));
    assert!(used.note(&claims(), &Carried::default()));
    assert!(used.note(&claims(), &Carried::default()));
}

#[test]
fn a_request_that_was_swapped_beside_its_approval_is_refused() {
    let approval = approval(21);
    let bytes = approval.encode();
    let brought = approval.request.clone().unwrap();
    assert_eq!(Approval::decode(&bytes).unwrap(), approval);
    let other = Request { purpose: "tost".into(), ..brought.clone() };
    let (old, new) = (brought.encode(), other.encode());
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    let mut swapped = bytes.clone();
    swapped[at..at + old.len()].copy_from_slice(&new);
    assert!(Approval::decode(&swapped).unwrap_err().to_string().contains("another one"));
}

#[test]
fn a_policy_that_cannot_be_met_or_counts_somebody_twice_is_none() {
    let one = |name: &str, seed| Approver {
        name: name.into(),
        key: SecretKey::from_seed(&[seed; 32]).public(),
    };
    let policy = |threshold, approvers| ApprovalPolicy::new(threshold, approvers);
    let both = || vec![one("Ben", 1), one("Cleo", 2)];
    assert!(policy(1, both()).is_ok() && policy(2, both()).is_ok());
    for threshold in [0, 3] {
        let refused = policy(threshold, both());
        assert_eq!(refused, Err(PolicyError::Threshold { threshold, approvers: 2 }));
    }
    let refused = policy(1, vec![one("Ben", 1), one("Ben", 2)]);
    assert_eq!(refused, Err(PolicyError::SameName("Ben".into())));
    let refused = policy(1, vec![one("Ben", 1), one("Cleo", 1)]);
    assert_eq!(refused, Err(PolicyError::SameKey("Ben".into(), "Cleo".into())));
}

#[test]
fn a_request_of_the_most_documents_is_read_and_one_more_is_refused() {
    let mut request = request_to_approve();
    let document = request.documents[0].clone();
    request.documents = vec![document.clone(); MAX_DOCUMENTS];
    assert_eq!(Request::decode(&request.encode()).unwrap(), request);
    request.documents.push(document);
    assert!(Request::decode(&request.encode()).is_err());
}
