//! As much of an HTTP/1.1 client as a witness has to be asked with: it sends what it is given, however
//! malformed, and reads one answer within limits.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long connecting may take, and then how long an answer may.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: usize = 1024 * 1024;

/// What stands before a path: `http://HOST[:PORT][/PREFIX]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    authority: String,
    path: String,
}

impl Prefix {
    /// Reads a URL prefix; a slash at its end changes nothing.
    pub fn parse(url: &str) -> std::result::Result<Prefix, String> {
        if url.starts_with("https://") {
            return Err(format!(
                "{url}: https needs a local plaintext port or proxy; give its http:// URL"
            ));
        }
        let rest = url.strip_prefix("http://").ok_or(format!("{url}: no http:// URL"))?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || "?#@".contains(c);
        if rest.chars().any(odd) {
            return Err(format!("{url}: a prefix has no space, query, fragment or user"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() {
            return Err(format!("{url}: no host"));
        }
        let path = match path.trim_end_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        Ok(Prefix { authority: authority.into(), path })
    }

    fn connect(&self) -> Result<TcpStream> {
        let port = self.authority.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        let address = match port {
            Some(Ok(_)) => self.authority.clone(),
            _ => format!("{}:80", self.authority),
        };
        let mut failed = Error::new(ErrorKind::NotFound, format!("{address}: no such host"));
        for address in address.to_socket_addrs()?.take(4) {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }
}

/// One answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header's fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body without its transfer encoding.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header field, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The answer for a report, cut where it is long.
    pub fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let start: String = body.chars().take(100).collect();
        let cut = if start.len() < body.len() { ".." } else { "" };
        let kind = self.field("content-type").unwrap_or("no content type");
        format!("{} {start:?}{cut} ({kind})", self.status)
    }
}

/// One connection, for one request after another.
#[derive(Debug)]
pub struct Connection {
    prefix: Prefix,
    stream: TcpStream,
    read: Vec<u8>,
    deadline: Instant,
}

impl Connection {
    /// Connects.
    pub fn open(prefix: &Prefix) -> Result<Connection> {
        let stream = prefix.connect()?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let deadline = Instant::now();
        Ok(Connection { prefix: prefix.clone(), stream, read: Vec::new(), deadline })
    }

    /// Sends a request and reads its answer. A server may answer before it has read all.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer> {
        self.deadline = Instant::now() + TIMEOUT;
        let Prefix { authority, path: prefix } = &self.prefix;
        let mut request = format!("{method} {prefix}/{path} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(body) = body {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("User-Agent: witness-conformance\r\n\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        let sent = self.stream.write_all(&bytes);
        match (self.answer(), sent) {
            (Err(_), Err(why)) => Err(why),
            (answer, _) => answer,
        }
    }

    fn answer(&mut self) -> Result<Answer> {
        loop {
            let answer = self.one_answer()?;
            // An interim answer (1xx) has no body, and another one follows.
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    fn one_answer(&mut self) -> Result<Answer> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8(head).map_err(|_| odd("the header is not UTF-8"))?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
        let status = status.and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| odd("no status line of HTTP/1.x"))?;
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, fields, body: Vec::new() };
        answer.body = match (answer.field("transfer-encoding"), answer.field("content-length")) {
            _ if status < 200 || status == 204 || status == 304 => Vec::new(),
            (Some(_), _) => self.chunks()?,
            (None, Some(length)) => {
                let length = length.parse().map_err(|_| odd("Content-Length is no number"))?;
                self.exactly(length)?
            }
            (None, None) => self.until_closed()?,
        };
        Ok(answer)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).map_err(|_| odd("no chunk length"))?;
            if length == 0 {
                // Trailers, up to an empty line.
                while !self.until(b"\r\n")?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(length)?);
            self.exactly(2)?;
            if body.len() > MAX_BODY {
                return Err(odd("the answer is too long"));
            }
        }
    }

    // What stands before a mark, which is taken too.
    fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(mark.len()).position(|window| window == mark) {
                let rest = self.read.split_off(at + mark.len());
                let mut taken = std::mem::replace(&mut self.read, rest);
                taken.truncate(at);
                return Ok(taken);
            }
            if self.read.len() > MAX_HEAD {
                return Err(odd("the answer's header is too long"));
            }
            self.fill()?;
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(odd("the answer is too long"));
        }
        while self.read.len() < length {
            self.fill()?;
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    fn until_closed(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) if self.read.len() > MAX_BODY => return Err(odd("the answer is too long")),
                Ok(()) => {}
                Err(why) if why.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.read));
                }
                Err(why) => return Err(why),
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let late = || Error::new(ErrorKind::TimedOut, "no answer in time");
        if left.is_zero() {
            return Err(late());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut block = [0; 8192];
        match self.stream.read(&mut block) {
            Ok(0) => Err(Error::new(ErrorKind::UnexpectedEof, "the connection was closed")),
            Ok(count) => {
                self.read.extend_from_slice(&block[..count]);
                Ok(())
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => Err(late()),
            Err(why) if why.kind() == ErrorKind::Interrupted => Ok(()),
            Err(why) => Err(why),
        }
    }
}

fn odd(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}
