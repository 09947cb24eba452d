//! A queue's settings: the attributes that CreateQueue and SetQueueAttributes take, typed.

mod changes;
mod redrive;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

pub use self::changes::{Change, Changes};
pub use self::redrive::{Redrive, RedriveAllow};
use super::event::own;
use super::{faults, limits};
use crate::codec::{Malformed, Put, Take};
use crate::time::Millis;

/// What a queue was told to be. All that AWS lets change, and whether it is FIFO, which never does.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// FifoQueue: fixed by the name.
    pub fifo: bool,
    /// DelaySeconds.
    pub delay: Millis,
    /// MaximumMessageSize in bytes.
    pub maximum_message_size: u32,
    /// MessageRetentionPeriod.
    pub retention: Millis,
    /// ReceiveMessageWaitTimeSeconds.
    pub wait: Millis,
    /// VisibilityTimeout.
    pub visibility: Millis,
    /// Policy, as the caller gave it.
    pub policy: Option<Text>,
    /// RedrivePolicy.
    pub redrive: Option<Redrive>,
    /// RedriveAllowPolicy.
    pub redrive_allow: Option<RedriveAllow>,
    /// KmsMasterKeyId.
    pub kms_key: Option<Text>,
    /// KmsDataKeyReusePeriodSeconds.
    pub kms_reuse: Option<Millis>,
    /// SqsManagedSseEnabled.
    pub managed_sse: bool,
    /// ContentBasedDeduplication (FIFO).
    pub content_based_deduplication: bool,
    /// DeduplicationScope as AWS shows it (FIFO).
    pub deduplication_scope: DeduplicationScope,
    /// The scope that deduplication really has: AWS shows a later change but goes on with the scope that the queue was
    /// created with.
    pub effective_scope: DeduplicationScope,
    /// FifoThroughputLimit (FIFO).
    pub throughput_limit: ThroughputLimit,
}

/// What a deduplication id is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeduplicationScope {
    /// All messages of the queue.
    #[default]
    Queue,
    /// Those of the same message group.
    MessageGroup,
}

impl DeduplicationScope {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::MessageGroup => "messageGroup",
        }
    }
}

/// What FIFO throughput quotas count. Kew has no such quotas, so this is only kept and shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThroughputLimit {
    /// The whole queue.
    #[default]
    PerQueue,
    /// Each message group.
    PerMessageGroupId,
}

impl ThroughputLimit {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerQueue => "perQueue",
            Self::PerMessageGroupId => "perMessageGroupId",
        }
    }
}

/// How a queue's messages are encrypted on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Plain,
    /// With SQS's own keys (SSE-SQS).
    Managed,
    /// With a key of KMS's (SSE-KMS).
    Kms {
        /// KmsMasterKeyId.
        key: Text,
        /// KmsDataKeyReusePeriodSeconds.
        reuse: Millis,
    },
}

/// Layout of [`Settings::encode`]; a changed layout takes the next number.
const LAYOUT: u8 = 1;

impl Settings {
    /// A queue that names no attributes.
    pub fn new(fifo: bool) -> Self {
        Self {
            fifo,
            delay: Millis(0),
            maximum_message_size: limits::MESSAGE_SIZE_MAX,
            retention: Millis::seconds(limits::RETENTION_SECONDS_DEFAULT),
            wait: Millis(0),
            visibility: Millis::seconds(limits::VISIBILITY_SECONDS_DEFAULT),
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_reuse: None,
            managed_sse: true,
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::default(),
            effective_scope: DeduplicationScope::default(),
            throughput_limit: ThroughputLimit::default(),
        }
    }

    /// A new queue's settings.
    pub fn create(fifo: bool, changes: &Changes) -> Self {
        let mut settings = Self::new(fifo);
        settings.apply(changes);
        settings.effective_scope = settings.deduplication_scope;
        settings
    }

    /// These settings after `changes`.
    pub fn with(&self, changes: &Changes) -> Self {
        let mut settings = self.clone();
        settings.apply(changes);
        settings
    }

    /// Takes over `changes` in order.
    pub fn apply(&mut self, changes: &Changes) {
        for change in changes.iter() {
            self.apply_one(change.clone());
        }
    }

    fn apply_one(&mut self, change: Change) {
        match change {
            Change::Delay(value) => self.delay = value,
            Change::MaximumMessageSize(value) => self.maximum_message_size = value,
            Change::Retention(value) => self.retention = value,
            Change::Wait(value) => self.wait = value,
            Change::Visibility(value) => self.visibility = value,
            Change::Policy(value) => self.policy = value.map(own),
            Change::Redrive(value) => self.redrive = value.map(Redrive::own),
            Change::RedriveAllow(value) => self.redrive_allow = value,
            Change::KmsKey(Some(key)) => {
                self.kms_key = Some(own(key));
                self.managed_sse = false;
            }
            Change::KmsKey(None) => {
                self.kms_key = None;
                self.kms_reuse = None;
            }
            Change::KmsReuse(value) => self.kms_reuse = Some(value),
            Change::ManagedSse(value) => {
                self.managed_sse = value;
                if value {
                    self.kms_key = None;
                    self.kms_reuse = None;
                }
            }
            Change::ContentBasedDeduplication(value) => self.content_based_deduplication = value,
            Change::DeduplicationScope(value) => self.deduplication_scope = value,
            Change::ThroughputLimit(value) => self.throughput_limit = value,
        }
    }

    /// How the messages are encrypted on disk.
    pub fn encryption(&self) -> Encryption {
        match &self.kms_key {
            Some(key) => {
                let reuse = self.kms_reuse.unwrap_or(Millis::seconds(limits::KMS_REUSE_SECONDS_DEFAULT));
                Encryption::Kms { key: key.clone(), reuse }
            }
            None if self.managed_sse => Encryption::Managed,
            None => Encryption::Plain,
        }
    }

    /// The rules between attributes, for what CreateQueue or SetQueueAttributes would make of the queue.
    pub fn check(&self) -> Result<(), Fault> {
        let per_group = self.throughput_limit == ThroughputLimit::PerMessageGroupId;
        if per_group && self.deduplication_scope != DeduplicationScope::MessageGroup {
            return Err(faults::throughput_needs_group_scope());
        }
        Ok(())
    }

    /// The attributes as GetQueueAttributes shows them; those that are not set do not appear, nor do FIFO's on a
    /// standard queue.
    pub fn echo(&self) -> Vec<(&'static str, Text)> {
        let seconds = |value: Millis| Text::from(format!("{}", value.0 / 1000));
        let flag = |value: bool| Text::from_static(if value { "true" } else { "false" });
        let mut shown = Vec::with_capacity(16);
        shown.push(("VisibilityTimeout", seconds(self.visibility)));
        shown.push(("DelaySeconds", seconds(self.delay)));
        shown.push(("MaximumMessageSize", Text::from(format!("{}", self.maximum_message_size))));
        shown.push(("MessageRetentionPeriod", seconds(self.retention)));
        shown.push(("ReceiveMessageWaitTimeSeconds", seconds(self.wait)));
        shown.push(("SqsManagedSseEnabled", flag(self.managed_sse)));
        if self.fifo {
            shown.push(("FifoQueue", flag(true)));
            shown.push(("ContentBasedDeduplication", flag(self.content_based_deduplication)));
            shown.push(("DeduplicationScope", Text::from_static(self.deduplication_scope.name())));
            shown.push(("FifoThroughputLimit", Text::from_static(self.throughput_limit.name())));
        }
        if let Some(policy) = &self.policy {
            shown.push(("Policy", policy.clone()));
        }
        if let Some(redrive) = &self.redrive {
            shown.push(("RedrivePolicy", redrive.echo()));
        }
        if let Some(allow) = &self.redrive_allow {
            shown.push(("RedriveAllowPolicy", allow.echo()));
        }
        if let Some(key) = &self.kms_key {
            let reuse = self.kms_reuse.unwrap_or(Millis::seconds(limits::KMS_REUSE_SECONDS_DEFAULT));
            shown.push(("KmsMasterKeyId", key.clone()));
            shown.push(("KmsDataKeyReusePeriodSeconds", seconds(reuse)));
        }
        shown
    }

    /// The changes that make these settings of a new queue's, but for the effective scope.
    fn to_changes(&self) -> Changes {
        // ManagedSse before the key: setting either touches the other.
        let mut changes = Changes::default();
        changes.push(Change::Delay(self.delay));
        changes.push(Change::MaximumMessageSize(self.maximum_message_size));
        changes.push(Change::Retention(self.retention));
        changes.push(Change::Wait(self.wait));
        changes.push(Change::Visibility(self.visibility));
        changes.push(Change::ManagedSse(self.managed_sse));
        if self.policy.is_some() {
            changes.push(Change::Policy(self.policy.clone()));
        }
        if self.redrive.is_some() {
            changes.push(Change::Redrive(self.redrive.clone()));
        }
        if self.redrive_allow.is_some() {
            changes.push(Change::RedriveAllow(self.redrive_allow.clone()));
        }
        if self.kms_key.is_some() {
            changes.push(Change::KmsKey(self.kms_key.clone()));
        }
        if let Some(reuse) = self.kms_reuse {
            changes.push(Change::KmsReuse(reuse));
        }
        if self.fifo {
            changes.push(Change::ContentBasedDeduplication(self.content_based_deduplication));
            changes.push(Change::DeduplicationScope(self.deduplication_scope));
            changes.push(Change::ThroughputLimit(self.throughput_limit));
        }
        changes
    }

    /// Writes all of it, for snapshots.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(LAYOUT);
        out.put_u8(self.fifo.into());
        changes::put_scope(out, self.effective_scope);
        self.to_changes().encode(out);
    }

    /// Reads what [`Settings::encode`] wrote.
    pub fn decode(take: &mut Take) -> Result<Self, Malformed> {
        if take.u8()? != LAYOUT {
            return Err(Malformed);
        }
        let mut settings = Self::new(changes::take_flag(take)?);
        settings.effective_scope = changes::take_scope(take)?;
        settings.apply(&Changes::decode(take)?);
        Ok(settings)
    }
}
