//! Files into what rustls needs, or one line that says what is wrong with them.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, crypto};
use zeroize::Zeroizing;

use super::Files;
use super::validity::{Validity, validity};
use crate::identities::sources::refuse_if_open_to_all;

/// The files' bytes.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    /// Why the key is none, if everybody on this machine may read it.
    refusal: Option<String>,
    client_authority: Option<Vec<u8>>,
}

impl Contents {
    /// Reads all of them.
    pub(super) fn read(files: &Files) -> Result<Self, String> {
        let (key, refusal) = read_secret(&files.key)?;
        Ok(Self {
            certificate: read(&files.certificate)?,
            key,
            refusal,
            client_authority: files.client_authority.as_deref().map(read).transpose()?,
        })
    }

    /// By which a change is noticed.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &*self.key, &self.refusal, &self.client_authority).hash(&mut hasher);
        hasher.finish()
    }

    /// What to serve with, and when callers take the certificate.
    pub(super) fn parse(&self, files: &Files) -> Result<(ServerConfig, Option<Validity>), String> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let chain = certificates(&self.certificate, &files.certificate)?;
        let validity = chain.first().and_then(|certificate| validity(certificate));
        let key = private_key(&self.key, &files.key)?;
        let certified =
            CertifiedKey::from_der(chain, key, &provider).map_err(|error| unusable(&error, files))?;
        // Only now: another file in the key's place is another mistake.
        self.refusal.clone().map_or(Ok(()), Err)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let builder = match (&self.client_authority, &files.client_authority) {
            (Some(text), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(text, path)? {
                    roots.add(certificate).map_err(|error| {
                        format!("{} holds a certificate that cannot be a root: {error}", path.display())
                    })?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        Ok((builder.with_cert_resolver(Arc::new(Always(Arc::new(certified)))), validity))
    }
}

/// One certificate for all, whatever name they ask for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(unreadable(path))
}

/// Reads a private key, and why it must not be used.
fn read_secret(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<String>), String> {
    let mut file = File::open(path).map_err(unreadable(path))?;
    let refusal = refuse_if_open_to_all(path, &file).err().map(|refusal| refusal.to_string());
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(unreadable(path))?;
    Ok((bytes, refusal))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("cannot read the TLS file {}: {error}", path.display())
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{} is no sound PEM: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!(
            "{} holds no certificate; give a PEM file, the server's own certificate first",
            path.display()
        ));
    }
    Ok(found)
}

fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        PemError::NoItemsFound if pem.windows(9).any(|word| word == b"ENCRYPTED") => {
            format!(
                "{} is encrypted; give the key without a password (openssl pkey -in FILE -out PLAIN)",
                path.display()
            )
        }
        PemError::NoItemsFound => {
            format!("{} holds no private key; give a PEM file with one", path.display())
        }
        error => format!("{} is no sound PEM: {error}", path.display()),
    })
}

fn unusable(error: &Error, files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("{key} is not the key of the first certificate in {certificate}")
        }
        Error::InvalidCertificate(error) => format!("{certificate} cannot be used: {error}"),
        error => format!("{certificate} and {key} cannot be used: {error}"),
    }
}
