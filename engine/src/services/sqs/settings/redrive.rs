//! RedrivePolicy, which names a queue's dead-letter queue, and RedriveAllowPolicy, which says who may name this one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use serde_json::{Map, Value};

use crate::codec::{Malformed, Put, Take};
use crate::services::sqs::address::{self, NotAQueueArn};
use crate::services::sqs::command::QueueKey;
use crate::services::sqs::event::own;
use crate::services::sqs::{faults, limits};

/// Where messages go that were received too often.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// The dead-letter queue.
    pub target: QueueKey,
    /// Its ARN, as the caller gave it.
    pub arn: Text,
    /// After so many receives the next one moves the message.
    pub max_receive_count: u32,
    /// The policy as the caller gave it, for faults that repeat it; not kept in the journal.
    pub text: Text,
}

impl PartialEq for Redrive {
    /// Two policies are the same if they say the same, however they are spelled.
    fn eq(&self, other: &Self) -> bool {
        self.arn == other.arn && self.max_receive_count == other.max_receive_count
    }
}

impl Redrive {
    /// The same, keeping nothing of the request or batch in memory that it was read from.
    pub(super) fn own(self) -> Self {
        Self { target: self.target.own(), arn: own(self.arn), text: own(self.text), ..self }
    }

    pub(super) fn parse(text: Text) -> Result<Self, Fault> {
        const NAME: &str = "RedrivePolicy";
        let Some(policy) = object(&text) else {
            return Err(faults::invalid_attribute_reason(NAME, "Redrive policy is not a valid JSON map."));
        };
        let refuse = |reason: &str| faults::redrive_policy(&text, reason);
        let missing =
            |key: &str| refuse(&format!("Redrive policy does not contain mandatory attribute: {key}."));
        let count = policy.get("maxReceiveCount").ok_or_else(|| missing("maxReceiveCount"))?;
        let arn = policy.get("deadLetterTargetArn").ok_or_else(|| missing("deadLetterTargetArn"))?;
        if policy.len() > 2 {
            return Err(refuse(
                "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
            ));
        }
        let max_receive_count = whole(count)
            .filter(|count| (limits::MAX_RECEIVE_COUNT_MIN..=limits::MAX_RECEIVE_COUNT_MAX).contains(count))
            .ok_or_else(|| {
                let shown = count.as_str().map_or_else(|| format!("{count}"), ToOwned::to_owned);
                refuse(&format!(
                    "Invalid value for maxReceiveCount: {shown}, valid values are from 1 to 1000 both inclusive."
                ))
            })?;
        let arn = Text::from(arn.as_str().unwrap_or_default());
        let target = address::from_arn(&arn).map_err(|error| match error {
            NotAQueueArn::Malformed => refuse("Invalid value for deadLetterTargetArn."),
            NotAQueueArn::OtherService => {
                refuse("Only SQS queues are valid resources for deadLetterTargetArn.")
            }
        })?;
        Ok(Self { target, arn, max_receive_count, text })
    }

    /// The policy as AWS shows it.
    pub fn echo(&self) -> Text {
        spell(&self.arn, self.max_receive_count)
    }

    pub(super) fn encode(redrive: Option<&Self>, out: &mut Vec<u8>) {
        out.put_option(redrive.map(|redrive| &*redrive.arn));
        if let Some(redrive) = redrive {
            out.put_varint(redrive.max_receive_count.into());
        }
    }

    pub(super) fn decode(take: &mut Take) -> Result<Option<Self>, Malformed> {
        let Some(arn) = take.option()? else { return Ok(None) };
        let max_receive_count = u32::try_from(take.varint()?).map_err(|_| Malformed)?;
        let target = address::from_arn(&arn).map_err(|_| Malformed)?;
        let text = spell(&arn, max_receive_count);
        Ok(Some(Self { target, arn, max_receive_count, text }))
    }
}

/// A redrive policy in AWS's spelling: compact, the count a number.
fn spell(arn: &str, max_receive_count: u32) -> Text {
    let arn = Value::from(arn);
    Text::from(format!("{{\"deadLetterTargetArn\":{arn},\"maxReceiveCount\":{max_receive_count}}}"))
}

/// Which queues may use this one as their dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedriveAllow {
    /// Every queue of the account and region.
    AllowAll,
    /// None.
    DenyAll,
    /// The queues with these ARNs.
    ByQueue(Vec<Text>),
}

impl RedriveAllow {
    /// Whether the queue with this ARN may.
    pub fn allows(&self, source: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(arns) => arns.iter().any(|arn| *arn == source),
        }
    }

    pub(super) fn parse(text: &Text) -> Result<Self, Fault> {
        const NAME: &str = "RedriveAllowPolicy";
        const FORMAT: &str =
            "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.";
        let malformed = || faults::invalid_attribute_reason(NAME, FORMAT);
        let refuse = |reason: &str| {
            let reason = format!("Amazon SQS can't create the redrive allow policy. {reason}");
            Err(faults::invalid_parameter_value(text, NAME, reason))
        };
        let policy = object(text).ok_or_else(malformed)?;
        if policy.keys().any(|key| key != "redrivePermission" && key != "sourceQueueArns") {
            return Err(malformed());
        }
        let arns = policy.get("sourceQueueArns").map(|arns| texts(arns).ok_or_else(malformed)).transpose()?;
        let alone = match policy.get("redrivePermission").and_then(Value::as_str) {
            Some("allowAll") => Self::AllowAll,
            Some("denyAll") => Self::DenyAll,
            Some("byQueue") => {
                let arns = arns.unwrap_or_default();
                if arns.is_empty() {
                    return refuse(
                        "When you specify the byQueue permission type, you must also specify one or more \
                         sourceQueueArns values.",
                    );
                }
                if arns.len() > limits::REDRIVE_ALLOW_ARNS {
                    return refuse("The maximum number of source queue ARNs you can specify is 10.");
                }
                return Ok(Self::ByQueue(arns));
            }
            _ => return Err(malformed()),
        };
        if arns.is_some() {
            return refuse(
                "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
            );
        }
        Ok(alone)
    }

    /// The policy as AWS shows it.
    pub fn echo(&self) -> Text {
        match self {
            Self::AllowAll => Text::from_static("{\"redrivePermission\":\"allowAll\"}"),
            Self::DenyAll => Text::from_static("{\"redrivePermission\":\"denyAll\"}"),
            Self::ByQueue(arns) => {
                let arns = Value::from(arns.iter().map(|arn| Value::from(&**arn)).collect::<Vec<_>>());
                Text::from(format!("{{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":{arns}}}"))
            }
        }
    }

    pub(super) fn encode(allow: Option<&Self>, out: &mut Vec<u8>) {
        match allow {
            None => out.put_u8(0),
            Some(Self::AllowAll) => out.put_u8(1),
            Some(Self::DenyAll) => out.put_u8(2),
            Some(Self::ByQueue(arns)) => {
                out.put_u8(3);
                out.put_varint(arns.len() as u64);
                for arn in arns {
                    out.put_bytes(arn.as_bytes());
                }
            }
        }
    }

    pub(super) fn decode(take: &mut Take) -> Result<Option<Self>, Malformed> {
        Ok(Some(match take.u8()? {
            0 => return Ok(None),
            1 => Self::AllowAll,
            2 => Self::DenyAll,
            3 => {
                let count = take.varint()?;
                if count > take.remaining() as u64 {
                    return Err(Malformed);
                }
                Self::ByQueue((0..count).map(|_| take.text()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed),
        }))
    }
}

fn object(text: &str) -> Option<Map<alloc::string::String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A whole number, written as a number or as a text.
fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<Text>> {
    value.as_array()?.iter().map(|item| item.as_str().map(Text::from)).collect()
}
