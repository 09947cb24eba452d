//! Server-side encryption: messages are encrypted before they reach their shard, and decrypted after they were read.
//!
//! So the shards, the journal, cold files, snapshots and backups see ciphertext alone, and what a message is worth (MD5, size,
//! deduplication) is said of its plaintext before. A payload carries all that is needed to decrypt it but the wrapping key, wherever it
//! goes: to a dead-letter queue, to another shard, into a backup. What was stored before there was encryption is read as it is.
//!
//! A queue has data keys of its own. With `SqsManagedSseEnabled` they are derived from Kew's own key, with `KmsMasterKeyId` wrapped by
//! that KMS key; one is used for `KmsDataKeyReusePeriodSeconds`. Whether the KMS key is enabled, and the caller may use it, is asked for
//! every request all the same: that costs nothing here.

mod data_key;
mod own;
mod queues;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::LessSafeKey;
use bytes::Bytes;
use kew_engine::identity::Caller;
use kew_engine::services::kms::{self, Key};
use kew_engine::services::sqs::command::{Delivery, Outgoing, QueueAction};
use kew_engine::services::sqs::message::{is_sealed, is_whole};
use kew_engine::services::sqs::settings::Encryption;
use kew_engine::services::sqs::{self, Action, QueueKey, faults};
use kew_engine::shard::{Command, Reply};
use kew_engine::time::Millis;
use kew_wire::Text;
use kew_wire::fault::{Fault, common};
use zeroize::Zeroizing;

use self::data_key::{DataKey, Sealed, Wrapped};
pub(crate) use self::own::NAME as OWN_KEYS;
use self::own::OwnKeys;
pub(crate) use self::queues::Queues;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::kms::Kms;
use crate::mailbox::Answer;
use crate::router::Router;
use crate::vault::{AesGcm, Vault, aes_256_gcm};

/// How long a data key from Kew's own key is used: as long as one from KMS unless a queue says otherwise.
const OWN_REUSE: Millis = Millis::seconds(sqs::limits::KMS_REUSE_SECONDS_DEFAULT);

/// Data keys kept for decrypting. Beyond it all are got anew as they are needed.
const OPENED: usize = 4096;

/// The alias of the key that AWS keeps for a queue's account.
const MANAGED: &str = "alias/aws/sqs";

/// Encrypts and decrypts for all queues.
#[derive(Debug)]
pub(crate) struct Sse {
    kms: Arc<Kms>,
    own: OwnKeys,
    queues: Arc<Queues>,
    clock: Arc<Clock>,
    /// Data keys by the head of what they encrypted.
    opened: RwLock<HashMap<Bytes, Arc<LessSafeKey>>>,
}

/// Who receives, and from which queue.
struct Receiver {
    caller: Caller,
    queue: QueueKey,
    /// Nothing may overtake what cannot be read in its group.
    in_order: bool,
}

impl Sse {
    /// Encrypts as `queues` says, with the keys of `kms` and those of the vault.
    pub(crate) fn open(
        vault: &Arc<Vault>,
        kms: Arc<Kms>,
        queues: Arc<Queues>,
        clock: Arc<Clock>,
    ) -> Result<Self, Failure> {
        Ok(Self { kms, own: OwnKeys::open(vault)?, queues, clock, opened: RwLock::default() })
    }

    /// Asks `router`, and waits for the answer: what is sent is encrypted, what is received decrypted.
    ///
    /// # Errors
    /// SQS's faults about KMS, and why the shard gives no answer.
    pub(crate) async fn ask(&self, router: &Router, mut command: sqs::Command) -> Result<Answer, Fault> {
        // Boxed whatever is not needed while a receive waits: many wait, and long.
        let receiver = match &mut command.action {
            Action::Queue { key, action: QueueAction::Send { messages, .. }, .. } => {
                if !self.seal_own(key, messages) {
                    return Box::pin(self.ask_with_kms(router, command)).await;
                }
                None
            }
            Action::Queue { key, action: QueueAction::Receive(_), .. } => {
                if let Encryption::Kms { .. } = &self.queues.place(key).encryption {
                    return Box::pin(self.ask_with_kms(router, command)).await;
                }
                let (caller, in_order) = (command.caller.clone(), key.is_fifo());
                Some(Box::new(Receiver { caller, queue: key.clone(), in_order }))
            }
            // A test looks at any message.
            Action::Queue { key, action: QueueAction::Peek { .. }, .. } => {
                let caller = Caller::open(key.account, key.region.clone());
                Some(Box::new(Receiver { caller, queue: key.clone(), in_order: false }))
            }
            _ => None,
        };
        let answer = router.ask(Command::Sqs(command)).await?;
        self.hand_out(router, receiver.as_deref(), answer)
    }

    /// The same for a queue whose KMS key is asked first: a send is encrypted by it, and a receive refused before a message is leased
    /// for nothing.
    async fn ask_with_kms(&self, router: &Router, mut command: sqs::Command) -> Result<Answer, Fault> {
        let caller = command.caller.clone();
        let Action::Queue { key, name, action } = &mut command.action else {
            return Err(Fault::new(&common::INTERNAL_FAILURE, "No queue is asked."));
        };
        let queue = key.clone();
        if self.lacks_managed(key) {
            // Nobody who may not use the queue has a key made for it.
            router.admit(&caller, key, name).await?;
        }
        let allowed = match action {
            QueueAction::Send { messages, .. } => self.seal(&caller, key, messages).await,
            _ => self.check_receive(&caller, key).await,
        };
        if let Err(fault) = allowed {
            return Err(refusal(router, &caller, key, name, fault).await);
        }
        let answer = router.ask(Command::Sqs(command)).await?;
        let in_order = queue.is_fifo();
        self.hand_out(router, Some(&Receiver { caller, queue, in_order }), answer)
    }

    /// Whether a queue's account has no key yet that Kew keeps for it, and the queue wants that one.
    fn lacks_managed(&self, key: &QueueKey) -> bool {
        let owner = Caller::open(key.account, key.region.clone());
        matches!(&self.queues.place(key).encryption, Encryption::Kms { key: name, .. }
            if name == MANAGED && self.kms.state().find(&owner, name).is_err())
    }

    /// Encrypts messages if no KMS key is needed for it; says whether that is done.
    fn seal_own(&self, key: &QueueKey, messages: &mut [Outgoing]) -> bool {
        let place = self.queues.place(key);
        match &place.encryption {
            Encryption::Kms { .. } => return false,
            Encryption::Plain => {}
            Encryption::Managed => {
                let now = self.clock.now();
                let make = || {
                    let (number, salt, key) = self.own.draw();
                    let wrapped = Wrapped::Own { number, salt };
                    Ok::<_, std::convert::Infallible>(DataKey::new(&wrapped, &key, now + OWN_REUSE, None))
                };
                let Ok(data_key) = place.data_key(now, None, make);
                seal(&data_key, messages);
            }
        }
        true
    }

    /// Encrypts messages with a data key from KMS.
    async fn seal(&self, caller: &Caller, key: &QueueKey, messages: &mut [Outgoing]) -> Result<(), Fault> {
        let place = self.queues.place(key);
        let Encryption::Kms { key: name, reuse } = &place.encryption else {
            // It was changed just now.
            self.seal_own(key, messages);
            return Ok(());
        };
        // AWS demands both of a sender (*Amazon SQS key management*).
        let actions = ["kms:GenerateDataKey", "kms:Decrypt"];
        let (state, id) = self.usable(caller, key, name, &actions).await?;
        let now = self.clock.now();
        let make = || {
            let wrapper = state.key(&id).ok_or_else(faults::message_key_not_found)?;
            let queue = key.arn();
            let plain = crate::vault::random();
            let blob = wrapper.encrypt(&AesGcm, &Wrapped::context(&queue), &*plain);
            Ok::<_, Fault>(DataKey::new(&Wrapped::Kms { queue, blob }, &plain, now + *reuse, Some(id)))
        };
        let data_key = place.data_key(now, Some(id), make)?;
        seal(&data_key, messages);
        Ok(())
    }

    /// Refuses a receive from a queue whose KMS key the caller cannot use: before a message is leased for nothing.
    async fn check_receive(&self, caller: &Caller, key: &QueueKey) -> Result<(), Fault> {
        match &self.queues.place(key).encryption {
            Encryption::Kms { key: name, .. } => {
                self.usable(caller, key, name, &["kms:Decrypt"]).await.map(drop)
            }
            Encryption::Plain | Encryption::Managed => Ok(()),
        }
    }

    /// The KMS key that a queue names, if the caller can use it so now.
    async fn usable(
        &self,
        caller: &Caller,
        queue: &QueueKey,
        name: &Text,
        actions: &[&'static str],
    ) -> Result<(Arc<kms::State>, kms::Id), Fault> {
        self.kms.let_time_pass().await.map_err(faults::of_kms)?;
        // A name without an account means the queue's own.
        let owner = Caller::open(queue.account, queue.region.clone());
        let mut state = self.kms.state();
        if name == MANAGED && state.find(&owner, name).is_err() {
            let made = self.kms.make_managed(queue.account, &queue.region, "sqs").await;
            made.map_err(faults::of_kms)?;
            state = self.kms.state();
        }
        let pairs = Wrapped::context(&queue.arn());
        let now = self.clock.now();
        let wish = |action: &&'static str| kms::Wish { action, pairs: &pairs, via: Some("sqs"), now };
        let wishes: Vec<_> = actions.iter().map(wish).collect();
        let found = kms::find_for(&state, &owner, name, caller, &wishes);
        let id = found.and_then(|key| key.check_usable().map(|()| key.id)).map_err(faults::of_kms)?;
        Ok((state, id))
    }

    /// Refuses a caller who may not do this with a key, through SQS and for this queue.
    fn check_authority(&self, caller: &Caller, key: &Key, action: &str, queue: &Text) -> Result<(), Fault> {
        let pairs = Wrapped::context(queue);
        let wish = kms::Wish { action, pairs: &pairs, via: Some("sqs"), now: self.clock.now() };
        kms::check_authority(caller, key, &wish)
    }

    /// Decrypts what was received; what must wait for another message goes back to its queue, as if it had not been received.
    fn hand_out(
        &self,
        router: &Router,
        receiver: Option<&Receiver>,
        answer: Answer,
    ) -> Result<Answer, Fault> {
        let Some(receiver) = receiver else { return Ok(answer) };
        let (answer, back) = self.open_all(receiver, answer);
        if !back.is_empty() {
            router.give_back(&receiver.queue, back);
        }
        answer
    }

    /// Decrypts what was received, and checks what was not encrypted. A message that cannot be read stays with its receive, and counts
    /// it, so that it does not come first again and again; if none can, the caller is told why. Also gives what was not handed out for
    /// its sake.
    fn open_all(&self, receiver: &Receiver, answer: Answer) -> (Result<Answer, Fault>, Vec<Delivery>) {
        let Answer { reply: Reply::Sqs(Ok(sqs::Reply::Received(deliveries))), payloads } = answer else {
            return (Ok(answer), Vec::new());
        };
        let (mut taken, mut plain, mut back, mut refused) = (Vec::new(), Vec::new(), Vec::new(), None);
        let mut stopped = Vec::new();
        for (delivery, payload) in deliveries.into_iter().zip(payloads) {
            if stopped.contains(&delivery.group) {
                back.push(delivery);
                continue;
            }
            match self.open_one(&receiver.caller, payload) {
                Ok(payload) => {
                    taken.push(delivery);
                    plain.push(payload);
                }
                Err(fault) => {
                    if *fault.kind == common::INTERNAL_FAILURE {
                        tell_unreadable(&receiver.queue, &delivery);
                    }
                    refused.get_or_insert(fault);
                    if receiver.in_order {
                        // What follows in its group must not overtake it; other groups do not wait.
                        stopped.push(delivery.group);
                    }
                }
            }
        }
        let answer = match refused {
            Some(fault) if taken.is_empty() => Err(fault),
            _ => Ok(Answer { reply: Reply::Sqs(Ok(sqs::Reply::Received(taken))), payloads: plain }),
        };
        (answer, back)
    }

    fn open_one(&self, caller: &Caller, payload: Bytes) -> Result<Bytes, Fault> {
        if !is_sealed(&payload) {
            return if is_whole(&payload) { Ok(payload) } else { Err(unreadable()) };
        }
        let sealed = Sealed::parse(&payload).ok_or_else(unreadable)?;
        let key = self.data_key(caller, &sealed)?;
        sealed.open(&key).ok_or_else(unreadable)
    }

    /// The data key of a payload, if the caller can use what wraps it.
    fn data_key(&self, caller: &Caller, sealed: &Sealed) -> Result<Arc<LessSafeKey>, Fault> {
        let state;
        let wrapper = match &sealed.wrapped {
            Wrapped::Own { .. } => None,
            Wrapped::Kms { blob, queue } => {
                state = self.kms.state();
                let key = state.encryptor(blob).ok_or_else(faults::message_key_not_found)?;
                self.check_authority(caller, key, "kms:Decrypt", queue).map_err(faults::of_kms)?;
                key.check_usable().map_err(faults::of_kms)?;
                Some(key)
            }
        };
        // The lock is held only to look, and to put an Arc in.
        let known = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(&sealed.head).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let key = self.unwrap(wrapper, &sealed.wrapped)?;
        let key = Arc::new(aes_256_gcm(&key));
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= OPENED {
            opened.clear();
        }
        // A copy: the head is a part of a large buffer.
        opened.insert(Bytes::copy_from_slice(&sealed.head), Arc::clone(&key));
        Ok(key)
    }

    fn unwrap(&self, wrapper: Option<&Key>, wrapped: &Wrapped) -> Result<Zeroizing<[u8; 32]>, Fault> {
        match (wrapped, wrapper) {
            (Wrapped::Own { number, salt }, _) => self.own.get(*number, salt).ok_or_else(unreadable),
            (Wrapped::Kms { queue, blob }, Some(wrapper)) => {
                let plain = wrapper.decrypt(&AesGcm, &Wrapped::context(queue), blob);
                let plain = plain.map_err(|_| unreadable())?;
                let mut key = Zeroizing::new([0; 32]);
                if plain.len() != key.len() {
                    return Err(unreadable());
                }
                key.copy_from_slice(&plain);
                Ok(key)
            }
            (Wrapped::Kms { .. }, None) => Err(unreadable()),
        }
    }
}

/// What a caller is told whom KMS refuses: that, unless the queue would have refused first. Who may not use a queue learns nothing of
/// its key.
async fn refusal(
    router: &Router,
    caller: &Caller,
    key: &QueueKey,
    name: &'static str,
    fault: Fault,
) -> Fault {
    router.admit(caller, key, name).await.err().unwrap_or(fault)
}

fn seal(key: &DataKey, messages: &mut [Outgoing]) {
    for message in messages {
        message.payload = key.seal(&message.payload);
    }
}

/// The bytes are not what was sent, or not what was encrypted: somebody changed them, or the keys.
fn unreadable() -> Fault {
    Fault::new(&common::INTERNAL_FAILURE, "A message's content cannot be read.")
}

fn tell_unreadable(queue: &QueueKey, delivery: &Delivery) {
    tracing::error!(target: "kew::journal", queue = %queue.arn(), id = %kew_engine::identity::uuid_text(&delivery.id),
        "a message cannot be read: it, or the keys in the data directory's folder `sealed`, are not what was written; stop Kew and run `kew doctor` on the directory, or restore it from a backup");
}
