//! Each default rule with what it tells of and what it does not.

use super::*;
use crate::monitor::Severity;
use crate::monitor::event::{Finding, Read};
use coldlog_spec::record::Clock;

#[test]
fn every_default_rule_has_a_test_here() {
    let rules = Rules::parse(DEFAULT_RULES, Path::new(".")).unwrap_or_else(|why| panic!("{why}"));
    let source = include_str!("default_rules.rs");
    for rule in &rules.rules {
        assert!(source.contains(&format!("bench(\"{}\")", rule.name)), "{} has no test", rule.name);
    }
    assert!(rules.rules.len() >= 25);
}

#[test]
fn new_operators_machines_keys_and_kinds_are_told_once() {
    let first = |mut bench: Bench, alter: &dyn Fn(&mut Row, &str)| {
        assert_eq!(bench.record(MONDAY, |row| alter(row, "one")), 1);
        assert_eq!(bench.record(MONDAY, |row| alter(row, "one")), 0);
        assert_eq!(bench.record(MONDAY, |row| alter(row, "two")), 1);
        assert_eq!(bench.record(MONDAY, |row| alter(row, "one")), 0);
        // Of another signer it is another one.
        let other = |row: &mut Row| row.signer = "other.example".into();
        assert_eq!(
            bench.record(MONDAY, |row| {
                alter(row, "one");
                other(row)
            }),
            1
        );
    };
    first(bench("new-operator"), &|row, name| row.operator = Some(name.into()));
    first(bench("new-machine"), &|row, name| row.device = Some(name.into()));
    first(bench("new-key"), &|row, name| row.key = name.into());
    first(bench("new-kind"), &|row, name| document(row).media_type = name.into());
    // What was not opened names nobody.
    assert_eq!(bench("new-operator").record(MONDAY, |row| row.operator = None), 0);
    assert_eq!(bench("new-kind").record(MONDAY, |row| row.document = None), 0);
}

#[test]
fn out_of_hours_is_the_night_and_the_weekend() {
    let mut bench = bench("out-of-hours");
    for (hours, expected) in
        [(0, 0), (9, 0), (10, 1), (14, 1), (19, 0), (5 * 24, 1), (6 * 24, 1), (7 * 24, 0)]
    {
        assert_eq!(
            bench.record(MONDAY + hours * HOUR, |_| ()),
            expected,
            "{hours} hours after Monday, 10:00"
        );
    }
    // A claimed time beyond the witnesses' bounds does not make it day.
    let night = MONDAY + 16 * HOUR;
    assert_eq!(bench.record(night, |row| row.claimed = Some(MONDAY)), 1);
}

#[test]
fn many_signatures_by_an_operator_or_a_key_are_told_once_until_there_are_fewer() {
    let mut bench = bench("many-by-operator");
    let told: usize = (0..200).map(|at| bench.record(MONDAY + at, |_| ())).sum();
    assert_eq!(told, 0);
    assert_eq!(bench.record(MONDAY + 300, |row| row.operator = Some("Grace".into())), 0);
    assert_eq!(bench.record(MONDAY + 300, |_| ()), 1);
    assert_eq!(bench.record(MONDAY + 301, |_| ()), 0);
    let later = MONDAY + 3 * HOUR;
    let told: usize = (0..201).map(|at| bench.record(later + at, |_| ())).sum();
    assert_eq!(told, 1);
    let mut bench = self::bench("many-by-key");
    let told: usize = (0..2000)
        .map(|at| bench.record(MONDAY + at * 10, |row| row.operator = Some(at.to_string())))
        .sum();
    assert_eq!(told, 0);
    assert_eq!(bench.record(MONDAY + 20_010, |row| row.key = "bb".into()), 0);
    assert_eq!(bench.record(MONDAY + 20_020, |_| ()), 1);
}

#[test]
fn the_same_document_again_is_told_and_again_and_again_more_loudly() {
    let mut bench = bench("same-document-twice");
    let same = |row: &mut Row| document(row).sha256 = Hash::of(b"same");
    assert_eq!(bench.record(MONDAY, same), 0);
    assert_eq!(bench.record(MONDAY, |_| ()), 0);
    let mut again = row(9, MONDAY);
    same(&mut again);
    let told = bench.take(&Event::Row(Box::new(again)), MONDAY);
    assert_eq!(told, ["app-9.tar.gz 1.0 was signed before, in entry 1"]);
    let mut bench = self::bench("same-document-often");
    let told: Vec<usize> = (0..6).map(|at| bench.record(MONDAY + at, same)).collect();
    assert_eq!(told, [0, 0, 0, 1, 0, 0]);
    assert_eq!(bench.record(MONDAY + 3 * DAY, same), 0);
}

#[test]
fn growth_is_measured_against_what_was_learnt() {
    let mut bench = bench("growth");
    // Twenty a day for ten days; a day without any counts as well.
    for day in 0..10 {
        let told: usize = (0..20).map(|at| bench.record(MONDAY + day * DAY + at, |_| ())).sum();
        assert_eq!(told, 0, "day {day}");
    }
    let busy = MONDAY + 10 * DAY;
    assert_eq!((0..79).map(|at| bench.record(busy + at, |_| ())).sum::<usize>(), 0);
    assert_eq!((0..50).map(|at| bench.record(busy + 100 + at, |_| ())).sum::<usize>(), 1);
    // Without a baseline nothing is much.
    let mut fresh = self::bench("growth");
    assert_eq!((0..500).map(|at| fresh.record(MONDAY + at, |_| ())).sum::<usize>(), 0);
}

#[test]
fn a_size_far_from_the_usual_is_told_either_way() {
    let mut bench = bench("unusual-size");
    let sized = |size: u64| move |row: &mut Row| document(row).size = size;
    for at in 0..20 {
        assert_eq!(bench.record(MONDAY + at, sized(1_000_000 + at * 1000)), 0);
    }
    assert_eq!(bench.record(MONDAY, sized(5_000_000)), 0);
    assert_eq!(bench.record(MONDAY, sized(900_000_000)), 1);
    assert_eq!(bench.record(MONDAY, sized(12)), 1);
    // Of another kind nothing is known yet.
    assert_eq!(
        bench.record(MONDAY, |row| {
            document(row).media_type = "text/plain".into();
            document(row).size = 12
        }),
        0
    );
}

#[test]
fn a_version_that_goes_backwards_is_told() {
    let mut bench = bench("version-backwards");
    let mut signed = |name: &str, version: &str| {
        let (name, version) = (name.to_owned(), version.to_owned());
        bench.record(MONDAY, |row| {
            document(row).name = name;
            document(row).version = version
        })
    };
    assert_eq!(signed("app", "1.9"), 0);
    assert_eq!(signed("app", "1.10"), 0);
    assert_eq!(signed("app", "1.10"), 0);
    assert_eq!(signed("app", "1.9.1"), 1);
    assert_eq!(signed("tool", "0.1"), 0);
    assert_eq!(signed("app", "2.0"), 0);
    assert_eq!(signed("app", ""), 0);
}

#[test]
fn fewer_approvals_than_before_are_told() {
    let mut bench = bench("missing-approval");
    let with = |approvals: u64| move |row: &mut Row| row.approvals = approvals;
    assert_eq!(bench.record(MONDAY, with(0)), 0);
    assert_eq!(bench.record(MONDAY, with(2)), 0);
    assert_eq!(bench.record(MONDAY, with(1)), 1);
    assert_eq!(
        bench.record(MONDAY, |row| {
            row.approvals = 0;
            row.journal = "other".into()
        }),
        0
    );
    // What was not opened shows no approvals, and says nothing of them.
    assert_eq!(
        bench.record(MONDAY, |row| {
            row.approvals = 0;
            row.opened = false
        }),
        0
    );
    assert_eq!(bench.record(MONDAY, with(2)), 0);
}

#[test]
fn what_does_not_open_is_told() {
    let mut bench = bench("not-opened");
    assert_eq!(bench.record(MONDAY, |_| ()), 0);
    assert_eq!(bench.record(MONDAY, |row| row.opened = false), 1);
}

#[test]
fn clocks_and_what_comes_late_are_told() {
    let mut bench = bench("impossible-time");
    assert_eq!(bench.record(MONDAY, |_| ()), 0);
    assert_eq!(bench.record(MONDAY, |row| row.claimed = Some(MONDAY - HOUR - 200)), 0);
    assert_eq!(bench.record(MONDAY, |row| row.claimed = Some(MONDAY - 2 * HOUR)), 1);
    assert_eq!(bench.record(MONDAY, |row| row.claimed = Some(MONDAY + DAY)), 1);
    assert_eq!(
        bench.record(MONDAY, |row| {
            row.claimed = None;
            row.opened = false
        }),
        0
    );
    let mut bench = self::bench("odd-clock");
    assert_eq!(bench.record(MONDAY, |_| ()), 0);
    assert_eq!(
        bench.record(MONDAY, |row| row.clock = Some(Clock { behind_last: 9, ..Clock::default() })),
        1
    );
    let mut bench = self::bench("late");
    let after = |days: u64| move |row: &mut Row| row.not_after = Some(MONDAY + days * DAY);
    assert_eq!(bench.record(MONDAY, after(6)), 0);
    assert_eq!(bench.record(MONDAY, after(8)), 1);
}

#[test]
fn key_events_are_told_by_what_they_are() {
    for (rule, operations) in [
        ("key-revoked", &["revocation"][..]),
        ("key-event", &["genesis", "rotation", "change", "retirement"]),
        ("log-rules-changed", &["rules", "reseal"]),
    ] {
        let mut bench = match rule {
            "key-revoked" => bench("key-revoked"),
            "key-event" => bench("key-event"),
            _ => bench("log-rules-changed"),
        };
        for operation in
            ["sign", "genesis", "rotation", "change", "retirement", "revocation", "rules", "reseal"]
        {
            let expected = usize::from(operations.contains(&operation));
            assert_eq!(
                bench.record(MONDAY, |row| row.operation = operation.into()),
                expected,
                "{rule}: {operation}"
            );
        }
    }
}

#[test]
fn a_stale_head_is_told_once_a_day_and_anew_after_it_was_fresh() {
    let mut bench = bench("stale-head");
    let all = || head(&["w1", "w2", "w3"]);
    assert_eq!(bench.head(MONDAY + 39 * DAY, all()), 0);
    assert_eq!(bench.head(MONDAY + 41 * DAY, all()), 1);
    assert_eq!(bench.head(MONDAY + 41 * DAY + 60, all()), 0);
    assert_eq!(bench.head(MONDAY + 42 * DAY, all()), 1);
    let fresh = MONDAY + 42 * DAY + HOUR;
    assert_eq!(bench.head(fresh, Head { witnessed: Some(fresh), ..all() }), 0);
    assert_eq!(bench.head(fresh + 60, all()), 1);
    assert_eq!(bench.head(fresh + 61, Head { witnessed: None, ..all() }), 0);
}

#[test]
fn silence_of_witnesses_of_the_log_and_of_signers_is_told() {
    let mut bench = bench("witness-silent");
    assert_eq!(bench.head(MONDAY, head(&["w1", "w2"])), 0);
    assert_eq!(bench.tick(MONDAY + 2 * DAY, Tick::default()), 0);
    // w3 was never heard of, but is expected.
    assert_eq!(bench.head(MONDAY + 3 * DAY, head(&["w1", "w2"])), 0);
    let told = bench.take(&Event::Tick(Tick::default()), MONDAY + 3 * DAY);
    assert_eq!(
        told,
        ["the witness w3 has not cosigned the newest head since 2027-01-11T10:00:00Z"]
    );
    assert_eq!(bench.tick(MONDAY + 3 * DAY + 60, Tick::default()), 0);
    assert_eq!(bench.head(MONDAY + 4 * DAY, head(&["w1", "w2", "w3"])), 0);
    assert_eq!(bench.tick(MONDAY + 4 * DAY, Tick::default()), 0);
    // One that the policy no longer names is not missed.
    let without = Head { expected: vec!["w1".into(), "w2".into()], ..head(&["w1", "w2"]) };
    assert_eq!(bench.head(MONDAY + 5 * DAY, without.clone()), 0);
    assert_eq!(bench.head(MONDAY + 9 * DAY, without), 0);
    assert_eq!(bench.tick(MONDAY + 9 * DAY, Tick::default()), 0);

    let mut bench = self::bench("log-silent");
    let failing =
        |failing_for: u64| Tick { failing: Some("gone".into()), failing_for, ..Tick::default() };
    assert_eq!(bench.tick(MONDAY, Tick::default()), 0);
    assert_eq!(bench.tick(MONDAY, failing(3599)), 0);
    assert_eq!(bench.tick(MONDAY, failing(3600)), 1);
    assert_eq!(bench.tick(MONDAY + 60, failing(3660)), 0);

    let mut bench = self::bench("no-quorum");
    let behind = |behind_for: u64| Tick { behind: 3, behind_for, ..Tick::default() };
    assert_eq!(bench.tick(MONDAY, behind(600)), 0);
    assert_eq!(bench.tick(MONDAY, behind(DAY + 1)), 1);

    let mut bench = self::bench("signer-silent");
    assert_eq!(bench.record(MONDAY, |_| ()), 0);
    assert_eq!(bench.tick(MONDAY + 89 * DAY, Tick::default()), 0);
    assert_eq!(bench.tick(MONDAY + 91 * DAY, Tick::default()), 1);
    assert_eq!(bench.tick(MONDAY + 92 * DAY, Tick::default()), 0);
    assert_eq!(bench.record(MONDAY + 93 * DAY, |_| ()), 0);
    assert_eq!(bench.tick(MONDAY + 94 * DAY, Tick::default()), 0);
}

#[test]
fn alerts_that_do_not_arrive_are_told() {
    let mut bench = bench("alerts-undelivered");
    let waits = |undelivered_for: u64| Tick { undelivered_for, ..Tick::default() };
    assert_eq!(bench.tick(MONDAY, waits(3600)), 0);
    assert_eq!(bench.tick(MONDAY, waits(3601)), 1);
}

#[test]
fn reads_by_somebody_new_and_of_very_much_are_told() {
    let read = |number: u64, reader: &str, count: u64| {
        let (reader, address) = (reader.into(), "192.0.2.7".into());
        Event::Access(Read { number, time: MONDAY + number, reader, address, first: 0, count })
    };
    let mut bench = bench("new-reader");
    let told: Vec<usize> = [(1, "auditor"), (2, "auditor"), (3, "eve")]
        .into_iter()
        .map(|(n, who)| bench.take(&read(n, who, 1), MONDAY).len())
        .collect();
    assert_eq!(told, [1, 0, 1]);
    let mut bench = self::bench("much-read");
    assert_eq!(bench.take(&read(1, "auditor", 15_000), MONDAY).len(), 0);
    assert_eq!(bench.take(&read(2, "other", 15_000), MONDAY).len(), 0);
    assert_eq!(bench.take(&read(3, "auditor", 5_001), MONDAY).len(), 1);
}

#[test]
fn findings_are_told_by_how_much_they_matter() {
    for (severity, grave) in [
        (Severity::Note, false),
        (Severity::Warning, false),
        (Severity::High, true),
        (Severity::Critical, true),
    ] {
        let finding = Event::Finding(Finding {
            kind: "history".into(),
            severity,
            index: None,
            text: "two".into(),
        });
        assert_eq!(bench("grave-finding").take(&finding, MONDAY).len(), usize::from(grave));
        assert_eq!(bench("finding").take(&finding, MONDAY).len(), usize::from(!grave));
    }
}
