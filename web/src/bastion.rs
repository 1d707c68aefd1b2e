//! The backend's side of C2SP https-bastion (revision 1ed7364): a server that opens no port. It connects out
//! to a bastion, and serves HTTP/2 on that connection as if the bastion had connected to it.

use crate::backend::{ALPN, Authorities, BackendKey};
use crate::server::answered;
use crate::{Limits, Peer};
use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncBufReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, Error as TlsError, PeerIncompatible};

/// Requests at the same time on one connection; a bastion holds further ones back.
const STREAMS: u32 = 256;
/// Bytes of a request's header, and of all bodies that are under way and not yet read.
const HEADER: u32 = 16 << 10;
const WINDOW: u32 = 1 << 20;
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// Where a bastion takes its backends' connections: `HOST:PORT`, or `[ADDRESS]:PORT` for IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BastionAddress {
    host: String,
    name: ServerName<'static>,
    port: u16,
}

impl FromStr for BastionAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<BastionAddress, String> {
        let wrong =
            |what: &str| format!("{what}; HOST:PORT was expected, for example bastion.example:443");
        if text.contains("//") {
            return Err(wrong("that is a URL"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("there is no port"))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(|| wrong("a bracket is open"))?,
            None if host.contains(':') => return Err(wrong("IPv6 addresses stand in brackets")),
            None => host,
        };
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| wrong("the port is no number from 1 to 65535"))?;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| wrong("the host is neither a name nor an address"))?;
        Ok(BastionAddress { host: host.into(), name, port })
    }
}

impl fmt::Display for BastionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A bastion, and how a backend connects to it.
pub struct Bastion {
    address: BastionAddress,
    key: Arc<BackendKey>,
    authorities: Authorities,
    limits: Limits,
}

type Stream = TlsStream<TcpStream>;

impl Bastion {
    /// Of the limits, `header` bounds each step of connecting, and how long a bastion may be silent; the
    /// number of connections is always one.
    pub fn new(
        address: BastionAddress,
        key: Arc<BackendKey>,
        authorities: Authorities,
        limits: Limits,
    ) -> Bastion {
        Bastion { address, key, authorities, limits }
    }

    /// Serves through the bastion until `stop`, then lets the requests under way end. A connection that
    /// cannot be had, or is lost, is dialled again. `watch` is told of each that opens (+1) and closes (-1).
    pub async fn serve(self, router: Router, watch: impl Fn(i64), stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut patience = Patience::default();
        loop {
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = &mut stop => return,
            };
            let why = match connected {
                Err(why) => why,
                Ok((stream, peer)) => {
                    tracing::info!(bastion = %self.address, "connected to the bastion");
                    let since = Instant::now();
                    watch(1);
                    let ended = self.drive(stream, peer, router.clone(), stop.as_mut()).await;
                    watch(-1);
                    let Err(why) = ended else { return };
                    patience.after(since.elapsed());
                    why
                }
            };
            let pause = patience.next_pause();
            let (why, pause_ms) = (format!("{why:#}"), pause.as_millis() as u64);
            tracing::warn!(bastion = %self.address, %why, pause_ms, "not connected to the bastion");
            tokio::select! {
                () = sleep(pause) => {}
                () = &mut stop => return,
            }
        }
    }

    async fn connect(&self) -> Result<(Stream, Peer)> {
        let time = self.limits.header;
        let (stream, address) = self.dial().await?;
        let _ = stream.set_nodelay(true);
        let connector = TlsConnector::from(Arc::new(self.key.config(&self.authorities)?));
        let shaken = timeout(time, connector.connect(self.address.name.clone(), stream)).await;
        let shaken = shaken.map_err(|_| anyhow!("no TLS handshake within {time:?}"))?;
        let mut stream = shaken.map_err(|why| self.meaning(why))?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            bail!(
                "it did not agree to the ALPN protocol bastion/0: no bastion takes backends there; ask its operator for the right host and port"
            );
        }
        // In TLS 1.3 a backend's certificate is refused after the handshake, where the bastion's first
        // bytes should be; they are only looked at here.
        let first = timeout(time, stream.fill_buf()).await;
        let first = first.map_err(|_| anyhow!("it said nothing within {time:?}"))?;
        if first.map_err(|why| self.meaning(why))?.is_empty() {
            bail!("it hung up after the handshake; {}", self.allow());
        }
        Ok((stream, Peer { address: address.ip(), certificate: None, bastion: true }))
    }

    async fn dial(&self) -> Result<(TcpStream, SocketAddr)> {
        let time = self.limits.header;
        let found =
            timeout(time, lookup_host((self.address.host.as_str(), self.address.port))).await;
        let found = found.map_err(|_| anyhow!("no address for that name within {time:?}"))?;
        let mut failed = anyhow!("that name has no address");
        for address in found.context("looking up its address")?.take(ADDRESSES) {
            // Of two networks one may swallow everything: that must not use up the time for the other.
            match timeout(time / 4, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(why)) => failed = anyhow!(why).context(format!("connecting to {address}")),
                Err(_) => failed = anyhow!("no connection to {address} within {:?}", time / 4),
            }
        }
        Err(failed)
    }

    async fn drive(
        &self,
        stream: Stream,
        peer: Peer,
        router: Router,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<()> {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.stalled));
        let service = service_fn(move |request| answered(&router, peer, request));
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // A bastion that is gone without a word is noticed after the time for a header.
            .keep_alive_interval(self.limits.header / 2)
            .keep_alive_timeout(self.limits.header / 2)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER)
            .initial_stream_window_size(WINDOW / 16)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(64 << 10)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                ended.context("the connection broke off")?;
                bail!("it closed the connection");
            }
            () = stop => {}
        }
        connection.as_mut().graceful_shutdown();
        if timeout(self.limits.grace, connection).await.is_err() {
            tracing::warn!(bastion = %self.address, "some requests were still under way when the time to stop was over");
        }
        Ok(())
    }

    fn allow(&self) -> String {
        format!("its operator must allow the backend {}", self.key.hash().to_hex())
    }

    // What an error of TLS means here, where that can be said.
    fn meaning(&self, why: io::Error) -> anyhow::Error {
        use AlertDescription as Alert;
        let tls = why.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        let meaning = match tls {
            Some(TlsError::InvalidCertificate(_)) => {
                "its certificate is not trusted; if a private authority made it, name that with --bastion-ca".into()
            }
            Some(TlsError::InvalidMessage(_)) => "it does not speak TLS".into(),
            Some(TlsError::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired,
            )) => "it does not speak TLS 1.3, which a bastion must".into(),
            Some(TlsError::AlertReceived(alert)) => match alert {
                Alert::ProtocolVersion => "it does not speak TLS 1.3, which a bastion must".into(),
                Alert::NoApplicationProtocol => {
                    "it does not know the ALPN protocol bastion/0: no bastion takes backends there; ask its operator for the right host and port".into()
                }
                Alert::AccessDenied
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRequired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::DecryptError
                | Alert::UnknownCA
                | Alert::UnsupportedCertificate => {
                    format!("it does not accept this backend's key; {}", self.allow())
                }
                _ => "the TLS handshake failed".into(),
            },
            _ if why.kind() == io::ErrorKind::UnexpectedEof => {
                format!("it hung up during the handshake; perhaps {}", self.allow())
            }
            _ => "the TLS handshake failed".to_string(),
        };
        anyhow!(why).context(meaning)
    }
}

/// How long a backend waits before it dials again: longer each time, and never as long as its neighbours.
struct Patience(Duration);

impl Default for Patience {
    fn default() -> Patience {
        Patience(Patience::FIRST)
    }
}

impl Patience {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    // A connection that held was no failure; one that breaks at once is.
    fn after(&mut self, lived: Duration) {
        if lived >= Patience::LONGEST {
            self.0 = Patience::FIRST;
        }
    }

    fn next_pause(&mut self) -> Duration {
        let longest = self.0;
        self.0 = (longest * 2).min(Patience::LONGEST);
        // All backends of a bastion lose it in the same moment. Where there is no chance to be had, the
        // longest pause is right, too.
        let chance = getrandom::u32().map_or(1.0, |chance| f64::from(chance) / f64::from(u32::MAX));
        longest.mul_f64(0.5 + 0.5 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["bastion.example:443", "192.0.2.1:8443", "[2001:db8::1]:443"] {
            let read = text.parse().map(|address: BastionAddress| address.to_string());
            assert!(matches!(&read, Ok(read) if read == text), "{read:?}");
        }
        for (text, why) in [
            ("bastion.example", "no port"),
            ("bastion.example:0", "no number"),
            ("bastion.example:https", "no number"),
            ("2001:db8::1:443", "brackets"),
            ("[2001:db8::1:443", "bracket"),
            ("https://bastion.example:443", "URL"),
            (":443", "neither"),
            ("a b:443", "neither"),
        ] {
            let refused = text.parse::<BastionAddress>().unwrap_err();
            assert!(refused.contains(why) && refused.contains("HOST:PORT"), "{text}: {refused}");
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_a_connection_that_held() {
        let mut patience = Patience::default();
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let (pause, longest) = (patience.next_pause(), Duration::from_secs(longest));
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
        }
        patience.after(Duration::from_secs(59));
        assert!(patience.next_pause() >= Duration::from_secs(30));
        patience.after(Duration::from_secs(60));
        assert!(patience.next_pause() <= Duration::from_secs(1));
    }
}
