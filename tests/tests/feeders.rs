//! Many feeders at once ask one witness about several logs that lie: whatever they ask, in whatever order,
//! and wherever the witness is killed meanwhile, the heads that it cosigned for a log are heads of one
//! history, and none that it answered is forgotten. `COLDLOG_SEED` repeats the choices of a run; how the
//! threads meet is up to the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::note::{Note, SignatureLine, VerifierKey};
use coldlog_spec::witnessing::Request;
use coldlog_spec::{ed25519, mldsa};
use coldlog_tests::conformance::http::{Connection, Prefix};
use coldlog_tests::conformance::keys::{Kind, Signer, random};
use coldlog_tests::conformance::logs::{now, subject};
use coldlog_tests::conformance::tree::Tree;
use coldlog_tests::server::{Server, log_of, serve_program};
use coldlog_tests::{run, words};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const FEEDERS: usize = 64;
const LOGS: usize = 4;
const WITNESS: &str = "w.example/witness";
const SERVE: &str =
    "witness serve --listen 127.0.0.1:0 --stop-after 120 --rate 1000000 --heartbeat 0";

// --- Chance ---------------------------------------------------------------------------------------

/// SplitMix64: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn seed() -> u64 {
    let given = std::env::var("COLDLOG_SEED").ok();
    let seed = given.map(|text| text.parse().expect("COLDLOG_SEED is a number"));
    let seed = seed.unwrap_or_else(|| u64::from_be_bytes(random().unwrap()));
    println!("COLDLOG_SEED={seed}");
    seed
}

// --- Logs that lie --------------------------------------------------------------------------------

/// What a log says that its leaves are: of each the variant, by which histories differ.
type History = Arc<Vec<u32>>;

struct Log {
    origin: String,
    key: Signer,
}

impl Log {
    fn new(number: usize) -> Log {
        let origin = format!("log.example/feeders-{number}");
        Log { key: Signer::new(&origin, Kind::Ed25519, &[number as u8 + 1; 32]), origin }
    }

    fn tree(&self, history: &[u32]) -> Tree {
        let leaf = |(index, variant)| leaf_hash(format!("{index} {variant}").as_bytes());
        Tree(history.iter().enumerate().map(leaf).collect())
    }

    /// The head of a history, signed.
    fn head(&self, history: &[u32]) -> SignedCheckpoint {
        let root = self.tree(history).root();
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: history.len() as u64, root };
        let text = checkpoint.text();
        let line = self.key.sign(&subject(&checkpoint, &text), now());
        SignedCheckpoint { checkpoint, note: Note { text, signatures: vec![line] } }
    }

    fn request(&self, old: usize, history: &[u32]) -> Request {
        let path = self.tree(history).consistency(old as u64);
        Request { old: old as u64, path, head: self.head(history) }
    }

    fn monitored(&self) -> String {
        format!("{}/checkpoint", Hash::of(self.origin.as_bytes()).to_hex())
    }
}

// --- What was seen --------------------------------------------------------------------------------

/// A head that carries the witness's cosignatures, wherever it was seen.
#[derive(Clone)]
struct Seen {
    log: usize,
    size: u64,
    root: Hash,
    source: &'static str,
}

#[derive(Default)]
struct Record {
    /// The histories whose heads were ever shown to the witness, by root.
    shown: Mutex<HashMap<(usize, Hash), History>>,
    seen: Mutex<Vec<Seen>>,
    statuses: Mutex<BTreeMap<u16, usize>>,
    /// Of each log: the newest history that was answered with 200.
    newest: [Mutex<History>; LOGS],
    /// What no answer may be.
    wrong: Mutex<Vec<String>>,
}

impl Record {
    fn count(&self, status: u16) {
        *self.statuses.lock().unwrap().entry(status).or_default() += 1;
    }

    fn wrong(&self, why: String) {
        self.wrong.lock().unwrap().push(why);
    }

    fn newest(&self, log: usize) -> History {
        self.newest[log].lock().unwrap().clone()
    }

    fn answered(&self, log: usize, history: &History) {
        let mut newest = self.newest[log].lock().unwrap();
        if history.len() > newest.len() {
            *newest = history.clone();
        }
    }

    fn saw(&self, log: usize, head: &Checkpoint, source: &'static str) {
        let seen = Seen { log, size: head.size, root: head.root, source };
        self.seen.lock().unwrap().push(seen);
    }

    fn history_of(&self, log: usize, root: Hash) -> Option<History> {
        self.shown.lock().unwrap().get(&(log, root)).cloned()
    }

    fn of(&self, status: u16) -> usize {
        self.statuses.lock().unwrap().get(&status).copied().unwrap_or(0)
    }
}

/// The proof that all heads of a log are heads of one history: each history that was cosigned begins with
/// the one before it, and has the root that was cosigned.
fn check(logs: &[Log], record: &Record) -> Result<usize, String> {
    if let Some(wrong) = record.wrong.lock().unwrap().first() {
        return Err(wrong.clone());
    }
    let mut heads = 0;
    for (number, log) in logs.iter().enumerate() {
        let mut seen: Vec<Seen> = record.seen.lock().unwrap().clone();
        seen.retain(|seen| seen.log == number);
        seen.sort_by_key(|seen| seen.size);
        let mut before: Option<(Seen, History)> = None;
        for seen in seen {
            if let Some((last, _)) = &before
                && (last.size, last.root) == (seen.size, seen.root)
            {
                continue;
            }
            let told =
                format!("{}: {} of size {} ({})", log.origin, seen.root, seen.size, seen.source);
            let Some(history) = record.history_of(number, seen.root) else {
                return Err(format!("{told}: a head that nobody has shown to the witness"));
            };
            let root = log.tree(&history).root();
            if root != seen.root || history.len() as u64 != seen.size {
                return Err(format!("{told}: another tree than was shown"));
            }
            if let Some((last, known)) = &before
                && history.get(..known.len()) != Some(known.as_slice())
            {
                return Err(format!("{told} does not extend {} of size {}", last.root, last.size));
            }
            heads += 1;
            before = Some((seen, history));
        }
    }
    Ok(heads)
}

// --- Feeders --------------------------------------------------------------------------------------

struct Stage<'a> {
    logs: &'a [Log],
    own: &'a [VerifierKey],
    prefix: Prefix,
    record: &'a Record,
    /// How many requests of each feeder, at most, and until when.
    requests: usize,
    until: Instant,
    /// Whether the witness may die meanwhile.
    mortal: bool,
}

impl Stage<'_> {
    fn feed(&self, seed: u64) {
        let mut chance = Chance(seed);
        let mut sent: Vec<(usize, History, Vec<u8>)> = Vec::new();
        let Ok(mut connection) = Connection::open(&self.prefix) else {
            return self.lost("no connection");
        };
        for _ in 0..self.requests {
            if Instant::now() > self.until {
                return;
            }
            let log = chance.below(LOGS);
            if chance.below(8) == 0 {
                if self.monitor(&mut connection, log).is_none() {
                    return self.lost("the monitoring endpoint");
                }
                continue;
            }
            let (history, body) = self.choose(&mut chance, log, &sent);
            let Some(status) = self.ask(&mut connection, log, &history, &body) else {
                return self.lost("an answer");
            };
            // A stale one looks up where the witness is, as a log would.
            if status == 409 && self.monitor(&mut connection, log).is_none() {
                return self.lost("the monitoring endpoint");
            }
            sent.push((log, history, body));
        }
    }

    fn lost(&self, what: &str) {
        if !self.mortal {
            self.record.wrong(format!("{what} did not come"));
        }
    }

    // The next request: the history of its head, and its body.
    fn choose(
        &self,
        chance: &mut Chance,
        log: usize,
        sent: &[(usize, History, Vec<u8>)],
    ) -> (History, Vec<u8>) {
        let known = self.record.newest(log);
        let size = known.len();
        let own: Vec<&(usize, History, Vec<u8>)> =
            sent.iter().filter(|(other, ..)| *other == log).collect();
        let mut history = known.to_vec();
        let more = 1 + chance.below(3);
        let mut old = size;
        match chance.below(100) {
            // Honest, as all feeders of a log would; who comes second is stale.
            0..30 => history.extend(std::iter::repeat_n(0, more)),
            // From the same head to another future: at most one of them becomes history.
            30..50 => history.extend((0..more).map(|_| chance.next() as u32)),
            // A fork from anywhere, with the proof that its own tree gives.
            50..65 if size > 0 => {
                history.truncate(chance.below(size));
                history.push(1 + chance.next() as u32 / 2);
                let length = match chance.below(3) {
                    0 => size,
                    1 => size + more,
                    _ => history.len() + more,
                };
                history.resize(length.max(history.len()), 0);
            }
            // The same size, another root.
            65..75 if size > 0 => *history.last_mut().unwrap() = chance.next() as u32,
            // The same head again.
            75..85 if size > 0 => {}
            // From a size that the witness is beyond.
            85..92 if size > 1 => {
                old = chance.below(size);
                history.extend(std::iter::repeat_n(0, chance.below(2)));
            }
            // From a size that nobody has reached.
            92..94 => {
                old = size + 1 + chance.below(9);
                history.extend(std::iter::repeat_n(0, 10));
            }
            _ if !own.is_empty() => {
                let (_, history, body) = own[chance.below(own.len())];
                return (history.clone(), body.clone());
            }
            _ => history.push(0),
        }
        let mut request = self.logs[log].request(old.min(history.len()), &history);
        // A proof of something else, or an old size beyond the head's, now and then.
        match chance.below(40) {
            0 => request.path.push(Hash([3; 32])),
            1 => request.old = history.len() as u64 + 1,
            2 => request.head.note.signatures[0].signature[7] ^= 1,
            _ => {}
        }
        (Arc::new(history), request.body())
    }

    fn ask(
        &self,
        connection: &mut Connection,
        log: usize,
        history: &History,
        body: &[u8],
    ) -> Option<u16> {
        let Request { old, head, .. } = Request::from_body(body).unwrap();
        let mut head = head;
        // Before it is sent: what was cosigned is known even where the answer is lost.
        let root = head.checkpoint.root;
        self.record.shown.lock().unwrap().insert((log, root), history.clone());
        let floor = self.record.newest(log).len() as u64;
        let answer = connection.ask("POST", "add-checkpoint", Some(body)).ok()?;
        self.record.count(answer.status);
        let told = || format!("{}: from {old} to {}", self.logs[log].origin, head.checkpoint.size);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        match answer.status {
            200 => {
                if head.checkpoint.size < floor {
                    self.record.wrong(format!("{}: 200 after size {floor}", told()));
                }
                let lines = text.lines().map(|line| SignatureLine::decode(line).unwrap());
                head.note.signatures = lines.collect();
                self.cosigned(log, &head, "an answer");
                self.record.answered(log, history);
            }
            409 => {
                let known = text.trim().parse::<u64>().unwrap();
                if known < floor {
                    self.record.wrong(format!("{}: 409 {known} after size {floor}", told()));
                }
            }
            400 | 403 | 422 => {}
            status => self.record.wrong(format!("{}: {status} {text}", told())),
        }
        Some(answer.status)
    }

    // What is shown to everybody: cosigned, and never older than an answer.
    fn monitor(&self, connection: &mut Connection, log: usize) -> Option<u64> {
        let floor = self.record.newest(log).len() as u64;
        let answer = connection.ask("GET", &self.logs[log].monitored(), None).ok()?;
        self.record.count(1000 + answer.status);
        let mut size = 0;
        if answer.status == 200 {
            let head = SignedCheckpoint::decode(&answer.body).unwrap();
            size = head.checkpoint.size;
            self.cosigned(log, &head, "the monitoring endpoint");
            match self.record.history_of(log, head.checkpoint.root) {
                Some(history) => self.record.answered(log, &history),
                None => self.record.wrong("a head is shown that nobody has asked for".into()),
            }
        } else if answer.status != 404 {
            self.record.wrong(format!("the monitoring endpoint answers {}", answer.status));
        }
        if size < floor {
            let origin = &self.logs[log].origin;
            self.record.wrong(format!("{origin}: size {size} is shown after {floor} was answered"));
        }
        Some(size)
    }

    fn cosigned(&self, log: usize, head: &SignedCheckpoint, source: &'static str) {
        let own: Vec<&VerifierKey> = self.own.iter().collect();
        match head.verified_by(&own) {
            Ok(vouched) if vouched.len() == own.len() => {}
            other => self.record.wrong(format!("{source} with {other:?}")),
        }
        self.record.saw(log, &head.checkpoint, source);
    }

    // All feeders at once, each with a seed of its own.
    fn race(&self, seed: u64) {
        let mut chance = Chance(seed);
        let seeds: Vec<u64> = (0..FEEDERS).map(|_| chance.next()).collect();
        std::thread::scope(|scope| {
            seeds.into_iter().for_each(|seed| _ = scope.spawn(move || self.feed(seed)));
        });
    }

    // Every log once, by one who asks nothing of the witness but what it remembers.
    fn look(&self) {
        let mut connection = Connection::open(&self.prefix).unwrap();
        (0..LOGS).for_each(|log| assert!(self.monitor(&mut connection, log).is_some()));
    }
}

// --- The witness ----------------------------------------------------------------------------------

fn logs() -> Vec<Log> {
    (0..LOGS).map(Log::new).collect()
}

// A witness that watches the logs; returns its keys.
fn settle(folder: &Path, logs: &[Log]) -> Vec<VerifierKey> {
    let done = |line: &str| {
        let ran = run(folder, line).unwrap();
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    };
    done(&format!("witness init --name {WITNESS} --unencrypted"));
    let lines = logs.iter().map(|log| format!("log {}\n", log.key.verifier.encode()));
    std::fs::write(folder.join("logs"), lines.collect::<String>()).unwrap();
    done("witness add-log logs");
    let policy = std::fs::read_to_string(folder.join("coldlog-witness/witness.policy")).unwrap();
    let keys = policy.lines().filter(|line| line.starts_with("witness "));
    keys.map(|line| VerifierKey::decode(line.split(' ').nth(2).unwrap()).unwrap()).collect()
}

fn serve(folder: &Path, under: &[String]) -> Option<Server> {
    // Where libraries are looked for is opened, too, and would be counted below.
    serve_program(folder, SERVE, &[("LD_LIBRARY_PATH", "")], under)
}

fn told(record: &Record, heads: usize, kills: usize, begun: Instant) {
    let statuses = record.statuses.lock().unwrap();
    let posts: usize = statuses.range(..1000).map(|(_, count)| count).sum();
    let gets: usize = statuses.range(1000..).map(|(_, count)| count).sum();
    let each: Vec<String> =
        statuses.range(..1000).map(|(status, count)| format!("{count} of {status}")).collect();
    let seen = record.seen.lock().unwrap().len();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{posts} requests answered ({}), {gets} looks, {seen} cosigned heads seen, {heads} of them different, {kills} kills, {seconds:.1} s",
        each.join(", ")
    );
}

#[test]
fn whatever_feeders_ask_at_once_all_that_is_cosigned_is_one_history_a_log() {
    let (stage, logs, record, begun) =
        (tempfile::tempdir().unwrap(), logs(), Record::default(), Instant::now());
    let seed = seed();
    let own = settle(stage.path(), &logs);
    let server = serve(stage.path(), &[]).unwrap_or_else(|| panic!("{}", log_of(stage.path())));
    let stage = Stage {
        logs: &logs,
        own: &own,
        prefix: Prefix::parse(&server.url).unwrap(),
        record: &record,
        requests: 60,
        until: Instant::now() + Duration::from_secs(60),
        mortal: false,
    };
    stage.race(seed);
    stage.look();
    let heads = check(&logs, &record).unwrap_or_else(|why| panic!("{why}"));
    told(&record, heads, 0, begun);
    // It was a race, and of every kind of answer.
    assert!(heads > 20 * LOGS, "{heads} heads");
    assert!([200, 400, 403, 409, 422].iter().all(|status| record.of(*status) > 5));
}

// The calls that change what a witness has on its disk, from which of them on, and how often they are its
// end while it is asked. strace counts those of each thread by themselves: the main thread has written once,
// and opened some files, before the witness listens; of the writes, most are the runtime's own.
const CALLS: [(&str, usize, usize); 4] =
    [("write", 2, 8), ("fsync", 1, 10), ("renameat", 1, 4), ("openat", 30, 10)];
const ANY_TIME: usize = 10;

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_witness_killed_at_any_write_while_feeders_race_cosigns_no_fork_and_forgets_nothing() {
    let (stage, logs, record, begun) =
        (tempfile::tempdir().unwrap(), logs(), Record::default(), Instant::now());
    let folder = stage.path();
    let mut chance = Chance(seed());
    let own = settle(folder, &logs);
    let at = |server: &Server| Stage {
        logs: &logs,
        own: &own,
        prefix: Prefix::parse(&server.url).unwrap(),
        record: &record,
        requests: 40,
        until: Instant::now() + Duration::from_secs(4),
        mortal: true,
    };
    let (mut kills, mut after_an_answer) = (0, 0);
    // Begun again, it shows for every log at least what was answered.
    let again = |what: &str| {
        let server = serve(folder, &[]).unwrap_or_else(|| panic!("{what}: {}", log_of(folder)));
        at(&server).look();
        if let Some(wrong) = record.wrong.lock().unwrap().first() {
            panic!("{what}: {wrong}");
        }
    };
    for (call, first, races) in CALLS {
        let mut raced = 0;
        for when in first..first + 100 {
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let options = format!("strace -f -qq -o /dev/null -e trace={call} -e {inject}");
            let before = record.of(200);
            // Where there is none, it was killed before it listened.
            if let Some(mut server) = serve(folder, &words(&options)) {
                at(&server).race(chance.next());
                let killed = server.ends_within(Duration::from_millis(200));
                assert!(killed || raced > 2, "{call} {when}: the fault was not injected");
                kills += usize::from(killed);
                raced += 1;
            }
            after_an_answer += usize::from(record.of(200) > before);
            again(&format!("{call} {when}"));
            if raced == races {
                break;
            }
        }
        assert_eq!(raced, races, "{call}");
    }
    // And at any time, at its full speed.
    for _ in 0..ANY_TIME {
        let server = serve(folder, &[]).unwrap_or_else(|| panic!("{}", log_of(folder)));
        let (time, before) = (Duration::from_millis(chance.below(300) as u64), record.of(200));
        std::thread::scope(|scope| {
            scope.spawn(|| at(&server).race(chance.next()));
            std::thread::sleep(time);
            server.signal("KILL");
        });
        kills += 1;
        after_an_answer += usize::from(record.of(200) > before);
        drop(server);
        again("at any time");
    }
    // And it goes on from there.
    let server = serve(folder, &[]).unwrap();
    let last =
        Stage { mortal: false, until: Instant::now() + Duration::from_secs(20), ..at(&server) };
    last.race(chance.next());
    last.look();
    let heads = check(&logs, &record).unwrap_or_else(|why| panic!("{why}"));
    told(&record, heads, kills, begun);
    println!("{after_an_answer} of the kills after an answer");
    assert!(kills > 30 && after_an_answer > 15, "{kills} kills, {after_an_answer} after an answer");
}

// --- The check itself -----------------------------------------------------------------------------

// A witness that cosigns whatever a log signs, and shows what it cosigned last.
fn cosigns_everything(keys: HeadKeys) -> Prefix {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = Arc::new(keys);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keys = keys.clone();
            std::thread::spawn(move || while answer(&stream, &keys).is_some() {});
        }
    });
    Prefix::parse(&url).unwrap()
}

fn answer(mut stream: &TcpStream, keys: &HeadKeys) -> Option<()> {
    let mut bytes = Vec::new();
    let body = loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if bytes.len() >= end + 4 + length {
            break bytes.split_off(end + 4);
        }
    };
    let (status, lines) = match Request::from_body(&body) {
        Ok(request) => {
            let lines = keys.cosign(&request.head, now()).unwrap();
            ("200 OK", lines.iter().map(SignatureLine::encode).collect())
        }
        Err(_) => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", lines.len());
    stream.write_all((head + &lines).as_bytes()).ok()
}

#[test]
fn a_witness_that_cosigns_forks_is_caught() {
    let (logs, record) = (logs(), Record::default());
    let ed25519 = ed25519::SecretKey::from_seed(&[1; 32]);
    let keys =
        HeadKeys { name: WITNESS.into(), ed25519, mldsa: mldsa::SecretKey::from_seed(&[1; 32]) };
    let own = keys.witness_verifiers();
    let stage = Stage {
        logs: &logs,
        own: &own,
        prefix: cosigns_everything(keys),
        record: &record,
        requests: 4,
        until: Instant::now() + Duration::from_secs(20),
        mortal: false,
    };
    stage.race(seed());
    assert!(record.of(200) > 100);
    // It answers with older heads, and shows none: both are seen at once. Without that, the forks are.
    let wrong = std::mem::take(&mut *record.wrong.lock().unwrap());
    assert!(wrong.iter().any(|why| why.contains("is shown after")), "{wrong:?}");
    let why = check(&logs, &record).unwrap_err();
    assert!(why.contains("does not extend"), "{why}");
    println!("{why}");
}

#[test]
fn the_check_tells_every_kind_of_misfit() {
    let logs = logs();
    let heads = |histories: &[&[u32]]| {
        let record = Record::default();
        for history in histories {
            let head = logs[1].head(history).checkpoint;
            let history: History = Arc::new(history.to_vec());
            record.shown.lock().unwrap().insert((1, head.root), history);
            record.saw(1, &head, "a test");
        }
        record
    };
    let verdict = |histories: &[&[u32]]| check(&logs, &heads(histories));
    assert_eq!(verdict(&[]), Ok(0));
    assert_eq!(verdict(&[&[0, 0, 5], &[0], &[0, 0, 5], &[0, 0, 5, 9]]), Ok(3));
    let misfit = |histories: &[&[u32]]| verdict(histories).unwrap_err();
    assert!(misfit(&[&[0, 0, 5], &[0, 0, 6]]).contains("does not extend"));
    assert!(misfit(&[&[0, 1, 5, 7, 8], &[0], &[0, 0]]).contains("does not extend"));
    assert!(misfit(&[&[0, 1], &[0, 1, 2], &[0, 2, 2, 2]]).contains("does not extend"));
    // A root of nothing that was shown, and a head whose size is not its tree's.
    let record = heads(&[&[0, 0]]);
    record.seen.lock().unwrap()[0].root = Hash([1; 32]);
    assert!(check(&logs, &record).unwrap_err().contains("nobody has shown"));
    let record = heads(&[&[0, 0]]);
    record.seen.lock().unwrap()[0].size = 3;
    assert!(check(&logs, &record).unwrap_err().contains("another tree"));
    // The same leaves in another log are another log's.
    let record = heads(&[&[0, 0]]);
    record.seen.lock().unwrap()[0].log = 0;
    assert!(check(&logs, &record).is_err());
    let record = heads(&[&[0, 0]]);
    record.wrong("an answer that may not be".into());
    assert_eq!(check(&logs, &record), Err("an answer that may not be".into()));
}
