//! What a witness is asked besides a head: parts of trees, and the lists of logs that it watches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, Subtree};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::log_list::{self, ListedLog};
use coldlog_spec::merkle::{Node, leaf_hash, node_hash};
use coldlog_spec::mldsa;
use coldlog_spec::verify::cosign::{SubtreeRefusal, decide_subtree};
use coldlog_spec::witnessing::SubtreeRequest;

fn keys(name: &str, seed: u8) -> HeadKeys {
    let mldsa = mldsa::SecretKey::from_seed(&[seed; 32]);
    HeadKeys { name: name.into(), ed25519: SecretKey::from_seed(&[seed; 32]), mldsa }
}

fn node(node: Node) -> Hash {
    match node.level {
        0 => leaf_hash(&node.index.to_be_bytes()),
        level => {
            let below = |index| self::node(Node { level: level - 1, index });
            node_hash(&below(2 * node.index), &below(2 * node.index + 1))
        }
    }
}

#[test]
fn a_part_of_a_cosigned_tree_is_cosigned_and_nothing_else() {
    let (log, witness) = (keys("log.example/a", 1), keys("w.example", 2));
    let size = 14;
    let root =
        coldlog_spec::merkle::root(size, &mut |n| Ok::<_, std::convert::Infallible>(node(n)));
    let head = Checkpoint { origin: log.name.clone(), size, root: root.unwrap() };
    let mut head = log.sign_head(&head, 5).unwrap();
    let bare = head.clone();
    head.note.signatures = witness.cosign(&head, 7).unwrap();
    // [8, 12) of 14: its own hash is a node, so the path is its sibling, then what stands left of it.
    let part = node(Node { level: 2, index: 2 });
    let path = [node(Node { level: 1, index: 6 }), node(Node { level: 3, index: 0 })];
    let line = |hash: &Hash| format!("{}\n", STANDARD.encode(hash.0));
    let body = |range: &str, part: &Hash, path: &[Hash], head: &[u8]| {
        let path: String = path.iter().map(line).collect();
        [format!("subtree {range}\n{}{path}\n", line(part)).as_bytes(), head].concat()
    };
    let request = SubtreeRequest::from_body(&body("8 12", &part, &path, &head.encode())).unwrap();
    let own = witness.witness_verifiers();
    let subtree = decide_subtree(&request, true, &own).unwrap();
    let expected = Subtree { origin: log.name.clone(), start: 8, end: 12, root: part };
    assert_eq!(subtree, expected);
    let cosigned = witness.cosign_subtree(&subtree).unwrap();
    assert!(subtree.verified_by(&own[1], &cosigned));
    assert!(!Subtree { start: 4, end: 8, ..subtree.clone() }.verified_by(&own[1], &cosigned));
    assert!(!subtree.verified_by(&own[0], &cosigned));

    let refused = |request: &SubtreeRequest, watched, status| {
        let why = decide_subtree(request, watched, &own).unwrap_err();
        assert_eq!(why.status(), status, "{why}");
        why
    };
    refused(&request, false, 404);
    for (start, end) in [(8, 17), (3, 7), (8, 8), (12, 8), (9, 10 + 1)] {
        refused(&SubtreeRequest { start, end, ..request.clone() }, true, 400);
    }
    let not_ours = refused(&SubtreeRequest { head: bare, ..request.clone() }, true, 403);
    assert!(matches!(not_ours, SubtreeRefusal::NotOurs { .. }));
    refused(&SubtreeRequest { root: Hash([1; 32]), ..request.clone() }, true, 422);
    refused(&SubtreeRequest { path: vec![path[0]], ..request.clone() }, true, 422);
    let mut forged = request.clone();
    forged.head.note.signatures[1].signature[100] ^= 1;
    refused(&forged, true, 403);
    for range in ["8", "8 012", "-8 12", "8 12 14", " 8 12", ""] {
        let body = body(range, &part, &path, &head.encode());
        assert!(SubtreeRequest::from_body(&body).is_err(), "{range:?}");
    }
}

#[test]
fn a_list_of_logs_reads_back_as_it_was_written() {
    let [first, second] = keys("log.example/a", 1).log_verifiers();
    let other = keys("key.example", 3).log_verifiers()[0].clone();
    let logs = vec![
        ListedLog {
            origin: "log.example/a".into(),
            keys: vec![first.clone(), second],
            per_day: Some(86400),
            contact: Some("a person (at) log.example".into()),
            url: Some("https://log.example/a".into()),
        },
        ListedLog {
            origin: "other name".into(),
            keys: vec![other.clone()],
            per_day: None,
            contact: None,
            url: None,
        },
    ];
    let text = log_list::encode(&logs);
    assert_eq!(log_list::parse(text.as_bytes()).unwrap(), logs);
    // As the witness network writes them.
    let theirs = format!(
        "# List: testing\n\nlogs/v0\n\nvkey {}\nqpd 24\ncontact x (at) y\n\n# gone\n# vkey z\nvkey {}\norigin o\nqpd 1\ncontact -\n",
        first.encode(),
        other.encode()
    );
    let read = log_list::parse(theirs.as_bytes()).unwrap();
    assert_eq!(
        read.iter().map(|log| log.origin.as_str()).collect::<Vec<_>>(),
        ["log.example/a", "o"]
    );
    for (bad, line) in [
        ("", 1),
        ("logs/v1\n", 1),
        ("logs/v0\nqpd 5\n", 2),
        ("logs/v0\n\nvkey nonsense\n", 3),
        (&format!("logs/v0\nvkey {}\nqpd 05\n", other.encode()), 3),
        (&format!("logs/v0\nvkey {}\nqpd 5\nqpd 5\n", other.encode()), 4),
        (&format!("logs/v0\nvkey {}\nrule x\n", other.encode()), 3),
        (&format!("logs/v0\nvkey {0}\nqpd 1\nvkey {0}\n", other.encode()), 1),
    ] {
        assert_eq!(log_list::parse(bad.as_bytes()).unwrap_err().line, line, "{bad}");
    }
}
