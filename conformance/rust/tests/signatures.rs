//! Signatures: what AWS's own signer signs is verified, whatever the request holds.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_sqs::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use kew_wire::auth::{Claim, Expected, Secret, SignedRequest, SigningKey};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30 12:36:00.
const NOW_SECONDS: u64 = 1_440_938_160;

/// Numbers that look random, the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, pieces: &[&'a str]) -> &'a str {
        pieces[self.below(pieces.len())]
    }

    fn text(&mut self, most: usize, pieces: &[&str]) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(pieces)).collect()
    }
}

/// A request, drawn.
#[derive(Debug)]
struct Drawn {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn draw(dice: &mut Dice) -> Drawn {
    const PATH: &[&str] =
        &["/", "/", "a", "Z9", "%20", "%2F", "%25", "%E1%88%B4", "-", ".", "_", "~", "@", "=", "+", ":"];
    const QUERY: &[&str] =
        &["a", "B", "0", "%20", "+", "%2B", "%25", "%C3%A9", "-", "~", "*", "/", ":", "%2f", "%7E"];
    const VALUE: &[&str] = &["a", "B", " ", "  ", ",", "\"", "=", ";", "0"];
    let query: Vec<String> =
        (0..dice.below(5)).map(|_| format!("{}x={}", dice.text(3, QUERY), dice.text(4, QUERY))).collect();
    let mut headers = vec![("host".to_owned(), "localhost:4566".to_owned())];
    headers.extend(
        (0..dice.below(4)).map(|number| (format!("x-h{number}"), format!("v{}v", dice.text(6, VALUE)))),
    );
    Drawn {
        method: dice.pick(&["GET", "POST"]),
        path: format!("/{}", dice.text(8, PATH)),
        query: query.join("&"),
        headers,
        body: (0..dice.below(40)).map(|_| dice.below(256) as u8).collect(),
    }
}

/// Signs a request with AWS's signer, and verifies it with ours.
fn agrees(drawn: &mut Drawn, location: SignatureLocation, token: Option<&str>) -> Result<(), String> {
    let identity = Credentials::new(KEY, SECRET, token.map(str::to_owned), None, "test").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    settings.expires_in = Some(Duration::from_secs(60));
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sqs")
        .time(UNIX_EPOCH + Duration::from_secs(NOW_SECONDS))
        .settings(settings)
        .build()
        .expect("complete")
        .into();
    let mark = if drawn.query.is_empty() { "" } else { "?" };
    let uri = format!("http://localhost:4566{}{mark}{}", drawn.path, drawn.query);
    let headers = drawn.headers.iter().map(|(name, value)| (&**name, &**value));
    let signable = SignableRequest::new(drawn.method, uri, headers, SignableBody::Bytes(&drawn.body))
        .expect("a request");
    let (instructions, _) = sign(signable, &params).expect("signed").into_parts();
    drawn.headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (name, value) in instructions.params() {
        let encoded: String = value
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let mark = if drawn.query.is_empty() { "" } else { "&" };
        drawn.query += &format!("{mark}{name}={encoded}");
    }

    let headers = &*drawn.headers;
    let told = |fault: kew_wire::fault::Fault| fault.message.into_owned();
    let claim = Claim::read(&headers, &drawn.query).map_err(told)?.ok_or("no claim")?;
    assert_eq!((claim.access_key(), claim.token()), (KEY, token));
    let expected = Expected { now_ms: NOW_SECONDS * 1000, service: Some("sqs"), region: Some("us-east-1") };
    claim.check(&expected).map_err(told)?;
    let (path, query) = (&*drawn.path, &*drawn.query);
    let request = SignedRequest { method: drawn.method, path, query, headers, body: &drawn.body };
    SigningKey::derive(&claim, &Secret::new(SECRET)).verify(&claim, &request).map_err(told)
}

#[test]
fn what_aws_signer_signs_is_verified() {
    let mut dice = Dice(1);
    for round in 0..5000 {
        let mut drawn = draw(&mut dice);
        let location = match round % 2 {
            0 => SignatureLocation::Headers,
            _ => SignatureLocation::QueryParams,
        };
        let token = (dice.below(3) == 0).then_some("to/ke+n==");
        if let Err(message) = agrees(&mut drawn, location, token) {
            panic!("round {round}: {drawn:?}\n{message}");
        }
    }
}
