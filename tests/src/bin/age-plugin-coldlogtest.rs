//! An age plugin for the tests, in the place of one that asks hardware (C2SP age-plugin): it wraps a file
//! key by XOR with a byte that its identity stands for, and counts how often it opened one.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::io::{BufRead, StdinLock, Write};

const NAME: &str = "coldlogtest";
const MASK: u8 = 0x5a;

struct Stanza {
    words: Vec<String>,
    body: Vec<u8>,
}

fn main() -> Result<()> {
    let mut stdin = std::io::stdin().lock();
    match std::env::args().nth(1).as_deref() {
        Some("--age-plugin=recipient-v1") => wrap(&mut stdin),
        Some("--age-plugin=identity-v1") => open(&mut stdin),
        other => bail!("an age plugin, started by age; found {other:?}"),
    }
}

fn wrap(stdin: &mut StdinLock) -> Result<()> {
    let (mut recipients, mut keys) = (0, Vec::new());
    for stanza in until_done(stdin)? {
        match stanza.words[0].as_str() {
            "add-recipient" => recipients += 1,
            "wrap-file-key" => keys.push(stanza.body),
            _ => {}
        }
    }
    for (number, key) in keys.iter().enumerate() {
        for _ in 0..recipients {
            say(stdin, &format!("recipient-stanza {number} {NAME}"), &masked(key))?;
        }
    }
    finish()
}

fn open(stdin: &mut StdinLock) -> Result<()> {
    let mut opened = None;
    for stanza in until_done(stdin)? {
        let words: Vec<&str> = stanza.words.iter().map(String::as_str).collect();
        if let ["recipient-stanza", file, NAME] = words[..] {
            opened.get_or_insert((file.to_owned(), masked(&stanza.body)));
        }
    }
    if let Some((file, key)) = opened {
        if let Some(path) = std::env::var_os("COLDLOGTEST_TOUCHES") {
            let mut options = std::fs::OpenOptions::new();
            options.create(true).append(true).open(path)?.write_all(b"touch\n")?;
        }
        say(stdin, &format!("file-key {file}"), &key)?;
    }
    finish()
}

fn masked(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| byte ^ MASK).collect()
}

fn until_done(stdin: &mut StdinLock) -> Result<Vec<Stanza>> {
    let mut stanzas = Vec::new();
    loop {
        let stanza = read(stdin)?;
        if stanza.words[0] == "done" {
            return Ok(stanzas);
        }
        stanzas.push(stanza);
    }
}

// "-> words", then the body in lines of 64 characters, the last of which is shorter.
fn read(stdin: &mut StdinLock) -> Result<Stanza> {
    let head = line(stdin)?;
    let words = head.strip_prefix("-> ").context("a stanza")?;
    let words = words.split(' ').map(String::from).collect();
    let mut body = String::new();
    loop {
        let part = line(stdin)?;
        body.push_str(&part);
        if part.len() < 64 {
            return Ok(Stanza { words, body: STANDARD_NO_PAD.decode(body)? });
        }
    }
}

fn line(stdin: &mut StdinLock) -> Result<String> {
    let mut line = String::new();
    if stdin.read_line(&mut line)? == 0 {
        bail!("age went away");
    }
    Ok(line.trim_end_matches('\n').to_owned())
}

fn say(stdin: &mut StdinLock, head: &str, body: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let body = STANDARD_NO_PAD.encode(body);
    assert!(body.len() < 64, "a file key has 16 bytes");
    write!(stdout, "-> {head}\n{body}\n")?;
    stdout.flush()?;
    read(stdin).map(drop)
}

fn finish() -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(b"-> done\n\n")?;
    Ok(stdout.flush()?)
}
