//! A server as a process of its own, and clients of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;
use std::process::Stdio;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server on a free port, ended when dropped.
pub struct Kew {
    pub url: String,
    http: SharedHttpClient,
    _process: Child,
    _data: tempfile::TempDir,
}

impl Kew {
    /// One that has these in its environment.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(environment, &[], "http://127.0.0.1:", Builder::new().build_http()).await
    }

    /// One that speaks TLS. Its clients trust the authority of its certificate, and no other.
    pub async fn start_secure(environment: &[(&str, &str)], certificates: &Certificates) -> Self {
        let path = |name| certificates.folder.path().join(name).display().to_string();
        let flags = ["--tls-certificate", &path("server.pem"), "--tls-key", &path("server.key")];
        Self::start_with(environment, &flags, "https://127.0.0.1:", certificates.client()).await
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
        Self { url, http, _process: process, _data: data }
    }

    /// A client with an access key; where there are none it is the account's number.
    pub fn client(&self, key: &str, secret: &str) -> Client {
        self.client_over(self.http.clone(), key, secret)
    }

    /// One that has a connection of another kind.
    pub fn client_over(&self, http: SharedHttpClient, key: &str, secret: &str) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new(key, secret, None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        Client::from_conf(config)
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
        let usage = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n";
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
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https()
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
