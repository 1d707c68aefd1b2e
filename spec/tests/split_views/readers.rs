//! What is shown to those who read the log, and what they believe.

use super::histories::{EMPTY, Head};
use super::quorums::{KEYS, MOST, Set};
use super::trial::{Shown, Trial};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::receipts::Header;
use coldlog_spec::verify::heads::extends;
use coldlog_spec::verify::receipts::{Refusal, verify_head};

impl Trial {
    // A head with its cosignatures: with all that there are, or with what the log likes to show.
    pub(super) fn show(&mut self, head: Head, whole: bool) -> Shown {
        let mut note = self.sign(head).note;
        let (mut by, mut sound): (Set, bool) = (0, true);
        for witness in 0..self.quorum.witnesses {
            if !whole && self.random.one_in(6) {
                continue;
            }
            let lines = match self.lines(head, witness) {
                Some(lines) => lines,
                None if self.liars & (1 << witness) != 0 => self.cosign(witness, head),
                None => continue,
            };
            by |= 1 << witness;
            note.signatures.extend(lines);
        }
        let tricks = if whole { 1 } else { 6 };
        let lines = &mut note.signatures;
        match self.random.below(tricks) {
            1 => lines.extend(KEYS.cosign(MOST, &self.sign(head), 77, self.both)),
            2 => {
                let again = self.random.pick(lines).cloned();
                lines.extend(again);
            }
            // A cosignature on another head.
            3 => {
                let other = self.random.pick(&self.cosignatures);
                if let Some((other, _, other_lines)) = other
                    && *other != self.sides.same(head)
                {
                    lines.extend(other_lines.iter().cloned());
                    sound = false;
                }
            }
            4 => {
                let place = self.random.below(lines.len() as u64) as usize;
                let bytes = &mut lines[place].signature;
                let bit = self.random.below(8 * bytes.len() as u64);
                bytes[bit as usize / 8] ^= 1 << (bit % 8);
                sound = false;
            }
            _ => {}
        }
        let start = self.random.below(lines.len() as u64) as usize;
        lines.rotate_left(start);
        Shown { note: note.encode(), by, sound }
    }

    pub(super) fn is_believable(&self, shown: &Shown) -> bool {
        shown.sound && self.quorum.met(shown.by)
    }

    // The relying party: it knows its policy and nothing else.
    pub(super) fn rely(&mut self, head: Head, shown: &Shown) -> bool {
        let note = SignedCheckpoint::decode(&shown.note).unwrap();
        let answer = self.quorum.policy(self.both).verify_head(&note);
        assert_eq!(answer.is_ok(), self.is_believable(shown), "{head:?}: {answer:?}");
        match answer {
            Ok(cosigned) => {
                assert_eq!(*cosigned.checkpoint(), self.checkpoint(head));
                self.seen.insert("a head that a relying party believes");
                self.accepted.push(head);
                true
            }
            Err(_) => {
                self.seen.insert("a head without its quorum");
                false
            }
        }
    }

    pub(super) fn import(&mut self, head: Head, shown: &Shown) {
        let memory = self.readers[0].memory.as_ref();
        let memory = memory.map(|bytes| SignedCheckpoint::decode(bytes).unwrap());
        let known = self.readers[0].accepted.last().copied();
        let start = known.unwrap_or(EMPTY);
        let old_size = if self.random.one_in(6) { head.size / 2 } else { start.size };
        let consistency = self.any_path(start, old_size, head);
        let right = known.is_none_or(|known| {
            self.sides.fit(known, head)
                && (known.size == head.size
                    || (known.size < head.size
                        && old_size == known.size
                        && consistency == self.sides.history(head.side).path(old_size, head.size)))
        });
        let claims = Claims { issuer: "signer.example".into(), subject: "journal".into() };
        let header = Header { claims, checkpoint: shown.note.clone(), old_size, consistency };
        let header = Header::decode(&header.encode()).unwrap();
        let answer = verify_head(&header, self.quorum.policy(self.both), memory.as_ref());
        let believed = self.is_believable(shown) && right;
        assert_eq!(answer.is_ok(), believed, "{known:?}, then {head:?}: {answer:?}");
        match answer {
            Ok(_) => {
                self.seen.insert("a head that a signer imports");
                self.readers[0].memory = Some(shown.note.clone());
                self.readers[0].accepted.push(head);
                self.accepted.push(head);
            }
            Err(Refusal::History { misfit, evidence }) => {
                assert_eq!(misfit.convicts(), evidence.is_some(), "{misfit}");
                if let Some(evidence) = evidence {
                    self.seen.insert("evidence of a signer");
                    self.convict(&evidence, [start, head]);
                }
            }
            Err(Refusal::Head(_)) => {}
            Err(Refusal::OlderHead { .. }) => {
                self.seen.insert("an older head");
            }
            Err(Refusal::OtherStart { .. }) => {
                self.seen.insert("a proof from elsewhere");
            }
            Err(other) => panic!("{other}"),
        }
    }

    // An auditor keeps the last head that it believed, and wants each later one to extend it.
    pub(super) fn audit(&mut self, head: Head, shown: &Shown) {
        let note = SignedCheckpoint::decode(&shown.note).unwrap();
        if self.quorum.policy(self.both).verify_head(&note).is_err() {
            assert!(!self.is_believable(shown));
            return;
        }
        assert!(self.is_believable(shown));
        let Some(bytes) = &self.readers[1].memory else { return self.keep(head, shown) };
        let last = SignedCheckpoint::decode(bytes).unwrap();
        let known = self.readers[1].accepted.last().copied().unwrap_or(EMPTY);
        let path = self.any_path(known, known.size, head);
        let answer = extends(&last.checkpoint, &note.checkpoint, &path);
        let right = self.sides.fit(known, head)
            && known.size <= head.size
            && path == self.sides.history(head.side).path(known.size, head.size);
        assert_eq!(answer.is_ok(), right, "{known:?}, then {head:?}: {answer:?}");
        let Err(misfit) = answer else { return self.keep(head, shown) };
        if misfit.convicts() {
            self.seen.insert("evidence of an auditor");
            let (first, second) = (last.encode(), shown.note.clone());
            self.convict(&Evidence::SplitView { first, second, path }, [known, head]);
        }
    }

    pub(super) fn keep(&mut self, head: Head, shown: &Shown) {
        self.seen.insert("a head that an auditor keeps");
        self.readers[1].memory = Some(shown.note.clone());
        self.readers[1].accepted.push(head);
        self.accepted.push(head);
    }
}
