//! Mirrors: whatever the log, the network and the power do, a mirror cosigns only what it can serve.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::Policy;
use coldlog_tests::kills::killed_everywhere;
use coldlog_tests::server::{Server, serve, serve_program};
use coldlog_tests::story::Story;
use coldlog_tests::{copy, run, write_private};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ORIGIN: &str = "log.example/releases";

fn done(folder: &Path, line: &str) -> String {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

fn refused(folder: &Path, line: &str, code: i32, why: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
}

fn public(story: &Story) -> PathBuf {
    story.at("log").join("coldlog-log/public")
}

fn hash() -> String {
    Hash::of(ORIGIN.as_bytes()).to_hex()
}

// A mirror's folder beside the others, which reads the log's published folder.
fn mirror_of(story: &Story, from: &str) -> PathBuf {
    let folder = story.at("mirror");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(story.at("log").join("policy"), folder.join("policy")).unwrap();
    done(&folder, "mirror init --name m1.example/mirror --unencrypted");
    done(&folder, &format!("mirror add-log policy --from {from}"));
    folder
}

fn copied(folder: &Path) -> PathBuf {
    folder.join("coldlog-mirror/logs").join(hash()).join("copy/public")
}

fn head(folder: &Path) -> SignedCheckpoint {
    SignedCheckpoint::decode(&std::fs::read(folder.join("checkpoint")).unwrap()).unwrap()
}

fn own_keys(folder: &Path) -> Vec<VerifierKey> {
    let lines = std::fs::read_to_string(folder.join("coldlog-mirror/mirror.policy")).unwrap();
    let policy = Policy::parse(format!("{lines}quorum none\n").as_bytes()).unwrap();
    policy.witnesses.into_iter().map(|(_, key)| key).collect()
}

// The size that a mirror has cosigned, by both of its keys; 0 for none.
fn cosigned(folder: &Path) -> u64 {
    if !copied(folder).join("checkpoint").exists() {
        return 0;
    }
    let head = head(&copied(folder));
    let keys = own_keys(folder);
    let keys: Vec<&VerifierKey> = keys.iter().collect();
    assert_eq!(head.verified_by(&keys).unwrap().len(), 2);
    head.checkpoint.size
}

fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    files
}

// Every file of the log but partial ones that a later head has replaced, and heads that were never shown.
fn must_be_whole(log: &Path, mirror: &Path) {
    for (name, bytes) in files_of(log) {
        let newest = head(log).checkpoint.size;
        let needed = match coldlog_spec::tile::parse_path(&name) {
            Some((level, index, width)) => {
                coldlog_spec::tile::width_at(level, index, newest) == width
            }
            None => false,
        };
        if needed {
            let ours = std::fs::read(mirror.join(&name)).unwrap_or_default();
            assert!(ours == bytes, "{name} is not in the mirror");
        }
    }
}

#[test]
fn a_mirror_holds_every_byte_and_asks_for_hardly_more() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 700).unwrap();
    story.append("monday", 0..600).unwrap();
    let log = story.at("log");
    let token = done(&log, "log allow-reader mirror");
    let server = serve(&log, "", &[]);
    let mirror = mirror_of(&story, &server.url);
    // Sealed records are not for everybody.
    refused(&mirror, "mirror follow", 2, "log allow-reader");
    assert_eq!(cosigned(&mirror), 0);
    write_private(&mirror.join("token"), &token).unwrap();
    done(&mirror, &format!("mirror add-log policy --from {} --token-file token", server.url));
    let told = done(&mirror, "mirror follow");
    assert_eq!(cosigned(&mirror), 602);
    must_be_whole(&public(&story), &copied(&mirror));
    // The bytes of the tree and not many more: heads, and the tiles above the leaves' own.
    let numbers: Vec<f64> =
        told.split([' ', ':', ';', ',']).filter_map(|word| word.parse().ok()).collect();
    let [entries, size, fetched, kept] = numbers[..] else { panic!("{told}") };
    assert_eq!((entries, size), (602.0, 602.0), "{told}");
    assert!(fetched < kept * 1.05 + 16384.0, "{told}");
    println!("{told}");

    story.append("tuesday", 600..700).unwrap();
    story.cosign("tuesday").unwrap();
    done(&mirror, &format!("mirror follow {ORIGIN}"));
    must_be_whole(&public(&story), &copied(&mirror));
    assert_eq!(cosigned(&mirror), 702);
    assert!(done(&mirror, "mirror follow").contains("nothing new, size 702"));
    let list: Value = serde_json::from_str(&done(&mirror, "mirror list --json")).unwrap();
    assert_eq!(list["logs"][0]["size"], 702);
    // What the witnesses wrote is there as well: whoever reads the mirror needs no log.
    let auditor = story.at("auditor");
    let policy = Policy::parse(&std::fs::read(auditor.join("policy")).unwrap()).unwrap();
    policy.verify_head(&head(&copied(&mirror))).unwrap();
    drop(server);

    // It serves what the log served, by the log's own paths.
    let line = "mirror serve --listen 127.0.0.1:0 --stop-after 300";
    let token = done(&mirror, "mirror allow-reader auditor");
    let server = serve_program(&mirror, line, &[], &[]).unwrap();
    let url = format!("{}/{}", server.url, hash());
    let prefix = format!("/{}", hash());
    for (name, bytes) in files_of(&copied(&mirror)) {
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str())];
        let reply = server.ask("GET", &format!("{prefix}/{name}"), &headers, b"");
        assert_eq!(reply.status, 200, "{name}");
        assert!(reply.body == bytes, "{name}");
    }
    assert_eq!(server.get(&format!("{prefix}/sealed/000")).status, 401);
    for missing in ["tile/0/003", "tile/0/x", "heads/001", "tile/../checkpoint", "key.age"] {
        assert_eq!(server.get(&format!("{prefix}/{missing}")).status, 404, "{missing}");
    }
    assert_eq!(server.get(&format!("/{}/checkpoint", "0".repeat(64))).status, 404);
    assert_eq!(server.get(&format!("/{}/checkpoint", hash().to_uppercase())).status, 404);
    assert_eq!(server.get("/healthz").status, 200);
    assert!(
        String::from_utf8(server.get("/metrics").body).unwrap().contains("coldlog_sealed_reads")
    );
    assert!(done(&mirror, &format!("mirror accesses {ORIGIN}")).contains("auditor from 127.0.0.1"));
    let watched = done(&auditor, &format!("verifier watch {url} --policy policy --rounds 1"));
    assert!(watched.contains("one history up to 702"), "{watched}");
}

#[test]
fn a_dead_log_is_rebuilt_from_a_mirror() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 400).unwrap();
    story.append("monday", 0..20).unwrap();
    let log = story.at("log");
    done(&log, "log backup backup");
    story.append("tuesday", 20..400).unwrap();
    story.cosign("tuesday").unwrap();
    let mirror = mirror_of(&story, &public(&story).display().to_string());
    done(&mirror, "mirror follow");
    let before = files_of(&public(&story));
    // The disk is gone; there is an old backup, the key on paper, and the mirror.
    std::fs::copy(log.join("coldlog-log/key.age"), log.join("key")).unwrap();
    std::fs::remove_dir_all(log.join("coldlog-log")).unwrap();
    done(&log, "log restore backup --key key");
    std::fs::copy(copied(&mirror).join("checkpoint"), log.join("newest")).unwrap();
    refused(&log, "log recover --newest newest", 1, "are lost here");
    let token = done(&mirror, "mirror allow-reader log.example");
    write_private(&log.join("token"), &token).unwrap();
    let line = "mirror serve --listen 127.0.0.1:0 --stop-after 300";
    let server = serve_program(&mirror, line, &[], &[]).unwrap();
    let url = format!("{}/{}", server.url, hash());
    refused(&log, &format!("log recover --newest newest --from {url}"), 2, "not for everybody");
    done(&log, &format!("log recover --newest newest --from {url} --token-file token"));
    drop(server);
    for (name, bytes) in before {
        let needed = coldlog_spec::tile::parse_path(&name).is_some_and(|(level, index, width)| {
            coldlog_spec::tile::width_at(level, index, 402) == width
        });
        if needed {
            let now = std::fs::read(public(&story).join(&name)).unwrap_or_default();
            assert!(now == bytes, "{name}");
        }
    }
    done(&log, "log fsck --policy policy");
    // It goes on, and so do its witnesses, its mirror and its signers.
    story_grows(&mut story);
    done(&log, "log witness-request --old 402 -o r.cbor");
    std::fs::copy(log.join("r.cbor"), story.at("w1").join("r.cbor")).unwrap();
    done(&story.at("w1"), "witness cosign r.cbor -o a.cbor");
    done(&mirror, "mirror follow");
    assert_eq!(cosigned(&mirror), 403);
    must_be_whole(&public(&story), &copied(&mirror));
}

#[test]
#[cfg_attr(not(have_strace), ignore = "strace is not installed")]
fn a_mirror_killed_at_any_write_cosigns_only_what_is_there_and_goes_on() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 300).unwrap();
    story.append("monday", 0..5).unwrap();
    let from = public(&story).display().to_string();
    let mirror = mirror_of(&story, &from);
    done(&mirror, "mirror follow");
    story.append("tuesday", 5..300).unwrap();
    let all = [7, 302];
    killed_everywhere(&mirror, "mirror follow", |folder, n| {
        let size = cosigned(folder);
        assert!(all.contains(&size), "{n}: cosigned at size {size}");
        if size == 302 {
            must_be_whole(&public(&story), &copied(folder));
        }
        done(folder, "mirror follow");
        assert_eq!(cosigned(folder), 302, "{n}");
        must_be_whole(&public(&story), &copied(folder));
    });
}

#[test]
fn an_interrupted_run_asks_for_what_is_missing_only() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 800).unwrap();
    story.append("monday", 0..800).unwrap();
    let from = public(&story).display().to_string();
    let mirror = mirror_of(&story, &from);
    // The last bundle does not come, and so no head is cosigned.
    let last = public(&story).join("tile/entries/003.p/34");
    let bytes = std::fs::read(&last).unwrap();
    std::fs::remove_file(&last).unwrap();
    refused(&mirror, "mirror follow", 2, "tile/entries/003.p/34 is missing");
    assert_eq!(cosigned(&mirror), 0);
    std::fs::write(&last, &bytes).unwrap();
    // A torn file of it is not believed.
    let torn = copied(&mirror).join("tile/entries/001");
    let whole = std::fs::read(&torn).unwrap();
    std::fs::write(&torn, &whole[..whole.len() / 2]).unwrap();
    let told = done(&mirror, "mirror follow");
    let numbers: Vec<usize> =
        told.split([' ', ':', ';', ',']).filter_map(|word| word.parse().ok()).collect();
    let [_, 802, fetched, kept] = numbers[..] else { panic!("{told}") };
    assert!(fetched < kept / 2, "{told}");
    assert_eq!(cosigned(&mirror), 802);
    must_be_whole(&public(&story), &copied(&mirror));
}

#[test]
fn what_is_not_the_heads_is_not_kept_and_nothing_is_cosigned() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 560).unwrap();
    story.append("monday", 0..5).unwrap();
    let twin = story.at("twin");
    copy(&story.at("log"), &twin).unwrap();
    Story::recover_log(&twin).unwrap();
    let from = public(&story).display().to_string();
    let mirror = mirror_of(&story, &from);
    done(&mirror, "mirror follow");
    story.append("tuesday", 5..560).unwrap();
    let flip = |name: &str, at: usize, why: &str, code: i32| {
        let path = public(&story).join(name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        refused(&mirror, "mirror follow", code, why);
        assert_eq!(cosigned(&mirror), 7, "{name}");
        std::fs::write(&path, good).unwrap();
    };
    flip("tile/entries/001", 700, "tile/entries/001 at the source", 2);
    flip("tile/entries/001", 0, "tile/entries/001 is damaged", 2);
    flip("sealed/001", 2, "sealed/001 at the source holds something else", 2);
    flip("tile/1/000.p/2", 5, "head of size 562", 1);
    flip("tile/0/002.p/50", 5, "head of size 562", 1);
    // Its first signature, of Ed25519, is of another head.
    let (path, older) = (public(&story).join("checkpoint"), head(&copied(&mirror)));
    let good = std::fs::read(&path).unwrap();
    let mut bad = SignedCheckpoint::decode(&good).unwrap();
    bad.note.signatures[0] = older.note.signatures[0].clone();
    std::fs::write(&path, bad.encode()).unwrap();
    refused(&mirror, "mirror follow", 1, "the head at");
    std::fs::write(&path, good).unwrap();
    // The source is another log's.
    refused(
        &mirror,
        &format!("mirror add-log policy --from {}", mirror.join("none").display()),
        2,
        "none",
    );
}

#[test]
fn a_second_history_is_not_followed_and_ends_as_a_file_that_convicts() {
    let stage = tempfile::tempdir().unwrap();
    let (mut story, twin) = Story::forked(stage.path()).unwrap();
    // 22 entries here, 37 there.
    let (here, there) = (public(&story), twin.join("coldlog-log/public"));
    let mirror = mirror_of(&story, &here.display().to_string());
    done(&mirror, "mirror follow");
    let convicts = |count: usize| {
        let evidence: Vec<PathBuf> = std::fs::read_dir(mirror.join("coldlog-mirror/evidence"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(evidence.len(), count);
        for file in evidence {
            let line = format!("verifier evidence check {} --policy policy", file.display());
            assert!(done(&mirror, &line).starts_with("convicted: log.example/releases"));
        }
    };
    let from = |place: &Path| {
        done(&mirror, &format!("mirror add-log policy --from {}", place.display()));
    };
    // The larger side.
    from(&there);
    let ran = run(&mirror, "mirror follow").unwrap();
    assert_eq!((ran.code, cosigned(&mirror)), (1, 22), "{}", ran.err);
    assert!(ran.err.contains("the evidence is in"), "{}", ran.err);
    convicts(1);
    // The smaller side: the mirror itself has the tiles that tell.
    from(&here);
    story.append("wednesday", 45..60).unwrap();
    story.append("thursday", 20..40).unwrap();
    done(&mirror, "mirror follow");
    assert_eq!(cosigned(&mirror), 57);
    from(&there);
    refused(&mirror, "mirror follow", 1, "the log shows two histories");
    convicts(2);
    refused(&mirror, "mirror follow", 1, "the log shows two histories");
    assert_eq!(cosigned(&mirror), 57);
    // Back to the side that it is locked on.
    from(&here);
    done(&mirror, "mirror follow");
}

#[test]
fn no_head_is_shown_before_a_mirror_that_the_policy_demands_holds_it() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 40).unwrap();
    story.append("monday", 0..10).unwrap();
    let log = story.at("log");
    let token = done(&log, "log allow-reader mirror");
    let mirror = story.at("mirror");
    std::fs::create_dir(&mirror).unwrap();
    write_private(&mirror.join("token"), &token).unwrap();
    std::fs::copy(log.join("policy"), mirror.join("policy")).unwrap();
    done(&mirror, "mirror init --name m1.example/mirror --unencrypted");
    let line = "mirror serve --listen 127.0.0.1:0 --stop-after 300 --heartbeat 5";
    let mirroring = serve_program(&mirror, line, &[], &[]).unwrap();
    let witness = "witness serve --listen 127.0.0.1:0 --stop-after 300";
    let witness = serve_program(&story.at("w1"), witness, &[], &[]).unwrap();
    // Both must cosign.
    let lines = |folder: &Path, name: &str, url: &str| -> String {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        text.lines()
            .map(|line| match line.starts_with("witness ") {
                true => format!("{line} {url}\n"),
                false => format!("{line}\n"),
            })
            .collect()
    };
    let policy = format!(
        "{}{}{}group both all w1.example/witness m1.example/mirror\nquorum both\n",
        std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap(),
        lines(&story.at("w1"), "coldlog-witness/witness.policy", &witness.url),
        lines(&mirror, "coldlog-mirror/mirror.policy", &mirroring.url),
    );
    std::fs::write(log.join("both"), &policy).unwrap();
    let server = serve(&log, "--policy both --cosign-every 1", &[]);
    // The mirror does not know the log yet.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.get("/checkpoint").status, 404);
    let add = format!("mirror add-log policy --from {} --token-file token", server.url);
    done(&mirror, &add);
    let shown = |server: &Server, size: u64| {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let reply = server.get("/checkpoint");
            let head = SignedCheckpoint::decode(&reply.body).ok();
            if let Some(head) = head.filter(|head| head.checkpoint.size == size) {
                // Whoever sees it can read all of it at the mirror.
                assert_eq!(cosigned(&mirror), size);
                must_be_whole(&public_at(&log, size), &copied(&mirror));
                break head;
            }
            assert!(Instant::now() < end, "{}", coldlog_tests::server::log_of(&log));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let both = Policy::parse(policy.as_bytes()).unwrap();
    both.verify_head(&shown(&server, 12)).unwrap();
    // It is away, and nothing new is shown; it comes back, and is.
    let address = mirroring.address().to_owned();
    drop(mirroring);
    story.append("tuesday", 10..40).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let head = SignedCheckpoint::decode(&server.get("/checkpoint").body).unwrap();
    assert_eq!(head.checkpoint.size, 12);
    let line = format!("mirror serve --listen {address} --stop-after 300 --heartbeat 5");
    let _mirroring = serve_program(&mirror, &line, &[], &[]).unwrap();
    both.verify_head(&shown(&server, 42)).unwrap();
    done(&log, "log fsck --policy both");
    done(&log, "log cosign --policy both");
}

fn public_at(log: &Path, _: u64) -> PathBuf {
    log.join("coldlog-log/public")
}

#[test]
fn a_mirror_without_a_network_answers_by_file() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    story.append("monday", 0..4).unwrap();
    // The published folder on a stick, and the answer back.
    copy(&public(&story), &story.at("usb").join("public")).unwrap();
    let mirror = mirror_of(&story, &story.at("usb").join("public").display().to_string());
    let answer = "m1.witness-response.cbor";
    done(&mirror, &format!("mirror follow {ORIGIN} -o {answer}"));
    refused(&mirror, &format!("mirror follow {ORIGIN} -o {answer}"), 2, "exists already");
    refused(&mirror, "mirror follow other.example/log", 1, "is not mirrored");
    let log = story.at("log");
    std::fs::copy(mirror.join(answer), log.join(answer)).unwrap();
    let policy = format!(
        "{}{}quorum m1.example/mirror\n",
        std::fs::read_to_string(log.join("coldlog-log/log.policy")).unwrap(),
        std::fs::read_to_string(mirror.join("coldlog-mirror/mirror.policy")).unwrap()
    );
    std::fs::write(log.join("mirrored"), policy).unwrap();
    let told = done(&log, &format!("log add-cosignatures {answer} --policy mirrored"));
    assert!(told.contains("meets the quorum: m1.example/mirror"), "{told}");
}

#[test]
fn a_mirror_that_was_restored_cosigns_only_after_it_is_settled() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 10).unwrap();
    story.append("monday", 0..4).unwrap();
    let mirror = mirror_of(&story, &public(&story).display().to_string());
    done(&mirror, "mirror follow");
    copy(&mirror, &story.at("old")).unwrap();
    story.append("tuesday", 4..10).unwrap();
    done(&mirror, "mirror follow");
    let old = story.at("old");
    refused(&old, "mirror follow", 1, "was restored, copied or moved");
    refused(&old, "mirror serve --listen 127.0.0.1:0 --stop-after 5", 1, "mirror recover");
    refused(&old, "mirror recover", 2, "--newest");
    // A head that it did not cosign says nothing; its own newest does.
    // The log publishes what it cosigned: it need not be told.
    let published = public(&story).join("checkpoint");
    let kept = std::fs::read(&published).unwrap();
    std::fs::copy(copied(&mirror).join("checkpoint"), &published).unwrap();
    let mark = old.join("coldlog-mirror/place.mark");
    let before = std::fs::read(&mark).unwrap();
    done(&old, "mirror recover --nothing-newer");
    refused(&old, "mirror follow", 1, "its memory was restored from an older copy");
    std::fs::write(&mark, before).unwrap();
    std::fs::write(&published, kept).unwrap();
    let bare = public(&story).join("checkpoint");
    refused(
        &old,
        &format!("mirror recover --newest {}", bare.display()),
        1,
        "is not cosigned by this",
    );
    let newest = copied(&mirror).join("checkpoint");
    done(&old, &format!("mirror recover --newest {}", newest.display()));
    done(&old, "mirror follow");
    assert_eq!(cosigned(&old), 12);
    // Put back over itself, file by file, as rsync does: the same names, the same inodes.
    for part in ["checkpoint", "checkpoint.mark", "copy/public/checkpoint"] {
        let part = Path::new("coldlog-mirror/logs").join(hash()).join(part);
        let before = std::fs::read(old.join(&part)).unwrap();
        std::fs::write(old.join(&part), before).unwrap();
    }
    refused(&old, "mirror follow", 1, "was restored or put back");
    done(&old, "mirror recover --nothing-newer");
    done(&old, "mirror follow");
    // What was written over is noticed.
    std::fs::copy(bare, copied(&old).join("checkpoint")).unwrap();
    refused(&old, "mirror follow", 2, "is not cosigned by this mirror");
    refused(&old, "mirror remove-log other.example", 1, "is not watched");
    done(&old, &format!("mirror remove-log {ORIGIN}"));
    assert!(done(&old, "mirror list").contains("no log is mirrored"));
}

#[test]
fn a_log_that_is_slow_keeps_no_other_waiting_and_ends_nothing() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 4).unwrap();
    story.append("monday", 0..4).unwrap();
    let mirror = mirror_of(&story, &public(&story).display().to_string());
    // Another log's server takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    done(&mirror, "log init --origin slow.example/log --unencrypted");
    let url = format!("http://{}", silent.local_addr().unwrap());
    done(&mirror, &format!("mirror add-log coldlog-log/log.policy --from {url}"));
    let line = "mirror serve --listen 127.0.0.1:0 --stop-after 300 --follow-every 1 --peer http://127.0.0.1:1";
    let server = serve_program(&mirror, line, &[], &[]).unwrap();
    let prefix = format!("/{}/checkpoint", hash());
    let end = Instant::now() + Duration::from_secs(20);
    while server.get(&prefix).status != 200 {
        assert!(Instant::now() < end, "{}", coldlog_tests::server::log_of(&mirror));
        std::thread::sleep(Duration::from_millis(100));
    }
    story_grows(&mut story);
    let end = Instant::now() + Duration::from_secs(20);
    while cosigned(&mirror) != 7 {
        assert!(Instant::now() < end, "{}", coldlog_tests::server::log_of(&mirror));
        std::thread::sleep(Duration::from_millis(100));
    }
    // And it ends when it is asked to, whoever it is waiting for.
    server.signal("TERM");
    let asked = Instant::now();
    let (code, _) = server.ended();
    assert_eq!(code, 0);
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
}

fn story_grows(story: &mut Story) {
    std::fs::write(story.at("signer").join("new.txt"), "new").unwrap();
    story.sign("new", &["new.txt".into()], "1").unwrap();
    story.run("signer", "signer export -o new.batch.cbor").unwrap();
    story.carry("signer", "new.batch.cbor", "log").unwrap();
    story.run("log", "log append new.batch.cbor").unwrap();
}

#[test]
fn what_is_sealed_anew_is_fetched_anew() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 300).unwrap();
    story.append("monday", 0..300).unwrap();
    let mirror = mirror_of(&story, &public(&story).display().to_string());
    done(&mirror, "mirror follow");
    let sealed = |folder: &Path| -> Vec<(String, Vec<u8>)> {
        let full = |(name, _): &(String, Vec<u8>)| name == "000" || name == "001.p/47";
        files_of(&folder.join("sealed")).into_iter().filter(full).collect()
    };
    let before = sealed(&copied(&mirror));
    let new = done(&story.at("auditor"), "verifier identity -o new.key");
    std::fs::copy(story.at("auditor").join("auditor.key"), story.at("log").join("id")).unwrap();
    let line = format!(
        "log reseal --identity id --auditor {} --by Ada --purpose 'an auditor left'",
        new.trim()
    );
    done(&story.at("log"), &line);
    done(&mirror, "mirror follow");
    let after = sealed(&copied(&mirror));
    assert_eq!(after.len(), 2);
    assert!(after == sealed(&public(&story)) && before != after);
    must_be_whole(&public(&story), &copied(&mirror));
}
