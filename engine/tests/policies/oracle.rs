//! What somebody else's evaluator of the same language says: identity policies at random, decided by both.
//!
//! Left out is where `iam-rs` departs from AWS's documentation or does not go: wildcards in ArnEquals, variables in
//! conditions and without value, and
//! how boundaries, sessions, accounts and resources' policies come together.

use iam_rs::{Arn, Context, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::table::{Policies, decide};

fn list(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(select(words), 1..4).prop_map(|words| json!(words))
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let text = (
        select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ]),
        select(vec!["", "IfExists"]),
        select(vec!["aws:username", "aws:UserAgent", "aws:ResourceTag/team", "aws:PrincipalAccount"]),
        list(&["ann", "ANN", "a*", "b?b", "*", "", "blue", "111111111111"]),
    );
    let text =
        text.prop_map(|(operator, suffix, key, values)| (format!("{operator}{suffix}"), key.into(), values));
    let set = (
        select(vec!["ForAllValues:", "ForAnyValue:"]),
        select(vec!["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]),
        list(&["team", "st*", "x", "*"]),
    );
    let set =
        set.prop_map(|(set, operator, values)| (format!("{set}{operator}"), "aws:TagKeys".into(), values));
    let address = (
        select(vec!["IpAddress", "NotIpAddress", "IpAddressIfExists", "NotIpAddressIfExists"]),
        list(&["10.0.0.0/8", "10.1.0.0/16", "8.8.8.8/32", "2001:db8::/32", "0.0.0.0/0"]),
    );
    let address = address.prop_map(|(operator, values)| (operator.into(), "aws:SourceIp".into(), values));
    let number = (
        select(vec![
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEqualsIfExists",
        ]),
        list(&["-2", "0", "1", "2.5", "3"]),
    );
    let number = number.prop_map(|(operator, values)| (operator.into(), "kew:n".into(), values));
    let date = (
        select(vec![
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ]),
        list(&[
            "2026-11-21T11:59:59Z",
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:00:01Z",
            "2026-11-21T13:00:00+01:00",
        ]),
    );
    let date = date.prop_map(|(operator, values)| (operator.into(), "aws:CurrentTime".into(), values));
    let flag = any::<bool>().prop_map(|flag| ("Bool".into(), "aws:SecureTransport".into(), json!(flag)));
    let null = (select(vec!["aws:username", "aws:TagKeys", "aws:SourceIp"]), select(vec!["true", "false"]));
    let null = null.prop_map(|(key, value)| ("Null".into(), key.into(), json!(value)));
    prop_oneof![4 => text, 2 => set, 1 => address, 1 => number, 1 => date, 1 => flag, 1 => null]
}

fn statement() -> impl Strategy<Value = Value> {
    let parts = (
        any::<[bool; 3]>(),
        list(&[
            "*",
            "sqs:*",
            "sqs:Send*",
            "sqs:SendMessage",
            "SQS:sendmessage",
            "sqs:?eceiveMessage",
            "kms:*",
        ]),
        list(&[
            "*",
            "arn:aws:sqs:*:*:o*",
            "arn:aws:sqs:us-east-1:111111111111:orders",
            "arn:aws:sqs:*:*:?ther",
            "arn:aws:sqs:eu-*:*:*",
            "arn:aws:sqs:*:*:${aws:username}*",
        ]),
        prop::collection::vec(condition(), 0..3),
    );
    parts.prop_map(|(negate, action, resource, conditions)| {
        let key = |negate: bool, key: &str| format!("{}{key}", if negate { "Not" } else { "" });
        let mut statement = json!({ "Effect": if negate[0] { "Deny" } else { "Allow" }, "Condition": {} });
        statement[key(negate[1], "Action")] = action;
        statement[key(negate[2], "Resource")] = resource;
        for (operator, key, values) in conditions {
            statement["Condition"][operator][key] = values;
        }
        statement
    })
}

/// A request in the table's words, and what `iam-rs` is told of it.
#[derive(Debug, Clone)]
struct Ask {
    action: &'static str,
    queue: &'static str,
    agent: Option<&'static str>,
    team: Option<&'static str>,
    address: Option<&'static str>,
    is_secure: bool,
    tags: Vec<&'static str>,
    number: Option<i32>,
}

fn asks() -> impl Strategy<Value = Ask> {
    let parts = (
        select(vec!["sqs:SendMessage", "sqs:ReceiveMessage", "kms:Decrypt"]),
        select(vec!["orders", "other", "annex"]),
        prop::option::of(select(vec!["ann", "bob", "blue"])),
        prop::option::of(select(vec!["blue", "BLUE", "ann"])),
        prop::option::of(select(vec!["10.0.0.1", "10.1.2.3", "8.8.8.8", "2001:db8::1"])),
        any::<bool>(),
        prop::sample::subsequence(vec!["team", "stage", "x"], 0..=3),
        prop::option::of(-3i32..4),
    );
    parts.prop_map(|(action, queue, agent, team, address, is_secure, tags, number)| Ask {
        action,
        queue,
        agent,
        team,
        address,
        is_secure,
        tags,
        number,
    })
}

impl Ask {
    fn ours(&self, policy: &str) -> String {
        let mut policies = Policies::default();
        policies.add("identity", policy, 0);
        let mut words = format!("user/ann {} {}", self.action, self.queue);
        let mut say = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                words.push_str(&format!(" {key}={value}"));
            }
        };
        say("agent", self.agent);
        say("resource-tag/team", self.team);
        say("ip", self.address);
        say("tls", self.is_secure.then_some("yes"));
        say("kew:n", self.number.map(|number| number.to_string()).as_deref());
        let removed = self.tags.join(",");
        say("removed", Some(&*removed).filter(|tags| !tags.is_empty()));
        let found = decide(&policies, &words);
        found.split(' ').next().unwrap_or_default().to_owned()
    }

    fn theirs(&self, policy: &str) -> String {
        let policy: IAMPolicy = serde_json::from_str(policy).expect("a policy for both");
        let time = serde_json::from_value(json!("2026-11-21T12:00:00Z")).expect("a date");
        let mut context = Context::new()
            .with_string("aws:username", "ann")
            .with_string("aws:PrincipalAccount", "111111111111")
            .with_boolean("aws:SecureTransport", self.is_secure);
        context.insert("aws:CurrentTime".into(), ContextValue::DateTime(time));
        if let Some(agent) = self.agent {
            context = context.with_string("aws:UserAgent", agent);
        }
        if let Some(team) = self.team {
            context = context.with_string("aws:ResourceTag/team", team);
        }
        if let Some(address) = self.address {
            context = context.with_string("aws:SourceIp", address);
        }
        if let Some(number) = self.number {
            context = context.with_number("kew:n", number.into());
        }
        if !self.tags.is_empty() {
            let tags = self.tags.iter().map(|tag| (*tag).to_owned()).collect();
            context.insert("aws:TagKeys".into(), ContextValue::StringList(tags));
        }
        let principal = Principal::Aws(PrincipalId::String("arn:aws:iam::111111111111:user/ann".into()));
        let resource =
            Arn::parse(&format!("arn:aws:sqs:us-east-1:111111111111:{}", self.queue)).expect("an ARN");
        let request = IAMRequest::new_with_context(principal, self.action, resource, context);
        match PolicyEvaluator::with_policies(vec![policy]).evaluate(&request).expect("a decision").decision {
            iam_rs::Decision::Allow => "allow".into(),
            iam_rs::Decision::Deny => "deny".into(),
            iam_rs::Decision::NotApplicable => "silent".into(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn both_evaluators_decide_alike(statements in prop::collection::vec(statement(), 1..4), ask in asks()) {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        prop_assert_eq!(ask.ours(&policy), ask.theirs(&policy), "{}", policy);
    }
}
