//! As much of an HTTP server as the fake witness needs: a thread for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MAX_BODY: usize = 512 * 1024;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn status(status: u16) -> Response {
        Response { status, kind: "text/plain", body: b"refused\n".to_vec() }
    }
}

pub(super) struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Serves until it is dropped; without `keep_alive` each connection is good for one request.
    pub(super) fn start(
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
        keep_alive: bool,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (answer, is_over) = (Arc::new(answer), ended.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let answer = answer.clone();
                std::thread::spawn(move || connection(stream.ok()?, &*answer, keep_alive));
            }
        });
        Server { address, ended }
    }

    pub(super) fn url(&self, prefix: &str) -> String {
        format!("http://{}{prefix}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

// Ends where the client hangs up.
fn connection(
    stream: TcpStream,
    answer: &dyn Fn(&Request) -> Response,
    keep_alive: bool,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut length = 0;
        loop {
            let mut field = String::new();
            reader.read_line(&mut field).ok().filter(|count| *count > 0)?;
            if field == "\r\n" {
                break;
            }
            if let Some(value) = field.strip_prefix("Content-Length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        let response = match length > MAX_BODY {
            true => Response::status(413),
            false => {
                let mut body = vec![0; length];
                reader.read_exact(&mut body).ok()?;
                answer(&Request { method, path, body })
            }
        };
        let head = format!(
            "HTTP/1.1 {} -\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            response.status,
            response.kind,
            response.body.len()
        );
        let bytes = [head.as_bytes(), &response.body].concat();
        reader.get_mut().write_all(&bytes).ok()?;
        if !keep_alive || length > MAX_BODY {
            return None;
        }
    }
}
