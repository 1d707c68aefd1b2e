//! `cargo bench -p coldlog-tests`: each figure is a ratio to a baseline of the same run, for times
//! of one machine say little about another. Bounds are the project's promises; none is a test.
//!
//! `COLDLOG_PERFORMANCE=../docs/performance.md` writes the table there. `COLDLOG_RECORDS=10000000` appends
//! so many records as well, for the memory and the cost of each (about 1.2 KB of disk a record, three times).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::files::Existing;
use coldlog_kit::sequence::Writer;
use coldlog_spec::batch::{Header, SignedTail, Tail, encode_record, encode_trailer};
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::document::{DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::{SecretKey, Signed, Verifier};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::{leaf_hash, root_from_inclusion};
use coldlog_spec::mldsa;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::Proof;
use coldlog_spec::receipt::{Inclusion, ReceiptSigner};
use coldlog_spec::record::{Disclosure, Document, Operation, Record, Scheme, Signature};
use coldlog_spec::statement::{KeyEvent, KnownHead, Payload, Position, Statement};
use coldlog_spec::verify::document::check;
use coldlog_tests::story::Story;
use coldlog_tests::{measured, programs, run};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[times / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A line of the table.
struct Figure {
    what: String,
    measured: String,
    promised: String,
}

static TABLE: Mutex<Vec<Figure>> = Mutex::new(Vec::new());

fn figure(what: impl Into<String>, measured: impl Into<String>, promised: impl Into<String>) {
    let figure = Figure { what: what.into(), measured: measured.into(), promised: promised.into() };
    println!("{}: {} ({})", figure.what, figure.measured, figure.promised);
    TABLE.lock().unwrap().push(figure);
}

fn main() {
    programs().unwrap();
    let parts: [(&str, fn()); 5] = [
        ("proof", one_proof),
        ("check", whole_check),
        ("sign", signing),
        ("append", appending),
        ("serve", serving),
    ];
    // `cargo bench -p coldlog-tests -- append` measures that part only.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            part();
        }
    }
    if let Some(path) = std::env::var_os("COLDLOG_PERFORMANCE") {
        std::fs::write(path, page()).unwrap();
    }
}

fn page() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut page = format!(
        "# Performance

Made by `COLDLOG_PERFORMANCE=../docs/performance.md cargo bench -p coldlog-tests`; do not edit. Each ratio is to a
baseline of the same run: times of one machine say little about another, and on a shared one not even about itself.

Machine: {}, {cores} cores, {} of memory, Linux {}.

| what | measured | promised |
|---|---|---|
",
        field(&processor, "model name"),
        field(&memory, "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim()
    );
    for Figure { what, measured, promised } in TABLE.lock().unwrap().iter() {
        page.push_str(&format!("| {what} | {measured} | {promised} |\n"));
    }
    page
}

const LOG: &str = "log.example/bench";

fn keys(name: &str, seed: u8) -> HeadKeys {
    let mldsa = mldsa::SecretKey::from_seed(&[seed; 32]);
    HeadKeys { name: name.into(), ed25519: SecretKey::from_seed(&[seed; 32]), mldsa }
}

fn cosigned(size: u64, root: Hash) -> SignedCheckpoint {
    let head = Checkpoint { origin: LOG.into(), size, root };
    let mut head = keys(LOG, 2).sign_head(&head, 50).unwrap();
    for seed in [10, 11] {
        let lines = keys(&format!("w{seed}"), seed).cosign(&head, 100).unwrap();
        head.note.signatures.extend(lines);
    }
    head
}

fn one_proof() {
    let mut text = String::new();
    let mut verifiers: Vec<VerifierKey> = Vec::new();
    for key in keys(LOG, 2).log_verifiers() {
        text += &format!("log {}\n", key.encode());
        verifiers.push(key);
    }
    for seed in [10, 11] {
        let [a, b] = keys(&format!("w{seed}"), seed).witness_verifiers();
        text += &format!("witness w{seed}a {}\nwitness w{seed}b {}\n", a.encode(), b.encode());
        text += &format!("group w{seed} any w{seed}a w{seed}b\n");
        verifiers.extend([a, b]);
    }
    text += "group two 2 w10 w11\nquorum two\n";
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let key = SecretKey::from_seed(&[1; 32]);
    let document = DocumentHasher::digest(Scheme::Sshsig, b"document");
    let signature = SignatureFile::sign(&key, &document, "");
    let record = Record {
        time: 1,
        operator: "Ada".into(),
        purpose: "bench".into(),
        device: "bench".into(),
        operation: Operation::Sign {
            document: Document {
                name: "a".into(),
                version: "1".into(),
                media_type: "x".into(),
                size: document.size,
                sha256: document.sha256,
            },
            signature: Signature {
                scheme: Scheme::Sshsig,
                key: *key.public().as_bytes(),
                bytes: signature.encode(),
                verified: true,
            },
        },
    };
    let disclosure = Disclosure { salt: [3; 32], record };
    let claims = Claims { issuer: "signer.example".into(), subject: "journal".into() };
    let earlier = cosigned(5, Hash([5; 32]));
    let known = KnownHead {
        origin: LOG.into(),
        size: 5,
        root: Hash([5; 32]),
        note: Hash::of(&earlier.encode()),
    };
    let position = Position { sequence: 9, previous: Some(Hash([1; 32])), head: Some(known) };
    let payload = Payload::Commitment(disclosure.commitment());
    let statement = Statement::sign(&key, &claims, &position, payload);
    let path: Vec<Hash> = (0..20).map(|n| Hash([n; 32])).collect();
    let size = 1 << 20;
    let root = root_from_inclusion(statement.leaf(), 12345, size, &path).unwrap();
    let head = cosigned(size, root);
    let signer = ReceiptSigner::new(&keys(LOG, 2).ed25519, LOG, "journal", root);
    let receipt = signer.inclusion(Inclusion { size, index: 12345, path });
    let proof = Proof {
        statement,
        receipts: vec![receipt.with_checkpoint(&head.encode())],
        disclosure: disclosure.encode(),
        policy: policy.digest,
        earlier_head: Some(earlier.encode()),
    };
    let bytes = proof.encode();
    let whole = median(400, || {
        let proof = Proof::decode(black_box(&bytes)).unwrap();
        black_box(check(&document, &proof, &policy, None, None).unwrap());
    });
    // Bare: document, statement and receipt by Ed25519; two heads with three signers of two kinds.
    let public = key.public();
    let note = head.note.signatures.iter().zip(&verifiers);
    assert_eq!(note.count(), 6);
    let ed25519 = median(400, || assert!(signature.verify(&public, black_box(&document)).is_ok()));
    let refs: Vec<&VerifierKey> = verifiers.iter().collect();
    let pq: Vec<&VerifierKey> = refs.iter().copied().skip(1).step_by(2).collect();
    let lines = median(400, || assert_eq!(black_box(&head).verified_by(&pq).unwrap().len(), 3));
    let bare = ed25519 * 9 + lines * 2;
    figure(
        "one proof, in process, to its bare signatures (9 Ed25519, 6 ML-DSA-44)",
        format!(
            "{:.3} ({:.3} ms to {:.3} ms)",
            whole.as_secs_f64() / bare.as_secs_f64(),
            ms(whole),
            ms(bare)
        ),
        "at most 1.1",
    );
}

fn process(folder: &Path, program: &Path, arguments: &[&str]) {
    let status = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{}", program.display());
}

fn whole_check() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    std::fs::write(story.at("signer").join("big"), vec![7u8; 1 << 20]).unwrap();
    story.set_up().unwrap();
    story.round("one", &["big".into()], "1").unwrap();
    let folder = story.at("signer");
    let verifier = programs().unwrap().join("verifier");
    let nothing = median(200, || process(&folder, Path::new("/bin/true"), &[]));
    let start = median(200, || process(&folder, &verifier, &["--version"]));
    let all = median(200, || process(&folder, &verifier, &["check", "big", "--policy", "policy"]));
    let read = median(50, || drop(black_box(std::fs::read(folder.join("big")).unwrap())));
    let document = std::fs::read(folder.join("big")).unwrap();
    let hash = median(50, || {
        black_box(DocumentHasher::digest(Scheme::Sshsig, &document));
    });
    let proof = std::fs::read(folder.join("big.proof")).unwrap();
    let policy = std::fs::read(folder.join("policy")).unwrap();
    let digest = DocumentHasher::digest(Scheme::Sshsig, &document);
    let verify = median(50, || {
        let policy = Policy::parse(&policy).unwrap();
        let proof = Proof::decode(&proof).unwrap();
        black_box(check(&digest, &proof, &policy, None, None).unwrap());
    });
    // Where this machine stands today: what the system's own tool takes for one of the two hashes.
    let sum = median(200, || process(&folder, Path::new("sha512sum"), &["big"]));
    let (whole, start) = (ms(all) - ms(nothing), ms(start) - ms(nothing));
    figure(
        "`verifier check` of 1 MiB, whole process, above `/bin/true`",
        format!(
            "{whole:.2} ms, {:.2} of `sha512sum`: start {start:.2}, read {:.2}, hash {:.2} beside verify {:.2}, print and first touches of memory {:.2}",
            whole / (ms(sum) - ms(nothing)),
            ms(read),
            ms(hash),
            ms(verify),
            whole - start - ms(read) - ms(hash).max(ms(verify))
        ),
        "at most 4 ms",
    );
}

fn signing() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer").join("many");
    std::fs::create_dir(&folder).unwrap();
    let count = 10_000u32;
    for n in 0..count {
        std::fs::write(folder.join(format!("{n}.txt")), n.to_be_bytes()).unwrap();
    }
    let start = Instant::now();
    story
        .run("signer", "signer sign many --recursive --operator Ada --passphrase-file passphrase")
        .unwrap();
    let whole = start.elapsed();
    let key = SecretKey::from_seed(&[1; 32]);
    let digest = DocumentHasher::digest(Scheme::Sshsig, b"x");
    let start = Instant::now();
    for _ in 0..count {
        black_box(SignatureFile::sign(&key, black_box(&digest), ""));
    }
    let bare = start.elapsed();
    figure(
        format!(
            "`signer sign` of {count} small files to bare signing (a commit for each 256 records; each signature file synced, renamed, its folder synced, and read back)"
        ),
        format!(
            "{:.4} ({:.0} a second)",
            bare.as_secs_f64() / whole.as_secs_f64(),
            f64::from(count) / whole.as_secs_f64()
        ),
        "none",
    );
}

// A batch of records that nobody sealed: the log looks at the age header only.
fn make_batch(folder: &Path, name: &str, count: u64, keep: bool) -> (Vec<Vec<u8>>, SecretKey) {
    let key = SecretKey::from_seed(&[1; 32]);
    let claims = Claims { issuer: format!("signer.example/{name}"), subject: "journal".into() };
    let mut sealed = b"age-encryption.org/v1\n".to_vec();
    sealed.resize(900, 7);
    let mut writer =
        Writer::create(&folder.join(format!("{name}.batch.cbor")), Existing::Keep).unwrap();
    writer.item(&Header { claims: claims.clone(), first: 0, remembered: 0 }.encode()).unwrap();
    let (mut previous, mut all) = (None, Vec::new());
    for sequence in 0..count {
        let position = Position { sequence, previous, head: None };
        let payload = match sequence {
            0 => Payload::KeyEvent(KeyEvent {
                key: *key.public().as_bytes(),
                recipients: vec!["age1bench".into()],
                commitment: Hash([1; 32]),
            }),
            _ => Payload::Commitment(leaf_hash(&sequence.to_be_bytes())),
        };
        let statement = Statement::sign(&key, &claims, &position, payload);
        writer.item(&encode_record(statement.bytes(), &sealed)).unwrap();
        previous = Some(statement.leaf());
        if sequence == 0 {
            std::fs::write(folder.join(format!("{name}.genesis.cbor")), statement.bytes()).unwrap();
            let line = format!("log allow {name}.genesis.cbor --fingerprint {}", statement.leaf());
            assert_eq!(run(folder, &line).unwrap().code, 0);
        }
        if keep {
            all.push(statement.bytes().to_vec());
        }
    }
    let tail = SignedTail::sign(&key, &claims, Tail { count, head: previous.unwrap() });
    writer.item(&encode_trailer(count, writer.digest(), &tail)).unwrap();
    writer.finish().unwrap();
    (all, key)
}

// Runs an append, with or without receipts, and returns its time and the largest memory it had, in KiB.
fn append(folder: &Path, name: &str, receipts: bool) -> (Duration, u64) {
    let mut line = format!("log append {name}.batch.cbor");
    if receipts {
        line.push_str(&format!(" -o {name}.receipts.cbor"));
    }
    measured(folder, &line).unwrap()
}

// A bare loop over signed messages on all cores, each core its share.
fn on_all_cores(signed: &[Signed], verify: impl Fn(&[Signed]) + Sync) -> Duration {
    let cores = std::thread::available_parallelism().unwrap().get();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for share in signed.chunks(signed.len().div_ceil(cores)) {
            scope.spawn(|| verify(share));
        }
    });
    start.elapsed()
}

fn appending() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("log");
    make_batch(&folder, "small", 10_000, false);
    let (all, key) = make_batch(&folder, "large", 100_000, true);
    make_batch(&folder, "answered", 100_000, false);
    let public = key.public();
    let decoded: Vec<Statement> =
        all.iter().map(|bytes| Statement::decode(bytes).unwrap()).collect();
    let messages: Vec<Vec<u8>> = decoded.iter().map(Statement::signed_bytes).collect();
    let signed: Vec<Signed> = messages
        .iter()
        .zip(&decoded)
        .map(|(message, statement)| (&message[..], &statement.sign1().signature[..]))
        .collect();
    // On a shared machine the baseline moves: it is measured around each append, and the median taken.
    let bare = || {
        on_all_cores(&signed, |share| {
            assert!(share.iter().all(|(message, signature)| public.verify(message, signature)));
        })
    };
    let mut strict = vec![bare()];
    // ext4 looks for inodes around those that were deleted in the last seconds: what the other benches
    // threw away must not count.
    std::thread::sleep(Duration::from_secs(8));
    let (_, small) = append(&folder, "small", false);
    let (whole, large) = append(&folder, "large", false);
    strict.push(bare());
    let (answered, _) = append(&folder, "answered", true);
    strict.push(bare());
    strict.sort();
    let strict = strict[1];
    let verifier = Verifier::new(&public, signed.len());
    let by_table = on_all_cores(&signed, |share| {
        assert!(verifier.verify_all(share).iter().all(|good| *good));
    });
    let count = all.len() as f64;
    let rate = |time: Duration| count / time.as_secs_f64();
    let ratio = |time: Duration| strict.as_secs_f64() / time.as_secs_f64();
    figure(
        "verification by tables to a loop of `verify_strict`, all cores",
        format!("{:.2} ({:.0} a second to {:.0})", ratio(by_table), rate(by_table), rate(strict)),
        "at least 2",
    );
    figure(
        format!("`log append` of {count} records to that loop, batch file to durable tiles"),
        format!("{:.2} ({:.0} a second)", ratio(whole), rate(whole)),
        "at least 0.95",
    );
    figure(
        "the same, receipts included",
        format!("{:.2} ({:.0} a second)", ratio(answered), rate(answered)),
        "at least 0.95",
    );
    figure(
        "most memory of that append to one of a tenth",
        format!("{:.2} ({large} KiB to {small} KiB)", large as f64 / small as f64),
        "at most 1.2",
    );
    // For a look at one command with a profiler.
    if std::env::var_os("COLDLOG_KEEP").is_some() {
        println!("{} is kept", stage.keep().display());
        return;
    }
    let read_back = read_back(&folder.join("coldlog-log/public"));
    figure(
        "reading all that it wrote back from the disk and hashing it, to the append (it is done beside it)",
        format!("{:.2} ({:.0} ms)", read_back.as_secs_f64() / whole.as_secs_f64(), ms(read_back)),
        "none",
    );
    let Some(most) = std::env::var("COLDLOG_RECORDS").ok().and_then(|text| text.parse().ok())
    else {
        return;
    };
    make_batch(&folder, "most", most, false);
    let (time, memory) = append(&folder, "most", false);
    figure(
        format!("most memory of an append of {most} records to one of {count}"),
        format!("{:.2} ({memory} KiB to {large} KiB)", memory as f64 / large as f64),
        "at most 1.2, under 128 MiB",
    );
    figure(
        format!("cost of each of these {most} records to each of {count}"),
        format!("{:.2}", time.as_secs_f64() / most as f64 * count / whole.as_secs_f64()),
        "flat",
    );
}

// Every second file of the three batches that the log holds by then: about what one of the large ones wrote.
fn read_back(public: &Path) -> Duration {
    let files = walkdir::WalkDir::new(public).into_iter().map(|entry| entry.unwrap());
    let files: Vec<_> = files.filter(|entry| entry.file_type().is_file()).collect();
    let start = Instant::now();
    for entry in files.iter().step_by(2) {
        black_box(coldlog_kit::files::hash_uncached(entry.path()).unwrap());
    }
    start.elapsed()
}

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

fn serving() {
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
