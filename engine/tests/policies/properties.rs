//! What holds for any policies and any request.

use kew_engine::policy::{Policy, Use};
use kew_wire::Text;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::table::{Policies, decide};

const LAYERS: [&str; 4] = ["identity", "boundary", "session", "resource"];

fn words(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(select(words), 1..3).prop_map(|words| json!(words))
}

fn actions() -> impl Strategy<Value = Value> {
    words(&["*", "sqs:*", "sqs:Send*", "sqs:SendMessage", "sqs:?eceiveMessage", "kms:*"])
}

fn resources() -> impl Strategy<Value = Value> {
    words(&[
        "*",
        "arn:aws:sqs:*:*:o*",
        "arn:aws:sqs:us-east-1:111111111111:orders",
        "arn:aws:sqs:*:*:${aws:username}",
    ])
}

fn principals() -> impl Strategy<Value = Value> {
    let names = words(&[
        "*",
        "111111111111",
        "222222222222",
        "arn:aws:iam::111111111111:user/ann",
        "arn:aws:iam::111111111111:role/app",
        "arn:aws:sts::111111111111:assumed-role/app/one",
        "arn:aws:iam::222222222222:user/ann",
    ]);
    names.prop_map(|names| json!({ "AWS": names }))
}

fn conditions() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({}),
        json!({ "StringEquals": { "aws:username": "ann" } }),
        json!({ "StringNotEquals": { "aws:username": ["ann", "bob"] } }),
        json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
        json!({ "ForAllValues:StringLike": { "aws:TagKeys": "t*" } }),
        json!({ "Null": { "aws:SourceArn": "true" } }),
        json!({ "BoolIfExists": { "aws:SecureTransport": "true" } }),
    ])
}

/// A statement for a layer.
fn statement(layer: &'static str) -> impl Strategy<Value = Value> {
    let parts = (any::<[bool; 4]>(), actions(), resources(), principals(), conditions());
    parts.prop_map(move |(negate, action, resource, principal, condition)| {
        let key = |negate: bool, key: &str| format!("{}{key}", if negate { "Not" } else { "" });
        let mut statement =
            json!({ "Effect": if negate[0] { "Deny" } else { "Allow" }, "Condition": condition });
        statement[key(negate[1], "Action")] = action;
        statement[key(negate[2], "Resource")] = resource;
        if layer == "resource" {
            statement[key(negate[3], "Principal")] = principal;
        }
        statement
    })
}

/// Statements of each layer; a layer with none has no policy.
fn statements() -> impl Strategy<Value = Vec<(usize, Value)>> {
    let one = (0..LAYERS.len()).prop_flat_map(|layer| (Just(layer), statement(LAYERS[layer])));
    prop::collection::vec(one, 0..8)
}

fn policies(statements: &[(usize, Value)]) -> Policies {
    let mut policies = Policies::default();
    for (at, layer) in LAYERS.iter().enumerate() {
        let own: Vec<&Value> =
            statements.iter().filter(|(layer, _)| *layer == at).map(|(_, it)| it).collect();
        if !own.is_empty() {
            let document = json!({ "Version": "2012-10-17", "Statement": own });
            policies.add(layer, &document.to_string(), 0);
        }
    }
    policies
}

fn asks() -> impl Strategy<Value = String> {
    let who = select(vec![
        "root",
        "user/ann",
        "user/bob",
        "role/app/one",
        "222222222222:user/ann",
        "222222222222:root",
        "anonymous",
        "open",
    ]);
    let action = select(vec!["sqs:SendMessage", "sqs:ReceiveMessage", "kms:Decrypt"]);
    let resource = select(vec!["orders", "ann", "other"]);
    let facts = select(vec!["", "ip=10.1.1.1 tls=yes", "ip=8.8.8.8", "request-tag/team=1 request-tag/x=1"]);
    (who, action, resource, facts)
        .prop_map(|(who, action, resource, facts)| format!("{who} {action} {resource} {facts}"))
}

fn is_allowed(statements: &[(usize, Value)], ask: &str) -> bool {
    decide(&policies(statements), ask).starts_with("allow")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_further_deny_never_widens(
        mut statements in statements(),
        (layer, mut deny) in (0..LAYERS.len()).prop_flat_map(|layer| (Just(layer), statement(LAYERS[layer]))),
        ask in asks(),
    ) {
        let before = is_allowed(&statements, &ask);
        deny["Effect"] = json!("Deny");
        statements.push((layer, deny));
        let after = is_allowed(&statements, &ask);
        prop_assert!(before || !after, "{ask}");
    }

    #[test]
    fn a_statement_that_allows_no_more_never_widens(statements in statements(), ask in asks(), at in any::<prop::sample::Index>()) {
        let allows: Vec<usize> = (0..statements.len()).filter(|at| statements[*at].1["Effect"] == "Allow").collect();
        if allows.is_empty() {
            return Ok(());
        }
        let at = *at.get(&allows);
        let before = is_allowed(&statements, &ask);
        // Not removed: a boundary or session that is gone altogether no longer limits.
        let mut fewer = statements;
        fewer[at].1["Condition"] = json!({ "StringEquals": { "kew:never": "x" } });
        let after = is_allowed(&fewer, &ask);
        prop_assert!(before || !after, "{ask}");
    }

    #[test]
    fn an_identity_s_or_resource_s_allow_removed_never_widens(statements in statements(), ask in asks(), at in any::<prop::sample::Index>()) {
        let allows: Vec<usize> = (0..statements.len())
            .filter(|at| statements[*at].1["Effect"] == "Allow" && matches!(LAYERS[statements[*at].0], "identity" | "resource"))
            .collect();
        if allows.is_empty() {
            return Ok(());
        }
        let before = is_allowed(&statements, &ask);
        let mut fewer = statements;
        fewer.remove(*at.get(&allows));
        prop_assert!(before || !is_allowed(&fewer, &ask), "{ask}");
    }

    #[test]
    fn what_somebody_may_is_decided_alike_in_any_order(statements in statements(), ask in asks()) {
        let mut turned = statements.clone();
        turned.reverse();
        prop_assert_eq!(is_allowed(&statements, &ask), is_allowed(&turned, &ask), "{}", ask);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        for used in [Use::Identity, Use::Resource, Use::Trust] {
            let _ = Policy::compile(used, Text::new(), &text);
        }
    }

    #[test]
    fn a_damaged_policy_is_read_or_refused(statements in statements(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 0..4)) {
        let all: Vec<Value> = statements.into_iter().map(|(_, statement)| statement).collect();
        let mut text: Vec<char> = json!({ "Version": "2012-10-17", "Statement": all }).to_string().chars().collect();
        for (at, to) in cuts {
            let at = at.index(text.len());
            text[at] = to;
        }
        let text: String = text.into_iter().collect();
        for used in [Use::Identity, Use::Resource, Use::Trust] {
            let _ = Policy::compile(used, Text::new(), &text);
        }
    }

    #[test]
    fn wildcards_match_as_a_naive_matcher_does(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
        let document = json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "StringLike": { "aws:UserAgent": pattern } } });
        let mut policies = Policies::default();
        policies.add("identity", &super::table::whole(&document.to_string()), 0);
        let found = decide(&policies, &format!("user/ann sqs:SendMessage orders agent={text}"));
        let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(found.starts_with("allow"), naive(&pattern, &text));
    }
}

/// Tries everything.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
        (Some(('?', rest)), Some((_, more))) => naive(rest, more),
        (Some((one, rest)), Some((other, more))) => one == other && naive(rest, more),
        _ => false,
    }
}

#[test]
fn the_worst_pattern_takes_no_longer_than_its_length_times_the_text_s() {
    // Whoever branched at every star would not come back from this.
    let pattern = "a*".repeat(2_000) + "b";
    let document = json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "StringLike": { "aws:UserAgent": pattern } } });
    let mut policies = Policies::default();
    policies.add("identity", &super::table::whole(&document.to_string()), 0);
    let agent = "a".repeat(1024);
    assert_eq!(
        decide(&policies, &format!("user/ann sqs:SendMessage orders agent={agent}")),
        "silent identity"
    );
}
