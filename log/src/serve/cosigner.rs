//! Has the newest head cosigned, again and again, beside the requests.

use crate::commands::witnesses;
use crate::cosigning::Witnesses;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, text_of};
use coldlog_spec::policy::Policy;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long each witness has.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long the others have once the quorum holds.
const LINGER: Duration = Duration::from_secs(1);

/// A thread that ends when this is dropped.
pub(crate) struct Cosigner {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Cosigner {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Starts it.
pub(crate) fn start(home: &Path, policy: Arc<Policy>, seconds: u64) -> Result<Cosigner> {
    let witnesses = Witnesses::new(DEADLINE, LINGER)?;
    let (stop, stopped) = channel();
    let (home, every) = (home.to_path_buf(), Duration::from_secs(seconds.max(1)));
    let work = move || {
        loop {
            match witnesses::round(&home, &witnesses, &policy) {
                Ok((head, refused)) => {
                    let size = head.checkpoint.size;
                    match policy.verify_head(&head) {
                        Ok(_) => tracing::info!(size, "the head meets the quorum"),
                        Err(why) => tracing::warn!(size, %why, "the head does not meet the quorum"),
                    }
                    refused.iter().for_each(|why| tracing::warn!(%why, "a witness did not cosign"));
                }
                Err(Failure::No(why) | Failure::Trouble(why)) => {
                    tracing::error!(why = %text_of(&why), "the head was not cosigned");
                }
            }
            if !matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("cosigner".into()).spawn(work);
    let thread = Some(thread.context("starting to ask witnesses")?);
    Ok(Cosigner { stop: Some(stop), thread })
}
