//! Where requests go.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::operation::Operation;
use crate::options::Options;
use crate::protocol::Protocol;
use crate::stream::{Stream, connector};

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// An SQS endpoint, and the identity that its callers show.
pub struct Endpoint {
    addresses: Vec<SocketAddr>,
    /// The address that was reached last.
    reached: Cell<usize>,
    secure: Option<(TlsConnector, ServerName<'static>)>,
    host: String,
    path: String,
    region: String,
    identity: Identity,
    /// The dialect of its requests.
    pub protocol: Protocol,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.host).finish()
    }
}

impl Endpoint {
    /// The endpoint that the options name.
    ///
    /// # Errors
    /// A URL that is none, a host that nobody knows, authorities that cannot be read.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let url = Url::read(&options.endpoint)?;
        let wrong = |why: String| Failure::Endpoint(options.endpoint.clone(), why);
        let addresses: Vec<SocketAddr> =
            (url.name, url.port).to_socket_addrs().map_err(|error| wrong(error.to_string()))?.collect();
        if addresses.is_empty() {
            return Err(wrong("the name has no address".to_owned()));
        }
        let secure =
            if url.is_secure { Some(secure(url.name, options.authorities.as_deref())?) } else { None };
        Ok(Self {
            addresses,
            reached: Cell::new(0),
            secure,
            host: url.host.to_owned(),
            path: if url.path.is_empty() { "/" } else { url.path }.to_owned(),
            region: options.region.clone(),
            identity: options.identity.clone(),
            protocol: options.protocol,
        })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<Stream> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for step in 0..self.addresses.len() {
            let index = (self.reached.get() + step) % self.addresses.len();
            match tokio::time::timeout(CONNECT_TIME, self.reach(self.addresses[index])).await {
                Ok(Ok(stream)) => {
                    self.reached.set(index);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }

    async fn reach(&self, address: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.secure {
            None => Stream::Plain(stream),
            Some((connector, name)) => {
                Stream::Secure(Box::new(connector.connect(name.clone(), stream).await?))
            }
        })
    }

    /// The host as it was named, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The requests of an operation. Those of the Query protocol that are about a queue go to the queue's own path.
    pub fn operation(&self, name: &'static str, queue_url: Option<&str>) -> Operation {
        let path = match (self.protocol, queue_url) {
            (Protocol::Query, Some(url)) => path_of(url),
            _ => &self.path,
        };
        Operation::call(name, self.protocol, &self.host, path, &self.region, &self.identity)
    }

    /// The requests for one of the server's own pages, which belong to no service.
    pub fn page(&self, path: &'static str) -> Operation {
        Operation::page(path, &self.host)
    }

    pub(crate) fn unreachable(&self, error: io::Error) -> Failure {
        Failure::Unreachable(self.host.clone(), error)
    }
}

fn secure(name: &str, authorities: Option<&Path>) -> Result<(TlsConnector, ServerName<'static>), Failure> {
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let server = match name.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(name.to_owned())
            .map_err(|error| Failure::Endpoint(name.to_owned(), error.to_string()))?,
    };
    let connector = connector(authorities).map_err(Failure::Asked)?;
    Ok((connector, server))
}

/// The parts of an endpoint's URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    is_secure: bool,
    /// With the port, if one is named.
    host: &'a str,
    /// Without.
    pub(crate) name: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Url<'a> {
    pub(crate) fn read(url: &'a str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::Endpoint(url.to_owned(), why.to_owned());
        let (is_secure, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"\\".contains(&byte));
        if host.is_empty() || !is_plain(host) || !is_plain(path) {
            return Err(wrong("give it as http://HOST[:PORT][/PATH]"));
        }
        let default = if is_secure { 443 } else { 80 };
        // The colons of an IPv6 address stand in brackets.
        let (name, port) = match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((name, port)) => {
                (name, port.parse().map_err(|_| wrong("the port is no number below 65536"))?)
            }
            None => (host, default),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { is_secure, host, name, port, path })
    }
}

/// The path of a URL.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let read = |url| {
            let Url { is_secure, host, name, port, path } = Url::read(url).expect("a URL");
            (is_secure, host, name, port, path)
        };
        assert_eq!(read("http://127.0.0.1"), (false, "127.0.0.1", "127.0.0.1", 80, ""));
        assert_eq!(read("http://[::1]:9324/sqs"), (false, "[::1]:9324", "::1", 9324, "/sqs"));
        assert_eq!(read("http://[::1]"), (false, "[::1]", "::1", 80, ""));
        let aws = "sqs.us-east-1.amazonaws.com";
        assert_eq!(read("https://sqs.us-east-1.amazonaws.com/"), (true, aws, aws, 443, "/"));
    }

    #[test]
    fn what_is_no_url_is_refused_by_name() {
        for (url, says) in [
            ("localhost:4566", "must begin with http://"),
            ("ftp://localhost", "must begin with http://"),
            ("http://", "give it as"),
            ("http://a b/", "give it as"),
            ("http://host/?Action=x", "give it as"),
            ("http://host:70000", "the port"),
        ] {
            let failure = Url::read(url).expect_err("no URL").to_string();
            assert!(failure.contains(url) && failure.contains(says), "{failure}");
        }
    }

    #[test]
    fn a_queues_path_is_that_of_its_url() {
        assert_eq!(path_of("http://localhost:9324/queue/a"), "/queue/a");
        assert_eq!(path_of("http://localhost:9324"), "/");
    }
}
