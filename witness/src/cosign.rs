//! "Cosign this head", asked by file or by HTTP: decide (`spec::verify::cosign`), remember durably, answer.

use crate::place::{self, Held, Known};
use anyhow::{Result, bail};
use coldlog_kit::exit::{Failure, Outcome};
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_spec::checkpoint::{HeadKeys, SignedCheckpoint};
use coldlog_spec::note::{SignatureLine, VerifierKey};
use coldlog_spec::rehearsal::may_meet;
use coldlog_spec::verify::cosign::{Refusal, SubtreeRefusal, decide, decide_subtree};
use coldlog_spec::witnessing::{Request, SubtreeRequest};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A clock that is behind what was signed last by more seconds than this is wrong.
const BACK: u64 = 60;

/// A witness at work.
pub struct Witness {
    home: PathBuf,
    keys: HeadKeys,
    own: [VerifierKey; 2],
    /// For so many seconds an unchanged head gets the cosignatures that it has.
    heartbeat: u64,
    /// One request a log at a time; others wait here rather than at the file lock. What was verified of the
    /// memory last.
    logs: Mutex<HashMap<String, Arc<Mutex<Turn>>>>,
}

/// What is kept in memory of a log.
#[derive(Default)]
struct Turn {
    verified: Verified,
    /// The day, counted from 1970, and how many new heads it has brought.
    today: (u64, u64),
}

impl Turn {
    /// Counts a new head of a log that may show so many a day.
    fn count(&mut self, most: Option<u64>, now: u64) -> Result<(), TooMany> {
        let day = now / DAY;
        if self.today.0 != day {
            self.today = (day, 0);
        }
        self.today.1 += 1;
        match most {
            Some(most) if self.today.1 > most => Err(TooMany { most, wait: (day + 1) * DAY - now }),
            _ => Ok(()),
        }
    }
}

const DAY: u64 = 86_400;

/// A log asks more often than its line in the list of logs says.
#[derive(Debug, thiserror::Error)]
#[error("this log has shown the {most} new heads of today (`qpd`): ask again in {wait} s")]
pub struct TooMany {
    most: u64,
    /// Seconds until the next day.
    pub wait: u64,
}

/// The memory as it was when it was verified last, and the time at which it was cosigned.
type Verified = Option<(SignedCheckpoint, u64)>;

/// What is answered: an HTTP status, and a body.
#[derive(Debug)]
pub struct Answer {
    /// 200, 400, 403, 404, 409, 422, or 429 where the log asks too often.
    pub status: u64,
    /// Cosignature lines for 200, the size that is known for 409, a reason otherwise.
    pub body: String,
    /// Why not, and where the evidence is.
    pub refused: Option<(anyhow::Error, Option<PathBuf>)>,
}

impl Answer {
    /// 200, with cosignatures or none.
    pub fn lines(lines: &[SignatureLine]) -> Answer {
        let body = lines.iter().map(|line| line.encode()).collect();
        Answer { status: 200, body, refused: None }
    }

    /// Not done.
    pub fn refused(status: u64, why: impl Into<anyhow::Error>) -> Answer {
        let why = why.into();
        Answer { status, body: format!("{why}\n"), refused: Some((why, None)) }
    }

    /// A head that is not taken. Where it convicts the log, the evidence is kept.
    pub fn of_refusal(refusal: Refusal, evidence: &Path) -> Result<Answer> {
        // Evidence first: where the answer cannot be written, it must not be lost.
        let kept = match &refusal {
            Refusal::NotAnExtension { evidence: Some(shown), .. } => {
                files::create_folder(&files::folder_of(evidence))?;
                Some(files::write_evidence(evidence, &shown.encode())?)
            }
            _ => None,
        };
        let (status, mut body) = (refusal.status(), format!("{refusal}\n"));
        if let Refusal::Stale { known, .. } = &refusal {
            body = format!("{known}\n");
        }
        Ok(Answer { status, body, refused: Some((refusal.into(), kept)) })
    }
}

impl Witness {
    /// A witness in a folder that is settled. An unchanged head is cosigned anew only after so many seconds.
    pub fn open(home: &Path, keys: &Keys, heartbeat: u64) -> Outcome<Witness> {
        place::must_be_settled(home)?;
        let keys = keys.head_keys();
        let own = keys.witness_verifiers();
        Ok(Witness { home: home.into(), keys, own, heartbeat, logs: Mutex::default() })
    }

    /// Refuses where the folder is no longer the one that was settled.
    pub fn must_be_settled(&self) -> Outcome {
        place::must_be_settled(&self.home)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.keys.name
    }

    /// Its verifier keys.
    pub fn own(&self) -> &[VerifierKey] {
        &self.own
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<Turn>>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the body of `add-checkpoint` at a time. Evidence goes to `evidence`.
    pub fn add_checkpoint(&self, body: &[u8], now: u64, evidence: &Path) -> Outcome<Answer> {
        let request = match Request::from_body(body) {
            Ok(request) => request,
            Err(why) => return Ok(Answer::refused(400, why)),
        };
        let origin = request.head.checkpoint.origin.clone();
        // Only logs that are watched get a place in the map: anybody may ask.
        let unknown = || {
            let refusal = Refusal::UnknownLog { origin: origin.clone() };
            Ok(Answer::refused(refusal.status(), refusal))
        };
        if !Held::is_watched(&self.home, &origin)? {
            return unknown();
        }
        let turn = self.logs().entry(origin.clone()).or_default().clone();
        let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = Held::open(&self.home, &origin)? else { return unknown() };
        let Known { log, last } = held.known()?;
        let time = self.time_of(last.as_ref(), &mut turn.verified)?;
        if let Err(why) = may_meet(&self.keys.name, &origin) {
            return Ok(Answer::refused(403, why));
        }
        if let Err(refusal) = decide(&request, &log.keys, last.as_ref()) {
            return Ok(Answer::of_refusal(refusal, evidence)?);
        }
        if time > now.saturating_add(BACK) {
            return Err(Failure::Trouble(anyhow::anyhow!(
                "this machine's clock is {} s behind the newest cosignature: set it",
                time - now
            )));
        }
        let now = now.max(time);
        if let Some(last) = last.as_ref().filter(|last| {
            last.checkpoint == request.head.checkpoint
                && last.note.text == request.head.note.text
                && now < time.saturating_add(self.heartbeat)
        }) {
            return Ok(Answer::lines(&self.own_lines(last)));
        }
        // Only new heads are counted, which the log alone can make: nobody else uses up its day.
        if last.as_ref().is_none_or(|last| last.checkpoint != request.head.checkpoint)
            && let Err(why) = turn.count(log.per_day, now)
        {
            return Ok(Answer::refused(429, why));
        }
        let lines = self.keys.cosign(&request.head, now)?;
        let mut cosigned = request.head;
        // The log's signatures stay, one a key; whatever else somebody wrote there is not remembered.
        cosigned.note.signatures = cosigned.lines_by(&log.keys);
        cosigned.note.signatures.extend(lines.iter().cloned());
        held.remember(&cosigned)?;
        turn.verified = Some((cosigned, now));
        Ok(Answer::lines(&lines))
    }

    // The time of the newest cosignature. The memory is held against our own key, once for each state of it.
    fn time_of(&self, last: Option<&SignedCheckpoint>, verified: &mut Verified) -> Result<u64> {
        let Some(last) = last else {
            if verified.is_some() {
                bail!("this witness's memory of a head is gone: settle it with `witness recover`");
            }
            return Ok(0);
        };
        if let Some((before, time)) = verified {
            if before == last {
                return Ok(*time);
            }
            if before.checkpoint.size > last.checkpoint.size {
                bail!(
                    "this witness's memory of {} went back from size {} to {}: settle it with `witness recover --newest HEAD`",
                    last.checkpoint.origin,
                    before.checkpoint.size,
                    last.checkpoint.size
                );
            }
        }
        let time = place::must_be_ours(last, &self.own)?;
        *verified = Some((last.clone(), time));
        Ok(time)
    }

    fn own_lines(&self, head: &SignedCheckpoint) -> Vec<SignatureLine> {
        head.lines_by(&self.own)
    }

    /// Answers the body of `sign-subtree`.
    pub fn sign_subtree(&self, body: &[u8]) -> Result<Answer> {
        sign_subtree(&self.home, &self.keys, body)
    }

    /// The newest cosigned head of a log, by the SHA-256 of its origin in hexadecimal digits.
    pub fn checkpoint(&self, origin: &str) -> Result<Option<Vec<u8>>> {
        Ok(place::newest(&self.home, origin)?.map(|head| head.encode()))
    }
}

/// Answers the body of `sign-subtree` for the keys of a witness or a mirror: parts of heads that they cosigned.
pub fn sign_subtree(home: &Path, keys: &HeadKeys, body: &[u8]) -> Result<Answer> {
    let request = match SubtreeRequest::from_body(body) {
        Ok(request) => request,
        Err(why) => return Ok(Answer::refused(400, why)),
    };
    let watched = Held::is_watched(home, &request.head.checkpoint.origin)?;
    match decide_subtree(&request, watched, &keys.witness_verifiers()) {
        Ok(subtree) => Ok(Answer::lines(&[keys.cosign_subtree(&subtree)?])),
        Err(refusal) => Ok(Answer::refused(SubtreeRefusal::status(&refusal), refusal)),
    }
}
