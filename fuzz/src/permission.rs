//! AddPermission and RemovePermission: how they edit a queue's policy.

use kew_engine::policy::{Policy, Use};
use kew_engine::services::sqs::policy;
use kew_wire::Text;

use crate::policy::ask;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// Lines of a label, of accounts and of actions, these separated by commas; behind them the policy that the queue has.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(4, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (label, accounts, actions, before) = (part(), texts(part()), texts(part()), part());
    let before = Some(before).filter(|text| policy::check(text).is_ok());
    if let Ok(Some(less)) = policy::forbid(before, label) {
        sound(&less);
    }
    if policy::check_permission(label, &accounts, &actions).is_err() {
        return;
    }
    let Ok(more) = policy::permit(before, QUEUE, label, &accounts, &actions) else { return };
    sound(&more);
    assert!(policy::permit(Some(&more), QUEUE, label, &accounts, &actions).is_err(), "{label} twice: {more}");
    let less = policy::forbid(Some(&more), label);
    let Ok(less) = less else { panic!("{label} cannot be removed from {more}") };
    assert_eq!(less.is_some(), before.is_some(), "{more}");
    if let Some(less) = less {
        sound(&less);
        // It gained a version and an id where it had none, and nothing else.
        let statements =
            |text: &str| serde_json::from_str::<serde_json::Value>(text).map(|mut it| it["Statement"].take());
        let (Some(Ok(old)), Ok(new)) = (before.map(statements), statements(&less)) else { panic!("{less}") };
        assert_eq!(if old.is_array() { old } else { vec![old].into() }, new);
    }
}

fn texts(line: &str) -> Vec<Text> {
    line.split(',').filter(|text| !text.is_empty()).map(Text::from).collect()
}

/// A policy that an edit leaves is one.
fn sound(text: &str) {
    match Policy::compile(Use::Resource, Text::from_static("p"), text) {
        Ok(policy) => ask(&policy),
        Err(malformed) => panic!("{}: {text}", malformed.0),
    }
}

/// On a queue without a policy, and on those with one.
pub fn seeds() -> Vec<Vec<u8>> {
    let ask =
        ["alice\n123456789012\nSendMessage", "l\n111111111111,222222222222\n*,ReceiveMessage,DeleteMessage"];
    let policies: Vec<String> = crate::policy::seeds()
        .into_iter()
        .filter_map(|seed| String::from_utf8(seed).ok())
        .chain([
            String::new(),
            r#"{"Version":"2008-10-17","Id":"i","Statement":[{"Sid":"alice","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:q"}]}"#.to_owned(),
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*"}}"#.to_owned(),
        ])
        .collect();
    ask.iter()
        .flat_map(|ask| policies.iter().map(move |policy| format!("{ask}\n{policy}").into_bytes()))
        .collect()
}
