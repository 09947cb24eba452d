//! A key, and an alias.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::arn::partition;
use kew_wire::codec::Timestamp;
use kew_wire::kms::KeyMetadata;

use super::cipher::{Cipher, Secret, secret};
use super::kept::Kept;
use crate::identity::{Account, uuid_text};
use crate::policy::{Policy, Use};
use crate::time::{Millis, Moment};

/// A key's id: a UUID.
pub type Id = [u8; 16];

/// One symmetric key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its id, unlike that of any other key anywhere.
    pub id: Id,
    /// Its owner.
    pub account: Account,
    /// Its region.
    pub region: Kept,
    /// The service for whose sake it was made (`sqs`), if Kew made it itself: then nobody may change it.
    pub service: Option<Kept>,
    /// Description.
    pub description: Kept,
    /// What may be done with it now.
    pub state: KeyState,
    /// When it was made.
    pub created: Moment,
    /// Its policy, as the caller gave it.
    pub policy: Kept,
    /// The same, to be asked; `None` if it makes no sense, which allows nothing.
    pub(super) compiled: Option<Arc<Policy>>,
    /// Its tags, sorted by key.
    pub tags: Vec<(Kept, Kept)>,
    /// How often it rotates by itself, and when next.
    pub rotation: Option<Rotation>,
    /// How often it was rotated on demand.
    pub on_demand: u32,
    /// All that it was ever made of; the last is what encrypts. None is forgotten before the key is deleted.
    pub material: Vec<Secret>,
}

/// What may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Everything.
    Enabled,
    /// It may be managed, not used.
    Disabled,
    /// It goes for ever, unless that is called off.
    PendingDeletion {
        /// When it goes.
        at: Moment,
    },
}

impl KeyState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// RotationPeriodInDays.
    pub days: u32,
    /// NextRotationDate.
    pub next: Moment,
}

/// A name for a key.
#[derive(Debug, Clone)]
pub struct Alias {
    /// The key.
    pub key: Id,
    /// When it was made.
    pub created: Moment,
    /// When it was last pointed at another key.
    pub updated: Moment,
}

/// A day.
pub(super) fn days(count: u32) -> Millis {
    Millis(u64::from(count) * 24 * 60 * 60 * 1000)
}

/// A moment as replies show it.
pub(super) fn timestamp(moment: Moment) -> Option<Timestamp> {
    Some(Timestamp(moment.0 as f64 / 1000.0))
}

impl Key {
    /// A new one.
    pub(super) fn new(account: Account, region: Kept, now: Moment, cipher: &dyn Cipher) -> Self {
        let mut id = [0; 16];
        cipher.fill(&mut id);
        // A random UUID, by RFC 9562.
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let policy = default_policy(account, &region);
        Self {
            id,
            account,
            compiled: compile(&policy),
            policy,
            region,
            service: None,
            description: Kept::default(),
            state: KeyState::Enabled,
            created: now,
            tags: Vec::new(),
            rotation: None,
            on_demand: 0,
            material: alloc::vec![secret(cipher)],
        }
    }

    /// Its id, as AWS spells it.
    pub fn id_text(&self) -> Text {
        uuid_text(&self.id)
    }

    /// Its ARN.
    pub fn arn(&self) -> Text {
        arn(self.account, &self.region, &format!("key/{}", self.id_text()))
    }

    /// It has this policy from now on.
    pub(super) fn set_policy(&mut self, policy: Kept) {
        self.compiled = compile(&policy);
        self.policy = policy;
    }

    /// What encrypts from now on is new; what decrypts what there is stays.
    pub(super) fn rotate(&mut self, cipher: &dyn Cipher) {
        self.material.push(secret(cipher));
    }

    /// When something happens to it by itself.
    pub(super) fn deadline(&self) -> Moment {
        match self.state {
            KeyState::PendingDeletion { at } => at,
            // AWS rotates a disabled key as soon as it is enabled again.
            KeyState::Enabled => self.rotation.map_or(Moment::NEVER, |rotation| rotation.next),
            KeyState::Disabled => Moment::NEVER,
        }
    }

    /// As DescribeKey shows it.
    pub(super) fn metadata(&self) -> KeyMetadata {
        let text = |text: &'static str| Some(Text::from_static(text));
        let deletion = match self.state {
            KeyState::PendingDeletion { at } => timestamp(at),
            _ => None,
        };
        KeyMetadata {
            aws_account_id: Some(format!("{}", self.account).into()),
            key_id: self.id_text(),
            arn: Some(self.arn()),
            creation_date: timestamp(self.created),
            enabled: Some(self.state == KeyState::Enabled),
            description: Some(self.description.text()),
            key_usage: text("ENCRYPT_DECRYPT"),
            key_state: text(self.state.name()),
            deletion_date: deletion,
            origin: text("AWS_KMS"),
            key_manager: text(if self.service.is_some() { "AWS" } else { "CUSTOMER" }),
            customer_master_key_spec: text("SYMMETRIC_DEFAULT"),
            key_spec: text("SYMMETRIC_DEFAULT"),
            encryption_algorithms: alloc::vec![Text::from_static("SYMMETRIC_DEFAULT")],
            multi_region: Some(false),
            ..KeyMetadata::default()
        }
    }
}

/// An ARN of something of this service.
pub(super) fn arn(account: Account, region: &str, resource: &str) -> Text {
    format!("arn:{}:kms:{region}:{account}:{resource}", partition(region)).into()
}

/// The policy of a key whose maker names none: its account decides (developer guide, *Default key policy*).
fn default_policy(account: Account, region: &str) -> Kept {
    let partition = partition(region);
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
    .into()
}

/// The policy of a key that is kept for a service: whoever may use that service may use the key through it, and the account may look at
/// it (developer guide, *AWS managed keys*).
pub(super) fn service_policy(account: Account, region: &str, service: &str) -> Kept {
    let partition = partition(region);
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-{service}-1",
  "Statement" : [ {{
    "Sid" : "Allow access through the service for all principals in the account that are authorized to use it",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "*"
    }},
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {{
      "StringEquals" : {{
        "kms:CallerAccount" : "{account}",
        "kms:ViaService" : "{service}.{region}.amazonaws.com"
      }}
    }}
  }}, {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*" ],
    "Resource" : "*"
  }} ]
}}"#
    )
    .into()
}

/// A policy, to be asked.
pub(super) fn compile(policy: &str) -> Option<Arc<Policy>> {
    Policy::compile(Use::Resource, Text::from_static("key policy"), policy).ok().map(Arc::new)
}
