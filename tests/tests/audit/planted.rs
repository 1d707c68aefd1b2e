//! Each kind of finding, planted and found.

use crate::forge::{BEGAN, Demands, Forge, LOG, claims, document, key};
use crate::{audit, kinds};
use coldlog_spec::cose::Claims;
use coldlog_spec::document::{DocumentHasher, SignatureFile};
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, KeyEvent, Since, revocation_claims};
use coldlog_spec::record::{Clock, Operation, Record, Scheme};
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{Payload, Position, Statement};
use coldlog_spec::tile::head_path;
use coldlog_spec::verify::audit::{Kind, Severity};
use std::collections::BTreeSet;
use std::path::Path;

/// Audits what was planted; more words for the command, and the kinds that are expected.
fn find(forge: &Forge, after: impl FnOnce(&Path), more: &str, expected: &[Kind]) {
    let stage = tempfile::tempdir().unwrap();
    forge.publish(stage.path());
    after(stage.path());
    let (ran, findings) = audit(stage.path(), more);
    let expected: BTreeSet<String> = expected.iter().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(kinds(&findings), expected, "{}{}", ran.out, ran.err);
    let worst = findings.iter().filter_map(|one| Severity::from_name(one["severity"].as_str()?));
    let code = i32::from(worst.max() >= Some(Severity::Warning));
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    // What convicts is in a file that convicts.
    for digest in findings.iter().filter_map(|one| one["evidence"].as_str()) {
        let file = stage.path().join("log.evidence.cbor");
        assert_eq!(Hash::of(&std::fs::read(&file).unwrap()).to_hex(), digest);
        let line = "verifier evidence check log.evidence.cbor --policy policy";
        let checked = coldlog_tests::run(stage.path(), line).unwrap();
        assert_eq!(checked.code, 0, "{}", checked.err);
    }
}

/// Planted in the entries.
fn planted(kind: Kind, plant: impl FnOnce(&mut Forge)) {
    planted_with(Demands::Nothing, &[kind], plant);
}

fn planted_with(demands: Demands, kinds: &[Kind], plant: impl FnOnce(&mut Forge)) {
    let documents = if demands == Demands::Nothing { 3 } else { 0 };
    let mut forge = Forge::new(demands, documents);
    plant(&mut forge);
    find(&forge, |_| {}, "", kinds);
}

/// Planted in the files.
fn broken(forge: &Forge, kind: Kind, plant: impl FnOnce(&Path)) {
    find(forge, plant, "", &[kind]);
}

fn put(folder: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join("public").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn change(folder: &Path, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join("public").join(path);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_good_log_has_no_finding_whatever_is_demanded() {
    find(&Forge::new(Demands::Nothing, 300), |_| {}, "--memory heads", &[]);
    let mut forge = Forge::new(Demands::Approvals, 0);
    for number in 0..3 {
        let record = forge.approve(forge.record(number), 30 + number as u8);
        forge.sign(record);
    }
    forge.rotate(5, &forge.position());
    let record = forge.approve(forge.record(9), 40);
    forge.sign(record);
    find(&forge, |_| {}, "--fail-on note", &[]);
}

#[test]
fn heads() {
    let forge = Forge::new(Demands::Nothing, 5);
    let size = forge.size();
    let signed = |seed, by| forge.head(size, BEGAN + 100_000, seed, by).encode();
    broken(&forge, Kind::HeadSignature, |folder| put(folder, "checkpoint", signed(99, 3)));
    broken(&forge, Kind::HeadQuorum, |folder| put(folder, "checkpoint", signed(2, 1)));
    broken(&forge, Kind::HeadMalformed, |folder| put(folder, &head_path(3), "no head\n"));
    let third = |seed, time, by| forge.head(3, time, seed, by).encode();
    broken(&forge, Kind::HeadForged, |folder| put(folder, &head_path(3), third(99, BEGAN + 15, 3)));
    broken(&forge, Kind::HeadTime, |folder| {
        put(folder, &head_path(3), third(2, BEGAN + 200_000, 1))
    });
}

#[test]
fn heads_of_another_history() {
    let forge = Forge::new(Demands::Nothing, 5);
    let other = forge.head_of(3, Hash([9; 32]), BEGAN + 15, 2, 0);
    find(&forge, |folder| put(folder, &head_path(3), other.encode()), "", &[Kind::HeadMisfit]);
    let remembered = |folder: &Path, head: &coldlog_spec::checkpoint::SignedCheckpoint| {
        let memory = folder.join("heads").join(Hash::of(LOG.as_bytes()).to_hex());
        std::fs::create_dir_all(&memory).unwrap();
        let name = format!("{:020}-{}", head.checkpoint.size, head.checkpoint.root.to_hex());
        std::fs::write(memory.join(name), head.encode()).unwrap();
    };
    find(&forge, |folder| remembered(folder, &other), "--memory heads", &[Kind::HeadMisfit]);
    let larger = forge.head_of(900, Hash([9; 32]), BEGAN + 15, 2, 3);
    find(&forge, |folder| remembered(folder, &larger), "--memory heads", &[Kind::HeadWithdrawn]);
}

#[test]
fn files_of_the_tree() {
    let (entries, sealed, tile) = ("tile/entries/000.p/7", "sealed/000.p/7", "tile/0/000.p/7");
    let gone = |path: &'static str| {
        move |folder: &Path| std::fs::remove_file(folder.join("public").join(path)).unwrap()
    };
    let forge = Forge::new(Demands::Nothing, 5);
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    broken(&forge, Kind::BundleMissing, gone(entries));
    broken(&forge, Kind::BundleMalformed, |folder| change(folder, entries, cut));
    broken(&forge, Kind::SealedMissing, gone(sealed));
    broken(&forge, Kind::SealedMalformed, |folder| change(folder, sealed, cut));
    broken(&forge, Kind::TileMissing, gone(tile));
    broken(&forge, Kind::TileDiffers, |folder| change(folder, tile, |bytes| bytes[40] ^= 1));
    broken(&forge, Kind::TileDiffers, |folder| change(folder, tile, cut));
    let other = forge.head_of(forge.size(), Hash([9; 32]), BEGAN + 100_000, 2, 3).encode();
    broken(&forge, Kind::RootDiffers, |folder| {
        put(folder, "checkpoint", &other);
        std::fs::remove_file(folder.join("public").join(head_path(7))).unwrap();
    });
    // A tile above the leaves.
    let large = Forge::new(Demands::Nothing, 300);
    let flip = |folder: &Path| change(folder, "tile/1/000.p/1", |bytes| bytes[3] ^= 1);
    find(&large, flip, "", &[Kind::TileDiffers]);
}

#[test]
fn statements() {
    planted(Kind::StatementMalformed, |forge| forge.plant(b"no statement".to_vec(), Vec::new()));
    planted(Kind::StatementSignature, |forge| {
        let (disclosure, sealed) = forge.disclose(forge.record(8));
        let statement = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
        // The signature is what stands last in it.
        let mut bytes = statement.bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        forge.plant(bytes, sealed);
    });
    planted(Kind::StatementKey, |forge| {
        let (disclosure, sealed) = forge.disclose(forge.record(8));
        let payload = Payload::Commitment(Hash::of(&disclosure));
        let statement = Statement::sign(&key(77), &claims(), &forge.position(), payload).unwrap();
        forge.plant(statement.bytes().to_vec(), sealed);
    });
    planted(Kind::NoGenesis, |forge| {
        let (disclosure, sealed) = forge.disclose(forge.record(8));
        let payload = Payload::Commitment(Hash::of(&disclosure));
        let other = Claims { issuer: "signer.example".into(), subject: "other".into() };
        let statement = Statement::sign(&key(1), &other, &forge.position(), payload).unwrap();
        forge.plant(statement.bytes().to_vec(), sealed);
    });
    planted(Kind::ForeignHead, |forge| {
        let known = forge.known.clone();
        if let Some(known) = &mut forge.known {
            known.root = Hash([9; 32]);
        }
        forge.sign(forge.record(8));
        forge.known = known;
        forge.sign(forge.record(9));
    });
    planted(Kind::NotAdmitted, |forge| {
        forge.sign(Record { purpose: "x".repeat(3000), ..forge.record(8) });
    });
}

#[test]
fn numbers_and_chains() {
    planted(Kind::NumberMissing, |forge| {
        forge.next += 2;
        forge.sign(forge.record(8));
        forge.sign(forge.record(9));
    });
    planted(Kind::NumberRepeated, |forge| {
        let (next, previous) = (forge.next, forge.previous);
        forge.sign(forge.record(8));
        (forge.next, forge.previous) = (next, previous);
        forge.sign(forge.record(9));
        forge.sign(forge.record(10));
    });
    planted(Kind::ChainBroken, |forge| {
        forge.previous = Some(Hash([9; 32]));
        forge.sign(forge.record(8));
        forge.sign(forge.record(9));
    });
}

#[test]
fn keys_and_their_events() {
    planted(Kind::KeyNotInForce, |forge| {
        forge.rotate(5, &forge.position());
        forge.signer = key(1);
        forge.sign(forge.record(8));
        forge.signer = key(5);
        forge.sign(forge.record(9));
    });
    planted(Kind::KeyEventInvalid, |forge| {
        let elsewhere = Position { sequence: 99, ..forge.position() };
        forge.rotate(5, &elsewhere);
        forge.signer = key(1);
        forge.sign(forge.record(8));
    });
    planted(Kind::AfterEnd, |forge| {
        let key = *forge.signer.public().as_bytes();
        forge.event(Event::Retirement { key }, "retirement");
        forge.sign(forge.record(8));
    });
    let revoke = |forge: &mut Forge, seed: u8| {
        let public = key(seed).public();
        let operation =
            Operation::KeyEvent { event: "revocation".into(), operators: None, approvals: None };
        let (disclosure, sealed) = forge.disclose(Record { operation, ..forge.record(0) });
        let since = Since::Publication;
        let event = Event::Revocation { key: *public.as_bytes(), since: since.clone() };
        let payload = Payload::KeyEvent(KeyEvent { event, commitment: Hash::of(&disclosure) });
        let position = Position { sequence: 0, previous: None, head: None };
        let claims = revocation_claims(&claims(), &public, &since);
        let statement = Statement::sign(&key(seed), &claims, &position, payload).unwrap();
        forge.plant(statement.bytes().to_vec(), sealed);
    };
    planted(Kind::KeyRevoked, |forge| revoke(forge, 1));
    planted(Kind::RevocationInvalid, |forge| revoke(forge, 77));
    planted_with(Demands::Nothing, &[Kind::KeyRevoked, Kind::AfterRevocation], |forge| {
        revoke(forge, 1);
        forge.sign(forge.record(8));
    });
    planted(Kind::KeyRevoked, |forge| {
        let key = *forge.signer.public().as_bytes();
        forge.event(Event::Revocation { key, since: Since::Record(4) }, "revocation");
    });
}

#[test]
fn what_the_log_says_of_itself() {
    let rules = || Payload::Rules(Rules::parse(b"coldlog-rules/1\n").unwrap());
    let first = |forge: &Forge| Some(Statement::decode(&forge.entries[0].0).unwrap().leaf());
    planted(Kind::LogStatement, |forge| {
        let own = forge.own(77, 1, first(forge), rules());
        forge.plant(own.bytes().to_vec(), Vec::new());
    });
    planted(Kind::LogOrder, |forge| {
        let own = forge.own(2, 7, first(forge), rules());
        forge.plant(own.bytes().to_vec(), Vec::new());
    });
}

#[test]
fn sealed_records() {
    planted(Kind::SealedForm, |forge| {
        let (disclosure, _) = forge.disclose(forge.record(8));
        let statement = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
        forge.take(&statement, b"not age".to_vec());
    });
    planted(Kind::RecordClosed, |forge| {
        let other = Forge::new(Demands::Nothing, 0);
        let (disclosure, _) = forge.disclose(forge.record(8));
        let statement = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
        forge.take(&statement, other.sealed(&disclosure));
    });
    planted(Kind::RecordDiffers, |forge| {
        let (disclosure, _) = forge.disclose(forge.record(8));
        let (_, sealed) = forge.disclose(forge.record(9));
        let statement = forge.statement(Payload::Commitment(Hash::of(&disclosure)));
        forge.take(&statement, sealed);
    });
    planted(Kind::RecordMalformed, |forge| {
        let bytes = b"no record at all";
        let statement = forge.statement(Payload::Commitment(Hash::of(bytes)));
        forge.take(&statement, forge.sealed(bytes));
    });
    planted(Kind::RecordKind, |forge| {
        let operation = Operation::KeyEvent {
            event: "change".into(),
            operators: Some(vec!["Ada".into()]),
            approvals: None,
        };
        forge.sign(Record { operation, ..forge.record(8) });
    });
}

#[test]
fn documents_in_records() {
    let with = |forge: &Forge, change: fn(&mut coldlog_spec::record::Signature)| {
        let mut record = forge.record(8);
        if let Operation::Sign { signature, .. } = &mut record.operation {
            change(signature);
        }
        record
    };
    planted(Kind::DocumentSignature, |forge| {
        forge.sign(with(forge, |signature| signature.bytes = b"none".to_vec()));
    });
    planted(Kind::DocumentSignature, |forge| {
        forge.sign(with(forge, |signature| signature.scheme = Scheme::Minisign));
    });
    planted(Kind::NotVerified, |forge| {
        forge.sign(with(forge, |signature| signature.verified = false));
    });
}

#[test]
fn people() {
    planted(Kind::OperatorUnknown, |forge| {
        forge.sign(Record { operator: "Mallory".into(), ..forge.record(8) });
    });
    planted_with(Demands::Approvals, &[Kind::ApprovalsMissing], |forge| {
        forge.sign(forge.record(8));
    });
    planted_with(Demands::Approvals, &[Kind::ApprovalInvalid], |forge| {
        let record = forge.approve(forge.record(8), 30);
        forge.sign(Record { purpose: "another".into(), ..record });
    });
    planted_with(Demands::Approvals, &[Kind::ApprovalReused], |forge| {
        let record = forge.approve(forge.record(8), 30);
        forge.sign(record.clone());
        forge.sign(record);
    });
    planted_with(Demands::Totp, &[Kind::FactorMissing], |forge| forge.sign(forge.record(8)));
}

#[test]
fn times() {
    planted(Kind::TimeBeforeHead, |forge| {
        forge.sign(Record { time: BEGAN - 1000, ..forge.record(8) });
    });
    planted(Kind::TimeAfterLogging, |forge| {
        forge.sign(Record { time: BEGAN + 200_000, ..forge.record(8) });
    });
    let clock = |clock: Clock| {
        move |forge: &mut Forge| {
            forge.sign(Record { clock: Some(clock), ..forge.record(8) });
        }
    };
    planted(Kind::ClockWrong, clock(Clock { impossible: 900, ..Clock::default() }));
    planted(Kind::ClockOdd, clock(Clock { behind_last: 900, ..Clock::default() }));
}

#[test]
fn the_tail_on_paper() {
    let forge = Forge::new(Demands::Nothing, 5);
    let short = |head: Hash| coldlog_spec::batch::Tail { count: forge.next, head }.short();
    let tail = short(forge.previous.unwrap());
    find(&forge, |_| {}, &format!("--at-least {tail}"), &[]);
    let other = short(Hash([9; 32]));
    find(&forge, |_| {}, &format!("--at-least {other}"), &[Kind::TailForked]);
    let later = tail.replacen(&forge.next.to_string(), "90", 1);
    find(&forge, |_| {}, &format!("--at-least {later}"), &[Kind::TailWithheld]);
}

#[test]
fn documents_in_use() {
    let forge = Forge::new(Demands::Nothing, 5);
    let signature = |seed: u8, bytes: &[u8]| {
        let digest = DocumentHasher::digest(Scheme::Sshsig, bytes);
        SignatureFile::sign(&key(seed), &digest, "").unwrap().encode()
    };
    let in_use = |files: Vec<(&'static str, Vec<u8>)>| {
        move |folder: &Path| {
            std::fs::create_dir_all(folder.join("releases")).unwrap();
            for (name, bytes) in files {
                std::fs::write(folder.join("releases").join(name), bytes).unwrap();
            }
        }
    };
    let good = vec![
        ("document-1", document(1)),
        ("document-1.sig", signature(1, &document(1))),
        ("renamed", document(2)),
    ];
    find(&forge, in_use(good), "--documents releases", &[]);
    let stranger = vec![("tool", b"tool".to_vec())];
    find(&forge, in_use(stranger), "--documents releases", &[Kind::DocumentUnlogged]);
    let altered = vec![("document-1", b"other bytes".to_vec())];
    find(&forge, in_use(altered), "--documents releases", &[Kind::DocumentDiffers]);
    let stolen = vec![("tool", b"tool".to_vec()), ("tool.sig", signature(1, b"tool"))];
    find(&forge, in_use(stolen), "--documents releases", &[Kind::SignatureUnlogged]);
    let sums =
        format!("{}  document-1\n", DocumentHasher::digest(Scheme::Sshsig, &document(1)).sha256);
    let list = |folder: &Path| std::fs::write(folder.join("SHA256SUMS"), &sums).unwrap();
    find(&forge, list, "--documents SHA256SUMS", &[]);
    let mut doubtful = Forge::new(Demands::Nothing, 2);
    doubtful.sign(Record { operator: "Mallory".into(), ..doubtful.record(8) });
    let expected = [Kind::OperatorUnknown, Kind::DocumentDoubtful];
    find(&doubtful, in_use(vec![("document-8", document(8))]), "--documents releases", &expected);
}

#[test]
fn journals_of_reads() {
    let forge = Forge::new(Demands::Nothing, 5);
    let opened = |folder: &Path| {
        for who in ["grace", "mallory"] {
            let line = format!(
                "verifier audit --log public --policy policy --identity auditor.key --auditor {who} --why yearly --openings theirs"
            );
            assert_eq!(coldlog_tests::run(folder, &line).unwrap().code, 0);
        }
    };
    find(&forge, opened, "--accesses theirs", &[]);
    let more = "--accesses theirs --auditor grace --reader grace";
    find(&forge, opened, more, &[Kind::AccessUnknown]);
    let broken = |folder: &Path| {
        opened(folder);
        let path = folder.join("theirs");
        let bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(5).position(|window| window == b"grace").unwrap();
        let altered = [&bytes[..at], b"trent", &bytes[at + 5..]].concat();
        std::fs::write(&path, altered).unwrap();
    };
    find(&forge, broken, "--accesses theirs", &[Kind::AccessBroken]);
}

#[test]
fn every_kind_is_planted_here() {
    let text = include_str!("planted.rs");
    for kind in Kind::ALL {
        assert!(text.contains(&format!("Kind::{kind:?}")), "{kind:?} is planted nowhere");
    }
}
