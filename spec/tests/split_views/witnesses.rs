//! What an honest witness answers, and what it has cosigned.

use super::histories::{EMPTY, ENTRIES, Head};
use super::quorums::KEYS;
use super::trial::Trial;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::note::{SignatureLine, VerifierKey};
use coldlog_spec::verify::cosign::{Refusal, decide};
use coldlog_spec::witnessing::Request;

impl Trial {
    // What an honest witness has cosigned last.
    pub(super) fn known(&self, witness: usize) -> Head {
        self.witnesses[witness].cosigned.last().copied().unwrap_or(EMPTY)
    }

    pub(super) fn ask_rightly(&mut self, witness: usize, head: Head) -> bool {
        let old = self.known(witness).size;
        let path = self.sides.history(head.side).path(old, head.size);
        let request = Request { old, path, head: self.sign(head) };
        self.ask(witness, head, request)
    }

    pub(super) fn ask_somehow(&mut self, witness: usize, head: Head) {
        let known = self.known(witness);
        let old = match self.random.below(10) {
            0 => 0,
            1 => self.random.below(ENTRIES + 1),
            2 => head.size,
            3 => self.random.pick(&self.witnesses[witness].cosigned).map_or(0, |head| head.size),
            _ => known.size,
        };
        let path = self.any_path(known, old, head);
        let request = Request { old, path, head: self.sign(head) };
        self.ask(witness, head, request);
    }

    pub(super) fn ask(&mut self, witness: usize, head: Head, request: Request) -> bool {
        self.sent.push((witness, head, request.clone()));
        let request = Request::from_body(&request.body()).unwrap();
        if self.liars & (1 << witness) != 0 {
            self.cosign(witness, head);
            return true;
        }
        let last = &self.witnesses[witness].memory;
        let last = last.as_ref().map(|bytes| SignedCheckpoint::decode(bytes).unwrap());
        let keys = KEYS.log_verifiers(self.both);
        let answer = decide(&request, keys, last.as_ref());
        let known = self.known(witness);
        let from_there = request.old == known.size && known.size <= head.size;
        let history = self.sides.history(head.side);
        let right = from_there
            && self.sides.fit(known, head)
            && request.path == history.path(known.size, head.size);
        assert_eq!(answer.is_ok(), right, "{known:?}, then {head:?}: {answer:?}");
        let Err(refusal) = answer else {
            self.seen.insert("a cosignature");
            self.remember(witness, head, &request);
            return true;
        };
        let (what, evidence) = match refusal {
            Refusal::NotAnExtension { misfit, evidence } => {
                assert_eq!(misfit.convicts(), evidence.is_some(), "{misfit}");
                ("a head that is not proven to extend another", evidence)
            }
            Refusal::Stale { .. } => ("a stale old size", None),
            Refusal::OldBeyondNew { .. } => ("an old size beyond the head", None),
            Refusal::EmptyTree => ("a proof from nothing", None),
            other => panic!("{other}"),
        };
        self.seen.insert("a refusal");
        self.seen.insert(what);
        // It tells on itself by a head of the same size, or by its own proof.
        let last = self.checkpoint(known);
        let tells = request.old <= head.size
            && !self.sides.fit(known, head)
            && (known.size == head.size
                || (from_there && request.path == history.against(&last, head.size)));
        assert_eq!(evidence.is_some(), tells, "{known:?}, then {head:?}");
        if let Some(evidence) = evidence {
            self.seen.insert("evidence of a witness");
            self.convict(&evidence, [known, head]);
        }
        false
    }

    // What `witness cosign` writes: the log's lines, one a key, and its own.
    pub(super) fn remember(&mut self, witness: usize, head: Head, request: &Request) {
        let mut memory = request.head.clone();
        let by_log = |key: &VerifierKey| {
            let mut lines = request.head.note.signatures.iter();
            lines.find(|line| line.id == key.id() && line.name == key.name).cloned()
        };
        let keys = KEYS.log_verifiers(self.both);
        memory.note.signatures = keys.iter().filter_map(by_log).collect();
        memory.note.signatures.extend(self.cosign(witness, head));
        let memory = memory.encode();
        self.witnesses[witness].memory = Some(memory);
        self.witnesses[witness].cosigned.push(head);
    }

    pub(super) fn cosign(&mut self, witness: usize, head: Head) -> Vec<SignatureLine> {
        let signed = self.sign(head);
        self.time += self.random.below(100);
        let mut lines = KEYS.cosign(witness, &signed, self.time, self.both);
        if self.liars & (1 << witness) != 0 && self.random.one_in(8) {
            // Twice is not two.
            lines.extend(KEYS.cosign(witness, &signed, self.time + 60, self.both));
        }
        let head = self.sides.same(head);
        self.cosignatures.retain(|(other, who, _)| (*other, *who) != (head, witness));
        self.cosignatures.push((head, witness, lines.clone()));
        lines
    }

    pub(super) fn lines(&self, head: Head, witness: usize) -> Option<Vec<SignatureLine>> {
        let head = self.sides.same(head);
        let mut all = self.cosignatures.iter();
        all.find(|(other, who, _)| (*other, *who) == (head, witness)).map(|(.., l)| l.clone())
    }
}
