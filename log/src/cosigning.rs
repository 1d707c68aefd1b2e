//! Asking witnesses over HTTP (C2SP tlog-witness): all at once, each within its time, and believing only
//! what verifies.

use anyhow::{Context, Result, anyhow, bail};
use coldlog_client::{Client, Reply};
use coldlog_kit::published::Tree;
use coldlog_kit::time;
use coldlog_spec::checkpoint::{SignedCheckpoint, parse_decimal};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{MAX_NOTE, SignatureLine, VerifierKey};
use coldlog_spec::policy::Policy;
use coldlog_spec::verify::cosigned::{NotTaken, put, taken};
use coldlog_spec::witnessing::{Request, Response};
use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Store;

/// The witnesses of a policy that are asked over HTTP.
pub struct Witnesses {
    client: Client,
    /// What each has seen last, as it said.
    sizes: Arc<Mutex<HashMap<String, u64>>>,
    deadline: Duration,
    linger: Duration,
}

/// What became of a round.
pub struct Round {
    /// The head, with all cosignatures that came in time, and those that it had.
    pub head: SignedCheckpoint,
    /// The head with the cosignatures of this round alone: an older quorum says nothing about today.
    pub fresh: SignedCheckpoint,
    /// Who did not cosign, and why.
    pub refused: Vec<String>,
    /// A witness has seen more of this log than there is.
    pub ahead: Option<String>,
}

impl Witnesses {
    /// Each witness has until `deadline`; once the quorum holds, the others have `linger` yet.
    pub fn new(deadline: Duration, linger: Duration) -> Result<Witnesses> {
        let client = Client::within(deadline)?;
        Ok(Witnesses { client, sizes: Arc::default(), deadline, linger })
    }

    /// Asks all witnesses to cosign a head. `known` is the size that they have seen last, as far as nothing
    /// better is known of one.
    pub fn ask(
        &self,
        store: Arc<dyn Store>,
        head: &SignedCheckpoint,
        policy: &Policy,
        known: u64,
    ) -> Result<Round> {
        let prefixes = policy.submission_prefixes();
        if prefixes.is_empty() {
            bail!(
                "the policy names no witness with a URL (`witness <name> <vkey> <url>`): carry files, with `log witness-request` and `log add-cosignatures`"
            );
        }
        let mut bare = head.clone();
        // A witness needs the log's own lines only.
        bare.note.signatures.retain(|line| line.name == head.checkpoint.origin);
        let (answers, come) = channel();
        let begun = Instant::now();
        for (url, keys) in &prefixes {
            let one = One {
                until: begun + self.deadline,
                client: self.client.clone(),
                url: (*url).to_owned(),
                keys: keys.iter().map(|key| (*key).clone()).collect(),
                head: bare.clone(),
                store: store.clone(),
                sizes: self.sizes.clone(),
                known,
            };
            let answers = answers.clone();
            // It ends by itself when its time is over, whether or not anybody still listens.
            let thread = std::thread::Builder::new().name("witness".into());
            thread
                .spawn(move || drop(answers.send((one.url.clone(), one.ask()))))
                .context("starting to ask a witness")?;
        }
        drop(answers);
        let mut round = Round { head: head.clone(), fresh: bare, refused: Vec::new(), ahead: None };
        let mut until = begun + self.deadline + Duration::from_secs(1);
        let mut left: Vec<&str> = prefixes.iter().map(|(url, _)| *url).collect();
        loop {
            match come.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((url, answer)) => {
                    left.retain(|other| *other != url);
                    match answer {
                        Ok(Answer::Cosigned(lines)) => {
                            put(&mut round.fresh, lines.clone());
                            put(&mut round.head, lines);
                        }
                        Ok(Answer::Ahead(size)) => {
                            let told = format!("{url} has seen this log at size {size}");
                            round.ahead = Some(told.clone());
                            round.refused.push(told);
                        }
                        Err(why) => round.refused.push(format!("{url}: {why:#}")),
                    }
                    if policy.verify_head(&round.fresh).is_ok() {
                        until = until.min(Instant::now() + self.linger);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    round
                        .refused
                        .extend(left.iter().map(|url| format!("{url}: no answer in time")));
                    break;
                }
            }
        }
        SignedCheckpoint::decode(&round.head.encode()).context("too many cosignatures")?;
        Ok(round)
    }
}

enum Answer {
    Cosigned(Vec<SignatureLine>),
    Ahead(u64),
}

/// When a mirror is asked again for the first time.
const SOON: Duration = Duration::from_millis(50);

// One witness, asked.
struct One {
    /// When its time is over.
    until: Instant,
    client: Client,
    url: String,
    keys: Vec<VerifierKey>,
    head: SignedCheckpoint,
    store: Arc<dyn Store>,
    sizes: Arc<Mutex<HashMap<String, u64>>>,
    known: u64,
}

impl One {
    fn ask(&self) -> Result<Answer> {
        let size = self.head.checkpoint.size;
        let sizes = || self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes().get(&self.url).copied().unwrap_or(self.known).min(size);
        let mut reply = self.post(known)?;
        if reply.status == 409 {
            let seen = std::str::from_utf8(&reply.body).ok();
            let seen = seen.and_then(|text| parse_decimal(text.strip_suffix('\n')?));
            let seen = seen.context("its answer 409 is no size")?;
            sizes().insert(self.url.clone(), seen);
            if seen > size {
                return Ok(Answer::Ahead(seen));
            }
            // Once: who says another size each time is not asked for ever.
            reply = self.post(seen)?;
        }
        if reply.status != 200 {
            let why =
                String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]).into_owned();
            return Err(anyhow!(
                "it answers {}: {}",
                reply.status,
                coldlog_kit::terminal::field(why.trim())
            ));
        }
        if reply.body.is_empty() {
            return self.mirrored();
        }
        let body = String::from_utf8(reply.body).context("its answer is no text")?;
        let answer = Response { witness: String::new(), status: 200, body };
        let lines = answer.lines().context("its answer is no list of signature lines")?;
        let keys: Vec<&VerifierKey> = self.keys.iter().collect();
        let lines = taken(&self.head, lines, &keys, time::now(), true)?;
        self.saw(size);
        Ok(Answer::Cosigned(lines))
    }

    // What it has seen now: the next request begins there.
    fn saw(&self, size: u64) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.insert(self.url.clone(), size);
    }

    // A mirror takes the head, and cosigns only once it has all that the head stands for (C2SP tlog-mirror):
    // what it then serves carries its cosignature.
    fn mirrored(&self) -> Result<Answer> {
        let origin = Hash::of(self.head.checkpoint.origin.as_bytes()).to_hex();
        let url = format!("{}/{origin}/checkpoint", self.url);
        let keys: Vec<&VerifierKey> = self.keys.iter().collect();
        let (mut wait, mut trouble) = (SOON, None);
        loop {
            let served = match self.client.get(&url, MAX_NOTE) {
                Ok(served) => served,
                // What passes in between; the time is not over.
                Err(why) => {
                    trouble = Some(why);
                    None
                }
            };
            if let Some(served) = served {
                let served = SignedCheckpoint::decode(&served).context(
                    "its answer holds no line by a key that the policy names for it, and what it serves is no head",
                )?;
                let (size, seen) = (self.head.checkpoint.size, served.checkpoint.size);
                let lines = served.note.signatures;
                if served.checkpoint == self.head.checkpoint {
                    match taken(&self.head, lines, &keys, time::now(), true) {
                        // It is about to cosign anew.
                        Err(NotTaken::Old { .. }) => {}
                        lines => {
                            let lines = lines?;
                            self.saw(size);
                            return Ok(Answer::Cosigned(lines));
                        }
                    }
                } else if seen > size {
                    return Ok(Answer::Ahead(seen));
                }
            }
            if Instant::now() + wait >= self.until {
                if let Some(why) = trouble {
                    return Err(why);
                }
                bail!(
                    "it took the head and cosigned it not in time: its answer holds no line by a key that the policy names for it, and if it is a mirror, it does not have all entries yet"
                );
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_secs(1));
        }
    }

    fn post(&self, old: u64) -> Result<Reply> {
        let path = Tree::new(self.store.as_ref(), self.head.checkpoint.size).consistency(old)?;
        let request = Request { old, path, head: self.head.clone() };
        let url = format!("{}/add-checkpoint", self.url);
        self.client.post(&url, "text/plain; charset=utf-8", &request.body(), MAX_NOTE)
    }
}
