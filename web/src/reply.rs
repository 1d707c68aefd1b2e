//! Answers in plain words, as the protocols of witnesses and mirrors have them.

use crate::{Client, Rate, Refused};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use coldlog_kit::exit::{Failure, Outcome, text_of};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The media type of words.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Words.
pub fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    of_type(status, TEXT, body)
}

/// A body of a type, that no cache keeps without asking.
pub fn of_type(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

// 429, with the time to wait.
fn too_many(wait: Duration) -> Response {
    let mut denied = text(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    denied.headers_mut().insert(header::RETRY_AFTER, seconds);
    denied
}

/// Counts a request by its address, and lets it through where it is not one too many.
pub async fn counted(rate: &Rate, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().map(|client| client.0);
    match client.map_or(Ok(()), |client| rate.check(client)) {
        Ok(()) => next.run(request).await,
        Err(wait) => too_many(wait),
    }
}

/// Does work that the connections should not wait for: the disk, signatures. What goes wrong is for those who
/// run the server, a `role`'s, and not for whoever asks.
pub async fn aside<T: Send + 'static>(
    at_work: &Semaphore,
    role: &str,
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Result<T, Response> {
    let permit = at_work.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    drop(permit);
    let why = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(Failure::No(why) | Failure::Trouble(why))) => why,
        Err(_) => anyhow::anyhow!("a handler ended by a bug"),
    };
    tracing::error!(why = %text_of(&why), "trouble");
    let told = format!("the {role} is in trouble: ask those who run it, and try again\n");
    Err(text(StatusCode::INTERNAL_SERVER_ERROR, told))
}

/// What a body that was not taken is answered with; the connection is of no use any more.
pub fn not_taken(why: Refused) -> Response {
    let (status, why) = match why {
        Refused::TooLarge(limit) => {
            (StatusCode::PAYLOAD_TOO_LARGE, format!("at most {limit} bytes are read\n"))
        }
        Refused::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n".into()),
        Refused::NotStored(why) => {
            // What is wrong here is for those who run the server, not for whoever asks.
            tracing::error!(%why, "a body was not stored");
            (StatusCode::INTERNAL_SERVER_ERROR, "the body could not be stored: try again\n".into())
        }
        Refused::Broken => (StatusCode::BAD_REQUEST, "the body could not be read\n".into()),
    };
    let mut response = text(status, why);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
