//! The text of every error of this crate, one line each, held against `refusals.txt`: texts are
//! reviewed like code. After a change, `COLDLOG_BLESS=1 cargo test -p coldlog-spec --test refusals`
//! writes them anew; read the diff.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::access::Broken;
use coldlog_spec::approval::PolicyError;
use coldlog_spec::audit::AuditError;
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::checkpoint::{CannotSign, CheckpointError};
use coldlog_spec::document::SignatureError;
use coldlog_spec::ed25519::{KeyError, NotSigned};
use coldlog_spec::end::EndError;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::Since;
use coldlog_spec::log_list::ListError;
use coldlog_spec::merkle::ProofError;
use coldlog_spec::mirroring::{Standing, UploadError, UploadRefusal};
use coldlog_spec::note::NoteError;
use coldlog_spec::policy::{Defect, HeadError, OutsideWindow, Policy, RootError, Validity, Window};
use coldlog_spec::receipt::ReceiptError;
use coldlog_spec::rehearsal::NotMeant;
use coldlog_spec::rotation::RotationError;
use coldlog_spec::rules::{NotAdmitted, Rules};
use coldlog_spec::share::NotAShare;
use coldlog_spec::statement::{NotCommitted, StatementError};
use coldlog_spec::totp;
use coldlog_spec::verify::admission::EventError;
use coldlog_spec::verify::append::Refusal as Append;
use coldlog_spec::verify::approvals::NotApproved;
use coldlog_spec::verify::audit::{NotReplayed, NotRows};
use coldlog_spec::verify::backup::Refusal as Backup;
use coldlog_spec::verify::clock::Impossible;
use coldlog_spec::verify::cosign::{Refusal as Cosign, SubtreeRefusal as Subtree};
use coldlog_spec::verify::cosigned::NotTaken;
use coldlog_spec::verify::counter::NotCounted;
use coldlog_spec::verify::disclosed::Disagrees;
use coldlog_spec::verify::document::NotProven;
use coldlog_spec::verify::heads::{Misfit, NotConvicted};
use coldlog_spec::verify::keys::{NoLife, NotGood};
use coldlog_spec::verify::own::NotOwn;
use coldlog_spec::verify::receipts::Refusal as Receipts;
use coldlog_spec::verify::recovery::Refusal as Recovery;
use coldlog_spec::verify::renewal::NotRenewed;
use coldlog_spec::verify::revocation::NotPrepared;
use coldlog_spec::verify::succession::NotSuccessor;
use coldlog_spec::witnessing::RequestError;
use std::fmt::Display;
use std::path::Path;

fn texts() -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |place: &str, error: &dyn Display| all.push(format!("{place}: {error}"));
    let (a, b) = (Hash([0xaa; 32]), Hash([0xbb; 32]));
    let (what, hex) = ("signed statement", "5eed");

    say("cbor", &DecodeError::TooLong { what, limit: 65_535, found: 70_000 });
    say("cbor", &DecodeError::TooMany { what, limit: 65_536 });
    say("cbor", &DecodeError::Malformed { what, why: "syntax error at byte 7".into() });
    say("cbor", &DecodeError::Trailing { what, end: 10, extra: 2 });
    say("cbor", &DecodeError::NotDeterministic { what, why: "map keys are not sorted".into() });
    say("cbor", &DecodeError::field(what, "vds (label 395)", "1", "nothing"));
    let (expected, found) = ("coldlog-batch".into(), "coldlog-receipts".into());
    say("cbor", &DecodeError::OtherKind { expected, found });
    say("cbor", &DecodeError::Unsupported { what, found: 2, supported: 1 });

    let key = format!("{}", Hash([7; 32]));
    say("audit", &AuditError::OtherAuditor { found: key });
    say("audit", &AuditError::Signature);
    say("audit", &NotRows { from: 512, to: 800 });
    say("audit", &NotReplayed { index: 7, why: "it changes nothing".into() });
    say("note", &NoteError::TooLarge { unit: "bytes", found: 300_000, limit: 262_144 });
    say("note", &NoteError::Malformed("no newline at its end".into()));
    say("note", &NoteError::BadSignature { name: "w1.example".into(), id: 7 });
    say("note", &NoteError::NoKnownSignature { found: "w1.example".into() });
    say("note", &NoteError::VerifierKey("bad base64".into()));
    say("checkpoint", &CheckpointError::Malformed("no final newline".into()));
    say("checkpoint", &CannotSign::TimeOrName);
    say("policy", &Policy::parse(b"quorum nobody\n").unwrap_err());
    say("policy", &Policy::parse(b"").unwrap_err());
    let practised = || "rehearsal.invalid/log.example".to_owned();
    say("rehearsal", &NotMeant::Mixed { rehearsal: practised(), real: "signer.example".into() });
    say("rehearsal", &NotMeant::Unsaid { name: practised() });
    say("rehearsal", &NotMeant::Rehearsal { name: practised() });
    say("rehearsal", &NotMeant::Real { name: "log.example".into() });
    let (origin, known) = ("log.example".to_owned(), "none".to_owned());
    say("policy", &HeadError::UnknownLog { origin: origin.clone(), known });
    let (quorum, found) = ("two-of-three".into(), "w1.example".into());
    say("policy", &HeadError::Quorum { quorum, found, size: 9 });
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
    let (log, party, group) = (origin.clone(), "w1.example".to_owned(), "g".to_owned());
    say("policy", &Defect::QuorumNone);
    let (one, other) = (names(&["w1.example", "w2.example"]), names(&["w3.example"]));
    say("policy", &Defect::Splits { one, other: other.clone() });
    let (threshold, members) = (3, 4);
    let twice = (party.clone(), group.clone());
    say("policy", &Defect::CountsTwice { party: twice.0, group: twice.1, threshold, members });
    say("policy", &Defect::SeveralPlaces { party, group: group.clone(), all: true });
    say("policy", &Defect::OneDecides { parties: names(&["w1.example", "w2.example"]) });
    say("policy", &Defect::WitnessUnused { witness: "w1".into() });
    say("policy", &Defect::GroupUnused { group });
    say("policy", &Defect::NoLog);
    say("policy", &Defect::LogOnlyEd25519 { log: log.clone() });
    say("policy", &Defect::LogWithoutReceiptKey { log });
    say("policy", &Defect::WitnessesOnlyEd25519 { parties: other });
    say("document", &NotProven::TooFewLogs { expected: 2, found: 1 });
    say("access", &Broken { number: 3, expected: a, found: b });
    say("rotation", &RotationError::Malformed("a note of 3 lines".into()));
    say("rotation", &RotationError::UnknownLog { origin: origin.clone() });
    say("rotation", &RotationError::NotByOldKey { origin: origin.clone() });
    say("rotation", &RotationError::NotByNewKey);
    let (line, expected) =
        (3, "`previous none` for version 1, `previous <64 hex digits>` for others");
    say("root", &RootError::Malformed { line, expected, found: "\"previous 5eed\"".into() });
    say("root", &RootError::Policy(Policy::parse(b"quorum nobody\n").unwrap_err()));
    say("root", &RootError::NotText);
    say("root", &RootError::Window { not_before: 2000, expires: 1000 });
    say("root", &RootError::Threshold { threshold: 4, keys: 3 });
    let name = "ada.example/policy".to_owned();
    say("root", &RootError::KeyTwice { name: name.clone() });
    let why = "it is not an Ed25519 key of type 0x01; `verifier policy key` makes one";
    say("root", &RootError::NotAPolicyKey { name: name.clone(), why });
    let by = vec![name];
    say("root", &RootError::TooFewOwn { version: 2, by: by.clone(), threshold: 2 });
    say("renewal", &NotRenewed::InForce { version: 2 });
    say("renewal", &NotRenewed::Rollback { in_force: 2, found: 1 });
    say("renewal", &NotRenewed::Gap { in_force: 2, found: 4 });
    let fork = NotRenewed::Fork { version: 2, in_force: a, found: b, by: by.clone() };
    say("renewal", &fork);
    say("renewal", &NotRenewed::OtherPrevious { version: 3, in_force: a, found: b });
    say("renewal", &NotRenewed::TooFewOld { version: 2, by, threshold: 2 });
    say("renewal", &NotRenewed::Unsigned);
    let window = Window { not_before: 1000, expires: 2000 };
    for validity in
        [Validity::Early(window, 900), Validity::Late(window, 2000), Validity::NotDated(window)]
    {
        let why = OutsideWindow(validity);
        say("document", &NotProven::OutsideValidity { origin: origin.clone(), why });
    }
    say("end", &EndError::Malformed("a note that begins otherwise".into()));
    say("end", &EndError::OtherHead { expected: 9, found: 7 });
    say("end", &EndError::NotByTheLog { origin: origin.clone() });
    let successor = "log.example/two".to_owned();
    let why = Box::new(NotOwn::OtherKind { found: "a genesis" });
    say("succession", &NotSuccessor::NotOwn { successor: successor.clone(), why });
    say("succession", &NotSuccessor::NotFirst { successor: successor.clone(), found: 4 });
    let (expected, found) = ("log.example / log".into(), "signer.example / journal".into());
    say("own", &NotOwn::OtherJournal { expected, found });
    say("own", &NotOwn::OtherKind { found: "a signer's record" });
    say("own", &NotOwn::OtherKey { origin: origin.clone(), kid: hex.into() });
    say("own", &NotOwn::Sealed(900));
    say("own", &NotOwn::Order { expected: 4, found: 6 });
    say("rules", &Rules::parse(b"coldlog-rules/1\nallow Ada\n").unwrap_err());
    let (issuer, subject) = ("signer.example".into(), "journal".into());
    say("rules", &NotAdmitted::NotAllowed { issuer, subject });
    say("rules", &NotAdmitted::OtherGenesis { expected: a, found: b });
    say("rules", &NotAdmitted::Recipient { missing: "age1auditor".into() });
    say("rules", &NotAdmitted::TooLarge { part: "statement", limit: 1000, found: 1001 });
    say("rules", &NotAdmitted::NoKnownHead { sequence: 4 });
    let (expected, found) = ("the head of size 9".into(), "no head".into());
    say("succession", &NotSuccessor::OtherHead { successor, expected, found });

    say("ed25519", &KeyError::Length(31));
    say("ed25519", &KeyError::Unsound);
    let (expected, found): (String, String) = (hex.into(), "f00d".into());
    let other_key = SignatureError::OtherKey { expected: expected.clone(), found: found.clone() };
    say("document", &other_key);
    say("document", &SignatureError::OtherScheme { expected: "sshsig", found: "minisign" });
    say("document", &SignatureError::Bad);
    say("statement", &StatementError::OtherKey { expected, found });
    say("statement", &StatementError::BadSignature { key: hex.into() });

    say("merkle", &ProofError::IndexOutside { index: 9, size: 9 });
    say("merkle", &ProofError::NotASubtree { start: 1, end: 3, size: 9 });
    say("merkle", &ProofError::Length { expected: 4, found: 3 });
    say("merkle", &ProofError::Root { expected: a, computed: b });
    let rewritten = ProofError::Rewritten { size: 5, expected: a, computed: b };
    say("merkle", &rewritten);
    say("receipt", &ReceiptError::Kind { found: "several proofs" });
    say("receipt", &ReceiptError::BadSignature { root: a });
    say("witnessing", &RequestError::Malformed("not UTF-8".into()));
    say("mirroring", &UploadError("the origin is no key name".into()));
    let standing = Standing { pending: vec![512], size: 300, next: 400 };
    let why = ProofError::Length { expected: 3, found: 2 };
    for refusal in [
        UploadRefusal::UnknownLog { origin: origin.clone() },
        UploadRefusal::NoHead,
        UploadRefusal::Elsewhere { start: 401, end: 512, standing },
        UploadRefusal::OtherEntries { start: 256, size: 512, why },
    ] {
        say("mirroring", &refusal);
    }

    let evidence = Box::new(Evidence::Fork { key: [1; 32], first: vec![], second: vec![] });
    let journal = |name: &str| format!("{name} / journal");
    say("append", &Append::NotASigners { found: "a version of the rules" });
    say("append", &Append::NotGenesis { found: "sequence number 4".into() });
    say("append", &Append::Key(KeyError::Unsound));
    let (expected, found) = (journal("a.example"), journal("b.example"));
    say("append", &Append::OtherJournal { expected, found });
    say("append", &Append::Gap { expected: 4, found: 6 });
    say("append", &Append::Forked { sequence: 4, evidence: evidence.clone() });
    say("append", &Append::Chain { expected: a.to_hex(), found: b.to_hex() });
    say("append", &Append::Sealed { found: "missing".into() });
    say("append", &Append::ForeignHead { origin: origin.clone(), size: 9, root: a });
    say("append", &Append::LateGenesis { sequence: 4 });
    say("append", &Append::Ended { sequence: 5, at: 4, event: "retirement" });
    say("append", &Append::RevokedOutside { sequence: 5 });
    say("append", &Append::TooManyEvents { sequence: 1025 });
    let key = format!("ed25519:{}", "07".repeat(32));
    for why in [
        EventError::NoConsent { key: key.clone(), sequence: 4 },
        EventError::UsedBefore { key: key.clone() },
        EventError::OtherKey { expected: "does not have in force now", found: key.clone() },
        EventError::Beyond { from: 9, sequence: 4 },
    ] {
        say("admission", &why);
    }
    say("revocation", &NotPrepared::OtherKind { found: "a rotation".into() });
    say("revocation", &NotPrepared::OtherKey { key, journal: journal("a.example") });
    say("ed25519", &NotSigned("the token was pulled out".into()));
    let short = ProofError::Length { expected: 4, found: 3 };
    let (sequence, index) = (4, 7);
    for why in [
        NoLife::NotLogged { index, why: short },
        NoLife::Unknown { issuer: "a.example".into(), subject: "journal".into() },
        NoLife::Event { index, why: Box::new(Append::LateGenesis { sequence }) },
    ] {
        say("keys", &why);
    }
    let key = || format!("ed25519:{}", "07".repeat(32));
    let (since, log) = (Box::new(Since::Record(2)), origin.clone());
    for why in [
        NotGood::NotInForce { sequence, expected: key(), found: key() },
        NotGood::AfterTheEnd { sequence, end: 3 },
        NotGood::Revoked { key: key(), since, log: log.clone(), index, sequence },
        NotGood::OtherLog { log: log.clone() },
        NotGood::Older { log, size: 6, index },
        NotGood::AfterRevocation { sequence, index, revoked: 6 },
        NotGood::Before { demanded: key(), found: key() },
    ] {
        say("keys", &why);
    }
    say("append", &Append::Count { claimed: 5, found: 4 });
    say("append", &Append::Digest { claimed: a, found: b });
    say("append", &Append::TailSignature);
    let (claimed, own) = ("9:aaaa-aaaa-aaaa-aaaa".to_owned(), "5:bbbb-bbbb-bbbb-bbbb".to_owned());
    say("append", &Append::Tail { claimed: claimed.clone(), found: own.clone() });

    let other_log = || Misfit::OtherLog { first: "a.example".into(), second: "b.example".into() };
    say("heads", &other_log());
    say("heads", &Misfit::SameSizeOtherRoot { size: 9, first: a, second: b });
    say("heads", &Misfit::Rewritten { old: 5, new: 9, why: rewritten.clone() });
    let why = ProofError::Length { expected: 4, found: 3 };
    say("heads", &Misfit::NotProven { old: 5, new: 9, why });
    say("evidence", &NotConvicted::Fits);
    say("evidence", &NotConvicted::NotCosigned);
    say("evidence", &NotConvicted::NoReceiptKey("log.example".into()));
    let receipt = ReceiptError::BadSignature { root: a };
    say("evidence", &NotConvicted::Receipt(receipt));
    say("evidence", &NotConvicted::Inconclusive(other_log()));
    say("evidence", &NotConvicted::NoFork("two journals"));
    say("evidence", &NotConvicted::TailSignature { key: hex.into() });

    say("cosign", &Cosign::OldBeyondNew { old: 9, new: 5 });
    let why = "it is signed by b.example".into();
    say("cosign", &Cosign::NotSigned { origin: origin.clone(), why });
    say("cosign", &Cosign::UnknownLog { origin: origin.clone() });
    say("cosign", &Cosign::Stale { known: 9, old: 5 });
    say("cosign", &Cosign::NotAnExtension { misfit: other_log(), evidence: None });
    say("cosign", &Cosign::EmptyTree);
    say("cosign", &Subtree::NotASubtree { start: 3, end: 7, size: 14 });
    say("cosign", &Subtree::UnknownLog { origin: origin.clone() });
    say("cosign", &Subtree::NotOurs { why: "it is signed by somebody else".into() });
    say("cosign", &Subtree::NotProven(ProofError::Length { expected: 2, found: 1 }));
    let taken = NotTaken::NoKnownKey { found: "w9.example (key id 00000009)".into() };
    say("cosigned", &taken);
    let why = NoteError::BadSignature { name: "w1.example".into(), id: 1 };
    say("cosigned", &NotTaken::OtherHead { size: 9, why });
    say("cosigned", &NotTaken::Future { time: 2000, now: 1000 });
    say("cosigned", &NotTaken::Old { time: 1000, now: 9000 });
    say("log list", &ListError { line: 3, why: "expected a `vkey` line first".into() });

    say("receipts", &Receipts::NoReceiptKey { origin: origin.clone() });
    let (expected, found) = (format!("size 9, root {a}"), format!("size 9, root {b}"));
    say("receipts", &Receipts::OtherHead { expected, found });
    let other_claims = Receipts::OtherClaims {
        issuer: "b.example".into(),
        subject: "journal".into(),
        expected_issuer: origin,
        expected_subject: "journal".into(),
    };
    say("receipts", &other_claims);
    say("receipts", &Receipts::History { misfit: other_log(), evidence: None });
    say("receipts", &Receipts::OlderCopy { claimed: claimed.clone(), own });
    say("receipts", &Receipts::Forked { claimed, evidence });
    say("receipts", &Receipts::TailSignature);
    say("receipts", &Receipts::OlderHead { remembered: 9, found: 5 });
    say("receipts", &Receipts::OtherStart { expected: 9, found: 5 });

    let (name, tail) = ("journal.age".to_owned(), "3:aaaa-aaaa-aaaa-aaaa".to_owned());
    say("backup", &Backup::Events(Append::LateGenesis { sequence: 3 }));
    say("backup", &Backup::TailSignature);
    say("backup", &Backup::Length { name: name.clone(), expected: 9, found: 5 });
    say("backup", &Backup::Digest { name, expected: a, found: b });
    say("backup", &Backup::Absent { name: "journal.age" });
    let (expected, found) = ("a.example / journal (aa)".into(), "b.example / journal (bb)".into());
    say("backup", &Backup::OtherJournal { expected, found });
    let (backup, own) = (tail.clone(), "2:bbbb-bbbb-bbbb-bbbb".to_owned());
    say("backup", &Backup::OlderJournal { generation: 4, backup, own: own.clone() });
    say("backup", &Backup::Forked { generation: 4, backup: tail.clone() });
    say("backup", &Backup::OtherTail { expected: tail.clone(), found: own.clone() });

    let why = ProofError::Root { expected: a, computed: b };
    say("recovery", &Recovery::NotLogged { size: 9, why });
    let evidence = Box::new(Evidence::SplitView { first: vec![], second: vec![], path: vec![] });
    say("recovery", &Recovery::Forked { sequence: 3, evidence });
    let paper = tail;
    say("recovery", &Recovery::PaperIsNewer { paper: paper.clone(), own: own.clone() });
    say("recovery", &Recovery::PaperIsOther { paper: paper.clone() });
    say("recovery", &Recovery::PaperIsOlder { paper, own });

    say("clock", &Impossible::BeforeHead { behind: 3600 });
    say("clock", &Impossible::BeforeGenesis { behind: 3600 });
    say("clock", &Impossible::BeforeProgram { behind: 3600 });

    say("statement", &NotCommitted::None);
    say("statement", &NotCommitted::Other { expected: a, found: b });
    say("check", &NotProven::OtherOperation("a genesis"));
    say("check", &NotProven::SelfCheckFailed);
    let other_document = NotProven::OtherDocument {
        name: "app\u{202e}.txt".into(),
        expected: a,
        expected_size: 16,
        found: b,
        found_size: 17,
    };
    say("check", &other_document);
    let (expected, found) = (hex.into(), "f00d".into());
    say("check", &NotProven::OtherSigner { expected, found });
    say("check", &NotProven::NoCheckpoint);
    say("check", &NotProven::SameLogTwice("log.example".into()));
    say("check", &NotProven::EarlierHead);
    let head = HeadError::UnknownLog { origin: "b.example".into(), known: "none".into() };
    say("check", &NotProven::UntrustedEarlierHead(head));
    let policy = || "2 of Ben, Cleo".to_owned();
    say("approvals", &PolicyError::Threshold { threshold: 3, approvers: 2 });
    say("approvals", &PolicyError::TooMany(33));
    say("approvals", &PolicyError::Name(String::new()));
    say("approvals", &PolicyError::SameName("Ben".into()));
    say("approvals", &PolicyError::SameKey("Ben".into(), "Cleo".into()));
    say("approvals", &NotApproved::TooFew { found: 1, demanded: 2, policy: policy() });
    say("approvals", &NotApproved::Stranger { key: "ed25519:5eed".into(), policy: policy() });
    say("approvals", &NotApproved::Signature("Ben".into()));
    say("approvals", &NotApproved::Twice("Ben".into()));
    let (approved, found) = ("release".into(), "test".into());
    let other = NotApproved::Other { by: "Ben".into(), what: "purpose", approved, found };
    say("approvals", &other);
    say("check", &NotProven::NotApproved(other.clone()));
    let (name, version) = ("app.txt".into(), "1.0".into());
    let by = || "Ben".to_owned();
    say("approvals", &NotApproved::OtherDocument { by: by(), name, version, size: 16, sha256: a });
    say("approvals", &NotApproved::TwoRequests("Ben".into(), "Cleo".into()));
    say("approvals", &NotApproved::Expired { by: by(), expires: 80, time: 81 });
    say("approvals", &NotApproved::Used(7));
    for why in [
        NotCounted::Older { low: 4, found: 3 },
        NotCounted::Newer { high: 3, found: 4 },
        NotCounted::NotAll { low: 4, found: 3 },
        NotCounted::Lost,
    ] {
        say("counter", &why);
    }
    let (record, statement) = ("retirement".into(), "change".into());
    say("disclosed", &Disagrees { record, statement });
    for why in [NotAShare::Head, NotAShare::Line, NotAShare::Word(3), NotAShare::Words(23)] {
        say("share", &why);
    }
    say("share", &NotAShare::Checksum);
    say("share", &NotAShare::Form);
    say("totp", &totp::Refused::NoCode);
    say("totp", &totp::Refused::Wrong);
    say("totp", &totp::Refused::Replayed);
    all
}

#[test]
fn the_text_of_every_error_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals.txt");
    let texts = texts();
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        std::fs::write(&path, texts.join("\n") + "\n").unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap();
    let reviewed: Vec<&str> = reviewed.lines().collect();
    assert_eq!(texts, reviewed);
}

#[test]
fn no_error_is_without_a_reviewed_text() {
    // One text for each `#[error("...")]` in the sources, and the policy's second form, and the two
    // other ways to be outside of a policy's time.
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut own = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            let all = source.matches("#[error(").count();
            own += all - source.matches("#[error(transparent)]").count();
        }
    }
    assert_eq!(texts().len(), own + 3);
}
