//! The heads of requests: shaped as an SDK's, and signed anew for each body.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use kew_wire::auth::{Claim, Secret, SignedRequest, SigningKey, timestamp};

use crate::identity::Identity;
use crate::protocol::Protocol;

/// One operation's requests: all of the head but what depends on the body.
#[derive(Debug)]
pub struct Operation {
    /// AWS's name for it.
    pub name: &'static str,
    shape: Shape,
    head: RefCell<Head>,
}

/// What all requests of an operation share.
#[derive(Debug)]
struct Shape {
    method: &'static str,
    host: String,
    path: String,
    region: String,
    kind: Kind,
    identity: Identity,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Page,
    Call(Protocol),
}

/// The head in one second, which its date names.
#[derive(Debug)]
struct Head {
    second: u64,
    /// Up to the signature if there is one to be made, else up to the value of `Content-Length`.
    text: Vec<u8>,
    signing: Option<Signing>,
}

#[derive(Debug)]
struct Signing {
    headers: Vec<(&'static str, String)>,
    claim: Claim<'static>,
    key: SigningKey,
}

impl Operation {
    pub(crate) fn call(
        name: &'static str,
        protocol: Protocol,
        host: &str,
        path: &str,
        region: &str,
        identity: &Identity,
    ) -> Self {
        let (method, kind) = ("POST", Kind::Call(protocol));
        let (host, path, region) = (host.to_owned(), path.to_owned(), region.to_owned());
        Self::shaped(name, Shape { method, host, path, region, kind, identity: identity.clone() })
    }

    pub(crate) fn page(path: &'static str, host: &str) -> Self {
        let (method, kind, identity) = ("GET", Kind::Page, Identity::default());
        let (host, region) = (host.to_owned(), String::new());
        Self::shaped(path, Shape { method, host, path: path.to_owned(), region, kind, identity })
    }

    fn shaped(name: &'static str, shape: Shape) -> Self {
        let head = RefCell::new(shape.head(name, now()));
        Self { name, shape, head }
    }

    /// Writes a request with this body.
    pub(crate) fn write(&self, body: &[u8], out: &mut Vec<u8>) {
        let mut head = self.head.borrow_mut();
        if head.signing.is_some() {
            let second = now();
            if second != head.second {
                *head = self.shape.head(self.name, second);
            }
        }
        out.extend_from_slice(&head.text);
        if let Some(Signing { headers, claim, key }) = &head.signing {
            let (method, path, query) = (self.shape.method, &*self.shape.path, "");
            let request = SignedRequest { method, path, query, headers: &**headers, body };
            out.extend_from_slice(&key.sign(claim, &request));
            out.extend_from_slice(b"\r\nContent-Length: ");
        }
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }
}

impl Shape {
    fn head(&self, name: &str, second: u64) -> Head {
        let mut text = String::with_capacity(768);
        let Kind::Call(protocol) = self.kind else {
            let _ = write!(text, "GET {} HTTP/1.1\r\nHost: {}\r\nContent-Length: ", self.path, self.host);
            return Head { second, text: text.into_bytes(), signing: None };
        };
        let date = timestamp(second * 1000);
        let mut headers = vec![
            ("content-type", protocol.content_type().to_owned()),
            ("host", self.host.clone()),
            ("x-amz-date", date.clone()),
        ];
        headers.extend(self.identity.token.clone().map(|token| ("x-amz-security-token", token)));
        if protocol == Protocol::Json {
            headers.push(("x-amz-target", format!("AmazonSQS.{name}")));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let claimed = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}/{}/sqs/aws4_request, SignedHeaders={}, Signature=",
            self.identity.access_key,
            &date[..8],
            self.region,
            names.join(";")
        );
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{} {} HTTP/1.1\r\nAccept-Encoding: identity\r\nUser-Agent: kew-bench/{}\r\n",
            self.method,
            self.path,
            env!("CARGO_PKG_VERSION")
        );
        for (name, value) in &headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "authorization: {claimed}");
        let signing = self.identity.secret.as_ref().and_then(|secret| signing(headers, &claimed, secret));
        if signing.is_none() {
            // It has the form of a signature, so that reading it is a part of the server's work.
            text += &"0123456789abcdef".repeat(4);
            text += "\r\nContent-Length: ";
        }
        Head { second, text: text.into_bytes(), signing }
    }
}

fn signing(mut headers: Vec<(&'static str, String)>, claimed: &str, secret: &Secret) -> Option<Signing> {
    headers.push(("authorization", claimed.to_owned()));
    let claim = Claim::read(&&*headers, "").ok()??.into_owned();
    headers.pop();
    let key = SigningKey::derive(&claim, secret);
    Some(Signing { headers, claim, key })
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(identity: Identity, protocol: Protocol) -> String {
        let operation =
            Operation::call("SendMessage", protocol, "[::1]:9324", "/sqs", "eu-west-1", &identity);
        let mut out = Vec::new();
        operation.write(b"the body", &mut out);
        String::from_utf8(out).expect("text")
    }

    /// The headers of a request, as its server reads them.
    fn headers(text: &str) -> Vec<(&str, &str)> {
        let (head, _) = text.split_once("\r\n\r\n").expect("a body");
        head.lines().skip(1).map(|line| line.split_once(": ").expect("a header")).collect()
    }

    #[test]
    fn a_signed_request_is_one_that_can_be_verified() {
        for protocol in [Protocol::Json, Protocol::Query] {
            let secret = Secret::new(*b"secret");
            let text = written(Identity::signed("AKID", secret.clone(), Some("token".to_owned())), protocol);
            let headers = &*headers(&text);
            let claim = Claim::read(&headers, "").expect("well-formed").expect("a claim");
            assert_eq!(
                (claim.access_key(), claim.region(), claim.token()),
                ("AKID", "eu-west-1", Some("token"))
            );
            let request = |body| SignedRequest { method: "POST", path: "/sqs", query: "", headers, body };
            let key = SigningKey::derive(&claim, &secret);
            assert!(key.verify(&claim, &request(b"the body")).is_ok(), "{text}");
            assert!(key.verify(&claim, &request(b"another")).is_err());
        }
    }

    #[test]
    fn an_unsigned_request_has_the_form_of_a_signed_one() {
        let text = written(Identity::default(), Protocol::Json);
        assert!(
            text.starts_with("POST /sqs HTTP/1.1\r\n") && text.contains("\r\nhost: [::1]:9324\r\n"),
            "{text}"
        );
        assert!(text.contains("x-amz-target: AmazonSQS.SendMessage\r\n"), "{text}");
        assert!(text.contains("Credential=test/") && text.contains("Signature=0123456789abcdef"), "{text}");
        assert!(text.ends_with("\r\nContent-Length: 8\r\n\r\nthe body"), "{text}");
        assert!(!written(Identity::default(), Protocol::Query).contains("x-amz-target"));
    }
}
