use super::*;
use crate::model::State;

fn seen(kind: &str, index: u64) -> Seen {
    Seen {
        kind: kind.into(),
        severity: Severity::High,
        signer: "coldlog.example/signer".into(),
        index: Some(index),
        sequence: Some(index),
        place: format!("entry {index}"),
        expected: "two approvals".into(),
        found: "one approval, by \"Ada\"".into(),
    }
}

fn register(count: u64) -> Register {
    let mut register = Register::default();
    let all: Vec<Seen> = (0..count).map(|index| seen("approvals", index)).collect();
    register.take(&all, "2026-Q2").unwrap();
    register
}

const HEADER: &str =
    "id,kind,severity,state,action,owner,note,place,expected,found,first_reported,last_seen";

#[test]
fn what_people_wrote_goes_from_report_to_report() {
    let mut register = register(2);
    let written = String::from_utf8(register.write()).unwrap();
    assert!(written.starts_with(HEADER), "{written}");
    let edited = written.replacen(
        ",high,open,,,,",
        ",high, In Work ,\"ask Bea,\nthen Carl\",Ada,\"it says \"\"soon\"\"\",",
        1,
    );
    // As spreadsheets save it.
    let saved = "\u{feff}".to_owned() + &edited.replace('\n', "\r\n");
    register = Register::read(saved.as_bytes()).unwrap();

    let mut worse = seen("approvals", 0);
    worse.severity = Severity::Critical;
    register.take(&[worse, seen("clock", 7)], "2026-Q3").unwrap();
    register = Register::read(&register.write()).unwrap();
    let [first, gone, new] = register.findings() else { panic!("{register:?}") };
    assert_eq!((first.state, first.owner.as_str()), (State::InWork, "Ada"));
    assert_eq!(first.action.replace('\r', ""), "ask Bea,\nthen Carl");
    assert_eq!(first.note, "it says \"soon\"");
    assert_eq!(first.severity, Severity::Critical, "the program's columns are its own");
    assert_eq!((first.first_reported.as_str(), first.last_seen.as_str()), ("2026-Q2", "2026-Q3"));
    assert_eq!((gone.state, gone.last_seen.as_str()), (State::Open, "2026-Q2"));
    assert_eq!((new.state, new.first_reported.as_str()), (State::Open, "2026-Q3"));
    assert_eq!(new.kind, "clock");
}

#[test]
fn an_identifier_is_stable_and_no_two_join_to_the_same_bytes() {
    assert_eq!(id("clock", "a", Some(1), Some(2)), "F-0b01f165002d6818");
    let all = [
        id("clock", "a", Some(1), Some(2)),
        id("clocka", "", Some(1), Some(2)),
        id("clock", "a", Some(1), None),
        id("clock", "a", None, Some(1)),
        id("clock", "a", Some(0), None),
        id("clock", "a", None, None),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn findings_alike_are_told_apart_by_their_order() {
    let mut register = Register::default();
    for period in ["2026-Q2", "2026-Q3"] {
        register.take(&[seen("clock", 1), seen("clock", 1), seen("clock", 1)], period).unwrap();
    }
    let ids: Vec<&str> = register.findings().iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(ids[1], format!("{}-2", ids[0]));
    assert_eq!(ids[2], format!("{}-3", ids[0]));
    assert_eq!(Register::read(&register.write()).unwrap(), register);
}

#[test]
fn no_cell_is_a_formula_and_none_is_changed() {
    let texts = [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "'=1", "''+x", "'quoted'", "plain", "＝1",
        "\r=1", "a=1", "'", "",
    ];
    for text in texts {
        let mut register = register(1);
        register.findings[0].action = text.into();
        register.findings[0].note = text.into();
        let written = register.write();
        assert_eq!(Register::read(&written).unwrap(), register, "{text:?}");
        for row in csv::ReaderBuilder::new().from_reader(written.as_slice()).records() {
            for cell in &row.unwrap() {
                let first = cell.trim_start().chars().next().unwrap_or(' ');
                assert!(!"=+-@＝".contains(first), "{cell:?}");
            }
        }
    }
}

#[test]
fn names_from_outside_steer_no_terminal_that_shows_the_file() {
    let mut hostile = seen("clock", 1);
    hostile.place = "\u{1b}[2J\u{202e}\nF-0000000000000000,forged".into();
    let mut register = Register::default();
    register.take(&[hostile], "2026-Q3").unwrap();
    let written = String::from_utf8(register.write()).unwrap();
    assert_eq!(written.lines().count(), 2, "{written}");
    assert!(written.contains("\\u{1b}[2J\\u{202e}\\nF-"), "{written}");
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let row = "F-0123456789abcdef,clock,high,open,,,,entry 1,a,b,2026-Q2,2026-Q2";
    let file = |rows: &[&str]| format!("{HEADER}\n{}\n", rows.join("\n"));
    let cases: &[(String, &str)] = &[
        (HEADER.replace(',', ";"), "line 1: expected commas between the cells"),
        (HEADER.replace("note", "remark"), "line 1: expected the columns id,kind"),
        (file(&[row, "F-1123456789abcdef,clock"]), "line 3: expected 12 cells, found 2"),
        (
            file(&[row, row]),
            "line 3: expected each finding once, found F-0123456789abcdef also in line 2",
        ),
        (
            file(&[&row.replace("high", "hi")]),
            "line 2: expected a severity of note, warning, high, critical, found \"hi\"",
        ),
        (
            file(&[&row.replace("open", "done")]),
            "line 2: expected a state of open, in work, closed, found \"done\"",
        ),
        (file(&[&row.replace("F-0", "F-x")]), "line 2: expected an identifier such as"),
        (file(&[&row.replace("clock", " ")]), "line 2: expected something in the column \"kind\""),
        (
            file(&[&row.replace("open,", "open,\"ask"), row]),
            "line 2: expected quotation marks around whole cells",
        ),
        (
            file(&[&row.replace("open,", "open,\"ask"), row, &row.replace("open,", "open,\"ask")]),
            "line 4: expected quotation marks around whole cells",
        ),
        (
            file(&[&row.replace("entry 1", "5\" disk")]),
            "line 2: expected quotation marks around whole cells",
        ),
    ];
    for (text, expected) in cases {
        let error = Register::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n{text}");
    }
    let error = Register::read(b"id,kind\n\xff\n").unwrap_err();
    assert_eq!((error.line, error.fault), (Some(2), Fault::NoText));
    assert_eq!(Register::read(b"\n").unwrap(), Register::default());
}

#[test]
fn a_register_has_bounds() {
    let large = vec![b'x'; MAX_BYTES + 1];
    assert_eq!(Register::read(&large).unwrap_err().fault, Fault::TooLarge);
    let mut register = Register::default();
    let many: Vec<Seen> = (0..=MAX_FINDINGS as u64).map(|index| seen("clock", index)).collect();
    assert_eq!(register.take(&many, "2026-Q3").unwrap_err().fault, Fault::TooMany);
    assert!(register.findings().is_empty(), "nothing is taken by half");
}
