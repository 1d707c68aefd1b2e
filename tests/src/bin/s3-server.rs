//! `s3-server FOLDER BUCKET`: an S3 server for tests, on a folder, that honours conditional puts.
//!
//! It listens on a port of 127.0.0.1 that the system picks, prints `http://127.0.0.1:PORT`, and serves
//! until its stdin is closed, or for a quarter of an hour. The key is `test`, its secret `test-secret`.
//!
//! `s3s-fs` does the work, and checks the conditions of a put too, but before it reads the body, so that
//! two puts on the same condition may both pass; and it writes an object and its ETag one after the
//! other. Here a put is read to its end first, and then one lock is held from the check to the ETag.

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
    PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "test-secret";
/// No test runs as long: whatever holds stdin open then was forgotten.
const AT_LONGEST: Duration = Duration::from_secs(15 * 60);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder, bucket] = arguments.as_slice() else {
        eprintln!("usage: s3-server FOLDER BUCKET");
        return ExitCode::from(2);
    };
    match run(Path::new(folder), Path::new(bucket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("s3-server: {why:#}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, bucket: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join(bucket)).context("creating the bucket")?;
    forget_tags(folder).context("removing stored ETags")?;
    let files = FileSystem::new(folder).map_err(|why| anyhow::anyhow!("{why:?}"))?;
    let store = Store { folder: folder.into(), files: Arc::new(files), lock: Arc::default() };
    let lock = store.lock.clone();
    let mut service = S3ServiceBuilder::new(store);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "http://{}", listener.local_addr()?)?;
        stdout.flush()?;
        let served = tokio::select! {
            failed = serve(&listener, &service) => failed,
            closed = stdin_closed() => closed,
            () = tokio::time::sleep(AT_LONGEST) => bail!("stdin is still open: giving up"),
        };
        // Never given back: what is being written ends, and nothing more begins.
        std::mem::forget(lock.lock_owned().await);
        served
    })
}

/// A server that was killed may have written an object and not its ETag, and the old one would stand. An
/// ETag is the MD5 of its object, so that `s3s-fs` finds it out anew where none is stored.
fn forget_tags(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(".bucket-") && name.ends_with(".internal.json") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

async fn serve(listener: &TcpListener, service: &S3Service) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await.context("accepting a connection")?;
        socket.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new()).http1_only();
            // What fails here is the client's: it was killed, or lost patience.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn stdin_closed() -> Result<()> {
    let (sender, closed) = oneshot::channel();
    // A thread of its own: the runtime would wait for one of its own threads when it ends.
    std::thread::spawn(move || {
        sender.send(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
    });
    closed.await?.context("reading stdin")?;
    Ok(())
}

/// One bucket in a folder, one request at a time.
struct Store {
    folder: PathBuf,
    files: Arc<FileSystem>,
    lock: Arc<Mutex<()>>,
}

impl Store {
    /// `s3s-fs` takes a folder on the way to an object for an object.
    fn no_folder(&self, bucket: &str, key: &str) -> S3Result<()> {
        if self.folder.join(bucket).join(key).is_dir() {
            return Err(s3_error!(NoSuchKey));
        }
        Ok(())
    }
}

#[async_trait]
impl S3 for Store {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let Some(mut body) = request.input.body.take() else {
            return Err(s3_error!(IncompleteBody));
        };
        let mut bytes = Vec::new();
        // An error when the client is gone before the end; nothing is written then.
        while let Some(part) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            bytes.extend_from_slice(&part);
        }
        request.input.body = Some(StreamingBlob::from(Body::from(bytes)));
        let (files, lock) = (self.files.clone(), self.lock.clone());
        // A task of its own: the server drops what it does for a client that is gone, and that must not
        // fall between an object and its ETag.
        let put = tokio::spawn(async move {
            let _held = lock.lock().await;
            files.put_object(request).await
        });
        put.await.map_err(|why| s3_error!(why, InternalError))?
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        // The lock holds until the file is open: a put renames another file to its place, so that what
        // is read after that is still the old one, to the end.
        let _held = self.lock.lock().await;
        self.no_folder(&request.input.bucket, &request.input.key)?;
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let _held = self.lock.lock().await;
        self.no_folder(&request.input.bucket, &request.input.key)?;
        self.files.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _held = self.lock.lock().await;
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let _held = self.lock.lock().await;
        self.files.delete_objects(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _held = self.lock.lock().await;
        self.files.list_objects_v2(request).await
    }
}
