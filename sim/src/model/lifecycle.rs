//! Queues as such: made, changed, purged, tagged, listed, shown, deleted.

use kew_engine::services::sqs;
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::command::{Delivery, View};
use kew_engine::services::sqs::settings::DeduplicationScope;
use kew_engine::services::sqs::stats::QueueStats;
use kew_engine::time::{Millis, Moment};
use kew_wire::fault::Fault;

use super::queue::{Attributes, Message, Queue, State};
use super::{Look, Model, Violation, ensure, expect_done, expect_fault};
use crate::operation::{Name, Setting, is_fifo, name_of};
use crate::shelf::Away;

/// How long a purge or a deletion forbids the next.
const A_MINUTE: Millis = Millis::seconds(60);

impl Model {
    pub(super) fn created(
        &mut self,
        name: Name,
        settings: &[Setting],
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let now = self.now;
        let mut faults = Vec::new();
        if !self.is_redrive_allowed(name, settings) {
            faults.push("InvalidParameterValueException");
        }
        if let Some(queue) = self.queues.get(name) {
            let mut wanted = queue.attributes.clone();
            settings.iter().for_each(|setting| wanted.set(setting));
            if wanted == queue.attributes {
                // Equal attributes: whether the dead-letter queue is still there does not matter.
                return if reply.is_err() && !faults.is_empty() {
                    expect_fault(reply, &faults)
                } else {
                    expect_done(reply)
                };
            }
            faults.push("QueueNameExists");
        } else if self.waits && self.deleted.get(name).is_some_and(|deleted| *deleted + A_MINUTE > now) {
            faults.push("QueueDeletedRecently");
        }
        if !faults.is_empty() {
            return expect_fault(reply, &faults);
        }
        expect_done(reply)?;
        let mut attributes = Attributes::default();
        settings.iter().for_each(|setting| attributes.set(setting));
        self.queues.insert(name, Queue::new(name, attributes, now));
        Ok(())
    }

    /// A dead-letter queue must exist and be of the source's type.
    fn is_redrive_allowed(&self, name: Name, settings: &[Setting]) -> bool {
        settings.iter().all(|setting| match setting {
            Setting::Redrive(Some((target, _))) => {
                (self.queues.contains_key(target) || *target == name) && is_fifo(target) == is_fifo(name)
            }
            _ => true,
        })
    }

    pub(super) fn removed(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        expect_done(reply)?;
        if let Some(queue) = self.queues.remove(name) {
            self.old_handles.extend(queue.handles.into_keys().map(|handle| (handle, name)));
        }
        self.deleted.insert(name, self.now);
        // A queue's move tasks go with it.
        self.moves.retain(|task| task.source != name);
        Ok(())
    }

    pub(super) fn reset(&mut self, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        expect_done(reply)?;
        let names: Vec<Name> = self.queues.keys().copied().collect();
        for name in names {
            self.removed(name, reply)?;
        }
        self.deleted.clear();
        self.release();
        self.mark("everything is forgotten");
        Ok(())
    }

    pub(super) fn purged(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        let (now, waits) = (self.now, self.waits);
        let queue = self.queue(name)?;
        if waits && queue.purged.is_some_and(|purged| purged + A_MINUTE > now) {
            return expect_fault(reply, &["PurgeQueueInProgress"]);
        }
        expect_done(reply)?;
        queue.purged = Some(now);
        queue.messages.clear();
        queue.expired.clear();
        queue.remembered.clear();
        queue.attempts.clear();
        Ok(())
    }

    pub(super) fn changed(
        &mut self,
        name: Name,
        settings: &[Setting],
        reply: &Result<sqs::Reply, Fault>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let now = self.now;
        if !self.is_redrive_allowed(name, settings) {
            return expect_fault(reply, &["InvalidParameterValueException"]);
        }
        expect_done(reply)?;
        let queue = self.queue(name)?;
        settings.iter().for_each(|setting| queue.attributes.set(setting));
        queue.modified = now;
        queue.advance(now);
        queue.look_behind(&look.messages(name), &look.away(name), now);
        Ok(())
    }

    pub(super) fn tagged(
        &mut self,
        name: Name,
        key: &str,
        value: Option<&str>,
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        expect_done(reply)?;
        self.release_from(name);
        let tags = &mut self.queue(name)?.tags;
        match value {
            Some(value) => tags.insert(key.to_owned(), value.to_owned()),
            None => tags.remove(key),
        };
        Ok(())
    }

    pub(super) fn tags(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        let Ok(sqs::Reply::Tags(got)) = reply else { return Err(format!("expected tags, got {reply:?}")) };
        let expected = &self.queue(name)?.tags;
        let same =
            expected.iter().map(|(key, value)| (&**key, &**value)).eq(got.iter().map(|(k, v)| (&**k, &**v)));
        ensure!(same, "expected {expected:?}, got {got:?}");
        Ok(())
    }

    pub(super) fn listed(
        &mut self,
        prefix: &str,
        max: usize,
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let all: Vec<Name> = self.queues.keys().copied().filter(|name| name.starts_with(prefix)).collect();
        expect_names(&all, max, reply)
    }

    pub(super) fn sources(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        let is_source = |queue: &&Queue| queue.attributes.redrive.is_some_and(|(target, _)| target == name);
        let all: Vec<Name> = self.queues.values().filter(is_source).map(|queue| queue.name).collect();
        expect_names(&all, usize::MAX, reply)
    }

    pub(super) fn viewed(
        &mut self,
        name: Name,
        reply: &Result<sqs::Reply, Fault>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let Ok(sqs::Reply::View(view)) = reply else { return Err(format!("expected a view, got {reply:?}")) };
        let now = self.now;
        let queue = self.queue(name)?;
        let mut counts = [State::Ready, State::InFlight, State::Delayed].map(|state| queue.count(state, now));
        counts[0] += queue.lingering(&look.away(name)).count() as u64;
        ensure!(
            counts == [view.visible, view.in_flight, view.delayed],
            "expected {name} to have {counts:?} messages (visible, in flight, delayed), got {:?}",
            [view.visible, view.in_flight, view.delayed]
        );
        let shown = shown_attributes(view);
        ensure!(shown == queue.attributes, "expected {:?}, got {shown:?}", queue.attributes);
        let times = (view.created.seconds(), view.modified.seconds());
        let expected = (queue.created.seconds(), queue.modified.seconds());
        ensure!(times == expected, "expected created and modified at {expected:?}, got {times:?}");
        Ok(())
    }
}

impl Model {
    /// Judges the figures that metrics show.
    pub fn check_stats(&self, rows: &[QueueStats], look: &mut dyn Look) -> Result<(), Violation> {
        ensure!(
            rows.len() == self.queues.len(),
            "expected figures of {} queues, got {rows:?}",
            self.queues.len()
        );
        for (row, queue) in rows.iter().zip(self.queues.values()) {
            let count = |state| queue.count(state, self.now);
            let away = look.away(queue.name);
            let lingering = queue.lingering(&away).count() as u64;
            let oldest = queue.messages.iter().map(|message| message.kept_from).min();
            // Dead letters that wait behind the window may be older than what is in front of them.
            let (got_oldest, oldest) = if away.ids.is_empty() { (row.oldest, oldest) } else { (None, None) };
            let mut groups: Vec<_> = queue
                .messages
                .iter()
                .filter(|m| queue.state(m, self.now) == State::InFlight)
                .map(|m| &m.group)
                .collect();
            groups.sort_unstable();
            groups.dedup();
            let got = (name_of(&row.key), row.visible, row.in_flight, row.delayed, got_oldest);
            let expected = (
                Some(queue.name),
                count(State::Ready) + lingering,
                count(State::InFlight),
                count(State::Delayed),
                oldest,
            );
            ensure!(
                got == expected,
                "expected figures (queue, visible, in flight, delayed, oldest) {expected:?}, got {got:?}"
            );
            ensure!(
                !queue.fifo || row.groups_in_flight == groups.len() as u64,
                "expected {} groups in flight in {}, got {}",
                groups.len(),
                queue.name,
                row.groups_in_flight
            );
        }
        Ok(())
    }
}

impl Queue {
    /// New attributes count for what waits behind the window as the engine says: AWS lets a new delay of a FIFO queue count for
    /// messages that are in it, and nobody has noticed yet what has expired there.
    fn look_behind(&mut self, shown: &[Delivery], away: &Away, now: Moment) {
        let retention = Millis::seconds(self.attributes.retention);
        let is_back = |message: &mut Message| {
            let lasts = message.kept_from + retention > now;
            lasts && shown.iter().any(|shown| shown.id == message.id)
        };
        let back: Vec<Message> = self.expired.extract_if(.., is_back).collect();
        self.expired.retain(|message| message.kept_from + retention <= now);
        self.messages.extend(back);
        self.messages.sort_by_key(|message| message.sequence.unwrap_or(message.order));
        let delay = Millis::seconds(self.attributes.delay);
        for message in
            self.messages.iter_mut().filter(|message| self.fifo && away.beyond.contains(&message.id))
        {
            message.delayed_until = Some(message.kept_from + delay).filter(|until| *until > now);
        }
    }
}

/// A view's settings in the model's words.
fn shown_attributes(view: &View) -> Attributes {
    let settings = &view.settings;
    let seconds = |value: Millis| (value.0 / 1000) as u32;
    let redrive = settings.echo().into_iter().find(|(name, _)| *name == "RedrivePolicy");
    Attributes {
        delay: seconds(settings.delay),
        visibility: seconds(settings.visibility),
        retention: seconds(settings.retention),
        wait: seconds(settings.wait),
        maximum_size: settings.maximum_message_size,
        redrive: redrive.and_then(|(_, text)| crate::speech::read_redrive(&text)),
        content_dedup: settings.content_based_deduplication,
        group_scope: settings.deduplication_scope == DeduplicationScope::MessageGroup,
    }
}

fn expect_names(all: &[Name], max: usize, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
    let Ok(sqs::Reply::Names { keys, more }) = reply else {
        return Err(format!("expected names, got {reply:?}"));
    };
    let got: Vec<&str> = keys.iter().map(|key: &QueueKey| &*key.name).collect();
    let expected = &all[..all.len().min(max)];
    ensure!(got == expected, "expected {expected:?}, got {got:?}");
    ensure!(*more == (all.len() > max), "expected more={}, got {more}", all.len() > max);
    Ok(())
}
