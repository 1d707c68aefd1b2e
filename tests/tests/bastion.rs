//! A witness that opens no port: it connects out to a bastion (C2SP https-bastion), and is asked through it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::witnessing::Request;
use coldlog_tests::bastion::{Authority, Bastion, Manner, within};
use coldlog_tests::server::{Reply, Server, log_of, reply, serve_program};
use coldlog_tests::story::Story;
use coldlog_tests::{programs, run, words};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

/// Makes the key of the witness in a folder, and returns its hash.
fn key_of(folder: &Path) -> String {
    let told = done(folder, "witness bastion-key --json");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    told["key_hash"].as_str().unwrap().to_owned()
}

/// The witness in a folder, behind bastions that the authority in `ca.pem` vouches for.
fn witness(folder: &Path, bastions: &[&Bastion], options: &str) -> Server {
    let bastions: String =
        bastions.iter().map(|bastion| format!(" --bastion {}", bastion.backends)).collect();
    let line = "witness serve --bastion-ca ca.pem --stop-after 300 --heartbeat 0";
    serve_program(folder, &format!("{line}{bastions} {options}"), &[], &[])
        .unwrap_or_else(|| panic!("{}", log_of(folder)))
}

/// A witness that watches nothing, with its key's hash.
fn alone(stage: &Path, authority: &Authority) -> String {
    done(stage, "witness init --name w.example/witness --unencrypted");
    authority.write(&stage.join("ca.pem"));
    key_of(stage)
}

/// A request through a bastion, on a connection of its own, all of it but the end of its body.
fn begin(bastion: &Bastion, path: &str, fields: &str, length: usize, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(bastion.front).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = if length == 0 { "GET" } else { "POST" };
    let head = format!("{head} {path} HTTP/1.1\r\nHost: bastion\r\nConnection: close\r\n{fields}");
    let head = format!("{head}Content-Length: {length}\r\n\r\n");
    // It may be refused, and closed, before all of it is sent.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    stream
}

fn ask(bastion: &Bastion, path: &str, body: &[u8]) -> Reply {
    reply(begin(bastion, path, "", body.len(), body))
}

/// Ports on which a process listens.
fn ports_of(process: u32) -> Vec<String> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: Vec<String> = open
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').into())
        })
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/{process}/net/{table}"));
        for line in table.unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 0A: LISTEN; 07: a socket of UDP.
            if ["0A", "07"].contains(&fields[3]) && sockets.iter().any(|one| one == fields[9]) {
                ports.push(fields[1].to_owned());
            }
        }
    }
    ports
}

fn append(story: &mut Story, name: &str, documents: std::ops::Range<usize>) {
    story.sign(name, &Story::names(documents), "1").unwrap();
    story.run("signer", &format!("signer export -o {name}.batch.cbor")).unwrap();
    story.carry("signer", &format!("{name}.batch.cbor"), "log").unwrap();
    story.run("log", &format!("log append {name}.batch.cbor")).unwrap();
}

/// The body of the log's request to a witness that has seen nothing of it.
fn request_of(log: &Path) -> Vec<u8> {
    done(log, "log witness-request --old 0 -o request.cbor --force");
    Request::body_of_file(&std::fs::read(log.join("request.cbor")).unwrap()).unwrap()
}

#[test]
fn a_witness_with_no_port_cosigns_through_bastions_that_come_and_go() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 30).unwrap();
    let (log, w1) = (story.at("log"), story.at("w1"));
    let authority = Authority::new();
    authority.write(&w1.join("ca.pem"));
    let hash = key_of(&w1);
    let [bastion, other] = [(); 2].map(|()| Bastion::proper(&authority));
    for bastion in [&bastion, &other] {
        assert_eq!(ask(bastion, &format!("/{hash}/healthz"), b"").status, 421);
        bastion.allow(&hash);
        assert_eq!(ask(bastion, &format!("/{hash}/healthz"), b"").status, 503);
    }
    let server = witness(&w1, &[&bastion, &other], "");
    for bastion in [&bastion, &other] {
        bastion.wait_for(&hash);
        assert_eq!(ask(bastion, &format!("/{hash}/healthz"), b"").status, 200);
    }
    assert_eq!(ports_of(server.process()), Vec::<String>::new());

    // One witness of three is enough here; the log reaches it by its policy's URL.
    let policy = std::fs::read_to_string(log.join("policy")).unwrap();
    let asked = |url: &str| {
        let lines = policy.lines().filter(|line| !line.starts_with("quorum"));
        let lines = lines.map(|line| match line.starts_with("witness w1.") {
            true => format!("{line} {url}\n"),
            false => format!("{line}\n"),
        });
        let lines = lines.collect::<String>() + "quorum w1.example/witness\n";
        std::fs::write(log.join("asked"), lines).unwrap();
    };
    append(&mut story, "monday", 0..10);
    asked(&bastion.url(&hash));
    let told = done(&log, "log cosign --policy asked");
    assert!(told.contains("the head of size 12 meets the quorum"), "{told}");
    append(&mut story, "tuesday", 10..20);
    asked(&other.url(&hash));
    done(&log, "log cosign --policy asked");
    let head = SignedCheckpoint::decode(done(&log, "log head").as_bytes()).unwrap();
    assert_eq!((head.checkpoint.size, head.note.signatures.len()), (22, 2 + 2));
    let monitoring = format!("/{hash}/{}/checkpoint", Hash::of(b"log.example/releases").to_hex());
    let shown = ask(&bastion, &monitoring, b"");
    assert_eq!(SignedCheckpoint::decode(&shown.body).unwrap().checkpoint.size, 22);

    // A bastion goes, and comes back; the other one is there all the time.
    let (backends, front) = (bastion.backends, bastion.front);
    drop(bastion);
    assert_eq!(ask(&other, &format!("/{hash}/healthz"), b"").status, 200);
    let lost =
        |log: &str| log.contains(&format!("not connected to the bastion bastion={backends}"));
    within("the loss is logged", || lost(&log_of(&w1)));
    let bastion = Bastion::at(&authority, Manner::Proper, backends, front);
    bastion.allow(&hash);
    bastion.wait_for(&hash);
    assert_eq!(other.handshakes(), 1);
    append(&mut story, "wednesday", 20..30);
    asked(&bastion.url(&hash));
    done(&log, "log cosign --policy asked");
    // It stops without a word to be missed, and is there no more.
    server.signal("TERM");
    let (code, said) = server.ended();
    assert_eq!((code, said.lines().last()), (0, Some("stopped: every answer is remembered")));
    within("the backend is gone", || !bastion.has(&hash) && !other.has(&hash));
    assert_eq!(ask(&bastion, &monitoring, b"").status, 503);
}

#[test]
fn many_requests_share_one_connection_beside_a_port_that_was_asked_for() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    append(&mut story, "one", 0..4);
    let body = request_of(&story.at("log"));
    let w1 = story.at("w1");
    let authority = Authority::new();
    authority.write(&w1.join("ca.pem"));
    let hash = key_of(&w1);
    let bastion = Bastion::proper(&authority);
    bastion.allow(&hash);
    let server = witness(&w1, &[&bastion], "--listen 127.0.0.1:0 --rate 100000");
    assert_eq!(ports_of(server.process()).len(), 1);
    bastion.wait_for(&hash);
    let path = format!("/{hash}/add-checkpoint");
    assert_eq!(ask(&bastion, &path, &body).status, 200);
    let size = server.ask("POST", "/add-checkpoint", &[], &body);
    assert_eq!((size.status, size.body.as_slice()), (409, b"6\n".as_slice()));
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(ask(&bastion, &path, &body).status, 409);
                    assert_eq!(ask(&bastion, &format!("/{hash}/healthz"), b"").status, 200);
                }
            });
        }
    });
    assert_eq!((bastion.handshakes(), bastion.proxied()), (1, 401));
    // What operators watch is shown on their own port, and not to a bastion's clients.
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(metrics.contains("\ncoldlog_bastions 1\n"), "{metrics}");
    assert_eq!(ask(&bastion, &format!("/{hash}/metrics"), b"").status, 404);
    drop(bastion);
    within("the bastion is missed", || {
        String::from_utf8_lossy(&server.get("/metrics").body).contains("\ncoldlog_bastions 0\n")
    });
}

#[test]
fn a_bastion_that_is_none_is_left_with_a_reason_and_nothing_is_served_to_it() {
    let stage = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let hash = alone(stage.path(), &authority);
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let speaks_http = plain.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let of = |manner| Bastion::new(&authority, manner);
    let [old, none, others, mute] =
        [Manner::OldTls, Manner::NoProtocol, Manner::OtherProtocol, Manner::Mute].map(of);
    let stranger = Bastion::proper(&Authority::new());
    let unknown = of(Manner::Proper);
    for bastion in [&old, &none, &others, &mute, &stranger] {
        bastion.allow(&hash);
    }
    let no_tls_1_3 = "it does not speak TLS 1.3";
    let expected = [
        (old.backends, no_tls_1_3),
        (none.backends, "it did not agree to the ALPN protocol bastion/0"),
        (others.backends, "it does not know the ALPN protocol bastion/0"),
        (mute.backends, "it said nothing within 2s"),
        (
            stranger.backends,
            "its certificate is not trusted; if a private authority made it, name that with --bastion-ca: invalid peer certificate: ",
        ),
        (
            unknown.backends,
            &format!(
                "it does not accept this backend's key; its operator must allow the backend {hash}"
            ),
        ),
        (speaks_http, "it does not speak TLS"),
        (gone, "connecting to 127.0.0.1:"),
    ];
    let places: String = expected.iter().map(|(place, _)| format!(" --bastion {place}")).collect();
    let line = "witness serve --bastion-ca ca.pem --stop-after 300 --header-time 2";
    let server = serve_program(stage.path(), &format!("{line}{places}"), &[], &[]).unwrap();
    for (place, reason) in expected {
        let line = format!("not connected to the bastion bastion={place} why={reason}");
        within(&line, || {
            let log = log_of(stage.path());
            let said = log.lines().filter(|said| said.contains(&format!("bastion={place}")));
            let mut said = said.peekable();
            assert!(said.all(|said| said.contains(&line)), "{log}");
            log.contains(&line)
        });
    }
    for bastion in [&old, &none, &others, &mute, &stranger, &unknown] {
        assert_eq!(bastion.proxied(), 0);
        assert!(!bastion.has(&hash));
    }
    // The system's authorities do not vouch for it either; a system that has none says so.
    let line = format!("witness serve --bastion {} --stop-after 2", unknown.backends);
    let ran = run(stage.path(), &line).unwrap();
    match ran.code {
        0 => assert!(ran.err.contains("its certificate is not trusted"), "{}", ran.err),
        code => assert!(code == 2 && ran.err.contains("--bastion-ca"), "{}", ran.err),
    }
    // The stop is not held up by those that are waited for.
    server.signal("TERM");
    let begun = Instant::now();
    assert_eq!(server.ended().0, 0);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_bastion_that_falls_silent_is_noticed_and_dialled_again() {
    let stage = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let hash = alone(stage.path(), &authority);
    let bastion = Bastion::new(&authority, Manner::Freezes);
    bastion.allow(&hash);
    let _server = witness(stage.path(), &[&bastion], "--header-time 2");
    within("it is dialled again", || bastion.handshakes() >= 2);
    let log = log_of(stage.path());
    assert!(log.contains("the connection broke off: "), "{log}");
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    append(&mut story, "one", 0..4);
    let body = request_of(&story.at("log"));
    let w1 = story.at("w1");
    let authority = Authority::new();
    authority.write(&w1.join("ca.pem"));
    let hash = key_of(&w1);
    let bastion = Bastion::proper(&authority);
    bastion.allow(&hash);
    let server = witness(&w1, &[&bastion], "");
    bastion.wait_for(&hash);
    let (start, end) = body.split_at(body.len() / 2);
    let mut stream = begin(&bastion, &format!("/{hash}/add-checkpoint"), "", body.len(), start);
    within("the request is handed on", || bastion.proxied() == 1);
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert!(Path::new(&format!("/proc/{}", server.process())).exists());
    stream.write_all(end).unwrap();
    assert_eq!(reply(stream).status, 200);
    assert_eq!(server.ended().0, 0);
    assert!(done(&w1, "witness heads").contains("log.example/releases 6 "));
}

#[test]
fn limits_hold_for_what_comes_through_a_bastion() {
    let stage = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let hash = alone(stage.path(), &authority);
    let bastion = Bastion::proper(&authority);
    bastion.allow(&hash);
    let _server = witness(stage.path(), &[&bastion], "--rate 3 --header-time 2");
    bastion.wait_for(&hash);
    let path = format!("/{hash}/add-checkpoint");
    let from = |last: u8| bastion.say_client_is(Some(IpAddr::from([198, 51, 100, last])));
    // Bodies that are too large, or do not come.
    from(1);
    let large = vec![b'a'; 400_000];
    assert_eq!(ask(&bastion, &path, &large).status, 413);
    assert_eq!(reply(begin(&bastion, &path, "", 100, b"abc")).status, 408);
    // A header that is too large is none of the witness's.
    let fields = format!("X-Large: {}\r\n", "a".repeat(60_000));
    let large = reply(begin(&bastion, &path, &fields, 0, b"")).status;
    assert!([431, 502].contains(&large), "{large}");
    // Of whom the bastion names, each has a limit of its own, whatever it says of itself.
    let burst = |own: &str| -> Vec<u16> {
        let fields = format!("X-Forwarded-For: {own}\r\n");
        let ask = |_| reply(begin(&bastion, &path, &fields, 1, b"x")).status;
        (0..8).map(ask).collect()
    };
    for last in [2, 3] {
        from(last);
        let statuses = burst("203.0.113.9");
        assert_eq!(statuses[..3], [400; 3], "{statuses:?}");
        assert!(statuses.contains(&429), "{statuses:?}");
    }
    // A bastion that names nobody is the client itself.
    bastion.say_client_is(None);
    assert!(burst("203.0.113.9").contains(&429));
    let log = log_of(stage.path());
    for client in ["198.51.100.2", "198.51.100.3", "127.0.0.1"] {
        assert!(log.contains(&format!("client={client}")), "{log}");
    }
    assert!(!log.contains("203.0.113.9"), "{log}");
    assert_eq!(bastion.handshakes(), 1, "{log}");
}

#[test]
fn the_key_is_made_once_kept_private_and_named_the_same_ever_after() {
    use std::os::unix::fs::PermissionsExt;
    let stage = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let folder = stage.path();
    assert_eq!(run(folder, "witness bastion-key").unwrap().code, 2);
    let hash = alone(folder, &authority);
    let key = folder.join("coldlog-witness/bastion.key");
    let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let told = done(folder, "witness bastion-key");
    let public = told.lines().find_map(|line| line.strip_prefix("public key  ")).unwrap();
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&public[at..at + 2], 16).unwrap()).collect();
    assert_eq!(Hash::of(&bytes).to_hex(), hash);
    assert_eq!(told.lines().next().unwrap(), format!("key hash    {hash}"));
    let bastion = Bastion::proper(&authority);
    bastion.allow(&hash);
    for _ in 0..2 {
        let server = witness(folder, &[&bastion], "");
        bastion.wait_for(&hash);
        drop(server);
        within("it is gone", || !bastion.has(&hash));
    }
    // What others may read is no key, and what is no key is not replaced.
    let line =
        format!("witness serve --bastion {} --bastion-ca ca.pem --stop-after 5", bastion.backends);
    let refused = |line: &str, why: &str| {
        let ran = run(folder, line).unwrap();
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(why), "{line}: {}", ran.err);
    };
    let kept = std::fs::read(&key).unwrap();
    mode(0o644);
    refused(&line, "bastion.key can be read by others (mode 644); run `chmod 600` on it");
    refused("witness bastion-key", "can be read by others");
    mode(0o600);
    std::fs::write(&key, "nonsense").unwrap();
    refused(&line, "bastion.key holds no backend's key: a private key in PEM (PKCS #8)");
    assert_eq!(std::fs::read(&key).unwrap(), b"nonsense");
    std::fs::write(&key, kept).unwrap();
    assert_eq!(key_of(folder), hash);
    // Usage.
    refused("witness serve --bastion bastion.example", "HOST:PORT was expected");
    refused("witness serve --bastion-ca ca.pem", "--bastion");
    refused(&line.replace("ca.pem", "coldlog-witness/bastion.key"), "holds no certificate");
    let line = format!("{line} --tls-certificate ca.pem --tls-key ca.pem");
    refused(&line, "say --listen as well, or leave the certificate out");
}

fn conformance(folder: &Path, line: &str) -> (i32, String) {
    let program: PathBuf = programs().unwrap().join("witness-conformance");
    let output = Command::new(program).current_dir(folder).args(words(line)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), told + &err)
}

#[test]
fn a_witness_behind_a_bastion_passes_every_case_of_the_conformance_suite() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let authority = Authority::new();
    let hash = alone(folder, &authority);
    let (code, told) = conformance(folder, "keys suite");
    assert_eq!(code, 0, "{told}");
    for entry in std::fs::read_dir(folder.join("suite")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "log") {
            done(folder, &format!("witness add-log {}", path.display()));
        }
    }
    let lines = std::fs::read_to_string(folder.join("coldlog-witness/witness.policy")).unwrap();
    let keys = lines.lines().filter(|line| line.starts_with("witness "));
    let keys: String =
        keys.map(|line| format!(" --witness {}", line.split(' ').nth(2).unwrap())).collect();
    let bastion = Bastion::proper(&authority);
    bastion.allow(&hash);
    let _server = witness(folder, &[&bastion], "--rate 100000");
    bastion.wait_for(&hash);
    let line = format!("run {} --keys suite{keys}", bastion.url(&hash));
    let (code, told) = conformance(folder, &line);
    let failed: Vec<&str> = told.lines().filter(|line| !line.starts_with("pass ")).collect();
    assert_eq!(code, 0, "{failed:#?}");
    assert!(told.contains(" 0 failed, 0 skipped"), "{failed:#?}");
    assert_eq!(bastion.handshakes(), 1);
}
