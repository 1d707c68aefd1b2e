//! `gcs-server`: what Google Cloud Storage's XML API does for a log, in memory, written from its
//! documentation: objects with generations, puts on the condition of one, lists. For tests.
//!
//! It listens on a port of 127.0.0.1 that the system picks, prints `http://127.0.0.1:PORT`, and serves
//! until its stdin is closed, or for a quarter of an hour.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest object.
const LARGEST: usize = 64 << 20;
const AT_LONGEST: Duration = Duration::from_secs(15 * 60);

/// Each object with its generation; generations are never used again.
#[derive(Default)]
struct Objects {
    newest: u64,
    all: BTreeMap<String, (u64, Vec<u8>)>,
}

fn main() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("http://{}", listener.local_addr()?);
    let objects = Arc::new(Mutex::new(Objects::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let objects = objects.clone();
            // What fails here is the client's: it was killed, or lost patience.
            std::thread::spawn(move || serve(stream, &objects));
        }
    });
    std::thread::spawn(|| {
        std::thread::sleep(AT_LONGEST);
        std::process::exit(2);
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

struct Request {
    method: String,
    /// The object's key, decoded; empty for the bucket itself.
    key: String,
    query: BTreeMap<String, String>,
    condition: Option<u64>,
    body: Vec<u8>,
}

fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let method = words.next().context("a method")?.to_owned();
    let target = words.next().context("a target")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    let mut request =
        Request { method, key: decoded(key), query, condition: None, body: Vec::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "x-goog-if-generation-match" => request.condition = Some(value.trim().parse()?),
            _ => {}
        }
    }
    anyhow::ensure!(length <= LARGEST, "too large");
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn serve(stream: TcpStream, objects: &Mutex<Objects>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let mut held = objects.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, generation, body) = held.answer(&request);
        drop(held);
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        if let Some(generation) = generation {
            answer += &format!("ETag: \"{generation}\"\r\nx-goog-generation: {generation}\r\n");
            answer += "Last-Modified: Wed, 25 Nov 2026 00:00:00 GMT\r\n";
        }
        answer += "\r\n";
        answers.write_all(answer.as_bytes())?;
        answers.write_all(&body)?;
    }
    Ok(())
}

type Answer = (&'static str, Option<u64>, Vec<u8>);

impl Objects {
    fn answer(&mut self, request: &Request) -> Answer {
        let held = self.all.get(&request.key).map(|(generation, _)| *generation);
        match request.method.as_str() {
            "GET" if request.key.is_empty() => ("200 OK", None, self.list(&request.query)),
            "GET" => match self.all.get(&request.key) {
                Some((generation, bytes)) => ("200 OK", Some(*generation), bytes.clone()),
                None => ("404 Not Found", None, Vec::new()),
            },
            // Generation 0 stands for an object that is not there.
            "PUT" if request.condition.is_some_and(|wanted| wanted != held.unwrap_or(0)) => {
                ("412 Precondition Failed", None, Vec::new())
            }
            "PUT" => {
                self.newest += 1;
                self.all.insert(request.key.clone(), (self.newest, request.body.clone()));
                ("200 OK", Some(self.newest), Vec::new())
            }
            "DELETE" => match self.all.remove(&request.key) {
                Some(_) => ("204 No Content", None, Vec::new()),
                None => ("404 Not Found", None, Vec::new()),
            },
            _ => ("405 Method Not Allowed", None, Vec::new()),
        }
    }

    // A page holds 100 keys; the token is the last of them.
    fn list(&self, query: &BTreeMap<String, String>) -> Vec<u8> {
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after) = (text("prefix"), text("continuation-token"));
        let names = self.all.iter().filter(|(key, _)| key.starts_with(prefix));
        let names: Vec<_> = names.filter(|(key, _)| key.as_str() > after).take(101).collect();
        let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        for (key, (generation, bytes)) in names.iter().take(100) {
            xml += &format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"{generation}\"</ETag><LastModified>2026-11-25T00:00:00.000Z</LastModified></Contents>",
                bytes.len()
            );
        }
        if let (101, Some((last, _))) = (names.len(), names.get(99)) {
            xml += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        xml += "</ListBucketResult>";
        xml.into_bytes()
    }
}
