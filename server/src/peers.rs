//! What shards know of one another, and how messages get from one to another.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::command::Locator;
use kew_engine::shard::{Command, Reply, Shard, Stamp};
use kew_engine::transfer::{Settle, Transfer};
use kew_store::Source;
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::time::sleep;

use crate::limits;
use crate::mailbox::{Handle, Refusal};

/// Whoever has the number of a shard.
#[derive(Debug, Clone)]
pub(crate) enum Seat {
    /// It opened; it serves, unless its data turned out damaged since.
    Open(Handle),
    /// It did not open.
    Damaged,
    /// There never was one, or its folder was removed.
    Absent,
}

/// All shards of the server.
#[derive(Debug)]
pub(crate) struct Shards {
    /// By number.
    seats: Vec<Seat>,
    /// Seals receipt handles in all of them.
    secret: u128,
    /// Where each queue is.
    queues: Mutex<HashMap<QueueKey, u32>>,
    /// Held to read while messages are handed over, to write while that must not be.
    arriving: RwLock<()>,
    /// How often everything was erased.
    erased: AtomicU64,
}

impl Shards {
    /// The shards on their `seats`, holding `queues`.
    pub(crate) fn new(seats: Vec<Seat>, secret: u128, queues: HashMap<QueueKey, u32>) -> Self {
        let queues = Mutex::new(queues);
        Self { seats, secret, queues, arriving: RwLock::new(()), erased: AtomicU64::new(0) }
    }

    /// By number.
    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// The shard with this number, if it serves.
    pub(crate) fn get(&self, number: u32) -> Option<&Handle> {
        match self.seats.get(number as usize) {
            Some(Seat::Open(handle)) if !handle.is_damaged() => Some(handle),
            _ => None,
        }
    }

    /// Those that serve.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Handle> {
        self.running().filter(|handle| !handle.is_damaged())
    }

    /// Those that opened, whether they still serve or not.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Handle> {
        self.seats.iter().filter_map(|seat| match seat {
            Seat::Open(handle) => Some(handle),
            Seat::Damaged | Seat::Absent => None,
        })
    }

    /// The numbers of those whose data is damaged.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = u32> {
        let is_damaged = |seat: &Seat| match seat {
            Seat::Open(handle) => handle.is_damaged(),
            Seat::Damaged => true,
            Seat::Absent => false,
        };
        (0..).zip(&self.seats).filter(move |(_, seat)| is_damaged(seat)).map(|(number, _)| number)
    }

    /// Lets `erase` everything, while nothing is handed over. What was on its way does not arrive any more.
    pub(crate) async fn erase<T>(&self, erase: impl Future<Output = T>) -> T {
        let _nothing_arrives = self.hold().await;
        let outcome = erase.await;
        self.erased.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Nothing is handed over while this is held: what is copied of one shard fits to what is copied of another.
    pub(crate) async fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.arriving.write().await
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<QueueKey, u32>> {
        // Nothing panics while it holds the lock; and the map is whole at any moment.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One shard among the others.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    number: u32,
    shards: Arc<Shards>,
}

impl Peers {
    /// The others, as the shard with this number sees them.
    pub(crate) fn new(number: u32, shards: Arc<Shards>) -> Self {
        Self { number, shards }
    }

    /// The shard's own number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Tells a shard that was just opened what it must know of the others.
    pub(crate) fn introduce(&self, stamp: Stamp, shard: &mut Shard) {
        shard.found(stamp, self.shards.secret);
        for (key, number) in self.shards.queues().iter().filter(|(_, number)| **number != self.number) {
            shard.tell_elsewhere(key.clone(), Some(*number));
        }
    }

    /// Makes a shard that was opened again known, and tells the others what they have not heard of its queues: what was on disk when
    /// its earlier state was dropped, but not told yet.
    pub(crate) fn introduce_again(&self, stamp: Stamp, shard: &mut Shard) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        {
            let told = self.shards.queues();
            let here: HashSet<&QueueKey> = shard.queues().collect();
            let ours = told.iter().filter(|(_, number)| **number == self.number).map(|(key, _)| key);
            gone.extend(ours.filter(|key| !here.contains(key)).cloned());
            come.extend(here.into_iter().filter(|key| !told.contains_key(key)).cloned());
        }
        gone.into_iter().for_each(|key| self.tell(key, false));
        come.into_iter().for_each(|key| self.tell(key, true));
        self.introduce(stamp, shard);
    }

    /// Tells the others of a queue that came to be here, or went.
    pub(crate) fn tell(&self, key: QueueKey, exists: bool) {
        // All hear of it in the same order, so all come to know the same.
        let mut queues = self.shards.queues();
        if exists {
            queues.insert(key.clone(), self.number);
        } else {
            queues.remove(&key);
        }
        let shard = exists.then_some(self.number);
        for (number, seat) in self.shards.seats.iter().enumerate() {
            if let Seat::Open(handle) = seat
                && number != self.number as usize
            {
                handle.tell(key.clone(), shard);
            }
        }
    }

    /// Hands messages over to another shard, and tells this one what became of them.
    pub(crate) fn hand_over(&self, transfer: Transfer, source: Source) {
        let peers = self.clone();
        let erased = self.shards.erased.load(Ordering::Relaxed);
        tokio::spawn(async move {
            if let Some(settle) = peers.offer(transfer, source, erased).await {
                peers.settle(settle).await;
            }
        });
    }

    /// Offers messages until they are taken. None: they wait until the server starts again. What has no outcome is offered anew.
    async fn offer(&self, mut transfer: Transfer, source: Source, erased: u64) -> Option<Settle> {
        let target = match self.shards.seats.get(transfer.shard as usize) {
            Some(Seat::Open(handle)) => handle,
            Some(Seat::Damaged) => return None,
            // Whoever removed its folder removed the queue.
            Some(Seat::Absent) | None => {
                return Some(transfer.settle(&transfer.payloads().map(|_| false).collect::<Vec<_>>()));
            }
        };
        // The disk may be slow, and shards run on this thread.
        let read = move || {
            let payloads = transfer.read(|payload| read(&source, payload));
            (transfer, payloads)
        };
        let (transfer, payloads) = tokio::task::spawn_blocking(read).await.ok()?;
        let Some(payloads) = payloads else {
            sleep(limits::TRANSFER_RETRY.1).await;
            return Some(transfer.settle(&[]));
        };
        loop {
            let arrive = transfer.arrive(self.number, &payloads);
            let may_arrive = self.shards.arriving.read().await;
            if self.shards.erased.load(Ordering::Relaxed) != erased {
                return Some(transfer.settle(&[]));
            }
            let answer = target.ask_for_peer(Command::Arrive(arrive)).await;
            drop(may_arrive);
            match answer.map(|answer| answer.reply) {
                Ok(Reply::Arrived(outcomes)) => return Some(transfer.settle(&outcomes)),
                Ok(_) | Err(Refusal::Stopping | Refusal::Damaged) => return None,
                Err(Refusal::Busy) => sleep(limits::TRANSFER_RETRY.0).await,
                Err(_) => sleep(limits::TRANSFER_RETRY.1).await,
            }
        }
    }

    async fn settle(&self, settle: Settle) {
        let Some(handle) = self.shards.get(self.number) else { return };
        // Refused otherwise, its state is rebuilt, and the messages are offered again.
        while let Err(Refusal::Busy) = handle.ask_for_peer(Command::Settle(settle.clone())).await {
            sleep(limits::TRANSFER_RETRY.0).await;
        }
    }
}

fn read(source: &Source, payload: Locator) -> Option<Bytes> {
    let failed = |error: &kew_journal::Error| {
        tracing::error!(target: "kew::journal", %error,
            "a message on its way to another queue cannot be read; it is tried twice, and then returns to its queue");
    };
    source.read(payload).inspect_err(failed).ok()
}
