//! What is refused, and in which words; what is decided, and why, stands in `tests/policies`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;

use super::context::Context;
use super::decision::weigh;
use super::glob::Steps;
use super::*;
use crate::identity::{Account, Caller, Identity, Kind, Permissions, Principal};
use crate::time::Moment;

fn refusal(used: Use, text: &str) -> String {
    match Policy::compile(used, Text::new(), text) {
        Ok(_) => "taken".into(),
        Err(Malformed(message)) => message.to_string(),
    }
}

/// The refusal of a policy with one statement.
fn statement(used: Use, text: &str) -> String {
    refusal(used, &format!(r#"{{"Version":"2012-10-17","Statement":{text}}}"#))
}

#[test]
fn what_is_no_policy_is_a_syntax_error() {
    let texts = [
        "",
        "nonsense",
        "[]",
        "{}",
        r#"{"Version":"2012-10-17"}"#,
        r#"{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Version":2012,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Id":1,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Statement":[]}"#,
        r#"{"Statement":["x"]}"#,
        r#"{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Action":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":1,"Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":[1]}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":1}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},"Statement":[]}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":[]}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":"x"}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"a:b":"x"}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"a:b":"true"}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForEach:StringEquals":{"a:b":"x"}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"a:b":{}}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"a:b":[null]}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"":"x"}}}}"#,
    ];
    for text in texts {
        assert_eq!(refusal(Use::Identity, text), "Syntax errors in policy.", "{text}");
    }
    let long = format!(
        "{}{}",
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        " ".repeat(limits::DOCUMENT_BYTES)
    );
    assert_eq!(refusal(Use::Identity, &long), "Syntax errors in policy.");
}

#[test]
fn what_a_statement_lacks_is_told_in_iam_s_words() {
    let lines = [
        statement(Use::Identity, r#"{"Effect":"Allow","Resource":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"*","Resource":[]}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"*","Resource":"orders"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"SendMessage","Resource":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"a:b:c","Resource":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Action":"s q s:*","Resource":"*"}"#),
        statement(Use::Identity, r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#),
        statement(Use::Identity, r#"[{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}]"#),
        statement(
            Use::Identity,
            r#"[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]"#,
        ),
        statement(Use::Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#),
        statement(
            Use::Trust,
            r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}"#,
        ),
        statement(Use::Trust, r#"{"Effect":"Allow","Principal":{"AWS":"ann"},"Action":"sts:AssumeRole"}"#),
        statement(Use::Resource, r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Policy statement must contain actions.
    Policy statement must contain actions.
    Policy statement must contain resources.
    Policy statement must contain resources.
    Resource orders must be in ARN format or "*".
    Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.
    Actions/Condition can contain only one colon.
    Vendor s q s is not valid
    Policy document should not specify a principal.
    Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*
    Statement IDs (SID) in a single policy must be unique.
    Missing required field Principal
    Has prohibited field Resource
    Invalid principal in policy: "AWS":"ann"
    Missing required field Principal
    "#);
}

#[test]
fn a_value_that_its_operator_cannot_read_is_refused() {
    let cases = [
        r#"{"NumericEquals":{"a:b":"ten"}}"#,
        r#"{"NumericEquals":{"a:b":"nan"}}"#,
        r#"{"NumericEquals":{"a:b":"inf"}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":["2026-01-01","2026-02-30"]}}"#,
        r#"{"Bool":{"aws:SecureTransport":"yes"}}"#,
        r#"{"Null":{"aws:SourceArn":"maybe"}}"#,
        r#"{"BinaryEquals":{"a:b":"***"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"10.0.0/8"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"::/129"}}"#,
        r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/+8"}}"#,
        r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/"}}"#,
    ];
    for condition in cases {
        let text = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
        assert_eq!(statement(Use::Identity, &text), "The policy failed legacy parsing", "{condition}");
    }
}

#[test]
fn a_variable_that_does_not_end_is_refused_where_variables_are_known() {
    for resource in [
        "arn:aws:sqs:*:*:${aws:username",
        "arn:aws:sqs:*:*:${}",
        "arn:aws:sqs:*:*:${a, b}",
        "arn:aws:sqs:${'}",
    ] {
        let text = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}"#);
        assert_eq!(statement(Use::Identity, &text), "Syntax errors in policy.", "{resource}");
        let old = format!(r#"{{"Version":"2008-10-17","Statement":{text}}}"#);
        assert_eq!(refusal(Use::Identity, &old), "taken", "{resource}");
    }
}

#[test]
fn principals_are_named_whole() {
    let taken = [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":"111111111111"}"#,
        r#"{"AWS":["arn:aws:iam::111111111111:root","arn:aws-cn:iam::111111111111:user/a/b","arn:aws:iam::111111111111:role/r"]}"#,
        r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"}"#,
        r#"{"AWS":"arn:aws:sts::111111111111:federated-user/f"}"#,
        r#"{"AWS":"AIDAJQABLZS4A3QDU576Q"}"#,
        r#"{"Service":"sns.amazonaws.com","Federated":"arn:aws:iam::111111111111:saml-provider/p"}"#,
    ];
    for principal in taken {
        let text = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"*"}}"#);
        assert_eq!(statement(Use::Resource, &text), "taken", "{principal}");
    }
    let refused = [
        r#""111111111111""#,
        r#"{}"#,
        r#"{"AWS":[]}"#,
        r#"{"AWS":"1"}"#,
        r#"{"AWS":"ann"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:user/*"}"#,
        r#"{"AWS":"arn:aws:iam::*:root"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:user/"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:rootless"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:group/g"}"#,
        r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/r"}"#,
        r#"{"Service":"*"}"#,
        r#"{"Service":""}"#,
        r#"{"Robot":"x"}"#,
    ];
    for principal in refused {
        let text = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"*"}}"#);
        assert_ne!(statement(Use::Resource, &text), "taken", "{principal}");
    }
}

fn ann(permissions: Option<Permissions>) -> Caller {
    let account: Account = "111111111111".parse().unwrap();
    let principal = Principal {
        account,
        arn: Text::from_static("arn:aws:iam::111111111111:user/ann"),
        id: Text::from_static("AIDAANN"),
        kind: Kind::User { name: Text::from_static("ann") },
        tags: vec![],
        issued: None,
    };
    let identity = Identity { principal, permissions, access_key: None, counts_as: None, chain: None };
    Caller::identified(Arc::new(identity), Text::from_static("us-east-1"), None)
}

#[test]
fn a_decision_names_the_statement_and_says_why_as_aws_does() {
    let text = r#"{"Statement":[{"Sid":"First","Effect":"Allow","Action":"sqs:Send*","Resource":"*"},{"Sid":"Never","Effect":"Deny","Action":"sqs:SendX","Resource":"*"}]}"#;
    let policy = Arc::new(Policy::compile(Use::Identity, Text::from_static("senders"), text).unwrap());
    let permissions = |boundary, session| Permissions { identity: vec![policy.clone()], boundary, session };
    let none = Arc::new(
        Policy::compile(
            Use::Identity,
            Text::new(),
            r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#,
        )
        .unwrap(),
    );
    let ask = |caller: &Caller, action: &str| {
        let arn = "arn:aws:sqs:us-east-1:111111111111:q";
        let request = Request::new(caller, action, arn, caller.account, Moment(0));
        match decide(&request) {
            Decision::Allowed(Some(by)) => format!("{} {:?}", by.policy.name(), by.sid()),
            decision => decision.because(&action.to_ascii_lowercase()),
        }
    };
    let plain = ann(Some(permissions(None, vec![])));
    let lines = [
        ask(&plain, "sqs:SendMessage"),
        ask(&plain, "sqs:SendX"),
        ask(&plain, "sqs:ReceiveMessage"),
        ask(&ann(Some(permissions(Some(none.clone()), vec![]))), "sqs:SendMessage"),
        ask(&ann(Some(permissions(None, vec![none]))), "sqs:SendMessage"),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    senders Some("First")
    with an explicit deny in an identity-based policy
    because no identity-based policy allows the sqs:receivemessage action
    because no permissions boundary allows the sqs:sendmessage action
    because no session policy allows the sqs:sendmessage action
    "#);
}

#[test]
fn the_policy_that_lets_nobody_in_denies_the_root_too() {
    let policy = Policy::deny_all(Text::from_static("unreadable"));
    let caller = ann(None);
    let tags = BTreeMap::new();
    let request = Request {
        policy: Some(&policy),
        resource_tags: &tags,
        ..Request::new(&caller, "sqs:SendMessage", "*", caller.account, Moment(0))
    };
    assert!(matches!(decide(&request), Decision::Denied(_)));
}

/// A policy of the queue that denies what is like one of as many patterns as fit into it, asked about the removal of tags: the decision
/// and the steps that it took.
fn removing(tags: &[Text], pattern: &str) -> (&'static str, usize) {
    let patterns = vec![format!("\"{pattern}\""); 7_300 / (pattern.len() + 3)].join(",");
    let text = format!(
        r#"{{"Statement":[{{"Effect":"Deny","Principal":"*","Action":"*","Condition":{{"ForAnyValue:StringLike":{{"aws:TagKeys":[{patterns}]}}}}}},
        {{"Effect":"Allow","Principal":"*","Action":"*"}}]}}"#
    );
    let policy = Policy::compile(Use::Resource, Text::new(), &text).unwrap();
    let caller = ann(Some(Permissions::default()));
    let request = Request {
        policy: Some(&policy),
        removed_tags: tags,
        ..Request::new(&caller, "sqs:UntagQueue", "*", caller.account, Moment(0))
    };
    let steps = Steps::new(limits::STEPS);
    let context = Context::new(&request, &steps);
    let said = match weigh(&request, &context) {
        Decision::Allowed(_) => "allowed",
        Decision::Denied(_) => "denied",
        Decision::Silent(_) => "silent",
    };
    (said, limits::STEPS - steps.left().unwrap_or(0))
}

#[test]
fn what_aws_s_limits_let_anybody_ask_is_decided_in_few_steps() {
    let tags: Vec<Text> = (0..50).map(|at| format!("{}{at:02}", "a".repeat(126)).into()).collect();
    let pattern = format!("*{}b", "a".repeat(60));
    let (said, steps) = removing(&tags, &pattern);
    assert_eq!(said, "allowed");
    assert!(steps <= limits::STEPS / 2, "{steps}");
    // One that fits still does.
    assert_eq!(removing(&tags, &format!("*{}49", "a".repeat(60))).0, "denied");
}

#[test]
fn what_takes_too_many_steps_is_denied_and_not_allowed() {
    let key = [Text::from("a".repeat(300_000))];
    let tail = format!("*{}b", "a".repeat(60));
    assert_eq!(removing(&key, &tail).0, "allowed");
    for pattern in [tail.clone() + "*", tail.clone() + "?*", format!("*?{}b*", "a".repeat(60))] {
        let (said, steps) = removing(&key, &pattern);
        assert_eq!((said, steps), ("denied", limits::STEPS), "{pattern}");
    }
    // An Allow that cannot be looked at to its end does not hold, nor does any after it.
    let text = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":["{}"]}},{{"Effect":"Allow","Action":"*","Resource":"*"}}]}}"#,
        vec![format!("arn:aws:sqs:*:*:{tail}*"); 20].join(r#"",""#)
    );
    let policy = Arc::new(Policy::compile(Use::Identity, Text::new(), &text).unwrap());
    let caller = ann(Some(Permissions { identity: vec![policy], ..Permissions::default() }));
    let decide_about = |name: &str| {
        let arn = format!("arn:aws:sqs:us-east-1:111111111111:{name}");
        let request = Request::new(&caller, "sqs:SendMessage", &arn, caller.account, Moment(0));
        decide(&request).is_allowed()
    };
    assert!(decide_about(&"a".repeat(80)));
    assert!(!decide_about(&"a".repeat(300_000)));
}

/// What the policy of a key says that denies by one condition, asked with these keys; the steps that are left, and how often more were
/// asked for when none were.
fn asked_with(keys: &[(&str, &str)], condition: &str) -> (bool, usize, usize) {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{condition}}},
        {{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}]}}"#
    );
    let policy = Policy::compile(Use::Resource, Text::new(), &text).unwrap();
    let caller = ann(Some(Permissions::default()));
    let request = Request {
        policy: Some(&policy),
        keys,
        ..Request::new(&caller, "kms:Encrypt", "*", caller.account, Moment(0))
    };
    let steps = Steps::new(limits::STEPS);
    let is_allowed = decide_within(&request, &steps).is_allowed();
    (is_allowed, steps.left().unwrap_or(0), steps.refused())
}

#[test]
fn whatever_is_compared_counts() {
    for (operator, value, other) in [
        ("NumericEquals", "7", "5"),
        ("DateEquals", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
        ("Bool", "true", "false"),
        ("BinaryEquals", "AAAA", "BBBB"),
        ("IpAddress", "10.0.0.1", "10.0.0.2"),
        ("StringEquals", "7", "5"),
    ] {
        let others = vec![format!("\"{other}\""); 500].join(",");
        let condition = format!(r#"{{"ForAnyValue:{operator}":{{"k:set":[{others}]}}}}"#);
        let (is_allowed, left, _) = asked_with(&vec![("k:set", value); 100], &condition);
        assert!(is_allowed && limits::STEPS - left >= 50_000, "{operator}: {left} left");
    }
    // Two thousand numbers held against as many are too much.
    let keys: Vec<(&str, &str)> = vec![("k:set", "7"); 2_000];
    let numbers = vec![r#""5""#; 2_000].join(",");
    let condition = format!(r#"{{"ForAnyValue:NumericEquals":{{"k:set":[{numbers}]}}}}"#);
    let (is_allowed, left, _) = asked_with(&keys, &condition);
    assert!(!is_allowed && left == 0);
}

#[test]
fn once_the_steps_are_spent_nothing_more_is_looked_at() {
    let names: Vec<String> = (0..3_000).map(|at| format!("k:{at}")).collect();
    let keys: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let of_each = |value: &str| {
        let each = names[..1_000].iter().map(|name| format!("\"{name}\":\"{value}\""));
        each.collect::<Vec<_>>().join(",")
    };
    let variables: String = names[..1_000].iter().map(|name| format!("${{{name}}}")).collect();
    for condition in [
        format!(r#"{{"StringEquals":{{{}}}}}"#, of_each("")),
        format!(r#"{{"StringNotEquals":{{{}}}}}"#, of_each("x")),
        format!(r#"{{"StringEquals":{{"k:0":"{variables}"}}}}"#),
    ] {
        let (is_allowed, left, refused) = asked_with(&keys, &condition);
        assert!(!is_allowed && left == 0);
        assert!(refused <= 4, "{refused} times more: {condition:.60}");
    }
}
