//! `log serve` as a process, and as little of HTTP as it takes to ask it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{programs, words};
use coldlog_spec::problem::Problem;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that is killed when it is forgotten.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub url: String,
    out: BufReader<std::process::ChildStdout>,
    /// Whether it is a group of processes.
    group: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.group {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill")
                .args(["-s", "KILL", "--", &group])
                .stderr(Stdio::null())
                .status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `log serve` in a folder, with further options.
pub fn serve(folder: &Path, options: &str, environment: &[(&str, &str)]) -> Server {
    let server = serve_under(folder, options, environment, &[]);
    server.unwrap_or_else(|| panic!("{}", log_of(folder)))
}

/// The same, under another program; `None` where it ends before it listens.
pub fn serve_under(
    folder: &Path,
    options: &str,
    environment: &[(&str, &str)],
    under: &[String],
) -> Option<Server> {
    let line = format!("log serve --listen 127.0.0.1:0 --stop-after 300 {options}");
    serve_program(folder, &line, environment, under)
}

/// A server of any of the programs: it prints `... at URL` first.
pub fn serve_program(
    folder: &Path,
    line: &str,
    environment: &[(&str, &str)],
    under: &[String],
) -> Option<Server> {
    let mut words = words(line);
    words[0] = programs().unwrap().join(&words[0]).display().to_string();
    let mut words = under.iter().cloned().chain(words);
    let mut command = Command::new(words.next().unwrap());
    let log = std::fs::File::create(folder.join("server.log")).unwrap();
    command.current_dir(folder).args(words).stdin(Stdio::null());
    // What it is under does not take it along when it is killed: the whole group is.
    if !under.is_empty() {
        command.process_group(0);
    }
    command.envs(environment.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.trim_end().split(" at ").nth(1);
    let Some(url) = url.map(str::to_string) else {
        child.wait().unwrap();
        return None;
    };
    Some(Server { child, url, out, group: !under.is_empty() })
}

/// What it logged.
pub fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("server.log")).unwrap()
}

impl Server {
    /// Address and port.
    pub fn address(&self) -> &str {
        self.url.split("://").nth(1).unwrap()
    }

    /// A connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Whether it ends within a time, by itself or because it was killed.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let end = std::time::Instant::now() + time;
        while self.child.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; returns what was said last.
    pub fn ended(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut stream = self.connect();
        // It may be refused, and closed, before all of it is sent.
        let _ = stream.write_all(&[request.as_bytes(), body].concat());
        reply(stream)
    }

    /// GET
    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    /// The status of a statement's registration; 0 where the server has gone.
    pub fn try_post(&self, body: &[u8]) -> u16 {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return 0 };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let head = "POST /entries HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Type: application/cose\r\n";
        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        reply(stream).status
    }

    /// The status of an answer; 0 where the server has gone.
    pub fn try_ask(&self, method: &str, path: &str, body: &[u8]) -> u16 {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return 0 };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let head = format!("{method} {path} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n");
        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        reply(stream).status
    }

    /// A statement, to be registered.
    pub fn post(&self, body: &[u8]) -> Reply {
        self.ask("POST", "/entries", &[("Content-Type", "application/cose")], body)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its code; 0 for none.
    pub status: u16,
    /// Its first line and its headers.
    pub head: String,
    /// The rest.
    pub body: Vec<u8>,
}

impl Reply {
    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut fields = lines.filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The refusal's detail.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/concise-problem-details+cbor"),
            "{self:?}"
        );
        Problem::decode(&self.body).unwrap().detail
    }
}

/// Reads an answer to its end; status 0 where there is none.
pub fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    assert!(!chunked, "{head}");
    Reply { status, head, body }
}
