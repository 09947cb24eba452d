//! Steps one shard against one journal: takes calls from the mailbox, hands batches to the flusher, lets answers go once
//! they are true on disk. A task of one worker; it never blocks.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::BuildHasherDefault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use kew_engine::cold::Thaw;
use kew_engine::services::sqs::command::{Action, Delivery, QueueAction};
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::{Command, Reply, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_journal::Snapshot;
use kew_store::{Opened, Source};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::flusher::{Flusher, Job, Report};
use crate::limits;
use crate::mailbox::{Answer, Call, Gone, Mailbox, Refusal, deliveries};
use crate::meters::ShardMeters;
use crate::peers::Peers;
use crate::random::Random;
use crate::retirement::Retirer;
use crate::sse::Queues;

mod gathering;

use gathering::Gathering;

/// What a runner shares with the rest of the server.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) meters: Arc<ShardMeters>,
    /// Is told how queues want their messages encrypted.
    pub(crate) encryption: Arc<Queues>,
}

/// One shard's runner.
pub(crate) struct Runner {
    around: Surroundings,
    mailbox: Mailbox,
    flusher: Flusher,
    reports: mpsc::UnboundedReceiver<Report>,
    /// The shard and its journal's reader; `None` while the journal is being opened again.
    open: Option<Opened>,
    /// What could not be read from a cold file the last time.
    unread: Option<Thaw>,
    /// The last opening that it heard of.
    opening: u64,
    /// Who waits for what.
    waiting: HashMap<Token, Waiting, BuildHasherDefault<TokenHasher>>,
    /// A batch is on its way to disk.
    flushing: bool,
    /// When the next one goes there.
    gathering: Gathering,
    /// What gathered waits for more, while others run.
    holding: bool,
    retirer: Retirer,
    /// The state at the end of the batch on its way to disk, if it is to be saved.
    state: Option<Snapshot>,
    peers: Peers,
    /// The disk has no room for more messages.
    full: bool,
    sleep: Pin<Box<Sleep>>,
    /// When `sleep` ends: at the next deadline at the latest. Real time, because the engine's can be moved.
    alarm: Option<Instant>,
    stopping: Option<oneshot::Sender<()>>,
    taken: Vec<Call>,
}

/// Where an answer goes.
type Waiting = oneshot::Sender<Result<Answer, Refusal>>;

impl Surroundings {
    /// Now, and a fresh seed.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { now: self.clock.now(), seed: self.random.next() }
    }
}

impl Runner {
    /// A runner of the shard that `opened` holds.
    pub(crate) fn new(
        around: Surroundings,
        mailbox: Mailbox,
        flusher: Flusher,
        reports: mpsc::UnboundedReceiver<Report>,
        retirer: Retirer,
        peers: Peers,
        opened: Opened,
    ) -> Self {
        around.encryption.learn_all(&opened.shard);
        Self {
            mailbox,
            flusher,
            reports,
            retirer,
            state: None,
            peers,
            around,
            unread: None,
            opening: opened.opening,
            open: Some(opened),
            waiting: HashMap::default(),
            flushing: false,
            gathering: Gathering::default(),
            holding: false,
            full: false,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            alarm: None,
            stopping: None,
            taken: Vec::with_capacity(limits::TAKE),
        }
    }

    /// Runs until stopped: everything that waits is answered, and what was decided is on disk.
    pub(crate) async fn run(mut self) {
        // Recovery may have left deadlines that are due.
        self.advance();
        loop {
            poll_fn(|context| self.poll_guarded(context)).await;
            if self.stopping.is_some() && !self.flushing {
                break;
            }
            if self.holding {
                tokio::task::yield_now().await;
            }
        }
        self.end();
    }

    /// Does whatever there is to do. A panic in the engine is an error of ours: its state is dropped, as after a failed
    /// write, and rebuilt from what is true on disk.
    fn poll_guarded(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let work = AssertUnwindSafe(|| {
            let poll = self.poll_work(context);
            if poll.is_ready() {
                self.advance();
            }
            poll
        });
        catch_unwind(work).unwrap_or_else(|_| {
            tracing::error!(
                "a request met an error in Kew itself (printed above); rebuilding the state from the journal"
            );
            self.drop_state(Refusal::Unavailable);
            self.flusher.send(Job::Reopen { opening: self.opening });
            Poll::Ready(())
        })
    }

    /// Takes in whatever has happened; ready if anything has, or something is held back.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut work = std::mem::take(&mut self.holding);
        while let Poll::Ready(report) = self.reports.poll_recv(context) {
            let Some(report) = report else { end_without_flusher() };
            self.handle_report(report);
            work = true;
        }
        while let Poll::Ready(Some(gone)) = self.mailbox.gone.poll_recv(context) {
            self.handle_gone(gone);
            work = true;
        }
        // Before the calls: whoever calls because of the news finds it known.
        while let Poll::Ready(Some(news)) = self.mailbox.news.poll_recv(context) {
            if let Some(open) = &mut self.open {
                open.shard.tell_elsewhere(news.key, news.shard);
            }
            work = true;
        }
        let mut taken = std::mem::take(&mut self.taken);
        // What other shards ask is little, and others wait for it: it comes first.
        while let Poll::Ready(Some(call)) = self.mailbox.peers.poll_recv(context) {
            taken.push(call);
        }
        if !taken.is_empty() {
            self.submit(&mut taken);
            work = true;
        }
        if let Poll::Ready(count @ 1..) = self.mailbox.calls.poll_recv_many(context, &mut taken, limits::TAKE)
        {
            self.gathering.came(count);
            self.submit(&mut taken);
            work = true;
        }
        self.taken = taken;
        while let Poll::Ready(Some(order)) = self.mailbox.backups.poll_recv(context) {
            // Without a journal the order is dropped, and whoever gave it told so.
            if let Some(open) = &self.open {
                self.retirer.back_up(order, &open.source, &open.snapshots);
            }
            work = true;
        }
        // Behind the calls: whoever asked before is answered.
        if let Poll::Ready(Some(done)) = self.mailbox.stop.poll_recv(context) {
            self.begin_stop(done);
            work = true;
        }
        if self.alarm.is_some() && self.sleep.as_mut().poll(context).is_ready() {
            self.alarm = None;
            work = true;
        }
        if work { Poll::Ready(()) } else { Poll::Pending }
    }

    fn submit(&mut self, calls: &mut Vec<Call>) {
        let now = self.around.clock.now();
        for call in calls.drain(..) {
            if let Some(refusal) = self.refusal(&call.command) {
                // The caller may have gone; then nobody needs to know.
                let _ = call.answer.send(Err(refusal));
                continue;
            }
            let Some(open) = &mut self.open else { continue };
            self.waiting.insert(call.token, call.answer);
            let stamp = Stamp { now, seed: self.around.random.next() };
            let settled = settles(&call.command).cloned();
            open.shard.submit(stamp, call.token, call.command);
            if let Some(key) = settled {
                self.around.encryption.learn(&key, open.shard.encryption(&key));
            }
        }
    }

    fn refusal(&self, command: &Command) -> Option<Refusal> {
        if self.stopping.is_some() {
            return Some(Refusal::Stopping);
        }
        if self.mailbox.is_damaged() {
            return Some(Refusal::Damaged);
        }
        let Some(open) = &self.open else { return Some(Refusal::Unavailable) };
        if self.full && grows(command, &open.shard) {
            return Some(Refusal::DiskFull);
        }
        (open.shard.open_bytes() > limits::OPEN_BATCH_BYTES).then_some(Refusal::Busy)
    }

    fn handle_gone(&mut self, gone: Gone) {
        let stamp = self.around.stamp();
        let Some(open) = &mut self.open else { return };
        match gone {
            Gone::Waiting(token) => {
                let before = open.shard.waiting();
                open.shard.cancel(token);
                // If it waits no longer, its answer is on its way: that fails to be sent, and is undone there.
                if open.shard.waiting() < before {
                    self.waiting.remove(&token);
                }
            }
            Gone::Holding(deliveries) => open.shard.abandon(stamp, &deliveries),
        }
    }

    fn handle_report(&mut self, report: Report) {
        if self.mailbox.is_damaged() {
            // Not even if the journal opens: a write may have failed just when the damage was found.
            return;
        }
        match report {
            Report::Durable { end } => {
                self.flushing = false;
                self.gathering.durable(Instant::now());
                if let Some(open) = &mut self.open {
                    open.shard.handle_durable(end);
                    if let Some(state) = self.state.take() {
                        self.retirer.save(state, &open.snapshots);
                    }
                    self.retirer.handle_growth(end, self.full, &open.source, &open.snapshots);
                }
            }
            Report::Room { full } => {
                self.full = full;
                if let Some(open) = self.open.as_ref().filter(|_| full) {
                    // Also if nobody writes any more.
                    let end = open.shard.durable();
                    self.retirer.handle_growth(end, full, &open.source, &open.snapshots);
                }
            }
            Report::Failed { full } => {
                self.drop_state(if full { Refusal::DiskFull } else { Refusal::Unavailable });
            }
            Report::Damaged(error) => {
                let shard = self.peers.number();
                tracing::error!(target: "kew::journal", "shard {shard} stops, for it does not open again; nothing is changed: stop Kew and restore the directory from a backup, or see what `kew doctor` says: {error}");
                self.stop_damaged();
            }
            Report::Opened(opened) => {
                if self.open.is_some() {
                    // It was opened twice, for two failures: what was asked in between is lost with the older state.
                    self.drop_state(Refusal::Unavailable);
                }
                self.around.meters.closed.set(0);
                self.opening = opened.opening;
                let open = self.open.insert(*opened);
                self.peers.introduce_again(self.around.stamp(), &mut open.shard);
                self.around.encryption.learn_all(&open.shard);
            }
        }
    }

    /// What is on disk is damaged: until it is mended and the server started again, callers are told so.
    fn stop_damaged(&mut self) {
        self.mailbox.tell_damaged();
        self.drop_state(Refusal::Damaged);
        // It does not recover.
        self.around.meters.closed.set(0);
    }

    /// What was decided since the last durable batch never happened. The flusher opens the journal again and reports
    /// when it has; until then callers are told to come again.
    fn drop_state(&mut self, refusal: Refusal) {
        self.open = None;
        self.state = None;
        self.around.meters.closed.set(1);
        self.flushing = false;
        self.gathering = Gathering::default();
        self.alarm = None;
        for (_, answer) in self.waiting.drain() {
            let _ = answer.send(Err(refusal));
        }
    }

    /// Lets time pass, sends what gathered to disk, lets go what is true there.
    fn advance(&mut self) {
        let now = self.around.clock.now();
        let seed = self.around.random.next();
        if let Some(open) = &mut self.open
            && open.shard.next_deadline().is_some_and(|deadline| deadline <= now)
        {
            open.shard.tick(Stamp { now, seed });
        }
        loop {
            self.thaw();
            // The disk works while answers go out, if nobody is to be waited for.
            if !self.flushing && !self.may_wait() {
                self.flush();
            }
            self.tell_peers();
            // What could not be given may have gone to somebody else.
            if !self.release() {
                break;
            }
        }
        if !self.flushing && !self.holds() {
            self.flush();
        }
        self.hand_over();
        self.drop_chunks();
        self.set_alarm(now);
        let meters = &self.around.meters;
        meters.waiting.set(self.waiting.len() as u64);
        meters.receives_waiting.set(self.open.as_ref().map_or(0, |open| open.shard.waiting() as u64));
    }

    /// Whether the next batch may have to wait for callers who are let go now.
    fn may_wait(&self) -> bool {
        let polls = self.open.as_ref().map_or(0, |open| open.shard.waiting());
        self.stopping.is_none() && self.gathering.may_wait(self.waiting.len().saturating_sub(polls))
    }

    /// Whether it does, while others run.
    fn holds(&mut self) -> bool {
        let is_empty = self.open.as_ref().is_none_or(|open| open.shard.open_bytes() == 0);
        self.holding = !is_empty && self.stopping.is_none() && self.gathering.waits(Instant::now());
        self.holding
    }

    fn flush(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Some(batch) = open.shard.poll_append() else { return };
        open.source.reader.admit(batch.start, batch.bytes.clone());
        if self.retirer.takes_unsaved() {
            // Now it is what the journal says up to the end of this batch. It takes time, and there is no other place to have it from.
            let position = batch.start + batch.bytes.len() as u64;
            let (keep, bytes) = (open.shard.oldest_needed(), open.shard.snapshot().into());
            self.state = Some(Snapshot { position, keep, bytes });
        }
        self.flushing = true;
        self.gathering.sent(Instant::now());
        self.flusher.send(Job::Append { opening: self.opening, batch });
    }

    /// Reads what queues need next from their cold files. It was written not long ago, or is read once in thousands of messages.
    fn thaw(&mut self) {
        let Some(open) = &mut self.open else { return };
        while let Some(thaw) = open.shard.poll_thaw() {
            let stamp = self.around.stamp();
            let error = match open.source.thaw(&thaw) {
                Ok(bytes) if open.shard.thawed(stamp, &thaw, bytes.clone()).is_ok() => {
                    self.unread = None;
                    continue;
                }
                Ok(_) => "its content makes no sense".to_owned(),
                Err(error @ kew_journal::Error::Io { .. }) if self.unread != Some(thaw) => {
                    // Once this may pass; the same again is damage.
                    self.unread = Some(thaw);
                    tracing::error!(target: "kew::journal", %error,
                        "messages cannot be read back; rebuilding the state from the journal");
                    self.drop_state(Refusal::Unavailable);
                    return self.flusher.send(Job::Reopen { opening: self.opening });
                }
                Err(error) => error.to_string(),
            };
            let (shard, file) = (self.peers.number(), kew_journal::Cold::name(thaw.chunk()));
            tracing::error!(target: "kew::journal", %error, file, offset = thaw.offset(),
                "shard {shard} stops, for messages in it are damaged; nothing is changed: stop Kew and restore the directory from a backup, or see what `kew doctor` says");
            return self.stop_damaged();
        }
    }

    /// What is true on disk and others must know, before our callers can tell them.
    fn tell_peers(&mut self) {
        let Some(open) = &mut self.open else { return };
        while let Some((key, exists)) = open.shard.poll_news() {
            self.peers.tell(key, exists);
        }
    }

    /// Sends messages on their way to queues in other shards.
    fn hand_over(&mut self) {
        let Some(open) = self.open.as_mut().filter(|_| self.stopping.is_none()) else { return };
        while let Some(transfer) = open.shard.poll_transfer(self.around.random.next()) {
            self.peers.hand_over(transfer, open.source.clone());
        }
        self.around.meters.leaving.set(open.shard.leaving() as u64);
    }

    fn drop_chunks(&mut self) {
        let Some(open) = &mut self.open else { return };
        while let Some(chunk) = open.shard.poll_drop() {
            self.retirer.remove(chunk, &open.source);
        }
    }

    /// Sends the answers that are true on disk. Says whether some of them could not be given, and were undone.
    fn release(&mut self) -> bool {
        let Some(open) = &mut self.open else { return false };
        let (mut undone, before) = (Vec::new(), self.waiting.len());
        while let Some((token, reply)) = open.shard.poll_reply() {
            let Some(waiting) = self.waiting.remove(&token) else { continue };
            let answer = resolve(&open.source, reply).map_err(|failed| {
                let (reply, error) = *failed;
                tracing::error!(%error, "cannot read a message back from the journal");
                // What cannot be read stays with its receive, and counts it: it must not come first again and again.
                let readable = |delivery: &Delivery| open.source.read(delivery.payload).is_ok();
                undone.extend(deliveries(reply).into_iter().flatten().filter(readable));
                Refusal::Unavailable
            });
            if let Err(Ok(answer)) = waiting.send(answer) {
                undone.extend(deliveries(answer.reply).into_iter().flatten());
            }
        }
        self.gathering.answered(before - self.waiting.len());
        if !undone.is_empty() {
            open.shard.abandon(self.around.stamp(), &undone);
        }
        !undone.is_empty()
    }

    /// Makes sure that we wake at the next deadline at the latest.
    fn set_alarm(&mut self, now: Moment) {
        let Some(deadline) = self.open.as_ref().and_then(|open| open.shard.next_deadline()) else { return };
        // The wall's clock may be set forward while we sleep: look at it now and then.
        let wait = Duration::from_millis((deadline - now).0).min(limits::LONGEST_SLEEP);
        let at = Instant::now() + wait;
        // An alarm that rings too early costs a wake-up; moving it costs a little on every request.
        if self.alarm.is_none_or(|alarm| at + Duration::from_millis(1) < alarm) {
            self.alarm = Some(at);
            self.sleep.as_mut().reset(at);
        }
    }

    /// Long polls are answered empty; what is decided still goes to disk and is answered.
    fn begin_stop(&mut self, done: oneshot::Sender<()>) {
        self.stopping = Some(done);
        if let Some(open) = &mut self.open {
            open.shard.release_waiters(self.around.stamp());
        }
    }

    fn end(mut self) {
        for (_, answer) in self.waiting.drain() {
            let _ = answer.send(Err(Refusal::Stopping));
        }
        self.mailbox.calls.close();
        while let Ok(call) = self.mailbox.calls.try_recv() {
            let _ = call.answer.send(Err(Refusal::Stopping));
        }
        self.flusher.end();
        if let Some(done) = self.stopping {
            let _ = done.send(());
        }
    }
}

/// The flusher's thread ended by a panic: nothing can become durable any more. A supervisor starts us again, and nothing
/// that was answered is lost.
fn end_without_flusher() -> ! {
    tracing::error!("the thread that writes the journal has failed (printed above); ending");
    std::process::exit(1)
}

/// Fetches the payloads that an answer hands over. If that fails, the reply comes back.
fn resolve(source: &Source, reply: Reply) -> Result<Answer, Box<(Reply, kew_journal::Error)>> {
    let payloads = match &reply {
        Reply::Sqs(Ok(sqs::Reply::Received(deliveries))) => {
            let places: Vec<_> = deliveries.iter().map(|delivery| delivery.payload).collect();
            source.read_all(&places)
        }
        _ => Ok(Vec::new()),
    };
    match payloads {
        Ok(payloads) => Ok(Answer { reply, payloads }),
        Err(error) => Err(Box::new((reply, error))),
    }
}

/// The queue whose settings a command may change.
fn settles(command: &Command) -> Option<&QueueKey> {
    let (Command::Sqs(command) | Command::Informed(command, _)) = command else { return None };
    match &command.action {
        Action::Create { key, .. }
        | Action::Queue { key, action: QueueAction::Change { .. } | QueueAction::Remove, .. } => Some(key),
        _ => None,
    }
}

/// Whether it needs room that only a receiver can free again.
fn grows(command: &Command, shard: &Shard) -> bool {
    let command = match command {
        Command::Sqs(command) | Command::Informed(command, _) => command,
        Command::Arrive(_) => return true,
        _ => return false,
    };
    match &command.action {
        Action::Create { key, .. } => shard.encryption(key).is_none(),
        Action::Queue { action, .. } => matches!(
            action,
            QueueAction::Send { .. }
                | QueueAction::Change { .. }
                | QueueAction::Tag { .. }
                | QueueAction::Permit { .. }
                | QueueAction::StartMove { .. }
        ),
        Action::List { .. } | Action::CancelMove { .. } => false,
    }
}

/// Tokens are counted up: they are spread already.
#[derive(Debug, Default)]
pub(crate) struct TokenHasher(u64);

impl std::hash::Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a token is one number");
    }

    fn write_u64(&mut self, number: u64) {
        // The table takes its buckets from the low bits and its tags from the high ones.
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests;
