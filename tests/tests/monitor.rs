//! `verifier monitor`: rules over a real log, alerts over real channels, and a machine that dies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coldlog_tests::bastion::Authority;
use coldlog_tests::kills::strace;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, programs, ran, run, write_private};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A log of two rounds; the auditor has a copy of what it publishes after each, `monday` and `public`.
fn told(stage: &Path) -> Story {
    let mut story = Story::with_documents(stage, 6).unwrap();
    story.round("monday", &Story::names(0..3), "2.0").unwrap();
    publish(&story, "monday");
    // Another operator, an older version of a document, and one that was signed before.
    let line = "--operator Grace --version 1.0 --purpose x --passphrase-file passphrase --force";
    story.run("signer", &format!("signer sign d0.txt {line}")).unwrap();
    story.run("signer", "signer export -o tuesday.batch.cbor").unwrap();
    story.carry("signer", "tuesday.batch.cbor", "log").unwrap();
    story.run("log", "log append tuesday.batch.cbor").unwrap();
    story.cosign("tuesday").unwrap();
    publish(&story, "public");
    story
}

fn publish(story: &Story, name: &str) {
    copy(&story.at("log").join("coldlog-log/public"), &story.at("auditor").join(name)).unwrap();
}

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

/// The default rules without their channel, and other channels in its place.
fn rules(folder: &Path, name: &str, channels: &str) {
    let text = done(folder, "verifier monitor rules --default");
    let (before, rest) = text.split_once("[[channel]]").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    std::fs::write(folder.join(name), format!("{before}{channels}\n\n{after}")).unwrap();
}

const RUN: &str = "--policy policy --identity auditor.key --rounds 1";

fn lines(path: PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn words(lines: &[Value], field: &str) -> BTreeSet<String> {
    lines.iter().map(|line| line[field].as_str().unwrap().to_owned()).collect()
}

fn json(folder: &Path, line: &str, code: i32) -> Value {
    let Ran { out, err, code: found } = run(folder, line).unwrap();
    assert_eq!(found, code, "{line}: {out}{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn a_log_is_learnt_from_then_followed_and_what_was_told_is_acknowledged() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    rules(
        &auditor,
        "rules.toml",
        "[[channel]]\nname = \"file\"\nkind = \"json-lines\"\nfile = \"alerts\"\nfacts = true",
    );
    assert!(done(&auditor, "verifier monitor check rules.toml").starts_with("rules.toml: "));

    // History is learnt from, and not told of.
    let out = done(&auditor, &format!("verifier monitor run monday --rules rules.toml {RUN}"));
    assert_eq!(
        out,
        "log.example/releases: 5 entries, learnt from 5 that were there before; 0 new alerts\n"
    );
    assert!(!auditor.join("alerts").exists());
    // A round later.
    let out = done(&auditor, &format!("verifier monitor run public --rules rules.toml {RUN}"));
    assert!(out.starts_with("log.example/releases: 6 entries; "), "{out}");
    let told = lines(auditor.join("alerts"));
    let fired = words(&told, "rule");
    for expected in ["new-operator", "version-backwards", "same-document-twice"] {
        assert!(fired.contains(expected), "{expected} is not among {fired:?}");
    }
    for silent in ["new-machine", "new-key", "finding", "grave-finding", "missing-approval", "late"]
    {
        assert!(!fired.contains(silent), "{silent} is among {fired:?}");
    }
    let one = told.iter().find(|line| line["rule"] == "new-operator").unwrap();
    assert_eq!(
        one["text"],
        "Grace signed for signer.example/releases for the first time: d0.txt 1.0"
    );
    assert_eq!((&one["index"], &one["facts"]["operator"]), (&5.into(), &"Grace".into()));
    // Nothing new, nothing told.
    done(&auditor, &format!("verifier monitor run public --rules rules.toml {RUN}"));
    assert_eq!(lines(auditor.join("alerts")), told);

    // Somebody takes note.
    let id = one["id"].as_str().unwrap();
    let listed = json(&auditor, "verifier monitor alerts --json", 0);
    assert_eq!(listed["alerts"].as_array().unwrap().len(), told.len());
    let line =
        format!("verifier monitor ack {} --by Ada --note 'Grace began on Tuesday'", &id[..8]);
    assert!(
        done(&auditor, &line).starts_with("1 alerts taken note of by Ada; acknowledgement 1 is ")
    );
    let shown = done(&auditor, "verifier monitor alerts");
    assert!(shown.contains(" by Ada: Grace began on Tuesday\n"), "{shown}");
    let open = json(&auditor, "verifier monitor alerts --open --json", 0);
    assert_eq!(open["alerts"].as_array().unwrap().len(), told.len() - 1);
    assert_eq!(run(&auditor, "verifier monitor ack 00000000 --by Ada --note x").unwrap().code, 1);
    done(&auditor, &line.replace("Ada", "Eve"));
    // Who alters what was said is found out.
    let database = auditor.join("coldlog-monitor/monitor.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.windows(9).position(|nine| nine == b"on Tuesda").unwrap();
    bytes[at..at + 9].copy_from_slice(b"on Monday");
    std::fs::write(&database, bytes).unwrap();
    let ran = run(&auditor, "verifier monitor alerts").unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("does not follow the one before it"), "{}", ran.err);
}

#[test]
fn history_is_replayed_and_nothing_is_sent() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    rules(
        &auditor,
        "rules.toml",
        "[[channel]]\nname = \"file\"\nkind = \"json-lines\"\nfile = \"alerts\"",
    );
    let line = "verifier monitor test rules.toml --over public --policy policy";
    let told = json(&auditor, &format!("{line} --identity auditor.key --json"), 0);
    assert_eq!((&told["entries"], &told["closed"]), (&6.into(), &0.into()), "{told}");
    let count = |rule: &str| told["by_rule"][rule].as_u64().unwrap();
    assert_eq!(count("new-operator"), 2);
    assert_eq!(
        (count("version-backwards"), count("same-document-twice"), count("new-machine")),
        (1, 1, 1)
    );
    assert_eq!(
        (count("log-rules-changed"), count("key-event"), count("impossible-time")),
        (1, 1, 0)
    );
    let text = done(&auditor, &format!("{line} --identity auditor.key"));
    assert!(
        text.contains("6 entries and 0 reads: ") && text.contains("these rules were silent: "),
        "{text}"
    );
    // Without an identity nobody knows who signed; that is told, too.
    let told = json(&auditor, &format!("{line} --json"), 0);
    assert_eq!(
        (&told["by_rule"]["not-opened"], &told["by_rule"]["new-operator"]),
        (&4.into(), &0.into())
    );
    assert!(!auditor.join("alerts").exists() && !auditor.join("coldlog-monitor").exists());
}

#[test]
fn another_history_and_a_log_that_cannot_be_read_are_told() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, twin) = Story::forked(stage.path()).unwrap();
    story.cosign("tuesday").unwrap();
    publish(&story, "public");
    let auditor = story.at("auditor");
    rules(
        &auditor,
        "rules.toml",
        "[[channel]]\nname = \"file\"\nkind = \"json-lines\"\nfile = \"alerts\"",
    );
    let line = |place: &str| format!("verifier monitor run {place} --rules rules.toml {RUN}");
    done(&auditor, &line("public"));
    copy(&twin.join("coldlog-log/public"), &auditor.join("other")).unwrap();
    for _ in 0..2 {
        // The other side is larger, by other entries; each round finds it, one alert tells it.
        done(&auditor, &line("other"));
        let told = lines(auditor.join("alerts"));
        let grave: Vec<&Value> =
            told.iter().filter(|line| line["rule"] == "grave-finding").collect();
        assert_eq!(grave.len(), 1, "{told:?}");
        assert!(
            grave[0]["text"].as_str().unwrap().starts_with("history: two histories: the first ")
        );
    }
    let ran = run(&auditor, &line("nowhere")).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("the log cannot be read"), "{}", ran.err);
    // What was seen is not forgotten over it.
    done(&auditor, &line("public"));
}

#[test]
fn a_machine_that_is_killed_at_any_write_misses_no_alert() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    rules(
        &auditor,
        "rules.toml",
        "[[channel]]\nname = \"file\"\nkind = \"json-lines\"\nfile = \"alerts\"",
    );
    done(&auditor, &format!("verifier monitor run monday --rules rules.toml {RUN}"));
    let next = format!("verifier monitor run public --rules rules.toml {RUN}");
    let base = stage.path().join("base");
    copy(&auditor, &base).unwrap();
    done(&auditor, &next);
    let expected = words(&lines(auditor.join("alerts")), "id");
    assert!(expected.len() >= 3);

    let (mut kills, mut twice) = (0, 0);
    for call in ["pwrite64", "write", "fdatasync", "fsync", "unlink", "ftruncate", "openat"] {
        // Of the many files that are opened, some.
        for n in (1..).step_by(if call == "openat" { 7 } else { 1 }) {
            let folder = stage.path().join("copy");
            copy(&base, &folder).unwrap();
            let ran = strace(&folder, call, &format!("signal=SIGKILL:when={n}"), &next);
            let end = ran.code == 0;
            kills += usize::from(!end);
            done(&folder, &next);
            let told = lines(folder.join("alerts"));
            assert_eq!(words(&told, "id"), expected, "{call} {n}");
            twice += usize::from(told.len() > expected.len());
            let left = json(&folder, "verifier monitor alerts --json", 0);
            let listed = words(left["alerts"].as_array().unwrap(), "id");
            assert!(
                listed == expected && (left["messages_waiting"] == 0 || !end),
                "{call} {n}: {left}"
            );
            std::fs::remove_dir_all(&folder).unwrap();
            if end {
                break;
            }
        }
    }
    assert!(kills > 20, "only {kills} kills: the faults were not injected");
    // Between a delivery and its mark nothing can be saved: it is told again, and that is seen here.
    assert!(twice > 0);
}

/// A server that gets so many posts, and answers each with a status of its own.
fn hook(statuses: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut posts = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0);
            }
            let length = header(&head, "content-length").unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            posts.push((head, String::from_utf8(body).unwrap()));
        }
        posts
    });
    (url, server)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[test]
fn a_webhook_that_fails_first_gets_the_same_message_again_signed() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    let (url, server) = hook(&[503, 204]);
    let secret = STANDARD.encode([7; 32]);
    write_private(&auditor.join("secret"), &format!("whsec_{secret}\n")).unwrap();
    let channel = format!(
        "[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"secret\"\nat_least = \"high\""
    );
    rules(&auditor, "rules.toml", &channel);
    // One alert and no more: who signs is new.
    let text = std::fs::read_to_string(auditor.join("rules.toml")).unwrap();
    std::fs::write(
        auditor.join("rules.toml"),
        text.replace(
            "\"version-backwards\"\nseverity = \"high\"",
            "\"version-backwards\"\nseverity = \"note\"",
        ),
    )
    .unwrap();
    done(&auditor, &format!("verifier monitor run monday --rules rules.toml {RUN}"));
    let ran =
        run(&auditor, &format!("verifier monitor run public --rules rules.toml {RUN}")).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("answers with the status 503") && ran.err.contains("1 messages wait"),
        "{}",
        ran.err
    );
    assert!(
        done(&auditor, "verifier monitor alerts")
            .contains("1 messages wait to be delivered: hook: ")
    );
    // Not before it is due.
    std::thread::sleep(std::time::Duration::from_secs(6));
    done(&auditor, &format!("verifier monitor run public --rules rules.toml {RUN}"));
    let posts = server.join().unwrap();
    assert_eq!(json(&auditor, "verifier monitor alerts --json", 0)["messages_waiting"], 0);
    let ids: BTreeSet<&str> =
        posts.iter().map(|(head, _)| header(head, "webhook-id").unwrap()).collect();
    assert_eq!((posts.len(), ids.len()), (2, 1));
    assert_eq!(posts[0].1, posts[1].1);
    for (head, body) in &posts {
        let (id, time) =
            (header(head, "webhook-id").unwrap(), header(head, "webhook-timestamp").unwrap());
        let signature = header(head, "webhook-signature").unwrap();
        assert_eq!(signature, format!("v1,{}", openssl_hmac(&format!("{id}.{time}.{body}"))));
        let body: Value = serde_json::from_str(body).unwrap();
        let alerts = body["data"]["alerts"].as_array().unwrap();
        assert_eq!((alerts.len(), &alerts[0]["rule"]), (1, &"new-operator".into()), "{body}");
        // What a record holds beyond the text goes only where it was asked to.
        assert!(alerts[0].get("facts").is_none());
    }
}

// HMAC-SHA-256 under 32 bytes of 7, by somebody else.
fn openssl_hmac(text: &str) -> String {
    let key = format!("hexkey:{}", "07".repeat(32));
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    STANDARD.encode(child.wait_with_output().unwrap().stdout)
}

/// aiosmtpd, which wants a login and prints each mail as a line of JSON.
struct MailServer {
    child: Child,
    out: BufReader<ChildStdout>,
    port: String,
}

impl MailServer {
    fn start(folder: &Path, arguments: &[&str]) -> MailServer {
        let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/mail_server.py");
        let mut command = Command::new(python);
        command.arg(script).args(arguments).current_dir(folder).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        out.read_line(&mut port).unwrap();
        MailServer { child, out, port: port.trim().into() }
    }

    fn mail(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    /// The channel to it.
    fn channel(&self, tls: &str) -> String {
        let port = &self.port;
        format!(
            "[[channel]]\nname = \"mail\"\nkind = \"smtp\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"{tls}\"\nfrom = \"Coldlog <coldlog@monitor.example>\"\nmail_to = [\"ada@ops.example\", \"grace@ops.example\"]\nuser = \"coldlog\"\npassword_file = \"password\"\nat_least = \"high\""
        )
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
#[cfg_attr(not(have_aiosmtpd), ignore = "aiosmtpd is missing")]
fn mail_goes_by_tls_to_a_server_that_an_authority_vouches_for_and_to_no_other() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    write_private(&auditor.join("password"), "an example, not a secret\n").unwrap();
    let authority = Authority::new();
    authority.write(&auditor.join("authority.pem"));
    Authority::new().write(&auditor.join("other.pem"));
    let (certificate, key) = authority.issue();
    std::fs::write(auditor.join("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(auditor.join("key.pem"), key.serialize_pem()).unwrap();
    let monitor = |line: &str, trusted: &str| {
        let mut command = Command::new(programs().unwrap().join("verifier"));
        command.args(line.split_whitespace()).current_dir(&auditor).env_remove("SSL_CERT_DIR");
        ran(&command.env("SSL_CERT_FILE", auditor.join(trusted)).output().unwrap())
    };
    for tls in ["starttls", "implicit"] {
        let mut server = MailServer::start(&auditor, &[tls, "certificate.pem", "key.pem"]);
        rules(&auditor, "rules.toml", &server.channel(tls));
        let run = |place: &str, trusted: &str| {
            let line =
                format!("monitor run {place} --rules rules.toml --state {tls} {RUN} --history");
            let told = monitor(&line, trusted);
            assert_eq!(told.code, 0, "{tls}: {}", told.err);
            told.err
        };
        // Nothing is sent, the password least of all, to whoever cannot show who it is.
        let told = run("public", "other.pem");
        assert!(told.contains("a message to mail waits: the mail server 127.0.0.1:"), "{told}");
        // The same message goes as soon as it can.
        let told = run("public", "authority.pem");
        assert!(!told.contains("waits"), "{tls}: {told}");
        let mail = server.mail();
        assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &"coldlog".into()), "{mail}");
    }
}

#[test]
#[cfg_attr(not(have_aiosmtpd), ignore = "aiosmtpd is missing")]
fn a_mail_server_gets_alerts_as_mail() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    let mut server = MailServer::start(&auditor, &[]);
    write_private(&auditor.join("password"), "an example, not a secret\n").unwrap();
    rules(&auditor, "rules.toml", &server.channel("none"));
    done(&auditor, "verifier monitor check rules.toml");
    done(&auditor, &format!("verifier monitor run monday --rules rules.toml {RUN}"));
    done(&auditor, &format!("verifier monitor run public --rules rules.toml {RUN}"));
    let mails = [server.mail(), server.mail()];
    let subjects = words(&mails, "subject");
    let expected =
        "[coldlog] high: Grace signed for signer.example/releases for the first time: d0.txt 1.0";
    assert!(subjects.contains(expected), "{subjects:?}");
    for mail in &mails {
        assert_eq!(mail["to"], serde_json::json!(["ada@ops.example", "grace@ops.example"]));
        assert_eq!(
            (&mail["from"], &mail["login"]),
            (&"coldlog@monitor.example".into(), &"coldlog".into())
        );
        assert!(mail["id"].as_str().unwrap().ends_with("@monitor.example>"), "{mail}");
        assert!(mail["body"].as_str().unwrap().contains("verifier monitor ack"), "{mail}");
    }
    // One that is gone, or refuses the password, is tried again later.
    server.end();
    let line =
        format!("verifier monitor run public --rules rules.toml {RUN} --history --state other");
    let ran = run(&auditor, &line).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("a message to mail waits: the mail server 127.0.0.1:"), "{}", ran.err);
}

#[test]
fn a_command_gets_the_message_and_one_that_fails_gets_it_again() {
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    let channel = "[[channel]]\nname = \"page\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"test -e ready && cat >> paged\"]\nat_least = \"high\"\n[[channel]]\nname = \"deaf\"\nkind = \"command\"\ncommand = [\"true\"]";
    rules(&auditor, "rules.toml", channel);
    let line = format!("verifier monitor run public --rules rules.toml {RUN} --history");
    let ran = run(&auditor, &line).unwrap();
    assert!(ran.code == 0 && ran.err.contains("sh ended with exit status: 1"), "{}", ran.err);
    std::fs::write(auditor.join("ready"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(6));
    done(&auditor, &line);
    let rules: BTreeSet<String> = lines(auditor.join("paged"))
        .iter()
        .flat_map(|line| words(line["data"]["alerts"].as_array().unwrap(), "rule"))
        .collect();
    let left = json(&auditor, "verifier monitor alerts --json", 0);
    let high: Vec<Value> = left["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|alert| ["high", "critical"].contains(&alert["severity"].as_str().unwrap()))
        .cloned()
        .collect();
    assert!(rules == words(&high, "rule") && rules.contains("new-machine"), "{rules:?}");
    assert_eq!(left["messages_waiting"], 0);
    // Alerts of one rule and one subject are one message, and what one channel does not get another one has.
    assert!(lines(auditor.join("paged")).len() <= high.len());
}

#[test]
fn reads_of_sealed_records_are_followed_in_the_access_journal() {
    use coldlog_spec::access::{Access, encode_header};
    use coldlog_spec::hash::Hash;
    let stage = tempfile::tempdir().unwrap();
    let story = told(stage.path());
    let auditor = story.at("auditor");
    rules(
        &auditor,
        "rules.toml",
        "[[channel]]\nname = \"file\"\nkind = \"json-lines\"\nfile = \"alerts\"",
    );
    let mut journal = encode_header("log.example/releases");
    let mut previous = Hash::of(&journal);
    let read = |reader: &str, previous: &mut Hash| {
        let access = Access {
            previous: *previous,
            time: 1_800_000_000,
            reader: reader.into(),
            address: "192.0.2.7".into(),
            first: 0,
            count: 6,
        };
        *previous = Hash::of(&access.encode());
        access.encode()
    };
    journal.extend(read("auditor", &mut previous));
    std::fs::write(auditor.join("accesses"), &journal).unwrap();
    let line = format!("verifier monitor run public --rules rules.toml {RUN} --accesses accesses");
    done(&auditor, &line);
    assert!(lines(auditor.join("alerts")).is_empty());
    journal.extend(read("auditor", &mut previous));
    journal.extend(read("eve", &mut previous));
    std::fs::write(auditor.join("accesses"), &journal).unwrap();
    done(&auditor, &line);
    let told = lines(auditor.join("alerts"));
    assert_eq!(
        (told.len(), &told[0]["text"]),
        (1, &"eve read sealed records from 192.0.2.7 for the first time".into())
    );
    // A journal that was cut is not the one that was there.
    std::fs::write(auditor.join("accesses"), encode_header("log.example/releases")).unwrap();
    done(&auditor, &line);
    let told = lines(auditor.join("alerts"));
    assert!(told.len() == 2 && told[1]["rule"] == "grave-finding", "{told:?}");
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md")
}

#[test]
fn every_command_of_the_rules_page_does_what_it_says() {
    let stage = tempfile::tempdir().unwrap();
    let commands = coldlog_tests::console::play(&page(), stage.path());
    let commands = commands.unwrap_or_else(|why| panic!("{why:#}"));
    assert!(commands > 15, "the page has {commands} commands in console blocks");
}

#[test]
fn the_page_shows_all_names_that_conditions_see_and_all_default_rules() {
    use coldlog_verifier::monitor::{DEFAULT_RULES, NAMES, Rules};
    let mut table = String::from("| name | type | events | what |\n|---|---|---|---|\n");
    for name in NAMES {
        let on: Vec<&str> = name.on.iter().map(|on| on.word()).collect();
        let on = if on.len() == 6 { "all".into() } else { on.join(", ") };
        table.push_str(&format!("| `{}` | {} | {on} | {} |\n", name.name, name.kind, name.what));
    }
    let text = std::fs::read_to_string(page()).unwrap();
    let (before, rest) = text.split_once("<!-- names -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var_os("COLDLOG_BLESS").is_some() {
        let text = format!("{before}<!-- names -->\n{table}<!-- end -->{after}");
        std::fs::write(page(), text).unwrap();
    } else {
        assert_eq!(found, table, "run this test with COLDLOG_BLESS=1");
    }
    let rules = Rules::parse(DEFAULT_RULES, Path::new(".")).unwrap_or_else(|why| panic!("{why}"));
    let (_, set) = text.split_once("## The default set").unwrap();
    for rule in &rules.rules {
        assert!(set.contains(&format!("`{}`", rule.name)), "{} is not explained", rule.name);
    }
}
