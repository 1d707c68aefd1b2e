//! Asking other machines over HTTP: within limits of time and size, and believing nothing of it. A crate of
//! its own, so that nothing that is built beside the signer can make it link this.

use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use zeroize::Zeroizing;

/// How long one request may take, from the first byte to the last.
const WITHIN: Duration = Duration::from_secs(30);

/// Whether a text names something to be asked over HTTP.
pub fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Keeps connections open between requests.
#[derive(Clone)]
pub struct Client(Agent);

impl Client {
    /// A client that gives each request half a minute.
    pub fn new() -> Result<Client> {
        Client::within(WITHIN)
    }

    /// A client that gives each request so long.
    pub fn within(time: Duration) -> Result<Client> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // The system's authorities: a company may have its own.
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(time))
            // A status is an answer, and what is asked of one machine is not asked of another.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .user_agent("coldlog")
            .build();
        Ok(Client(config.into()))
    }

    /// A resource of at most `limit` bytes; `None` where there is none.
    pub fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        self.get_as(url, None, limit)
    }

    fn get_as(&self, url: &str, token: Option<&Token>, limit: usize) -> Result<Option<Vec<u8>>> {
        let request = match token {
            Some(Token(bearer)) => self.0.get(url).header("authorization", bearer.as_str()),
            None => self.0.get(url),
        };
        let response = request.call().with_context(|| format!("asking {url}"))?;
        let reply = read(url, response, limit)?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 | 410 => Ok(None),
            401 | 403 => bail!(
                "{url} is not for everybody (status {}): those who run it give readers a token (`log allow-reader`), which goes into a file",
                reply.status
            ),
            status => bail!("{url} answers with the status {status}, 200 was expected"),
        }
    }

    /// Posts a body; the answer has at most `limit` bytes.
    pub fn post(&self, url: &str, kind: &str, body: &[u8], limit: usize) -> Result<Reply> {
        self.post_with(url, kind, &[], body, limit)
    }

    /// The same, with more headers.
    pub fn post_with(
        &self,
        url: &str,
        kind: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        limit: usize,
    ) -> Result<Reply> {
        let request = self.0.post(url).header("content-type", kind);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send(body).with_context(|| format!("asking {url}"))?;
        read(url, response, limit)
    }
}

/// What a reader of sealed records proves itself by; never shown.
struct Token(Zeroizing<String>);

/// The longest token.
const MAX_TOKEN: u64 = 1024;

/// What a log publishes below a URL.
pub struct Published {
    client: Client,
    url: String,
    token: Option<Token>,
}

impl Published {
    /// Below a URL; nothing is asked yet.
    pub fn new(url: &str) -> Result<Published> {
        Ok(Published { client: Client::new()?, url: url.trim_end_matches('/').into(), token: None })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads as somebody, with the token in a file (mode 0600).
    pub fn with_token(self, path: &Path) -> Result<Published> {
        let bytes = files::read_private(path, MAX_TOKEN)?;
        let text = std::str::from_utf8(&bytes).ok().map(str::trim_end);
        let sound =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let Some(text) = text.filter(sound) else {
            bail!("{} holds no token: one line of letters and digits", path.display());
        };
        let token = Some(Token(Zeroizing::new(format!("Bearer {text}"))));
        Ok(Published { token, ..self })
    }
}

impl coldlog_kit::published::Source for Published {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        // Only what is not for everybody: a token travels no further than it must.
        let token = self.token.as_ref().filter(|_| path.starts_with("sealed/"));
        self.client.get_as(&format!("{}/{path}", self.url), token, limit)
    }
}

fn read(url: &str, mut response: ureq::http::Response<ureq::Body>, limit: usize) -> Result<Reply> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    let read = reader.take(limit as u64 + 1).read_to_end(&mut body);
    read.with_context(|| format!("reading the answer of {url}"))?;
    if body.len() > limit {
        bail!("the answer of {url} is larger than {limit} bytes: it is not what was asked for");
    }
    Ok(Reply { status, body })
}
