//! Bodies of requests, read within limits of size and time.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Why a body was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Larger than so many bytes.
    TooLarge(u64),
    /// It did not come in time.
    TooSlow,
    /// The connection broke, or the body's framing did.
    Broken,
    /// It could not be stored.
    NotStored(std::io::Error),
}

/// A whole body, in memory.
pub async fn read(body: Body, limit: usize, within: Duration) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let mut chunks = Chunks::new(body, limit as u64, within);
    while let Some(chunk) = chunks.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A whole body, into a file; returns how many bytes.
pub async fn save(
    body: Body,
    limit: u64,
    within: Duration,
    mut file: std::fs::File,
) -> Result<u64, Refused> {
    let mut chunks = Chunks::new(body, limit, within);
    while let Some(chunk) = chunks.next().await? {
        // A disk may be slow: the other connections must not wait for it.
        let stored = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file));
        let stored = stored.await.map_err(|_| Refused::Broken)?;
        file = stored.map_err(Refused::NotStored)?;
    }
    Ok(limit - chunks.left)
}

struct Chunks {
    body: Body,
    limit: u64,
    left: u64,
    end: Instant,
}

impl Chunks {
    fn new(body: Body, limit: u64, within: Duration) -> Chunks {
        Chunks { body, limit, left: limit, end: Instant::now() + within }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refused> {
        loop {
            let frame = timeout_at(self.end, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| Refused::TooSlow)? else { return Ok(None) };
            let Ok(chunk) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
            let left = self.left.checked_sub(chunk.len() as u64);
            self.left = left.ok_or(Refused::TooLarge(self.limit))?;
            return Ok(Some(chunk));
        }
    }
}
