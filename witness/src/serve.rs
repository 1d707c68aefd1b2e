//! `witness serve`: C2SP tlog-witness over HTTP (`spec/formats/http.md`).

use crate::commands::bastion_key;
use crate::cosign::{Answer, TooMany, Witness};
use crate::place;
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Extension, Path as Named, Request, State as Held};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use coldlog_kit::exit::{Outcome, no, text_of, trouble};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_kit::{files, time};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_web::reply::{TEXT, counted, not_taken, of_type, text};
use coldlog_web::{
    Authorities, BackendKey, Bastion, BastionAddress, Limits, METRICS, Peer, Rate, Server, Tls,
    Traffic, asked_to_stop, log_to_stderr, metrics_text,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// What the command line says.
pub struct Options {
    /// Where to listen; where nothing is said, on 8081 of this machine alone, or nowhere if there is a bastion.
    pub listen: Option<SocketAddr>,
    /// The bastions.
    pub through: Through,
    /// Certificate chain and key in PEM, for TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Connections at the same time.
    pub connections: usize,
    /// Requests a second from one address.
    pub rate: u32,
    /// Seconds that a connection may be idle, take for a request's header, or for its body.
    pub header_time: u64,
    /// Take a client's address from the last entry of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Seconds after which an unchanged head is cosigned anew.
    pub heartbeat: u64,
    /// Other witnesses' or mirrors' monitoring prefixes, asked at the start for what this one cosigned.
    pub peers: Vec<String>,
    /// Log in JSON.
    pub json_log: bool,
    /// Stop after so many seconds.
    pub stop_after: Option<u64>,
    /// The passphrase's source.
    pub secret: Source,
}

/// Bastions, through which a witness is asked that opens no port (C2SP https-bastion).
#[derive(Debug, clap::Args)]
pub struct Through {
    /// A bastion's host and port for backends: connect out to it, and answer what comes through it. Can be given
    /// several times.
    #[arg(long = "bastion", value_name = "HOST:PORT")]
    bastions: Vec<BastionAddress>,
    /// The authority of the bastions' certificates, in PEM, in place of the system's.
    #[arg(long, value_name = "PEM", requires = "bastions")]
    bastion_ca: Option<PathBuf>,
}

impl Through {
    // How each is reached, and the witness's place there.
    fn open(&self, home: &Path, limits: Limits) -> Result<Vec<(String, Bastion)>> {
        if self.bastions.is_empty() {
            return Ok(Vec::new());
        }
        let key = Arc::new(BackendKey::load_or_make(&home.join(bastion_key::FILE))?);
        let authorities = match &self.bastion_ca {
            Some(path) => Authorities::load(path)?,
            None => Authorities::of_the_system()?,
        };
        let each = self.bastions.iter().map(|address| {
            let place = format!("{address}, at /{}", key.hash().to_hex());
            (place, Bastion::new(address.clone(), key.clone(), authorities.clone(), limits))
        });
        Ok(each.collect())
    }
}

/// The largest request: a note, 63 hashes, and the first line.
const MAX_BODY: usize = MAX_NOTE + 4096;
/// Requests at work at the same time; further ones wait, in the order in which they came.
const AT_WORK: usize = 64;
/// The type of a size, in the answer to a stale request.
const SIZE: &str = "text/x.tlog.size";

struct State {
    witness: Witness,
    evidence: PathBuf,
    rate: Rate,
    body_time: Duration,
    at_work: Semaphore,
    registry: Registry,
    cosigned: Counter,
    misfits: Counter,
}

type Shared = Held<Arc<State>>;

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    place::must_be_home(home)?;
    let listen = match options.listen {
        None if options.through.bastions.is_empty() => {
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))
        }
        listen => listen,
    };
    if listen.is_none() && options.tls.is_some() {
        trouble(
            "--tls-certificate is for a port that is opened, and with --bastion none is; say --listen as well, or leave the certificate out",
        )?;
    }
    let keys = Keys::load(&home.join("key.age"), "witness", &options.secret)?;
    let witness = Witness::open(home, &keys, options.heartbeat)?;
    let tls = match &options.tls {
        Some((chain, key)) => Some(Tls::load(chain, key, None)?),
        None => None,
    };
    let header = Duration::from_secs(options.header_time);
    let limits = Limits { connections: options.connections, header, ..Limits::default() };
    let bastions = options.through.open(home, limits)?;
    log_to_stderr(options.json_log);
    files::allow_many_open_files();
    place::clear_unfinished(home)?;
    must_remember_what_is_published(home, witness.own(), &options.peers, true, "witness")?;
    let mut registry = Registry::with_prefix("coldlog");
    let traffic = Arc::new(Traffic::new(&mut registry, options.behind_proxy));
    let (cosigned, misfits) = (Counter::default(), Counter::default());
    registry.register("cosigned", "Heads cosigned", cosigned.clone());
    registry.register(
        "misfits",
        "Heads refused that did not extend what was seen",
        misfits.clone(),
    );
    let connected = Gauge::<i64>::default();
    registry.register("bastions", "Bastions that this witness is connected to", connected.clone());
    let name = witness.name().to_owned();
    let state = Arc::new(State {
        witness,
        evidence: home.join("evidence"),
        rate: Rate::new(options.rate),
        body_time: Duration::from_secs(options.header_time),
        at_work: Semaphore::new(AT_WORK),
        registry,
        cosigned,
        misfits,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("starting the server")?;
    let served = runtime.block_on(async {
        let server = match listen {
            Some(address) => Some(Server::bind(address, tls, limits).await?),
            None => None,
        };
        if let Some(server) = &server {
            say(format!("serving {name} at {}", server.url()));
        }
        for (place, _) in &bastions {
            say(format!("serving {name} through {place}"));
        }
        let watched = traffic.clone();
        let router = traffic.watch(router(state));
        // One wish to stop, heard by all: it is the end of this sender.
        let (going, stop) = watch::channel(());
        let mut through = JoinSet::new();
        for (_, bastion) in bastions {
            let connected = connected.clone();
            let watch = move |change| _ = connected.inc_by(change);
            through.spawn(bastion.serve(router.clone(), watch, ended(stop.clone())));
        }
        let asked = async {
            asked_to_stop(options.stop_after.map(Duration::from_secs)).await;
            drop(going);
            Ok(())
        };
        let listening = async {
            let Some(server) = server else { return Ok(()) };
            server.run(router, move |change| watched.connection(change), ended(stop)).await
        };
        let dialling = async {
            while let Some(ended) = through.join_next().await {
                ended.context("a bastion's connection ended by a bug")?;
            }
            Ok(())
        };
        tokio::try_join!(asked, listening, dialling)
    });
    // What was begun is remembered before the process ends.
    runtime.shutdown_timeout(Duration::from_secs(10));
    served?;
    say("stopped: every answer is remembered");
    Ok(())
}

async fn ended(mut stop: watch::Receiver<()>) {
    // Nothing is ever sent: it changes when the sender is gone.
    let _ = stop.changed().await;
}

/// A memory that is older than what a witness or a mirror has cosigned, as logs and peers have published it,
/// was restored: then it is refused. `role` is for the text.
pub fn must_remember_what_is_published(
    home: &Path,
    own: &[VerifierKey],
    peers: &[String],
    ask_logs: bool,
    role: &str,
) -> Outcome {
    for known in place::all(home)? {
        let origin = &known.log.origin;
        let hash = Hash::of(origin.as_bytes()).to_hex();
        let of_peers =
            peers.iter().map(|peer| format!("{}/{hash}/checkpoint", peer.trim_end_matches('/')));
        let of_log = known.log.url.iter().filter(|_| ask_logs);
        let of_log = of_log.map(|url| format!("{}/checkpoint", url.trim_end_matches('/')));
        for url in of_log.chain(of_peers) {
            let head = match asked(&url) {
                Ok(Some(head)) => head,
                Ok(None) => continue,
                Err(why) => {
                    tracing::warn!(%url, why = %format!("{why:#}"), "what is published cannot be compared");
                    continue;
                }
            };
            if let Some((size, seen)) = place::forgotten(&known, &head, own) {
                return no(format!(
                    "{url} has a head of {origin} at size {size} that carries this {role}'s cosignature, this {role} remembers size {seen}: its memory was restored from an older copy; run `{role} recover --newest HEAD` with that head"
                ));
            }
        }
    }
    Ok(())
}

fn asked(url: &str) -> Result<Option<SignedCheckpoint>> {
    let Some(bytes) = coldlog_client::Client::new()?.get(url, MAX_NOTE)? else { return Ok(None) };
    Ok(Some(SignedCheckpoint::decode(&bytes)?))
}

fn router(state: Arc<State>) -> Router {
    let counted = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/sign-subtree", post(sign_subtree))
        .route_layer(middleware::from_fn_with_state(state.clone(), count));
    Router::new()
        .merge(counted)
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || no_such_resource())
        .method_not_allowed_fallback(async || {
            text(StatusCode::METHOD_NOT_ALLOWED, "this resource takes another method\n")
        })
        .with_state(state)
}

fn no_such_resource() -> Response {
    text(StatusCode::NOT_FOUND, "no such resource (C2SP tlog-witness)\n")
}

async fn count(Held(state): Shared, request: Request, next: Next) -> Response {
    counted(&state.rate, request, next).await
}

// Signatures and the disk: nothing that the connections should wait for.
async fn aside<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Outcome<T> + Send + 'static,
) -> Result<T, Response> {
    let held = state.clone();
    coldlog_web::reply::aside(&state.at_work, "witness", move || work(&held)).await
}

fn told(state: &State, answer: Answer) -> Response {
    match answer.refused {
        None => _ = state.cosigned.inc(),
        Some(_) if answer.status == 422 => _ = state.misfits.inc(),
        Some(_) => {}
    }
    answered(answer)
}

/// What a witness or a mirror decided, over HTTP; a log that shows two histories is logged.
pub fn answered(answer: Answer) -> Response {
    match &answer.refused {
        Some((why, Some(evidence))) => {
            let (why, evidence) = (text_of(why), evidence.display());
            tracing::error!(%why, %evidence, "a log shows two histories");
        }
        Some((why, None)) if answer.status == 422 => {
            tracing::warn!(why = %text_of(why), "a head does not extend what was seen");
        }
        _ => {}
    }
    let status = u16::try_from(answer.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if answer.status == 409 { SIZE } else { TEXT };
    let wait = answer.refused.as_ref().and_then(|(why, _)| why.downcast_ref::<TooMany>());
    let wait = wait.map(|why| HeaderValue::from(why.wait));
    let mut response = of_type(status, kind, answer.body);
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}

async fn add_checkpoint(Held(state): Shared, request: Request) -> Response {
    let body = match coldlog_web::read(request.into_body(), MAX_BODY, state.body_time).await {
        Ok(body) => body,
        Err(why) => return not_taken(why),
    };
    let done = aside(&state, move |state| {
        // A name of its own for each log: a second misfit of one log has its digest behind it.
        let named = coldlog_spec::witnessing::Request::from_body(&body);
        let log = named.map_or("none".into(), |request| {
            Hash::of(request.head.checkpoint.origin.as_bytes()).to_hex()
        });
        let evidence = state.evidence.join(format!("{log}.evidence.cbor"));
        state.witness.add_checkpoint(&body, time::now(), &evidence)
    });
    match done.await {
        Ok(answer) => told(&state, answer),
        Err(response) => response,
    }
}

async fn sign_subtree(Held(state): Shared, request: Request) -> Response {
    let body = match coldlog_web::read(request.into_body(), MAX_BODY, state.body_time).await {
        Ok(body) => body,
        Err(why) => return not_taken(why),
    };
    match aside(&state, move |state| Ok(state.witness.sign_subtree(&body)?)).await {
        Ok(answer) => told(&state, answer),
        Err(response) => response,
    }
}

async fn checkpoint(Held(state): Shared, Named(origin): Named<String>) -> Response {
    match aside(&state, move |state| Ok(state.witness.checkpoint(&origin)?)).await {
        Ok(Some(head)) => text(StatusCode::OK, head),
        Ok(None) => {
            let told =
                "no head of that log; the name is the SHA-256 of its origin, in lowercase hex\n";
            text(StatusCode::NOT_FOUND, told)
        }
        Err(response) => response,
    }
}

// Whether it can cosign: the folder is still the one that was settled, and can be read.
async fn health(Held(state): Shared) -> Response {
    match aside(&state, |state| state.witness.must_be_settled()).await {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(response) => response,
    }
}

async fn metrics(Held(state): Shared, Extension(peer): Extension<Peer>) -> Response {
    // They are for those who run the witness, who can keep others from a port of theirs, but not from a bastion's.
    if peer.bastion {
        return no_such_resource();
    }
    of_type(StatusCode::OK, METRICS, metrics_text(&state.registry)).into_response()
}
