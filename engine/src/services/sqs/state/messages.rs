//! Sending, deleting, and changing visibility.

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::super::command::{Delivery, Locator, Outgoing, Receipt, Reply};
use super::super::event::{Event, Sent};
use super::super::handle::Handle;
use super::super::queue::{Original, State};
use super::super::settings::DeduplicationScope;
use super::super::{faults, limits};
use super::{Context, Sqs};
use crate::time::{Millis, Moment};

impl Sqs {
    pub(super) fn send(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        messages: Vec<Outgoing>,
        batch: bool,
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        if queue.fifo() {
            // A FIFO queue takes all of a batch or, if one entry breaks a rule, nothing: order would suffer.
            if queue.remembered() + messages.len() > self.config.remembered {
                return Err(faults::throttled());
            }
            for message in &messages {
                let max = queue.settings.maximum_message_size;
                if message.size > max as usize {
                    return Err(faults::message_too_long(max));
                }
                if message.dedup.is_none() && !queue.settings.content_based_deduplication {
                    return Err(faults::deduplication_id_needed());
                }
            }
        }
        let outcomes =
            messages.into_iter().map(|message| self.send_one(context, id, message, batch)).collect();
        Ok(Reply::Sent(outcomes))
    }

    fn send_one(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        message: Outgoing,
        batch: bool,
    ) -> Result<Receipt, Fault> {
        let now = context.now;
        let Some(queue) = self.queues.get(&id) else { return Err(faults::queue_does_not_exist()) };
        let max = queue.settings.maximum_message_size;
        if message.size > max as usize {
            return Err(if batch {
                faults::batch_message_too_long(max)
            } else {
                faults::message_too_long(max)
            });
        }
        let fifo = queue.fifo();
        let dedup = if fifo { self.deduplication_key(id, &message) } else { None };
        let queue = self.queues.get_mut(&id).ok_or_else(faults::queue_does_not_exist)?;
        if let Some(Original { seq, id }) = dedup.and_then(|key| queue.original(key, now)) {
            queue.totals.deduplicated += 1;
            return Ok(Receipt { id, sequence: Some(seq) });
        }
        // On a FIFO queue the delay is the queue's, for all alike; it is not a matter of the message.
        let delay = if fifo { Millis(0) } else { message.delay.unwrap_or(queue.settings.delay) };
        if delay.0 > 0 && queue.delayed(now) >= self.config.delayed as u64 {
            return Err(faults::throttled());
        }
        queue.totals.sent += 1;
        queue.totals.sent_bytes += message.size as u64;
        let mut sent = Sent {
            queue: id,
            seq: self.next_number(now),
            id: context.seed.next_uuid(),
            due: now + delay,
            group: self.group(message.group.as_deref()),
            dedup,
            payload: Locator { position: 0, length: 0 },
        };
        context.facts.put_sent(now, &mut sent, &message.payload);
        let applied = self.apply_sent(now, &sent);
        debug_assert!(applied.is_ok(), "the queue was just found");
        Ok(Receipt { id: sent.id, sequence: fifo.then_some(sent.seq) })
    }

    /// What recognises a second sending of the same message.
    fn deduplication_key(&self, queue: u64, message: &Outgoing) -> Option<u128> {
        let scope = self.queues.get(&queue)?.settings.effective_scope;
        let group = match scope {
            DeduplicationScope::Queue => &[][..],
            DeduplicationScope::MessageGroup => message.group.as_deref()?.as_bytes(),
        };
        let mut hex = [0; 64];
        let id = match (&message.dedup, &message.digest) {
            (Some(id), _) => id.as_bytes().as_ref(),
            (None, Some(digest)) => {
                for (index, byte) in digest.iter().enumerate() {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    hex[2 * index] = DIGITS[usize::from(byte >> 4)];
                    hex[2 * index + 1] = DIGITS[usize::from(byte & 15)];
                }
                &hex[..]
            }
            (None, None) => return None,
        };
        Some(self.hash(&[group, id]))
    }

    pub(super) fn delete(&mut self, context: &mut Context<'_>, id: u64, handles: &[Text]) -> Reply {
        let mut outcomes = Vec::with_capacity(handles.len());
        let mut seqs = Vec::with_capacity(handles.len());
        for text in handles {
            let outcome = self.may_delete(id, text);
            // A message named twice in one batch is deleted once.
            if let Ok(Some(seq)) = outcome
                && !seqs.contains(&seq)
            {
                seqs.push(seq);
            }
            outcomes.push(outcome.map(drop));
        }
        if !seqs.is_empty() {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.totals.deleted += seqs.len() as u64;
            }
            self.record(context, Event::Deleted { queue: id, seqs });
        }
        Reply::Entries(outcomes)
    }

    /// The message that a delete concerns; `None` if there is nothing left to do.
    fn may_delete(&self, id: u64, text: &Text) -> Result<Option<u64>, Fault> {
        let handle = self.open(id, text)?;
        let Some(queue) = self.queues.get(&id) else { return Ok(None) };
        let Some(held) = queue.held(handle.seq) else { return Ok(None) };
        let latest = held.entry.receives == handle.lease;
        if queue.fifo() && !(latest && matches!(held.state, State::InFlight { .. })) {
            return Err(faults::receipt_handle_expired(text));
        }
        // An older handle of a standard queue's message is no error, but only the latest deletes.
        Ok(latest.then_some(handle.seq))
    }

    pub(super) fn change_visibility(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        changes: &[(Text, Millis)],
    ) -> Reply {
        let outcomes = changes.iter().map(|(text, timeout)| {
            let (seq, deadline) = self.may_change(context.now, id, text, *timeout)?;
            self.record(context, Event::DeadlineSet { queue: id, seq, deadline });
            Ok(())
        });
        Reply::Entries(outcomes.collect())
    }

    /// The message whose lease changes, and the lease's new end.
    fn may_change(&self, now: Moment, id: u64, text: &Text, timeout: Millis) -> Result<(u64, Moment), Fault> {
        let handle = self.open(id, text)?;
        let queue = self.queues.get(&id).ok_or_else(faults::queue_does_not_exist)?;
        let held = queue.held(handle.seq).ok_or_else(|| faults::message_not_available(text))?;
        let in_flight = matches!(held.state, State::InFlight { .. });
        // On a standard queue AWS takes any handle that the message ever had, also when its timeout has passed.
        if queue.fifo() && (held.entry.receives != handle.lease || !in_flight) {
            return Err(faults::message_not_in_flight());
        }
        let deadline = now + timeout;
        if deadline > held.leased + limits::VISIBILITY_MAX {
            return Err(faults::visibility_beyond_limit(timeout.0 / 1000));
        }
        Ok((handle.seq, deadline))
    }

    /// Takes receives back whose answers did not reach their callers.
    pub(crate) fn abandon(&mut self, context: &mut Context<'_>, deliveries: &[Delivery]) {
        // What was given out twice may have arrived the first time.
        for delivery in deliveries {
            let Some(handle) = Handle::open(&delivery.handle, self.secret.unwrap_or_default()) else {
                continue;
            };
            let Some(queue) = self.queues.get_mut(&handle.queue) else { continue };
            queue.advance(context.now);
            let current = queue.held(handle.seq).is_some_and(|held| {
                // What was given out twice under one lease may have arrived the other time.
                let ours = held.entry.receives == handle.lease && !held.repeated;
                ours && matches!(held.state, State::InFlight { .. })
            });
            if current {
                self.record(context, Event::LeaseUndone { queue: handle.queue, seq: handle.seq });
            }
        }
        self.settle(context);
    }

    fn open(&self, id: u64, text: &Text) -> Result<Handle, Fault> {
        let handle = Handle::open(text, self.secret.unwrap_or_default());
        let handle = handle.ok_or_else(|| faults::receipt_handle_invalid(text))?;
        if handle.queue != id {
            return Err(faults::receipt_handle_of_other_queue(text));
        }
        Ok(handle)
    }
}
