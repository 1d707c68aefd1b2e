//! A machine that makes bad signatures: each is recorded as such, and none leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_kit::exit::Failure;
use coldlog_kit::seal;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::{init, sign};
use coldlog_signer::factors::SecondSource;
use coldlog_signer::journal::Journal;
use coldlog_spec::record::Operation;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_signature_that_does_not_verify_is_recorded_and_not_released() {
    let stage = tempfile::tempdir().unwrap();
    let home = stage.path().join("home");
    let passphrase = stage.path().join("passphrase");
    std::fs::write(&passphrase, "a test\n").unwrap();
    std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
    let secret = Source::of(Some(passphrase), None);
    let auditor = seal::write_identity(&stage.path().join("auditor.key")).unwrap();
    let options = init::Options {
        name: "signer.example".into(),
        rehearsal: false,
        journal: "journal".into(),
        operators: vec!["Ada".into()],
        auditors: vec![auditor.to_string()],
        device: "a test".into(),
        import_ssh_key: None,
        recovers: None,
        place: coldlog_kit::custody::NewKey::default(),
        scrypt_log_n: 10,
        approvers: Vec::new(),
        threshold: None,
        second_factor: None,
        yes: true,
        secret: secret.clone(),
        second: SecondSource::default(),
    };
    assert!(init::run(&home, &options).is_ok());

    let (good, bad) = (stage.path().join("good.txt"), stage.path().join("bad.txt"));
    std::fs::write(&good, "good").unwrap();
    std::fs::write(&bad, "bad").unwrap();
    let mut options = sign::Options {
        files: vec![bad.clone(), good.clone()],
        operator: Some("Ada".into()),
        name: None,
        version: Some("1".into()),
        purpose: Some("test".into()),
        format: "sshsig".into(),
        recursive: false,
        files_from: None,
        manifest: None,
        output_dir: None,
        force: false,
        keep_going: false,
        clock_wrong: false,
        yes: true,
        show_all: false,
        self_check: |key, bytes, digest| digest.size == 4 && sign::self_check(key, bytes, digest),
        approvals: Vec::new(),
        secret,
        second: SecondSource::default(),
    };
    let refused = sign::run(&home, &options);
    let Err(Failure::No(why)) = refused else { panic!("{refused:?}") };
    assert!(why.to_string().contains("1 signatures did not verify"), "{why}");
    let released = |path: &std::path::Path| coldlog_kit::files::with_suffix(path, "sig").exists();
    assert!(released(&good) && !released(&bad));
    let verified = |sequence| {
        let row = Journal::open_to_read(&home).unwrap().row(sequence).unwrap().unwrap();
        let Operation::Sign { signature, .. } = row.disclosure.record.operation else { panic!() };
        (signature.verified, row.released)
    };
    assert_eq!(verified(1), (false, false));
    assert_eq!(verified(2), (true, true));

    // A machine that works again signs the document anew: the bad record is no excuse for none.
    options.self_check = sign::self_check;
    assert!(sign::run(&home, &options).is_ok());
    assert!(released(&bad));
    assert_eq!(verified(3), (true, true));
    assert_eq!(Journal::open_to_read(&home).unwrap().tail().unwrap().tail.count, 4);
}
