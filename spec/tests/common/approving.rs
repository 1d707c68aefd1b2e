//! Those who approve: a request, its approvals, and records that carry or demand them.

use super::*;
use coldlog_spec::approval::{
    Approval, ApprovalPolicy, Approver, Request as ApprovalRequest, Requested,
};
use coldlog_spec::factor::{Factor, SecondFactor};

pub(crate) fn request_to_approve() -> ApprovalRequest {
    let Operation::Sign { document, .. } = record().operation else { unreachable!() };
    let other = Requested { name: "b".into(), ..Requested::from(&document) };
    ApprovalRequest {
        claims: claims(),
        genesis: genesis("age1x").leaf(),
        id: Hash([6; 32]),
        operator: "Ada".into(),
        purpose: "test".into(),
        made: 70,
        expires: 80,
        documents: vec![other.clone(), Requested::from(&document), other],
    }
}

pub(crate) fn approval(seed: u8) -> Approval {
    let key = SecretKey::from_seed(&[seed; 32]);
    Approval::sign(&key, request_to_approve(), 75, true).unwrap()
}

pub(crate) fn approval_policy() -> ApprovalPolicy {
    let approver = |(name, seed): (&str, u8)| Approver {
        name: name.into(),
        key: SecretKey::from_seed(&[seed; 32]).public(),
    };
    let approvers = [("Ben", 21), ("Cleo", 22), ("Dora", 23)].map(approver);
    ApprovalPolicy::new(2, approvers.into()).unwrap()
}

pub(crate) fn approved_record() -> Record {
    let approvals = vec![approval(21).bare(), approval(22).bare()];
    let path = request_to_approve().path(1);
    let totp = Factor::Totp { used: 5, clock: 6 };
    Record {
        approved: Carried { approvals, index: 1, path },
        factors: vec![Factor::Named("passphrase".into()), totp],
        ..record()
    }
}

// A genesis that demands approvals and a second factor.
pub(crate) fn demanding() -> Record {
    let operation = Operation::Genesis {
        operators: vec!["Ada".into()],
        approvals: approval_policy(),
        second_factor: Some(SecondFactor::Totp),
    };
    Record { operation, ..record() }
}
