//! Reports to look at and to test with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

use coldlog_report::model::*;
use coldlog_report::register::{Register, Seen};
use coldlog_report::{Report, glossary};

/// 2026-07-01 in UTC.
const JULY: u64 = 1_782_864_000;
const DAY: u64 = 86_400;

fn counts(all: &[(&str, u64)]) -> Vec<Count> {
    all.iter().map(|(name, number)| Count { name: (*name).into(), number: *number }).collect()
}

fn hash(digit: char) -> String {
    format!("{digit}3f9a0c17be54d26").repeat(4)
}

/// A quarter of a small team.
pub fn quarter() -> Report {
    let witness =
        |name: &str, day: u64| Witness { name: name.into(), time: JULY + day * DAY + 4_711 };
    let head = |size, digit, day| Head {
        size,
        root: hash(digit),
        witnesses: vec![
            witness("witness.example.org/one", day),
            witness("witness.example.net/two", day),
            witness("monitor.example.com/three", day),
        ],
    };
    Report {
        title: "Audit of the signing log".into(),
        organisation: "Example Products GmbH & Co. KG".into(),
        origin: "log.example.org/releases".into(),
        period: Period { name: "2026-Q3".into(), from: JULY, until: JULY + 92 * DAY },
        made: JULY + 97 * DAY + 43_200,
        auditor: "Zoë Łukasiewicz, internal audit".into(),
        policy: hash('d'),
        scope: vec![
            "All entries of the log from its beginning to the newest head, and all sealed records that the auditor's key opens.".into(),
            "The journals of both signers of the release team, with their tails from paper.".into(),
        ],
        heads: vec![head(1_024, 'a', 0), head(1_391, 'b', 31), head(1_873, 'c', 91)],
        proven: vec![
            "Every entry under the newest head is signed by a key that was in force when it was logged.".into(),
            "No record is missing: each journal is numbered without gaps, and its chain is intact.".into(),
            "The log only grew: each head extends the one before, and three independent witnesses say so.".into(),
            "Each sealed record that was opened is what its public statement commits to.".into(),
        ],
        not_proven: vec![
            "That a key was never used outside the signer. Such a signature has no record; relying parties refuse it, because it has no proof.".into(),
            "What two sealed records say: they were not opened with this key (entries 1,200 and 1,201).".into(),
            "The signing machine's own clock: times between the witnesses' bounds are its claim.".into(),
        ],
        counts: Counts {
            signers: counts(&[("example.org/release-signer", 702), ("example.org/firmware-signer", 147)]),
            operators: counts(&[("Ada", 402), ("Bea Müller", 251), ("Carl", 120), ("Юлия", 76)]),
            keys: counts(&[(&hash('1'), 702), (&hash('2'), 147)]),
            documents: (1..=22)
                .map(|n| Count { name: format!("product-{n}.tar.gz"), number: 50 - n + 2 * u64::from(n == 1) })
                .collect(),
            months: counts(&[("2026-07", 367), ("2026-08", 203), ("2026-09", 279)]),
        },
        findings: findings(),
        access: vec![
            Access { reader: "Zoë Łukasiewicz".into(), reads: 41, records: 849, first: Some(JULY + DAY), last: Some(JULY + 90 * DAY) },
            Access { reader: "counsel".into(), reads: 1, records: 3, first: Some(JULY + 50 * DAY), last: Some(JULY + 50 * DAY) },
        ],
        commands: vec![
            Command {
                purpose: "Anybody: is this document's signature logged, by whom, between which times?".into(),
                command: "verifier check product-1.tar.gz --policy policy".into(),
            },
            Command {
                purpose: "Anybody: is a record missing, does each head extend the one before?".into(),
                command: "verifier completeness --log https://log.example.org/releases --policy policy\nverifier heads verify heads/1024 heads/1873 --policy policy".into(),
            },
            Command {
                purpose: "Anybody: is the policy the one of this report?".into(),
                command: format!("printf '%s  policy\\n' {} | sha256sum --check", hash('d')),
            },
        ],
        glossary: glossary::default(),
    }
}

fn findings() -> Vec<Finding> {
    let seen = |kind: &str, severity, index, expected: &str, found: &str| Seen {
        kind: kind.into(),
        severity,
        signer: "example.org/release-signer".into(),
        index: Some(index),
        sequence: Some(index),
        place: format!("entry {index}, record {index} of example.org/release-signer"),
        expected: expected.into(),
        found: found.into(),
    };
    let old = [
        seen(
            "approvals",
            Severity::High,
            1_017,
            "two approvals, as the genesis demands",
            "one, by Bea Müller",
        ),
        seen(
            "clock",
            Severity::Note,
            1_020,
            "a time after the head that it names",
            "a time 312 seconds before it",
        ),
    ];
    let new = [
        old[0].clone(),
        seen(
            "receipt late",
            Severity::Warning,
            1_400,
            "a receipt within 24 hours",
            "one after 61 hours",
        ),
        seen(
            "revoked key",
            Severity::Critical,
            1_650,
            "a key in force",
            &format!("the key {} after its revocation", hash('2')),
        ),
    ];
    let mut register = Register::default();
    register.take(&old, "2026-Q2").unwrap();
    let mut text = String::from_utf8(register.write()).unwrap();
    text = text.replacen(
        "high,open,,,",
        "high,in work,\"Second approver named.\nTraining on 14 October.\",Carl,asked on the phone",
        1,
    );
    text = text.replacen("note,open,,,", "note,closed,Clock set before each run.,Ada,", 1);
    register = Register::read(text.as_bytes()).unwrap();
    register.take(&new, "2026-Q3").unwrap();
    register.findings().to_vec()
}

/// The same with `count` findings.
pub fn with_findings(count: u64) -> Report {
    let seen: Vec<Seen> = (0..count)
        .map(|index| Seen {
            kind: "approvals".into(),
            severity: Severity::ALL[index as usize % 4],
            signer: "example.org/release-signer".into(),
            index: Some(index),
            sequence: Some(index),
            place: format!("entry {index} of the log"),
            expected: "two approvals, as the genesis demands".into(),
            found: format!("one, under the key {}", hash('e')),
        })
        .collect();
    let mut register = Register::default();
    register.take(&seen, "2026-Q3").unwrap();
    Report { findings: register.findings().to_vec(), ..quarter() }
}

/// Names that try everything, in every place that takes a name.
pub fn hostile() -> Report {
    let nasty = [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>' onmouseover='alert(1)",
        "#eval(\"1\") *strong* $x^2$ `raw` @ref <label> // comment /* ",
        "\u{202e}txt.exe\u{2066} zero\u{200b}width \u{feff}\u{e0041}",
        "line\nbreak\r\nand\ttab \u{1b}[2J\u{0}",
        "中文文件名.pdf مرحبا שלום 😀 👩\u{200d}👩",
        "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}a\u{308} e\u{301}",
        "</style></title></svg>]]>--><!--",
        "&lt;b&gt; &amp; &#x3c;",
        "\u{ffff}\u{fdd0}\u{e000}\u{10ffff}",
    ];
    let long = "W".repeat(3_000);
    let name = |n: usize| nasty[n % nasty.len()].to_owned();
    let all = |from: usize| -> Vec<Count> {
        let names = nasty.iter().copied().chain([long.as_str(), "", "  "]);
        names
            .enumerate()
            .map(|(n, name)| Count { name: name.into(), number: (from + n) as u64 })
            .collect()
    };
    Report {
        title: name(0),
        organisation: name(5),
        origin: name(1),
        period: Period { name: name(4), from: 0, until: u64::MAX },
        made: u64::MAX,
        auditor: name(7),
        policy: long.clone(),
        scope: nasty.map(Into::into).to_vec(),
        heads: vec![Head {
            size: u64::MAX,
            root: long.clone(),
            witnesses: (0..9).map(|n| Witness { name: name(n), time: u64::MAX }).collect(),
        }],
        proven: nasty.map(Into::into).to_vec(),
        not_proven: vec![long.clone()],
        counts: Counts {
            signers: all(0),
            operators: all(u32::MAX as usize),
            keys: all(3),
            documents: all(1),
            months: all(2),
        },
        findings: (0..nasty.len())
            .map(|n| Finding {
                id: name(n),
                kind: name(n + 1),
                severity: Severity::Critical,
                place: name(n + 2),
                expected: name(n + 3),
                found: long.clone(),
                first_reported: name(n + 4),
                last_seen: name(n + 5),
                state: State::Open,
                action: name(n + 6),
                owner: name(n + 7),
                note: name(n + 8),
            })
            .collect(),
        access: (0..nasty.len())
            .map(|n| Access {
                reader: name(n),
                reads: u64::MAX,
                records: 0,
                first: None,
                last: Some(0),
            })
            .collect(),
        commands: (0..nasty.len())
            .map(|n| Command { purpose: name(n), command: name(n + 1) })
            .collect(),
        glossary: (0..nasty.len()).map(|n| Term { term: name(n), meaning: name(n + 1) }).collect(),
    }
}
