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
    file: std::fs::File,
) -> Result<u64, Refused> {
    let mut incoming = Incoming::new(body, limit, within);
    incoming.save_to(file).await?;
    Ok(limit - incoming.chunks.left)
}

/// A body whose beginning decides whether the rest is read.
pub struct Incoming {
    chunks: Chunks,
    begun: Vec<u8>,
}

impl Incoming {
    /// Of at most `limit` bytes, within a time.
    pub fn new(body: Body, limit: u64, within: Duration) -> Incoming {
        Incoming { chunks: Chunks::new(body, limit, within), begun: Vec::new() }
    }

    /// Reads until `enough` has what it wants of the beginning, or the body ends, or `most` bytes are there.
    pub async fn beginning<T>(
        &mut self,
        most: usize,
        mut enough: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        loop {
            if let Some(enough) = enough(&self.begun) {
                return Ok(Some(enough));
            }
            if self.begun.len() >= most {
                return Ok(None);
            }
            match self.chunks.next().await? {
                Some(chunk) => self.begun.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// All of it into a file. What came stays there, however it ends.
    pub async fn save_to(&mut self, mut file: std::fs::File) -> Result<(), Refused> {
        let mut piece = Some(Bytes::from(std::mem::take(&mut self.begun)));
        while let Some(chunk) = piece {
            // A disk may be slow: the other connections must not wait for it.
            let stored = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file));
            let stored = stored.await.map_err(|_| Refused::Broken)?;
            file = stored.map_err(Refused::NotStored)?;
            piece = self.chunks.next().await?;
        }
        Ok(())
    }
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
