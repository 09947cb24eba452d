//! Signatures: whom a request claims to come from, in its headers or its URL, and whether that is so.

use kew_wire::auth::{Claim, Expected, Secret, SignedRequest, SigningKey, basic, sign};

/// What claims are made of.
pub const WORDS: &[&str] = &[
    "AWS4-HMAC-SHA256 ",
    "authorization: ",
    "x-amz-date: ",
    "x-amz-security-token: ",
    "host: ",
    "Basic QUtJRDpzZWNyZXQ=",
    "Credential=",
    "SignedHeaders=",
    "Signature=",
    "/aws4_request",
    "/",
    "/../",
    "//",
    ",",
    ";",
    "&",
    "%2F",
    "%",
    "%ff",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "X-Amz-Credential=",
    "X-Amz-Date=",
    "X-Amz-Expires=",
    "X-Amz-SignedHeaders=",
    "X-Amz-Signature=",
    "X-Amz-Security-Token=",
    "=",
    " ",
    "\t",
    "\n",
    "sqs",
    "us-east-1",
    "20261121",
    "20261121T000000Z",
    "99999999T999999Z",
];

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request: lines of method, path and query; headers, a line each; an empty line; the body.
pub fn run(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let body = input.get(end + 2..).unwrap_or_default();
    let Ok(head) = std::str::from_utf8(&input[..end]) else { return };
    let mut lines = head.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, path, query) = (line(), line(), line());
    let headers: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ").unwrap_or((line, ""))).collect();
    let headers = headers.as_slice();
    for (_, value) in headers {
        let _ = basic(value.as_bytes());
    }
    let _ = Claim::scope(&headers, query);
    let Ok(Some(claim)) = Claim::read(&headers, query) else { return };
    let expected = Expected { now_ms: 1_795_219_200_000, service: Some("sqs"), region: Some("us-east-1") };
    if claim.check(&expected).is_err() {
        return;
    }
    let request = SignedRequest { method, path, query, headers, body };
    let secret = Secret::new(SECRET);
    let signature = sign(&claim, &request, &secret);
    match SigningKey::derive(&claim, &secret).verify(&claim, &request) {
        Ok(()) => assert!(head.contains(&signature), "a signature was taken that is not there"),
        Err(fault) => {
            assert!(!fault.message.contains(SECRET), "a secret is told");
            // It may be told only to whoever knows it already.
            assert!(!fault.message.contains(&signature) || head.contains(&signature), "a signature is told");
        }
    }
}

/// Each form, signed rightly or not.
pub fn seeds() -> Vec<Vec<u8>> {
    let header = "POST\n/\n\nauthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/sqs/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\nhost: localhost:4566\n\
         x-amz-date: 20261121T000000Z\ncontent-type: application/x-amz-json-1.0\nx-amz-target: AmazonSQS.SendMessage\n\n{}";
    let presigned = "GET\n/000000000000/q\nAction=ReceiveMessage&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
         X-Amz-Credential=AKIDEXAMPLE%2F20261121%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&\
         X-Amz-SignedHeaders=host&X-Amz-Signature=00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff&\
         Version=2012-11-05\nhost: localhost:4566\n\n";
    let basic = "GET\n/metrics\n\nauthorization: Basic QUtJRDpzZWNyZXQ=\n\n";
    [header, presigned, basic].map(|seed| seed.as_bytes().to_vec()).to_vec()
}
