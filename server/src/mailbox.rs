//! How a connection asks a shard: a bounded mailbox in, one answer out, and a word when the caller has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use kew_engine::services::sqs::command::{Delivery, QueueAction};
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::{Command, Reply, Token};
use kew_wire::fault::{Fault, common};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::backup::Order;
use crate::limits;

/// A shard's answer, with the payloads of the messages that it hands over, in the same order.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) payloads: Vec<Bytes>,
}

/// Why a shard gives no answer; the caller may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its mailbox is full.
    Busy,
    /// Its journal failed and is being opened again.
    Unavailable,
    /// Its data is damaged: it did not open when the server started, or was found so since.
    Damaged,
    /// Its disk has no room for more messages.
    DiskFull,
    /// The server is stopping.
    Stopping,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Fault::new(&common::THROTTLING, "Rate exceeded"),
            Refusal::Unavailable => Fault::new(
                &common::SERVICE_UNAVAILABLE,
                "The service could not write to its disk and is recovering; try again.",
            ),
            Refusal::Damaged => Fault::new(
                &common::SERVICE_UNAVAILABLE,
                "A part of the service's data is damaged, and what was asked may lie there; \
                 it works again when the operator has mended that (see the server's log).",
            ),
            Refusal::DiskFull => Fault::new(
                &common::SERVICE_UNAVAILABLE,
                "The service has no disk space left for messages; receive and delete some, then try again.",
            ),
            Refusal::Stopping => {
                Fault::new(&common::SERVICE_UNAVAILABLE, "The service is stopping; try again.")
            }
        }
    }
}

/// One request on its way to a shard.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) token: Token,
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Result<Answer, Refusal>>,
}

/// A caller has gone.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It no longer waits for this answer.
    Waiting(Token),
    /// It did not take these messages.
    Holding(Vec<Delivery>),
}

/// A queue came to be in another shard, or went from there.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) key: QueueKey,
    pub(crate) shard: Option<u32>,
}

/// What a runner takes from.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) calls: mpsc::Receiver<Call>,
    /// What other shards ask, which waits behind no caller. Bounded by them: each asks one thing at a time.
    pub(crate) peers: mpsc::UnboundedReceiver<Call>,
    /// Unbounded as a channel; bounded by the callers, each of whom goes once.
    pub(crate) gone: mpsc::UnboundedReceiver<Gone>,
    /// Bounded by the requests that create and delete queues.
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    pub(crate) stop: mpsc::Receiver<oneshot::Sender<()>>,
    /// One at a time, see there.
    pub(crate) backups: mpsc::UnboundedReceiver<Order>,
    /// Whether the shard has stopped for good.
    damaged: Arc<AtomicBool>,
}

/// The way to one shard.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    calls: mpsc::Sender<Call>,
    peers: mpsc::UnboundedSender<Call>,
    gone: mpsc::UnboundedSender<Gone>,
    news: mpsc::UnboundedSender<News>,
    stop: mpsc::Sender<oneshot::Sender<()>>,
    backups: mpsc::UnboundedSender<Order>,
    tokens: Arc<AtomicU64>,
    damaged: Arc<AtomicBool>,
}

/// A new mailbox and the handle to it.
pub(crate) fn mailbox() -> (Handle, Mailbox) {
    let (calls_in, calls) = mpsc::channel(limits::MAILBOX);
    let (peers_in, peers) = mpsc::unbounded_channel();
    let (gone_in, gone) = mpsc::unbounded_channel();
    let (news_in, news) = mpsc::unbounded_channel();
    let (stop_in, stop) = mpsc::channel(1);
    let (backups_in, backups) = mpsc::unbounded_channel();
    let damaged = Arc::<AtomicBool>::default();
    let handle = Handle {
        calls: calls_in,
        peers: peers_in,
        gone: gone_in,
        news: news_in,
        stop: stop_in,
        backups: backups_in,
        tokens: Arc::default(),
        damaged: Arc::clone(&damaged),
    };
    (handle, Mailbox { calls, peers, gone, news, stop, backups, damaged })
}

impl Mailbox {
    /// The shard stops for good: its data is damaged. Whoever hears so from it finds it known.
    pub(crate) fn tell_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }
}

impl Handle {
    /// Asks and waits. A caller who drops this future is forgotten, and a message that it would have received stays in
    /// its queue.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Refusal> {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        let receives = receives(&command);
        let (answer, waiting) = oneshot::channel();
        self.calls.try_send(Call { token, command, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Busy,
            TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        if !receives {
            return waiting.await.unwrap_or(Err(Refusal::Unavailable));
        }
        let mut waiter = Waiter { token, waiting, gone: &self.gone, done: false };
        let answer = (&mut waiter.waiting).await;
        waiter.done = true;
        answer.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Gives messages back that were received and reached nobody: they are not counted as received.
    pub(crate) fn give_back(&self, deliveries: Vec<Delivery>) {
        // The runner has ended: so has its state.
        let _ = self.gone.send(Gone::Holding(deliveries));
    }

    /// Asks on behalf of another shard, whatever else waits.
    pub(crate) async fn ask_for_peer(&self, command: Command) -> Result<Answer, Refusal> {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        let (answer, waiting) = oneshot::channel();
        self.peers.send(Call { token, command, answer }).map_err(|_| Refusal::Stopping)?;
        waiting.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Asks for what takes no messages, from a thread that may block.
    pub(crate) fn ask_blocking(&self, command: Command) -> Result<Answer, Refusal> {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        let (answer, waiting) = oneshot::channel();
        self.calls.blocking_send(Call { token, command, answer }).map_err(|_| Refusal::Stopping)?;
        waiting.blocking_recv().unwrap_or(Err(Refusal::Unavailable))
    }

    /// Tells of a queue in another shard.
    pub(crate) fn tell(&self, key: QueueKey, shard: Option<u32>) {
        // The runner has ended: nobody there needs to know.
        let _ = self.news.send(News { key, shard });
    }

    /// Orders the shard's part of a backup. If it cannot be, the order is dropped.
    pub(crate) fn back_up(&self, order: Order) {
        // The runner has ended: the order goes with the error.
        let _ = self.backups.send(order);
    }

    /// Whether the shard has stopped for good, for its data turned out damaged while it served.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// How many requests wait in the mailbox.
    pub(crate) fn depth(&self) -> usize {
        self.calls.max_capacity() - self.calls.capacity()
    }

    /// Answers everything that waits, writes everything down, and ends the shard. Returns when that is done.
    pub(crate) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.stop.send(done).await.is_ok() {
            // An error means that the runner has ended, which is what we wait for.
            let _ = ended.await;
        }
    }
}

/// Whether an answer to it hands over messages.
pub(crate) fn receives(command: &Command) -> bool {
    matches!(
        command,
        Command::Sqs(sqs::Command { action: sqs::Action::Queue { action: QueueAction::Receive(_), .. }, .. })
    )
}

/// Tells the shard when the one who waits is dropped before it has its answer in hand.
struct Waiter<'a> {
    token: Token,
    waiting: oneshot::Receiver<Result<Answer, Refusal>>,
    gone: &'a mpsc::UnboundedSender<Gone>,
    done: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // After `close` the answer is either here already or can never come.
        self.waiting.close();
        let gone = match self.waiting.try_recv() {
            Ok(Ok(answer)) => match deliveries(answer.reply) {
                Some(deliveries) => Gone::Holding(deliveries),
                None => return,
            },
            Ok(Err(_)) => return,
            Err(_) => Gone::Waiting(self.token),
        };
        // The runner has ended: so has its state, and nobody was leased anything durable that was not answered.
        let _ = self.gone.send(gone);
    }
}

/// The messages that an answer hands over, if any.
pub(crate) fn deliveries(reply: Reply) -> Option<Vec<Delivery>> {
    match reply {
        Reply::Sqs(Ok(sqs::Reply::Received(deliveries))) if !deliveries.is_empty() => Some(deliveries),
        _ => None,
    }
}
