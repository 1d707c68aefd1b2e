//! A program that gets the message on stdin.

use super::body;
use crate::monitor::channel::Channel;
use crate::monitor::store::Message;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(30);

pub(super) fn send(words: &[String], message: &Message, channel: &Channel) -> Result<()> {
    let (program, arguments) = words.split_first().context("the command names no program")?;
    let mut command = Command::new(program);
    // What it prints must not stand among our results.
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    let text = format!("{}\n", body(message, channel));
    // One that reads nothing must not hold us up; nor is it a failure that it does not.
    if let Some(mut stdin) = child.stdin.take() {
        std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    ended(&mut child, program)
}

fn ended(child: &mut Child, program: &str) -> Result<()> {
    let end = Instant::now() + WITHIN;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{program} ended with {status}"),
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                bail!("{program} did not end within {} seconds", WITHIN.as_secs());
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
