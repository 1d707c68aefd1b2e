//! A small bastion (C2SP https-bastion): backends connect to it by TLS 1.3, clients ask it by HTTP/1.1 in the
//! clear. Both sides are on loopback, and it can be made to do what a bastion must not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use coldlog_spec::hash::Hash;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, version,
};

/// An authority of certificates for this machine.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Writes its certificate.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, &self.pem).unwrap();
    }

    /// A certificate for this machine, and its key.
    pub fn issue(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// How a bastion treats its backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As the standard says.
    Proper,
    /// It speaks TLS 1.2, and no other.
    OldTls,
    /// It agrees to no protocol.
    NoProtocol,
    /// It knows other protocols only.
    OtherProtocol,
    /// It says nothing after the handshake.
    Mute,
    /// It begins as it should, and then neither reads nor says anything.
    Freezes,
}

/// A backend as a bastion knows it: its connection, and which of all it was.
type Backends = BTreeMap<String, (usize, SendRequest<Incoming>)>;

struct Shared {
    allowed: Mutex<Vec<String>>,
    backends: Mutex<Backends>,
    handshakes: AtomicUsize,
    proxied: AtomicUsize,
    says: Mutex<Option<IpAddr>>,
}

/// A bastion; it hangs up on everybody when it is dropped.
pub struct Bastion {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    /// Where backends connect.
    pub backends: SocketAddr,
    /// Where clients connect.
    pub front: SocketAddr,
}

impl Drop for Bastion {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Bastion {
    /// A bastion that does what it should.
    pub fn proper(authority: &Authority) -> Bastion {
        Bastion::new(authority, Manner::Proper)
    }

    /// A bastion.
    pub fn new(authority: &Authority, manner: Manner) -> Bastion {
        Bastion::at(authority, manner, ANY, ANY)
    }

    /// A bastion at given addresses.
    pub fn at(
        authority: &Authority,
        manner: Manner,
        backends: SocketAddr,
        front: SocketAddr,
    ) -> Bastion {
        let shared = Arc::new(Shared {
            allowed: Mutex::default(),
            backends: Mutex::default(),
            handshakes: AtomicUsize::new(0),
            proxied: AtomicUsize::new(0),
            says: Mutex::new(Some(IpAddr::from([198, 51, 100, 7]))),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let (behind, before) =
            runtime.block_on(async { (bound(backends).await, bound(front).await) });
        let (backends, front) = (behind.local_addr().unwrap(), before.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(config(authority, manner, shared.clone())));
        runtime.spawn(take_backends(behind, acceptor, manner, shared.clone()));
        runtime.spawn(take_clients(before, shared.clone()));
        Bastion { runtime: Some(runtime), shared, backends, front }
    }

    /// Lets a backend in, by the hash of its key.
    pub fn allow(&self, hash: &str) {
        self.shared.allowed.lock().unwrap().push(hash.into());
    }

    /// Where a backend's clients ask.
    pub fn url(&self, hash: &str) -> String {
        format!("http://{}/{hash}", self.front)
    }

    /// Handshakes with backends so far, those that were refused among them.
    pub fn handshakes(&self) -> usize {
        self.shared.handshakes.load(Ordering::SeqCst)
    }

    /// Requests that were handed on so far.
    pub fn proxied(&self) -> usize {
        self.shared.proxied.load(Ordering::SeqCst)
    }

    /// What it says of its clients' address from now on, or that it says nothing.
    pub fn say_client_is(&self, address: Option<IpAddr>) {
        *self.shared.says.lock().unwrap() = address;
    }

    /// Whether a backend is connected.
    pub fn has(&self, hash: &str) -> bool {
        self.shared.backends.lock().unwrap().contains_key(hash)
    }

    /// Waits for a backend.
    pub fn wait_for(&self, hash: &str) {
        within("the backend connects", || self.has(hash));
    }
}

/// Waits for something that shall come in half a minute.
pub fn within(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

// The address may be that of a bastion that has just gone.
async fn bound(address: SocketAddr) -> TcpListener {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(why) => assert!(Instant::now() < end, "{address}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn config(authority: &Authority, manner: Manner, shared: Arc<Shared>) -> ServerConfig {
    let (certificate, key) = authority.issue();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let version = if manner == Manner::OldTls { &version::TLS12 } else { &version::TLS13 };
    let mut config = builder
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Allowed { shared, provider }))
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    config.alpn_protocols = match manner {
        Manner::NoProtocol => vec![],
        Manner::OtherProtocol => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        _ => vec![b"bastion/0".to_vec()],
    };
    config
}

// Knows backends by the hash of their key, whatever else stands in their certificates.
#[derive(Debug)]
struct Allowed {
    shared: Arc<Shared>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.allowed)
    }
}

fn hash_of(certificate: &CertificateDer<'_>) -> Result<String, Error> {
    // RFC 8410: SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }
    const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let info = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let key = info.as_ref().strip_prefix(&ED25519).filter(|key| key.len() == 32);
    let key = key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(Hash::of(key).to_hex())
}

impl ClientCertVerifier for Allowed {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.shared.handshakes.fetch_add(1, Ordering::SeqCst);
        match self.shared.allowed.lock().unwrap().contains(&hash_of(certificate)?) {
            true => Ok(ClientCertVerified::assertion()),
            false => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("a certificate was shown in the clear".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

async fn take_backends(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    manner: Manner,
    shared: Arc<Shared>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), shared.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let certificate = &stream.get_ref().1.peer_certificates().unwrap()[0];
            let hash = hash_of(certificate).unwrap();
            match manner {
                Manner::Mute => std::future::pending().await,
                Manner::Freezes => {
                    // The client's preface and empty settings: RFC 9113, section 3.4.
                    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
                    stream.write_all(begin).await.unwrap();
                    stream.flush().await.unwrap();
                    std::future::pending().await
                }
                _ => {}
            }
            let hands = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
            let Ok((sender, connection)) = hands else { return };
            let number = shared.handshakes.load(Ordering::SeqCst);
            shared.backends.lock().unwrap().insert(hash.clone(), (number, sender));
            let _ = connection.await;
            let mut backends = shared.backends.lock().unwrap();
            if backends.get(&hash).is_some_and(|(newest, _)| *newest == number) {
                backends.remove(&hash);
            }
        });
    }
}

async fn take_clients(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(|request| answer(request, shared.clone()));
            let _ = http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::<TcpStream>::new(stream), service)
                .await;
        });
    }
}

type Body = Either<Incoming, Full<Bytes>>;

fn own(status: StatusCode) -> Response<Body> {
    let text = format!("the bastion: {status}\n");
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Infallible> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let (hash, path) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    if !shared.allowed.lock().unwrap().iter().any(|allowed| allowed == hash) {
        return Ok(own(StatusCode::MISDIRECTED_REQUEST));
    }
    let Ok(uri) = Uri::try_from(format!("https://bastion.example/{path}")) else {
        return Ok(own(StatusCode::BAD_REQUEST));
    };
    let backend = shared.backends.lock().unwrap().get(hash).map(|(_, sender)| sender.clone());
    let Some(mut backend) = backend else { return Ok(own(StatusCode::SERVICE_UNAVAILABLE)) };
    head.uri = uri;
    head.version = hyper::Version::HTTP_2;
    of_one_hop(&mut head.headers);
    let forwarded = HeaderName::from_static("x-forwarded-for");
    head.headers.remove(&forwarded);
    if let Some(client) = *shared.says.lock().unwrap() {
        head.headers.insert(forwarded, HeaderValue::try_from(client.to_string()).unwrap());
    }
    shared.proxied.fetch_add(1, Ordering::SeqCst);
    match backend.send_request(Request::from_parts(head, body)).await {
        Ok(answered) => {
            let mut answered = answered.map(Either::Left);
            of_one_hop(answered.headers_mut());
            Ok(answered)
        }
        Err(_) => Ok(own(StatusCode::BAD_GATEWAY)),
    }
}

// What says something of one connection is not handed on to the other.
fn of_one_hop(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::HOST, header::TE, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
}
