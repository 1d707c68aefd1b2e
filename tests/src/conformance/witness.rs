//! The witness that is asked, as it looks from outside.

use super::Options;
use super::cosignature::{Subject, is_by, verify};
use super::http::{Answer, Connection, Prefix};
use super::logs::now;
use super::report::Failure;
use anyhow::{Result, ensure};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{KeyMaterial, SignatureLine, VerifierKey};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// So many requests in a row that were not answered in time, and the witness is taken for dead.
const DEAD: u32 = 5;
/// How many seconds in all the suite waits where it is told to slow down (429).
const PATIENCE: u32 = 300;

#[derive(Debug)]
pub(super) struct Witness {
    submission: Prefix,
    monitoring: Prefix,
    pub(super) keys: Vec<VerifierKey>,
    pub(super) monitoring_delay: Duration,
    unanswered: AtomicU32,
    waited: AtomicU32,
}

impl Witness {
    pub(super) fn new(options: &Options) -> Result<Witness> {
        ensure!(!options.keys.is_empty(), "no key of the witness is given");
        let cosigns = |key: &VerifierKey| !matches!(key.material, KeyMaterial::Ed25519(_));
        ensure!(
            options.keys.iter().all(cosigns),
            "a witness's key has the signature type 0x04 (Ed25519) or 0x06 (ML-DSA-44)"
        );
        let prefix = |url: &str| Prefix::parse(url).map_err(anyhow::Error::msg);
        let submission = prefix(&options.submission)?;
        let monitoring = options.monitoring.as_deref().map(prefix).transpose()?;
        Ok(Witness {
            monitoring: monitoring.unwrap_or_else(|| submission.clone()),
            submission,
            keys: options.keys.clone(),
            monitoring_delay: options.monitoring_delay,
            unanswered: AtomicU32::new(0),
            waited: AtomicU32::new(0),
        })
    }

    pub(super) fn connect(&self) -> std::io::Result<Connection> {
        Connection::open(&self.submission)
    }

    /// Asks at the submission prefix.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer, Failure> {
        self.ask_at(&self.submission, method, path, body, None)
    }

    pub(super) fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, Failure> {
        self.ask("POST", "add-checkpoint", Some(body))
    }

    /// The same on a connection that is open; where the witness says 429, again on another.
    pub(super) fn add_checkpoint_on(
        &self,
        connection: Connection,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        self.ask_at(&self.submission, "POST", "add-checkpoint", Some(body), Some(connection))
    }

    /// Asks for the checkpoint of an origin hash, by any method.
    pub(super) fn monitor(&self, method: &str, hash: &str) -> Result<Answer, Failure> {
        self.ask_at(&self.monitoring, method, &format!("{hash}/checkpoint"), None, None)
    }

    fn ask_at(
        &self,
        prefix: &Prefix,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        mut connection: Option<Connection>,
    ) -> Result<Answer, Failure> {
        loop {
            if self.unanswered.load(Ordering::Relaxed) >= DEAD {
                return Err(Failure::new("an answer", "none: the witness stopped answering"));
            }
            let opened = connection.take().map_or_else(|| Connection::open(prefix), Ok);
            let answer = opened.and_then(|mut connection| connection.ask(method, path, body));
            let answer = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    // Only what takes its time: a connection that is closed fails at once.
                    if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) {
                        self.unanswered.fetch_add(1, Ordering::Relaxed);
                    }
                    return Err(Failure::new("an answer", format!("none: {why}")));
                }
            };
            self.unanswered.store(0, Ordering::Relaxed);
            if answer.status != 429 {
                return Ok(answer);
            }
            let seconds = answer.field("retry-after").and_then(|after| after.parse().ok());
            let seconds = seconds.unwrap_or(1u32).clamp(1, 10);
            if self.waited.fetch_add(seconds, Ordering::Relaxed) >= PATIENCE {
                return Ok(answer);
            }
            std::thread::sleep(Duration::from_secs(seconds.into()));
        }
    }

    /// The lines of an answer, of which those by the witness's keys verify and have a fitting time:
    /// zero for a subtree, about now for a head. Each key must have signed a head.
    pub(super) fn cosignatures(
        &self,
        answer: &Answer,
        subject: &Subject,
    ) -> Result<Vec<Cosignature>, Failure> {
        let mut cosignatures = Vec::new();
        for line in lines(answer)? {
            let Some(key) = self.keys.iter().find(|key| is_by(&line, key)) else { continue };
            let who = format!("{} (key id {:08x})", key.name, key.id());
            let time = verify(key, &line, subject).ok_or_else(|| {
                Failure::new(format!("a cosignature by {who}"), "a line that does not verify")
            })?;
            match subject.text {
                Some(_) => head_time(time)?,
                None if time == 0 => {}
                None => return Err(Failure::new("no timestamp", format!("the time {time}"))),
            }
            cosignatures.push(Cosignature { line, time });
        }
        for key in self.keys.iter().filter(|_| subject.text.is_some()) {
            if !cosignatures.iter().any(|cosignature| is_by(&cosignature.line, key)) {
                let who = format!("{} (key id {:08x})", key.name, key.id());
                return Err(Failure::new(format!("a line by {who}"), answer.describe()));
            }
        }
        Ok(cosignatures)
    }
}

/// A line by a key of the witness that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cosignature {
    pub(super) line: SignatureLine,
    pub(super) time: u64,
}

/// A body that is nothing but signature lines.
pub(super) fn lines(answer: &Answer) -> Result<Vec<SignatureLine>, Failure> {
    let wrong = || Failure::new("signature lines, each with its newline", answer.describe());
    let body = std::str::from_utf8(&answer.body).map_err(|_| wrong())?;
    let body = body.strip_suffix('\n').ok_or_else(wrong)?;
    body.split('\n').map(|line| SignatureLine::decode(line).map_err(|_| wrong())).collect()
}

fn head_time(time: u64) -> Result<(), Failure> {
    let now = now();
    if time.abs_diff(now) > 3600 {
        return Err(Failure::new(format!("a time within an hour of {now}"), time.to_string()));
    }
    Ok(())
}

/// The origin hash of the monitoring prefix.
pub(super) fn origin_hash(origin: &str) -> String {
    Hash::of(origin.as_bytes()).to_hex()
}
