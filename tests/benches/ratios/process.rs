//! Whole programs: `verifier check`, `signer sign`.

use crate::table::figure;
use crate::table::median;
use crate::table::ms;
use coldlog_spec::document::DocumentHasher;
use coldlog_spec::document::SignatureFile;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::Proof;
use coldlog_spec::record::Scheme;
use coldlog_spec::verify::document::check;
use coldlog_tests::programs;
use coldlog_tests::story::Story;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

fn process(folder: &Path, program: &Path, arguments: &[&str]) {
    let status = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{}", program.display());
}

pub(crate) fn whole_check() {
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

pub(crate) fn signing() {
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
        black_box(SignatureFile::sign(&key, black_box(&digest), "").unwrap());
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
