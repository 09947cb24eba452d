//! A server as a process of its own, and clients of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server on a free port, ended when dropped.
pub struct Kew {
    pub url: String,
    /// How its clients reach it.
    pub http: SharedHttpClient,
    _process: Child,
    _data: tempfile::TempDir,
    _certificates: Option<Certificates>,
}

impl Kew {
    /// One that has these in its environment.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(
            environment,
            &[],
            "http://127.0.0.1:",
            aws_smithy_http_client::Builder::new().build_http(),
        )
        .await
    }

    /// One that speaks TLS, with these flags. Its clients trust the authority of its certificate, and no other.
    pub async fn start_secure(
        environment: &[(&str, &str)],
        flags: &[&str],
        certificates: Certificates,
    ) -> Self {
        let path = |name| certificates.folder.path().join(name).display().to_string();
        let (certificate, key) = (path("server.pem"), path("server.key"));
        let flags = [&["--tls-certificate", &certificate, "--tls-key", &key], flags].concat();
        let kew = Self::start_with(environment, &flags, "https://127.0.0.1:", certificates.client()).await;
        Self { _certificates: Some(certificates), ..kew }
    }

    async fn start_with(
        environment: &[(&str, &str)],
        flags: &[&str],
        begins: &str,
        http: SharedHttpClient,
    ) -> Self {
        let binary = std::env::var_os("KEW_BIN").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/release/kew"),
            PathBuf::from,
        );
        let data = tempfile::tempdir().expect("a directory");
        let mut process = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--sqs-waits", "off", "--data"])
            .arg(data.path().join("data"))
            .args(flags)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kew starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        // The first line that it prints ends with the address, once it listens there.
        let line = loop {
            let line = lines.next_line().await.expect("text").expect("kew says where it listens");
            if line.contains(begins) {
                break line;
            }
        };
        let start = line.find(begins).expect("as found above");
        let url = line[start..].split_whitespace().next().expect("an address").to_owned();
        // Its log must have somewhere to go.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, http, _process: process, _data: data, _certificates: None }
    }

    /// A client with an access key; where there are none it is the account's number.
    pub fn client(&self, key: &str, secret: &str) -> Client {
        Client::from_conf(self.config(key, secret).build())
    }

    /// What makes that client, to be changed.
    pub fn config(&self, key: &str, secret: &str) -> Builder {
        self.anonymous().credentials_provider(Credentials::new(key, secret, None, None, "test"))
    }

    /// The same without an access key.
    pub fn anonymous(&self) -> Builder {
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .retry_config(RetryConfig::disabled())
            .http_client(self.http.clone())
    }
}

/// Finds every name on this machine: any below `localhost` is, whatever the machine's own resolver thinks.
#[derive(Debug, Clone)]
struct Here;

impl ResolveDns for Here {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(vec![Ipv4Addr::LOCALHOST.into()]))
    }
}

/// An authority, and a certificate for this machine that it has signed, made by the openssl command.
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let certificates = Self { folder: tempfile::tempdir().expect("a directory") };
        let usage = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
        certificates.request("authority");
        certificates.write("authority.ext", usage);
        let own = ["-signkey", "authority.key", "-extfile", "authority.ext", "-out", "authority.pem"];
        certificates.openssl("x509 -req -in authority.csr -days 2", &own);
        certificates.request("server");
        let usage = "subjectAltName=IP:127.0.0.1,DNS:sqs.eu-west-1.localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n";
        certificates.write("server.ext", usage);
        let signed =
            ["-CAkey", "authority.key", "-CAcreateserial", "-extfile", "server.ext", "-out", "server.pem"];
        certificates.openssl("x509 -req -in server.csr -days 2 -CA authority.pem", &signed);
        certificates
    }

    /// What trusts nothing but this authority.
    pub fn client(&self) -> SharedHttpClient {
        let authority = std::fs::read(self.folder.path().join("authority.pem")).expect("its certificate");
        let trusted = TrustStore::empty().with_pem_certificate(authority);
        let context = TlsContext::builder().with_trust_store(trusted).build().expect("complete");
        let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        tls.tls_context(context).build_with_resolver(Here)
    }

    fn request(&self, name: &str) {
        let (key, request, subject) = (format!("{name}.key"), format!("{name}.csr"), format!("/CN={name}"));
        let files = ["-subj", &subject, "-keyout", &key, "-out", &request];
        self.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes", &files);
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn openssl(&self, command: &str, more: &[&str]) {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(command.split(' ')).args(more).current_dir(self.folder.path());
        let output = openssl.output().expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
