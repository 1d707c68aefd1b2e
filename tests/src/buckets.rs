//! Servers of objects, and logs in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::story::Story;
use crate::{Ran, programs, ran, words};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server of objects; it ends when this is dropped, as its stdin is closed then.
pub struct Server {
    _child: Child,
    /// Where it listens.
    pub url: String,
    /// What a program needs to know of it.
    pub environment: Vec<(&'static str, String)>,
    scheme: &'static str,
}

impl Server {
    /// The URL of a store in its bucket.
    pub fn store(&self, name: &str) -> String {
        format!("{}://bucket/{name}", self.scheme)
    }
}

/// Starts one that speaks S3, on a folder.
pub fn serve(folder: &Path) -> Server {
    let (child, url) = start("s3-server", &[folder.as_os_str(), "bucket".as_ref()]);
    let environment = vec![
        ("AWS_ENDPOINT", url.clone()),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test-secret".into()),
        ("AWS_REGION", "us-east-1".into()),
    ];
    Server { _child: child, url, environment, scheme: "s3" }
}

/// Starts one that speaks Google Cloud Storage's XML API.
pub fn serve_google() -> Server {
    let (child, url) = start("gcs-server", &[]);
    let account = format!(
        r#"{{"gcs_base_url": "{url}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#
    );
    let environment = vec![("GOOGLE_SERVICE_ACCOUNT_KEY", account)];
    Server { _child: child, url, environment, scheme: "gs" }
}

fn start(program: &str, arguments: &[&OsStr]) -> (Child, String) {
    let mut command = Command::new(programs().unwrap().join(program));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    (child, url.trim_end().into())
}

/// Tells a program of the server.
pub fn environment<'a>(server: &Server, command: &'a mut Command) -> &'a mut Command {
    command.envs(server.environment.iter().map(|(name, value)| (name, value)))
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
    let store = server.store("log");
    let line = format!("log init --origin log.example/releases --store {store} --unencrypted");
    done(server, &log, &line);
    std::fs::write(log.join("rules"), done(server, &log, "log --home first rules")).unwrap();
    done(server, &log, "log set-rules rules");
}
