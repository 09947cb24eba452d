//! What an operator reads at start.

use std::io::Write;
use std::net::SocketAddr;

use crate::config::{Config, Durability};

/// Says where the server listens, where its data is, how durable it is, who may call, and what to try. The first line
/// ends with the address: it is printed once the server answers there, so scripts may wait for it.
pub(crate) fn print(config: &Config, address: SocketAddr, is_open: bool) {
    // Nobody reads it: no reason to stop.
    let _ = std::io::stdout().write_all(text(config, address, is_open).as_bytes());
    let _ = std::io::stdout().flush();
}

fn text(config: &Config, address: SocketAddr, is_open: bool) -> String {
    let data = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    let durability = match config.durability {
        Durability::Fsync => "fsync: an answer survives a power loss",
        Durability::Os => "os: an answer survives a killed process, not a power loss",
    };
    let host = if address.ip().is_unspecified() || address.ip().is_loopback() {
        "localhost".to_owned()
    } else {
        match address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        }
    };
    let reach = if address.ip().is_loopback() { "from this machine" } else { "FROM OTHER MACHINES TOO" };
    let callers = if is_open {
        format!("anyone who can connect, {reach}: there are no access keys, and signatures are not checked")
    } else {
        "those who sign with an access key; every request is verified".to_owned()
    };
    let unsigned = if is_open { " --no-sign-request" } else { "" };
    let tests = if config.test_endpoints {
        let who = if is_open { "any caller" } else { "who has kew:UseTestEndpoints" };
        &format!("\n  tests    /_kew/reset, /_kew/peek, /_kew/clock are open: {who} can erase everything")
    } else {
        ""
    };
    let scheme = if config.edge.tls.is_some() { "https" } else { "http" };
    format!(
        "Kew {version} listens on {scheme}://{address}\n\
         \x20 data     {data}\n\
         \x20 durable  {durability}\n\
         \x20 callers  {callers}{tests}\n\
         \x20 try      aws --endpoint-url {scheme}://{host}:{port} --region {region}{unsigned} sqs create-queue --queue-name orders\n",
        version = env!("CARGO_PKG_VERSION"),
        data = data.display(),
        port = address.port(),
        region = config.region,
    )
}
