//! Policies, as their authors write them.

use std::sync::Arc;

use kew_engine::identity::{Account, Caller, Identity, Kind, Principal};
use kew_engine::policy::{Policy, Request, Use, decide};
use kew_engine::time::Moment;
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

/// In each of its uses: the refusal says something, and what is taken decides.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for used in [Use::Identity, Use::Resource, Use::Trust] {
        match Policy::compile(used, Text::from_static("p"), text) {
            Err(malformed) => assert!(!malformed.0.is_empty()),
            Ok(policy) => ask(&policy),
        }
    }
}

/// May a user, on a queue that has this policy?
pub(crate) fn ask(policy: &Policy) {
    let principal = Principal {
        account: Account::DEFAULT,
        arn: Text::from_static("arn:aws:iam::000000000000:user/ann"),
        id: Text::from_static("AIDAANN"),
        kind: Kind::User { name: Text::from_static("ann") },
        tags: vec![(Text::from_static("team"), Text::from_static("shop"))],
        issued: None,
    };
    let identity = Identity { principal, permissions: None, access_key: None, counts_as: None, chain: None };
    let caller = Caller::identified(Arc::new(identity), Text::from_static("us-east-1"), None);
    let queue = "arn:aws:sqs:us-east-1:000000000000:q";
    let now = Moment(1_795_219_200_000);
    let request = Request::new(&caller, "sqs:SendMessage", queue, Account::DEFAULT, now);
    let decision = decide(&Request { policy: Some(policy), ..request });
    let _ = decision.is_allowed();
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
