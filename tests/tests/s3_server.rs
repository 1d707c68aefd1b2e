//! The S3 server that other tests stand on: it must refuse what a real one refuses, and never both of two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutResult, Result, UpdateVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A running server; it ends when this is dropped, as its stdin is closed then.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &std::path::Path) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-server"));
        command.arg(folder).arg("bucket").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Server { child, url: url.trim_end().into() }
    }

    fn client(&self, secret: &str) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(&self.url)
            .with_allow_http(true)
            .with_virtual_hosted_style_request(false)
            .with_region("us-east-1")
            .with_bucket_name("bucket")
            .with_access_key_id("test")
            .with_secret_access_key(secret)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .build()
            .unwrap()
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn create(store: &AmazonS3, key: &Path, bytes: &str) -> Result<PutResult> {
    store.put_opts(key, bytes.to_string().into(), PutMode::Create.into()).await
}

async fn update(store: &AmazonS3, key: &Path, at: &PutResult, bytes: &str) -> Result<PutResult> {
    let version = UpdateVersion { e_tag: at.e_tag.clone(), version: None };
    store.put_opts(key, bytes.to_string().into(), PutMode::Update(version).into()).await
}

async fn read(store: &AmazonS3, key: &Path) -> (String, Option<String>) {
    let got = store.get(key).await.unwrap();
    let tag = got.meta.e_tag.clone();
    (String::from_utf8(got.bytes().await.unwrap().to_vec()).unwrap(), tag)
}

#[test]
fn puts_are_conditional() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    let head = Path::from("log/head");
    wait(async {
        let first = create(&store, &head, "one").await.unwrap();
        let again = create(&store, &head, "two").await.unwrap_err();
        assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
        assert_eq!(read(&store, &head).await, ("one".into(), first.e_tag.clone()));
        assert_eq!(store.head(&head).await.unwrap().e_tag, first.e_tag);

        let second = update(&store, &head, &first, "two").await.unwrap();
        let stale = update(&store, &head, &first, "three").await.unwrap_err();
        assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
        assert_eq!(read(&store, &head).await, ("two".into(), second.e_tag.clone()));
        assert_eq!(store.head(&head).await.unwrap().e_tag, second.e_tag);

        let absent = update(&store, &Path::from("absent"), &first, "four").await.unwrap_err();
        assert!(matches!(absent, Error::Precondition { .. }), "{absent}");
        // A folder on the way to an object is none.
        let folder = store.head(&Path::from("log")).await.unwrap_err();
        assert!(matches!(folder, Error::NotFound { .. }), "{folder}");

        store.put(&head, "five".into()).await.unwrap();
        let stale = update(&store, &head, &second, "six").await.unwrap_err();
        assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
        // Gone, and back: nothing of the deleted one is left.
        store.delete(&head).await.unwrap();
        let gone = store.get(&head).await.unwrap_err();
        assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
        create(&store, &head, "seven").await.unwrap();
    });
    let mallory = server.client("another-secret");
    wait(async { assert!(mallory.get(&head).await.is_err()) });
    server.stop();
}

#[test]
fn of_many_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    let head = Path::from("head");
    wait(async {
        let texts: Vec<String> = (0..16).map(|n| format!("{n} ").repeat(20_000)).collect();
        let put = join_all(texts.iter().map(|text| create(&store, &head, text))).await;
        let at = one_winner(put, |lost| matches!(lost, Error::AlreadyExists { .. })).1;
        // Another content before each round: an ETag is the hash of its object, and who puts the same again
        // changes nothing.
        let mut at = update(&store, &head, &at, "between").await.unwrap();
        for _ in 0..8 {
            let put = join_all(texts.iter().map(|text| update(&store, &head, &at, text))).await;
            let (winner, put) = one_winner(put, |lost| matches!(lost, Error::Precondition { .. }));
            assert_eq!(read(&store, &head).await, (texts[winner].clone(), put.e_tag.clone()));
            at = update(&store, &head, &put, "between").await.unwrap();
        }
    });
    server.stop();
}

fn one_winner(put: Vec<Result<PutResult>>, lost: fn(&Error) -> bool) -> (usize, PutResult) {
    let mut winners = Vec::new();
    for (at, result) in put.into_iter().enumerate() {
        match result {
            Ok(put) => winners.push((at, put)),
            Err(why) => assert!(lost(&why), "{why}"),
        }
    }
    assert_eq!(winners.len(), 1);
    winners.remove(0)
}

#[test]
fn objects_are_listed_deleted_and_read_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    wait(async {
        for key in ["log/tile/0/000", "log/tile/0/001", "log/head", "logs"] {
            store.put(&Path::from(key), "0123456789".into()).await.unwrap();
        }
        let log = Path::from("log");
        let listed: Vec<_> = store.list(Some(&log)).try_collect().await.unwrap();
        let mut keys: Vec<_> = listed.iter().map(|meta| meta.location.as_ref()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["log/head", "log/tile/0/000", "log/tile/0/001"]);
        let level = store.list_with_delimiter(Some(&log)).await.unwrap();
        assert_eq!(level.common_prefixes, [Path::from("log/tile")]);
        assert_eq!(level.objects.len(), 1);

        let tile = Path::from("log/tile/0/000");
        assert_eq!(store.get_range(&tile, 3..6).await.unwrap(), "345");
        assert_eq!(store.get_ranges(&tile, &[0..1, 9..10]).await.unwrap(), ["0", "9"]);

        // One, by itself; then many in one request.
        store.delete(&tile).await.unwrap();
        let all = store.list(None).map_ok(|meta| meta.location);
        let all: Vec<_> = store.delete_stream(Box::pin(all)).try_collect().await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap(), []);
    });
    server.stop();
}

#[test]
fn more_than_a_page_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("bucket/many")).unwrap();
    for n in 0..2_500 {
        std::fs::write(folder.path().join(format!("bucket/many/{n}")), "").unwrap();
    }
    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    let listed: Vec<_> = wait(store.list(Some(&Path::from("many"))).try_collect()).unwrap();
    assert_eq!(listed.len(), 2_500);
    server.stop();
}

#[test]
fn a_server_that_was_killed_knows_its_tags() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let head = Path::from("head");
    let put = wait(create(&server.client("test-secret"), &head, "one")).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    // As if it had written the object and not come to its ETag.
    std::fs::write(folder.path().join("bucket/head"), "two").unwrap();

    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    wait(async {
        let stale = update(&store, &head, &put, "three").await.unwrap_err();
        assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
        let tag = store.head(&head).await.unwrap().e_tag;
        update(&store, &head, &PutResult { e_tag: tag, ..put }, "three").await.unwrap();
    });
    server.stop();
}

/// Passes the bytes of one client to a server, but not all of its request; then hangs up.
fn cut_off(url: &str, most: usize) -> (String, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let server = url.trim_start_matches("http://").to_string();
    let cut = std::thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut server = TcpStream::connect(server).unwrap();
        let (mut passed, mut part) = (0, [0; 4096]);
        while passed < most {
            let read = client.read(&mut part).unwrap();
            assert_ne!(read, 0);
            server.write_all(&part[..read]).unwrap();
            passed += read;
        }
    });
    (proxy, cut)
}

#[test]
fn half_a_put_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let store = server.client("test-secret");
    let (old, new) = (Path::from("old"), Path::from("new"));
    wait(async {
        let before = create(&store, &old, "whole").await.unwrap();
        for key in [&old, &new] {
            let (proxy, cut) = cut_off(&server.url, 500_000);
            let retry = object_store::RetryConfig { max_retries: 0, ..Default::default() };
            let killed = AmazonS3Builder::new()
                .with_endpoint(proxy)
                .with_allow_http(true)
                .with_bucket_name("bucket")
                .with_access_key_id("test")
                .with_secret_access_key("test-secret")
                .with_retry(retry)
                .build()
                .unwrap();
            killed.put(key, vec![0; 1_000_000].into()).await.unwrap_err();
            cut.join().unwrap();
        }
        assert_eq!(read(&store, &old).await, ("whole".into(), before.e_tag));
        let none = store.get(&new).await.unwrap_err();
        assert!(matches!(none, Error::NotFound { .. }), "{none}");
    });
    server.stop();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".part")));
}
