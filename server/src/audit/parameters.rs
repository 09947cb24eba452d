//! What a request asked for, without what was entrusted to it: messages, keys and secrets are never written down here.

use bytes::Bytes;
use serde_json::{Map, Value};

/// Parameters that may be shown, as the services spell them, without the numbers of lists. What is not named here is hidden.
const SHOWN: [&str; 58] = [
    "Action",
    "ActionName",
    "Actions",
    "AliasName",
    "Attribute",
    "AttributeName",
    "AttributeNames",
    "Attributes",
    "AWSAccountId",
    "AWSAccountIds",
    "BypassPolicyLockoutSafetyCheck",
    "DelaySeconds",
    "Description",
    "DestinationArn",
    "DurationSeconds",
    "EnableKeyRotation",
    "EncryptionAlgorithm",
    "Entries",
    "Id",
    "KeyId",
    "KeySpec",
    "KeyUsage",
    "Key",
    "Label",
    "Limit",
    "Marker",
    "MaxNumberOfMessages",
    "MaxNumberOfMessagesPerSecond",
    "MaxResults",
    "MessageAttributeNames",
    "MessageDeduplicationId",
    "MessageGroupId",
    "MessageSystemAttributeNames",
    "MultiRegion",
    "Name",
    "NumberOfBytes",
    "Origin",
    "PendingWindowInDays",
    "Policy",
    "PolicyName",
    "QueueName",
    "QueueNamePrefix",
    "QueueOwnerAWSAccountId",
    "QueueUrl",
    "ReceiveRequestAttemptId",
    "RoleArn",
    "RoleSessionName",
    "RotationPeriodInDays",
    "SourceArn",
    "SourceIdentity",
    "Tag",
    "TagKey",
    "TagKeys",
    "Tags",
    "tags",
    "TargetKeyId",
    "VisibilityTimeout",
    "WaitTimeSeconds",
];

/// Below these every name is the caller's own, and every value may be shown.
const OPEN: [&str; 4] = ["Attributes", "Tags", "tags", "PolicyArns"];

/// As CloudTrail writes it.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The longest body that is looked at; the same of those who may be anybody, lest they fill the disk; and the longest text that is
/// shown whole.
const BODY_BYTES: usize = 256 * 1024;
const STRANGERS_BYTES: usize = 4096;
const TEXT_BYTES: usize = 4096;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Somebody with credentials, or anybody at all where nobody needs any.
    Known,
    /// It was not, or wrongly, signed.
    Unknown,
}

/// Where the parameters stand.
pub(super) enum Parameters {
    /// In a body of JSON.
    Json(Bytes),
    /// In the URL, or a body, of a form.
    Form(Option<String>, Bytes),
    /// There are more than anybody would read.
    TooLong,
}

impl Parameters {
    pub(super) fn of(is_json: bool, query: Option<&str>, body: &Bytes, trust: Trust) -> Self {
        let most = match trust {
            Trust::Known => BODY_BYTES,
            Trust::Unknown => STRANGERS_BYTES,
        };
        match is_json {
            _ if body.len() + query.map_or(0, str::len) > most => Self::TooLong,
            true => Self::Json(body.clone()),
            false => Self::Form(query.map(str::to_owned), body.clone()),
        }
    }

    /// What the request asks for, by its own words, where nobody has understood it better.
    pub(super) fn action(&self, target: Option<&str>) -> Option<String> {
        let named = match (target, self) {
            (Some(target), _) => target.rsplit('.').next().map(str::to_owned),
            (None, Self::Form(query, body)) => {
                fields(query.as_deref(), body).find(|(name, _)| name == "Action").map(|(_, value)| value)
            }
            _ => None,
        };
        // A name, and not whatever somebody wants to see in a log.
        named.filter(|name| {
            (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    }

    /// What may be shown of them; names begin in lower case, as CloudTrail's do.
    pub(super) fn shown(&self) -> Value {
        match self {
            Self::TooLong => Value::String("TOO_LONG".to_owned()),
            Self::Json(body) => match serde_json::from_slice(body) {
                Ok(value) => shown(value),
                Err(_) => Value::Null,
            },
            Self::Form(query, body) => {
                let fields =
                    fields(query.as_deref(), body).filter(|(name, _)| name != "Action" && name != "Version");
                let fields = fields.filter(|(name, _)| !name.starts_with("X-Amz-"));
                let shown = fields.take(256).map(|(name, value)| {
                    let value = if is_shown_field(&name) { cut(value) } else { HIDDEN.to_owned() };
                    (camel(&cut(name)), Value::String(value))
                });
                Value::Object(shown.collect::<Map<String, Value>>())
            }
        }
    }
}

/// Of `MessageAttribute.1.Value.StringValue` every word must be shown.
fn is_shown_field(name: &str) -> bool {
    let words: Vec<&str> = name.split('.').filter(|word| word.parse::<u32>().is_err()).collect();
    match words.as_slice() {
        ["Attribute" | "Tag", "Name" | "Key" | "Value"] => true,
        [batch, word] if batch.ends_with("BatchRequestEntry") => SHOWN.contains(word),
        words => words.iter().all(|word| *word == "member" || SHOWN.contains(word)),
    }
}

fn shown(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let value = match SHOWN.contains(&name.as_str()) {
                        true if OPEN.contains(&name.as_str()) => open(value),
                        true => shown(value),
                        false => Value::String(HIDDEN.to_owned()),
                    };
                    (camel(&cut(name)), value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().take(256).map(shown).collect()),
        Value::String(text) => Value::String(cut(text)),
        value => value,
    }
}

fn open(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (cut(name), open(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().take(256).map(open).collect()),
        Value::String(text) => Value::String(cut(text)),
        value => value,
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push_str("...");
    }
    text
}

fn camel(name: &str) -> String {
    let upper = name.bytes().take_while(u8::is_ascii_uppercase).count();
    // AWSAccountIds is aWSAccountIds there.
    let (head, tail) = name.split_at(upper.min(1));
    head.to_ascii_lowercase() + tail
}

/// The fields of a URL's query and of a body, decoded; where that is not possible, as they are.
fn fields<'a>(query: Option<&'a str>, body: &'a Bytes) -> impl Iterator<Item = (String, String)> + use<'a> {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let fields =
        query.unwrap_or_default().split('&').chain(body.split('&')).filter(|field| !field.is_empty());
    fields.map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (plain, next) = match (byte, hex) {
            (b'%', Some(value)) => (value, &after[2..]),
            (b'+', _) => (b' ', after),
            _ => (byte, after),
        };
        bytes.push(plain);
        rest = next;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
