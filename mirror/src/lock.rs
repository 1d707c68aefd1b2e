//! Locking on a head: the decision of a witness (`spec::verify::cosign`), without a cosignature. Only what is
//! in such a head is ever kept, and so no second history comes in, whoever sends or serves it.

use crate::place::{self, Copy};
use anyhow::Result;
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::time;
use coldlog_spec::checkpoint::{HeadKeys, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::verify::cosign::{Refusal, decide};
use coldlog_spec::witnessing::Request;
use coldlog_witness::cosign::{Answer, sign_subtree};
use coldlog_witness::place::Held;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A mirror at work.
pub struct Mirror {
    pub(crate) home: PathBuf,
    pub(crate) keys: HeadKeys,
    own: [VerifierKey; 2],
    /// After so many seconds an unchanged head is cosigned anew.
    pub(crate) heartbeat: u64,
    /// It is to end soon: what takes long is left for the next run.
    pub(crate) stopping: AtomicBool,
}

impl Mirror {
    /// In a folder that is settled.
    pub fn open(home: &Path, keys: &Keys, heartbeat: u64) -> Outcome<Mirror> {
        place::must_be_settled(home)?;
        let keys = keys.head_keys();
        let own = keys.witness_verifiers();
        Ok(Mirror { home: home.into(), keys, own, heartbeat, stopping: AtomicBool::new(false) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.keys.name
    }

    /// Its verifier keys.
    pub fn own(&self) -> &[VerifierKey] {
        &self.own
    }

    /// Refuses where the folder is no longer the one that was settled.
    pub fn must_be_settled(&self) -> Outcome {
        place::must_be_settled(&self.home)
    }

    /// Answers `add-checkpoint`: 200 without a line, for what is not there yet is not cosigned.
    pub fn lock_on(&self, request: &Request) -> Outcome<Answer> {
        let origin = &request.head.checkpoint.origin;
        let held = Held::open(&self.home, origin)?;
        let Some(held) = held else {
            let refusal = Refusal::UnknownLog { origin: origin.clone() };
            return Ok(Answer::refused(refusal.status(), refusal));
        };
        place::must_be_marked(&held, origin)?;
        let known = held.known()?;
        let evidence = self.home.join("evidence");
        let named = Hash::of(origin.as_bytes()).to_hex();
        let evidence = evidence.join(format!("{named}.evidence.cbor"));
        if let Err(refusal) = decide(request, &known.log.keys, known.last.as_ref()) {
            return Ok(Answer::of_refusal(refusal, &evidence)?);
        }
        let copy = Copy::of(&self.home, origin);
        let newest = known.last.as_ref().map_or(0, |last| last.checkpoint.size);
        let served = copy.served(&self.own)?.map_or(0, |head| head.checkpoint.size);
        if served > newest {
            return no(format!(
                "this mirror cosigned {origin} at size {served}, its memory says {newest}: the memory was altered or restored; settle it with `mirror recover --newest HEAD`"
            ));
        }
        let is_known = |last| last == &request.head.checkpoint;
        if !known.last.as_ref().map(|last| &last.checkpoint).is_some_and(is_known) {
            let mut head = request.head.clone();
            head.note.signatures = request.head.lines_by(&known.log.keys);
            held.remember_marked(&head)?;
            copy.add_pending(&head)?;
        } else if let Some(last) = &known.last
            && !copy.pending()?.iter().any(|head| head.checkpoint == last.checkpoint)
        {
            // A crash came between the two.
            copy.add_pending(last)?;
        }
        Ok(Answer::lines(&[]))
    }

    /// When this mirror cosigned a head last; 0 where it did not.
    pub(crate) fn time_on(&self, head: &SignedCheckpoint) -> Result<u64> {
        let own: Vec<&VerifierKey> = self.own.iter().collect();
        let vouched = head.verified_by(&own)?;
        Ok(vouched.iter().map(|vouched| vouched.time).max().unwrap_or(0))
    }

    /// Answers the body of `add-checkpoint`.
    pub fn add_checkpoint(&self, body: &[u8]) -> Outcome<(Answer, Option<String>)> {
        let request = match Request::from_body(body) {
            Ok(request) => request,
            Err(why) => return Ok((Answer::refused(400, why), None)),
        };
        let answer = self.lock_on(&request)?;
        // What is served already, and cosigned not long ago, needs no work: anybody may send it again.
        let origin = request.head.checkpoint.origin.clone();
        let served = Copy::of(&self.home, &origin).served(&self.own)?;
        let is_done = match served.filter(|served| served.checkpoint == request.head.checkpoint) {
            Some(served) => time::now() < self.time_on(&served)?.saturating_add(self.heartbeat),
            None => request.head.checkpoint.size == 0,
        };
        let work = answer.status == 200 && !is_done;
        Ok((answer, work.then_some(origin)))
    }

    /// Answers the body of `sign-subtree`: parts of heads that this mirror has cosigned.
    pub fn sign_subtree(&self, body: &[u8]) -> Result<Answer> {
        sign_subtree(&self.home, &self.keys, body)
    }
}
