//! A witness in this process: right, or wrong in one way.

use super::fault::Fault;
use super::server::{Request, Response};
use crate::conformance::cosignature::{Subject, is_by, verify};
use crate::conformance::keys::{Kind, Signer};
use crate::conformance::logs::{now, subject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldlog_spec::checkpoint::{SignedCheckpoint, parse_decimal};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle;
use coldlog_spec::note::{Note, VerifierKey};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

struct Record {
    size: u64,
    root: Hash,
    served: Note,
    first: Note,
}

pub(super) struct Fake {
    pub(super) fault: Fault,
    pub(super) keys: [Signer; 2],
    logs: HashMap<String, Vec<VerifierKey>>,
    records: Mutex<HashMap<String, Record>>,
}

// Why not, as a status.
type Refused = Response;

impl Fake {
    /// A witness that trusts the logs of these lines.
    pub(super) fn new(fault: Fault, policy: &str) -> Fake {
        let key = |kind| Signer::new("witness.example/fake", kind, &[42; 32]);
        let mut logs: HashMap<String, Vec<VerifierKey>> = HashMap::new();
        for line in policy.lines() {
            let key = VerifierKey::decode(line.strip_prefix("log ").unwrap()).unwrap();
            logs.entry(key.name.clone()).or_default().push(key);
        }
        let keys = [key(Kind::Ed25519Cosigner), key(Kind::MlDsa44)];
        Fake { fault, keys, logs, records: Mutex::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn answer(&self, request: &Request) -> Response {
        let post = request.method == "POST" || self.is(Fault::AnyMethod);
        let result = match request.path.as_str() {
            "/w/add-checkpoint" if post => self.add_checkpoint(&request.body),
            "/w/sign-subtree" if post && !self.is(Fault::NoSubtree) => {
                self.sign_subtree(&request.body)
            }
            "/w/add-checkpoint" => Err(Response::status(405)),
            "/w/sign-subtree" if !self.is(Fault::NoSubtree) => Err(Response::status(405)),
            path => self.monitor(&request.method, path),
        };
        let answer = result.unwrap_or_else(|refused| refused);
        match self.is(Fault::AlwaysSucceeds) {
            true => Response { status: 200, ..answer },
            false => answer,
        }
    }

    // The lines before the first empty line, and the checkpoint after it.
    fn split(&self, body: &[u8]) -> Option<(Vec<String>, SignedCheckpoint)> {
        let mut body = String::from_utf8(body.to_vec()).ok()?;
        if self.is(Fault::LenientNewlines) {
            body = body.replace("\r\n", "\n");
        }
        if self.is(Fault::NoLargeBodies) && body.len() > 65536 {
            return None;
        }
        let (head, note) = body.split_once("\n\n")?;
        let lines = head.split('\n').map(str::to_owned).collect();
        Some((lines, SignedCheckpoint::decode(note.as_bytes()).ok()?))
    }

    fn add_checkpoint(&self, body: &[u8]) -> Result<Response, Refused> {
        let bad = || Response::status(400);
        let (lines, head) = self.split(body).ok_or_else(bad)?;
        let old = lines[0].strip_prefix("old ").and_then(|old| match self.fault {
            Fault::LenientNumbers => old.trim().parse().ok(),
            _ => parse_decimal(old),
        });
        let old = old.ok_or_else(bad)?;
        let proof = hashes(&lines[1..]).ok_or_else(bad)?;
        let checkpoint = &head.checkpoint;
        let origin = &checkpoint.origin;
        let trusted = self.logs.get(origin).ok_or(Response::status(match self.fault {
            Fault::UnknownOriginIsForbidden => 403,
            _ => 404,
        }))?;
        let log_lines = self.log_lines(trusted, &head)?;

        if old > checkpoint.size && !self.is(Fault::OldLargerIsConflict) {
            return Err(bad());
        }
        let mut records = self.records.lock().unwrap();
        let known = records.get(origin).map_or(0, |record| record.size);
        let known_root = records.get(origin).map(|record| record.root);
        if self.is(Fault::ServesRefused)
            && let Some(record) = records.get_mut(origin)
        {
            record.served.text = head.note.text.clone();
        }
        let other_root =
            known == checkpoint.size && known_root.is_some_and(|r| r != checkpoint.root);
        if other_root && self.is(Fault::ConflictForOtherRoot) || old != known {
            let newline = if self.is(Fault::SizeWithoutNewline) { "" } else { "\n" };
            let kind = match self.fault {
                Fault::WrongContentType => "text/plain",
                _ => "text/x.tlog.size",
            };
            return Err(Response { status: 409, kind, body: format!("{known}{newline}").into() });
        }
        let unprocessable = Err(Response::status(422));
        let empty = checkpoint.size == 0;
        if empty && checkpoint.root != merkle::empty_root() && !self.is(Fault::AnyEmptyRoot) {
            return unprocessable;
        }
        if old == 0 && !proof.is_empty() && !self.is(Fault::ProofAtZero) {
            return unprocessable;
        }
        let same = old == checkpoint.size;
        if same && other_root && !self.is(Fault::SameSizeAnyRoot) {
            return unprocessable;
        }
        if old > 0 && !self.is(Fault::IgnoresProofs) && !(same && self.is(Fault::SameSizeAnyRoot)) {
            let root = known_root.unwrap_or_else(merkle::empty_root);
            let (new, size) = (checkpoint.root, checkpoint.size);
            if merkle::verify_consistency(old, size, &proof, root, new).is_err() {
                return unprocessable;
            }
        }
        let apart = self.is(Fault::ChecksAndWritesApart);
        if apart || same && self.is(Fault::WritesAgainApart) {
            drop(records);
            std::thread::sleep(Duration::from_millis(10));
            records = self.records.lock().unwrap();
        }
        let (answer, served) = self.cosign(&head, log_lines);
        if !self.is(Fault::KeepsNothing) {
            let first = records.remove(origin).map_or_else(|| served.clone(), |r| r.first);
            let (size, root) = (checkpoint.size, checkpoint.root);
            records.insert(origin.clone(), Record { size, root, served, first });
        }
        Ok(answer)
    }

    // The lines of the log's keys.
    fn log_lines(&self, trusted: &[VerifierKey], head: &SignedCheckpoint) -> Result<Note, Refused> {
        let signed = subject(&head.checkpoint, &head.note.text);
        let mut verified = Note { text: head.note.text.clone(), signatures: Vec::new() };
        for line in &head.note.signatures {
            let own = self.keys.iter().any(|key| is_by(line, &key.verifier));
            match trusted.iter().find(|key| is_by(line, key)) {
                Some(key) if verify(key, line, &signed).is_some() => {
                    verified.signatures.push(line.clone());
                }
                Some(_) if self.is(Fault::OneGoodLineWillDo) => {}
                Some(_) => return Err(Response::status(403)),
                None if self.is(Fault::MindsUnknownKeys) => return Err(Response::status(403)),
                None if own && self.is(Fault::MindsItsOwnName) => {
                    return Err(Response::status(403));
                }
                None => {}
            }
        }
        match verified.signatures.is_empty() {
            true => Err(Response::status(403)),
            false => Ok(verified),
        }
    }

    // The answer, and what monitors get from now on.
    fn cosign(&self, head: &SignedCheckpoint, mut note: Note) -> (Response, Note) {
        let text: String = match self.fault {
            Fault::SignsThreeLines => head.note.text.split_inclusive('\n').take(3).collect(),
            _ => head.note.text.clone(),
        };
        let time = match self.fault {
            Fault::NoTime => 0,
            Fault::OldTime => now() - 7200,
            _ => now(),
        };
        let signed = subject(&head.checkpoint, &text);
        let count = if self.is(Fault::OneKeyOnly) { 1 } else { 2 };
        let keys = self.keys.iter().take(count);
        let lines: Vec<_> = keys.clone().map(|key| key.sign(&signed, time)).collect();
        let mut body: String = lines.iter().map(|line| line.encode()).collect();
        if self.is(Fault::AnswerWithoutNewline) {
            body.pop();
        }
        if self.is(Fault::ReturnsTheLogsLines) {
            body.push_str(&note.signatures[0].encode());
        }
        if self.is(Fault::ServesWithoutTheLog) {
            note.signatures.clear();
        }
        note.signatures.extend(match self.fault {
            Fault::ServesAnotherSignature => keys.map(|key| key.sign(&signed, time + 1)).collect(),
            _ => lines,
        });
        (Response { status: 200, kind: "text/plain", body: body.into() }, note)
    }

    fn monitor(&self, method: &str, path: &str) -> Result<Response, Refused> {
        let none = Response::status(404);
        let hash = path.strip_prefix("/m/").and_then(|path| path.strip_suffix("/checkpoint"));
        let hash = hash.ok_or(none.clone())?;
        if method != "GET" && !self.is(Fault::AnyMethod) {
            return Err(Response::status(405));
        }
        let records = self.records.lock().unwrap();
        let is = |origin: &str| {
            let hex = Hash::of(origin.as_bytes()).to_hex();
            hex == hash || self.is(Fault::AnyCaseOfHash) && hex.eq_ignore_ascii_case(hash)
        };
        let record = records.iter().find(|(origin, _)| is(origin)).ok_or(none)?.1;
        let note = match self.fault {
            Fault::ServesTheFirst => &record.first,
            _ => &record.served,
        };
        Ok(Response { status: 200, kind: "text/plain", body: note.encode() })
    }

    fn sign_subtree(&self, body: &[u8]) -> Result<Response, Refused> {
        let bad = || Response::status(400);
        let (lines, head) = self.split(body).ok_or_else(bad)?;
        let range = lines[0].strip_prefix("subtree ").and_then(|range| range.split_once(' '));
        let range = range.and_then(|(a, b)| Some((parse_decimal(a)?, parse_decimal(b)?)));
        let (start, end) = range.ok_or_else(bad)?;
        let hashes = hashes(&lines[1..]).ok_or_else(bad)?;
        let (root, proof) = hashes.split_first().ok_or_else(bad)?;
        let checkpoint = &head.checkpoint;
        let any = self.is(Fault::SubtreeAnyRange);
        if !any && (!merkle::is_subtree(start, end) || end > checkpoint.size) || proof.len() > 63 {
            return Err(bad());
        }
        if !self.logs.contains_key(&checkpoint.origin) {
            return Err(Response::status(404));
        }
        let signed = subject(checkpoint, &head.note.text);
        let own = if self.is(Fault::SubtreeOneKey) { 1 } else { 0 };
        let mut lines = self.keys[own..].iter().map(|key| {
            head.note.signatures.iter().any(|line| verify(&key.verifier, line, &signed).is_some())
        });
        if !lines.any(|verifies| verifies) && !self.is(Fault::SubtreeAnyHead) {
            return Err(Response::status(403));
        }
        let size = checkpoint.size;
        let checked =
            merkle::verify_subtree_consistency(start, end, size, proof, *root, checkpoint.root);
        if checked.is_err() && !self.is(Fault::SubtreeAnyProof) {
            return Err(Response::status(422));
        }
        let origin = &checkpoint.origin;
        let subtree = Subject { text: None, origin, start, end, root: *root };
        let time = if self.is(Fault::SubtreeWithTime) { now() } else { 0 };
        let body = self.keys[1].sign(&subtree, time).encode().into();
        Ok(Response { status: 200, kind: "text/plain", body })
    }
}

fn hashes(lines: &[String]) -> Option<Vec<Hash>> {
    let hashes = lines.iter().map(|line| Hash::from_slice(&STANDARD.decode(line).ok()?));
    hashes.collect::<Option<Vec<Hash>>>().filter(|hashes| hashes.len() <= 64)
}
