//! The renewal of a policy, as people do it: keys on machines of their own, drafts carried about, and proofs
//! that go on to hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::kills::killed_everywhere;
use coldlog_tests::story::Story;
use coldlog_tests::{Ran, copy, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;
const HOLDERS: [&str; 3] = ["ada", "grace", "linus"];

fn done(folder: &Path, line: &str) -> Ran {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran
}

fn refused(folder: &Path, line: &str, code: i32, why: &str) {
    let ran = run(folder, line).unwrap();
    assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{line}: {}", ran.err);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&done(folder, line).out).unwrap()
}

/// A story after its first round, whose policy three people may renew, each with a machine.
struct Renewal {
    story: Story,
    // Where documents are checked.
    relying: PathBuf,
}

impl Renewal {
    fn begin(stage: &Path) -> Renewal {
        let mut story = Story::with_documents(stage, 6).unwrap();
        story.round("monday", &Story::names(0..2), "1").unwrap();
        let relying = story.at("relying");
        for holder in HOLDERS {
            let folder = story.at(holder);
            std::fs::create_dir(&folder).unwrap();
            let line = "verifier policy key -o policy.key --unencrypted --name";
            let key = done(&folder, &format!("{line} {holder}.example/policy")).out;
            assert!(key.starts_with(&format!("{holder}.example/policy+")), "{key}");
            let public = std::fs::read(folder.join("policy.key.pub")).unwrap();
            assert_eq!(key.as_bytes(), public);
            std::fs::write(relying.join(format!("{holder}.pub")), public).unwrap();
        }
        Renewal { story, relying }
    }

    // Carried to a holder's machine, signed there, and carried back.
    fn sign(&self, holder: &str, draft: &str, signed: &str) {
        let folder = self.story.at(holder);
        copy(&self.relying.join(draft), &folder.join("draft")).unwrap();
        copy(&self.relying.join("policy"), &folder.join("policy")).unwrap();
        let line =
            "verifier policy sign draft --key policy.key --policy policy -o signed --yes --force";
        let told = done(&folder, line);
        assert!(told.out.contains(&format!("signed by {holder}.example/policy")), "{}", told.out);
        copy(&folder.join("signed"), &self.relying.join(signed)).unwrap();
    }

    fn last(&self, name: &str) {
        let head = self.story.at("log").join("coldlog-log/public/checkpoint");
        copy(&head, &self.relying.join(name)).unwrap();
    }

    // The first root, by the lines of the policy in force; returns its digest.
    fn first_root(&self, not_before: u64, expires: u64) -> String {
        let draft = format!(
            "verifier policy renew policy --key ada.pub grace.pub linus.pub --not-before {not_before} --expires {expires} -o draft.1"
        );
        let told = done(&self.relying, &draft).out;
        assert!(told.contains("A renewal takes 2 of 3 policy keys; until now nobody"), "{told}");
        self.sign("ada", "draft.1", "root.1");
        self.sign("grace", "root.1", "root.1");
        let told = told.split("trust root version 1, ").nth(1).unwrap();
        told[..64].to_owned()
    }

    // With the first root in the policy's place, everywhere.
    fn rooted(stage: &Path) -> Renewal {
        let renewal = Renewal::begin(stage);
        let digest = renewal.first_root(now() - DAY, now() + 30 * DAY + DAY / 2);
        renewal.last("last.1");
        let line = "verifier policy adopt root.1 --policy policy --last last.1 --yes --fingerprint";
        done(&renewal.relying, &format!("{line} {digest}"));
        renewal.everywhere();
        renewal
    }

    fn everywhere(&self) {
        for role in ["log", "signer"] {
            copy(&self.relying.join("policy"), &self.story.at(role).join("policy")).unwrap();
        }
    }

    fn proofs(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            for end in ["", ".proof"] {
                let name = format!("d{number}.txt{end}");
                copy(&self.story.at("signer").join(&name), &self.relying.join(&name)).unwrap();
            }
        }
    }
}

#[test]
fn a_first_trust_root_is_taken_only_with_its_digest_from_those_who_made_it() {
    let stage = tempfile::tempdir().unwrap();
    let renewal = Renewal::begin(stage.path());
    let digest = renewal.first_root(now() - DAY, now() + 400 * DAY);
    let relying = &renewal.relying;
    renewal.last("last");
    let before = std::fs::read(relying.join("policy")).unwrap();
    let line = "verifier policy adopt root.1 --policy policy --last last";
    refused(relying, &format!("{line} --yes"), 1, "and give it as --fingerprint");
    let other = "0".repeat(64);
    refused(relying, &format!("{line} --yes --fingerprint {other}"), 1, "it is another one");
    // There is no terminal here, and nobody said yes.
    refused(relying, &format!("{line} --fingerprint {digest}"), 2, "no terminal to ask");
    assert_eq!(std::fs::read(relying.join("policy")).unwrap(), before);
    // A draft is no policy.
    refused(relying, "verifier policy check draft.1", 2, "of its own policy keys");
    done(relying, &format!("{line} --yes --fingerprint {digest}"));
    renewal.proofs(0..2);
    let told = done(relying, "verifier check d0.txt --policy policy");
    assert!(told.out.contains("under the policy for heads up to size"), "{}", told.out);
    assert!(told.err.is_empty(), "{}", told.err);
    let inspected = done(relying, "verifier inspect root.1").out;
    assert!(inspected.contains("trust root"), "{inspected}");
}

#[test]
fn a_renewal_by_two_of_three_is_taken_and_old_proofs_hold_under_the_policy_of_their_time() {
    let stage = tempfile::tempdir().unwrap();
    let mut renewal = Renewal::rooted(stage.path());
    let (relying, signer, log) =
        (renewal.relying.clone(), renewal.story.at("signer"), renewal.story.at("log"));

    // Tuesday, under the first root, which expires in a month: everybody who reads it hears so.
    renewal.story.append("tuesday", 2..4).unwrap();
    renewal.story.cosign("tuesday").unwrap();
    let told = done(&log, "log receipts tuesday.batch.cbor -o t.receipts.cbor --policy policy");
    assert!(
        told.err.contains("log: policy: warning: the policy expires in 30 days"),
        "{}",
        told.err
    );
    copy(&log.join("t.receipts.cbor"), &signer.join("t.receipts.cbor")).unwrap();
    let told = done(&signer, "signer import t.receipts.cbor --policy policy");
    assert!(
        told.err.contains("signer: policy: warning: the policy expires in 30 days"),
        "{}",
        told.err
    );
    renewal.proofs(0..4);
    let told = done(&relying, "verifier check d2.txt --policy policy --strict-validity");
    assert!(told.out.contains("  validity   cosigned within the policy's time"), "{}", told.out);
    assert!(told.out.contains("made under this policy"), "{}", told.out);

    // Two witnesses go, and one comes.
    let new = renewal.story.at("new");
    std::fs::create_dir(&new).unwrap();
    done(&new, "witness init --name new.example/witness --unencrypted");
    done(&new, &format!("witness add-log {}", log.join("policy").display()));
    let lines = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let text = lines(log.join("coldlog-log/log.policy"))
        + &lines(renewal.story.at("w1").join("coldlog-witness/witness.policy"))
        + &lines(new.join("coldlog-witness/witness.policy"))
        + "group both all w1.example/witness new.example/witness\nquorum both\n";
    std::fs::write(relying.join("new-lines"), &text).unwrap();
    let later = now() + 700 * DAY;
    let draft = format!("verifier policy renew policy --to new-lines --expires {later} -o draft.2");
    let told = done(&relying, &draft).out;
    for line in [
        "The witness new.example/witness is new, with the keys ",
        "The witness w2.example/witness is gone: it vouches for no new head.",
        "Who must cosign: 2 of 2, w1.example/witness, new.example/witness. Until now: 2 of 3, w1",
        "Silent witnesses that it takes for nothing new to be accepted: 1 of 2, until now 2 of 3.",
        "it has 0 of the 2 signatures by keys of the policy in force (ada.example/policy, ",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let told = json(&relying, "verifier policy diff policy draft.2 --json");
    let changes = told["changes"].as_array().unwrap();
    assert!(changes.iter().any(|change| change["change"] == "quorum"), "{told}");

    // One signature is too few, and a forged text has none.
    renewal.last("last.2");
    let adopt = "verifier policy adopt --policy policy --last last.2 --yes";
    renewal.sign("ada", "draft.2", "by-ada");
    let few = "is signed by 1 of the policy keys in force (ada.example/policy), 2 are needed";
    refused(&relying, &format!("{adopt} by-ada"), 1, few);
    renewal.sign("linus", "draft.2", "by-linus");
    let line = "verifier policy join by-ada by-linus --policy policy -o root.2";
    let told = done(&relying, line).out;
    assert!(told.contains("2 of the 2 signatures by keys of the policy in force"), "{told}");
    let forged = lines(relying.join("root.2")).replace("group both all", "group both any");
    std::fs::write(relying.join("forged"), forged).unwrap();
    refused(&relying, &format!("{adopt} forged"), 1, "does not verify: the note was altered");
    let line = "verifier policy join by-ada forged --policy policy -o x";
    refused(&relying, line, 1, "another trust root than the first");
    let before = std::fs::read(relying.join("policy")).unwrap();
    refused(&relying, &format!("{adopt} root.1"), 1, "is in force already");
    assert_eq!(std::fs::read(relying.join("policy")).unwrap(), before);
    let told = done(&relying, &format!("{adopt} root.2"));
    assert!(
        told.out.contains("by ada.example/policy, linus.example/policy under the rules in force"),
        "{}",
        told.out
    );
    assert!(
        told.out.contains("policy: heads of log.example/releases up to size 6 by the old policy"),
        "{}",
        told.out
    );
    assert!(told.err.is_empty(), "nothing expires soon any more: {}", told.err);

    // An older one is never taken again; another one of the same version is a fork.
    refused(&relying, &format!("{adopt} root.1"), 1, "rollback: version 1 of the trust root");
    copy(&relying.join("policy"), &relying.join("policy.2")).unwrap();
    std::fs::write(relying.join("policy"), &before).unwrap();
    let fork = format!("verifier policy renew policy --expires {later} -o draft.fork");
    done(&relying, &fork);
    renewal.sign("grace", "draft.fork", "fork");
    renewal.sign("linus", "fork", "fork");
    copy(&relying.join("policy.2"), &relying.join("policy")).unwrap();
    let why = "fork: two trust roots of version 2 are signed by grace.example/policy, linus.example/policy";
    refused(&relying, &format!("{adopt} fork"), 1, why);
    assert_eq!(
        std::fs::read(relying.join("policy")).unwrap(),
        std::fs::read(relying.join("policy.2")).unwrap()
    );

    // Wednesday, under the second: the new witness, without the two old ones.
    renewal.everywhere();
    renewal.story.append("wednesday", 4..6).unwrap();
    done(&log, "log witness-request -o r.cbor");
    copy(&log.join("r.cbor"), &renewal.story.at("w1").join("r.cbor")).unwrap();
    done(&renewal.story.at("w1"), "witness cosign r.cbor -o a.cbor");
    done(&log, "log witness-request --old 0 -o r0.cbor");
    copy(&log.join("r0.cbor"), &new.join("r.cbor")).unwrap();
    done(&new, "witness cosign r.cbor -o a.cbor");
    copy(&renewal.story.at("w1").join("a.cbor"), &log.join("a.cbor")).unwrap();
    copy(&new.join("a.cbor"), &log.join("b.cbor")).unwrap();
    done(&log, "log add-cosignatures a.cbor b.cbor --policy policy");
    done(&log, "log receipts wednesday.batch.cbor -o w.receipts.cbor --policy policy");
    copy(&log.join("w.receipts.cbor"), &signer.join("w.receipts.cbor")).unwrap();
    let told = done(&signer, "signer import w.receipts.cbor --policy policy");
    assert!(told.err.is_empty(), "{}", told.err);
    renewal.proofs(4..6);
    // Each under the policy of its time: the first had no root, the second and the third have.
    for (document, of, until) in [("d0", 3, Some(4)), ("d2", 3, Some(6)), ("d4", 2, None)] {
        let line =
            format!("verifier check {document}.txt --policy policy --json --strict-validity");
        let told = json(&relying, &line);
        let witnessed = &told["documents"][0]["logs"][0]["witnessed"];
        assert_eq!(witnessed["of"], of, "{document}");
        assert_eq!(witnessed["until"], until.map_or(Value::Null, Value::from), "{document}");
        let within = if document == "d0" { Value::Null } else { "within".into() };
        assert_eq!(witnessed["validity"]["cosigned"], within, "{document}");
        assert_eq!(told["documents"][0]["made_under_this_policy"], true, "{document}");
        assert_eq!(told["policy"]["standing"], "in force", "{document}");
    }
    let told = done(&relying, "verifier policy check policy").out;
    assert!(told.contains("Trust root version 2, "), "{told}");
    assert!(
        told.contains("up to 6: 3 witnesses, quorum two-of-three, trust root version 1"),
        "{told}"
    );
    done(&log, "log fsck --policy policy");
}

#[test]
fn an_expired_policy_is_said_and_refuses_nothing_unless_that_is_demanded() {
    let stage = tempfile::tempdir().unwrap();
    let mut renewal = Renewal::begin(stage.path());
    // Its time was over before the head of today.
    let digest = renewal.first_root(1_600_000_000, 1_700_000_000);
    renewal.last("last");
    let line = "verifier policy adopt root.1 --policy policy --last last --yes --fingerprint";
    let relying = renewal.relying.clone();
    let told = done(&relying, &format!("{line} {digest}"));
    let expired = "warning: the policy expired at 2023-11-14T22:13:20Z: what was cosigned before stays proven";
    assert!(told.err.contains(&format!("verifier: root.1: {expired}")), "{}", told.err);
    renewal.everywhere();
    renewal.story.append("tuesday", 2..4).unwrap();
    renewal.story.cosign("tuesday").unwrap();
    let (log, signer) = (renewal.story.at("log"), renewal.story.at("signer"));
    done(&log, "log receipts tuesday.batch.cbor -o t.receipts.cbor --policy policy");
    copy(&log.join("t.receipts.cbor"), &signer.join("t.receipts.cbor")).unwrap();
    let told = done(&signer, "signer import t.receipts.cbor --policy policy");
    assert!(told.err.contains(&format!("signer: policy: {expired}")), "{}", told.err);
    assert!(told.err.contains("no quorum had cosigned before "), "{}", told.err);
    renewal.proofs(0..4);
    let told = done(&relying, "verifier check d2.txt --policy policy");
    let late = "the policy expired at 2023-11-14T22:13:20Z";
    assert!(
        told.out.contains("  validity   NOT shown within the policy's time: no quorum"),
        "{}",
        told.out
    );
    assert!(told.err.contains(&format!("verifier: policy: {expired}")), "{}", told.err);
    assert!(
        told.err.contains("verifier: d2.txt: warning: the head of log.example/releases: no quorum"),
        "{}",
        told.err
    );
    assert!(told.err.contains(late), "{}", told.err);
    let told = json(&relying, "verifier check d2.txt --policy policy --json");
    assert_eq!(told["result"], "yes");
    assert_eq!(told["policy"]["standing"], "expired");
    let witnessed = &told["documents"][0]["logs"][0]["witnessed"];
    assert_eq!(witnessed["validity"]["cosigned"], "late");
    let strict = "verifier check d2.txt --policy policy --strict-validity";
    refused(
        &relying,
        strict,
        1,
        "within the time for which the policy is meant: no quorum had cosigned before",
    );
    // What was proven before it is not of its time, and holds.
    done(&relying, "verifier check d0.txt --policy policy --strict-validity");
    let told = done(&relying, "verifier policy check policy");
    assert!(told.err.contains(expired), "{}", told.err);
    // An expired one is renewed like any other.
    let draft = format!("verifier policy renew policy --expires {} -o draft.2", now() + 500 * DAY);
    let told = done(&relying, &draft).out;
    assert!(
        told.contains("Attention: no policy is meant for the time from 2023-11-14T22:13:20Z to"),
        "{told}"
    );
    renewal.sign("ada", "draft.2", "root.2");
    renewal.sign("grace", "root.2", "root.2");
    renewal.last("last.2");
    let told = done(&relying, "verifier policy adopt root.2 --policy policy --last last.2 --yes");
    assert!(told.err.is_empty(), "{}", told.err);
}

#[test]
fn only_who_holds_a_policy_key_signs_and_a_root_changes_by_its_renewal_only() {
    let stage = tempfile::tempdir().unwrap();
    let renewal = Renewal::rooted(stage.path());
    let relying = &renewal.relying;
    let line = "verifier policy key -o stranger.key --unencrypted --name stranger.example/policy";
    done(relying, line);
    // A key is never replaced.
    refused(relying, line, 2, "stranger.key");
    let draft = format!("verifier policy renew policy --expires {} -o draft.2", now() + 500 * DAY);
    done(relying, &draft);
    let line = "verifier policy sign draft.2 --policy policy -o signed --yes --key";
    refused(
        relying,
        &format!("{line} stranger.key"),
        1,
        "neither the policy in force nor the new one names",
    );
    let other = renewal.story.at("w1").join("coldlog-witness/key.age");
    let line = format!("{line} {}", other.display());
    refused(relying, &line, 2, "is the key of a witness, expected the key of a policy");
    // By lines alone nobody changes it.
    std::fs::write(
        relying.join("lines"),
        std::fs::read(renewal.story.at("w1").join("policy")).unwrap(),
    )
    .unwrap();
    let line = "verifier policy extend policy lines --last last.1 -o x";
    refused(relying, line, 2, "`verifier policy renew` drafts its renewal");
    let unsound = "verifier policy renew policy --to alone --expires 2100-01-01 -o draft.3";
    std::fs::write(relying.join("alone"), "quorum none\n").unwrap();
    refused(relying, unsound, 1, "the new policy is not sound: the quorum is none");
}

#[test]
fn a_kill_while_a_renewal_is_taken_leaves_the_old_policy_or_the_new_one() {
    let stage = tempfile::tempdir().unwrap();
    let renewal = Renewal::rooted(stage.path());
    let relying = &renewal.relying;
    done(
        relying,
        &format!("verifier policy renew policy --expires {} -o draft.2", now() + 500 * DAY),
    );
    renewal.sign("ada", "draft.2", "root.2");
    renewal.sign("grace", "root.2", "root.2");
    renewal.last("last.2");
    let line = "verifier policy adopt root.2 --policy policy --last last.2 --yes";
    let before = std::fs::read(relying.join("policy")).unwrap();
    let after = format!("{line} -o after");
    done(relying, &after);
    let after = std::fs::read(relying.join("after")).unwrap();
    assert_ne!(before, after);
    killed_everywhere(relying, line, |folder, place| {
        let there = std::fs::read(folder.join("policy")).unwrap();
        assert!(there == before || there == after, "{place}");
    });
}
