//! A round by QR codes alone. The codes are read by `zbarimg`, an independent decoder, and by the programs
//! themselves; some are lost, some come twice, and none in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use coldlog_tests::story::{Story, WITNESSES};
use coldlog_tests::{Ran, programs, ran, run};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A story with 19 signed documents: with the genesis, 20 records.
fn twenty(stage: &Path) -> Story {
    let mut story = Story::with_documents(stage, 19).unwrap();
    story.sign("monday", &Story::names(0..19), "1.0.3").unwrap();
    story
}

/// What another program reads in pictures or an animation, as `zbarcam --raw` would print it.
fn scanned(pictures: &[PathBuf]) -> Vec<String> {
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable"])
        .args(pictures)
        .output()
        .unwrap();
    assert!(read.status.success(), "zbarimg: {}", String::from_utf8_lossy(&read.stderr));
    String::from_utf8(read.stdout).unwrap().lines().map(String::from).collect()
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Without every fifth; the others shuffled, and every third twice.
fn unreliable<T: Clone>(all: &[T]) -> Vec<T> {
    let kept: Vec<&T> = (0..all.len()).filter(|n| n % 5 != 3).map(|n| &all[n]).collect();
    let mut seen = Vec::new();
    for n in 0..kept.len() {
        // A step that has no divisor in common with the count goes through all.
        let place = (n * 37 + 11) % kept.len();
        seen.push(kept[place].clone());
        if n % 3 == 0 {
            seen.push(kept[place].clone());
        }
    }
    seen
}

/// Runs a command with a text for its stdin, which stays open: a scanner goes on.
fn fed(folder: &Path, line: &str, text: &str) -> Ran {
    let words = coldlog_tests::words(line);
    let mut child = Command::new(programs().unwrap().join(&words[0]))
        .current_dir(folder)
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The program may have enough before all is written.
    let _ = stdin.write_all(text.as_bytes());
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed().as_secs() < 60, "{line}: it waits for more than it needs");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(stdin);
    ran(&child.wait_with_output().unwrap())
}

/// The number before a word of what a command said.
fn number_before(text: &str, word: &str) -> usize {
    let (before, _) = text.split_once(word).unwrap_or_else(|| panic!("no {word:?} in {text}"));
    before.trim().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
#[cfg_attr(not(have_zbarimg), ignore = "zbarimg is not installed")]
fn a_round_of_twenty_records_goes_by_qr_codes_alone() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = twenty(stage.path());
    let (signer, log) = (story.at("signer"), story.at("log"));

    // The batch, as pictures that another program reads; the log reads the lines.
    let told = story.run("signer", "signer export --qr codes -o kept.batch.cbor").unwrap().out;
    println!("{told}");
    assert!(told.starts_with("20 records, 0 to 19, in kept.batch.cbor"), "{told}");
    let shown = pictures(&signer.join("codes"));
    assert_eq!(number_before(&told, " QR codes"), shown.len());
    assert!(shown.len() < 60, "the batch takes {} codes", shown.len());
    let lines = scanned(&shown);
    assert_eq!(lines.len(), shown.len());
    let lost = unreliable(&lines).join("\n") + "\n";
    let line = "log append --qr - monday.batch.cbor";
    let appended = fed(&log, line, &lost);
    assert_eq!(appended.code, 0, "{}", appended.err);
    assert!(appended.out.contains("20 records appended"), "{}", appended.out);
    assert!(appended.err.contains("is whole: a batch"), "{}", appended.err);
    let sent = std::fs::read(signer.join("kept.batch.cbor")).unwrap();
    assert_eq!(std::fs::read(log.join("monday.batch.cbor")).unwrap(), sent);

    // The programs read the pictures themselves: some lost, others twice and under other names.
    let folder = log.join("photos");
    std::fs::create_dir(&folder).unwrap();
    for (number, picture) in unreliable(&shown).iter().enumerate() {
        std::fs::copy(picture, folder.join(format!("{number:03}.PNG"))).unwrap();
    }
    let again = story.run("log", "log append --qr photos again.batch.cbor").unwrap();
    assert!(again.out.contains("0 records appended, 20 were there already"), "{}", again.out);

    // The witnesses: a request as an animation, answers as lines.
    story.run("log", "log witness-request --qr request.gif").unwrap();
    for (number, witness) in WITNESSES.iter().enumerate() {
        story.carry("log", "request.gif", witness).unwrap();
        story.run(witness, "witness cosign --qr-request request.gif --qr answer.txt").unwrap();
        story.carry(witness, "answer.txt", "log").unwrap();
        // One answer at a time: the quorum holds from the second on.
        let line = "log add-cosignatures --qr answer.txt --policy policy";
        story.expect("log", line, i32::from(number == 0)).unwrap();
    }

    // The receipts as an animation that another program reads, and as a page.
    let line = "log receipts monday.batch.cbor --qr receipts.gif -o receipts.cbor --policy policy";
    let told = story.run("log", line).unwrap().out;
    println!("{told}");
    let lines = scanned(&[log.join("receipts.gif")]);
    assert_eq!(number_before(&told, " QR codes"), lines.len());
    assert!(lines.len() < 60, "the receipts take {} codes", lines.len());
    let line = "signer import --qr - --policy policy";
    let imported = fed(&signer, line, &(unreliable(&lines).join("\r\n") + "\r\n"));
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert!(imported.out.starts_with("19 proofs written"), "{}", imported.out);
    story.run("log", "log receipts monday.batch.cbor --qr receipts.html --policy policy").unwrap();
    story.carry("log", "receipts.html", "signer").unwrap();
    let line = "signer import --qr receipts.html kept.receipts.cbor --policy policy";
    let imported = story.run("signer", line).unwrap();
    assert!(imported.out.contains("19 there already and kept"), "{}", imported.out);
    let sent = std::fs::read(log.join("receipts.cbor")).unwrap();
    assert_eq!(std::fs::read(signer.join("kept.receipts.cbor")).unwrap(), sent);
    story.run("signer", "verifier check d0.txt d18.txt --policy policy").unwrap();
}

/// The codes that a terminal showed, as pictures: in each screen, what stands between the colours and their end.
fn screens(typescript: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for screen in typescript.split("\x1b[?2026h").skip(1) {
        let inks = screen.split("\x1b[38;5;16;48;5;231m").skip(1);
        let inks = inks.map(|ink| ink.split_once("\x1b[0m").unwrap().0);
        let rows: Vec<Vec<[bool; 2]>> = inks.map(|ink| ink.chars().map(halves).collect()).collect();
        let path = folder.join(format!("{:03}.pgm", found.len()));
        std::fs::write(&path, picture_of(&rows)).unwrap();
        found.push(path);
    }
    found
}

fn halves(c: char) -> [bool; 2] {
    match c {
        ' ' => [false, false],
        '\u{2580}' => [true, false],
        '\u{2584}' => [false, true],
        '\u{2588}' => [true, true],
        other => panic!("{other:?} in a code"),
    }
}

fn picture_of(rows: &[Vec<[bool; 2]>]) -> Vec<u8> {
    const SCALE: usize = 4;
    let (width, height) = (rows[0].len() * SCALE, rows.len() * 2 * SCALE);
    let mut picture = format!("P5 {width} {height} 255\n").into_bytes();
    for y in 0..height {
        let black = |x: usize| rows[y / SCALE / 2][x / SCALE][y / SCALE % 2];
        picture.extend((0..width).map(|x| if black(x) { 0 } else { 255u8 }));
    }
    picture
}

/// Runs a line in a terminal of a size, with keys for its keyboard.
fn in_terminal(folder: &Path, size: (u16, u16), line: &str, keys: &[u8]) -> Ran {
    let (columns, rows) = size;
    let line =
        format!("stty cols {columns} rows {rows}; exec {}/{line}", programs().unwrap().display());
    let mut child = Command::new("script")
        .current_dir(folder)
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let keys = keys.to_vec();
    let typing = std::thread::spawn(move || {
        if !keys.is_empty() {
            // Not before there is something to stop.
            std::thread::sleep(std::time::Duration::from_secs(2));
            let _ = keyboard.write_all(&keys);
        }
        std::thread::sleep(std::time::Duration::from_secs(20));
    });
    let output = child.wait_with_output().unwrap();
    drop(typing);
    ran(&output)
}

#[test]
#[cfg_attr(not(have_zbarimg), ignore = "zbarimg is not installed")]
fn what_a_terminal_shows_is_read_by_another_program_and_appended() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = twenty(stage.path());
    let (signer, log) = (story.at("signer"), story.at("log"));
    let line = "signer export --qr terminal --loops 1 --fps 50";
    let shown = in_terminal(&signer, (120, 60), line, b"");
    assert_eq!(shown.code, 0, "{}{}", shown.out, shown.err);
    // The window is given back, with its cursor, and what was shown is told.
    assert!(shown.out.contains("\x1b[?25h\x1b[?1049l"), "the window was not given back");
    let screens = screens(&shown.out, stage.path());
    let told = shown.out.rsplit_once("\x1b[?1049l").unwrap().1;
    assert_eq!(number_before(told, " QR codes"), screens.len(), "{told}");
    assert!(screens.len() < 60);
    let lines = unreliable(&scanned(&screens)).join("\n");
    std::fs::write(log.join("lines"), lines).unwrap();
    let appended = story.run("log", "log append --qr lines monday.batch.cbor").unwrap();
    assert!(appended.out.contains("20 records appended"), "{}", appended.out);
}

#[test]
fn a_key_ends_the_show_and_a_small_window_is_refused() {
    let stage = tempfile::tempdir().unwrap();
    let story = twenty(stage.path());
    let signer = story.at("signer");
    for key in [b"q".as_slice(), b"\x03", b"\r"] {
        let shown = in_terminal(&signer, (80, 24), "signer export --qr terminal", key);
        assert_eq!(shown.code, 0, "{key:?}: {}", shown.out);
        assert!(shown.out.contains("any key ends it"), "{}", shown.out);
        assert!(shown.out.contains(" codes were shown"), "{}", shown.out);
        assert!(shown.out.contains("\x1b[?1049l"), "{}", shown.out);
    }
    let refused = in_terminal(&signer, (44, 50), "signer export --qr terminal", b"");
    assert_eq!(refused.code, 2, "{}", refused.out);
    let why = "the window has 44 columns and 50 rows, the smallest QR code takes 45 and 24";
    assert!(refused.out.contains(why), "{}", refused.out);
    let refused = in_terminal(&signer, (80, 23), "signer export --qr terminal", b"");
    assert_eq!(refused.code, 2, "{}", refused.out);
}

#[test]
fn too_few_codes_are_counted_and_more_are_asked_for() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = twenty(stage.path());
    let (signer, log) = (story.at("signer"), story.at("log"));
    let told = story.run("signer", "signer export --qr all.txt").unwrap().out;
    let needed = number_before(&told.replace(" and now and then", "|"), "|");
    let text = std::fs::read_to_string(signer.join("all.txt")).unwrap();
    let few: String = text.lines().skip(3).take(needed - 5).map(|l| format!("{l}\n")).collect();
    std::fs::write(log.join("few.txt"), &few).unwrap();
    let line = "log append --qr few.txt monday.batch.cbor";
    let refused = story.expect("log", line, 2).unwrap().err;
    let why = format!("{} of {needed} frames", needed - 5);
    assert!(refused.contains(&why) && refused.contains("at least 5 more"), "{refused}");
    assert!(!log.join("monday.batch.cbor").exists(), "half a batch was left");
    // What is altered is not used, and said; what is still missing comes from repair.
    let altered = few.replacen("CL1:0", "CL1:1", 1).replacen('A', "B", 1);
    std::fs::write(log.join("few.txt"), &altered).unwrap();
    let refused = story.expect("log", line, 2).unwrap().err;
    assert!(refused.contains("fails its check"), "{refused}");
    let more: String = text.lines().rev().take(8).map(|l| format!("QR-Code:{l}\n")).collect();
    std::fs::write(log.join("few.txt"), format!("{altered}{more}")).unwrap();
    story.run("log", line).unwrap();
}

#[test]
fn one_file_is_one_transfer_however_it_is_shown_and_another_never_mixes() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = twenty(stage.path());
    let (signer, log) = (story.at("signer"), story.at("log"));
    story.run("signer", "signer export --qr one.txt").unwrap();
    story.run("signer", "signer export --qr two.txt").unwrap();
    let read = |name: &str| std::fs::read_to_string(signer.join(name)).unwrap();
    assert_eq!(read("one.txt"), read("two.txt"));
    story.run("signer", "signer export --from 1 --qr three.txt").unwrap();
    let half = |text: String| text.lines().take(20).map(|l| format!("{l}\n")).collect::<String>();
    std::fs::write(log.join("mixed.txt"), half(read("one.txt")) + &half(read("three.txt")))
        .unwrap();
    let refused = story.expect("log", "log append --qr mixed.txt m.cbor", 2).unwrap().err;
    assert!(refused.contains("QR codes of two transfers"), "{refused}");
    // The wrong kind is named from the first code on.
    let line = "signer import --qr one.txt --policy policy";
    let refused = story.expect("signer", line, 2).unwrap().err;
    assert!(refused.contains("carry a batch") && refused.contains("not receipts"), "{refused}");
}

#[test]
fn codes_replace_nothing_unasked_and_leave_no_old_ones_among_them() {
    let stage = tempfile::tempdir().unwrap();
    let mut story = twenty(stage.path());
    let signer = story.at("signer");
    for target in ["codes", "a.gif", "a.html", "a.txt"] {
        let line = format!("signer export --qr {target}");
        story.run("signer", &line).unwrap();
        let refused = story.expect("signer", &line, 2).unwrap().err;
        assert!(refused.contains("already"), "{target}: {refused}");
        story.run("signer", &format!("{line} --force")).unwrap();
    }
    let many = pictures(&signer.join("codes")).len();
    story.run("signer", "signer export --qr codes --from 19 --force").unwrap();
    let few = pictures(&signer.join("codes")).len();
    assert!(few < many, "{few} and {many}");
    story.run("signer", "signer export --qr codes --from 19 -o a.cbor --force").unwrap();
    // Other people's pictures stay, whatever is said.
    std::fs::write(signer.join("codes/holiday.png"), "a picture").unwrap();
    let refused = story.expect("signer", "signer export --qr codes --force", 2).unwrap().err;
    assert!(refused.contains("holiday.png is there already"), "{refused}");
    // Smaller codes for a weak camera.
    let told = story.run("signer", "signer export --qr small.txt --qr-version 7").unwrap().out;
    assert!(told.contains("QR version 7 (45 modules)"), "{told}");
    let ran = run(&signer, "signer export --qr b.png").unwrap();
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("a folder gets a PNG of each code"), "{}", ran.err);
}

#[test]
fn nothing_is_left_in_the_scratch_folder() {
    let stage = tempfile::tempdir().unwrap();
    let story = twenty(stage.path());
    let scratch = stage.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    for (line, code) in [
        ("export --qr a.txt", 0),
        ("export --qr a.txt", 2),
        ("import --qr a.txt --policy policy", 2),
        ("export --qr terminal", 2),
    ] {
        let ran = Command::new(programs().unwrap().join("signer"))
            .current_dir(story.at("signer"))
            .args(line.split(' '))
            .env("TMPDIR", &scratch)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(code), "{line}");
        assert_eq!(pictures(&scratch), [] as [PathBuf; 0], "{line}");
    }
}
