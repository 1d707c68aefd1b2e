//! What a backend shows to its bastions, and whom it takes for one (C2SP https-bastion, "Backend to bastion
//! connection"): its Ed25519 key, in a certificate that it signs itself, and TLS 1.3.

use crate::tls::{MAX_PEM, authorities};
use anyhow::{Context, Result, bail};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_spec::hash::Hash;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ED25519,
    SerialNumber, date_time_ymd,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, version};
use zeroize::Zeroizing;

/// The protocol that a backend asks for.
pub(crate) const ALPN: &[u8] = b"bastion/0";

/// The key by which bastions know a backend. It signs nothing but TLS handshakes and its own certificate.
pub struct BackendKey(KeyPair);

impl BackendKey {
    /// The key in a file (PEM, PKCS #8, mode 0600), which is made where there is none, and never replaced.
    pub fn load_or_make(path: &Path) -> Result<BackendKey> {
        if !files::is_there(path)? {
            let made = KeyPair::generate_for(&PKCS_ED25519).context("making a backend's key")?;
            let pem = Zeroizing::new(made.serialize_pem());
            let written = files::write(path, pem.as_bytes(), Existing::Never, Mode::Private);
            // Another process may have been faster: then its key is the one.
            if !files::is_there(path)? {
                written?;
            }
        }
        BackendKey::decode(&files::read_private(path, MAX_PEM)?)
            .with_context(|| format!("{} holds no backend's key", path.display()))
    }

    fn decode(pem: &[u8]) -> Result<BackendKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem);
        let der = der.context("a private key in PEM (PKCS #8) was expected")?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519);
        let pair = pair.context("an Ed25519 key was expected")?;
        if pair.public_key_raw().len() != 32 {
            bail!("an Ed25519 key has a public key of 32 bytes");
        }
        Ok(BackendKey(pair))
    }

    /// The public key: 32 bytes.
    pub fn public(&self) -> &[u8] {
        self.0.public_key_raw()
    }

    /// SHA-256 of the public key. In lowercase hexadecimal digits it is the first segment of the path under
    /// which a bastion's clients reach this backend.
    pub fn hash(&self) -> Hash {
        Hash::of(self.public())
    }

    // For one connection: a bastion may look at the dates as well, and a process may run for years.
    fn certificate(&self) -> Result<rcgen::Certificate> {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        // What a clock says after that no certificate can.
        const FAR: Duration = Duration::from_secs(4_000_000_000);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().min(FAR);
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(HOUR);
        params.not_after = date_time_ymd(1970, 1, 1) + now + 24 * HOUR;
        params.serial_number = Some(SerialNumber::from(1));
        params.distinguished_name.push(DnType::CommonName, "Bastion backend");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.self_signed(&self.0).context("making a backend's certificate")
    }

    pub(crate) fn config(&self, authorities: &Authorities) -> Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = self.certificate()?.der().clone();
        let private = PrivateKeyDer::Pkcs8(self.0.serialize_der().into());
        let mut config = ClientConfig::builder_with_provider(provider)
            // Any older version would show the certificate to everybody on the way.
            .with_protocol_versions(&[&version::TLS13])?
            // It is rustls's own verifier, or that of its project for the system's authorities.
            .dangerous()
            .with_custom_certificate_verifier(authorities.0.clone())
            .with_client_auth_cert(vec![certificate], private)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection shows the certificate again.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Who vouches for a bastion's certificate.
#[derive(Clone)]
pub struct Authorities(Arc<dyn ServerCertVerifier>);

impl Authorities {
    /// The system's.
    pub fn of_the_system() -> Result<Authorities> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = rustls_platform_verifier::Verifier::new(provider);
        Ok(Authorities(Arc::new(verifier.context(
            "the system's certificate authorities cannot be had; install them, or name the bastion's with --bastion-ca",
        )?)))
    }

    /// Those in a PEM file, and no others.
    pub fn load(path: &Path) -> Result<Authorities> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(authorities(&files::read(path, MAX_PEM)?, path)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        Ok(Authorities(verifier.with_context(|| format!("the authorities in {}", path.display()))?))
    }
}
