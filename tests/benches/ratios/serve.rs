//! `log serve` under load.

use crate::table::figure;
use coldlog_tests::programs;
use coldlog_tests::story::Story;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

const BUSY: usize = 200;
const IDLE: usize = 1000;
const ROUNDS: usize = 50;

// So many requests on each of the busy connections, while the idle ones are open.
fn load(address: &str) -> Duration {
    let ask = |stream: &mut TcpStream, buffer: &mut Vec<u8>| {
        stream.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: log\r\n\r\n").unwrap();
        buffer.clear();
        let mut piece = [0; 16384];
        loop {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "closed");
            buffer.extend_from_slice(&piece[..count]);
            let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            if buffer.len() == head + 4 + length.unwrap().parse::<usize>().unwrap() {
                return;
            }
        }
    };
    let mut buffer = Vec::new();
    let mut idle: Vec<TcpStream> =
        (0..IDLE).map(|_| TcpStream::connect(address).unwrap()).collect();
    idle.iter_mut().for_each(|stream| ask(stream, &mut buffer));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                let (mut stream, mut buffer) = (TcpStream::connect(address).unwrap(), Vec::new());
                (0..ROUNDS).for_each(|_| ask(&mut stream, &mut buffer));
            });
        }
    });
    start.elapsed()
}

// The least that a server can do: a thread for each connection, and one answer that is in memory.
fn bare_server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                while stream.read(&mut piece).is_ok_and(|count| count > 0) {
                    if stream.write_all(&answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

pub(crate) fn serving() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("log");
    let mut command = Command::new(programs().unwrap().join("log"));
    command.current_dir(&folder).args(["serve", "--listen", "127.0.0.1:0", "--stop-after", "120"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().rsplit("//").next().unwrap().to_owned();
    let served = load(&address);
    child.kill().unwrap();
    child.wait().unwrap();
    let head = std::fs::read(folder.join("coldlog-log/public/checkpoint")).unwrap();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
    answer.push_str(&String::from_utf8(head).unwrap());
    let bare = load(&bare_server(answer.into_bytes()));
    figure(
        format!(
            "`log serve`: heads read by {BUSY} connections beside {IDLE} idle ones, to a bare server of one answer in memory (both with the load on the same cores)"
        ),
        format!(
            "{:.2} ({:.0} a second)",
            bare.as_secs_f64() / served.as_secs_f64(),
            (BUSY * ROUNDS) as f64 / served.as_secs_f64()
        ),
        "all are held",
    );
}
