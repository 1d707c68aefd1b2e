//! A rehearsal's bytes and real ones are told apart wherever they meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::rehearsal::{NotMeant, PREFIX, own_name};
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{Payload, Position, Statement};
use coldlog_spec::verify::own::{self, NotOwn};

const LOG: &str = "log.example/releases";
const SIGNER: &str = "signer.example/releases";

#[test]
fn a_log_whose_rules_let_the_other_kind_in_did_not_keep_its_own_rules() {
    let key = SecretKey::from_seed(&[7; 32]);
    for log in [false, true] {
        for signer in [false, true] {
            let origin = own_name(LOG, log).unwrap();
            let issuer = own_name(SIGNER, signer).unwrap();
            assert_eq!(origin.starts_with(PREFIX), log);
            let claims = Claims { issuer, subject: "journal".into() };
            let rules = Rules::default().allowing(&claims, &Hash([1; 32])).unwrap();
            let position = Position { sequence: 0, previous: None, head: None };
            let payload = Payload::Rules(rules);
            let said = Statement::sign(&key, &own::claims(&origin), &position, payload).unwrap();
            let verified = own::verify(said.bytes(), b"", &origin, [&key.public()]);
            match verified {
                Ok(_) => assert_eq!(log, signer),
                Err(NotOwn::Rehearsal(NotMeant::Mixed { .. })) => assert_ne!(log, signer),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
