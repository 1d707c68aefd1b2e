//! A log on Google Cloud Storage, by the real binaries and a server of ours that speaks its XML API: two
//! machines, the way to a cosigned head, a backup and what comes back of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::buckets::{command, done, moved_to_a_bucket, serve_google, with};
use coldlog_tests::copy;
use coldlog_tests::story::Story;
use std::process::Stdio;

#[test]
fn two_machines_write_one_log_on_google_cloud_storage() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 300).unwrap();
    let server = serve_google();
    moved_to_a_bucket(&story, &server);
    let log = story.at("log");
    let second = stage.path().join("second");
    std::fs::create_dir_all(second.join("coldlog-log")).unwrap();
    std::fs::copy(log.join("coldlog-log/key.age"), second.join("coldlog-log/key.age")).unwrap();
    done(&server, &second, "log join --store gs://bucket/log");
    let mut from = 0;
    for (round, count) in [150, 40, 40, 40, 30].into_iter().enumerate() {
        let name = format!("b{round}");
        story.sign(&name, &Story::names(from..from + count), "1").unwrap();
        let line = format!("signer export -o {name}.batch.cbor");
        story.run("signer", &line).unwrap();
        // Both at once: one is faster, the other finds its records there, or appends the rest.
        let mut running = Vec::new();
        for folder in [&log, &second] {
            let to = folder.join(format!("{name}.batch.cbor"));
            copy(&story.at("signer").join(format!("{name}.batch.cbor")), &to).unwrap();
            let mut command = command(&server, folder, &format!("log append {name}.batch.cbor"));
            running.push(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        }
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        from += count;
    }
    // 300 records, the genesis, and one version of the rules.
    assert_eq!(done(&server, &second, "log head").lines().nth(1), Some("302"));
    done(&server, &second, "log witness-request -o request.cbor");
    for witness in ["w1", "w2"] {
        copy(&second.join("request.cbor"), &story.at(witness).join("request.cbor")).unwrap();
        story.run(witness, "witness cosign request.cbor -o answer.cbor").unwrap();
        let answer = second.join(format!("{witness}.cbor"));
        copy(&story.at(witness).join("answer.cbor"), &answer).unwrap();
    }
    copy(&log.join("policy"), &second.join("policy")).unwrap();
    done(&server, &second, "log add-cosignatures w1.cbor w2.cbor --policy policy");
    done(&server, &log, "log receipts b4.batch.cbor -o b4.receipts.cbor --policy policy");
    story.carry("log", "b4.receipts.cbor", "signer").unwrap();
    story.run("signer", "signer import b4.receipts.cbor --policy policy").unwrap();
    for folder in [&log, &second] {
        done(&server, folder, "log fsck");
    }
    let gone = done(&server, &log, "log gc");
    assert!(gone.contains("files that nothing needs"), "{gone}");
    done(&server, &log, "log backup gs://bucket/backup");
    let told = done(&server, &log, "log drill gs://bucket/backup");
    assert!(told.contains("302 entries came back"), "{told}");
    let line = "log --home third restore gs://bucket/backup --store gs://bucket/third --key coldlog-log/key.age";
    done(&server, &log, line);
    done(&server, &log, "log --home third fsck");
    let ran = with(&server, &log, "log --home third append b4.batch.cbor");
    assert_eq!(ran.code, 1, "a restored log signs nothing: {}", ran.out);
    done(&server, &log, "log freeze --policy policy");
    let ran = with(&server, &second, "log append b4.batch.cbor");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("was frozen at size 302"), "{}", ran.err);
}
