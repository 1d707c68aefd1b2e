//! `mirror serve`: the copies over HTTP by the logs' own paths, below `/<SHA-256 of the origin>/`; what logs
//! send (C2SP tlog-mirror); and the logs followed meanwhile.

mod follower;

use crate::lock::Mirror;
use crate::place::{self, Copy};
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path as Named, Request, State as Held};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::published::Source as _;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_log::serve::answer::{self, ASK_AGAIN, BYTES, Denied, NOWHERE, TEXT, bearer, found};
use coldlog_log::serve::readers::{self, Accesses};
use coldlog_spec::mirroring::{MAX_PACKAGE, TOGETHER, Upload};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::tile::{self, WIDTH};
use coldlog_web::reply::{counted, not_taken, of_type, text};
use coldlog_web::{
    Client, Incoming, Limits, METRICS, Peer, Rate, Server, Tls, Traffic, asked_to_stop,
    log_to_stderr, metrics_text,
};
use coldlog_witness::place as memory;
use coldlog_witness::serve::{answered, must_remember_what_is_published};
use follower::Follower;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::decompression::RequestDecompressionLayer;

/// What the command line says.
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and key in PEM, for TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The authorities of readers' certificates, in PEM.
    pub client_authority: Option<PathBuf>,
    /// Connections at the same time.
    pub connections: usize,
    /// What is sent, and reads of sealed records, a second from one address.
    pub rate: u32,
    /// Seconds that a connection may be idle, or take for a request's header.
    pub header_time: u64,
    /// Seconds within which an upload must be there.
    pub upload_time: u64,
    /// Take a client's address from the last entry of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Follow all logs every so many seconds.
    pub follow_every: Option<u64>,
    /// Seconds after which an unchanged head is cosigned anew.
    pub heartbeat: u64,
    /// Monitoring prefixes of witnesses or mirrors, asked at the start for what this one cosigned.
    pub peers: Vec<String>,
    /// Log in JSON.
    pub json_log: bool,
    /// Stop after so many seconds.
    pub stop_after: Option<u64>,
    /// The passphrase's source.
    pub secret: Source,
}

/// The largest request but an upload.
const MAX_BODY: usize = MAX_NOTE + 4096;
/// The largest upload: as many packages as one request should hold.
const MAX_UPLOAD: u64 = (1 << 20) + TOGETHER * MAX_PACKAGE as u64;
/// The longest beginning: two strings of 65,535 bytes, and the rest of its fields.
const MAX_BEGINNING: usize = 2 * 65_537 + 16;
/// Uploads at the same time: each takes room on the disk.
const UPLOADS: usize = 8;
/// Work on the disk at the same time.
const AT_WORK: usize = 64;

struct State {
    home: PathBuf,
    mirror: Arc<Mirror>,
    follower: Follower,
    accesses: Mutex<HashMap<String, Accesses>>,
    rate: Rate,
    body_time: Duration,
    upload_time: Duration,
    uploads: Semaphore,
    at_work: Semaphore,
    registry: Registry,
    sealed_reads: Counter,
    taken: Counter,
}

type Shared = Held<Arc<State>>;

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    place::must_be_home(home)?;
    let keys = Keys::load(&home.join("key.age"), "mirror", &options.secret)?;
    let mirror = Arc::new(Mirror::open(home, &keys, options.heartbeat)?);
    let tls = match &options.tls {
        Some((chain, key)) => Some(Tls::load(chain, key, options.client_authority.as_deref())?),
        None => None,
    };
    log_to_stderr(options.json_log);
    files::allow_many_open_files();
    memory::clear_unfinished(home)?;
    // The logs themselves are asked each time that they are followed.
    must_remember_what_is_published(home, mirror.own(), &options.peers, false, "mirror")?;
    let mut registry = Registry::with_prefix("coldlog");
    let traffic = Arc::new(Traffic::new(&mut registry, options.behind_proxy));
    let (sealed_reads, taken) = (Counter::default(), Counter::default());
    registry.register("sealed_reads", "Bundles of sealed records read", sealed_reads.clone());
    registry.register("heads_taken", "Heads taken over HTTP", taken.clone());
    let follower = Follower::start(home, mirror.clone(), options.follow_every, &mut registry)?;
    let name = mirror.name().to_owned();
    let state = Arc::new(State {
        home: home.into(),
        mirror,
        follower,
        accesses: Mutex::default(),
        rate: Rate::new(options.rate),
        body_time: Duration::from_secs(options.header_time),
        upload_time: Duration::from_secs(options.upload_time),
        uploads: Semaphore::new(UPLOADS),
        at_work: Semaphore::new(AT_WORK),
        registry,
        sealed_reads,
        taken,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("starting the server")?;
    let header = Duration::from_secs(options.header_time);
    let limits = Limits { connections: options.connections, header, ..Limits::default() };
    let held = state.clone();
    let served = runtime.block_on(async {
        let server = Server::bind(options.listen, tls, limits).await?;
        say(format!("serving {name} at {}", server.url()));
        let watched = traffic.clone();
        let stop = asked_to_stop(options.stop_after.map(Duration::from_secs));
        let router = traffic.watch(router(state));
        server.run(router, move |change| watched.connection(change), stop).await
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    // What is being fetched is found again by the next run.
    held.follower.stop();
    served?;
    say("stopped: what was cosigned is here");
    Ok(())
}

fn router(state: Arc<State>) -> Router {
    let counted = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/sign-subtree", post(sign_subtree))
        .route("/add-entries", post(add_entries).layer(RequestDecompressionLayer::new()))
        .route("/{origin}/sealed/{*path}", get(sealed))
        .route_layer(middleware::from_fn_with_state(state.clone(), count));
    Router::new()
        .merge(counted)
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/{origin}/tile/{*path}", get(published))
        .route("/{origin}/heads/{*path}", get(published))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || text(StatusCode::NOT_FOUND, "no such resource (C2SP tlog-mirror)\n"))
        .method_not_allowed_fallback(async || {
            text(StatusCode::METHOD_NOT_ALLOWED, "this resource takes another method\n")
        })
        .with_state(state)
}

async fn count(Held(state): Shared, request: Request, next: Next) -> Response {
    counted(&state.rate, request, next).await
}

// The disk and signatures: nothing that the connections should wait for.
async fn aside<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Outcome<T> + Send + 'static,
) -> Result<T, Response> {
    let held = state.clone();
    coldlog_web::reply::aside(&state.at_work, "mirror", move || work(&held)).await
}

async fn add_checkpoint(Held(state): Shared, request: Request) -> Response {
    let body = match coldlog_web::read(request.into_body(), MAX_BODY, state.body_time).await {
        Ok(body) => body,
        Err(why) => return not_taken(why),
    };
    let done = aside(&state, move |state| {
        state.mirror.must_be_settled()?;
        state.mirror.add_checkpoint(&body)
    });
    match done.await {
        Ok((answer, taken)) => {
            if let Some(origin) = taken {
                state.taken.inc();
                state.follower.wake(origin);
            }
            answered(answer)
        }
        Err(response) => response,
    }
}

async fn sign_subtree(Held(state): Shared, request: Request) -> Response {
    let body = match coldlog_web::read(request.into_body(), MAX_BODY, state.body_time).await {
        Ok(body) => body,
        Err(why) => return not_taken(why),
    };
    match aside(&state, move |state| Ok(state.mirror.sign_subtree(&body)?)).await {
        Ok(answer) => answered(answer),
        Err(response) => response,
    }
}

async fn add_entries(Held(state): Shared, request: Request) -> Response {
    let body = axum::body::Body::new(request.into_body());
    let mut incoming = Incoming::new(body, MAX_UPLOAD, state.upload_time);
    // Its beginning decides: an upload that is refused is not read, and takes no room.
    let begun = incoming.beginning(MAX_BEGINNING, |bytes| match Upload::decode(bytes) {
        Ok(Some((upload, _))) => Some(Ok(upload)),
        Ok(None) => None,
        Err(why) => Some(Err(why)),
    });
    let upload = match begun.await {
        Ok(Some(Ok(upload))) => upload,
        Ok(Some(Err(why))) => return text(StatusCode::BAD_REQUEST, format!("{why}\n")),
        Ok(None) => return text(StatusCode::BAD_REQUEST, "it ends within its first fields\n"),
        Err(why) => return not_taken(why),
    };
    let judged = aside(&state, move |state| state.mirror.judge_upload(&upload));
    match judged.await {
        Ok(None) => {}
        Ok(Some(refused)) => return upload_told(refused),
        Err(response) => return response,
    }
    let Ok(_upload) = state.uploads.try_acquire() else {
        let told = "more is uploaded than this mirror takes at a time: try again in a while\n";
        return text(StatusCode::SERVICE_UNAVAILABLE, told);
    };
    // Unnamed: it is gone with the process, whatever ends it.
    let file = aside(&state, |state| {
        files::need_space(&state.home, MAX_UPLOAD)?;
        Ok(tempfile::tempfile_in(&state.home).context("making room for an upload")?)
    });
    let file = match file.await {
        Ok(file) => file,
        Err(response) => return response,
    };
    let written = match file.try_clone() {
        Ok(written) => written,
        Err(why) => return not_taken(coldlog_web::Refused::NotStored(why)),
    };
    // What broke off, or comes too slowly, may hold whole packages, which are kept (C2SP tlog-mirror,
    // "Processing").
    match incoming.save_to(written).await {
        Ok(()) | Err(coldlog_web::Refused::Broken | coldlog_web::Refused::TooSlow) => {}
        Err(why) => return not_taken(why),
    }
    let done = aside(&state, move |state| {
        let mut file = file;
        file.seek(SeekFrom::Start(0)).context("the upload")?;
        state.mirror.add_entries(file.by_ref())
    });
    match done.await {
        Ok(answer) => upload_told(answer),
        Err(response) => response,
    }
}

// What is left of a body that was not read must not pass for the next request.
fn upload_told(answer: crate::upload::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = of_type(status, answer.kind, answer.body);
    if answer.status == 503 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

// The copy of a log by the SHA-256 of its origin, in lowercase hex.
fn named(state: &State, hash: &str) -> Result<Option<(String, Copy)>> {
    let origin = memory::origin_of(&state.home, hash)?;
    Ok(origin.map(|origin| (origin.clone(), Copy::of(&state.home, &origin))))
}

fn no_log() -> Denied {
    Denied::not_found(
        "no copy of that log; the name is the SHA-256 of its origin, in lowercase hex",
    )
}

async fn checkpoint(Held(state): Shared, Named(hash): Named<String>) -> Response {
    let read = aside(&state, move |state| {
        let Some((_, copy)) = named(state, &hash)? else { return Ok(None) };
        Ok(copy.store().get("checkpoint", MAX_NOTE)?)
    });
    match read.await {
        Ok(Some(head)) => found(TEXT, ASK_AGAIN, head),
        Ok(None) => no_log().into_response(),
        Err(response) => response,
    }
}

// The path below the log's prefix, as it stands: its names need no escapes.
fn below(request: &Request, hash: &str) -> String {
    let path = request.uri().path();
    let path = path.strip_prefix('/').and_then(|path| path.strip_prefix(hash)).unwrap_or(path);
    path.trim_start_matches('/').to_owned()
}

// A file of a copy that its head stands for; what lies beyond it may still change.
fn read(
    copy: &Copy,
    path: &str,
    file: Option<(u8, u64, u64)>,
    limit: usize,
) -> Result<Option<Vec<u8>>> {
    let store = copy.store();
    if let Some((level, index, width)) = file {
        let size = match store.get("checkpoint", MAX_NOTE)? {
            Some(_) => coldlog_kit::published::head(&store)?.checkpoint.size,
            None => 0,
        };
        if width > tile::width_at(level, index, size) {
            return Ok(None);
        }
    }
    store.get(path, limit)
}

async fn published(
    Held(state): Shared,
    Named((hash, _)): Named<(String, String)>,
    request: Request,
) -> Response {
    let path = below(&request, &hash);
    let answer::Published { file, kind, cache, limit } = match answer::published(&path) {
        Ok(published) => published,
        Err(denied) => return denied.into_response(),
    };
    let bytes = aside(&state, move |state| {
        let Some((_, copy)) = named(state, &hash)? else { return Ok(Err(no_log())) };
        Ok(read(&copy, &path, file, limit)?.ok_or_else(answer::not_yet))
    });
    match bytes.await {
        Ok(Ok(bytes)) => found(kind, cache, bytes),
        Ok(Err(denied)) => denied.into_response(),
        Err(response) => response,
    }
}

async fn sealed(
    Held(state): Shared,
    Extension(peer): Extension<Peer>,
    Extension(client): Extension<Client>,
    Named((hash, _)): Named<(String, String)>,
    request: Request,
) -> Response {
    let path = below(&request, &hash);
    let (token, certificate) = (bearer(request.headers()), peer.certificate);
    let bytes = aside(&state, move |state| {
        let reader = readers::who(&state.home, token.as_deref(), certificate)?;
        let Some(reader) = reader else { return Ok(Err(answer::not_a_reader())) };
        let Some((origin, copy)) = named(state, &hash)? else { return Ok(Err(no_log())) };
        let published = match answer::published(&path) {
            Ok(published) => published,
            Err(denied) => return Ok(Err(denied)),
        };
        let Some((_, index, width)) = published.file else { return Ok(Err(answer::not_yet())) };
        let Some(bytes) = read(&copy, &path, published.file, published.limit)? else {
            return Ok(Err(answer::not_yet()));
        };
        // Noted, durably, before the first byte is out.
        let mut accesses = state.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        if !accesses.contains_key(&origin) {
            accesses.insert(origin.clone(), Accesses::open(copy.folder(), &origin)?);
        }
        let journal = accesses.get_mut(&origin).context("it was just opened")?;
        journal.note(&reader, &client.0.to_string(), index * WIDTH, width)?;
        state.sealed_reads.inc();
        Ok(Ok(bytes))
    });
    match bytes.await {
        Ok(Ok(bytes)) => found(BYTES, NOWHERE, Bytes::from(bytes)),
        Ok(Err(denied)) => denied.into_response(),
        Err(response) => response,
    }
}

// Whether it can cosign: the folder is the one that was settled, and the follower is at work.
async fn health(Held(state): Shared) -> Response {
    match aside(&state, |state| state.mirror.must_be_settled()).await {
        Ok(()) if state.follower.is_alive() => text(StatusCode::OK, "ok\n"),
        Ok(()) => text(StatusCode::INTERNAL_SERVER_ERROR, "the follower is gone\n"),
        Err(response) => response,
    }
}

async fn metrics(Held(state): Shared) -> Response {
    of_type(StatusCode::OK, METRICS, metrics_text(&state.registry))
}
