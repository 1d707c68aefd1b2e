//! What is asked, and who may ask it.

use super::answer::{self, ASK_AGAIN, BYTES, Denied, NOWHERE, Published, TEXT, bearer, found};
use super::metrics::Metrics;
use super::queue::{Entry, Known, Queue, incoming};
use super::readers::{self, Accesses};
use super::receipts::{Found, Receipts};
use crate::store::Store;
use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Request, State as Held};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coldlog_kit::exit::Failure;
use coldlog_kit::files;
use coldlog_kit::published;
use coldlog_spec::cbor::{self, Value};
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::Verifiers;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::registration::{MAX_REGISTRATION, Registration};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::{self, MAX_BUNDLE, WIDTH};
use coldlog_spec::verify::append::{Admission, Refusal, verify_genesis, verify_records};
use coldlog_web::{Client, METRICS, Peer, Rate};
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

/// What the handlers share.
pub(crate) struct State {
    pub(crate) home: PathBuf,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) queue: Queue,
    /// Of the journals that were written since the server began.
    pub(crate) journals: Mutex<HashMap<Claims, Arc<Admission>>>,
    /// For the signers of single entries.
    pub(crate) verifiers: Mutex<Verifiers>,
    pub(crate) accesses: Mutex<Accesses>,
    pub(crate) rate: Rate,
    pub(crate) largest_batch: u64,
    pub(crate) body_time: (Duration, Duration),
    /// The size of a head that was seen published.
    pub(crate) published: AtomicU64,
    /// Batches that may be on their way at the same time: each takes room on the disk.
    pub(crate) uploads: Semaphore,
}

impl State {
    // Whether the published head stands for a tile or a bundle (row, place, width).
    fn is_published(&self, (level, index, width): (u8, u64, u64)) -> anyhow::Result<bool> {
        let stands_for = |size: u64| width <= tile::width_at(level, index, size);
        if stands_for(self.published.load(Ordering::Relaxed)) {
            return Ok(true);
        }
        let size = published::head(self.store.as_ref())?.checkpoint.size;
        self.published.fetch_max(size, Ordering::Relaxed);
        Ok(stands_for(size))
    }
}

/// See [`State::uploads`].
pub(crate) const UPLOADS: usize = 8;

type Answer = Result<Response, Denied>;
type Shared = Held<Arc<State>>;

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";
const SEQUENCE: &str = "application/cbor-seq";

/// The server's routes.
pub(crate) fn router(state: Arc<State>) -> Router {
    // What costs a signature, a write or a note is counted by address; files are as cheap as they are.
    let counted = Router::new()
        .route("/entries", post(register))
        .route("/entries/{id}", get(entry))
        .route("/batches", post(batch))
        .route("/sealed/{*path}", get(sealed))
        .route_layer(middleware::from_fn_with_state(state.clone(), count));
    let bundles = Router::new()
        .route("/tile/entries/{*path}", get(published))
        .route_layer(CompressionLayer::new());
    Router::new()
        .merge(counted)
        .merge(bundles)
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(published))
        .route("/heads/{*path}", get(published))
        .route("/.well-known/scitt-keys", get(keys))
        .route("/.well-known/scitt-keys/{kid}", get(key))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || Denied::not_found("no such resource; spec/formats/http.md lists them"))
        .method_not_allowed_fallback(async || {
            let detail = "this resource takes another method; spec/formats/http.md lists them";
            Denied::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail)
        })
        .with_state(state)
}

async fn count(Held(state): Shared, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().map(|client| client.0);
    match client.map_or(Ok(()), |client| state.rate.check(client)) {
        Ok(()) => next.run(request).await,
        Err(wait) => Denied::too_many(wait).into_response(),
    }
}

// The disk, an object store, signatures: nothing that the connections should wait for.
async fn aside<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Denied> {
    let state = state.clone();
    let done = tokio::task::spawn_blocking(move || work(&state)).await;
    let done = done.map_err(|_| Denied::trouble(&anyhow::anyhow!("a handler ended by a bug")))?;
    done.map_err(|failure| match failure {
        Failure::No(why) | Failure::Trouble(why) => Denied::trouble(&why),
    })
}

async fn checkpoint(Held(state): Shared) -> Answer {
    let note = aside(&state, |state| match state.receipts.shows_all() {
        true => Ok(state.store.get("checkpoint", MAX_NOTE)?),
        false => Ok(state.receipts.shown(state.store.as_ref())?.map(|head| head.encode())),
    });
    let none = || Denied::not_found("the log has no head, or none that witnesses have cosigned");
    Ok(found(TEXT, ASK_AGAIN, note.await?.ok_or_else(none)?))
}

async fn published(Held(state): Shared, request: Request) -> Answer {
    // The path as it stands, not decoded: a log's own names need no escapes.
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let Published { file, kind, cache, limit } = answer::published(&path)?;
    let bytes = aside(&state, move |state| match file {
        // What lies beyond the head may still change, and a cache would keep it for ever.
        Some(file) if !state.is_published(file)? => Ok(None),
        _ => Ok(state.store.get(&path, limit)?),
    });
    let bytes = bytes.await?.ok_or_else(answer::not_yet)?;
    Ok(found(kind, cache, bytes))
}

async fn sealed(
    Held(state): Shared,
    Extension(peer): Extension<Peer>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Answer {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let token = bearer(request.headers());
    let parsed = tile::parse_path(&path);
    let certificate = peer.certificate;
    let reader =
        aside(&state, move |state| Ok(readers::who(&state.home, token.as_deref(), certificate)?))
            .await?;
    let reader = reader.ok_or_else(answer::not_a_reader)?;
    let missing = || Denied::not_found("no such bundle of sealed records, for example sealed/000");
    let (_, index, width) = parsed.ok_or_else(missing)?;
    let bytes = aside(&state, move |state| {
        let Some(bytes) = state.store.get(&path, MAX_BUNDLE)? else { return Ok(None) };
        // Noted, durably, before the first byte is out.
        let mut accesses = state.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        accesses.note(&reader, &client.0.to_string(), index * WIDTH, width)?;
        Ok(Some(bytes))
    });
    let bytes = bytes.await?.ok_or_else(missing)?;
    state.metrics.sealed_reads.inc();
    Ok(found(BYTES, NOWHERE, bytes))
}

fn of_type(headers: &HeaderMap, expected: &[&str]) -> Result<(), Denied> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = found.and_then(|found| found.split(';').next()).unwrap_or_default().trim();
    if expected.iter().any(|expected| kind.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    let detail =
        format!("expected the content type {}, found {:?}", expected[0], found.unwrap_or("none"));
    Err(Denied::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not the type", detail))
}

async fn register(Held(state): Shared, request: Request) -> Answer {
    of_type(request.headers(), &[COSE, "application/cose; cose-type=\"cose-sign1\""])?;
    let body = coldlog_web::read(request.into_body(), MAX_REGISTRATION, state.body_time.0).await?;
    let registered = Registration::decode(&body).map_err(Denied::malformed);
    let entry = async {
        let Registration { statement, sealed } = registered?;
        let known = journal(&state, &statement).await?;
        aside(&state, move |state| Ok(verified(statement, sealed, known, &state.verifiers))).await?
    };
    let entry = entry.await.inspect_err(|_| {
        state.metrics.refused.inc();
    })?;
    let (index, receipt) = state.queue.register(entry).await?;
    let mut response = match receipt {
        Some(receipt) => {
            let mut response = found(COSE, NOWHERE, receipt);
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        // It is in the log; the receipt waits for the witnesses (SCRAPI: asynchronous registration).
        None => later(StatusCode::SEE_OTHER),
    };
    let location = HeaderValue::try_from(format!("/entries/{index}"));
    let location = location.map_err(|why| Denied::trouble(&why.into()))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

// The journal of a statement that may be written; it is kept, until a statement names a key that it did not
// have: it was handed over meanwhile, maybe. Which key is in force, the sequencer asks by the log itself.
async fn journal(state: &State, statement: &Statement) -> Known {
    let claims = statement.claims();
    let held = || state.journals.lock().unwrap_or_else(PoisonError::into_inner);
    let known = held().get(claims).filter(|known| known.named_by(statement).is_some()).cloned();
    if known.is_some() {
        return Ok(known);
    }
    let known = state.queue.journal(claims.clone()).await?;
    if let Some(known) = &known {
        held().insert(claims.clone(), known.clone());
    }
    Ok(known)
}

// The part that needs no order. A journal that is new to the log begins with its genesis.
fn verified(
    statement: Statement,
    sealed: Vec<u8>,
    known: Option<Arc<Admission>>,
    verifiers: &Mutex<Verifiers>,
) -> Result<Entry, Denied> {
    let judge = || -> Result<Arc<Admission>, Refusal> {
        let admission = match known {
            Some(known) => known,
            None if statement.position.sequence == 0 => {
                Arc::new(verify_genesis(statement.bytes())?)
            }
            None => {
                let found = statement.position.sequence;
                return Err(Refusal::Gap { expected: 0, found });
            }
        };
        let verifier =
            verifiers.lock().unwrap_or_else(PoisonError::into_inner).of(&admission.key, 1);
        let judged = verify_records(&[(statement.bytes(), &sealed)], &admission, &[], &verifier);
        judged.into_iter().try_for_each(|judged| judged.map(drop))?;
        Ok(admission)
    };
    let admission = judge().map_err(|refusal| Denied::refused(&refusal))?;
    Ok(Entry { statement, sealed, admission })
}

async fn entry(Held(state): Shared, Path(id): Path<String>) -> Answer {
    let missing = || Denied::not_found("no such entry; entries are numbered from 0");
    let index: u64 =
        id.parse().ok().filter(|index: &u64| index.to_string() == id).ok_or_else(missing)?;
    let looked = aside(&state, move |state| state.receipts.of_index(state.store.as_ref(), index));
    match looked.await? {
        Found::Receipt(receipt) => Ok(found(COSE, ASK_AGAIN, receipt)),
        Found::Waits => {
            let mut response = later(StatusCode::FOUND);
            let location = HeaderValue::try_from(format!("/entries/{index}"));
            let location = location.map_err(|why| Denied::trouble(&why.into()))?;
            response.headers_mut().insert(header::LOCATION, location);
            Ok(response)
        }
        Found::Nothing => Err(missing()),
    }
}

// Ask again at the location.
fn later(status: StatusCode) -> Response {
    let mut response = found(TEXT, NOWHERE, "the receipt waits for the witnesses\n");
    *response.status_mut() = status;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

async fn batch(Held(state): Shared, request: Request) -> Answer {
    of_type(request.headers(), &[SEQUENCE, BYTES])?;
    let announced = request.headers().get(header::CONTENT_LENGTH);
    // Where none is announced, it may be as large as any.
    let announced: u64 = announced
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(state.largest_batch);
    if announced > state.largest_batch {
        return Err(coldlog_web::Refused::TooLarge(state.largest_batch).into());
    }
    let _upload = state.uploads.try_acquire().map_err(|_| Denied::busy())?;
    let (path, file) = aside(&state, move |state| {
        let path = incoming(&state.home, ".batch.cbor")?;
        files::need_space(&state.home, announced)?;
        let file = std::fs::File::create(&path).context("the batch")?;
        Ok((path, file))
    })
    .await?;
    let body = request.into_body();
    let bytes = coldlog_web::save(body, state.largest_batch, state.body_time.1, file).await?;
    if bytes == 0 {
        return Err(Denied::malformed("expected a batch (`signer export`), found an empty body"));
    }
    let receipts = state.queue.append(path).await?;
    let (file, length) = aside(&state, move |_| {
        let file = std::fs::File::open(&receipts).context("the receipts")?;
        let length = file.metadata().context("the receipts")?.len();
        Ok((file, length))
    })
    .await?;
    let mut response = found(SEQUENCE, NOWHERE, stream(file));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Bytes of a file that are sent at a time.
const PIECE: usize = 64 << 10;

// A file as a body, in constant memory.
fn stream(file: std::fs::File) -> Body {
    let pieces = futures_util::stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            (&mut file).take(PIECE as u64).read_to_end(&mut piece).map(|_| (piece, file))
        });
        match read.await {
            Ok(Ok((piece, _))) if piece.is_empty() => None,
            Ok(Ok((piece, file))) => Some((Ok(Bytes::from(piece)), Some(file))),
            Ok(Err(why)) => Some((Err(why), None)),
            Err(why) => Some((Err(std::io::Error::other(why)), None)),
        }
    });
    Body::from_stream(pieces)
}

async fn keys(Held(state): Shared) -> Answer {
    let set = cbor::to_bytes(&Value::Array(vec![state.receipts.key().cose_key()]));
    Ok(found(CBOR, ASK_AGAIN, set))
}

async fn key(Held(state): Shared, Path(kid): Path<String>) -> Answer {
    let key = state.receipts.key();
    let asked = URL_SAFE_NO_PAD.decode(kid.trim_end_matches('=')).ok();
    if asked.is_none_or(|asked| asked != key.thumbprint().0) {
        return Err(Denied::not_found("no key of this log has that identifier"));
    }
    Ok(found(CBOR, ASK_AGAIN, cbor::to_bytes(&key.cose_key())))
}

// Whether the log can be read, and goes on.
async fn health(Held(state): Shared) -> Answer {
    aside(&state, |state| {
        state.receipts.must_be_current(&state.home)?;
        let head = state.receipts.head(state.store.as_ref())?;
        state.metrics.size.set(head.checkpoint.size as i64);
        Ok(())
    })
    .await?;
    match state.queue.is_alive() {
        true => Ok(found(TEXT, NOWHERE, "ok\n")),
        false => Err(Denied::trouble(&anyhow::anyhow!("the sequencer is gone"))),
    }
}

async fn metrics(Held(state): Shared) -> Answer {
    Ok(found(METRICS, NOWHERE, state.metrics.text()))
}
