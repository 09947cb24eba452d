//! TLS as callers meet it: who is served, what a changed certificate changes, and how an operator's mistakes are told.

mod kew;

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use kew::{Directory, PATIENCE, Server, json_request};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// A file of `tests/tls`.
fn pem(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A copy of a key, as an operator keeps it.
fn private(directory: &Directory, name: &str) -> String {
    let copy = directory.join(name);
    fs::copy(pem(name), &copy).expect("a copy");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("its mode");
    copy
}

/// A server with a copy of the first certificate in `DIR/server.pem` and `DIR/server.key`.
fn server(more: &[&str]) -> (Directory, Server) {
    let directory = Directory::new();
    show(&directory, "first");
    let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
    let mut flags = vec!["--durability", "os", "--tls-certificate", &certificate, "--tls-key", &key];
    flags.extend(more);
    let server = Server::start(&directory.join("data"), &flags);
    (directory, server)
}

/// Puts another certificate where the server's lies.
fn show(directory: &Directory, name: &str) {
    for end in ["pem", "key"] {
        let new = directory.join(&format!("new.{end}"));
        fs::copy(pem(&format!("{name}.{end}")), &new).expect("a copy");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o640)).expect("its mode");
        fs::rename(new, directory.join(&format!("server.{end}"))).expect("to take its place");
    }
}

/// What a caller brings to a handshake.
struct Caller<'a> {
    certificate: Option<&'a str>,
    versions: &'static [&'static SupportedProtocolVersion],
}

const ANYONE: Caller = Caller { certificate: None, versions: &[&TLS13] };

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS13], &[&TLS12]];

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Caller<'_> {
    fn connect(&self, server: &Server) -> Stream {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(pem("authority.pem")).expect("a certificate"))
            .expect("a root");
        let config =
            ClientConfig::builder_with_protocol_versions(self.versions).with_root_certificates(roots);
        let config = match self.certificate {
            None => config.with_no_client_auth(),
            Some(name) => {
                let chain =
                    vec![CertificateDer::from_pem_file(pem(&format!("{name}.pem"))).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_file(pem(&format!("{name}.key"))).expect("a key");
                config.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let stream = TcpStream::connect(server.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        StreamOwned::new(session, stream)
    }
}

/// One request on a connection that stays open; the answer's head and body.
fn ask(stream: &mut Stream, request: &[u8]) -> io::Result<String> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            return Ok(text);
        }
    }
}

fn health(stream: &mut Stream) -> io::Result<String> {
    ask(stream, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn callers_are_served_over_both_versions_and_urls_say_so() {
    let (_directory, server) = server(&[]);
    assert!(server.banner.contains("listens on https://127.0.0.1:"), "{}", server.banner);
    for versions in BOTH {
        let mut stream = Caller { versions, ..ANYONE }.connect(&server);
        let answer =
            ask(&mut stream, &json_request("CreateQueue", r#"{"QueueName":"q"}"#)).expect("an answer");
        assert!(answer.contains(r#""https://localhost:4566/000000000000/q""#), "{answer}");
        assert!(health(&mut stream).expect("the connection goes on").starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn whoever_speaks_no_tls_is_told_so() {
    let (_directory, server) = server(&[]);
    let answer = server.get("/health");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https://"), "{}", answer.body);
    let endpoint = format!("http://{}", server.address);
    let output = kew::kew(&["backup", "--endpoint", &endpoint, "copy"]).output().expect("the binary");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(answer.body.trim()), "{told}");
    assert!(health(&mut ANYONE.connect(&server)).is_ok());
}

#[test]
fn a_changed_certificate_is_shown_to_new_callers_and_ends_no_connection() {
    let (directory, mut server) = server(&[]);
    let shown =
        |name: &str| CertificateDer::from_pem_file(pem(&format!("{name}.pem"))).expect("a certificate");
    let mut old = ANYONE.connect(&server);
    assert!(health(&mut old).is_ok());
    assert_eq!(old.conn.peer_certificates().expect("a chain")[0], shown("first"));

    show(&directory, "second");
    server.signal(rustix::process::Signal::HUP);
    let begin = std::time::Instant::now();
    loop {
        let mut new = ANYONE.connect(&server);
        assert!(health(&mut new).is_ok());
        if new.conn.peer_certificates().expect("a chain")[0] == shown("second") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "the certificate was not taken");
    }
    assert!(health(&mut old).is_ok(), "a connection that was open goes on");

    // What cannot be used changes nothing, and is told once.
    fs::write(directory.join("server.pem"), "nonsense").expect("to write");
    let mut log = server.follow();
    server.signal(rustix::process::Signal::HUP);
    let line = log.find(|line| line.contains("the changed files are not used")).expect("a line");
    assert!(line.contains("server.pem holds no certificate"), "{line}");
    let mut new = ANYONE.connect(&server);
    assert!(health(&mut new).is_ok());
    assert_eq!(new.conn.peer_certificates().expect("a chain")[0], shown("second"));
}

#[test]
fn with_an_authority_for_callers_only_theirs_come_in() {
    let authority = pem("authority.pem");
    let (_directory, server) = server(&["--tls-client-ca", &authority]);
    for versions in BOTH {
        let mut known = Caller { certificate: Some("caller"), versions }.connect(&server);
        assert!(health(&mut known).is_ok());
        for certificate in [None, Some("intruder"), Some("first")] {
            let mut stranger = Caller { certificate, versions }.connect(&server);
            assert!(health(&mut stranger).is_err(), "{certificate:?} came in");
        }
    }
}

#[test]
fn a_handshake_that_never_comes_keeps_nobody_waiting() {
    let (_directory, server) = server(&["--workers", "1"]);
    let silent: Vec<_> =
        (0..200).map(|_| TcpStream::connect(server.address).expect("a connection")).collect();
    let mut half = TcpStream::connect(server.address).expect("a connection");
    half.write_all(b"\x16\x03\x01\x02\x00").expect("to write");
    assert!(health(&mut ANYONE.connect(&server)).is_ok());
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));
    drop(silent);
}

#[test]
fn mistakes_with_files_are_told_in_one_line() {
    let directory = Directory::new();
    let missing = directory.join("missing.pem");
    let empty = directory.file("empty.pem", "");
    let torn = directory.file("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let hollow =
        directory.file("hollow.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    let (certificate, key) = (pem("first.pem"), private(&directory, "first.key"));
    let open = directory.join("open.key");
    fs::copy(&key, &open).expect("a copy");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("its mode");
    let cases: &[(&[&str], &str)] = &[
        (&["--tls-certificate", &certificate], "--tls-certificate needs --tls-key beside it"),
        (&["--tls-key", &key], "--tls-key needs --tls-certificate beside it"),
        (
            &["--tls-client-ca", &certificate],
            "--tls-client-ca needs --tls-certificate and --tls-key beside it",
        ),
        (&["--tls-certificate", &missing, "--tls-key", &key], "cannot read the TLS file"),
        (&["--tls-certificate", &certificate, "--tls-key", &missing], "cannot read the TLS file"),
        (&["--tls-certificate", &empty, "--tls-key", &key], "holds no certificate"),
        (&["--tls-certificate", &key, "--tls-key", &key], "holds no certificate"),
        (&["--tls-certificate", &torn, "--tls-key", &key], "is no sound PEM"),
        (&["--tls-certificate", &hollow, "--tls-key", &key], "cannot be used"),
        (&["--tls-certificate", &certificate, "--tls-key", &certificate], "holds no private key"),
        (&["--tls-certificate", &certificate, "--tls-key", &pem("encrypted.key")], "is encrypted"),
        (
            &["--tls-certificate", &certificate, "--tls-key", &pem("second.key")],
            "is not the key of the first certificate",
        ),
        (
            &["--tls-certificate", &certificate, "--tls-key", &key, "--tls-client-ca", &empty],
            "holds no certificate",
        ),
        (
            &["--tls-certificate", &certificate, "--tls-key", &open],
            "is open to everybody on this machine: chmod o-rw",
        ),
    ];
    for (flags, wanted) in cases {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data"];
        let data = directory.join("data");
        arguments.push(&data);
        arguments.extend(*flags);
        let output = kew::kew(&arguments).output().expect("the binary");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {errors}");
        assert!(errors.contains(wanted) && errors.trim_end().lines().count() == 1, "{flags:?}: {errors}");
    }
}

#[test]
fn an_expired_certificate_is_told_at_the_start() {
    let directory = Directory::new();
    let mut server = Server::start(
        &directory.join("data"),
        &["--tls-certificate", &pem("expired.pem"), "--tls-key", &private(&directory, "expired.key")],
    );
    assert!(server.follow().next().is_some_and(|line| line.contains("expired.pem has expired")));
    assert!(health(&mut ANYONE.connect(&server)).is_err(), "this caller looks at the date");
}

#[test]
fn a_backup_is_asked_for_over_tls() {
    let (directory, running) = server(&[]);
    ask(&mut ANYONE.connect(&running), &json_request("CreateQueue", r#"{"QueueName":"q"}"#))
        .expect("an answer");
    let target = directory.join("backup");
    let output =
        kew::kew(&["backup", "--data", &directory.join("data"), &target]).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(Path::new(&target).join("format").exists());

    // Where callers must show who they are, so must who asks for a backup.
    let (directory, _server) = server(&["--tls-client-ca", &pem("authority.pem")]);
    let (data, certificate, key) = (directory.join("data"), pem("caller.pem"), pem("caller.key"));
    let ask = |more: &[&str], target: &str| {
        let target = directory.join(target);
        let arguments = [&["backup", "--data", &data], more, &[&target]].concat();
        kew::kew(&arguments).output().expect("the binary").status.success()
    };
    assert!(!ask(&[], "unshown"));
    assert!(ask(&["--client-certificate", &certificate, "--client-key", &key], "shown"));
}
