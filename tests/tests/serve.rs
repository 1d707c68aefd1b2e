//! `log serve` by the real binary: what peers ask of it, what it refuses, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::Policy;
use coldlog_spec::receipt::Receipt;
use coldlog_spec::registration::Registration;
use coldlog_tests::server::{Reply, Server, log_of, reply};
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, ran, words};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn serve(folder: &Path, options: &str) -> Server {
    coldlog_tests::server::serve(folder, options, &[])
}

fn run(folder: &Path, line: &str) -> Ran {
    coldlog_tests::run(folder, line).unwrap()
}

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line);
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn size(log: &Path) -> usize {
    done(log, "log head").lines().nth(1).unwrap().parse().unwrap()
}

/// A story whose signer has signed so many documents, each of which is a file to post.
fn begun(stage: &Path, documents: usize) -> (Story, Vec<Vec<u8>>) {
    let mut story = Story::with_documents(stage, documents).unwrap();
    story.sign("all", &Story::names(0..documents), "1").unwrap();
    story.run("signer", "signer export --each -o each").unwrap();
    let posted = (0..=documents)
        .map(|n| std::fs::read(story.at("signer").join(format!("each/{n:06}.cose"))).unwrap());
    let posted = posted.collect();
    (story, posted)
}

fn log_key(log: &Path) -> coldlog_spec::ed25519::PublicKey {
    let policy = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    let policy = Policy::parse(format!("{policy}quorum none\n").as_bytes()).unwrap();
    policy.receipt_keys("log.example/releases").next().unwrap().clone()
}

#[test]
fn statements_are_posted_one_by_one_and_each_gets_its_receipt() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 5);
    let log = story.at("log");
    let server = serve(&log, "");
    let key = log_key(&log);
    for (n, body) in posted.iter().enumerate() {
        let reply = server.post(body);
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/cose"));
        assert_eq!(reply.header("location"), Some(format!("/entries/{}", n + 1).as_str()));
        let receipt = Receipt::decode(&reply.body).unwrap();
        let leaf = Registration::decode(body).unwrap().statement.leaf();
        receipt.verify_inclusion(&key, leaf).unwrap();
        assert_eq!(receipt.inclusion().unwrap().index, n as u64 + 1);
        // What was answered is durable, and published.
        assert_eq!(size(&log), n + 2);
    }
    // Again: the same place, nothing new.
    let again = server.post(&posted[3]);
    assert_eq!((again.status, again.header("location")), (201, Some("/entries/4")));
    assert_eq!(size(&log), 7);
    let receipt = server.get("/entries/4");
    assert_eq!(receipt.status, 200);
    let leaf = Registration::decode(&posted[3]).unwrap().statement.leaf();
    Receipt::decode(&receipt.body).unwrap().verify_inclusion(&key, leaf).unwrap();
    for missing in ["/entries/7", "/entries/03", "/entries/x", "/entries/", "/nothing"] {
        assert_eq!(server.get(missing).status, 404, "{missing}");
    }
    // The published files are those of the folder, byte for byte.
    let public = log.join("coldlog-log/public");
    for path in ["checkpoint", "tile/0/000.p/7", "tile/entries/000.p/7", "heads/007"] {
        let reply = server.get(&format!("/{path}"));
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.body, std::fs::read(public.join(path)).unwrap(), "{path}");
        let cache = if path.starts_with("tile") { "immutable" } else { "no-cache" };
        assert!(reply.header("cache-control").unwrap().contains(cache), "{path}");
    }
    // What a crash, or a refused batch, left beyond the head may still become something else.
    for left in ["tile/0/001.p/3", "tile/0/000.p/8", "tile/entries/000", "tile/1/000.p/1"] {
        std::fs::create_dir_all(public.join(left).parent().unwrap()).unwrap();
        std::fs::write(public.join(left), "left").unwrap();
        assert_eq!(server.get(&format!("/{left}")).status, 404, "{left}");
        std::fs::remove_file(public.join(left)).unwrap();
    }
    for path in [
        "/tile/0/001",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/../../key.age",
        "/tile/%2e%2e/%2e%2e/key.age",
        "/heads/../../key.age",
        "/heads/7",
        "/tile/",
        "/key.age",
        "/tile/entries/../../../key.age",
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 404, "{path}");
        reply.problem();
    }
    assert_eq!(server.ask("DELETE", "/entries", &[], b"").status, 405);
    let (code, rest) = {
        server.signal("TERM");
        server.ended()
    };
    assert_eq!(code, 0, "{rest}{}", log_of(&log));
    assert!(rest.contains("stopped"), "{rest}");
    done(&log, "log fsck");
    let line = log_of(&log);
    assert!(line.contains("method=POST path=\"/entries\" status=201"), "{line}");
}

#[test]
fn what_is_refused_says_why_and_changes_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 3);
    let log = story.at("log");
    let server = serve(&log, "");
    let refused = |body: &[u8], status: u16, why: &str| {
        let reply = server.post(body);
        assert_eq!(reply.status, status, "{reply:?}");
        let problem = reply.problem();
        assert!(problem.contains(why), "{problem}");
        assert!(!problem.contains("coldlog-log"), "a path of the server: {problem}");
    };
    refused(&posted[1], 409, "expected 0");
    assert_eq!(server.post(&posted[0]).status, 201);
    refused(&posted[2], 409, "the sequence number is 2, expected 1");
    refused(b"", 400, "registration");
    refused(b"nonsense", 400, "registration");
    // Without its sealed record; with the signature changed; with another record.
    let good = Registration::decode(&posted[1]).unwrap();
    refused(good.statement.bytes(), 400, "label -70006");
    let mut changed = posted[1].clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    refused(&changed, 422, "does not verify");
    let other = Registration { sealed: b"no age file".to_vec(), ..good.clone() };
    refused(&other.encode(), 422, "expected an age file");
    let wrong = server.ask("POST", "/entries", &[("Content-Type", "text/plain")], &posted[1]);
    assert_eq!(wrong.status, 415);
    assert_eq!(server.post(&vec![0; 200_000]).status, 413);
    let sequence = [("Content-Type", "application/cbor-seq")];
    assert_eq!(server.ask("POST", "/batches", &sequence, &posted[1]).status, 400);
    // A signer that nobody allowed.
    let stranger = tempfile::tempdir().unwrap();
    coldlog_tests::write_private(&stranger.path().join("passphrase"), "x\n").unwrap();
    done(
        stranger.path(),
        "signer init --name stranger.example --operator Eve --auditor age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --scrypt-log-n 10 --passphrase-file passphrase",
    );
    done(stranger.path(), "signer export --each -o each");
    let theirs = std::fs::read(stranger.path().join("each/000000.cose")).unwrap();
    refused(&theirs, 403, "stranger.example");
    // None of it changed anything, and the log goes on.
    assert_eq!(size(&log), 2);
    for body in &posted[1..] {
        assert_eq!(server.post(body).status, 201);
    }
    assert_eq!(size(&log), 5);
    drop(server);
    done(&log, "log fsck");
    assert!(std::fs::read_dir(log.join("coldlog-log/incoming")).unwrap().next().is_none());
}

#[test]
fn a_fork_that_is_posted_leaves_its_evidence() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 2).unwrap();
    let clone = stage.path().join("clone");
    coldlog_tests::copy(&story.at("signer"), &clone).unwrap();
    story.sign("one", &Story::names(0..1), "1").unwrap();
    story.run("signer", "signer export --each -o each").unwrap();
    Story::reopen(&clone).unwrap();
    done(&clone, "signer sign d1.txt --operator Ada --passphrase-file passphrase");
    done(&clone, "signer export --each -o each");
    let read =
        |folder: &Path, n: usize| std::fs::read(folder.join(format!("each/{n:06}.cose"))).unwrap();
    let (signer, log) = (story.at("signer"), story.at("log"));
    let server = serve(&log, "");
    for n in 0..2 {
        assert_eq!(server.post(&read(&signer, n)).status, 201);
    }
    let reply = server.post(&read(&clone, 1));
    assert_eq!(reply.status, 409);
    assert!(reply.problem().contains("forked"), "{}", reply.problem());
    let evidence = std::fs::read_dir(log.join("coldlog-log/evidence")).unwrap().next();
    let evidence = evidence.unwrap().unwrap().path();
    coldlog_tests::copy(&evidence, &story.at("auditor").join("fork")).unwrap();
    let convicted = story.run("auditor", "verifier evidence check fork --policy policy").unwrap();
    assert!(convicted.out.contains("it signed two records"), "{}", convicted.out);
}

#[test]
#[cfg_attr(not(have_curl), ignore = "curl is not installed")]
fn a_batch_goes_there_and_back_by_curl_beside_the_other_commands() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, _) = begun(stage.path(), 300);
    let (signer, log) = (story.at("signer"), story.at("log"));
    let server = serve(&log, "--json-log");
    story.run("signer", "signer export -o all.batch.cbor").unwrap();
    let curl = |file: &str, output: &str| {
        let url = format!("{}/batches", server.url);
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail-with-body", "--data-binary"]);
        command.arg(format!("@{file}")).args(["--header", "Content-Type: application/cbor-seq"]);
        ran(&command.args(["--output", output, &url]).current_dir(&signer).output().unwrap())
    };
    let first = curl("all.batch.cbor", "first.receipts.cbor");
    assert_eq!(first.code, 0, "{}{}", first.err, log_of(&log));
    // Before witnesses have cosigned, they meet no policy.
    let early = run(&signer, "signer import first.receipts.cbor --policy policy");
    assert_eq!(early.code, 1, "{}{}", early.out, early.err);
    // The commands of the log work while it serves.
    done(&log, "log witness-request -o request.cbor");
    for witness in ["w1", "w2"] {
        story.carry("log", "request.cbor", witness).unwrap();
        let answer = format!("answer-{witness}.cbor");
        story.run(witness, &format!("witness cosign request.cbor -o {answer}")).unwrap();
        story.carry(witness, &answer, "log").unwrap();
    }
    done(&log, "log add-cosignatures answer-w1.cbor answer-w2.cbor --policy policy");
    let second = curl("all.batch.cbor", "second.receipts.cbor");
    assert_eq!(second.code, 0, "{}", second.err);
    done(&signer, "signer import second.receipts.cbor --policy policy");
    done(&signer, "verifier check d7.txt --policy policy");
    // Entries are compressed for who asks, and the same then.
    let plain = server.get("/tile/entries/000");
    let fetched = signer.join("entries");
    let mut command = Command::new("curl");
    command.args(["--silent", "--compressed", "--dump-header", "-", "--output"]).arg(&fetched);
    let head = ran(&command.arg(format!("{}/tile/entries/000", server.url)).output().unwrap()).out;
    assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
    assert_eq!(std::fs::read(&fetched).unwrap(), plain.body);
    // What operators watch.
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(metrics.contains("coldlog_appended_total 301"), "{metrics}");
    assert!(metrics.contains("coldlog_tree_size 302"), "{metrics}");
    assert!(metrics.contains("route=\"/batches\",status=\"200\"} 2"), "{metrics}");
    assert_eq!(server.get("/healthz").body, b"ok\n");
    for line in log_of(&log).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["status"].is_u64() && event["path"].is_string(), "{line}");
    }
    assert!(std::fs::read_dir(log.join("coldlog-log/incoming")).unwrap().next().is_none());
}

#[test]
fn a_batch_that_is_no_batch_is_the_senders_matter_and_a_changed_key_the_servers() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, posted) = begun(stage.path(), 3);
    let log = story.at("log");
    story.run("signer", "signer export -o all.batch.cbor").unwrap();
    let batch = std::fs::read(story.at("signer").join("all.batch.cbor")).unwrap();
    let server = serve(&log, "");
    let send = |body: &[u8]| {
        server.ask("POST", "/batches", &[("Content-Type", "application/cbor-seq")], body)
    };
    let mut flipped = batch.clone();
    let middle = batch.len() / 2;
    flipped[middle] ^= 1;
    for (body, status) in [
        (&b""[..], 400),
        (b"nonsense", 400),
        (&batch[..middle], 400),
        (&batch[..batch.len() - 1], 400),
        (&[&batch[..], b"\x00"].concat(), 409),
    ] {
        let reply = send(body);
        assert_eq!(reply.status, status, "{}", reply.problem());
        assert!(!reply.problem().contains("incoming"), "{}", reply.problem());
    }
    assert!((400..500).contains(&send(&flipped).status));
    assert_eq!(size(&log), 1);
    // What a killed server had not answered is cleared away by the next.
    let left = log.join("coldlog-log/incoming/left.batch.cbor");
    std::fs::write(&left, "half a batch").unwrap();
    drop(server);
    let server = serve(&log, "");
    assert!(!left.exists());
    // The server goes on with the keys that it has loaded, or not at all.
    assert_eq!(server.post(&posted[0]).status, 201);
    done(&log, "log rotate-key -o rotation");
    let reply = server.post(&posted[1]);
    assert_eq!(reply.status, 500);
    assert!(!reply.problem().contains("key"), "{}", reply.problem());
    assert!(log_of(&log).contains("start the server again"));
    assert_eq!(server.get("/healthz").status, 500);
    drop(server);
    let server = serve(&log, "");
    assert_eq!(server.post(&posted[1]).status, 201);
    assert_eq!(server.get("/healthz").status, 200);
    let lines = done(&log, "log head");
    assert_eq!(lines.matches("\u{2014} log.example/releases ").count(), 4);
    // A frozen log says so, and who posts can do nothing about it.
    drop(server);
    let policy = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    std::fs::write(log.join("alone"), format!("{policy}quorum none\n")).unwrap();
    done(&log, "log freeze --policy alone");
    let server = serve(&log, "");
    let reply = server.post(&posted[2]);
    assert_eq!(reply.status, 410);
    assert!(reply.problem().contains("was frozen at size 3"), "{}", reply.problem());
    let end = server.get("/heads/end");
    assert_eq!(end.body, std::fs::read(log.join("coldlog-log/public/heads/end")).unwrap());
    assert_eq!(server.get("/entries/1").status, 200);
}

#[test]
fn sealed_records_are_for_allowed_readers_and_each_read_is_noted() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 2);
    let log = story.at("log");
    let token = done(&log, "log allow-reader auditor@bank.example").trim().to_string();
    assert_eq!(token.len(), 43);
    // Only its digest is kept.
    for entry in walkdir::WalkDir::new(log.join("coldlog-log")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()));
        }
    }
    assert_eq!(run(&log, "log allow-reader auditor@bank.example").code, 1);
    assert_eq!(run(&log, "log allow-reader ../x").code, 2);
    let server = serve(&log, "");
    for body in &posted {
        assert_eq!(server.post(body).status, 201);
    }
    let read = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.ask("GET", "/sealed/000.p/3", &[("Authorization", &bearer)], b"")
    };
    let denied = server.get("/sealed/000.p/3");
    assert_eq!((denied.status, denied.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(read("").status, 401);
    assert_eq!(read(&token[1..]).status, 401);
    assert!(done(&log, "log accesses").contains("nobody"));
    let sealed = read(&token);
    assert_eq!(sealed.status, 200);
    assert_eq!(sealed.header("cache-control"), Some("no-store"));
    let there = std::fs::read(log.join("coldlog-log/public/sealed/000.p/3")).unwrap();
    assert_eq!(sealed.body, there);
    let told = done(&log, "log accesses");
    assert!(told.contains("auditor@bank.example from 127.0.0.1: entries 0 to 2"), "{told}");
    // A bundle that is not there is no read.
    let missing = format!("Bearer {token}");
    let missing = server.ask("GET", "/sealed/001", &[("Authorization", &missing)], b"");
    assert_eq!(missing.status, 404);
    read(&token);
    done(&log, "log forget-reader auditor@bank.example");
    assert_eq!(read(&token).status, 401);
    let json: serde_json::Value = serde_json::from_str(&done(&log, "log accesses --json")).unwrap();
    assert_eq!(json["reads"].as_array().unwrap().len(), 2);
    assert!(!log_of(&log).contains(&token));
    // One whose file is damaged reads nothing; the others do.
    let second = done(&log, "log allow-reader someone@bank.example").trim().to_string();
    std::fs::write(log.join("coldlog-log/readers/broken"), "nonsense").unwrap();
    assert_eq!(read(&second).status, 200);
    assert!(run(&log, "log readers").err.contains("the file of broken"));
    done(&log, "log forget-reader broken");
    // Backups know who may read, and who did.
    done(&log, "log backup ../backup");
    done(&log, "log --home back restore ../backup");
    assert_eq!(done(&log, "log --home back readers"), done(&log, "log readers"));
    assert_eq!(done(&log, "log --home back accesses"), done(&log, "log accesses"));
    for private in
        ["backup/home/accesses", "log/back/accesses", "log/back/readers/someone@bank.example"]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = stage.path().join(private).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    // Whom the log forgets, the backup forgets.
    done(&log, "log forget-reader someone@bank.example");
    done(&log, "log backup ../backup");
    assert!(!stage.path().join("backup/home/readers/someone@bank.example").exists());
    // Two servers on one home would write one journal.
    let second = run(&log, "log serve --listen 127.0.0.1:0 --stop-after 1");
    assert_eq!(second.code, 2);
    assert!(second.err.contains("in use by another process"), "{}", second.err);
    drop(server);
    // A read that was cut out shows; one that broke off is put aside when the server starts again.
    let path = log.join("coldlog-log/accesses");
    let whole = std::fs::read(&path).unwrap();
    let header = coldlog_spec::access::encode_header("log.example/releases").len();
    let length = (whole.len() - header) / 3;
    std::fs::write(&path, [&whole[..header], &whole[header + length..]].concat()).unwrap();
    let cut = run(&log, "log accesses");
    assert_eq!(cut.code, 1, "{}", cut.out);
    assert!(cut.err.contains("were removed or altered"), "{}", cut.err);
    assert_eq!(run(&log, "log serve --listen 127.0.0.1:0 --stop-after 1").code, 1);
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert_eq!(run(&log, "log accesses").code, 2);
    done(&log, "log serve --listen 127.0.0.1:0 --stop-after 1");
    assert_eq!(std::fs::read(&path).unwrap(), &whole[..header + 2 * length]);
    let mut folder = std::fs::read_dir(log.join("coldlog-log")).unwrap();
    let torn = folder.find_map(|entry| {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        name.contains("torn").then_some(name)
    });
    let torn = std::fs::read(log.join("coldlog-log").join(torn.unwrap())).unwrap();
    assert_eq!(torn, &whole[..whole.len() - 9]);
    // Damage in the middle is no crash's doing: nothing is put aside for it.
    let mut flipped = whole.clone();
    flipped[header] ^= 0x10;
    std::fs::write(&path, &flipped).unwrap();
    assert_ne!(run(&log, "log serve --listen 127.0.0.1:0 --stop-after 1").code, 0);
    assert_eq!(std::fs::read(&path).unwrap(), flipped);
}

#[test]
#[cfg_attr(not(all(have_curl, have_openssl)), ignore = "curl or openssl is not installed")]
fn tls_by_given_certificates_and_readers_by_theirs() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 1);
    let log = story.at("log");
    let openssl = |line: &str| {
        let ran =
            ran(&Command::new("openssl").args(words(line)).current_dir(&log).output().unwrap());
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    };
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    std::fs::write(log.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(&format!("req -x509 {new_key} -keyout ca.key -out ca.pem -subj /CN=ca -days 2"));
    for name in ["server", "auditor", "visitor"] {
        openssl(&format!("req {new_key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out {name}.pem -extfile san"
        ));
    }
    // Of another authority, with the same name.
    openssl(&format!(
        "req -x509 {new_key} -keyout forged.key -out forged.pem -subj /CN=auditor -days 2"
    ));
    let secure = "--tls-certificate server.pem --tls-key server.key --client-authority ca.pem";
    use std::os::unix::fs::PermissionsExt;
    let key = log.join("server.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loose = run(&log, &format!("log serve --listen 127.0.0.1:0 --stop-after 1 {secure}"));
    assert_eq!(loose.code, 2, "{}", loose.out);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    done(&log, "log allow-reader auditor --certificate auditor.pem");
    let server = serve(&log, secure);
    assert!(server.url.starts_with("https://"));
    std::fs::write(log.join("body"), &posted[0]).unwrap();
    let curl = |line: &str| {
        let line =
            format!("--silent --cacert ca.pem --output out --write-out %{{http_code}} {line}");
        let line = line.replace("URL", &server.url);
        ran(&Command::new("curl").args(words(&line)).current_dir(&log).output().unwrap())
    };
    let post = "--data-binary @body --header 'Content-Type: application/cose' URL/entries";
    assert_eq!(curl(post).out, "201", "{}", log_of(&log));
    assert_eq!(curl("URL/checkpoint").out, "200");
    assert_eq!(curl("--tls-max 1.2 URL/checkpoint").out, "200");
    assert_ne!(curl("--tls-max 1.1 URL/checkpoint").code, 0);
    assert_eq!(curl("URL/sealed/000.p/1").out, "401");
    let by = |name: &str| curl(&format!("--cert {name}.pem --key {name}.key URL/sealed/000.p/1"));
    assert_eq!(by("auditor").out, "200");
    assert_eq!(by("visitor").out, "401");
    assert_ne!(by("forged").code, 0);
    let told = done(&log, "log accesses");
    assert!(told.contains("auditor from 127.0.0.1") && told.lines().count() == 1, "{told}");
    // A client that speaks no TLS does it no harm.
    let mut plain = server.connect();
    plain.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: log\r\n\r\n").unwrap();
    assert_ne!(reply(plain).status, 200);
    assert_eq!(curl("URL/healthz").out, "200");
}

#[test]
fn slow_oversized_malformed_and_half_closed_requests_end_cleanly() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 1);
    let log = story.at("log");
    let server = serve(&log, "--header-time 1 --entry-time 1 --rate 4");
    let raw = |bytes: &[u8]| {
        let mut stream = server.connect();
        let _ = stream.write_all(bytes);
        reply(stream)
    };
    // One that never ends its header, and one that says nothing, are closed.
    let begun = Instant::now();
    let silent = server.connect();
    let mut loris = server.connect();
    loris.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: log\r\n").unwrap();
    for n in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        if loris.write_all(format!("X-{n}: a\r\n").as_bytes()).is_err() {
            break;
        }
    }
    assert_ne!(reply(loris).status, 200);
    assert_ne!(reply(silent).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(30));
    // A body that does not come.
    let head = "POST /entries HTTP/1.1\r\nHost: log\r\nContent-Type: application/cose\r\n";
    let slow = raw(format!("{head}Content-Length: 100\r\n\r\nabc").as_bytes());
    assert_eq!(slow.status, 408, "{slow:?}");
    assert_eq!(slow.header("connection"), Some("close"));
    // A header that is too large; no HTTP; two lengths; a length that is none.
    let large =
        format!("GET /checkpoint HTTP/1.1\r\nHost: log\r\nX: {}\r\n\r\n", "a".repeat(200_000));
    assert!([0, 431].contains(&raw(large.as_bytes()).status));
    assert_eq!(raw(b"\x16\x03\x01 nonsense\r\n\r\n").status, 400);
    assert_eq!(
        raw(format!("{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n").as_bytes()).status,
        400
    );
    assert_eq!(raw(format!("{head}Content-Length: -5\r\n\r\n").as_bytes()).status, 400);
    // One that sends all it has, closes its half, and waits for the answer.
    std::thread::sleep(Duration::from_secs(2));
    let mut half = server.connect();
    half.write_all(
        format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n", posted[0].len())
            .as_bytes(),
    )
    .unwrap();
    half.write_all(&posted[0]).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reply(half).status, 201);
    // One that hangs up in the middle of its body.
    let mut broken = server.connect();
    broken.write_all(format!("{head}Content-Length: 500\r\n\r\nabc").as_bytes()).unwrap();
    drop(broken);
    // More than an address may ask.
    let turned_away = (0..500).map(|_| server.get("/entries/0")).find(|reply| reply.status == 429);
    let turned_away = turned_away.expect("500 requests in a row are more than 4 a second");
    assert_eq!(turned_away.header("retry-after"), Some("1"));
    turned_away.problem();
    // Files are not counted.
    assert!((0..30).all(|_| server.get("/checkpoint").status == 200));
    drop(server);
    done(&log, "log fsck");
}

#[test]
fn connections_beyond_the_limit_are_closed_and_the_others_served() {
    let stage = tempfile::tempdir().unwrap();
    let (story, _) = begun(stage.path(), 1);
    let log = story.at("log");
    let server = serve(&log, "--connections 3");
    let held: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    // They are open for the server, too, once it has answered the last of them.
    let ask = |mut stream: &TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: log\r\n\r\n").unwrap();
        let mut bytes = [0; 15];
        stream.read_exact(&mut bytes).map(|()| bytes.starts_with(b"HTTP/1.1 200"))
    };
    assert!(held.iter().all(|stream| ask(stream).unwrap()));
    assert_eq!(server.get("/healthz").status, 0);
    drop(held);
    let end = Instant::now() + Duration::from_secs(20);
    while server.get("/healthz").status != 200 {
        assert!(Instant::now() < end, "no room again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(metrics.contains("coldlog_connections_turned_away_total"), "{metrics}");
}

#[test]
fn a_thousand_idle_and_two_hundred_busy_connections_are_held() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 40);
    let log = story.at("log");
    let server = serve(&log, "--header-time 120 --rate 100000");
    coldlog_kit::files::allow_many_open_files();
    let ask = |mut stream: &TcpStream, path: &str, body: &[u8]| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: log\r\nContent-Type: application/cose\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut bytes = Vec::new();
        let mut piece = [0; 65536];
        loop {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "closed");
            bytes.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.unwrap().parse().unwrap();
            let start = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            if bytes.len() == start + length {
                return text.split(' ').nth(1).unwrap().parse::<u16>().unwrap();
            }
        }
    };
    let idle: Vec<TcpStream> = (0..1000).map(|_| server.connect()).collect();
    assert!(idle.iter().all(|stream| ask(stream, "/healthz", b"") == 200));
    // One of the busy ones writes; all of the others read.
    std::thread::scope(|scope| {
        for n in 0..200 {
            let (server, posted) = (&server, &posted);
            scope.spawn(move || {
                let stream = server.connect();
                for body in &posted[..20] {
                    let status = match n {
                        0 => ask(&stream, "/entries", body),
                        _ => ask(&stream, "/checkpoint", b""),
                    };
                    assert!([200, 201].contains(&status), "{status}");
                }
            });
        }
    });
    assert!(idle.iter().all(|stream| ask(stream, "/checkpoint", b"") == 200));
    drop((idle, server));
    done(&log, "log fsck");
}

// Each sender posts its own journal; the server is stopped, or killed, in the midst of it.
fn stopped_by(signal: &str) {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 200);
    let log = story.at("log");
    let server = serve(&log, "--rate 100000");
    let address = server.address().to_string();
    let answered = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut answered = 0;
            for body in &posted {
                let Ok(mut stream) = TcpStream::connect(&address) else { break };
                let head = format!(
                    "POST /entries HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Type: application/cose\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
                    break;
                }
                if reply(stream).status != 201 {
                    break;
                }
                answered += 1;
            }
            answered
        });
        while size(&log) < 11 {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.signal(signal);
        sender.join().unwrap()
    });
    let (code, rest) = server.ended();
    match signal {
        "TERM" => assert!(code == 0 && rest.contains("stopped"), "{code} {rest}"),
        _ => assert_eq!(code, -1),
    }
    // The tenth may be in the log, and its answer not out.
    assert!((9..posted.len()).contains(&answered), "{answered}");
    done(&log, "log fsck");
    // The first entry is the log's own.
    let there = size(&log) - 1;
    assert!((answered..=answered + 1).contains(&there), "{answered} answered, {there} there");
    // It goes on where it was.
    let server = serve(&log, "--rate 100000");
    for body in &posted {
        assert_eq!(server.post(body).status, 201);
    }
    assert_eq!(size(&log), 202);
}

#[test]
fn a_server_that_is_asked_to_stop_answers_what_it_took() {
    stopped_by("TERM");
}

#[test]
fn what_a_killed_server_answered_is_in_the_log() {
    stopped_by("KILL");
}

#[test]
#[cfg_attr(not(have_scitt_cose), ignore = "scitt-cose and cbor2 are not installed")]
fn scitt_cose_verifies_the_receipts_of_the_server_by_the_key_that_it_serves() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 3);
    let log = story.at("log");
    let server = serve(&log, "");
    let replies: Vec<Reply> = posted.iter().map(|body| server.post(body)).collect();
    // The key as the server gives it: the only one of its set.
    let set = server.get("/.well-known/scitt-keys").body;
    std::fs::write(log.join("keys"), &set).unwrap();
    let script = "import sys, cbor2\n[key] = cbor2.loads(open('keys', 'rb').read())\nassert key[1] == 1 and key[-1] == 6 and key[3] == -8 and len(key[2]) == 32\nprint(key[-2].hex(), key[2].hex())\n";
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let python = |arguments: &[&str]| {
        ran(&Command::new(&python).args(arguments).current_dir(&log).output().unwrap())
    };
    let keys = python(&["-c", script]);
    assert_eq!(keys.code, 0, "{}", keys.err);
    let (key, kid) = keys.out.trim().split_once(' ').unwrap();
    assert_eq!(kid, log_key(&log).thumbprint().to_hex());
    use base64::Engine;
    let named =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(log_key(&log).thumbprint().0);
    let one = server.get(&format!("/.well-known/scitt-keys/{named}"));
    assert_eq!([&[0x81], &one.body[..]].concat(), set);
    assert_eq!(server.get("/.well-known/scitt-keys/AAAA").status, 404);
    let verify = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/scitt_verify.py");
    let verify = verify.to_str().unwrap();
    for (n, body) in posted.iter().enumerate() {
        // At once, and later, under a larger head.
        let later = server.get(&format!("/entries/{}", n + 1));
        let statement = Registration::decode(body).unwrap().statement;
        std::fs::write(log.join("statement"), statement.bytes()).unwrap();
        for receipt in [&replies[n].body, &later.body] {
            std::fs::write(log.join("receipt"), receipt).unwrap();
            let arguments =
                [verify, "receipt", "receipt", "--statement", "statement", "--log-key", key];
            let ran = python(&arguments);
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        std::fs::write(log.join("statement"), [statement.bytes(), b"x"].concat()).unwrap();
        let arguments =
            [verify, "receipt", "receipt", "--statement", "statement", "--log-key", key];
        assert_ne!(python(&arguments).code, 0);
    }
}

#[test]
fn statements_of_one_journal_posted_at_once_all_get_in() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 60);
    let log = story.at("log");
    let server = serve(&log, "--rate 100000");
    std::thread::scope(|scope| {
        for body in &posted {
            let server = &server;
            scope.spawn(move || {
                // One that came before the one that it follows is told to come again.
                for _ in 0..500 {
                    match server.post(body).status {
                        201 => return,
                        409 => std::thread::sleep(Duration::from_millis(5)),
                        other => panic!("{other}"),
                    }
                }
                panic!("never taken");
            });
        }
    });
    assert_eq!(size(&log), 62);
    let keys = server.get("/.well-known/scitt-keys");
    assert_eq!(keys.header("content-type"), Some("application/cbor"));
    let policy = std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap();
    let line = policy.lines().find_map(|line| line.strip_prefix("log ")).unwrap();
    assert!(VerifierKey::decode(line).is_ok());
    let x = log_key(&log);
    assert!(keys.body.windows(32).any(|part| part == x.as_bytes()));
    drop(server);
    done(&log, "log fsck");
}

/// What is wrong with the log's own store is no fault of whoever posts.
#[test]
fn a_damaged_genesis_in_the_log_is_the_servers_trouble() {
    let stage = tempfile::tempdir().unwrap();
    let (story, posted) = begun(stage.path(), 2);
    let log = story.at("log");
    let server = serve(&log, "");
    assert_eq!(server.post(&posted[0]).status, 201);
    drop(server);
    // The last bytes of the newest bundle are the genesis's signature.
    let path = log.join("coldlog-log/public/tile/entries/000.p/2");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let server = serve(&log, "");
    let reply = server.post(&posted[1]);
    assert_eq!(reply.status, 500, "{}", reply.problem());
    assert!(log_of(&log).contains("does not hold"), "{}", log_of(&log));
    assert_eq!(size(&log), 2);
}
