//! The line to a server of this machine: plain, or TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// What can be talked through.
pub(super) trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// A certificate to show, and its key.
pub(super) type Shown<'a> = Option<(&'a Path, &'a Path)>;

/// Reaches the server at `http://HOST:PORT` or `https://HOST:PORT`; a read waits for `patience`.
pub(super) fn connect(endpoint: &str, shown: Shown<'_>, patience: Duration) -> io::Result<Box<dyn Line>> {
    let (is_secure, rest) = match (endpoint.strip_prefix("http://"), endpoint.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(invalid("give it as http://HOST:PORT or https://HOST:PORT")),
    };
    let host = rest.split('/').next().unwrap_or(rest);
    let stream = reach(host, if is_secure { 443 } else { 80 })?;
    if !is_secure {
        stream.set_read_timeout(Some(patience))?;
        return Ok(Box::new(stream));
    }
    let mut session = session(&stream, shown)?;
    let mut stream = stream;
    session.complete_io(&mut stream).map_err(no_tls)?;
    stream.set_read_timeout(Some(patience))?;
    Ok(Box::new(StreamOwned::new(session, stream)))
}

/// What answers a greeting in TLS with something else speaks plain HTTP.
fn no_tls(error: io::Error) -> io::Error {
    let source = error.get_ref().and_then(|source| source.downcast_ref());
    match source {
        Some(rustls::Error::InvalidMessage(_)) => invalid("it speaks no TLS: give it as http://HOST:PORT"),
        _ => error,
    }
}

fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let named = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let mut last = invalid("no such host");
    for mut address in named.to_socket_addrs()? {
        if address.ip().is_unspecified() {
            // It listens on every address of this machine.
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn session(stream: &TcpStream, shown: Shown<'_>) -> io::Result<ClientConnection> {
    // Whose certificate it is, nobody asks below: that is right only where nobody stands between.
    let (own, peer) = (stream.local_addr()?, stream.peer_addr()?);
    if own.ip() != peer.ip() && !peer.ip().to_canonical().is_loopback() {
        return Err(invalid("only the server's own machine may ask for a backup"));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OwnMachine(provider)));
    let config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| invalid(&format!("{}: {error}", key.display())))?;
            let chain = chain.map_err(|error| invalid(&format!("{}: {error}", certificate.display())))?;
            config.with_client_auth_cert(chain, key).map_err(io::Error::other)?
        }
    };
    ClientConnection::new(Arc::new(config), ServerName::from(peer.ip())).map_err(io::Error::other)
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_owned())
}

/// Takes any certificate: its names are those that callers from outside use, and this machine's own traffic passes nobody.
#[derive(Debug)]
struct OwnMachine(Arc<CryptoProvider>);

impl ServerCertVerifier for OwnMachine {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
