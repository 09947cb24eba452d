//! Opens all shards of a data directory, each with its journal, threads and runner.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::{io, thread};

use kew_engine::seed::Seed;
use kew_engine::services::sqs::QueueKey;
use kew_engine::shard;
use kew_journal::disk::Directory;
use kew_journal::{Durability, OVERHEAD, Options, Writer};
use kew_store::{Home, Opened};

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::flusher::{self, Flusher};
use crate::limits;
use crate::mailbox::{Mailbox, mailbox};
use crate::meters::ShardMeters;
use crate::peers::{Peers, Seat, Shards};
use crate::retirement::Retirer;
use crate::router::Router;
use crate::runner::{Runner, Surroundings};

/// A runner to be spawned where it shall run.
pub(crate) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All shards, open.
pub(crate) struct Started {
    pub(crate) router: Router,
    /// What the shards count, by their numbers.
    pub(crate) meters: Vec<(u32, Arc<ShardMeters>)>,
    /// The runners. Nothing is answered before they run.
    pub(crate) runs: Vec<Run>,
}

/// A shard whose journal is open.
struct Ready {
    home: Home,
    writer: Writer,
    opened: Opened,
    meters: Arc<ShardMeters>,
}

/// Opens every shard that the directory holds, and makes those that are missing of as many as configured. One that is damaged
/// leaves the others alone; if all are, the server does not start.
pub(crate) fn start(
    config: &Config,
    directory: &Directory,
    around: &Surroundings,
) -> Result<Started, Failure> {
    let world = |error: &dyn std::fmt::Display| Failure::world(error.to_string());
    let count = u32::from(config.shards.get());
    let existing = directory.shards().map_err(|error| world(&error))?;
    let missing = Directory::missing_shards(directory.path()).map_err(|error| world(&error))?;
    let seats = existing.iter().chain(&missing).max().map_or(0, |last| last.saturating_add(1)).max(count);
    if seats > limits::SHARD_FOLDERS {
        let folders = limits::SHARD_FOLDERS;
        return Err(Failure::world(format!(
            "{} holds more than {folders} shards; is it Kew's?",
            directory.path().display()
        )));
    }
    let opened = open_all(config, directory, around, seats, &existing, &missing);

    let (mut ready, mut damaged) = (BTreeMap::new(), BTreeMap::new());
    for (number, outcome) in (0..).zip(opened) {
        match outcome {
            Ok(shard) => _ = ready.insert(number, shard),
            // Where nothing is lost, something else is wrong with the place.
            Err(error) if !existing.contains(&number) && !missing.contains(&number) => {
                return Err(Failure::world(error));
            }
            Err(error) => _ = damaged.insert(number, error),
        }
    }
    // One that was only just made knows nothing: the secret of all lies in those that are damaged, and must not be drawn anew.
    let is_founded =
        |number: &u32| ready.get(number).is_some_and(|shard: &Ready| shard.opened.shard.secret().is_some());
    if let Some((_, error)) = damaged.first_key_value()
        && !existing.iter().any(is_founded)
    {
        return Err(Failure::world(error.clone()));
    }
    for (number, error) in &damaged {
        tracing::error!(target: "kew::journal", "shard {number} does not start, the others serve: {error}");
    }
    if let Err(error) = Directory::note_shards(directory.path()) {
        // Not worth a refusal: the next start tries again.
        tracing::warn!(target: "kew::journal", %error, "how many shards there are cannot be noted, and a lost one would not be missed");
    }
    run(config, around, seats, ready, damaged)
}

/// Opens the journals, all at once.
fn open_all(
    config: &Config,
    directory: &Directory,
    around: &Surroundings,
    seats: u32,
    existing: &[u32],
    missing: &[u32],
) -> Vec<Result<Ready, String>> {
    thread::scope(|scope| {
        let open = |number: u32| {
            if missing.contains(&number) {
                return scope.spawn(move || {
                    Err(format!(
                        "{}: the folder of shard {number} is missing; put it back from a backup, or make it empty to go on without what it held",
                        directory.path().display()
                    ))
                });
            }
            scope.spawn(move || open(config, directory, around, number, seats))
        };
        // Folders come to be in order, so that one that is missing between others can be told from one that is new.
        let threads: Vec<_> = (0..seats)
            .map(|number| {
                if !existing.contains(&number) && !missing.contains(&number) {
                    // If it cannot be made, opening says so.
                    let _ = directory.shard(number);
                }
                open(number)
            })
            .collect();
        let panicked = |_| Err("opening it met an error in Kew itself (printed above)".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}

fn open(
    config: &Config,
    directory: &Directory,
    around: &Surroundings,
    number: u32,
    seats: u32,
) -> Result<Ready, String> {
    let disk = directory.shard(number).map_err(|error| error.to_string())?;
    let durability = match config.durability {
        config::Durability::Fsync => Durability::Fsync,
        config::Durability::Os => Durability::Os,
    };
    let told = shard::Config { shard: number, waits: config.sqs_waits, ..shard::Config::new(OVERHEAD) };
    let options = Options {
        durability,
        segment_bytes: limits::segment_bytes(limits::journal_share(config.journal_bytes, seats)),
        spares: limits::SPARE_SEGMENTS,
        recent_bytes: limits::RECENT_BYTES / seats as usize,
        ..Options::default()
    };
    let home = Home::new(Arc::new(disk), options, told);
    let (writer, opened) = home.open(around.stamp()).map_err(|error| error.to_string())?;
    flusher::tell(&opened.report);
    around.clock.catch_up(opened.shard.now());
    Ok(Ready { home, writer, opened, meters: Arc::default() })
}

/// Introduces the shards to one another.
fn run(
    config: &Config,
    around: &Surroundings,
    seats: u32,
    ready: BTreeMap<u32, Ready>,
    mut damaged: BTreeMap<u32, String>,
) -> Result<Started, Failure> {
    let mut mailboxes: BTreeMap<u32, Mailbox> = BTreeMap::new();
    let seat = |number| {
        if ready.contains_key(&number) {
            let (handle, mailbox) = mailbox();
            mailboxes.insert(number, mailbox);
            return Seat::Open(handle);
        }
        damaged.remove(&number).map_or(Seat::Absent, |_| Seat::Damaged)
    };
    let seats: Vec<Seat> = (0..seats).map(seat).collect();
    let found = found(&ready, u32::from(config.shards.get()));
    let known = ready.values().find_map(|shard| shard.opened.shard.secret());
    let secret = known.unwrap_or_else(|| Seed::new(around.random.next()).next_u128());
    let bound = limits::journal_share(config.journal_bytes, seats.len() as u32);
    let shards = Arc::new(Shards::new(seats, secret, found.clone()));

    let no_thread = |error: io::Error| Failure::world(format!("cannot start a thread: {error}"));
    let (mut meters, mut runs) = (Vec::new(), Vec::<Run>::new());
    for (number, shard) in ready {
        let Ready { home, writer, mut opened, meters: counts } = shard;
        let (Some(mailbox), Some(handle)) = (mailboxes.remove(&number), shards.get(number)) else { continue };
        let around = Surroundings { meters: Arc::clone(&counts), ..around.clone() };
        counts.journal_bound.set(bound);
        meters.push((number, counts));
        let peers = Peers::new(number, Arc::clone(&shards));
        peers.introduce(around.stamp(), &mut opened.shard);
        let told = home.config().clone();
        let retirer = Retirer::start(told, handle.clone(), Arc::clone(&around.meters), opened.keep, bound)
            .map_err(no_thread)?;
        let (flusher, reports) =
            Flusher::start(home, writer, opened.snapshots.clone(), around.clone()).map_err(no_thread)?;
        runs.push(Box::pin(async move {
            // Its timer belongs to the thread that runs it.
            Runner::new(around, mailbox, flusher, reports, retirer, peers, opened).run().await;
        }));
    }
    let router = Router::new(shards, u32::from(config.shards.get()), found);
    Ok(Started { router, meters, runs })
}

/// Where each queue lies.
fn found(ready: &BTreeMap<u32, Ready>, count: u32) -> HashMap<QueueKey, u32> {
    let mut found = HashMap::new();
    for (number, shard) in ready {
        for key in shard.opened.shard.queues() {
            let Some(other) = found.insert(key.clone(), *number) else { continue };
            // Only by hand can two shards come to hold queues of one name.
            let kept = if key.placement(count) == *number { *number } else { other };
            found.insert(key.clone(), kept);
            tracing::error!(target: "kew::journal",
                "shards {other} and {number} both hold a queue {}; that of shard {kept} serves", key.arn());
        }
    }
    found
}
