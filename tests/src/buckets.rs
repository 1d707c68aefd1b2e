//! A server that speaks S3, and logs in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::story::Story;
use crate::{Ran, programs, ran, words};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server on a folder; it ends when this is dropped, as its stdin is closed then.
pub struct Server {
    _child: Child,
    /// Where it listens.
    pub url: String,
}

/// Starts it.
pub fn serve(folder: &Path) -> Server {
    let mut command = Command::new(programs().unwrap().join("s3-server"));
    command.arg(folder).arg("bucket").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    Server { _child: child, url: url.trim_end().into() }
}

/// What a program needs to know of the server.
pub fn environment<'a>(server: &Server, command: &'a mut Command) -> &'a mut Command {
    command.env("AWS_ENDPOINT", &server.url).env("AWS_ALLOW_HTTP", "true");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test-secret");
    command.env("AWS_REGION", "us-east-1")
}

/// One of the four programs, with the server at hand.
pub fn command(server: &Server, folder: &Path, line: &str) -> Command {
    let mut words = words(line).into_iter();
    let mut command = Command::new(programs().unwrap().join(words.next().unwrap()));
    command.current_dir(folder).args(words).stdin(Stdio::null());
    environment(server, &mut command);
    command
}

/// Runs it.
pub fn with(server: &Server, folder: &Path, line: &str) -> Ran {
    ran(&command(server, folder, line).output().unwrap())
}

/// Runs it; it must succeed.
pub fn done(server: &Server, folder: &Path, line: &str) -> String {
    let ran = with(server, folder, line);
    assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
    ran.out
}

/// A log in a bucket in the place of the story's, with the story's signer allowed.
pub fn moved_to_a_bucket(story: &Story, server: &Server) {
    let log = story.at("log");
    std::fs::rename(log.join("coldlog-log"), log.join("first")).unwrap();
    std::fs::create_dir(log.join("coldlog-log")).unwrap();
    let key = log.join("coldlog-log/key.age");
    std::fs::copy(log.join("first/key.age"), key).unwrap();
    let line = "log init --origin log.example/releases --store s3://bucket/log --unencrypted";
    done(server, &log, line);
    std::fs::write(log.join("rules"), done(server, &log, "log --home first rules")).unwrap();
    done(server, &log, "log set-rules rules");
}
