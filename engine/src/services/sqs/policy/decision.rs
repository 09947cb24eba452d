//! Whether a policy lets a caller in.

use serde_json::Value;

use super::{OWNER_ONLY, parse, statements};
use crate::identity::Caller;

/// What a policy says about one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// A statement denies it, whatever others say.
    Denied,
    /// No statement is about it; another account's caller stays outside.
    Silent,
}

/// What `policy` says about `caller` doing `action` (`SendMessage`) to the queue `arn`. A queue without a policy says
/// nothing, and nothing grants another account what only the owner may do.
pub fn allows(policy: Option<&str>, caller: &Caller, action: &str, arn: &str) -> Decision {
    let Some(policy) = policy.and_then(parse) else { return Decision::Silent };
    let mut decision = Decision::Silent;
    for statement in statements(&policy).unwrap_or_default() {
        if !concerns(&statement, caller, action, arn) {
            continue;
        }
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") => return Decision::Denied,
            Some("Allow") if statement.get("Condition").is_none() && !OWNER_ONLY.contains(&action) => {
                decision = Decision::Allowed;
            }
            _ => {}
        }
    }
    decision
}

fn concerns(statement: &Value, caller: &Caller, action: &str, arn: &str) -> bool {
    let either =
        |yes: &str, no: &str, holds: &dyn Fn(&Value) -> bool| match (statement.get(yes), statement.get(no)) {
            (Some(value), None) => holds(value),
            (None, Some(value)) => !holds(value),
            // A queue's policy without a Resource is about that queue.
            (None, None) => yes == "Resource",
            (Some(_), Some(_)) => false,
        };
    let names_action = |value: &Value| any(value, |pattern| is_action(pattern, action));
    let names_queue = |value: &Value| any(value, |pattern| matches(pattern.as_bytes(), arn.as_bytes()));
    either("Principal", "NotPrincipal", &|value| names_caller(value, caller))
        && either("Action", "NotAction", &names_action)
        && either("Resource", "NotResource", &names_queue)
}

/// `"*"`, `{"AWS": "*"}`, or accounts: by number, or by the ARN of their root, of a user or of a role. Callers are known
/// by account alone, so an ARN of a user or role stands for its account.
fn names_caller(principal: &Value, caller: &Caller) -> bool {
    let named = match principal {
        Value::String(_) => Some(principal),
        Value::Object(kinds) => kinds.get("AWS"),
        _ => None,
    };
    let is_caller = |name: &str| {
        let account =
            if name.starts_with("arn:") { name.split(':').nth(4).unwrap_or_default() } else { name };
        name == "*" || account.parse() == Ok(caller.account)
    };
    named.is_some_and(|named| any(named, is_caller))
}

/// `sqs:SendMessage`, with wildcards, in any case.
fn is_action(pattern: &str, action: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let name = action.to_ascii_lowercase();
    match pattern.split_once(':') {
        Some((service, pattern)) => service == "sqs" && matches(pattern.as_bytes(), name.as_bytes()),
        None => pattern == "*",
    }
}

/// Whether a text, or one of a list of texts, passes.
fn any(value: &Value, passes: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => passes(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).any(passes),
        _ => false,
    }
}

/// `*` stands for any run of characters and `?` for any one. Linear in practice: only the last `*` is ever retried.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((after, start)) => {
                    retry = Some((after, start + 1));
                    at = after;
                    seen = start + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
