//! A witness: from a request's bytes to the answer that is durable.

use crate::table::figure;
use crate::table::ms;
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::checkpoint::HeadKeys;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle;
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::merkle::node_hash;
use coldlog_spec::note::Note;
use coldlog_spec::witnessing::Request;
use coldlog_spec::{ed25519, mldsa};
use coldlog_tests::conformance::http::{Connection, Prefix};
use coldlog_tests::conformance::keys::{Kind, Signer};
use coldlog_tests::conformance::logs::subject;
use coldlog_tests::run;
use coldlog_tests::server::serve_program;
use coldlog_witness::cosign::Witness;
use std::convert::Infallible;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

const NOW: u64 = 1_800_000_000;
const REQUESTS: usize = 400;
const LOGS: usize = 100;
const HEADS: usize = 24;
const CLIENTS: usize = 8;

// The rows of a tree's hashes, leaves first.
struct Tree(Vec<Vec<Hash>>);

impl Tree {
    fn of(leaves: u64) -> Tree {
        let mut rows: Vec<Vec<Hash>> =
            vec![(0..leaves).map(|n| leaf_hash(&n.to_be_bytes())).collect()];
        while rows.last().unwrap().len() > 1 {
            let row = rows.last().unwrap().chunks_exact(2);
            rows.push(row.map(|pair| node_hash(&pair[0], &pair[1])).collect());
        }
        Tree(rows)
    }

    // The body by which a log asks for the head of so many leaves.
    fn body(&self, key: &Signer, old: u64, size: u64) -> Vec<u8> {
        let mut read = |node: merkle::Node| {
            Ok::<Hash, Infallible>(self.0[usize::from(node.level)][node.index as usize])
        };
        let path = merkle::consistency_path(old, size, &mut read).unwrap();
        let root = merkle::root(size, &mut read).unwrap();
        let checkpoint = Checkpoint { origin: key.verifier.name.clone(), size, root };
        let text = checkpoint.text();
        let line = key.sign(&subject(&checkpoint, &text), NOW);
        let head = SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![line] } };
        Request { old, path, head }.body()
    }
}

fn settle(folder: &Path, logs: &[Signer]) {
    let done = |line: &str| assert_eq!(run(folder, line).unwrap().code, 0, "{line}");
    done("witness init --name w.example/witness --unencrypted");
    let lines = logs.iter().map(|key| format!("log {}\n", key.verifier.encode()));
    std::fs::write(folder.join("logs"), lines.collect::<String>()).unwrap();
    done("witness add-log logs");
}

// What no witness can leave out: the log's line, a line of each kind, and a file that is durable.
struct Bare {
    keys: HeadKeys,
    scratch: tempfile::TempDir,
}

impl Bare {
    fn new() -> Bare {
        let keys = HeadKeys {
            name: "w.example/witness".into(),
            ed25519: ed25519::SecretKey::from_seed(&[1; 32]),
            mldsa: mldsa::SecretKey::from_seed(&[1; 32]),
        };
        Bare { keys, scratch: tempfile::tempdir().unwrap() }
    }

    // The times of: the signatures, the file.
    fn answer(
        &self,
        name: &str,
        head: &SignedCheckpoint,
        key: &ed25519::PublicKey,
    ) -> (Duration, Duration) {
        let start = Instant::now();
        assert!(key.verify(head.note.text.as_bytes(), &head.note.signatures[0].signature));
        let lines = self.keys.cosign(head, NOW).unwrap();
        let signed = start.elapsed();
        let mut bytes = head.encode();
        lines.iter().for_each(|line| bytes.extend(line.encode().bytes()));
        let start = Instant::now();
        let folder = self.scratch.path().join(name);
        let temporary = folder.join("new");
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        std::fs::rename(&temporary, folder.join("checkpoint")).unwrap();
        File::open(&folder).unwrap().sync_all().unwrap();
        (signed, start.elapsed())
    }

    fn folder(&self, name: &str) {
        std::fs::create_dir(self.scratch.path().join(name)).unwrap();
    }
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(time: Duration, bare: Duration) -> f64 {
    time.as_secs_f64() / bare.as_secs_f64()
}

pub(crate) fn cosigning() {
    one_at_a_time();
    a_hundred_logs();
}

fn one_at_a_time() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    let logs = [Signer::new("log.example/bench", Kind::Ed25519, &[2; 32])];
    let [key] = &logs;
    settle(folder, &logs);
    let home = folder.join("coldlog-witness");
    let keys = Keys::load(&home.join("key.age"), "witness", &Source::default()).unwrap();
    let witness = Witness::open(&home, &keys, 10).unwrap();
    let tree = Tree::of(1 << 17);
    let sizes: Vec<u64> = (0..REQUESTS as u64).map(|n| (1 << 16) + 150 * n + 1).collect();
    let mut old = 0;
    let bodies: Vec<Vec<u8>> = sizes
        .iter()
        .map(|size| {
            let body = tree.body(key, old, *size);
            old = *size;
            body
        })
        .collect();
    let bare = Bare::new();
    bare.folder("log");
    let single = File::create(bare.scratch.path().join("single")).unwrap();
    let (mut whole, mut signing, mut file, mut synced, mut written, mut parsed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Side by side, for a shared disk is another one a minute later.
    for (number, body) in bodies.iter().enumerate() {
        let start = Instant::now();
        let answer = witness.add_checkpoint(body, NOW, &folder.join("evidence")).unwrap();
        whole.push(start.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let start = Instant::now();
        let head = black_box(Request::from_body(body).unwrap()).head;
        parsed.push(start.elapsed());
        let (signatures, durable) = bare.answer("log", &head, key.verifier.ed25519().unwrap());
        signing.push(signatures);
        file.push(durable);
        let start = Instant::now();
        single.write_all_at(body, (number % 2) as u64).unwrap();
        single.sync_all().unwrap();
        synced.push(start.elapsed());
        let path = bare.scratch.path().join("log/checkpoint");
        let start = Instant::now();
        files::write(&path, body, files::Existing::Replace, files::Mode::Public).unwrap();
        written.push(start.elapsed());
    }
    let bares: Vec<Duration> = signing.iter().zip(&file).map(|(a, b)| *a + *b).collect();
    let (whole, bares, signing, file, synced, written, parsed) = (
        middle(whole),
        middle(bares),
        middle(signing),
        middle(file),
        middle(synced),
        middle(written),
        middle(parsed),
    );
    figure(
        format!(
            "`add-checkpoint` of a witness, request bytes to durable answer, one at a time, to its bare parts (the log's Ed25519 line, a cosignature of each kind, a file written, synced, renamed, its folder synced); medians of {REQUESTS} side by side"
        ),
        format!(
            "{:.2} ({:.3} ms to {:.3} ms: signatures {:.3}, file {:.3}; our own `files::write`, which reads back, {:.3}; parsing {:.3})",
            ratio(whole, bares),
            ms(whole),
            ms(bares),
            ms(signing),
            ms(file),
            ms(written),
            ms(parsed),
        ),
        "at most 1.5",
    );
    figure(
        "the same to these signatures and one bare `fsync`",
        format!(
            "{:.2} ({:.3} ms to {:.3} ms)",
            ratio(whole, signing + synced),
            ms(whole),
            ms(signing + synced)
        ),
        "none",
    );
}

fn a_hundred_logs() {
    let stage = tempfile::tempdir().unwrap();
    let logs: Vec<Signer> = (0..LOGS)
        .map(|n| Signer::new(&format!("log.example/{n}"), Kind::Ed25519, &[n as u8; 32]))
        .collect();
    settle(stage.path(), &logs);
    let tree = Tree::of(1 << 12);
    // A round is a head of each log; a client has its logs in turn.
    let bodies: Vec<Vec<Vec<u8>>> = (0..HEADS as u64)
        .map(|n| logs.iter().map(|key| tree.body(key, 160 * n, 160 * (n + 1))).collect())
        .collect();
    let by_clients = |client: &(dyn Fn(usize) + Sync)| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            (0..CLIENTS).for_each(|number| _ = scope.spawn(move || client(number)));
        });
        start.elapsed()
    };
    let bare = Bare::new();
    logs.iter().enumerate().for_each(|(number, _)| bare.folder(&number.to_string()));
    let heads: Vec<Vec<SignedCheckpoint>> = bodies
        .iter()
        .map(|bodies| bodies.iter().map(|body| Request::from_body(body).unwrap().head).collect())
        .collect();
    let publics: Vec<&ed25519::PublicKey> =
        logs.iter().map(|key| key.verifier.ed25519().unwrap()).collect();
    let bare_loop = || {
        by_clients(&|client| {
            for round in &heads {
                for log in (client..LOGS).step_by(CLIENTS) {
                    bare.answer(&log.to_string(), &round[log], publics[log]);
                }
            }
        })
    };
    let before = bare_loop();
    let line = "witness serve --listen 127.0.0.1:0 --stop-after 300 --rate 1000000";
    let server = serve_program(stage.path(), line, &[], &[]).unwrap();
    let prefix = Prefix::parse(&server.url).unwrap();
    let served = by_clients(&|client| {
        let mut connection = Connection::open(&prefix).unwrap();
        for round in &bodies {
            for log in (client..LOGS).step_by(CLIENTS) {
                let answer = connection.ask("POST", "add-checkpoint", Some(&round[log]));
                assert_eq!(answer.unwrap().status, 200);
            }
        }
    });
    let bare = (before + bare_loop()) / 2;
    let rate = |time: Duration| (LOGS * HEADS) as f64 / time.as_secs_f64();
    figure(
        format!(
            "`witness serve`: heads of {LOGS} logs cosigned a second for {CLIENTS} connections, to the bare parts in {CLIENTS} threads (before and after; the clients are on the same cores)"
        ),
        format!("{:.2} ({:.0} a second to {:.0})", ratio(bare, served), rate(served), rate(bare)),
        "none",
    );
}
