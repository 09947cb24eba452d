//! Which web pages may call: those of this machine, and those that the operator names. A page of another origin that a
//! browser has open must not reach a server that trusts whoever can connect to it.

use http::{HeaderMap, HeaderValue, header};

use super::head::Headers;

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,OPTIONS,POST");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization,content-length,content-type,amz-sdk-invocation-id,amz-sdk-request,x-amz-content-sha256,x-amz-date,\
     x-amz-security-token,x-amz-target,x-amz-user-agent,x-amzn-query-mode,x-amzn-trace-id",
);
const EXPOSED: HeaderValue =
    HeaderValue::from_static("date,x-amzn-requestid,x-amz-request-id,x-amzn-query-error,x-amzn-errortype");

/// Where a browser says that a request comes from, in relation to the server that it goes to.
const SITE: &str = "sec-fetch-site";

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
    /// Judges a request; `others` are the origins that the operator allows besides this machine's own.
    pub(crate) fn of(headers: &Headers, others: &[String]) -> Self {
        let Some(value) = headers.get("origin") else {
            // What a page merely embeds, an image say, names no origin; browsers then tell this much. `none` is what somebody typed.
            let site = headers.get(SITE).filter(|site| site != b"none");
            return if site.is_some() { Self::Forbidden } else { Self::None };
        };
        let is_allowed =
            |origin: &&str| is_local(origin) || others.iter().any(|other| other == "*" || other == origin);
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
    let host = match rest.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => rest.split(':').next().unwrap_or_default(),
    };
    matches!(host, "localhost" | "127.0.0.1" | "::1")
        || host.ends_with(".localhost")
        || host == "localhost.localstack.cloud"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        Origin::of(&Headers::from(&headers), &["https://console.example".to_owned()])
    }

    #[test]
    fn what_a_page_embeds_without_naming_its_origin_is_refused() {
        for (site, expected) in [
            ("cross-site", Origin::Forbidden),
            ("same-site", Origin::Forbidden),
            // After a name was bound anew to this machine's address.
            ("same-origin", Origin::Forbidden),
            ("none", Origin::None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SITE, site.parse().expect("a header"));
            assert_eq!(Origin::of(&Headers::from(&headers), &[]), expected, "{site}");
        }
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

    #[test]
    fn who_is_no_page_is_not_judged() {
        assert_eq!(Origin::of(&Headers::default(), &[]), Origin::None);
    }
}
