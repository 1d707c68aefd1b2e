//! What logs send to mirrors (C2SP tlog-mirror, `add-entries`), answer by answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::keyfile::Keys;
use coldlog_kit::published::{Bundles, Folder, Tree};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::mirroring::{INFO, Info, Package, Upload};
use coldlog_spec::note::{SignatureLine, VerifierKey};
use coldlog_spec::policy::Policy;
use coldlog_spec::tile::{WIDTH, entries_path};
use coldlog_spec::witnessing::Request;
use coldlog_tests::run;
use coldlog_tests::server::{Reply, Server, serve_program};
use coldlog_tests::story::Story;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ORIGIN: &str = "log.example/releases";

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

/// A log as a client of mirrors has it: its tiles, and its heads by size.
struct Log(PathBuf);

impl Log {
    fn head(&self) -> SignedCheckpoint {
        SignedCheckpoint::decode(&std::fs::read(self.0.join("checkpoint")).unwrap()).unwrap()
    }

    fn head_at(&self, size: u64) -> SignedCheckpoint {
        let path = self.0.join(coldlog_spec::tile::head_path(size));
        SignedCheckpoint::decode(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The body of `add-checkpoint`.
    fn request(&self, old: u64, size: u64) -> Vec<u8> {
        let source = Folder(self.0.clone());
        let path = Tree::new(&source, size).consistency(old).unwrap();
        Request { old, path, head: self.head_at(size) }.body()
    }

    fn packages(&self, upload: &Upload) -> Vec<Package> {
        let source = Folder(self.0.clone());
        let mut tree = Tree::new(&source, upload.end);
        let mut entries = Bundles::new(&source, upload.end, entries_path);
        let ranges: Vec<_> = upload.packages().collect();
        let package = |range: std::ops::Range<u64>| {
            let start = range.start / WIDTH * WIDTH;
            Package {
                entries: range.clone().map(|at| entries.get(at).unwrap().to_vec()).collect(),
                path: tree.subtree_consistency(start, range.end).unwrap(),
            }
        };
        ranges.into_iter().map(package).collect()
    }

    /// The body of `add-entries`, and where each of its packages begins.
    fn upload(&self, start: u64, end: u64) -> (Vec<u8>, Vec<usize>) {
        let upload = Upload { origin: ORIGIN.into(), start, end, ticket: Vec::new() };
        let mut body = upload.encode().unwrap();
        let mut begins = Vec::new();
        for package in self.packages(&upload) {
            begins.push(body.len());
            body.extend(package.encode().unwrap());
        }
        (body, begins)
    }
}

fn send(server: &Server, body: &[u8]) -> Reply {
    server.ask("POST", "/add-entries", &[("Content-Type", "application/octet-stream")], body)
}

fn info(reply: &Reply, status: u16) -> (u64, u64) {
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!((reply.status, reply.header("content-type")), (status, Some(INFO)), "{body}");
    let info = Info::decode(&body).unwrap();
    (info.size, info.next)
}

fn own_keys(folder: &Path) -> Vec<VerifierKey> {
    let lines = std::fs::read_to_string(folder.join("coldlog-mirror/mirror.policy")).unwrap();
    let policy = Policy::parse(format!("{lines}quorum none\n").as_bytes()).unwrap();
    policy.witnesses.into_iter().map(|(_, key)| key).collect()
}

// The cosignatures of a 200 are by both keys, over the head of that size.
fn cosigns(reply: &Reply, head: &SignedCheckpoint, keys: &[VerifierKey]) {
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 200, "{body}");
    let mut cosigned = head.clone();
    cosigned.note.signatures =
        body.lines().map(|line| SignatureLine::decode(line).unwrap()).collect();
    assert_eq!(cosigned.note.signatures.len(), 2);
    let keys: Vec<&VerifierKey> = keys.iter().collect();
    assert_eq!(cosigned.verified_by(&keys).unwrap().len(), 2);
}

struct Stage {
    folder: tempfile::TempDir,
    log: Log,
    mirror: PathBuf,
}

// A log with heads at 302, 602 and 702 entries, and a mirror that is told nothing but its keys.
fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(folder.path(), 700).unwrap();
    for (name, documents) in [("a", 0..300), ("b", 300..600), ("c", 600..700)] {
        story.append(name, documents).unwrap();
    }
    let mirror = story.at("mirror");
    std::fs::create_dir(&mirror).unwrap();
    std::fs::copy(story.at("log").join("policy"), mirror.join("policy")).unwrap();
    done(&mirror, "mirror init --name m1.example/mirror --unencrypted");
    done(&mirror, "mirror add-log policy --entries-only");
    let log = Log(story.at("log").join("coldlog-log/public"));
    Stage { folder, log, mirror }
}

fn start(mirror: &Path) -> Server {
    let line = "mirror serve --listen 127.0.0.1:0 --stop-after 300 --rate 10000";
    serve_program(mirror, line, &[], &[]).unwrap()
}

#[test]
fn entries_are_taken_as_the_standard_says() {
    let stage = stage();
    let (log, mirror) = (&stage.log, &stage.mirror);
    let server = start(mirror);
    let keys = own_keys(mirror);
    let served = format!("/{}", Hash::of(ORIGIN.as_bytes()).to_hex());

    // Before any head, and for another log.
    let reply = send(&server, &log.upload(0, 302).0);
    assert_eq!(reply.status, 422, "{}", String::from_utf8_lossy(&reply.body));
    let stranger =
        Upload { origin: "other.example/log".into(), start: 0, end: 9, ticket: Vec::new() };
    assert_eq!(send(&server, &stranger.encode().unwrap()).status, 404);

    // A head is taken without a cosignature, and nothing is served for it.
    let reply = server.ask("POST", "/add-checkpoint", &[], &log.request(0, 302));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let reply = server.ask("POST", "/add-checkpoint", &[], &log.request(0, 602));
    assert_eq!((reply.status, reply.body.as_slice()), (409, &b"302\n"[..]));
    assert_eq!(reply.header("content-type"), Some("text/x.tlog.size"));
    assert_eq!(server.get(&format!("{served}/checkpoint")).status, 404);

    // Elsewhere: beyond what it has, and towards heads that it does not know.
    assert_eq!(info(&send(&server, &log.upload(256, 302).0), 409), (302, 0));
    assert_eq!(info(&send(&server, &log.upload(0, 602).0), 409), (302, 0));

    // Not a request: too short for anything, or cut within its first package.
    let (body, begins) = log.upload(0, 302);
    for cut in [0, 1, 20, begins[0] - 1, begins[0], begins[0] + 1, begins[1] - 1] {
        assert_eq!(send(&server, &body[..cut]).status, 400, "{cut}");
    }
    // Another entry, another path, another order of entries: none of it is kept.
    for at in [begins[0] + 2, begins[0] + 40_000, begins[1] - 1, begins[1] - 40] {
        let mut bad = body.clone();
        bad[at] ^= 1;
        let status = send(&server, &bad).status;
        assert!(status == 422 || status == 400, "{at}: {status}");
    }
    assert_eq!(info(&send(&server, &log.upload(256, 302).0), 409), (302, 0));

    // A prefix is kept, and says how to go on; a rest that is broken costs nothing.
    assert_eq!(info(&send(&server, &body[..begins[1]]), 202), (302, 256));
    assert_eq!(info(&send(&server, &body[..begins[1] + 100]), 202), (302, 256));
    assert_eq!(server.get(&format!("{served}/checkpoint")).status, 404);
    assert_eq!(server.get(&format!("{served}/tile/entries/000")).status, 404);
    let rest = log.upload(256, 302).0;
    cosigns(&send(&server, &rest), &log.head_at(302), &keys);
    // Again, whole or empty: the same answer.
    cosigns(&send(&server, &body), &log.head_at(302), &keys);
    cosigns(&send(&server, &log.upload(302, 302).0), &log.head_at(302), &keys);

    // Two heads later; the older one of them is still taken. Within a bundle, from any place.
    for (old, size) in [(302, 602), (602, 702)] {
        let reply = server.ask("POST", "/add-checkpoint", &[], &log.request(old, size));
        assert_eq!(reply.status, 200);
    }
    let (body, begins) = log.upload(302, 702);
    assert_eq!(begins.len(), 2);
    assert_eq!(info(&send(&server, &body[..begins[1]]), 202), (702, 512));
    assert_eq!(info(&send(&server, &log.upload(513, 602).0), 409), (602, 512));
    cosigns(&send(&server, &log.upload(400, 602).0), &log.head_at(602), &keys);
    cosigns(&send(&server, &log.upload(600, 702).0), &log.head(), &keys);
    assert_eq!(info(&send(&server, &log.upload(0, 302).0), 409), (702, 702));

    // What it serves is the log, to the byte.
    for entry in walkdir::WalkDir::new(log.0.join("tile")) {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(&log.0).unwrap().display().to_string();
        let Some((level, index, width)) = coldlog_spec::tile::parse_path(&name) else { continue };
        if coldlog_spec::tile::width_at(level, index, 702) == width {
            let reply = server.get(&format!("{served}/{name}"));
            assert!(reply.status == 200, "{name}");
            assert!(reply.body == std::fs::read(entry.path()).unwrap(), "{name}");
        }
    }
    // A part of what it cosigned, and nothing of what it did not.
    let head = server.get(&format!("{served}/checkpoint")).body;
    let source = Folder(log.0.clone());
    let mut tree = Tree::new(&source, 702);
    let path = tree.subtree_consistency(256, 512).unwrap();
    let mut request = "subtree 256 512\n".to_string();
    let tile = std::fs::read(log.0.join("tile/1/000.p/2")).unwrap();
    let base64 = |hash: &[u8]| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(hash)
    };
    request.push_str(&format!("{}\n", base64(&tile[32..64])));
    path.iter().for_each(|hash| request.push_str(&format!("{}\n", base64(&hash.0))));
    request.push('\n');
    let by = |head: &[u8]| [request.as_bytes(), head].concat();
    assert_eq!(server.ask("POST", "/sign-subtree", &[], &by(&head)).status, 200);
    assert_eq!(server.ask("POST", "/sign-subtree", &[], &by(&log.head().encode())).status, 403);
}

#[test]
fn compressed_uploads_are_taken_and_bombs_are_not() {
    let stage = stage();
    let (log, mirror) = (&stage.log, &stage.mirror);
    let server = start(mirror);
    server.ask("POST", "/add-checkpoint", &[], &log.request(0, 302));
    let gzip = |bytes: &[u8]| {
        let mut child = Command::new("gzip")
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let feed = std::thread::spawn(move || drop(input.write_all(&bytes)));
        let out = child.wait_with_output().unwrap().stdout;
        feed.join().unwrap();
        out
    };
    let headers = [("Content-Type", "application/octet-stream"), ("Content-Encoding", "gzip")];
    let (body, _) = log.upload(0, 302);
    // Larger than any upload may be, from a megabyte: it is given up where the limit is.
    let mut bomb = body[..40].to_vec();
    bomb.resize(700 << 20, 0);
    let reply = server.ask("POST", "/add-entries", &headers, &gzip(&bomb));
    assert!(matches!(reply.status, 400 | 413), "{}", reply.head);
    let broken = &gzip(&body)[..1000];
    assert_eq!(server.ask("POST", "/add-entries", &headers, broken).status, 400);
    let reply = server.ask("POST", "/add-entries", &headers, &gzip(&body));
    cosigns(&reply, &log.head_at(302), &own_keys(mirror));
    let other = [("Content-Encoding", "zstd")];
    assert_eq!(server.ask("POST", "/add-entries", &other, &body).status, 415);
}

#[test]
fn what_was_told_to_be_kept_is_kept_whenever_the_mirror_is_killed() {
    let stage = stage();
    let (log, mirror) = (&stage.log, &stage.mirror);
    let keys = own_keys(mirror);
    let mut next = 0;
    for size in [302, 602, 702] {
        loop {
            let server = start(mirror);
            let old = match size {
                302 => 0,
                602 => 302,
                _ => 602,
            };
            let reply = server.ask("POST", "/add-checkpoint", &[], &log.request(old, size));
            assert!(reply.status == 200 || reply.body == format!("{size}\n").as_bytes());
            let (body, begins) = log.upload(next, size);
            let cut = begins.get(1).copied().unwrap_or(body.len());
            let reply = send(&server, &body[..cut]);
            // Dropping the server kills it.
            drop(server);
            if reply.status == 200 {
                cosigns(&reply, &log.head_at(size), &keys);
                next = size;
                break;
            }
            let (_, told) = info(&reply, 202);
            assert!(told > next);
            next = told;
        }
    }
    // From four clients at once, all is there in the end.
    let server = start(mirror);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cosigns(&send(&server, &log.upload(512, 702).0), &log.head(), &keys));
        }
    });
    // Half of a body, and the connection is gone.
    let (body, _) = log.upload(0, 702);
    let mut stream = server.connect();
    let head =
        format!("POST /add-entries HTTP/1.1\r\nHost: m\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body[..5000]].concat()).unwrap();
    drop(stream);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_hostile_head_and_a_hostile_client_end_nothing() {
    let stage = stage();
    let (log, mirror) = (&stage.log, &stage.mirror);
    let server = start(mirror);
    // Nothing of size 0 is known, as far as anybody asks.
    server.ask("POST", "/add-checkpoint", &[], &log.request(0, 302));
    assert_eq!(info(&send(&server, &log.upload(0, 0).0), 409), (302, 0));
    // What is refused by its beginning is not waited for.
    let mut stream = server.connect();
    let beginning = log.upload(256, 302).0[..40].to_vec();
    let head = "POST /add-entries HTTP/1.1\r\nHost: m\r\nContent-Length: 500000000\r\n\r\n";
    stream.write_all(&[head.as_bytes(), &beginning].concat()).unwrap();
    let mut first = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 409");
    drop(stream);
    // A fresh mirror is shown a head of a size that nobody has, by the log's own key, and takes it: it extends
    // the tree without entries. No upload of it brings the process down.
    drop(server);
    let other = tempfile::tempdir().unwrap();
    let mirror = other.path();
    std::fs::copy(stage.mirror.join("policy"), mirror.join("policy")).unwrap();
    done(mirror, "mirror init --name m3.example/mirror --unencrypted");
    done(mirror, "mirror add-log policy --entries-only");
    let server = start(mirror);
    let key = stage.folder.path().join("log/coldlog-log/key.age");
    let keys = Keys::read(&key, "log", |_| unreachable!("it is not encrypted")).unwrap();
    for size in [1 << 40, 1 << 62] {
        let head = Checkpoint { origin: ORIGIN.into(), size, root: Hash([7; 32]) };
        let head = keys.head_keys().sign_head(&head, 1).unwrap();
        let old = if size == 1 << 40 { 0 } else { 1 << 40 };
        let path = vec![Hash([7; 32]); if old == 0 { 0 } else { 22 }];
        let request = Request { old, path, head }.body();
        let status = server.ask("POST", "/add-checkpoint", &[], &request).status;
        assert!(status == 200 || (old > 0 && status == 422), "{status}");
        let upload = Upload { origin: ORIGIN.into(), start: 0, end: size, ticket: Vec::new() };
        let mut body = upload.encode().unwrap();
        let status = send(&server, &body).status;
        assert!(matches!(status, 400 | 409), "{status}");
        body.extend(vec![0; 70_000]);
        let status = send(&server, &body).status;
        assert!(matches!(status, 400 | 409 | 422), "{status}");
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn an_upload_under_way_survives_the_end_of_another() {
    let stage = stage();
    let (log, mirror) = (&stage.log, &stage.mirror);
    let server = start(mirror);
    for (old, size) in [(0, 302), (302, 702)] {
        server.ask("POST", "/add-checkpoint", &[], &log.request(old, size));
    }
    // One client is ahead, towards the larger head; another one ends the smaller.
    let (body, begins) = log.upload(0, 702);
    assert_eq!(info(&send(&server, &body[..begins[2]]), 202), (702, 512));
    cosigns(&send(&server, &log.upload(302, 302).0), &log.head_at(302), &own_keys(mirror));
    cosigns(&send(&server, &log.upload(512, 702).0), &log.head(), &own_keys(mirror));
    // What was uploaded and is gone is asked for again.
    drop(server);
    let other = tempfile::tempdir().unwrap();
    let mirror = other.path();
    std::fs::copy(stage.mirror.join("policy"), mirror.join("policy")).unwrap();
    done(mirror, "mirror init --name m2.example/mirror --unencrypted");
    done(mirror, "mirror add-log policy --entries-only");
    let server = start(mirror);
    server.ask("POST", "/add-checkpoint", &[], &log.request(0, 702));
    assert_eq!(info(&send(&server, &body[..begins[2]]), 202), (702, 512));
    let hash = Hash::of(ORIGIN.as_bytes()).to_hex();
    let kept = mirror.join("coldlog-mirror/logs").join(hash).join("copy/public/tile/entries/001");
    std::fs::remove_file(&kept).unwrap();
    assert_eq!(info(&send(&server, &log.upload(512, 702).0), 409), (702, 0));
    cosigns(&send(&server, &body), &log.head(), &own_keys(mirror));
}
