//! Policies, as their authors write them.

use kew_engine::policy::{Policy, Use};
use kew_wire::Text;

/// What policies are made of.
pub const WORDS: &[&str] = &[
    "\"Version\":\"2012-10-17\"",
    "\"Version\":\"2008-10-17\"",
    "\"Statement\":",
    "\"Effect\":\"Allow\"",
    "\"Effect\":\"Deny\"",
    "\"Principal\":",
    "\"NotPrincipal\":",
    "\"Action\":",
    "\"NotAction\":",
    "\"Resource\":",
    "\"NotResource\":",
    "\"Condition\":",
    "\"Sid\":",
    "\"Id\":",
    "\"AWS\":",
    "\"Service\":",
    "\"Federated\":",
    "\"*\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "*",
    "?",
    "${aws:username}",
    "${*}",
    "${$}",
    "${aws:PrincipalTag/team, 'x'}",
    "sqs:SendMessage",
    "arn:aws:sqs:us-east-1:000000000000:q",
    "arn:aws:iam::000000000000:root",
    "\"StringEquals\":",
    "\"StringLikeIfExists\":",
    "\"ForAllValues:StringNotEquals\":",
    "\"ForAnyValue:ArnLike\":",
    "\"IpAddress\":",
    "\"NumericLessThan\":",
    "\"DateGreaterThan\":",
    "\"Bool\":",
    "\"Null\":",
    "\"aws:SourceIp\":",
    "\"aws:CurrentTime\":",
    "\"10.0.0.0/8\"",
    "\"2001:db8::/32\"",
    "\"2026-11-21T00:00:00Z\"",
    "true",
    "null",
];

/// In each of its uses; the refusal says something.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for used in [Use::Identity, Use::Resource, Use::Trust] {
        if let Err(malformed) = Policy::compile(used, Text::from_static("p"), text) {
            assert!(!malformed.0.is_empty());
        }
    }
}

/// A few that people write.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["sqs:SendMessage","sqs:Receive*"],"Resource":"arn:aws:sqs:us-east-1:000000000000:q","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:t"},"Bool":{"aws:SecureTransport":"true"}}}]}"#,
        r#"{"Version":"2008-10-17","Id":"p","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["*"]},"NotAction":"sqs:*","NotResource":["*"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]},"NumericLessThanIfExists":{"aws:MultiFactorAuthAge":3600},"DateLessThan":{"aws:CurrentTime":"2026-11-21T00:00:00Z"},"Null":{"aws:TokenIssueTime":true}}}}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:${aws:username}-*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"StringLike":{"aws:PrincipalTag/team":"${aws:PrincipalTag/team, 'none'}*"}}}]}"#,
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}
