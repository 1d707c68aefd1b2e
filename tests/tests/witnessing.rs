//! Witnesses over HTTP: the log asks them, shows and answers only what a quorum has cosigned, and neither a
//! lying, a slow or a forgetful witness nor a restored log gets anywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::witnessing::Request;
use coldlog_tests::server::{Server, serve, serve_program};
use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::{copy, run, words};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

const SERVE: &str =
    "witness serve --listen 127.0.0.1:0 --stop-after 300 --rate 100000 --heartbeat 0";

fn witness(story: &Story, name: &str) -> Server {
    serve_program(&story.at(name), SERVE, &[], &[]).expect("the witness listens")
}

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn refused(folder: &Path, line: &str, why: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 1, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
    ran.err
}

/// The policy with a URL behind each witness's keys, as `asked` in the log's folder.
fn with_urls(story: &Story, urls: &[(&str, &str)]) {
    let policy = std::fs::read_to_string(story.at("log").join("policy")).unwrap();
    let line = |line: &str| {
        let url = urls.iter().find(|(name, _)| line.starts_with(&format!("witness {name}.")));
        url.map_or(format!("{line}\n"), |(_, url)| format!("{line} {url}\n"))
    };
    let policy: String = policy.lines().map(line).collect();
    std::fs::write(story.at("log").join("asked"), policy).unwrap();
}

fn head(folder: &Path) -> SignedCheckpoint {
    SignedCheckpoint::decode(done(folder, "log head").as_bytes()).unwrap()
}

/// Answers every request alike, or never.
fn liar(answer: impl Fn() -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut bytes = [0; 65536];
            let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
            while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
            match answer() {
                Some(answer) => _ = stream.write_all(answer.as_bytes()),
                None => held.push(stream),
            }
        }
    });
    url
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_log_has_its_head_cosigned_though_witnesses_are_behind_silent_or_lie() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 40).unwrap();
    let servers = WITNESSES.map(|name| witness(&story, name));
    let places = servers.each_ref().map(|server| server.url.clone());
    let urls: Vec<(&str, &str)> =
        WITNESSES.iter().copied().zip(places.iter().map(String::as_str)).collect();
    with_urls(&story, &urls);
    let log = story.at("log");
    story.append("monday", 0..10).unwrap();
    let told = done(&log, "log cosign --policy asked");
    assert!(told.contains("the head of size 12 meets the quorum"), "{told}");
    assert_eq!(head(&log).note.signatures.len(), 2 + 6);
    // An unchanged head is cosigned anew, at a later time or the same.
    done(&log, "log cosign --policy asked");
    assert_eq!(head(&log).note.signatures.len(), 2 + 6);

    // One that missed a round says how far it is, and gets the proof from there.
    let [one, two, three] = servers;
    drop(three);
    story.append("tuesday", 10..20).unwrap();
    let ran = run(&log, "log cosign --policy asked").unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains(&format!("log: {}: ", urls[2].1)), "{}", ran.err);
    assert_eq!(head(&log).note.signatures.len(), 2 + 4);
    story.append("wednesday", 20..30).unwrap();
    let three = witness(&story, "w3");
    with_urls(&story, &[("w1", &one.url), ("w2", &two.url), ("w3", &three.url)]);
    let ran = run(&log, "log cosign --policy asked").unwrap();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(head(&log).note.signatures.len(), 2 + 6);

    // The third one lies, in one way after the other; the quorum of two holds all the same.
    let cosigned = head(&log);
    let lines = |name: &str| -> String {
        let lines = cosigned.note.signatures.iter().filter(|line| line.name.starts_with(name));
        lines.map(|line| line.encode()).collect()
    };
    let (old, other) = (lines("w3"), lines("w1"));
    story.append("thursday", 30..40).unwrap();
    let big = "a".repeat(400_000);
    for (what, answer, said) in [
        ("cosigns another head", Some(http("200 OK", &old)), "does not verify over the head"),
        ("has another's answer", Some(http("200 OK", &other)), "no line by a key"),
        ("says nothing", Some(http("200 OK", "")), "no line by a key"),
        ("says nonsense", Some(http("200 OK", "\u{2014} w3 x\n")), "no list of signature lines"),
        ("sends too much", Some(http("200 OK", &big)), "larger than"),
        ("always knows another size", Some(http("409 Conflict", "3\n")), "it answers 409"),
        ("has seen more than there is", Some(http("409 Conflict", "999999\n")), "at size 999999"),
        ("knows no size", Some(http("409 Conflict", "03\n")), "no size"),
        ("refuses", Some(http("403 Forbidden", "never\u{1b}[2J\n")), "it answers 403: never"),
        ("hangs up", Some(String::new()), ""),
        (
            "redirects",
            Some(http("302 Found\r\nLocation: http://127.0.0.1:1/", "")),
            "it answers 302",
        ),
        ("is silent", None, "no answer in time"),
    ] {
        let third = liar(move || answer.clone());
        with_urls(&story, &[("w1", &one.url), ("w2", &two.url), ("w3", &third)]);
        let begun = Instant::now();
        let ran = run(&log, "log cosign --policy asked --deadline 4 --linger 1500").unwrap();
        assert_eq!(ran.code, 0, "{what}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(said) && ran.err.contains(&third), "{what}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{what}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{what}: {:?}", begun.elapsed());
        // A line that a dishonest witness gave for another head must not be on this one.
        assert!(
            !head(&log).note.signatures.iter().any(|line| line.name.starts_with("w3")),
            "{what}"
        );
    }
    // Two of three that are gone are too many.
    drop(two);
    with_urls(&story, &[("w1", &one.url), ("w2", urls[1].1), ("w3", urls[2].1)]);
    std::fs::remove_file(log.join("coldlog-log/cosigned-head")).unwrap();
    append_nothing(&log);
    done(&log, "log fsck --policy policy");
    // A log whose folder went back is told by its witnesses, and signs no more.
    let back = stage.path().join("back");
    copy(&log, &back).unwrap();
    let public = back.join("coldlog-log/public");
    std::fs::write(public.join("checkpoint"), std::fs::read(public.join("heads/012")).unwrap())
        .unwrap();
    refused(&back, "log cosign --policy asked", "has seen this log at size");
}

fn append_nothing(log: &Path) {
    let told = done(log, "log append thursday.batch.cbor");
    assert!(told.contains("0 records appended"), "{told}");
}

#[test]
fn a_server_with_a_policy_shows_and_answers_only_what_a_quorum_has_cosigned() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 8).unwrap();
    let [one, two] = ["w1", "w2"].map(|name| witness(&story, name));
    with_urls(&story, &[("w1", &one.url), ("w2", &two.url)]);
    let log = story.at("log");
    story.sign("all", &Story::names(0..8), "1").unwrap();
    story.run("signer", "signer export --each -o each").unwrap();
    story.run("signer", "signer export -o all.batch.cbor").unwrap();
    let read = |name: &str| std::fs::read(story.at("signer").join(name)).unwrap();
    let (genesis, batch) = (read("each/000000.cose"), read("all.batch.cbor"));

    // Nobody cosigns yet.
    let server = serve(&log, "--policy asked", &[]);
    assert_eq!(server.get("/checkpoint").status, 404);
    let posted = server.post(&genesis);
    assert_eq!((posted.status, posted.header("location")), (303, Some("/entries/1")));
    let waits = server.get("/entries/1");
    assert_eq!((waits.status, waits.header("location")), (302, Some("/entries/1")));
    assert_eq!(waits.header("retry-after"), Some("1"));
    assert_eq!(server.get("/entries/2").status, 404);
    let kind = [("Content-Type", "application/cbor-seq")];
    let waits = server.ask("POST", "/batches", &kind, &batch);
    assert_eq!(waits.status, 202, "{}", waits.head);
    assert!(waits.problem().contains("wait for the witnesses"));
    // By hand, beside the server.
    done(&log, "log cosign --policy asked");
    let shown = server.get("/checkpoint");
    assert_eq!(shown.status, 200);
    assert_eq!(SignedCheckpoint::decode(&shown.body).unwrap().checkpoint.size, 10);
    assert_eq!(server.get("/entries/1").status, 200);
    drop(server);

    // By itself.
    std::fs::write(story.at("signer").join("new.txt"), "new").unwrap();
    story.sign("new", &["new.txt".into()], "1").unwrap();
    story.run("signer", "signer export -o new.batch.cbor").unwrap();
    let server = serve(&log, "--policy asked --cosign-every 1", &[]);
    let batch = std::fs::read(story.at("signer").join("new.batch.cbor")).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let receipts = loop {
        let reply = server.ask("POST", "/batches", &kind, &batch);
        if reply.status == 200 {
            break reply.body;
        }
        assert!(reply.status == 202 && Instant::now() < end, "{}", reply.head);
        std::thread::sleep(Duration::from_millis(200));
    };
    std::fs::write(story.at("signer").join("new.receipts.cbor"), receipts).unwrap();
    story.run("signer", "signer import new.receipts.cbor --policy policy").unwrap();
    story.run("signer", "verifier check new.txt --policy policy").unwrap();
    drop(server);
    done(&log, "log fsck --policy policy");
}

fn body(file: &Path) -> Vec<u8> {
    Request::body_of_file(&std::fs::read(file).unwrap()).unwrap()
}

fn ask(server: &Server, body: &[u8]) -> u16 {
    server.ask("POST", "/add-checkpoint", &[], body).status
}

#[test]
fn an_unchanged_head_gets_its_cosignatures_again_until_the_heartbeat() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    let log = story.at("log");
    story.append("one", 0..4).unwrap();
    done(&log, "log witness-request -o one.cbor");
    done(&log, "log witness-request --old 6 -o again.cbor");
    let (first, again) = (body(&log.join("one.cbor")), body(&log.join("again.cbor")));
    let line = "witness serve --listen 127.0.0.1:0 --stop-after 300 --heartbeat 3";
    let server = serve_program(&story.at("w1"), line, &[], &[]).unwrap();
    let cosign = |body: &[u8]| {
        let reply = server.ask("POST", "/add-checkpoint", &[], body);
        assert_eq!(reply.status, 200, "{}", reply.head);
        reply.body
    };
    let lines = cosign(&first);
    assert!(cosign(&again) == lines);
    std::thread::sleep(Duration::from_millis(4100));
    let later = cosign(&again);
    assert!(later != lines, "the head looks stale for ever");
    assert!(cosign(&again) == later);
}

#[test]
fn a_witness_that_forgot_is_told_by_what_others_have_published_and_goes_on_only_forward() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 20).unwrap();
    let (log, w1) = (story.at("log"), story.at("w1"));
    story.append("monday", 0..10).unwrap();
    story.cosign("monday").unwrap();
    let old = stage.path().join("kept");
    copy(&w1.join("coldlog-witness/logs"), &old).unwrap();
    story.append("tuesday", 10..20).unwrap();
    story.cosign("tuesday").unwrap();
    done(&w1, "witness export-state -o now.heads.cbor");
    copy(&log.join("coldlog-log/public/checkpoint"), &w1.join("newest")).unwrap();
    done(&log, "log witness-request --old 12 -o again.cbor");
    copy(&log.join("again.cbor"), &w1.join("again.cbor")).unwrap();

    // The whole folder, elsewhere.
    let moved = stage.path().join("moved");
    copy(&w1, &moved).unwrap();
    refused(&moved, "witness cosign again.cbor -o x.cbor", "was restored, copied or moved");
    let ran = run(&moved, "witness serve --listen 127.0.0.1:0 --stop-after 5").unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    done(&moved, "witness recover --newest newest");
    // Only the heads, put back where they were: what the log has published tells.
    let home = w1.join("coldlog-witness");
    let logs = std::fs::read_dir(&old).unwrap().next().unwrap().unwrap().file_name();
    let (memory, kept) = (home.join("logs").join(&logs), old.join(&logs));
    std::fs::copy(kept.join("checkpoint"), memory.join("checkpoint")).unwrap();
    let server = serve(&log, "", &[]);
    let lines = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    let lines: String = lines.lines().map(|line| format!("{line} {}\n", server.url)).collect();
    std::fs::write(w1.join("log.policy"), lines).unwrap();
    done(&w1, "witness add-log log.policy");
    let ran = run(&w1, "witness serve --listen 127.0.0.1:0 --stop-after 5").unwrap();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("carries this witness's cosignature"), "{}", ran.err);
    drop(server);
    done(&w1, "witness import-state now.heads.cbor");
    assert!(done(&w1, "witness heads").contains("log.example/releases 22 "));
    // Never back.
    copy(&log.join("coldlog-log/public/heads/012"), &w1.join("older")).unwrap();
    done(&w1, "witness recover --newest older");
    assert!(done(&w1, "witness heads").contains("log.example/releases 22 "));
    // A head that somebody else wrote into the memory is none.
    let own = std::fs::read_to_string(memory.join("checkpoint")).unwrap();
    let bare: String =
        own.lines().filter(|l| !l.contains(" w1.")).map(|l| format!("{l}\n")).collect();
    std::fs::write(memory.join("checkpoint"), bare).unwrap();
    let ran = run(&w1, "witness cosign again.cbor -o x.cbor").unwrap();
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("the memory was altered"), "{}", ran.err);
    // What others have not cosigned says nothing of this witness.
    std::fs::write(memory.join("checkpoint"), own).unwrap();
    let other = std::fs::read_to_string(w1.join("newest")).unwrap();
    let other: String =
        other.lines().filter(|l| !l.contains(" w1.")).map(|l| format!("{l}\n")).collect();
    std::fs::write(w1.join("others"), other).unwrap();
    refused(&w1, "witness recover --newest others", "is not cosigned by this witness");
    // Removed and added again, it has forgotten nothing.
    done(&w1, "witness remove-log log.example/releases");
    refused(&w1, "witness cosign again.cbor -o x.cbor", "does not watch");
    done(&w1, "witness add-log log.policy");
    refused(&w1, "witness cosign again.cbor -o x.cbor --force", "saw size 22 last");
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_witness_killed_at_any_write_remembers_all_that_it_answered() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 9).unwrap();
    let (log, w1) = (story.at("log"), story.at("w1"));
    let mut bodies = Vec::new();
    let mut sizes = vec![0];
    for (n, name) in ["one", "two", "three"].into_iter().enumerate() {
        story.append(name, 3 * n..3 * n + 3).unwrap();
        let old = sizes.last().unwrap();
        done(&log, &format!("log witness-request --old {old} -o {name}.cbor"));
        bodies.push(body(&log.join(format!("{name}.cbor"))));
        sizes.push(head(&log).checkpoint.size);
    }
    let monitoring = format!("/{}/checkpoint", Hash::of(b"log.example/releases").to_hex());
    let memory = w1.join("coldlog-witness/logs");
    let (mut kills, mut after_an_answer) = (0, 0);
    for call in
        ["write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink"]
    {
        for when in 1..60 {
            let checkpoint = walkdir::WalkDir::new(&memory).into_iter().flatten();
            for entry in checkpoint.filter(|entry| entry.file_name() == "checkpoint") {
                std::fs::remove_file(entry.path()).unwrap();
            }
            let mut under = vec!["strace".to_string()];
            let inject = format!("inject={call}:signal=KILL:when={when}");
            under.extend(words(&format!("-f -qq -o /dev/null -e trace={call} -e {inject}")));
            let mut answered = 0;
            if let Some(server) = serve_program(&w1, SERVE, &[], &under) {
                for (n, body) in bodies.iter().enumerate() {
                    if server.try_ask("POST", "/add-checkpoint", body) != 200 {
                        break;
                    }
                    answered = n + 1;
                }
                // All were answered: there is no such call any more.
                if answered == bodies.len() {
                    break;
                }
            }
            kills += 1;
            after_an_answer += usize::from(answered > 0);
            let server = witness(&story, "w1");
            let shown = server.get(&monitoring);
            let size = match shown.status {
                200 => SignedCheckpoint::decode(&shown.body).unwrap().checkpoint.size,
                status => {
                    assert_eq!(status, 404);
                    0
                }
            };
            assert!(size >= sizes[answered], "{call} {when}: {size} after {answered} answers");
            // It goes on from wherever it is.
            let next = sizes.iter().position(|known| *known == size).unwrap();
            for body in &bodies[next..] {
                assert_eq!(ask(&server, body), 200, "{call} {when}");
            }
        }
    }
    assert!(kills > 10 && after_an_answer > 3, "{kills} kills, {after_an_answer} after an answer");
}

#[test]
fn a_log_shows_no_more_new_heads_a_day_than_its_line_in_the_list_says() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    let log = story.at("log");
    let policy = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    let keys = policy.lines().filter_map(|line| line.strip_prefix("log "));
    let keys: String = keys.map(|key| format!("vkey {key}\n")).collect();
    let w1 = story.at("w1");
    std::fs::write(w1.join("list"), format!("logs/v0\n\n{keys}qpd 2\n")).unwrap();
    done(&w1, "witness add-log --list list");
    let line = "witness serve --listen 127.0.0.1:0 --stop-after 300 --heartbeat 0";
    let server = serve_program(&w1, line, &[], &[]).unwrap();
    // At midnight the count begins again: at most once in these few seconds.
    let mut asked = Vec::new();
    let mut old = 0;
    for n in 0..6usize {
        story.append(&format!("b{n}"), n..n + 1).unwrap();
        done(&log, &format!("log witness-request --old {old} -o {n}.cbor"));
        let request = body(&log.join(format!("{n}.cbor")));
        let reply = server.ask("POST", "/add-checkpoint", &[], &request);
        asked.push(reply.status);
        if reply.status == 200 {
            old = Request::from_body(&request).unwrap().head.checkpoint.size;
            // The same head again is not counted.
            done(&log, &format!("log witness-request --old {old} -o {n}-again.cbor"));
            assert_eq!(ask(&server, &body(&log.join(format!("{n}-again.cbor")))), 200);
        } else {
            let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=86_400).contains(&wait));
            assert!(String::from_utf8_lossy(&reply.body).contains("the 2 new heads of today"));
        }
    }
    assert_eq!(asked[..2], [200, 200]);
    assert!(asked.iter().filter(|status| **status == 200).count() <= 4, "{asked:?}");
    assert!(asked.contains(&429), "{asked:?}");
}
