//! Which queues there are: creating, finding, changing and deleting them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::super::command::{Page, QueueKey, Reply, Tags};
use super::super::event::{Event, own};
use super::super::queue::Queue;
use super::super::settings::{Change, Changes, Redrive, RedriveAllow, Settings};
use super::super::{address, faults, limits, policy};
use super::access::Wish;
use super::{Context, Sqs};
use crate::codec::Malformed;
use crate::identity::Caller;
use crate::time::Moment;
use crate::transfer::Known;

impl Sqs {
    pub(super) fn create(
        &mut self,
        context: &mut Context<'_>,
        caller: &Caller,
        key: QueueKey,
        changes: Changes,
        tags: Tags,
    ) -> Result<Reply, Fault> {
        self.admit_create(&Wish { tags: &tags, ..Wish::new(caller, "CreateQueue", context.now) }, &key)?;
        if let Some(queue) = self.names.get(&key).and_then(|id| self.queues.get(id)) {
            return match changes.differing(&queue.settings) {
                Some(attribute) => Err(faults::queue_name_exists(attribute)),
                None => Ok(Reply::Done),
            };
        }
        if self.deleted_recently(&key, context.now) {
            return Err(faults::queue_deleted_recently());
        }
        let settings = Settings::create(key.is_fifo(), &changes);
        settings.check()?;
        if let Some(redrive) = changes.redrive() {
            self.check_redrive(&context.known, &key, redrive)?;
        }
        if tags.len() > limits::TAGS {
            return Err(faults::too_many_tags(&key.name));
        }
        self.news.push((key.clone().own(), true));
        self.record(context, Event::Created { queue: self.next_queue, key, changes: changes.own(), tags });
        Ok(Reply::Done)
    }

    pub(super) fn apply_created(
        &mut self,
        now: Moment,
        id: u64,
        key: QueueKey,
        changes: &Changes,
        tags: Tags,
    ) -> Result<(), Malformed> {
        if self.queues.contains_key(&id) || self.names.contains_key(&key) {
            return Err(Malformed);
        }
        let (settings, key) = (Settings::create(key.is_fifo(), changes), key.own());
        let mut queue = Queue::new(id, key.clone(), settings, now, &self.config, self.windows);
        queue.tags = tags.into_iter().map(|(key, value)| (own(key), own(value))).collect();
        self.next_queue = self.next_queue.max(id + 1);
        self.deleted.remove(&key);
        self.names.insert(key, id);
        self.queues.insert(id, queue);
        self.touched.push(id);
        Ok(())
    }

    pub(super) fn remove(&mut self, context: &mut Context<'_>, id: u64) -> Result<Reply, Fault> {
        self.news.extend(self.queues.get(&id).map(|queue| (queue.key.clone(), false)));
        self.record(context, Event::Removed { queue: id });
        for token in self.waiters.drain_queue(id) {
            context.replies.push((token, Err(faults::queue_does_not_exist())));
        }
        Ok(Reply::Done)
    }

    pub(super) fn apply_removed(&mut self, now: Moment, id: u64) -> Result<(), Malformed> {
        let mut queue = self.queues.remove(&id).ok_or(Malformed)?;
        queue.purge(now);
        self.change_chunks(core::mem::take(&mut queue.chunk_changes));
        self.names.remove(&queue.key);
        self.wakes.remove(&(queue.wake, id));
        self.tasks.remove(&id);
        self.outbox.cut_off(id);
        self.deleted.retain(|_, at| now - *at < limits::RECREATE_WAIT);
        self.deleted.insert(queue.key, now);
        Ok(())
    }

    pub(super) fn list(&self, caller: &Caller, prefix: &Text, page: &Page) -> Reply {
        let first = QueueKey { account: caller.account, region: caller.region.clone(), name: prefix.clone() };
        let names = self.names.range((Bound::Included(first), Bound::Unbounded)).map(|(key, _)| key);
        let ours = names.take_while(|key| {
            key.account == caller.account && key.region == caller.region && key.name.starts_with(&**prefix)
        });
        Self::page(ours.cloned(), page)
    }

    /// The queues that name this one as their dead-letter queue.
    pub(super) fn sources(&self, target: &QueueKey, page: &Page) -> Reply {
        let sources =
            self.names.iter().filter(|(_, id)| self.targets(**id, target)).map(|(key, _)| key.clone());
        Self::page(sources, page)
    }

    /// The queues whose dead letters ever came to this one.
    pub(super) fn origins(&self, of: &QueueKey) -> Vec<QueueKey> {
        let queue = self.names.get(of).and_then(|id| self.queues.get(id));
        let arns = queue.map_or(&[][..], Queue::sources);
        // Of what was written by us every ARN is a queue's.
        arns.iter().filter_map(|arn| address::from_arn(arn).ok()).collect()
    }

    /// Whether a queue names `target` as its dead-letter queue.
    pub(super) fn targets(&self, id: u64, target: &QueueKey) -> bool {
        let redrive = self.queues.get(&id).and_then(|queue| queue.settings.redrive.as_ref());
        redrive.is_some_and(|redrive| redrive.target == *target)
    }

    /// Whether any queue names this one as its dead-letter queue.
    pub(super) fn is_dead_letter_queue(&self, key: &QueueKey) -> bool {
        self.queues.keys().any(|id| self.targets(*id, key))
    }

    pub(super) fn change(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        changes: Changes,
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        queue.settings.with(&changes).check()?;
        if let Some(redrive) = changes.redrive() {
            self.check_redrive(&context.known, &queue.key, redrive)?;
        }
        let is_policy = changes.iter().any(|change| matches!(change, Change::Policy(_)));
        self.record(context, Event::Changed { queue: id, changes: changes.own() });
        if is_policy {
            self.release_queue(context, id);
        }
        Ok(Reply::Done)
    }

    /// A dead-letter queue must exist, be of the same kind, account and region, and let this queue use it.
    fn check_redrive(&self, known: &Known, source: &QueueKey, redrive: &Redrive) -> Result<(), Fault> {
        let target = &redrive.target;
        if target.is_fifo() != source.is_fifo() {
            return Err(faults::dead_letter_target_type(&redrive.text));
        }
        // A queue may name itself, also while it is being created.
        if target == source {
            return Ok(());
        }
        let same_place = target.account == source.account && target.region == source.region;
        let here = self.names.get(target).and_then(|id| self.queues.get(id)).map(|queue| {
            let forbids = |allow: &RedriveAllow| !allow.allows(&source.arn());
            queue.settings.redrive_allow.as_ref().is_some_and(forbids)
        });
        let there = || known.target.as_ref().map(|peer| peer.forbids);
        let found = here.or_else(there).filter(|_| same_place);
        if found.ok_or_else(|| faults::dead_letter_target_missing(&redrive.text))? {
            return Err(faults::dead_letter_target_forbids(&redrive.text));
        }
        Ok(())
    }

    pub(super) fn tag(&mut self, context: &mut Context<'_>, id: u64, tags: Tags) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        let new: BTreeMap<_, _> =
            tags.iter().filter(|(key, _)| !queue.tags.contains_key(key)).cloned().collect();
        if queue.tags.len() + new.len() > limits::TAGS {
            return Err(faults::too_many_tags(&queue.key.name));
        }
        let tags: Vec<_> = tags.into_iter().map(|(key, value)| (own(key), own(value))).collect();
        self.record(context, Event::Tagged { queue: id, tags });
        self.release_queue(context, id);
        Ok(Reply::Done)
    }

    pub(super) fn untag(&mut self, context: &mut Context<'_>, id: u64, keys: Vec<Text>) -> Reply {
        self.record(context, Event::Untagged { queue: id, keys });
        self.release_queue(context, id);
        Reply::Done
    }

    pub(super) fn permit(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        label: &Text,
        accounts: &[Text],
        actions: &[Text],
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        let policy = queue.settings.policy.as_deref();
        let policy = policy::permit(policy, &queue.key.arn(), label, accounts, actions)?;
        self.set_policy(context, id, Some(policy))
    }

    pub(super) fn forbid(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        label: &Text,
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        let policy = policy::forbid(queue.settings.policy.as_deref(), label)?;
        self.set_policy(context, id, policy)
    }

    fn set_policy(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        policy: Option<Text>,
    ) -> Result<Reply, Fault> {
        let mut changes = Changes::default();
        changes.push(Change::Policy(policy));
        self.record(context, Event::Changed { queue: id, changes });
        self.release_queue(context, id);
        Ok(Reply::Done)
    }

    pub(super) fn purge(&mut self, context: &mut Context<'_>, id: u64) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        if self.config.waits && queue.purged.is_some_and(|at| context.now - at < limits::PURGE_WAIT) {
            return Err(faults::purge_in_progress(&queue.key.name));
        }
        self.record(context, Event::Purged { queue: id });
        Ok(Reply::Done)
    }
}
