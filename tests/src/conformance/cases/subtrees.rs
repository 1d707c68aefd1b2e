//! `sign-subtree`, which a witness may leave out: it answers 404 then.

use super::subtree_refusals;
use crate::conformance::cosignature::{Subject, is_by};
use crate::conformance::http::Answer;
use crate::conformance::logs::Which;
use crate::conformance::report::Failure;
use crate::conformance::request::SubtreeRequest;
use crate::conformance::standard as say;
use crate::conformance::suite::{Cosigned, Expected, Suite};
use crate::conformance::witness::lines;
use coldlog_spec::note::{KeyMaterial, Note};

pub(super) fn all(suite: &mut Suite) {
    // A head whose last leaves are no complete subtree.
    let head = suite.case("subtree/head", say::SUCCESS, |suite| {
        let size = suite.log(Which::Single).size;
        suite.grow(Which::Single, (size + 16) / 16 * 16 + 13 - size)
    });
    let Some(head) = head else { return };
    let request = request(suite, &head, 8, 13);
    match ask(suite, &request.body()) {
        Ok(answer) if answer.status == 404 => {
            let why = "the witness has no sign-subtree, which is optional";
            return suite.skip("subtree", say::SUBTREE, why);
        }
        _ => {}
    }
    signed(suite, &head);
    by_one_key(suite, &head);
    older(suite, &head);
    subtree_refusals::all(suite, &head);
}

pub(super) fn ask(suite: &Suite, body: &[u8]) -> Result<Answer, Failure> {
    suite.witness.ask("POST", "sign-subtree", Some(body))
}

/// A sound request for a subtree of a head.
pub(super) fn request(suite: &Suite, head: &Cosigned, start: u64, end: u64) -> SubtreeRequest {
    let tree = suite.log(Which::Single).tree(head.submission.head.size);
    SubtreeRequest {
        start,
        end,
        root: tree.root_of(start, end),
        proof: tree.subtree_consistency(start, end),
        note: head.reference(),
    }
}

fn signs(suite: &Suite, request: &SubtreeRequest) -> Result<(), Failure> {
    let answer = ask(suite, &request.body())?;
    Expected::Status(200).check(&answer)?;
    let SubtreeRequest { start, end, root, .. } = *request;
    let origin = &suite.log(Which::Single).origin;
    let subject = Subject { text: None, origin, start, end, root };
    let cosignatures = suite.witness.cosignatures(&answer, &subject)?;
    match cosignatures.is_empty() {
        true => Err(Failure::new("a line by a key of the witness", answer.describe())),
        false => Ok(()),
    }
}

fn signed(suite: &mut Suite, head: &Cosigned) {
    let size = head.submission.head.size;
    let edge = size - 13;
    let cases = [
        ("first-leaf", 0, 1),
        ("a-leaf", 5, 6),
        ("last-leaf", size - 1, size),
        ("a-complete-subtree", 4, 8),
        ("an-incomplete-subtree", 8, 13),
        ("at-the-start", 0, 11),
        ("at-the-edge", edge, size),
        ("at-the-edge-of-the-edge", edge + 8, size),
        ("all-but-the-last-leaf", 0, size - 1),
        ("the-whole-tree", 0, size),
    ];
    for (name, start, end) in cases {
        suite.case(&format!("subtree/{name}"), say::SUBTREE, |suite| {
            signs(suite, &request(suite, head, start, end))
        });
    }
    suite.case("subtree/kind-of-key", say::SUBTREE_KEYS, |suite| {
        let answer = ask(suite, &request(suite, head, 8, 13).body())?;
        Expected::Status(200).check(&answer)?;
        let lines = lines(&answer)?;
        let by = |mldsa: bool| {
            let keys = suite.witness.keys.iter();
            let mut keys =
                keys.filter(|key| matches!(key.material, KeyMaterial::MlDsa44Cosigner(_)) == mldsa);
            keys.any(|key| lines.iter().any(|line| is_by(line, key)))
        };
        match (by(true), by(false)) {
            (true, false) => Ok(()),
            _ => Err(Failure::new("lines by ML-DSA-44 keys only", answer.describe())),
        }
    });
}

// A cosignature by one key will do, of any kind; lines by others are ignored.
fn by_one_key(suite: &mut Suite, head: &Cosigned) {
    for key in suite.witness.keys.clone() {
        suite.case(
            &format!("subtree/head-cosigned-by-{:08x}", key.id()),
            say::SUBTREE_ANY_KEY,
            |suite| {
                let mut request = request(suite, head, 8, 13);
                request.note.signatures.retain(|line| is_by(line, &key));
                signs(suite, &request)
            },
        );
    }
    suite.case("subtree/head-with-the-log's-line", say::SUBTREE_ANY_KEY, |suite| {
        let mut request = request(suite, head, 8, 13);
        request.note.signatures.splice(0..0, head.submission.note.signatures.iter().cloned());
        signs(suite, &request)
    });
}

// "subsets of previously observed checkpoints": also those that are not the latest.
fn older(suite: &mut Suite, head: &Cosigned) {
    suite.case("subtree/of-an-older-head", say::SUBTREE, |suite| {
        suite.grow(Which::Single, 4)?;
        signs(suite, &request(suite, head, 8, 13))
    });
    suite.case("subtree/changes-nothing", say::SUBTREE, |suite| suite.grow(Which::Single, 0));
    suite.case("subtree/of-the-empty-tree", say::SUBTREE_RANGE, |suite| {
        let empty = suite.latest(Which::Empty)?;
        let note: Note = empty.reference();
        let root = empty.submission.head.root;
        let request = SubtreeRequest { start: 0, end: 0, root, proof: Vec::new(), note };
        Expected::Status(400).check(&ask(suite, &request.body())?)
    });
}
