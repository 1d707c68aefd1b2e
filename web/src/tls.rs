//! TLS 1.2 and 1.3 with given certificates, and client certificates where a reader has one.

use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_spec::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A server's certificate and key, loaded.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.with_context(|| format!("{} holds no sound PEM", path.display()))?;
    if all.is_empty() {
        bail!("{} holds no certificate in PEM", path.display());
    }
    Ok(all)
}

pub(crate) fn authorities(pem: &[u8], path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem, path)? {
        let added = roots.add(authority);
        added.with_context(|| format!("{} holds no sound authority", path.display()))?;
    }
    Ok(roots)
}

/// The largest PEM file.
pub(crate) const MAX_PEM: u64 = 1 << 20;

impl Tls {
    /// From PEM files: the certificate chain and its key (mode 0600), and the authorities of client
    /// certificates, where these are asked for.
    pub fn load(chain: &Path, key: &Path, clients: Option<&Path>) -> Result<Tls> {
        let private = files::read_private(key, MAX_PEM)?;
        let clients = match clients {
            Some(path) => Some((path, files::read(path, MAX_PEM)?)),
            None => None,
        };
        let clients = clients.as_ref().map(|(path, pem)| (*path, pem.as_slice()));
        Tls::new((chain, &files::read(chain, MAX_PEM)?), (key, &private), clients)
    }

    /// From the PEM files' contents: the certificate chain, its key, and the authorities of client
    /// certificates, where these are asked for. A client without one is served, too.
    fn new(
        chain: (&Path, &[u8]),
        key: (&Path, &[u8]),
        clients: Option<(&Path, &[u8])>,
    ) -> Result<Tls> {
        let certificate = certificates(chain.1, chain.0)?;
        let private = PrivateKeyDer::from_pem_slice(key.1)
            .with_context(|| format!("{} holds no private key in PEM", key.0.display()))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some((path, pem)) => {
                let roots = authorities(pem, path)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
            }
        };
        let mut config = builder
            .with_single_cert(certificate, private)
            .with_context(|| format!("{} is not the key of that chain", key.0.display()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }
}

/// SHA-256 of the first certificate in a PEM file: how a reader's certificate is known.
pub fn certificate_digest(path: &Path, pem: &[u8]) -> Result<Hash> {
    let all = certificates(pem, path)?;
    Ok(Hash::of(all.first().context("a certificate")?))
}
