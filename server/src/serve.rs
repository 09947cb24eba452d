//! `kew serve`, from the first lock to the last answer.

use std::io;
use std::sync::Arc;

use kew_engine::shard;
use kew_journal::disk::Directory;
use kew_journal::{Durability, OVERHEAD, Options};
use kew_store::Home;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::backup::Backups;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::flusher::{self, Flusher};
use crate::http::{Front, Listener, Worker, runtime};
use crate::identity::Identities;
use crate::mailbox::mailbox;
use crate::meters::{ShardMeters, WorkerMeters};
use crate::metrics::Metrics;
use crate::random::Random;
use crate::retirement::Retirer;
use crate::router::Router;
use crate::runner::{Runner, Surroundings};
use crate::test_endpoints::TestEndpoints;
use crate::{banner, declared, limits};

/// Serves until SIGTERM or SIGINT.
pub(crate) fn serve(config: Config) -> Result<(), Failure> {
    raise_descriptor_limit();
    let directory = Directory::open(&config.data).map_err(|error| Failure::world(error.to_string()))?;
    let runtime = runtime().map_err(|error| Failure::world(format!("cannot start: {error}")))?;
    runtime.block_on(run(config, directory))
}

async fn run(config: Config, directory: Directory) -> Result<(), Failure> {
    // Before the journal is read: a taken port is told at once, and early callers wait instead of being refused.
    let listener = Listener::bind(config.listen).map_err(|error| cannot_listen(&config, &error))?;
    let address = listener.address().map_err(|error| cannot_listen(&config, &error))?;

    if let Err(error) = directory.announce(&format!("http://{address}")) {
        tracing::warn!(%error, "cannot note in the data directory where this server listens: `kew backup` needs --endpoint");
    }

    let clock = Arc::new(Clock::new());
    let meters = ShardMeters::default();
    meters.journal_bound.set(config.journal_bytes);
    let around =
        Surroundings { clock: Arc::clone(&clock), random: Arc::new(Random::new()), meters: Arc::new(meters) };
    let router = start_shard(&config, &directory, &around)?;
    let identities = Arc::new(Identities::new(config.access_keys.clone(), config.region.clone()));
    declared::create(&config.queues, identities.default_region(), &router).await?;

    let worker_meters: Vec<Arc<WorkerMeters>> = (0..config.workers.get()).map(|_| Arc::default()).collect();
    let metrics = Arc::new(Metrics {
        clock: Arc::clone(&clock),
        shard: Arc::clone(&around.meters),
        workers: worker_meters.clone(),
    });
    let backups = Backups::new(directory.path().to_owned());
    let mut fronts = worker_meters.into_iter().map(|meters| {
        Arc::new(Front {
            router: router.clone(),
            identities: Arc::clone(&identities),
            random: Arc::clone(&around.random),
            meters,
            metrics: Arc::clone(&metrics),
            public_url: config.public_url.as_deref().map(Into::into),
            origins: config.origins.clone().into(),
            test_endpoints: config.test_endpoints.then(|| TestEndpoints::new(Arc::clone(&clock))),
            backups: Arc::clone(&backups),
        })
    });
    let (stop, stopping) = watch::channel(false);
    let cannot_start = |error: io::Error| Failure::world(format!("cannot start a thread: {error}"));
    let Some(home) = fronts.next() else {
        return Err(Failure::world("no worker to serve with"));
    };
    let others = fronts
        .enumerate()
        .map(|(index, front)| Worker::start(index + 1, front, stopping.clone()))
        .collect::<io::Result<Vec<Worker>>>()
        .map_err(cannot_start)?;

    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_start)?;
    let connections = listener.connections();
    banner::print(&config, address);
    let accepting = listener.accept(home, &others, stopping);
    tokio::select! {
        () = accepting => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }

    tracing::info!("stopping: answering what is held, refusing what is new");
    stop.send_replace(true);
    let ending = async {
        router.stop().await;
        if tokio::time::timeout(limits::STOP_TIME, connections.end()).await.is_err() {
            tracing::warn!("some connections did not take their answers in time");
        }
        others.into_iter().for_each(Worker::end);
    };
    tokio::select! {
        () = ending => Ok(()),
        _ = terminate.recv() => Err(stopped_at_once()),
        _ = interrupt.recv() => Err(stopped_at_once()),
    }
}

/// What was answered is on disk all the same.
fn stopped_at_once() -> Failure {
    Failure::world("stopped at once by a second signal")
}

/// Opens the shard's journal, rebuilds its state and lets it run on this thread.
fn start_shard(config: &Config, directory: &Directory, around: &Surroundings) -> Result<Router, Failure> {
    let world = |error: &dyn std::fmt::Display| Failure::world(error.to_string());
    let disk = directory.shard(0).map_err(|error| world(&error))?;
    let durability = match config.durability {
        config::Durability::Fsync => Durability::Fsync,
        config::Durability::Os => Durability::Os,
    };
    let told = shard::Config { waits: config.sqs_waits, ..shard::Config::new(OVERHEAD) };
    let options = Options {
        durability,
        segment_bytes: limits::segment_bytes(config.journal_bytes),
        spares: limits::SPARE_SEGMENTS,
        recent_bytes: limits::RECENT_BYTES,
        ..Options::default()
    };
    let home = Home::new(Arc::new(disk), options, told.clone());
    let (writer, opened) = home.open(around.stamp()).map_err(|error| world(&error))?;
    flusher::tell(&opened.report);
    around.clock.catch_up(opened.shard.now());
    let no_thread = |error: io::Error| Failure::world(format!("cannot start a thread: {error}"));
    let (flusher, reports) =
        Flusher::start(home, writer, opened.snapshots.clone(), around.clone()).map_err(no_thread)?;
    let (handle, mailbox) = mailbox();
    let meters = Arc::clone(&around.meters);
    let retirer = Retirer::start(told, handle.clone(), meters, opened.keep, config.journal_bytes);
    let retirer = retirer.map_err(no_thread)?;
    tokio::spawn(Runner::new(around.clone(), mailbox, flusher, reports, retirer, opened).run());
    Ok(Router::new(handle))
}

fn cannot_listen(config: &Config, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; stop it, or give another --listen",
        io::ErrorKind::PermissionDenied => {
            "this user may not take that port; give one above 1023 by --listen"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; give another --listen",
        _ => "give another --listen",
    };
    Failure::world(format!("cannot listen on {}: {error}; {advice}", config.listen))
}

/// Every connection is a descriptor, and many systems begin with a thousand.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Kept as it is, fewer connections fit; the accepting waits for descriptors then.
    let _ = setrlimit(Resource::Nofile, limit);
}
