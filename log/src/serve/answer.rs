//! What requests are answered with.

use crate::commands::freeze::Frozen;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coldlog_kit::exit::{Failure, text_of};
use coldlog_kit::sequence::CutShort;
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::end;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::problem::{MEDIA_TYPE, Problem};
use coldlog_spec::rules::NotAdmitted;
use coldlog_spec::tile::{self, MAX_BUNDLE};
use coldlog_spec::verify::append::Refusal;
use coldlog_web::Refused;
use std::time::Duration;

/// A refusal, or trouble.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The HTTP status.
    pub status: StatusCode,
    title: &'static str,
    detail: String,
    retry: Option<Duration>,
}

impl Denied {
    /// Of any kind.
    pub fn new(status: StatusCode, title: &'static str, detail: impl std::fmt::Display) -> Denied {
        Denied { status, title, detail: detail.to_string(), retry: None }
    }

    /// 404
    pub fn not_found(what: impl std::fmt::Display) -> Denied {
        Denied::new(StatusCode::NOT_FOUND, "Not found", what)
    }

    /// 400
    pub fn malformed(why: impl std::fmt::Display) -> Denied {
        Denied::new(StatusCode::BAD_REQUEST, "Malformed", why)
    }

    /// 429, with the time to wait.
    pub fn too_many(wait: Duration) -> Denied {
        let detail = "too many requests from this address: wait as long as Retry-After says";
        let denied = Denied::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
        Denied { retry: Some(wait), ..denied }
    }

    /// 503
    pub fn busy() -> Denied {
        let detail = "more waits to be appended than this log takes: send it again in a while";
        let denied = Denied::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", detail);
        Denied { retry: Some(Duration::from_secs(1)), ..denied }
    }

    /// No refusal: the batch is in the log, its receipts wait.
    pub fn waits() -> Denied {
        let detail = "the batch is in the log; its receipts wait for the witnesses: post it again for them, nothing is appended twice";
        let waits = Denied::new(StatusCode::ACCEPTED, "The receipts wait", detail);
        Denied { retry: Some(Duration::from_secs(1)), ..waits }
    }

    /// What went wrong here is for those who run the server, not for whoever asks.
    pub fn trouble(why: &anyhow::Error) -> Denied {
        tracing::error!(why = %text_of(why), "trouble");
        let detail = "the log is in trouble; nothing was lost: ask those who run it, and try again";
        Denied::new(StatusCode::INTERNAL_SERVER_ERROR, "Trouble", detail)
    }

    /// By its kind: what the sender can mend is told, without a path of this machine.
    pub fn failed(failure: &Failure) -> Denied {
        let (Failure::No(why) | Failure::Trouble(why)) = failure;
        for cause in why.chain() {
            if let Some(refusal) = cause.downcast_ref::<Refusal>() {
                return Denied::refused(refusal);
            }
            if let Some(malformed) = cause.downcast_ref::<DecodeError>() {
                return Denied::malformed(malformed);
            }
            if let Some(cut_short) = cause.downcast_ref::<CutShort>() {
                return Denied::malformed(cut_short);
            }
            if let Some(frozen) = cause.downcast_ref::<Frozen>() {
                return Denied::new(StatusCode::GONE, "Frozen", frozen);
            }
        }
        match failure {
            Failure::No(why) => Denied::new(StatusCode::CONFLICT, "Refused", text_of(why)),
            Failure::Trouble(why) => Denied::trouble(why),
        }
    }

    /// Whether what is told is the whole text of a failure, and that names a place.
    pub fn names_one_of(&self, text: &str, places: &[String]) -> bool {
        self.detail == text && places.iter().any(|place| text.contains(place.as_str()))
    }

    /// By what is wrong with a statement.
    pub fn refused(refusal: &Refusal) -> Denied {
        let (status, title) = match refusal {
            Refusal::Decode(_) => (StatusCode::BAD_REQUEST, "Malformed"),
            Refusal::Rules(NotAdmitted::NotAllowed { .. }) => {
                (StatusCode::FORBIDDEN, "Not allowed")
            }
            Refusal::Statement(_)
            | Refusal::Key(_)
            | Refusal::Sealed { .. }
            | Refusal::NotASigners { .. }
            | Refusal::Rules(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Not acceptable"),
            _ => (StatusCode::CONFLICT, "Refused"),
        };
        Denied::new(status, title, refusal)
    }
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Denied {
        match refused {
            Refused::TooLarge(limit) => Denied::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                format!("the body is larger than {limit} bytes"),
            ),
            Refused::TooSlow => Denied::new(
                StatusCode::REQUEST_TIMEOUT,
                "Too slow",
                "the body did not come in time; send it again",
            ),
            Refused::Broken => Denied::malformed("the body broke off; send it again"),
            Refused::NotStored(why) => Denied::trouble(&why.into()),
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = Problem { title: self.title.into(), detail: self.detail }.encode();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(wait) = self.retry {
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        // What is left of a body that was not read must not pass for the next request.
        if matches!(
            self.status,
            StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        ) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// 200 with a body of a type, and how long a cache may keep it.
pub fn found(kind: &'static str, cache: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], body.into()).into_response()
}

/// A published file, and how it is given out.
pub struct Published {
    /// Row, position and width of a tile or a bundle; none for a head.
    pub file: Option<(u8, u64, u64)>,
    /// Its media type.
    pub kind: &'static str,
    /// How long a cache may keep it.
    pub cache: &'static str,
    /// The largest that there is.
    pub limit: usize,
}

/// What a path of the log's own layout names (C2SP tlog-tiles, and `heads/`).
pub fn published(path: &str) -> Result<Published, Denied> {
    let is_head = path == end::PATH || tile::parse_head_path(path).is_some();
    let file = tile::parse_path(path);
    match file {
        Some(_) => Ok(Published { file, kind: BYTES, cache: FOR_EVER, limit: MAX_BUNDLE }),
        None if is_head => Ok(Published { file, kind: TEXT, cache: ASK_AGAIN, limit: MAX_NOTE }),
        None => Err(Denied::not_found(
            "no path of a tile, a bundle or a head (C2SP tlog-tiles), for example tile/0/x001/x234/067.p/8",
        )),
    }
}

/// What is not there, of a published log.
pub fn not_yet() -> Denied {
    Denied::not_found("not in this log, or not yet; a partial tile may be there as a full one")
}

/// Who reads sealed records proves it by a token or a certificate.
pub fn not_a_reader() -> Denied {
    let detail = "sealed records are read with the bearer token or the client certificate of an allowed reader; those who run this server allow one with `allow-reader`";
    Denied::new(StatusCode::UNAUTHORIZED, "Not allowed", detail)
}

/// The token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// A tile, a bundle.
pub const BYTES: &str = "application/octet-stream";
/// A head.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Tiles and bundles never change; a head moves, and gets cosignatures.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A cache asks each time.
pub const ASK_AGAIN: &str = "no-cache";
/// No cache keeps it.
pub const NOWHERE: &str = "no-store";
