//! A connection's bytes, with or without TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where systems keep the certificates of those who vouch for servers: Debian, Fedora, Alpine, SUSE, the BSDs.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// What requests are written to, and answers read from.
#[derive(Debug)]
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Through TLS.
    Secure(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Writes all of it.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Reads what is there, at least a byte; 0 is the end.
    pub(crate) async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(input).await,
            Self::Secure(stream) => stream.read_buf(input).await,
        }
    }
}

/// Makes TLS connections to servers for which somebody in `authorities` vouches, or somebody whom the system believes.
pub(crate) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, String> {
    let path = match authorities {
        Some(path) => path.to_owned(),
        None => AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or(
            "this system keeps no certificates of authorities where they are looked for: give --ca-bundle FILE",
        )?,
    };
    let unreadable = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(&path).map_err(|error| unreadable(&error))?;
    // Of a system's hundreds one or another may be of a kind that nobody uses any more.
    let (added, _) = roots.add_parsable_certificates(read.filter_map(Result::ok));
    if added == 0 {
        return Err(unreadable(&"holds no certificate"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
