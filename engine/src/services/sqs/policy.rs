//! Queue policies: what a policy document may look like, and how AddPermission and RemovePermission edit it. What one decides is
//! [`crate::policy`]'s to say.

#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use serde_json::{Map, Value, json};

use super::{faults, limits};
use crate::policy::{Policy, Use};

/// The actions that AddPermission can grant (API AddPermission).
const GRANTABLE: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// The actions that another account can never be granted (developer guide, *Limitations of cross-account permissions*).
pub(super) const OWNER_ONLY: [&str; 12] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueues",
    "ListQueueTags",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// The order in which AWS spells a policy's keys.
const ORDER: [&str; 12] = [
    "Version",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Checks the document that a caller gave as a queue's Policy.
pub fn check(text: &str) -> Result<(), Fault> {
    if text.len() > limits::POLICY_BYTES {
        return Err(faults::policy_too_long());
    }
    let policy = Policy::compile(Use::Resource, Text::new(), text);
    let size = policy.map_err(|_| faults::invalid_attribute("Policy"))?.size();
    if size.statements > limits::POLICY_STATEMENTS {
        return Err(faults::policy_statements(size.statements));
    }
    let counts = [
        ("actions", size.actions, limits::STATEMENT_ACTIONS),
        ("principals", size.principals, limits::STATEMENT_PRINCIPALS),
        ("conditions", size.conditions, limits::STATEMENT_CONDITIONS),
    ];
    match counts.into_iter().find(|(_, count, max)| count > max) {
        Some((what, count, max)) => Err(faults::statement_too_long(what, count, max)),
        None => Ok(()),
    }
}

/// Whether two policies say the same, however they are spelled.
pub fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one == other
        || matches!((one, other), (Some(one), Some(other)) if parse(one).is_some() && parse(one) == parse(other))
}

/// Checks what AddPermission can grant: label, accounts and actions.
pub fn check_permission(label: &str, accounts: &[Text], actions: &[Text]) -> Result<(), Fault> {
    check_label(label)?;
    if accounts.is_empty() {
        return Err(faults::missing_parameter("AWSAccountIds"));
    }
    if actions.is_empty() {
        return Err(faults::missing_parameter("ActionName"));
    }
    if actions.len() > limits::STATEMENT_ACTIONS {
        return Err(faults::too_many_actions(actions.len()));
    }
    for action in actions {
        let refuse =
            |reason| Err(faults::invalid_parameter_value(format!("SQS:{action}"), "ActionName", reason));
        if OWNER_ONLY.contains(&&**action) {
            return refuse("Only the queue owner is allowed to invoke this action.");
        }
        if !GRANTABLE.contains(&&**action) {
            return refuse("Please refer to the appropriate WSDL for a list of valid actions.");
        }
    }
    if accounts.iter().any(|account| account.parse::<crate::identity::Account>().is_err()) {
        let shown = format!("[{}]", accounts.join(", "));
        return Err(faults::invalid_parameter_value(shown, "PrincipalId", "Unable to verify principal."));
    }
    Ok(())
}

/// Checks a permission's label.
pub fn check_label(label: &str) -> Result<(), Fault> {
    if label.is_empty() {
        return Err(faults::missing_parameter("Label"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.len() > limits::LABEL_CHARS || !label.bytes().all(plain) {
        let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
        return Err(faults::invalid_parameter_value(label, "Label", reason));
    }
    Ok(())
}

/// The policy of the queue `arn` after AddPermission, whose arguments have passed [`check_permission`].
pub fn permit(
    policy: Option<&str>,
    arn: &str,
    label: &str,
    accounts: &[Text],
    actions: &[Text],
) -> Result<Text, Fault> {
    let mut policy = policy.and_then(parse).unwrap_or_default();
    let mut statements = statements(&policy).unwrap_or_default();
    if position(&statements, label).is_some() {
        return Err(faults::label_exists(label));
    }
    let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
    let actions = actions.iter().map(|action| format!("SQS:{action}"));
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_many(principals) },
        "Action": one_or_many(actions),
        "Resource": arn,
    }));
    if statements.len() > limits::POLICY_STATEMENTS {
        return Err(faults::too_many_statements(statements.len()));
    }
    policy.entry("Version").or_insert_with(|| "2008-10-17".into());
    policy.entry("Id").or_insert_with(|| format!("{arn}/SQSDefaultPolicy").into());
    policy.insert("Statement".into(), statements.into());
    let policy = spell(policy);
    // So many accounts that nobody would read it.
    check(&policy)?;
    Ok(policy)
}

/// The policy after RemovePermission; `None` if no statement is left.
pub fn forbid(policy: Option<&str>, label: &str) -> Result<Option<Text>, Fault> {
    let mut policy = policy.and_then(parse).unwrap_or_default();
    let mut statements = statements(&policy).unwrap_or_default();
    let Some(at) = position(&statements, label) else { return Err(faults::label_not_found(label)) };
    statements.remove(at);
    if statements.is_empty() {
        return Ok(None);
    }
    policy.insert("Statement".into(), statements.into());
    Ok(Some(spell(policy)))
}

fn parse(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(policy)) => Some(policy),
        _ => None,
    }
}

/// The statements; AWS also takes a single one without the list around it.
fn statements(policy: &Map<String, Value>) -> Option<Vec<Value>> {
    match policy.get("Statement")? {
        Value::Array(statements) => Some(statements.clone()),
        statement @ Value::Object(_) => Some([statement.clone()].into()),
        _ => None,
    }
}

fn position(statements: &[Value], label: &str) -> Option<usize> {
    statements.iter().position(|statement| statement.get("Sid").and_then(Value::as_str) == Some(label))
}

fn one_or_many(values: impl Iterator<Item = String>) -> Value {
    let mut values: Vec<Value> = values.map(Value::from).collect();
    match values.pop() {
        Some(only) if values.is_empty() => only,
        last => {
            values.extend(last);
            values.into()
        }
    }
}

/// Compact, with a policy's keys in AWS's order.
fn spell(policy: Map<String, Value>) -> Text {
    let mut text = String::new();
    write(&Value::Object(policy), &mut text);
    Text::from(text)
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(key, _)| rank(key));
            text.push('{');
            for (at, (key, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&format!("{}:", Value::from(key.as_str())));
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&format!("{scalar}")),
    }
}
