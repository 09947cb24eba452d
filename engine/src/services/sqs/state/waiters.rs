//! Receives that wait for a message (long polls).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use hashbrown::HashMap;
use kew_wire::fault::Fault;

use super::super::command::{Receive, Reply};
use super::super::faults;
use super::super::queue::Queue;
use super::{Context, Sqs};
use crate::identity_hash::IdentityHash;
use crate::shard::Token;
use crate::time::Moment;

/// A receive that waits.
#[derive(Debug)]
struct Waiter {
    token: Token,
    receive: Receive,
    /// What its receive attempt is remembered by, if it named one on a FIFO queue.
    attempt: Option<u128>,
    until: Moment,
}

/// The waiting receives of one queue, the longest waiting first.
#[derive(Debug, Default)]
struct Line {
    /// Boxed: most lines are of one, in a map that has room for many.
    waiters: BTreeMap<u64, Box<Waiter>>,
    until: BTreeSet<(Moment, u64)>,
}

/// All waiting receives.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    lines: HashMap<u64, Line, IdentityHash>,
    /// Where each one stands: queue and number.
    places: HashMap<u64, (u64, u64), IdentityHash>,
    next: u64,
}

impl Waiters {
    fn add(&mut self, queue: u64, waiter: Waiter) {
        self.next += 1;
        let line = self.lines.entry(queue).or_default();
        line.until.insert((waiter.until, self.next));
        self.places.insert(waiter.token.0, (queue, self.next));
        line.waiters.insert(self.next, Box::new(waiter));
    }

    /// Forgets one; says which queue it waited for.
    pub(super) fn remove(&mut self, token: Token) -> Option<u64> {
        let (queue, number) = self.places.remove(&token.0)?;
        let line = self.lines.get_mut(&queue)?;
        if let Some(waiter) = line.waiters.remove(&number) {
            line.until.remove(&(waiter.until, number));
        }
        if line.waiters.is_empty() {
            self.lines.remove(&queue);
        }
        Some(queue)
    }

    fn first(&self, queue: u64) -> Option<&Waiter> {
        self.lines.get(&queue)?.waiters.first_key_value().map(|(_, waiter)| &**waiter)
    }

    /// One that repeats a receive attempt.
    fn repeating(&self, queue: u64, attempt: u128) -> Option<&Waiter> {
        self.lines
            .get(&queue)?
            .waiters
            .values()
            .map(|waiter| &**waiter)
            .find(|waiter| waiter.attempt == Some(attempt))
    }

    /// One whose time is up.
    fn expired(&self, queue: u64, now: Moment) -> Option<Token> {
        let line = self.lines.get(&queue)?;
        let (_, number) = line.until.first().filter(|(until, _)| *until <= now)?;
        line.waiters.get(number).map(|waiter| waiter.token)
    }

    /// When the next one's time is up.
    pub(super) fn next_deadline(&self, queue: u64) -> Option<Moment> {
        self.lines.get(&queue)?.until.first().map(|(until, _)| *until)
    }

    /// Takes all out: the queue and the token of each, in the order in which they came.
    pub(super) fn drain(&mut self) -> Vec<(u64, Token)> {
        self.places.clear();
        let lines = core::mem::take(&mut self.lines).into_iter();
        let each = lines.flat_map(|(queue, line)| {
            line.waiters.into_iter().map(move |(number, waiter)| (number, queue, waiter.token))
        });
        let mut all: Vec<_> = each.collect();
        all.sort_unstable();
        all.into_iter().map(|(_, queue, token)| (queue, token)).collect()
    }

    /// Takes out all that wait for one queue.
    pub(super) fn drain_queue(&mut self, queue: u64) -> Vec<Token> {
        let Some(line) = self.lines.remove(&queue) else { return Vec::new() };
        line.waiters
            .into_values()
            .map(|waiter| {
                self.places.remove(&waiter.token.0);
                waiter.token
            })
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

impl Sqs {
    /// A receive found nothing: it waits, or that is its answer.
    pub(super) fn wait(
        &mut self,
        context: &Context<'_>,
        id: u64,
        token: Token,
        receive: Receive,
    ) -> Option<Result<Reply, Fault>> {
        let Some(queue) = self.queues.get(&id) else { return Some(Err(faults::queue_does_not_exist())) };
        let wait = receive.wait.unwrap_or(queue.settings.wait);
        // The queue may have let dead letters go, and must plan when to look again.
        self.touched.push(id);
        // While messages come from disk, also a receive that does not wait stays: there is something for it.
        let thaws = self.queues.get(&id).is_some_and(Queue::thaws);
        if wait.0 == 0 && !thaws {
            self.count_empty(id);
            return Some(Ok(Reply::Received(Vec::new())));
        }
        let attempt = receive.attempt.as_deref().filter(|_| queue.fifo()).map(|text| self.attempt_key(text));
        self.waiters.add(id, Waiter { token, receive, attempt, until: context.now + wait });
        None
    }

    /// Gives what there is to those who wait.
    pub(super) fn serve_waiters(&mut self, context: &mut Context<'_>, id: u64) {
        while let Some(waiter) = self.waiters.first(id) {
            let (token, receive) = (waiter.token, waiter.receive.clone());
            if !self.serve(context, id, token, &receive) {
                break;
            }
        }
    }

    /// Lets those go whose time is up, unless something is on its way to them.
    pub(super) fn release_expired(&mut self, context: &mut Context<'_>, id: u64) {
        if self.queues.get(&id).is_some_and(Queue::thaws) {
            return;
        }
        while let Some(token) = self.waiters.expired(id, context.now) {
            self.waiters.remove(token);
            self.count_empty(id);
            context.replies.push((token, Ok(Reply::Received(Vec::new()))));
        }
    }

    /// Gives those who wait with the same receive attempt the answer that it has just been given.
    pub(super) fn repeat_to_waiters(&mut self, context: &mut Context<'_>, id: u64, attempt: u128) {
        while let Some(waiter) = self.waiters.repeating(id, attempt) {
            let (token, receive) = (waiter.token, waiter.receive.clone());
            if !self.serve(context, id, token, &receive) {
                break;
            }
        }
    }

    /// Answers one that waits, unless there is nothing for it; says whether it did.
    fn serve(&mut self, context: &mut Context<'_>, id: u64, token: Token, receive: &Receive) -> bool {
        let outcome = self.receive(context, id, receive);
        if outcome.as_ref().is_ok_and(|deliveries| deliveries.is_empty()) {
            return false;
        }
        self.waiters.remove(token);
        context.replies.push((token, outcome.map(Reply::Received)));
        true
    }

    /// Answers those who wait for a queue with nothing: who may receive from it has changed, and whoever still may asks again.
    pub(super) fn release_queue(&mut self, context: &mut Context<'_>, id: u64) {
        for token in self.waiters.drain_queue(id) {
            self.count_empty(id);
            context.replies.push((token, Ok(Reply::Received(Vec::new()))));
        }
    }

    pub(super) fn count_empty(&mut self, id: u64) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.totals.empty_receives += 1;
        }
    }
}
