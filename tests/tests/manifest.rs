//! Manifests, in CSV and in CBOR.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_spec::manifest::{Row, encode};
use coldlog_tests::run;
use coldlog_tests::story::Story;

#[test]
fn a_manifest_in_csv_or_cbor_says_what_is_signed_and_stays_in_its_folder() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = Story::new(stage.path(), false, 10).unwrap();
    story.set_up().unwrap();
    let folder = story.at("signer");
    std::fs::create_dir(folder.join("dist")).unwrap();
    for name in ["a", "b"] {
        std::fs::write(folder.join("dist").join(name), name).unwrap();
    }
    let sign = |manifest: &str| {
        let line = format!(
            "signer sign --manifest {manifest} --operator Ada --version 7 --passphrase-file passphrase"
        );
        run(&folder, &line).unwrap()
    };
    std::fs::write(folder.join("m.csv"), "file,name,version\ndist/a,Alpha,\n").unwrap();
    assert_eq!(sign("m.csv").code, 0);
    let row = Row { file: "dist/b".into(), version: Some("8".into()), ..Row::default() };
    std::fs::write(folder.join("m.cbor"), encode(std::slice::from_ref(&row))).unwrap();
    assert_eq!(sign("m.cbor").code, 0);
    let list = run(&folder, "signer list --json").unwrap().out;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let of = |n: usize, field: &str| list["records"][n]["document"][field].clone();
    assert_eq!((of(1, "name"), of(1, "version")), ("Alpha".into(), "7".into()));
    assert_eq!((of(2, "name"), of(2, "version")), ("b".into(), "8".into()));

    for file in ["../passphrase", "/etc/passwd", "dist/../../x", ""] {
        let row = Row { file: file.into(), ..row.clone() };
        std::fs::write(folder.join("bad.cbor"), encode(&[row])).unwrap();
        let refused = sign("bad.cbor");
        assert_eq!(refused.code, 2, "{file}: {}", refused.err);
        assert!(refused.err.contains("leads out of its folder"), "{}", refused.err);
    }
    std::fs::write(folder.join("twice.csv"), "file\ndist/a\ndist/a\n").unwrap();
    assert!(sign("twice.csv").err.contains("two inputs would write"), "two for one output");
}
