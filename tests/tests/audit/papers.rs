//! `verifier report` and `verifier bundle`: what people get who run none of our programs.

use crate::forge::{Demands, Forge, document};
use coldlog_spec::record::Record;
use coldlog_tests::{ran, run};
use std::path::Path;
use std::process::Command;

const REPORT: &str = "verifier report --log public --policy policy --identity auditor.key --period 2026-Q2 --organisation 'Example Ltd' --auditor grace --why quarter -o report";

fn log(folder: &Path) -> Forge {
    let mut forge = Forge::new(Demands::Nothing, 20);
    forge.sign(Record { operator: "<Mallory>".into(), ..forge.record(20) });
    forge.publish(folder);
    forge
}

#[test]
fn a_report_tells_what_was_found_and_carries_over_what_people_wrote() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    let told = run(folder, REPORT).unwrap();
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.contains("1 findings are not closed"), "{}", told.out);
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for text in
        ["Example Ltd", "log.example/test", "operator-unknown", "&lt;Mallory&gt;", "2026-05"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<Mallory>"));
    let pdf = std::fs::read(folder.join("report.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let read =
        Command::new("pdftotext").args(["-layout", "report.pdf", "-"]).current_dir(folder).output();
    let text = ran(&read.expect("pdftotext (poppler-utils) is needed for this test"));
    assert!(
        text.out.contains("operator-unknown") && text.out.contains("<Mallory>"),
        "{}",
        text.out
    );
    // The commands that it names are there, with these options; what can be run here is.
    let text = page.replace("&#39;", "'").replace("&quot;", "\"");
    let commands: Vec<&str> = text
        .split("<pre><code>")
        .skip(1)
        .filter_map(|rest| rest.split("</code>").next())
        .flat_map(str::lines)
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let help = run(folder, &format!("{} {} --help", words[0], words[1])).unwrap();
        assert_eq!(help.code, 0, "{command}");
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.out.contains(option), "{command}: {option}");
        }
        let usage = help.out.lines().find(|line| line.contains("Usage:")).unwrap();
        let needed = usage.split(' ').filter(|word| word.starts_with("--"));
        needed.for_each(|option| assert!(words.contains(&option), "{command}: {option}"));
        if words[0] == "verifier" && words[1] != "check" {
            assert!(run(folder, command).unwrap().code < 2, "{command}");
        }
    }
    // Nothing is written over.
    assert_eq!(run(folder, REPORT).unwrap().code, 2);
    // People take it up; the next report says so, and forgets nothing.
    let register = std::fs::read_to_string(folder.join("findings.csv")).unwrap();
    let taken = register.replacen(",open,", ",in work,", 1);
    assert_ne!(register, taken, "{register}");
    std::fs::write(folder.join("findings.csv"), &taken).unwrap();
    let next = REPORT.replace("2026-Q2", "2026-Q3").replace("-o report", "-o next");
    let told = run(folder, &next).unwrap();
    assert_eq!(told.code, 0, "{}", told.err);
    let page = std::fs::read_to_string(folder.join("next.html")).unwrap();
    assert!(page.contains("in work") && page.contains("2026-Q2"), "what people wrote is lost");
    let register = std::fs::read_to_string(folder.join("findings.csv")).unwrap();
    assert!(register.contains(",in work,"), "{register}");
    let wrong = REPORT.replace("2026-Q2", "2026-Q7").replace("-o report", "-o wrong");
    let told = run(folder, &wrong).unwrap();
    assert!(told.code == 2 && told.err.contains("2026-Q3"), "{}", told.err);
}

/// An expert's program: nothing of ours, but the bundle's own explanation.
const EXPERT: &str = r#"
import base64, hashlib, subprocess, sys, zipfile
import cbor2
bundle = zipfile.ZipFile("case.zip")
names = bundle.namelist()
assert names == sorted(names) and bundle.testzip() is None
read = bundle.read
explained = read("README.txt").decode()
assert "Entry 5" in explained and "document-3" in explained, explained
statement = read("entries/5.statement")
lines = read("entries/5.tlog-proof").decode().split("\n\n", 1)
head, *path = lines[0].split("\n")[1:]
index = int(head.split(" ")[1])
checkpoint = lines[1]
assert checkpoint.encode() == read("head")
origin, size, root = checkpoint.split("\n")[:3]
node = hashlib.sha256(b"\0" + statement).digest()
fn, sn = index, int(size) - 1
for step in map(base64.b64decode, path):
    if fn & 1 or fn == sn:
        node = hashlib.sha256(b"\1" + step + node).digest()
        while not fn & 1 and fn:
            fn >>= 1; sn >>= 1
    else:
        node = hashlib.sha256(b"\1" + node + step).digest()
    fn >>= 1; sn >>= 1
assert sn == 0 and node == base64.b64decode(root)
sign1 = cbor2.loads(statement).value
disclosure = read("entries/5.disclosure")
assert sign1[2] == hashlib.sha256(disclosure).digest()
salt, record = cbor2.loads(disclosure)
document = read("documents/document-3")
assert record["document"]["sha256"] == hashlib.sha256(document).digest()
open("expert.sig", "wb").write(read("entries/5.sig"))
subprocess.run(["ssh-keygen", "-Y", "check-novalidate", "-n", "file", "-s", "expert.sig"], input=document, check=True, stdout=subprocess.DEVNULL)
assert "key-events-1" in names and "policy" in names and "verify.html" in names
assert not any(name.startswith("entries/6") for name in names)
print("convinced")
"#;

#[test]
fn an_expert_verifies_a_bundle_with_nothing_of_ours() {
    let stage = tempfile::tempdir().unwrap();
    let folder = stage.path();
    log(folder);
    std::fs::write(folder.join("document-3"), document(3)).unwrap();
    std::fs::write(folder.join("verify.html"), "<html>").unwrap();
    let line = "verifier bundle 5 --log public --policy policy --identity auditor.key --auditor grace --why case --file document-3 --page verify.html -o case.zip";
    let told = run(folder, line).unwrap();
    assert_eq!(told.code, 0, "{}", told.err);
    let first = std::fs::read(folder.join("case.zip")).unwrap();
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let expert = Command::new(python).current_dir(folder).args(["-c", EXPERT]).output();
    let expert = ran(&expert.expect("Python is needed for this test"));
    assert_eq!((expert.code, expert.out.trim()), (0, "convinced"), "{}", expert.err);
    // The same bytes each time; nothing is written over, no stranger's document is taken.
    let again = run(folder, &line.replace("case.zip", "again.zip")).unwrap();
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(std::fs::read(folder.join("again.zip")).unwrap(), first);
    let other = line.replace("--page verify.html ", "");
    assert_eq!(run(folder, &other).unwrap().code, 2);
    std::fs::write(folder.join("stranger"), "other").unwrap();
    let wrong = line.replace("--file document-3", "--file stranger").replace("case.zip", "x.zip");
    let told = run(folder, &wrong).unwrap();
    assert!(told.code == 2 && told.err.contains("none of these entries"), "{}", told.err);
    let beyond = line.replace("bundle 5", "bundle 5 900").replace("case.zip", "x.zip");
    assert_eq!(run(folder, &beyond).unwrap().code, 1);
    assert!(!folder.join("x.zip").exists());
    // What is doubtful is told.
    let told = run(
        folder,
        "verifier bundle 22 --log public --policy policy --identity auditor.key -o doubtful.zip",
    );
    assert_eq!(told.unwrap().code, 0);
    let bytes = std::fs::read(folder.join("doubtful.zip")).unwrap();
    assert!(bytes.windows(24).any(|window| window == b"FINDING operator-unknown"));
}
