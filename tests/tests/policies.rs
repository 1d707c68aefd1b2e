//! Proofs outlive their witnesses: policies as a history, in the hands of the programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::run;
use coldlog_tests::story::Story;
use serde_json::Value;
use std::path::Path;

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

#[test]
fn a_proof_holds_when_its_witnesses_are_gone() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::with_documents(stage.path(), 6).unwrap();
    story.round("monday", &Story::names(0..3), "1").unwrap();
    let (log, signer) = (story.at("log"), story.at("signer"));
    let public = log.join("coldlog-log/public");
    std::fs::copy(public.join("checkpoint"), signer.join("last")).unwrap();
    // Two of the three witnesses end their work; one new one takes over alone.
    let new = story.at("new");
    std::fs::create_dir(&new).unwrap();
    done(&new, "witness init --name new.example/witness --unencrypted");
    done(&new, &format!("witness add-log {}", log.join("policy").display()));
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap();
    let text = lines(&log.join("coldlog-log/log.policy"))
        + &lines(&new.join("coldlog-witness/witness.policy"))
        + "quorum new.example/witness\n";
    std::fs::write(signer.join("new-policy"), &text).unwrap();
    // The new policy alone knows nothing of Monday.
    done(&signer, "verifier check d0.txt --policy policy");
    refused(&signer, "verifier check d0.txt --policy new-policy", 1, "is not met");
    // A head that the old policy does not vouch for is no last one.
    std::fs::write(log.join("d"), "x").unwrap();
    story.append("tuesday", 3..6).unwrap();
    std::fs::copy(public.join("checkpoint"), signer.join("uncosigned")).unwrap();
    let extend = "verifier policy extend policy new-policy -o policies --last";
    refused(&signer, &format!("{extend} uncosigned"), 1, "last head under the old policy");
    done(&signer, &format!("{extend} last"));
    let over = "verifier policy extend policy new-policy --last last -o new-policy";
    refused(&signer, over, 2, "exists already");
    refused(
        &signer,
        "verifier policy extend policies policies --last last -o x --force",
        2,
        "a history itself",
    );

    let check = |file: &str| -> Value {
        let line = format!("verifier check {file} --policy policies --json");
        serde_json::from_str(&done(&signer, &line)).unwrap()
    };
    let monday = check("d0.txt");
    let witnessed = &monday["documents"][0]["logs"][0]["witnessed"];
    assert_eq!((&witnessed["by"], &witnessed["of"]), (&3.into(), &3.into()));
    assert_eq!(witnessed["until"], 5);
    assert_eq!(witnessed["quorum"]["name"], "two-of-three");
    assert_eq!(monday["documents"][0]["made_under_this_policy"], true);

    // The log and the signer go on under the history; the old witnesses are not needed.
    done(&log, "log witness-request --old 0 -o r.cbor");
    std::fs::copy(log.join("r.cbor"), new.join("r.cbor")).unwrap();
    done(&new, "witness cosign r.cbor -o a.cbor");
    std::fs::copy(new.join("a.cbor"), log.join("a.cbor")).unwrap();
    std::fs::copy(signer.join("policies"), log.join("policies")).unwrap();
    done(&log, "log add-cosignatures a.cbor --policy policies");
    done(&log, "log receipts tuesday.batch.cbor -o t.receipts.cbor --policy policies");
    std::fs::copy(log.join("t.receipts.cbor"), signer.join("t.receipts.cbor")).unwrap();
    done(&signer, "signer import t.receipts.cbor --policy policies");
    let tuesday = check("d4.txt");
    let witnessed = &tuesday["documents"][0]["logs"][0]["witnessed"];
    assert_eq!((&witnessed["by"], &witnessed["of"]), (&1.into(), &1.into()));
    assert_eq!(witnessed["until"], Value::Null);
    let told = done(&signer, "verifier check d0.txt --policy policies");
    assert!(told.contains("witnessed  by 3 of 3, quorum two-of-three (2 of 3), under the policy for heads up to size 5"));
    refused(&signer, "verifier check d4.txt --policy policy", 1, "is not met");
    done(&log, "log fsck --policy policies");
    let told = done(&signer, "verifier policy check policies");
    assert!(
        told.contains("For older heads:\n  log.example/releases up to 5: 3 witnesses"),
        "{told}"
    );
}
