//! What `log serve` bears, and what it says beyond that: the limits of batches, of uploads at once, of
//! readers that do not read, and of addresses behind a proxy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::run;
use coldlog_tests::server::{reply, serve};
use coldlog_tests::story::Story;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BATCH: &str = "POST /batches HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Type: application/cbor-seq\r\n";

fn exported(story: &mut Story, documents: usize) -> Vec<u8> {
    story.sign("all", &Story::names(0..documents), "1").unwrap();
    story.run("signer", "signer export -o all.batch.cbor").unwrap();
    std::fs::read(story.at("signer").join("all.batch.cbor")).unwrap()
}

#[test]
fn a_batch_that_is_too_large_too_slow_or_one_too_many_is_turned_away() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    let batch = exported(&mut story, 4);
    let log = story.at("log");
    let limit = batch.len() + 10;
    let server = serve(&log, &format!("--largest-batch {limit} --batch-time 2"), &[]);
    let kind = [("Content-Type", "application/cbor-seq")];
    // Said by its length before it is sent, or found out while it comes.
    let announced = server.ask("POST", "/batches", &kind, &vec![0; limit + 1]);
    assert_eq!(announced.status, 413, "{announced:?}");
    assert!(announced.problem().contains(&limit.to_string()), "{announced:?}");
    let mut chunked = server.connect();
    chunked.write_all(format!("{BATCH}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    for _ in 0..=limit / 1000 {
        let _ = chunked.write_all(format!("3e8\r\n{}\r\n", "a".repeat(1000)).as_bytes());
    }
    assert_eq!(reply(chunked).status, 413);
    // Eight may be on their way: the ninth is told to come again, and nobody waits for ever.
    let begun = Instant::now();
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = server.connect();
            let head = format!("{BATCH}Content-Length: {limit}\r\n\r\nabc");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Each has its file by then.
    let incoming = log.join("coldlog-log/incoming");
    while std::fs::read_dir(&incoming).map_or(0, |all| all.count()) < 8 {
        assert!(begun.elapsed() < Duration::from_secs(2), "not all eight were begun");
    }
    let busy = server.ask("POST", "/batches", &kind, &batch);
    assert_eq!(busy.status, 503, "{}", busy.head);
    assert_eq!(busy.header("retry-after"), Some("1"));
    busy.problem();
    for stream in slow {
        assert_eq!(reply(stream).status, 408);
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(server.ask("POST", "/batches", &kind, &batch).status, 200);
    // Nothing of what was turned away is left.
    let left = std::fs::read_dir(incoming).map_or(0, |all| all.count());
    assert_eq!(left, 0);
    drop(server);
    assert_eq!(run(&log, "log fsck").unwrap().code, 0);
}

#[test]
fn a_peer_that_reads_nothing_of_its_answer_is_hung_up_on() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 600).unwrap();
    let batch = exported(&mut story, 600);
    let log = story.at("log");
    let server = serve(&log, "--rate 100000 --stalled-time 1", &[]);
    let kind = [("Content-Type", "application/cbor-seq")];
    assert_eq!(server.ask("POST", "/batches", &kind, &batch).status, 200);
    // So many answers on one connection that no buffer between the two takes them all.
    let mut deaf = server.connect();
    let request = b"GET /tile/entries/000 HTTP/1.1\r\nHost: log\r\n\r\n";
    deaf.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while sent < 3000 && deaf.write_all(request).is_ok() {
        sent += 1;
    }
    std::thread::sleep(Duration::from_secs(3));
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest);
    let bundle = std::fs::read(log.join("coldlog-log/public/tile/entries/000")).unwrap();
    assert!(rest.len() / bundle.len() < sent, "all {sent} answers came");
    assert!(begun.elapsed() < Duration::from_secs(40));
    // The others were served all the while.
    assert_eq!(server.get("/checkpoint").status, 200);
}

#[test]
fn behind_a_proxy_each_address_that_it_names_has_its_own_rate() {
    let stage = tempfile::tempdir().unwrap();
    let story = Story::with_documents(stage.path(), 1).unwrap();
    let server = serve(&story.at("log"), "--rate 5 --behind-proxy", &[]);
    let ask =
        |from: &str| server.ask("GET", "/entries/0", &[("X-Forwarded-For", from)], b"").status;
    let turned_away = |from: &str| (0..60).any(|_| ask(from) == 429);
    assert!(turned_away("192.0.2.1"));
    // What stands before the last entry is whatever the client wrote, and gives it no other address.
    assert!((0..60).any(|n| ask(&format!("198.51.100.{n}, 192.0.2.1")) == 429));
    assert_ne!(ask("192.0.2.2"), 429);
    drop(server);
    let plain = serve(&story.at("log"), "--rate 5", &[]);
    let ask = |n: usize| {
        let from = format!("192.0.2.{n}");
        plain.ask("GET", "/entries/0", &[("X-Forwarded-For", &from)], b"").status
    };
    assert!((0..60).any(|n| ask(n) == 429), "without --behind-proxy nobody names an address");
}
