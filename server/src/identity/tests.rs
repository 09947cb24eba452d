//! Callers of an open and of a closed Kew, as the edge establishes them.

use std::net::{IpAddr, Ipv4Addr};

use http::Request;
use kew_engine::identity::{Kind, Principal};
use kew_engine::time::{Millis, Moment};
use kew_wire::auth::{Secret, SignedRequest, sign, timestamp};
use kew_wire::fault::Fault;

use super::*;
use crate::http::Peer;

const SECRET: &[u8] = b"a secret of sixteen letters or more";

/// One key of each kind.
#[derive(Debug)]
struct Known {
    is_open: bool,
    end: Moment,
}

impl Credentials for Known {
    fn is_open(&self) -> bool {
        self.is_open
    }

    fn lookup(&self, key: &str, token: Option<&str>) -> Result<Arc<Credential>, NoCredential> {
        let (account, is_active, expires) = match (key, token) {
            ("root", None) => (Account::DEFAULT, true, None),
            ("other", None) => ("111122223333".parse().expect("an account"), true, None),
            ("disabled", None) => (Account::DEFAULT, false, None),
            ("session", Some("token")) => ("444455556666".parse().expect("an account"), true, Some(self.end)),
            ("session", _) => return Err(NoCredential::WrongToken),
            _ => return Err(NoCredential::Unknown),
        };
        let principal = Principal {
            account,
            arn: format!("arn:aws:iam::{account}:root").into(),
            id: account.to_string().into(),
            kind: Kind::Root,
            tags: Vec::new(),
            issued: None,
        };
        let identity = Arc::new(Identity {
            principal,
            permissions: None,
            access_key: Some(key.into()),
            counts_as: None,
            chain: None,
        });
        Ok(Arc::new(Credential { secret: Secret::new(SECRET), identity, is_active, expires }))
    }
}

fn identities(is_open: bool) -> Identities {
    let clock = Arc::new(Clock::new());
    let end = clock.now() + Millis(60_000);
    let accounts = HashMap::from([("AKIAKNOWN".to_owned(), "210987654321".parse().expect("an account"))]);
    Identities::new(accounts, "eu-west-1".into(), Arc::new(Known { is_open, end }), clock)
}

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let parts = request.body(()).expect("a request").into_parts().0;
    Head { method: parts.method, uri: parts.uri, headers: crate::http::head::Headers::from(&parts.headers) }
}

fn scoped(key: &str, day: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/{day}/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=0"
    )
}

/// A request with a body `{}`, signed now.
fn signed(identities: &Identities, key: &str, token: Option<&str>, host: &str) -> Head {
    let date = timestamp(identities.clock.now().0 - identities.clock.advanced().0);
    let claimed = scoped(key, &date[..8]);
    let mut headers = vec![("host", host), ("x-amz-date", &*date)];
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    let unsigned = [&headers[..], &[("authorization", &*claimed)]].concat();
    let parts = head("POST", "/", &unsigned);
    let view = Signed(&parts);
    let claim = Claim::read(&view, "").expect("well-formed").expect("a claim");
    let request = SignedRequest { method: "POST", path: "/", query: "", headers: view, body: b"{}" };
    let signature = sign(&claim, &request, &Secret::new(SECRET));
    let value = claimed.replace("Signature=0", &format!("Signature={signature}"));
    head("POST", "/", &[&headers[..], &[("authorization", &*value)]].concat())
}

fn code(outcome: Result<Option<Verified>, Fault>) -> String {
    match outcome {
        Ok(Some(verified)) => format!("{} {}", verified.identity.principal.account, verified.region),
        Ok(None) => "nobody".to_owned(),
        Err(fault) => format!("{} {}", fault.kind.code, fault.kind.status),
    }
}

#[test]
fn a_signed_request_is_verified_with_its_body_service_and_endpoint() {
    let identities = identities(false);
    let verify = |key: &str, token: Option<&str>, host: &str, body: &[u8], service: &str| {
        code(identities.verify(&signed(&identities, key, token, host), body, Some(service)))
    };
    // Twice, for the key is remembered after the first time.
    for _ in 0..2 {
        assert_eq!(verify("root", None, "h", b"{}", "sqs"), "000000000000 us-east-1");
        assert_eq!(verify("other", None, "h", b"{}", "sqs"), "111122223333 us-east-1");
        assert_eq!(verify("session", Some("token"), "h", b"{}", "sqs"), "444455556666 us-east-1");
        assert_eq!(verify("root", None, "h", b"{ }", "sqs"), "SignatureDoesNotMatch 403");
        assert_eq!(verify("root", None, "h", b"{}", "sts"), "SignatureDoesNotMatch 403");
        assert_eq!(verify("root", None, "sqs.eu-west-1.example", b"{}", "sqs"), "SignatureDoesNotMatch 403");
        assert_eq!(verify("root", None, "sqs.us-east-1.example", b"{}", "sqs"), "000000000000 us-east-1");
        assert_eq!(verify("unknown", None, "h", b"{}", "sqs"), "InvalidClientTokenId 403");
        assert_eq!(verify("disabled", None, "h", b"{}", "sqs"), "InvalidClientTokenId 403");
        assert_eq!(verify("session", None, "h", b"{}", "sqs"), "InvalidClientTokenId 403");
        assert_eq!(verify("session", Some("other"), "h", b"{}", "sqs"), "InvalidClientTokenId 403");
    }
    assert_eq!(code(identities.verify(&head("POST", "/", &[("host", "h")]), b"{}", Some("sqs"))), "nobody");
}

#[test]
fn a_session_ends_by_the_clock_that_tests_advance() {
    let identities = identities(false);
    let verify = || code(identities.verify(&signed(&identities, "session", Some("token"), "h"), b"{}", None));
    assert_eq!(verify(), "444455556666 us-east-1");
    identities.clock.advance(Millis(60_000));
    assert_eq!(verify(), "ExpiredToken 403");
}

#[test]
fn a_header_that_is_no_text_is_refused_and_harms_nobody() {
    let identities = identities(false);
    let mut headers = http::HeaderMap::new();
    headers.insert("host", http::HeaderValue::from_static("h"));
    let value = http::HeaderValue::from_bytes(b"AWS4-HMAC-SHA256 \xff\xfe").expect("bytes");
    headers.insert("authorization", value);
    let parts = Head { headers: crate::http::head::Headers::from(&headers), ..head("POST", "/", &[]) };
    assert_eq!(code(identities.verify(&parts, b"", None)), "IncompleteSignature 400");
    assert_eq!(identities.believe(&parts).0, Account::DEFAULT);
}

#[test]
fn the_pages_of_kew_itself_want_an_access_key_of_the_default_account() {
    let refused = |identities: &Identities, authorization: Option<&str>| {
        refusal(identities, HERE, authorization).map(|response| response.status.as_u16())
    };
    assert_eq!(refused(&identities(true), None), None);
    let closed = identities(false);
    assert_eq!(refused(&closed, None), Some(401));
    // root:SECRET, root:wrong, other:SECRET, disabled:SECRET
    let basic = |key: &str, secret: &[u8]| {
        let text = [key.as_bytes(), b":", secret].concat();
        format!("Basic {}", base64(&text))
    };
    assert_eq!(refused(&closed, Some(&basic("root", SECRET))), None);
    assert_eq!(refused(&closed, Some(&basic("root", b"wrong"))), Some(403));
    assert_eq!(refused(&closed, Some(&basic("other", SECRET))), Some(403));
    assert_eq!(refused(&closed, Some(&basic("disabled", SECRET))), Some(403));
    assert_eq!(refused(&closed, Some("Bearer x")), Some(403));
    let signed = signed(&closed, "root", None, "h");
    let who = closed.admit(Page::Tests, HERE, &signed, b"{}").expect("let in").expect("somebody");
    assert_eq!(who.access_key.as_deref(), Some("root"));
    assert!(closed.admit(Page::Tests, HERE, &signed, b"{ }").is_err());
}

const HERE: Peer = Peer { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), is_local: true, is_secure: false };

fn refusal(
    identities: &Identities,
    peer: Peer,
    authorization: Option<&str>,
) -> Option<crate::http::Response> {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    identities
        .admit(Page::Metrics, peer, &head("GET", "/metrics", &headers), b"")
        .err()
        .map(|refusal| refusal.answer)
}

#[test]
fn a_secret_is_neither_taken_nor_asked_for_where_others_can_read_along() {
    let closed = identities(false);
    let there = Peer { ip: IpAddr::from([192, 0, 2, 1]), is_local: false, is_secure: false };
    let secure = Peer { is_secure: true, ..there };
    let basic = format!("Basic {}", base64(&[b"root:", SECRET].concat()));
    assert!(refusal(&closed, secure, Some(&basic)).is_none());
    let status = refusal(&closed, there, Some(&basic)).map(|response| response.status.as_u16());
    assert_eq!(status, Some(403), "though it is right");
    let asks = |peer| {
        let refused = refusal(&closed, peer, None).expect("refused");
        let asked = refused.headers.get(http::header::WWW_AUTHENTICATE).cloned();
        asked.expect("a scheme").to_str().expect("text").starts_with("Basic")
    };
    assert!(asks(HERE) && asks(secure) && !asks(there));
    let signed = signed(&closed, "root", None, "h");
    assert!(
        closed.admit(Page::Metrics, there, &signed, b"{}").is_ok(),
        "a signature tells nobody the secret"
    );
}

#[test]
fn a_head_says_who_is_a_stranger() {
    let closed = identities(false);
    let is_stranger = |head: &Head| closed.is_stranger(head, |_| None);
    let known = signed(&closed, "root", None, "h");
    assert!(!is_stranger(&known));
    assert!(!identities(true).is_stranger(&head("POST", "/", &[]), |_| None), "nobody is asked");
    assert!(is_stranger(&head("POST", "/", &[])));
    for unknown in ["nobody", "disabled", "session"] {
        let parts = signed(&closed, unknown, None, "h");
        assert!(is_stranger(&parts), "{unknown}");
    }
    let elsewhere = |_: &Head| Some("kms");
    assert!(closed.is_stranger(&known, elsewhere), "signed for another service");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[test]
fn an_open_kew_takes_account_and_region_from_key_scope_path_and_host() {
    let signed = |access_key: &str, region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/20261121/{region}/sqs/aws4_request, \
             SignedHeaders=host, Signature=00"
        )
    };
    let cases: &[(Option<String>, &str, &str, &str, &str)] = &[
        (None, "localhost:4566", "/", "000000000000", "eu-west-1"),
        (Some(signed("test", "us-west-2")), "localhost:4566", "/", "000000000000", "us-west-2"),
        (Some(signed("123456789012", "us-west-2")), "localhost", "/", "123456789012", "us-west-2"),
        (Some(signed("AKIAKNOWN", "us-east-1")), "localhost", "/", "210987654321", "us-east-1"),
        (Some(signed("a/b/c", "us-east-1")), "localhost", "/", "000000000000", "us-east-1"),
        (Some("Basic dGVzdA==".into()), "localhost", "/", "000000000000", "eu-west-1"),
        (Some("AWS4-HMAC-SHA256 Credential=".into()), "localhost", "/", "000000000000", "eu-west-1"),
        (Some("AWS4-HMAC-SHA256 Credential=test".into()), "localhost", "/", "000000000000", "eu-west-1"),
        (Some(signed("test", "NOWHERE")), "localhost", "/", "000000000000", "eu-west-1"),
        (None, "sqs.ap-south-1.localhost.localstack.cloud:4566", "/", "000000000000", "ap-south-1"),
        (None, "ap-south-1.queue.localhost.localstack.cloud", "/", "000000000000", "ap-south-1"),
        (None, "queue.localhost.localstack.cloud", "/", "000000000000", "us-east-1"),
        (None, "sqs.example.org", "/", "000000000000", "eu-west-1"),
        (None, "localhost", "/queue/ca-central-1/000000000000/q", "000000000000", "ca-central-1"),
        (
            None,
            "localhost",
            "/?Action=ListQueues&X-Amz-Credential=123456789012%2F20261121%2Fsa-east-1%2Fsqs%2Faws4_request\
             &X-Amz-SignedHeaders=host&X-Amz-Signature=00",
            "123456789012",
            "sa-east-1",
        ),
    ];
    let identities = identities(true);
    for (authorization, host, target, account, region) in cases {
        let mut headers = vec![("host", *host)];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let found = identities.believe(&head("GET", target, &headers));
        assert_eq!(
            (found.0.to_string(), found.1.to_string()),
            ((*account).to_owned(), (*region).to_owned()),
            "{authorization:?} {host} {target}"
        );
    }
}

#[test]
fn a_session_of_an_open_kew_is_of_its_account() {
    let identities = identities(true);
    let authorization = scoped("session", "20261121");
    let headers = [("host", "h"), ("authorization", &*authorization), ("x-amz-security-token", "token")];
    assert_eq!(identities.believe(&head("POST", "/", &headers)).0.to_string(), "444455556666");
    let headers = [("host", "h"), ("authorization", &*authorization), ("x-amz-security-token", "other")];
    assert_eq!(identities.believe(&head("POST", "/", &headers)).0, Account::DEFAULT);
}

#[test]
fn the_scope_names_the_service() {
    let authorization = scoped("test", "20261121");
    assert_eq!(signed_for(&head("POST", "/", &[])), None);
    assert_eq!(signed_for(&head("POST", "/", &[("authorization", &authorization)])).as_deref(), Some("sqs"));
}

#[test]
fn the_stable_part_of_a_signature_ends_before_what_changes() {
    assert_eq!(stable_part(&head("POST", "/", &[])), b"");
    let authorization = scoped("test", "20261121");
    let parts = head("POST", "/", &[("authorization", &authorization)]);
    assert_eq!(stable_part(&parts), b"AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/sqs/aws4_request");
}
