//! Which web pages may call: those of this machine, and those that the operator names. A page of another origin that a
//! browser has open must not reach a server that trusts whoever can connect to it.
//!
//! What browsers tell (the Fetch standard, Fetch Metadata Request Headers), and what a page can do about it:
//!
//! - `Origin`: with every POST, and with all that a page asks of another origin in order to read it. Not with a GET of its own origin, nor
//!   with what it merely embeds or opens. No page can write it.
//! - `Sec-Fetch-Site`: with everything, but only if the URL is trustworthy: https, `localhost`, and in most browsers addresses of the
//!   loopback. No page can write it.
//! - `Host`: as the page named the server. No page can write it.
//! - `Accept-Language`: with everything. A page can write another one, but not take it away.
//! - `User-Agent`: begins with `Mozilla/`. A page can write another one only where it fetches, and to another origin only after asking it.
//!
//! So a page whose name was bound anew to this machine's address ([`hosts`]) is known by `Host` alone, and an image on a page from elsewhere,
//! whose URL is an address in the local network, by nothing that would tell it from what somebody typed.

use http::{HeaderMap, HeaderValue, Method, header};
use kew_wire::Text;
use kew_wire::dialects::query::Form;

use super::head::{Head, Headers};
use super::hosts;

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,OPTIONS,POST");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization,content-length,content-type,amz-sdk-invocation-id,amz-sdk-request,x-amz-content-sha256,x-amz-date,\
     x-amz-security-token,x-amz-target,x-amz-user-agent,x-amzn-query-mode,x-amzn-trace-id",
);
const EXPOSED: HeaderValue =
    HeaderValue::from_static("date,x-amzn-requestid,x-amz-request-id,x-amzn-query-error,x-amzn-errortype");

/// Where a browser says that a request comes from, in relation to the server that it goes to.
const SITE: &str = "sec-fetch-site";

/// How it was made.
const MODE: &str = "sec-fetch-mode";

/// Whom a server trusts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust<'a> {
    /// Origins that the operator allows besides this machine's own.
    pub(crate) origins: &'a [String],
    /// What queue URLs begin with, if the operator says so.
    pub(crate) public_url: Option<&'a str>,
    /// Whether whoever can connect may do everything.
    pub(crate) is_open: bool,
}

/// What a request's `Origin` means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It comes from no web page.
    None,
    /// It comes from a page that may call.
    Allowed(HeaderValue),
    /// It comes from a page that may not.
    Forbidden,
}

impl Origin {
    /// Judges a request.
    pub(crate) fn of(head: &Head, trust: Trust<'_>) -> Self {
        let headers = &head.headers;
        let Some(value) = headers.get("origin") else {
            // `none` is what somebody typed.
            let is_foreign = headers.get(SITE).is_some_and(|site| site != b"none" && site != b"same-origin");
            let is_refused = is_foreign || trust.is_open && (is_rebound(head, trust) || is_blind(head));
            return if is_refused { Self::Forbidden } else { Self::None };
        };
        let is_allowed = |origin: &&str| {
            is_local(origin) || trust.origins.iter().any(|other| other == "*" || other == origin)
        };
        let allowed = str::from_utf8(value).ok().filter(is_allowed);
        // What is no header's value was none of the origins either, unless all may call.
        allowed.and_then(|origin| HeaderValue::from_str(origin).ok()).map_or(Self::Forbidden, Self::Allowed)
    }

    /// Tells the browser what its page may see.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if let Self::Allowed(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

fn is_local(origin: &str) -> bool {
    let Some((_, rest)) = origin.split_once("://") else { return false };
    hosts::is_local(hosts::name(rest))
}

/// Whether a browser may have made this for a page whose name was bound to this server afterwards: it is called by a name that a stranger
/// could own. Clients that are no browsers may call it as they like (`kew.default.svc.cluster.local`).
fn is_rebound(head: &Head, trust: Trust<'_>) -> bool {
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    let Some(host) = authority.or_else(|| head.headers.get("host")) else { return false };
    // What is no text is no name that is known.
    let name = hosts::name(str::from_utf8(host).unwrap_or("."));
    let is_known =
        |url: &str| url == "*" || hosts::of_url(url).is_some_and(|own| own.eq_ignore_ascii_case(name));
    !hosts::is_settled(name)
        && may_be_of_browser(&head.headers)
        && !trust.origins.iter().map(String::as_str).chain(trust.public_url).any(is_known)
}

/// Whether it looks as a browser's would, whatever a page wrote into it.
fn may_be_of_browser(headers: &Headers) -> bool {
    // Node's `fetch` tells a language as well, and the mode without the site, which no browser does.
    let is_of_node = headers.contains(MODE) && !headers.contains(SITE);
    is_mozilla(headers) || headers.contains("accept-language") && !is_of_node
}

/// Whether a browser made this, does not say for whom, and it does more than look: any page could have it made without seeing the answer,
/// by an image or a link.
fn is_blind(head: &Head) -> bool {
    let Some(query) = head.uri.query().filter(|_| head.method == Method::GET) else { return false };
    let headers = &head.headers;
    // A language, too: other programs that people type into call themselves Mozilla, but tell none (PowerShell).
    is_mozilla(headers)
        && headers.contains("accept-language")
        && !headers.contains(SITE)
        && !only_looks(&query.into())
}

fn is_mozilla(headers: &Headers) -> bool {
    headers.get("user-agent").is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

/// Whether a request of the Query dialect leaves everything as it is, messages included.
fn only_looks(query: &Text) -> bool {
    // What cannot be read does nothing.
    let action = Form::parse(&[query]).and_then(|form| form.get("Action")).unwrap_or_default();
    action.is_none_or(|action| {
        action.starts_with("List")
            || matches!(&*action, "GetQueueUrl" | "GetQueueAttributes" | "GetCallerIdentity")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An open server to which the operator gave no name.
    const OPEN: Trust<'_> = Trust { origins: &[], public_url: None, is_open: true };

    const CHROME: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/142.0.0.0 Safari/537.36\nAccept-Encoding: gzip, deflate\nAccept-Language: en-GB,en;q=0.9\n";
    const FIREFOX: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\n\
                           Accept-Language: en-GB,en;q=0.5\nAccept-Encoding: gzip, deflate\nConnection: keep-alive\n";
    const RECEIVE: &str = "/000000000000/q?Action=ReceiveMessage&Version=2012-11-05";

    fn head(method: Method, target: &str, lines: &str) -> Head {
        let mut headers = HeaderMap::new();
        for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
            let name: header::HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        Head { method, uri: target.parse().expect("a target"), headers: Headers::from(&headers) }
    }

    fn get(target: &str, lines: &str) -> Origin {
        Origin::of(&head(Method::GET, target, lines), OPEN)
    }

    fn post(trust: Trust<'_>, lines: &str) -> Origin {
        Origin::of(&head(Method::POST, "/", lines), trust)
    }

    fn judge(origin: &str) -> Origin {
        let origins = ["https://console.example".to_owned()];
        post(Trust { origins: &origins, ..OPEN }, &format!("Host: localhost:4566\nOrigin: {origin}"))
    }

    #[test]
    fn what_a_page_embeds_without_naming_its_origin_is_refused() {
        for (site, expected) in [
            ("cross-site", Origin::Forbidden),
            ("same-site", Origin::Forbidden),
            // Only Kew's own answers have its origin where browsers tell the site: no name can be bound anew there.
            ("same-origin", Origin::None),
            ("none", Origin::None),
        ] {
            for is_open in [true, false] {
                let head =
                    head(Method::GET, "/health", &format!("Host: localhost\n{CHROME}Sec-Fetch-Site: {site}"));
                assert_eq!(Origin::of(&head, Trust { is_open, ..OPEN }), expected, "{site}");
            }
        }
    }

    #[test]
    fn a_page_whose_name_was_bound_anew_may_do_nothing() {
        let host = "Host: evil.example:4566\n";
        for browser in [CHROME, FIREFOX] {
            for (what, lines) in [
                ("fetch", "Accept: */*\nReferer: http://evil.example:4566/x"),
                ("fetch without a referrer", "Accept: */*"),
                (
                    "fetch with what an SDK says",
                    "Accept: */*\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b",
                ),
                ("image", "Accept: image/avif,image/webp,*/*;q=0.8\nReferer: http://evil.example:4566/"),
                ("navigation", "Upgrade-Insecure-Requests: 1\nAccept: text/html,*/*;q=0.8"),
            ] {
                for target in [RECEIVE, "/", "/health", "/metrics", "/?Action=ListQueues"] {
                    assert_eq!(
                        get(target, &format!("{host}{browser}{lines}")),
                        Origin::Forbidden,
                        "{what} {target}"
                    );
                }
            }
            let posted = format!("{host}{browser}Origin: http://evil.example:4566");
            assert_eq!(post(OPEN, &posted), Origin::Forbidden);
        }
        // All that a page can write over.
        for language in ["*", ""] {
            let lines = format!("{host}User-Agent: Boto3/1.40.0\nAccept: */*\nAccept-Language: {language}\n");
            assert_eq!(get(RECEIVE, &lines), Origin::Forbidden);
        }
        // The other version of HTTP names the server in the target.
        assert_eq!(get("https://evil.example/", CHROME), Origin::Forbidden);
        assert_eq!(get("/", &format!("Host: caf\u{e9}.example\n{CHROME}")), Origin::Forbidden);
    }

    #[test]
    fn what_a_page_elsewhere_has_made_unseen_changes_nothing() {
        // No browser tells the site to addresses in the local network, and not all do to the loopback's.
        for host in ["192.168.1.5:4566", "0.0.0.0:4566", "kew:4566", "127.0.0.1:4566"] {
            for browser in [CHROME, FIREFOX] {
                for (what, lines) in [
                    ("image", "Accept: image/avif,image/webp,*/*;q=0.8"),
                    (
                        "navigation",
                        "Upgrade-Insecure-Requests: 1\nAccept: text/html,*/*;q=0.8\nReferer: http://evil.example/",
                    ),
                ] {
                    let lines = format!("Host: {host}\n{browser}{lines}");
                    for target in [
                        RECEIVE,
                        "/?Action=CreateQueue&QueueName=q",
                        "/?Action=ListQueues&Action=DeleteQueue",
                        "/?Action=ListQueues&%41ction=Delete%51ueue",
                        "/?Action=GetSessionToken&Version=2011-06-15",
                    ] {
                        assert_eq!(get(target, &lines), Origin::Forbidden, "{what} {host} {target}");
                    }
                    for target in [
                        "/health",
                        "/000000000000/q",
                        "/?Action=ListQueues",
                        "/?Action=GetQueueUrl&QueueName=q",
                    ] {
                        assert_eq!(get(target, &lines), Origin::None, "{what} {host} {target}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_somebody_types_is_answered() {
        let typed =
            "Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nSec-Fetch-User: ?1\nSec-Fetch-Dest: document";
        for browser in [CHROME, FIREFOX] {
            for host in ["localhost:4566", "127.0.0.1:4566"] {
                for target in ["/health", "/000000000000/orders", "/?Action=CreateQueue&QueueName=q", RECEIVE]
                {
                    assert_eq!(
                        get(target, &format!("Host: {host}\n{browser}{typed}")),
                        Origin::None,
                        "{host} {target}"
                    );
                }
            }
        }
        let shell =
            "User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-GB) WindowsPowerShell/5.1.26100.1";
        assert_eq!(get(RECEIVE, &format!("Host: localhost:4566\n{shell}")), Origin::None);
    }

    #[test]
    fn clients_may_call_the_server_by_any_name() {
        for client in [
            "User-Agent: Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.8 lang/python#3.12\nAccept-Encoding: identity\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request",
            "User-Agent: aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8\nAccept-Encoding: identity\nX-Amz-Target: AmazonSQS.ListQueues",
            "user-agent: aws-sdk-js/3.930.0\nx-amz-user-agent: aws-sdk-js/3.930.0\namz-sdk-invocation-id: 1\nConnection: keep-alive",
            "User-Agent: curl/8.14.1\nAccept: */*",
            // Node's fetch.
            "user-agent: node\naccept: */*\naccept-language: *\nsec-fetch-mode: cors\naccept-encoding: gzip, deflate",
            "",
        ] {
            for host in [
                "localhost:4566",
                "kew:4566",
                "kew.internal:4566",
                "kew.default.svc.cluster.local:4566",
                "sqs.eu-central-1.amazonaws.com",
                "queues.example",
            ] {
                let lines = format!("Host: {host}\n{client}");
                assert_eq!(
                    (get(RECEIVE, &lines), post(OPEN, &lines)),
                    (Origin::None, Origin::None),
                    "{lines}"
                );
            }
        }
        assert_eq!(get(RECEIVE, ""), Origin::None, "no Host: HTTP/1.0");
    }

    #[test]
    fn browsers_may_use_the_names_that_the_operator_gives() {
        let origins = ["http://console.example:3000".to_owned()];
        let named =
            Trust { origins: &origins, public_url: Some("https://Queues.example:4566"), is_open: true };
        for (host, expected) in [
            ("queues.example", Origin::None),
            ("console.example:4566", Origin::None),
            ("other.example", Origin::Forbidden),
        ] {
            let head = head(Method::GET, "/health", &format!("Host: {host}\n{FIREFOX}"));
            assert_eq!(Origin::of(&head, named), expected, "{host}");
        }
        let head = head(Method::GET, "/health", &format!("Host: other.example\n{FIREFOX}"));
        assert_eq!(Origin::of(&head, Trust { origins: &["*".to_owned()], ..OPEN }), Origin::None);
        // Whoever must show a key may be called by any name.
        assert_eq!(Origin::of(&head, Trust { is_open: false, ..OPEN }), Origin::None);
    }

    #[test]
    fn an_sdk_in_an_allowed_page_may_call() {
        let lines = format!(
            "Host: kew.internal:4566\n{CHROME}Origin: http://localhost:3000\nReferer: http://localhost:3000/\nx-amz-user-agent: \
             aws-sdk-js/3.930.0 ua/2.1\nx-amz-target: AmazonSQS.ReceiveMessage\ncontent-type: application/x-amz-json-1.0"
        );
        assert_eq!(post(OPEN, &lines), Origin::Allowed(HeaderValue::from_static("http://localhost:3000")));
    }

    #[test]
    fn pages_of_this_machine_and_named_ones_may_call() {
        for origin in [
            "http://localhost:3000",
            "https://localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:80",
            "https://console.example",
        ] {
            assert_eq!(judge(origin), Origin::Allowed(origin.parse().expect("a header")), "{origin}");
        }
    }

    #[test]
    fn other_pages_may_not() {
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "https://console.example.evil",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(judge(origin), Origin::Forbidden, "{origin}");
        }
    }
}
