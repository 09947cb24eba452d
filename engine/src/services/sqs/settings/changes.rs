//! What CreateQueue and SetQueueAttributes change: checked, typed, and kept in the journal as facts.

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::{DeduplicationScope, Redrive, RedriveAllow, Settings, ThroughputLimit};
use crate::codec::{Malformed, Put, Take};
use crate::services::sqs::command::QueueKey;
use crate::services::sqs::{address, faults, limits, policy};
use crate::time::Millis;

/// One attribute's new value.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// DelaySeconds.
    Delay(Millis),
    /// MaximumMessageSize.
    MaximumMessageSize(u32),
    /// MessageRetentionPeriod.
    Retention(Millis),
    /// ReceiveMessageWaitTimeSeconds.
    Wait(Millis),
    /// VisibilityTimeout.
    Visibility(Millis),
    /// Policy, or that there shall be none.
    Policy(Option<Text>),
    /// RedrivePolicy, or that there shall be none.
    Redrive(Option<Redrive>),
    /// RedriveAllowPolicy, or that there shall be none.
    RedriveAllow(Option<RedriveAllow>),
    /// KmsMasterKeyId, or that there shall be none.
    KmsKey(Option<Text>),
    /// KmsDataKeyReusePeriodSeconds.
    KmsReuse(Millis),
    /// SqsManagedSseEnabled.
    ManagedSse(bool),
    /// ContentBasedDeduplication.
    ContentBasedDeduplication(bool),
    /// DeduplicationScope.
    DeduplicationScope(DeduplicationScope),
    /// FifoThroughputLimit.
    ThroughputLimit(ThroughputLimit),
}

/// Changes in the caller's order, each checked by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes(Vec<Change>);

/// Tags in the journal. A tag is never reused; a changed layout takes a new one.
mod tag {
    pub(super) const DELAY: u8 = 1;
    pub(super) const MAXIMUM_MESSAGE_SIZE: u8 = 2;
    pub(super) const RETENTION: u8 = 3;
    pub(super) const WAIT: u8 = 4;
    pub(super) const VISIBILITY: u8 = 5;
    pub(super) const POLICY: u8 = 6;
    pub(super) const REDRIVE: u8 = 7;
    pub(super) const REDRIVE_ALLOW: u8 = 8;
    pub(super) const KMS_KEY: u8 = 9;
    pub(super) const KMS_REUSE: u8 = 10;
    pub(super) const MANAGED_SSE: u8 = 11;
    pub(super) const CONTENT_BASED_DEDUPLICATION: u8 = 12;
    pub(super) const DEDUPLICATION_SCOPE: u8 = 13;
    pub(super) const THROUGHPUT_LIMIT: u8 = 14;
}

impl Changes {
    /// Checks the attributes that a caller gave for the queue called `name`; `creating` is CreateQueue, whose caller
    /// has checked the name beside FifoQueue already.
    pub fn parse(given: &[(Text, Text)], name: &str, creating: bool) -> Result<Self, Fault> {
        let fifo = address::is_fifo(name);
        let mut changes = Self(Vec::with_capacity(given.len()));
        for (attribute, value) in given {
            if attribute == "FifoQueue" {
                check_fifo_queue(fifo, creating, value)?;
            } else {
                changes.0.push(Change::parse(attribute, value, fifo)?);
            }
        }
        let managed = changes.iter().any(|change| matches!(change, Change::ManagedSse(true)));
        let key = changes.iter().any(|change| matches!(change, Change::KmsKey(Some(_))));
        if managed && key {
            return Err(faults::two_encryptions());
        }
        Ok(changes)
    }

    /// Checks what these changes would make of the queue `key`, as far as its key tells.
    pub fn check_for(&self, key: &QueueKey) -> Result<(), Fault> {
        match self.redrive() {
            Some(redrive) if redrive.target.account != key.account => {
                Err(faults::dead_letter_target_owner(&redrive.text))
            }
            _ => Ok(()),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// One more change.
    pub fn push(&mut self, change: Change) {
        self.0.push(change);
    }

    /// The dead-letter queue that these changes name, if they name one: the queue must exist, which only the state
    /// machine knows.
    pub fn redrive(&self) -> Option<&Redrive> {
        self.0.iter().rev().find_map(|change| match change {
            Change::Redrive(redrive) => Some(redrive.as_ref()),
            _ => None,
        })?
    }

    /// The first attribute whose value differs from `settings`, for CreateQueue of a queue that exists.
    pub fn differing(&self, settings: &Settings) -> Option<&'static str> {
        self.iter().find(|change| change.differs(settings)).map(Change::name)
    }

    /// The same, keeping nothing of the request in memory that they were read from.
    pub fn own(self) -> Self {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        // What was just encoded decodes; if not, the original serves as well.
        Self::decode(&mut Take::new(bytes.into())).unwrap_or(self)
    }

    /// Writes the changes as facts.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.0.len() as u64);
        for change in &self.0 {
            change.encode(out);
        }
    }

    /// Reads what [`Changes::encode`] wrote.
    pub fn decode(take: &mut Take) -> Result<Self, Malformed> {
        let count = take.varint()?;
        // A change takes at least two bytes, so a forged count cannot ask for more memory than the record has.
        if count > take.remaining() as u64 {
            return Err(Malformed);
        }
        (0..count).map(|_| Change::decode(take)).collect::<Result<_, _>>().map(Self)
    }
}

impl Change {
    fn parse(attribute: &Text, value: &Text, fifo: bool) -> Result<Self, Fault> {
        let number = |min, max| number(attribute, value, min, max);
        let seconds = |min, max| number(min, max).map(Millis::seconds);
        let invalid = || faults::invalid_attribute(attribute);
        Ok(match &**attribute {
            "DelaySeconds" => Self::Delay(seconds(0, limits::DELAY_SECONDS_MAX)?),
            "MaximumMessageSize" => {
                Self::MaximumMessageSize(number(limits::MESSAGE_SIZE_MIN, limits::MESSAGE_SIZE_MAX)?)
            }
            "MessageRetentionPeriod" => {
                Self::Retention(seconds(limits::RETENTION_SECONDS_MIN, limits::RETENTION_SECONDS_MAX)?)
            }
            "ReceiveMessageWaitTimeSeconds" => Self::Wait(seconds(0, limits::WAIT_SECONDS_MAX)?),
            "VisibilityTimeout" => Self::Visibility(seconds(0, limits::VISIBILITY_SECONDS_MAX)?),
            "Policy" => Self::Policy(match unset(value) {
                None => None,
                Some(text) => {
                    policy::check(&text)?;
                    Some(text)
                }
            }),
            "RedrivePolicy" | "RedriveAllowPolicy" if value.len() > limits::REDRIVE_BYTES => {
                return Err(invalid());
            }
            "RedrivePolicy" => Self::Redrive(unset(value).map(Redrive::parse).transpose()?),
            "RedriveAllowPolicy" => {
                Self::RedriveAllow(unset(value).map(|text| RedriveAllow::parse(&text)).transpose()?)
            }
            "KmsMasterKeyId" if value.chars().count() > limits::KMS_KEY_CHARS => return Err(invalid()),
            "KmsMasterKeyId" => Self::KmsKey(unset(value)),
            "KmsDataKeyReusePeriodSeconds" => {
                Self::KmsReuse(seconds(limits::KMS_REUSE_SECONDS_MIN, limits::KMS_REUSE_SECONDS_MAX)?)
            }
            "SqsManagedSseEnabled" => Self::ManagedSse(flag(value).ok_or_else(invalid)?),
            "ContentBasedDeduplication" if fifo => {
                Self::ContentBasedDeduplication(flag(value).ok_or_else(invalid)?)
            }
            "DeduplicationScope" if fifo => Self::DeduplicationScope(match &**value {
                "queue" => DeduplicationScope::Queue,
                "messageGroup" => DeduplicationScope::MessageGroup,
                _ => return Err(invalid()),
            }),
            "FifoThroughputLimit" if fifo => Self::ThroughputLimit(match &**value {
                "perQueue" => ThroughputLimit::PerQueue,
                "perMessageGroupId" => ThroughputLimit::PerMessageGroupId,
                _ => return Err(invalid()),
            }),
            "DeduplicationScope" | "FifoThroughputLimit" => {
                return Err(faults::fifo_only_attribute(attribute));
            }
            _ => return Err(faults::unknown_attribute(attribute)),
        })
    }

    /// AWS's name of the attribute.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "DelaySeconds",
            Self::MaximumMessageSize(_) => "MaximumMessageSize",
            Self::Retention(_) => "MessageRetentionPeriod",
            Self::Wait(_) => "ReceiveMessageWaitTimeSeconds",
            Self::Visibility(_) => "VisibilityTimeout",
            Self::Policy(_) => "Policy",
            Self::Redrive(_) => "RedrivePolicy",
            Self::RedriveAllow(_) => "RedriveAllowPolicy",
            Self::KmsKey(_) => "KmsMasterKeyId",
            Self::KmsReuse(_) => "KmsDataKeyReusePeriodSeconds",
            Self::ManagedSse(_) => "SqsManagedSseEnabled",
            Self::ContentBasedDeduplication(_) => "ContentBasedDeduplication",
            Self::DeduplicationScope(_) => "DeduplicationScope",
            Self::ThroughputLimit(_) => "FifoThroughputLimit",
        }
    }

    fn differs(&self, settings: &Settings) -> bool {
        match self {
            Self::Delay(value) => *value != settings.delay,
            Self::MaximumMessageSize(value) => *value != settings.maximum_message_size,
            Self::Retention(value) => *value != settings.retention,
            Self::Wait(value) => *value != settings.wait,
            Self::Visibility(value) => *value != settings.visibility,
            Self::Policy(value) => !policy::same(value.as_deref(), settings.policy.as_deref()),
            Self::Redrive(value) => *value != settings.redrive,
            Self::RedriveAllow(value) => *value != settings.redrive_allow,
            Self::KmsKey(value) => *value != settings.kms_key,
            Self::KmsReuse(value) => {
                *value != settings.kms_reuse.unwrap_or(Millis::seconds(limits::KMS_REUSE_SECONDS_DEFAULT))
            }
            Self::ManagedSse(value) => *value != settings.managed_sse,
            Self::ContentBasedDeduplication(value) => *value != settings.content_based_deduplication,
            Self::DeduplicationScope(value) => *value != settings.deduplication_scope,
            Self::ThroughputLimit(value) => *value != settings.throughput_limit,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let number = |out: &mut Vec<u8>, tag, value| {
            out.put_u8(tag);
            out.put_varint(value);
        };
        let text = |out: &mut Vec<u8>, tag, value: &Option<Text>| {
            out.put_u8(tag);
            out.put_option(value.as_deref());
        };
        match self {
            Self::Delay(value) => number(out, tag::DELAY, value.0),
            Self::MaximumMessageSize(value) => number(out, tag::MAXIMUM_MESSAGE_SIZE, u64::from(*value)),
            Self::Retention(value) => number(out, tag::RETENTION, value.0),
            Self::Wait(value) => number(out, tag::WAIT, value.0),
            Self::Visibility(value) => number(out, tag::VISIBILITY, value.0),
            Self::Policy(value) => text(out, tag::POLICY, value),
            Self::Redrive(value) => {
                out.put_u8(tag::REDRIVE);
                Redrive::encode(value.as_ref(), out);
            }
            Self::RedriveAllow(value) => {
                out.put_u8(tag::REDRIVE_ALLOW);
                RedriveAllow::encode(value.as_ref(), out);
            }
            Self::KmsKey(value) => text(out, tag::KMS_KEY, value),
            Self::KmsReuse(value) => number(out, tag::KMS_REUSE, value.0),
            Self::ManagedSse(value) => number(out, tag::MANAGED_SSE, u64::from(*value)),
            Self::ContentBasedDeduplication(value) => {
                number(out, tag::CONTENT_BASED_DEDUPLICATION, u64::from(*value));
            }
            Self::DeduplicationScope(value) => {
                out.put_u8(tag::DEDUPLICATION_SCOPE);
                put_scope(out, *value);
            }
            Self::ThroughputLimit(value) => {
                let value = match value {
                    ThroughputLimit::PerQueue => 0,
                    ThroughputLimit::PerMessageGroupId => 1,
                };
                number(out, tag::THROUGHPUT_LIMIT, value);
            }
        }
    }

    fn decode(take: &mut Take) -> Result<Self, Malformed> {
        Ok(match take.u8()? {
            tag::DELAY => Self::Delay(Millis(take.varint()?)),
            tag::MAXIMUM_MESSAGE_SIZE => {
                Self::MaximumMessageSize(u32::try_from(take.varint()?).map_err(|_| Malformed)?)
            }
            tag::RETENTION => Self::Retention(Millis(take.varint()?)),
            tag::WAIT => Self::Wait(Millis(take.varint()?)),
            tag::VISIBILITY => Self::Visibility(Millis(take.varint()?)),
            tag::POLICY => Self::Policy(take.option()?),
            tag::REDRIVE => Self::Redrive(Redrive::decode(take)?),
            tag::REDRIVE_ALLOW => Self::RedriveAllow(RedriveAllow::decode(take)?),
            tag::KMS_KEY => Self::KmsKey(take.option()?),
            tag::KMS_REUSE => Self::KmsReuse(Millis(take.varint()?)),
            tag::MANAGED_SSE => Self::ManagedSse(take_flag(take)?),
            tag::CONTENT_BASED_DEDUPLICATION => Self::ContentBasedDeduplication(take_flag(take)?),
            tag::DEDUPLICATION_SCOPE => Self::DeduplicationScope(take_scope(take)?),
            tag::THROUGHPUT_LIMIT => Self::ThroughputLimit(match take.u8()? {
                0 => ThroughputLimit::PerQueue,
                1 => ThroughputLimit::PerMessageGroupId,
                _ => return Err(Malformed),
            }),
            _ => return Err(Malformed),
        })
    }
}

/// FifoQueue changes nothing: the name has decided. It is only checked.
fn check_fifo_queue(fifo: bool, creating: bool, value: &Text) -> Result<(), Fault> {
    match flag(value) {
        Some(true) if fifo => Ok(()),
        Some(false) if fifo && !creating => Err(faults::queue_type_is_fixed()),
        None if fifo => Err(faults::invalid_attribute("FifoQueue")),
        _ => Err(faults::unknown_attribute("FifoQueue")),
    }
}

/// The empty text takes an attribute away.
fn unset(value: &Text) -> Option<Text> {
    (!value.is_empty()).then(|| value.clone())
}

fn number(attribute: &str, value: &str, min: u32, max: u32) -> Result<u32, Fault> {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { value.parse().ok() } else { None };
    number.filter(|number| (min..=max).contains(number)).ok_or_else(|| faults::invalid_attribute(attribute))
}

fn flag(value: &str) -> Option<bool> {
    match () {
        () if value.eq_ignore_ascii_case("true") => Some(true),
        () if value.eq_ignore_ascii_case("false") => Some(false),
        () => None,
    }
}

pub(super) fn put_scope(out: &mut Vec<u8>, scope: DeduplicationScope) {
    out.put_u8(match scope {
        DeduplicationScope::Queue => 0,
        DeduplicationScope::MessageGroup => 1,
    });
}

pub(super) fn take_scope(take: &mut Take) -> Result<DeduplicationScope, Malformed> {
    match take.u8()? {
        0 => Ok(DeduplicationScope::Queue),
        1 => Ok(DeduplicationScope::MessageGroup),
        _ => Err(Malformed),
    }
}

pub(super) fn take_flag(take: &mut Take) -> Result<bool, Malformed> {
    match take.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}
