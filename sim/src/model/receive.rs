//! ReceiveMessage: which messages may be handed out, in which order, and which go to the dead-letter queue instead.

use std::collections::BTreeMap;

use kew_engine::services::sqs;
use kew_engine::services::sqs::command::Delivery;
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::queue::{Attempt, FIVE_MINUTES, Id, Lease, Message, Queue, State};
use super::{Look, Model, Violation, ensure};
use crate::operation::Name;
use crate::shelf::Away;

impl Model {
    pub(super) fn received(
        &mut self,
        name: Name,
        max: usize,
        visibility: Option<u32>,
        attempt: Option<&Text>,
        reply: &Result<sqs::Reply, Fault>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let Ok(sqs::Reply::Received(deliveries)) = reply else {
            return Err(format!("expected deliveries, got {reply:?}"));
        };
        let now = self.now;
        let dead_letters =
            self.queue(name)?.attributes.redrive.filter(|(target, _)| self.queues.contains_key(target));
        let arrived = self.arrived.clone();
        let fifo_window = self.fifo_window;
        let before = self.away.get(name).cloned().unwrap_or_default();
        // What entered the window during this call may have entered for one that is answered after this one.
        let is_last = !self.waiters.iter().any(|waiter| waiter.queue == name);
        let queue = self.queue(name)?;
        let visibility = Millis::seconds(visibility.unwrap_or(queue.attributes.visibility));
        if let Some(attempt) = attempt.filter(|_| queue.fifo)
            && queue.is_repeated(attempt, deliveries, visibility, now)?
        {
            self.mark("a receive attempt is repeated");
            return Ok(());
        }

        ensure!(deliveries.len() <= max, "{} deliveries, {max} were asked for", deliveries.len());
        // What a receive may touch, split into what it hands out and what it moves away instead.
        let away = look.away(name);
        let mut receivable = queue.receivable(now);
        receivable.retain(|at| {
            let id = &queue.messages[*at].id;
            !arrived.contains(id) || deliveries.iter().any(|delivery| delivery.id == *id)
        });
        // Behind the window nothing is reached; but the window must have been filled as far as could be.
        let (out, receivable): (Vec<usize>, Vec<usize>) =
            receivable.into_iter().partition(|at| away.ids.contains(&queue.messages[*at].id));
        let is_window_full = queue.fifo && away.occupied >= fifo_window;
        let is_on_its_way = away.cold && !deliveries.is_empty();
        ensure!(
            out.is_empty() || deliveries.len() == max || is_window_full || is_on_its_way,
            "{} deliveries from {name}, {max} were asked for, and {} messages are left behind the window: {away:?}",
            deliveries.len(),
            out.len()
        );
        let (exhausted, givable): (Vec<usize>, Vec<usize>) = receivable
            .into_iter()
            .partition(|at| dead_letters.is_some() && queue.is_exhausted(&queue.messages[*at]));
        // A FIFO receive does not go back to a group for what came into the window meanwhile.
        let is_certain = |at: &&usize| {
            let message = &queue.messages[**at];
            let groups =
                || deliveries.iter().filter_map(|it| Some(&queue.messages[queue.position(&it.id)?].group));
            !queue.fifo
                || queue.was_there(message, &before)
                || (is_last && groups().all(|group| *group != message.group))
        };
        let (least, most) = (givable.iter().filter(is_certain).count().min(max), givable.len().min(max));
        ensure!(
            (least..=most).contains(&deliveries.len()),
            "expected {least} to {most} deliveries from {name} ({} receivable, {max} asked for), got {}",
            givable.len(),
            deliveries.len()
        );
        let mut given = Vec::new();
        for delivery in deliveries {
            let at = queue.position(&delivery.id).filter(|at| givable.contains(at));
            let Some(at) = at else { return Err(queue.explain(delivery, now)) };
            ensure!(!given.contains(&at), "#{} is delivered twice in one answer", queue.messages[at].body);
            given.push(at);
        }
        let mut is_fair = false;
        if queue.fifo {
            queue.check_order(&given, &givable, &before)?;
        } else {
            is_fair = queue.check_fairness(&given, &givable, &before, now)?;
            queue.check_arrival(&given, &givable, &out, now)?;
        }

        // Where the answer is full, the receive may have stopped before it met all that goes to the dead-letter queue.
        let mut moved = Vec::new();
        if !exhausted.is_empty() {
            let left: Vec<Id> = look.messages(name).iter().map(|delivery| delivery.id).collect();
            for at in exhausted {
                let message = &queue.messages[at];
                let is_left = left.contains(&message.id);
                let overtaken =
                    queue.fifo && given.iter().any(|g| *g > at && queue.messages[*g].group == message.group);
                ensure!(
                    !is_left || (deliveries.len() == max && !overtaken),
                    "#{} was received {} times; expected this receive to move it to the dead-letter queue",
                    message.body,
                    message.receives
                );
                if !is_left {
                    moved.push(message.id);
                }
            }
        }
        for (at, delivery) in given.iter().zip(deliveries) {
            queue.hand_out(*at, delivery, visibility, now)?;
        }
        if let Some(attempt) = attempt.filter(|_| queue.fifo && !deliveries.is_empty()) {
            let given = deliveries.iter().map(|delivery| (delivery.id, delivery.handle.clone())).collect();
            queue.attempts.retain(|known| known.attempt != *attempt);
            queue.attempts.push(Attempt { attempt: attempt.clone(), until: now + FIVE_MINUTES, given });
        }
        if is_fair {
            self.mark("a noisy group waits for a quiet one");
        }
        if let Some((target, _)) = dead_letters {
            self.dead_letters(name, target, moved, look)?;
        }
        Ok(())
    }

    /// Receives that wait move messages that were received too often as soon as they could be received again.
    pub(super) fn follow_dead_letters(&mut self, look: &mut dyn Look) -> Result<(), Violation> {
        let mut names: Vec<Name> = self.waiters.iter().map(|waiter| waiter.queue).collect();
        names.dedup();
        for name in names {
            let Some(queue) = self.queues.get(name) else { continue };
            let Some((target, _)) =
                queue.attributes.redrive.filter(|(target, _)| self.queues.contains_key(target))
            else {
                continue;
            };
            let exhausted: Vec<Id> = queue
                .receivable(self.now)
                .into_iter()
                .map(|at| &queue.messages[at])
                .filter(|message| queue.is_exhausted(message))
                .map(|message| message.id)
                .collect();
            if exhausted.is_empty() {
                continue;
            }
            let left: Vec<Id> = look.messages(name).iter().map(|delivery| delivery.id).collect();
            let moved = exhausted.into_iter().filter(|id| !left.contains(id)).collect();
            self.dead_letters(name, target, moved, look)?;
        }
        Ok(())
    }

    /// Messages go to the dead-letter queue, where their sequence numbers tell in which order. Within a group it is theirs.
    fn dead_letters(
        &mut self,
        from: Name,
        to: Name,
        mut moved: Vec<Id>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let shown = look.messages(to);
        let queue = self.queue(from)?;
        if queue.fifo {
            let sequence =
                |id: &Id| shown.iter().find(|shown| shown.id == *id).and_then(|shown| shown.sequence);
            moved.sort_by_key(|id| sequence(id).unwrap_or(u64::MAX));
            for (at, id) in moved.iter().enumerate() {
                let place = |id: &Id| queue.position(id).map(|at| (at, queue.messages[at].group.clone()));
                let overtaken = moved[..at].iter().find(|before| {
                    let (before, here) = (place(before), place(id));
                    before.zip(here).is_some_and(|((b, b_group), (h, h_group))| b_group == h_group && b > h)
                });
                ensure!(
                    overtaken.is_none(),
                    "dead letters of one group changed their order on the way to {to}"
                );
            }
        }
        for id in moved {
            self.dead_letter(from, to, &id, look)?;
        }
        Ok(())
    }

    /// A message goes to the dead-letter queue: id, body, SentTimestamp and receive count stay.
    fn dead_letter(&mut self, from: Name, to: Name, id: &Id, look: &mut dyn Look) -> Result<(), Violation> {
        let now = self.now;
        self.mark("a dead letter");
        self.arrived.push(*id);
        let queue = self.queue(from)?;
        let Some(at) = queue.position(id) else { return Err("a dead letter that is nowhere".to_owned()) };
        let message = queue.messages.remove(at);
        let arrived = self.arrived.clone();
        let target = self.queue(to)?;
        let shown = look.messages(to).into_iter().find(|delivery| delivery.id == *id);
        let sequence = shown.as_ref().and_then(|shown| shown.sequence);
        if target.fifo {
            let before = target.messages.iter().filter(|message| !arrived.contains(&message.id));
            let last = before.filter_map(|message| message.sequence).max();
            ensure!(sequence.is_none() || sequence > last, "sequence {sequence:?} after {last:?} in {to}");
        }
        // On a FIFO queue SentTimestamp starts afresh with retention, or stays: AWS's words allow both.
        let sent = shown.as_ref().map(|shown| shown.sent).filter(|sent| target.fifo && *sent == now);
        let delay = Millis::seconds(target.attributes.delay);
        target.arrive(Message {
            plain: false,
            sequence,
            sent: sent.unwrap_or(message.sent),
            kept_from: if target.fifo { now } else { message.kept_from },
            delayed_until: (target.fifo && delay.0 > 0).then_some(now + delay),
            lease: None,
            first_received: None,
            brought: message.receives,
            repeated: false,
            source: Some(from),
            handles: Vec::new(),
            ..message
        });
        // Several queues may have sent dead letters in this call, found out in another order.
        target.messages.sort_by_key(|message| message.sequence);
        // Retention of the dead-letter queue counts at once.
        target.advance(now);
        Ok(())
    }

    pub(super) fn peeked(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        let Ok(sqs::Reply::Received(deliveries)) = reply else {
            return Err(format!("expected messages, got {reply:?}"));
        };
        let queue = self.queue(name)?;
        for delivery in deliveries {
            if queue.expired.iter().any(|message| message.id == delivery.id) {
                // Nobody has noticed yet.
                continue;
            }
            let Some(at) = queue.position(&delivery.id) else {
                return Err(format!("{name} shows a message {:02x?} that it must not have", delivery.id));
            };
            let message = &queue.messages[at];
            let shown = (delivery.sent, delivery.receive_count, delivery.first_received, delivery.sequence);
            let expected = (message.sent, message.receives, message.first_received, message.sequence);
            ensure!(shown == expected, "expected #{} as {expected:?}, got {shown:?}", message.body);
        }
        for message in &queue.messages {
            let is_shown = deliveries.iter().any(|delivery| delivery.id == message.id);
            ensure!(is_shown, "#{} is missing from {name}", message.body);
        }
        Ok(())
    }

    /// A receive never reached its caller: its messages are as if it had not been.
    pub fn abandon(&mut self, name: Name, deliveries: &[Delivery]) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(name) else { return };
        for delivery in deliveries {
            let Some(at) = queue.position(&delivery.id) else { continue };
            let message = &mut queue.messages[at];
            let holds = message.lease.is_some_and(|lease| lease.until > now);
            // What was given out twice under one lease may have arrived the other time.
            if message.repeated || message.handles.last() != Some(&delivery.handle) || !holds {
                continue;
            }
            message.handles.pop();
            message.lease = message.lease.map(|lease| Lease { until: now, ..lease });
            message.receives -= 1;
            if message.receives == 0 {
                message.first_received = None;
            }
            queue.handles.remove(&delivery.handle);
            // The next receiver gets this handle, and it is that one's then.
            queue.attempts.retain(|known| known.given.iter().all(|(_, handle)| *handle != delivery.handle));
            // A repeated receive attempt gave the same handle to somebody else: whatever that one is told is right.
            self.old_handles.insert(delivery.handle.clone(), name);
        }
    }
}

impl Queue {
    /// Whether this answer repeats an earlier one to the same attempt, as it must while nothing of that changed.
    fn is_repeated(
        &mut self,
        attempt: &Text,
        deliveries: &[Delivery],
        visibility: Millis,
        now: Moment,
    ) -> Result<bool, Violation> {
        let Some(known) = self.attempts.iter().find(|known| known.attempt == *attempt) else {
            return Ok(false);
        };
        let holds = |(id, handle): &(Id, Text)| {
            let message = self.position(id).map(|at| &self.messages[at]);
            message.is_some_and(|m| self.state(m, now) == State::InFlight && m.handles.last() == Some(handle))
        };
        if !known.given.iter().all(holds) {
            return Ok(false);
        }
        let got: Vec<(Id, Text)> =
            deliveries.iter().map(|delivery| (delivery.id, delivery.handle.clone())).collect();
        ensure!(
            got == known.given,
            "attempt {attempt} was answered {:02x?} before, now {got:02x?}",
            known.given
        );
        for delivery in deliveries {
            let Some(at) = self.position(&delivery.id) else { continue };
            let message = &mut self.messages[at];
            ensure!(
                delivery.receive_count == message.receives,
                "#{} was received {} times, a repeated attempt says {}",
                message.body,
                message.receives,
                delivery.receive_count
            );
            message.repeated = true;
            message.lease =
                message.lease.map(|lease| Lease { began: lease.began.max(now), until: now + visibility });
        }
        Ok(true)
    }

    fn hand_out(
        &mut self,
        at: usize,
        delivery: &Delivery,
        visibility: Millis,
        now: Moment,
    ) -> Result<(), Violation> {
        ensure!(
            !self.handles.contains_key(&delivery.handle),
            "the handle {} was given out before",
            delivery.handle
        );
        ensure!(!delivery.handle.is_empty(), "a delivery without a handle");
        let fifo = self.fifo;
        let message = &mut self.messages[at];
        let first = message.first_received.unwrap_or(now);
        let got = (delivery.sent, delivery.first_received, delivery.receive_count, delivery.sequence);
        let sequence = message.sequence.or(delivery.sequence.filter(|_| fifo));
        let expected = (message.sent, Some(first), message.receives + 1, sequence);
        ensure!(
            got == expected,
            "expected #{} with (sent, first received, receives, sequence) {expected:?}, got {got:?}",
            message.body
        );
        let source = delivery.source.as_deref().map(|arn| arn.rsplit(':').next().unwrap_or(arn));
        ensure!(
            source == message.source,
            "expected #{} from {:?}, got {source:?}",
            message.body,
            message.source
        );
        message.payload = Some(delivery.payload);
        message.receives += 1;
        message.first_received = Some(first);
        message.repeated = false;
        message.lease = Some(Lease { began: now, until: now + visibility });
        message.handles.push(delivery.handle.clone());
        self.handles.insert(delivery.handle.clone(), delivery.id);
        Ok(())
    }

    /// One message group after the other, each in order and without gaps, all but the last one to its end.
    fn check_order(&self, given: &[usize], givable: &[usize], before: &Away) -> Result<(), Violation> {
        let was_there = |at: &usize| self.was_there(&self.messages[*at], before);
        let mut rest: BTreeMap<Option<&Text>, Vec<usize>> = BTreeMap::new();
        for at in givable.iter().rev() {
            rest.entry(self.messages[*at].group.as_ref()).or_default().push(*at);
        }
        let mut open: Option<Option<&Text>> = None;
        for at in given {
            let message = &self.messages[*at];
            let group = message.group.as_ref();
            if let Some(before) = open.filter(|before| *before != group) {
                // What came into the window meanwhile may have come too late.
                let is_left = rest.get(&before).is_some_and(|rest| rest.iter().any(was_there));
                ensure!(
                    !is_left,
                    "#{} of group {group:?} comes before group {before:?} is used up",
                    message.body
                );
            }
            open = Some(group);
            let next = rest.get_mut(&group).and_then(Vec::pop);
            ensure!(
                next == Some(*at),
                "#{} comes out of turn: group {group:?} has #{:?} first",
                message.body,
                next.map(|next| self.messages[next].body)
            );
        }
        Ok(())
    }

    /// Of messages that were sent without delay, and not received three times yet, the first to be sent is handed out first: among
    /// those that are reached always, and what was never received does not overtake what is not reached. Groups that hold much of
    /// what is in flight may have to wait.
    fn check_arrival(
        &self,
        given: &[usize],
        givable: &[usize],
        out: &[usize],
        now: Moment,
    ) -> Result<(), Violation> {
        let held = |group: &Option<Text>| {
            let holds =
                |message: &&Message| message.group == *group && self.state(message, now) == State::InFlight;
            self.messages.iter().filter(holds).count()
        };
        let in_turn = |at: &&usize| {
            let message = &self.messages[**at];
            message.plain
                && message.receives < 3
                && (message.group.is_none() || held(&message.group) + 10 < 30)
        };
        let given: Vec<usize> = given.iter().filter(in_turn).copied().collect();
        let waiting = givable.iter().filter(in_turn).find(|at| !given.contains(at));
        for (before, after) in given.iter().zip(given.iter().skip(1)) {
            ensure!(
                before < after,
                "#{} is handed out before #{}, which was sent first",
                self.messages[*before].body,
                self.messages[*after].body
            );
        }
        let overtakes = |at: &&usize, first: Option<&usize>| first.is_some_and(|first| first < *at);
        if let Some(at) = given.last().filter(|at| overtakes(at, waiting)) {
            let (at, first) = (&self.messages[*at], waiting.map(|first| &self.messages[*first]));
            return Err(format!("#{} is handed out while {first:?} waits, which was sent first", at.body));
        }
        let is_fresh = |at: &&usize| self.messages[**at].plain && self.messages[**at].receives == 0;
        let first_out = out.iter().find(is_fresh);
        let fresh = given.iter().rfind(is_fresh);
        ensure!(
            !fresh.is_some_and(|at| overtakes(&at, first_out)),
            "a message that was never received overtakes what is behind the window: {fresh:?} {first_out:?}"
        );
        Ok(())
    }

    /// While a quiet group waits, no message of a noisy one is handed out. True if there was such a choice.
    fn check_fairness(
        &self,
        given: &[usize],
        givable: &[usize],
        before: &Away,
        now: Moment,
    ) -> Result<bool, Violation> {
        let was_there = |at: &usize| self.was_there(&self.messages[*at], before);
        let in_flight: Vec<&Message> =
            self.messages.iter().filter(|message| self.state(message, now) == State::InFlight).collect();
        let held =
            |group: &Text| in_flight.iter().filter(|message| message.group.as_ref() == Some(group)).count();
        // Noisy, or quiet, whatever the same receive hands out besides.
        let is_noisy = |at: &usize| {
            let group = self.messages[*at].group.as_ref();
            group.is_some_and(|group| held(group) >= 30 && held(group) * 10 > in_flight.len() + 10)
        };
        let is_quiet =
            |at: &usize| self.messages[*at].group.as_ref().is_none_or(|group| held(group) + 10 < 30);
        let noisy = given.iter().find(|at| is_noisy(at));
        // What came into the window meanwhile may have come too late.
        let waits = givable.iter().find(|at| !given.contains(at) && is_quiet(at) && was_there(at));
        if let (Some(noisy), Some(waits)) = (noisy, waits) {
            let (noisy, waits) = (&self.messages[*noisy], &self.messages[*waits]);
            return Err(format!(
                "#{} of the noisy group {:?} is handed out while #{} of a quiet one waits",
                noisy.body, noisy.group, waits.body
            ));
        }
        Ok(given.iter().any(is_quiet) && givable.iter().any(|at| !given.contains(at) && is_noisy(at)))
    }

    /// Why a delivery must not be.
    fn explain(&self, delivery: &Delivery, now: Moment) -> Violation {
        match self.position(&delivery.id) {
            Some(at) => {
                let message = &self.messages[at];
                let state = self.state(message, now);
                format!("#{} must not be delivered now ({state:?} at {}): {message:?}", message.body, now.0)
            }
            None => {
                format!("a delivery of {:02x?}, which {} does not have: {delivery:?}", delivery.id, self.name)
            }
        }
    }
}
