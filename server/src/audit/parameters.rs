//! What a request asked for, without what was entrusted to it: messages, keys and secrets are never written down here.

mod form;
mod gathered;
mod json;

use bytes::Bytes;
use serde_json::Value;

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

/// Of [`SHOWN`], numbers, and what is true or false.
const NUMBERS: [&str; 14] = [
    "BypassPolicyLockoutSafetyCheck",
    "DelaySeconds",
    "DurationSeconds",
    "EnableKeyRotation",
    "Limit",
    "MaxNumberOfMessages",
    "MaxNumberOfMessagesPerSecond",
    "MaxResults",
    "MultiRegion",
    "NumberOfBytes",
    "PendingWindowInDays",
    "RotationPeriodInDays",
    "VisibilityTimeout",
    "WaitTimeSeconds",
];

/// Of [`SHOWN`], lists of texts.
const LISTS: [&str; 6] = [
    "Actions",
    "AttributeNames",
    "AWSAccountIds",
    "MessageAttributeNames",
    "MessageSystemAttributeNames",
    "TagKeys",
];

/// What messages of errors name besides: attributes, and what stands in lists.
const NAMED: [&str; 4] = ["PrincipalId", "RedriveAllowPolicy", "RedrivePolicy", "Value"];

/// What a value is. Another stands where it does not belong, and may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Texts, and what may be written as one.
    Text,
    /// A number, or what is true or false, perhaps in quotes.
    Number,
    /// A list of texts.
    List,
    /// Names and values, or a list of those.
    Named,
    /// All that the caller wants.
    Any,
}

impl Shape {
    /// Of a parameter.
    fn of(name: &str) -> Self {
        match name {
            name if name == "Entries" || OPEN.contains(&name) => Self::Named,
            name if NUMBERS.contains(&name) => Self::Number,
            name if LISTS.contains(&name) => Self::List,
            _ => Self::Text,
        }
    }

    /// Of what stands in a list; `None` if there is no list.
    fn within(self) -> Option<Self> {
        match self {
            Self::List => Some(Self::Text),
            Self::Named | Self::Any => Some(self),
            Self::Text | Self::Number => None,
        }
    }

    /// Whether it can be this text.
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Text | Self::Any => true,
            Self::Number => {
                matches!(text, "true" | "false") || (text.len() <= 32 && text.parse::<f64>().is_ok())
            }
            Self::List | Self::Named => false,
        }
    }
}

/// Whether a parameter may be shown that an error's message names: `tags.1.member.key`, `keyId`, `RedrivePolicy`.
pub(super) fn is_shown(place: &str) -> bool {
    let mut words = place.split('.').filter(|word| *word != "member" && word.parse::<u32>().is_err());
    words.all(|word| {
        let mut shown = SHOWN.iter().chain(&OPEN).chain(&NAMED);
        shown.any(|name| name.eq_ignore_ascii_case(word))
    })
}

/// As CloudTrail writes them.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
const TOO_LONG: &str = "TOO_LONG";

/// The longest request whose parameters are shown of those who may be anybody, lest they fill the disk.
const STRANGERS_BYTES: usize = 4096;
/// The longest text that is shown whole.
const TEXT_BYTES: usize = 4096;
/// Texts of lists and maps together, beyond which no more are shown. What stands for itself (`QueueUrl`) is shown in any case.
const NESTED_BYTES: usize = 128 * 1024;

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
    /// There are more than strangers may have written down.
    TooLong,
}

impl Parameters {
    pub(super) fn of(is_json: bool, query: Option<&str>, body: &Bytes, trust: Trust) -> Self {
        let is_long = body.len() + query.map_or(0, str::len) > STRANGERS_BYTES;
        match is_json {
            _ if is_long && trust == Trust::Unknown => Self::TooLong,
            true => Self::Json(body.clone()),
            false => Self::Form(query.map(str::to_owned), body.clone()),
        }
    }

    /// What the request asks for, by its own words, where nobody has understood it better.
    pub(super) fn action(&self, target: Option<&str>) -> Option<String> {
        let named = match (target, self) {
            (Some(target), _) => target.rsplit('.').next().map(str::to_owned),
            (None, Self::Form(query, body)) => form::action(query.as_deref(), body),
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
            Self::TooLong => TOO_LONG.into(),
            Self::Json(body) => json::shown(body),
            Self::Form(query, body) => form::shown(query.as_deref(), body),
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push_str("...");
    }
    text
}
