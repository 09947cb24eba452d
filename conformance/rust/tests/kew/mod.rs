//! A server as a process of its own, and clients of it.

use std::path::PathBuf;
use std::process::Stdio;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server on a free port, ended when dropped.
pub struct Kew {
    pub url: String,
    _process: Child,
    _data: tempfile::TempDir,
}

impl Kew {
    /// One that has these in its environment.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let binary = std::env::var_os("KEW_BIN").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/release/kew"),
            PathBuf::from,
        );
        let data = tempfile::tempdir().expect("a directory");
        let mut process = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--sqs-waits", "off", "--data"])
            .arg(data.path().join("data"))
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
            if line.contains("http://127.0.0.1:") {
                break line;
            }
        };
        let start = line.find("http://").expect("as found above");
        let url = line[start..].split_whitespace().next().expect("an address").to_owned();
        // Its log must have somewhere to go.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, _process: process, _data: data }
    }

    /// A client with an access key; where there are none it is the account's number.
    pub fn client(&self, key: &str, secret: &str) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new(key, secret, None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }
}
