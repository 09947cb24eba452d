//! Signatures: AWS's own suite, every refusal in AWS's words, and whatever a caller may send instead.

use std::path::Path;

use kew_wire::auth::{Claim, Expected, Secret, SignedRequest, SigningKey, SigningKeys, sign};
use kew_wire::fault::Fault;
use kew_wire::limits::SIGNING_KEYS;
use proptest::prelude::*;
use serde_json::Value as Json;

type Header = (String, Vec<u8>);

/// A request of a test's own.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<Header>,
    body: Vec<u8>,
}

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30 12:36:00.
const NOW_MS: u64 = 1_440_938_160_000;
const MINUTE_MS: u64 = 60_000;
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=0";
const PRESIGNED: &str = "Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20150830T123600Z\
    &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0";

impl Sent {
    /// A request in JSON, its signature still to come.
    fn json() -> Self {
        let headers = [
            ("Host", "localhost:4566"),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("X-Amz-Date", "20150830T123600Z"),
            ("X-Amz-Target", "AmazonSQS.ListQueues"),
            ("User-Agent", "tests"),
            ("Authorization", AUTHORIZATION),
        ];
        Self {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.into())).into(),
            body: b"{}".into(),
        }
    }

    /// A presigned URL, its signature still to come.
    fn presigned() -> Self {
        let headers = vec![("host".to_owned(), b"localhost:4566".into())];
        let (method, path) = ("GET".into(), "/123456789012/queue".into());
        Self { method, path, query: PRESIGNED.into(), headers, body: Vec::new() }
    }

    /// The same with another value in a header; `None` takes it out.
    fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.extend(value.map(|value| (name.to_owned(), value.into())));
        self
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name).expect("the header");
        str::from_utf8(&found.1).expect("text")
    }

    fn request(&self) -> SignedRequest<'_, &[Header]> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// The same, signed.
    fn signed(self) -> Self {
        let signature = {
            let headers = &*self.headers;
            let claim = Claim::read(&headers, &self.query).expect("well-formed").expect("a claim");
            sign(&claim, &self.request(), &Secret::new(SECRET))
        };
        let query = self.query.replace("Signature=0", &format!("Signature={signature}"));
        match self.query == query {
            true => {
                let value =
                    self.header("Authorization").replace("Signature=0", &format!("Signature={signature}"));
                self.with("Authorization", Some(&value))
            }
            false => Self { query, ..self },
        }
    }

    /// What a server does with it, and the access key that it found.
    fn verified(&self, now_ms: u64) -> Result<Option<String>, Fault> {
        let headers = &*self.headers;
        let Some(claim) = Claim::read(&headers, &self.query)? else { return Ok(None) };
        claim.check(&Expected { now_ms, service: Some("sqs"), region: Some("us-east-1") })?;
        let secret = Secret::new(SECRET);
        SigningKey::derive(&claim, &secret).verify(&claim, &self.request())?;
        Ok(Some(claim.access_key().to_owned()))
    }

    fn refused(&self) -> (&'static str, u16, String) {
        let fault = self.verified(NOW_MS).expect_err("refused");
        (fault.kind.code, fault.kind.status, fault.message.into_owned())
    }
}

#[test]
fn aws_suite_is_verified_and_computed_as_aws_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sigv4.json");
    let cases: Json =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors are there")).expect("JSON");
    let cases = cases.as_array().expect("cases");
    assert_eq!(cases.len(), 34);
    for case in cases {
        let text = |name: &str| case[name].as_str().expect("a text");
        let (path, query) = text("target").split_once('?').unwrap_or((text("target"), ""));
        let pair = |pair: &Json| {
            let part = |index: usize| pair[index].as_str().expect("a text").to_owned();
            (part(0), part(1).into_bytes())
        };
        let sent = Sent {
            method: text("method").into(),
            path: path.into(),
            query: query.into(),
            headers: case["headers"].as_array().expect("pairs").iter().map(pair).collect(),
            body: text("body").into(),
        };
        let headers = &*sent.headers;
        let claim = Claim::read(&headers, query).expect("well-formed").expect("a claim");
        let name = text("name");
        assert_eq!(
            (claim.access_key(), claim.region(), claim.service()),
            (KEY, "us-east-1", "service"),
            "{name}"
        );
        let expected = Expected { now_ms: NOW_MS, service: Some("service"), region: Some("us-east-1") };
        claim.check(&expected).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let secret = Secret::new(SECRET);
        SigningKey::derive(&claim, &secret)
            .verify(&claim, &sent.request())
            .unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
        assert!(sent.header("Authorization").ends_with(&sign(&claim, &sent.request(), &secret)), "{name}");
        // A wrong secret is told with what was computed, which is the suite's.
        let wrong = SigningKey::derive(&claim, &Secret::new(*b"wrong")).verify(&claim, &sent.request());
        let expected = format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
             and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request \
             should have been\n'{}'\n\nThe String-to-Sign should have been\n'{}'\n",
            text("canonical"),
            text("string")
        );
        assert_eq!(wrong.expect_err("another secret").message, expected, "{name}");
    }
}

#[test]
fn a_signed_request_is_its_signers() {
    assert_eq!(Sent::json().signed().verified(NOW_MS).expect("verified").as_deref(), Some(KEY));
    assert_eq!(Sent::presigned().signed().verified(NOW_MS).expect("verified").as_deref(), Some(KEY));
    assert_eq!(Sent::json().with("Authorization", None).verified(NOW_MS), Ok(None));
}

#[test]
fn whatever_is_changed_after_signing_is_noticed() {
    let good = Sent::json().signed();
    let changed = [
        Sent { method: "GET".into(), ..good.clone() },
        Sent { path: "/a".into(), ..good.clone() },
        Sent { query: "a=1".into(), ..good.clone() },
        Sent { body: b"{ }".into(), ..good.clone() },
        good.clone().with("X-Amz-Target", Some("AmazonSQS.PurgeQueue")),
        good.clone().with("X-Amz-Date", Some("20150830T123601Z")),
        good.clone().with("Host", Some("localhost:4567")),
        good.clone().with("Host", None),
        good.clone().with("Content-Type", None),
        good.clone()
            .with("Authorization", Some(&good.header("Authorization").replace("us-east-1", "us-east-2"))),
    ];
    for sent in changed {
        let (code, status, _) = sent.refused();
        assert_eq!((code, status), ("SignatureDoesNotMatch", 403), "{sent:?}");
    }
    // What is not covered may change.
    let free = good.with("User-Agent", Some("others")).with("X-Extra", Some("1"));
    assert!(free.verified(NOW_MS).is_ok());

    let good = Sent::presigned().signed();
    let changed = [
        Sent { query: good.query.replace("ListQueues", "PurgeQueue"), ..good.clone() },
        Sent { query: good.query.replace("Expires=60", "Expires=61"), ..good.clone() },
        Sent { query: format!("{}&X-Amz-Security-Token=a", good.query), ..good.clone() },
        Sent { body: b"Action=PurgeQueue".into(), ..good.clone() },
        Sent { path: "/123456789012/other".into(), ..good.clone() },
        // A target would turn an empty body into another request.
        good.clone().with("X-Amz-Target", Some("AmazonSQS.ListQueues")),
    ];
    for sent in changed {
        let (code, status, _) = sent.refused();
        assert_eq!((code, status), ("SignatureDoesNotMatch", 403), "{sent:?}");
    }
}

#[test]
fn the_order_of_a_query_and_its_encoding_mean_nothing() {
    let good = Sent::presigned().signed();
    let mut pairs: Vec<&str> = good.query.split('&').collect();
    pairs.reverse();
    let turned = pairs.join("&").replace("ListQueues", "List%51ueues");
    assert!(Sent { query: turned, ..good.clone() }.verified(NOW_MS).is_ok());
}

#[test]
fn a_signature_in_capitals_is_another() {
    let good = Sent::json().signed();
    let (head, signature) = good.header("Authorization").rsplit_once('=').expect("a signature");
    let shouted = good.clone().with("Authorization", Some(&format!("{head}={}", signature.to_uppercase())));
    assert_eq!(shouted.refused().0, "SignatureDoesNotMatch");
    let short = good.clone().with("Authorization", Some(&format!("{head}={}", &signature[..63])));
    assert_eq!(short.refused().0, "SignatureDoesNotMatch");
}

#[test]
fn a_body_is_always_covered() {
    let unsigned = Sent::json().with("X-Amz-Content-Sha256", Some("UNSIGNED-PAYLOAD")).signed();
    assert!(unsigned.verified(NOW_MS).is_ok());
    assert_eq!(Sent { body: b"{\"a\":1}".into(), ..unsigned }.refused().0, "SignatureDoesNotMatch");
}

#[test]
fn dates_hold_for_fifteen_minutes_either_way() {
    let good = Sent::json().signed();
    let fifteen = 15 * MINUTE_MS;
    assert!(good.verified(NOW_MS + fifteen).is_ok());
    assert!(good.verified(NOW_MS - fifteen).is_ok());
    let late = good.verified(NOW_MS + fifteen + 1).expect_err("late");
    assert_eq!(late.kind.code, "SignatureDoesNotMatch");
    assert_eq!(
        late.message,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T125100Z - 15 min.)"
    );
    let early = good.verified(NOW_MS - fifteen - MINUTE_MS).expect_err("early");
    assert_eq!(
        early.message,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T122000Z + 15 min.)"
    );
}

#[test]
fn a_presigned_url_holds_as_long_as_it_says() {
    let good = Sent::presigned().signed();
    assert!(good.verified(NOW_MS + MINUTE_MS - 1).is_ok());
    let late = good.verified(NOW_MS + MINUTE_MS).expect_err("late");
    assert_eq!((late.kind.code, late.kind.status), ("RequestExpired", 400));
    let early = good.verified(NOW_MS - 16 * MINUTE_MS).expect_err("early");
    assert!(early.message.starts_with("Signature not yet current"), "{}", early.message);

    let expiring = |text: &str| {
        let query = Sent::presigned().query.replace("X-Amz-Expires=60", text);
        Sent { query, ..Sent::presigned() }.signed()
    };
    let week = expiring("X-Amz-Expires=604800");
    assert!(week.verified(NOW_MS + 604_799_999).is_ok());
    assert_eq!(week.verified(NOW_MS + 604_800_000).expect_err("late").kind.code, "RequestExpired");
    let none = expiring("x=y");
    assert!(none.verified(NOW_MS + 15 * MINUTE_MS).is_ok());
    assert!(none.verified(NOW_MS + 16 * MINUTE_MS).is_err());
    for wrong in ["", "0", "604801", "-1", "+5", "x", "1e3", "99999999999999999999"] {
        let (code, _, message) = expiring(&format!("X-Amz-Expires={wrong}")).refused();
        assert_eq!(code, "IncompleteSignature", "{wrong}");
        assert!(message.starts_with("X-Amz-Expires"), "{message}");
    }
}

#[test]
fn refusals_are_worded_as_aws_words_them() {
    let given = |from: &str, to: &str| {
        let value = AUTHORIZATION.replace(from, to);
        assert_ne!(value, AUTHORIZATION);
        Sent::json().with("Authorization", Some(&value)).refused()
    };
    let incomplete = |message: &str| ("IncompleteSignature", 400, message.to_owned());
    let mismatch = |message: &str| ("SignatureDoesNotMatch", 403, message.to_owned());
    let header = |message: &str, value: &str| {
        let (code, status, told) = Sent::json().with("Authorization", Some(value)).refused();
        assert_eq!((code, status), ("IncompleteSignature", 400), "{value}");
        assert!(told.starts_with(message), "{told}");
        assert!(value.is_empty() || !told.contains(value), "{told}");
    };

    assert_eq!(given("/sqs/", "/sns/"), mismatch("Credential should be scoped to correct service: 'sqs'. "));
    assert_eq!(
        given("us-east-1", "eu-west-1"),
        mismatch("Credential should be scoped to a valid region, not 'eu-west-1'. ")
    );
    assert_eq!(
        given("aws4_request", "aws5"),
        mismatch("Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. ")
    );
    assert_eq!(
        given("20150830/", "20150829/"),
        mismatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != \
             '20150830', from '20150830T123600Z'. "
        )
    );
    assert_eq!(
        given("20150830/us-east-1", "20150830/x/us-east-1"),
        incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got \
             'AKIDEXAMPLE/20150830/x/us-east-1/sqs/aws4_request'"
        )
    );
    assert_eq!(
        given("content-type;host;", "content-type;"),
        mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    );
    assert_eq!(
        given(";x-amz-target", ""),
        mismatch("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
    );
    assert_eq!(given("SHA256", "SHA512"), incomplete("Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'."));
    header(
        "Authorization header requires 'Credential' parameter. (Hashed",
        &AUTHORIZATION.replace("Credential", "C"),
    );
    header(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. (Hashed",
        "AWS4-HMAC-SHA256",
    );
    for broken in [
        "Bearer abcdef",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256 Credential= AKID/x",
        "AWS4-HMAC-SHA256 \u{e9}=1",
    ] {
        header(
            "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256",
            broken,
        );
    }
    assert_eq!(
        Sent::json().with("X-Amz-Date", Some("Sun, 23 Nov 2014 04:07:43 GMT")).refused(),
        incomplete(
            "Date must be in ISO-8601 'basic format'. Got 'Sun, 23 Nov 2014 04:07:43 GMT'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        )
    );
    let (_, _, message) = Sent::json().with("X-Amz-Date", None).refused();
    assert!(message.starts_with(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed"
    ));
    let both = Sent { query: PRESIGNED.into(), ..Sent::json() };
    assert_eq!(both.refused(), mismatch(""));

    let query = |query: &str| Sent { query: query.into(), ..Sent::presigned() }.refused();
    assert_eq!(
        query("X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        incomplete(
            "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include \
             'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters \
             must include 'X-Amz-Date'. Re-examine the query-string parameters."
        )
    );
    assert_eq!(query("X-Amz-Algorithm=x"), incomplete("Unsupported AWS 'algorithm': 'x'."));
}

#[test]
fn a_scope_names_a_region_even_where_any_will_do() {
    let checked = |region: &str| {
        let value = AUTHORIZATION.replace("us-east-1", region);
        let sent = Sent::json().with("Authorization", Some(&value));
        let headers = &*sent.headers;
        let claim = Claim::read(&headers, "").expect("well-formed").expect("a claim");
        claim.check(&Expected { now_ms: NOW_MS, service: Some("sqs"), region: None })
    };
    assert_eq!(checked("eu-central-2"), Ok(()));
    for none in ["", "US-EAST-1", "us_east_1", &"a".repeat(33)] {
        let fault = checked(none).expect_err("no region");
        assert_eq!(fault.message, format!("Credential should be scoped to a valid region, not '{none}'. "));
    }
}

#[test]
fn the_date_may_stand_in_either_header() {
    let value = AUTHORIZATION.replace("x-amz-date", "date");
    let dated = Sent::json().with("X-Amz-Date", None).with("Date", Some("20150830T123600Z"));
    assert!(dated.with("Authorization", Some(&value)).signed().verified(NOW_MS).is_ok());
}

#[test]
fn a_session_token_comes_with_either_form() {
    let sent = Sent::json().with("X-Amz-Security-Token", Some("token"));
    let headers = &*sent.headers;
    assert_eq!(Claim::read(&headers, "").expect("good").expect("a claim").token(), Some("token"));
    let query = format!("{PRESIGNED}&X-Amz-Security-Token=a%2Fb");
    let none: &[Header] = &[];
    assert_eq!(Claim::read(&none, &query).expect("good").expect("a claim").token(), Some("a/b"));
}

#[test]
fn names_that_come_twice_are_written_once() {
    let many = format!("SignedHeaders={}content-type", "host;".repeat(2000));
    let value = AUTHORIZATION.replace("SignedHeaders=content-type", &many);
    let (code, _, message) = Sent::json().with("Authorization", Some(&value)).refused();
    assert_eq!(code, "SignatureDoesNotMatch");
    assert!(message.len() < 2000, "{}", message.len());
}

#[test]
fn keys_are_remembered_for_their_secret_alone_and_not_without_bound() {
    let claimed =
        |key: usize| AUTHORIZATION.replace(KEY, &format!("AKID{key}")).replace("Signature=0", "Signature=1");
    let mut keys = SigningKeys::default();
    let (secret, other) = (Secret::new(SECRET), Secret::new(*b"other"));
    let with = |key: usize, test: &mut dyn FnMut(&Claim<'_>)| {
        let sent = Sent::json().with("Authorization", Some(&claimed(key)));
        let headers = &*sent.headers;
        test(&Claim::read(&headers, "").expect("good").expect("a claim"));
    };
    with(0, &mut |claim| {
        assert!(keys.find(claim, &secret).is_none());
        keys.remember(claim, &secret, SigningKey::derive(claim, &secret));
        assert!(keys.find(claim, &secret).is_some());
        // A rotated secret makes another key.
        assert!(keys.find(claim, &other).is_none());
    });
    with(1, &mut |claim| assert!(keys.find(claim, &secret).is_none()));
    for key in 1..=SIGNING_KEYS {
        with(key, &mut |claim| keys.remember(claim, &secret, SigningKey::derive(claim, &secret)));
    }
    with(0, &mut |claim| assert!(keys.find(claim, &secret).is_none()));
    with(SIGNING_KEYS, &mut |claim| assert!(keys.find(claim, &secret).is_some()));
}

#[test]
fn scopes_are_read_where_nobody_asks_for_truth() {
    let scope = |header: Option<&str>, query: &str| {
        let headers: Vec<Header> =
            header.map(|value| ("authorization".to_owned(), value.into())).into_iter().collect();
        let headers = &*headers;
        Claim::scope(&headers, query).map(|scope| scope.map(|part| part.into_owned()).join(" "))
    };
    assert_eq!(scope(Some(AUTHORIZATION), "").as_deref(), Some("AKIDEXAMPLE us-east-1 sqs"));
    let slashes = AUTHORIZATION.replace(KEY, "a/b");
    assert_eq!(scope(Some(&slashes), "").as_deref(), Some("a/b us-east-1 sqs"));
    assert_eq!(
        scope(Some(&AUTHORIZATION.replace(", ", ",")), "").as_deref(),
        Some("AKIDEXAMPLE us-east-1 sqs")
    );
    assert_eq!(scope(None, PRESIGNED).as_deref(), Some("AKIDEXAMPLE us-east-1 sqs"));
    // An empty header is none, for whoever verifies as well.
    assert_eq!(scope(Some(""), PRESIGNED).as_deref(), Some("AKIDEXAMPLE us-east-1 sqs"));
    // Nor do escapes in names hide one whose signature holds.
    let escaped = PRESIGNED.replace("X-Amz-", "X%2DAmz%2d");
    assert_eq!(scope(None, &escaped).as_deref(), Some("AKIDEXAMPLE us-east-1 sqs"));
    for nothing in [
        "",
        "Basic dXNlcjpwYXNz",
        "AWS AKID:sig",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sqs/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AKID, SignedHeaders=host, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sqs/aws4, SignedHeaders=host, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=/20150830/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=ab",
    ] {
        assert_eq!(scope(Some(nothing), ""), None, "{nothing}");
    }
    assert_eq!(scope(None, ""), None);
    assert_eq!(scope(None, "Action=ListQueues"), None);
}

proptest! {
    /// What is signed is verified, whatever it holds; and one changed byte of the body is noticed.
    #[test]
    fn signing_and_verifying_agree(
        path in "(/[a-z%~ .\u{e9}]{0,4}){0,4}",
        query in "([a-zA-Z%=+\u{e9}]{0,4}&){0,4}",
        agent in "[ -~]{0,12}",
        mut body in prop::collection::vec(any::<u8>(), 1..64),
        index in any::<prop::sample::Index>(),
    ) {
        let value = AUTHORIZATION.replace("x-amz-target", "x-amz-target;x-extra");
        let sent = Sent { path, query, body: body.clone(), ..Sent::json() };
        let sent = sent.with("X-Extra", Some(&agent)).with("Authorization", Some(&value)).signed();
        prop_assert!(sent.verified(NOW_MS).is_ok());
        let at = index.index(body.len());
        body[at] ^= 1;
        let changed = Sent { body, ..sent };
        prop_assert!(changed.verified(NOW_MS).is_err());
    }

    /// Neither a header nor a query makes anything panic, and nothing forged is believed.
    #[test]
    fn no_claim_does_harm(
        header in prop::collection::vec(any::<u8>(), 0..80),
        pairs in "[ -~\u{e9}]{0,60}",
        query in "[ -~\u{e9}]{0,60}",
        how in 0..4_u8,
    ) {
        let mut sent = if how % 2 == 0 { Sent::json() } else { Sent::presigned() };
        match how {
            0 => sent.headers.iter_mut().filter(|(name, _)| name == "Authorization").for_each(|it| it.1.clone_from(&header)),
            1 => sent.query = query,
            2 => sent = sent.with("Authorization", Some(&format!("{AUTHORIZATION},{pairs}"))),
            _ => sent.query = format!("{query}&{PRESIGNED}&{pairs}"),
        }
        prop_assert!(!matches!(sent.verified(NOW_MS), Ok(Some(_))));
        let headers = &*sent.headers;
        Claim::scope(&headers, &sent.query);
    }
}
