//! `log append`: speed and memory.

use crate::table::figure;
use crate::table::ms;
use coldlog_kit::files::Existing;
use coldlog_kit::sequence::Writer;
use coldlog_spec::batch::Header;
use coldlog_spec::batch::SignedTail;
use coldlog_spec::batch::Tail;
use coldlog_spec::batch::encode_record;
use coldlog_spec::batch::encode_trailer;
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::ed25519::Signed;
use coldlog_spec::ed25519::Verifier;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, KeyEvent};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::statement::Payload;
use coldlog_spec::statement::Position;
use coldlog_spec::statement::Statement;
use coldlog_tests::measured;
use coldlog_tests::run;
use coldlog_tests::story::Story;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

// A batch of records that nobody sealed: the log looks at the age header only.
pub(crate) fn make_batch(
    folder: &Path,
    name: &str,
    count: u64,
    keep: bool,
) -> (Vec<Vec<u8>>, SecretKey) {
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
                event: Event::Genesis {
                    key: *key.public().as_bytes(),
                    recipients: vec!["age1bench".into()],
                    recovers: None,
                },
                commitment: Hash([1; 32]),
            }),
            _ => Payload::Commitment(leaf_hash(&sequence.to_be_bytes())),
        };
        let statement = Statement::sign(&key, &claims, &position, payload).unwrap();
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
    let tail = SignedTail::sign(&key, &claims, Tail { count, head: previous.unwrap() }).unwrap();
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

/// What the signatures of statements cover, with the signatures.
pub(crate) fn messages(statements: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = statements.iter().map(|bytes| Statement::decode(bytes).unwrap());
    decoded.map(|one| (one.signed_bytes(), one.signature().to_vec())).collect()
}

pub(crate) fn signed(messages: &[(Vec<u8>, Vec<u8>)]) -> Vec<Signed<'_>> {
    messages.iter().map(|(message, signature)| (&message[..], &signature[..])).collect()
}

/// The baseline: each signature by itself, as RFC 8032 has it, and strictly.
pub(crate) fn strict(signed: &[Signed], key: &PublicKey) -> Duration {
    on_all_cores(signed, |share| {
        assert!(share.iter().all(|(message, signature)| key.verify(message, signature)));
    })
}

pub(crate) fn appending() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("log");
    make_batch(&folder, "small", 10_000, false);
    let (all, key) = make_batch(&folder, "large", 100_000, true);
    make_batch(&folder, "answered", 100_000, false);
    let public = key.public();
    let messages = messages(&all);
    let signed = signed(&messages);
    // On a shared machine the baseline moves: it is measured around each append, and the median taken.
    let bare = || strict(&signed, &public);
    let mut baseline = vec![bare()];
    // ext4 looks for inodes around those that were deleted in the last seconds: what the other benches
    // threw away must not count.
    std::thread::sleep(Duration::from_secs(8));
    let (_, small) = append(&folder, "small", false);
    let (whole, large) = append(&folder, "large", false);
    baseline.push(bare());
    let (answered, _) = append(&folder, "answered", true);
    baseline.push(bare());
    baseline.sort();
    let baseline = baseline[1];
    let verifier = Verifier::new(&public, signed.len());
    let by_table = on_all_cores(&signed, |share| {
        assert!(verifier.verify_all(share).iter().all(|good| *good));
    });
    let count = all.len() as f64;
    let rate = |time: Duration| count / time.as_secs_f64();
    let ratio = |time: Duration| baseline.as_secs_f64() / time.as_secs_f64();
    figure(
        "verification by tables to a loop of `verify_strict`, all cores",
        format!("{:.2} ({:.0} a second to {:.0})", ratio(by_table), rate(by_table), rate(baseline)),
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
