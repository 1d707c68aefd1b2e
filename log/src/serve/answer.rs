//! What requests are answered with.

use crate::commands::freeze::Frozen;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coldlog_kit::exit::{Failure, text_of};
use coldlog_kit::sequence::CutShort;
use coldlog_spec::cbor::DecodeError;
use coldlog_spec::problem::{MEDIA_TYPE, Problem};
use coldlog_spec::rules::NotAdmitted;
use coldlog_spec::verify::append::Refusal;
use coldlog_web::Refused;
use std::time::Duration;

/// A refusal, or trouble.
#[derive(Debug, Clone)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    title: &'static str,
    detail: String,
    retry: Option<Duration>,
}

impl Denied {
    pub(crate) fn new(
        status: StatusCode,
        title: &'static str,
        detail: impl std::fmt::Display,
    ) -> Denied {
        Denied { status, title, detail: detail.to_string(), retry: None }
    }

    pub(crate) fn not_found(what: impl std::fmt::Display) -> Denied {
        Denied::new(StatusCode::NOT_FOUND, "Not found", what)
    }

    pub(crate) fn malformed(why: impl std::fmt::Display) -> Denied {
        Denied::new(StatusCode::BAD_REQUEST, "Malformed", why)
    }

    pub(crate) fn too_many(wait: Duration) -> Denied {
        let detail = "too many requests from this address: wait as long as Retry-After says";
        let denied = Denied::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
        Denied { retry: Some(wait), ..denied }
    }

    pub(crate) fn busy() -> Denied {
        let detail = "more waits to be appended than this log takes: send it again in a while";
        let denied = Denied::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", detail);
        Denied { retry: Some(Duration::from_secs(1)), ..denied }
    }

    /// No refusal: the batch is in the log, its receipts wait.
    pub(crate) fn waits() -> Denied {
        let detail = "the batch is in the log; its receipts wait for the witnesses: post it again for them, nothing is appended twice";
        let waits = Denied::new(StatusCode::ACCEPTED, "The receipts wait", detail);
        Denied { retry: Some(Duration::from_secs(1)), ..waits }
    }

    /// What went wrong here is for those who run the server, not for whoever asks.
    pub(crate) fn trouble(why: &anyhow::Error) -> Denied {
        tracing::error!(why = %text_of(why), "trouble");
        let detail = "the log is in trouble; nothing was lost: ask those who run it, and try again";
        Denied::new(StatusCode::INTERNAL_SERVER_ERROR, "Trouble", detail)
    }

    /// By its kind: what the sender can mend is told, without a path of this machine.
    pub(crate) fn failed(failure: &Failure) -> Denied {
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
    pub(crate) fn names_one_of(&self, text: &str, places: &[String]) -> bool {
        self.detail == text && places.iter().any(|place| text.contains(place.as_str()))
    }

    pub(crate) fn refused(refusal: &Refusal) -> Denied {
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
pub(crate) fn found(kind: &'static str, cache: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], body.into()).into_response()
}
