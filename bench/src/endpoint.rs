//! Where requests go, and the heads that they carry.

use std::fmt::Write as _;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpStream;

use crate::failure::Failure;

/// An SQS endpoint and the identity that its callers show.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    host: String,
    path: String,
    access_key: String,
    region: String,
}

/// One operation's request, up to the value of its `Content-Length`.
#[derive(Debug, Clone)]
pub struct Operation {
    /// AWS's name for it.
    pub name: &'static str,
    pub(crate) head: Box<[u8]>,
}

impl Endpoint {
    /// The endpoint at `url` (`http://HOST[:PORT][/PATH]`; there is no TLS here).
    pub fn new(url: &str, access_key: &str, region: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::Endpoint(url.to_owned(), why.to_owned());
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("it must begin with http://"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let named = if host.rsplit(']').next().is_some_and(|tail| tail.contains(':')) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let mut addresses = named.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
        let address = addresses.next().ok_or_else(|| wrong("the name has no address"))?;
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        Ok(Self {
            address,
            host: host.to_owned(),
            path,
            access_key: access_key.to_owned(),
            region: region.to_owned(),
        })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<TcpStream, std::io::Error> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The address behind the endpoint's name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The head of a JSON request, shaped as an SDK's. The signature has the form of SigV4, but it is not computed.
    pub fn operation(&self, name: &'static str) -> Operation {
        let (day, time) = utc(SystemTime::now());
        let signature = "0123456789abcdef".repeat(4);
        let mut head = String::with_capacity(640);
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\nX-Amz-Target: AmazonSQS.{name}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nUser-Agent: kew-bench/{version}\r\nX-Amz-Date: {day}T{time}Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/sqs/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}\r\nContent-Length: ",
            path = self.path,
            host = self.host,
            version = env!("CARGO_PKG_VERSION"),
            key = self.access_key,
            region = self.region,
        );
        Operation { name, head: head.into_bytes().into() }
    }

    /// The head of a request for one of the server's own pages, which belong to no service.
    pub fn page(&self, path: &'static str) -> Operation {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: ", self.host);
        Operation { name: path, head: head.into_bytes().into() }
    }
}

/// Date and time of day as SigV4 writes them: `20150830`, `123600`.
fn utc(now: SystemTime) -> (String, String) {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut day, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let february = 28 + u64::from(leap(year));
    let days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= days[month] {
        day -= days[month];
        month += 1;
    }
    let date = format!("{year:04}{:02}{:02}", month + 1, day + 1);
    (date, format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_written_as_sigv4_wants_them() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(1_440_938_160), ("20150830".into(), "123600".into()));
        assert_eq!(at(951_782_400), ("20000229".into(), "000000".into()));
        assert_eq!(at(1_798_761_599), ("20261231".into(), "235959".into()));
    }

    #[test]
    fn an_endpoint_without_a_port_is_at_port_80() {
        let endpoint = Endpoint::new("http://127.0.0.1", "key", "us-east-1").expect("an address");
        assert_eq!(endpoint.address(), "127.0.0.1:80".parse().expect("an address"));
        let endpoint = Endpoint::new("http://[::1]:9324/sqs", "key", "us-east-1").expect("an address");
        assert_eq!(endpoint.address(), "[::1]:9324".parse().expect("an address"));
        assert!(
            endpoint.operation("SendMessage").head.starts_with(b"POST /sqs HTTP/1.1\r\nHost: [::1]:9324\r\n")
        );
    }

    #[test]
    fn an_endpoint_behind_tls_is_refused_by_name() {
        let failure =
            Endpoint::new("https://sqs.us-east-1.amazonaws.com", "key", "us-east-1").expect_err("no TLS");
        assert!(failure.to_string().contains("must begin with http://"), "{failure}");
    }
}
