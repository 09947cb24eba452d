//! `kew serve`, from the first lock to the last answer.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use kew_journal::disk::Directory;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::backup::Backups;
use crate::clock::Clock;
use crate::config::{Config, environment};
use crate::failure::Failure;
use crate::http::{Addresses, Front, Listener, Rates, Worker, runtime};
use crate::identities::live::Live;
use crate::identities::modes;
use crate::identity::{Credentials, Identities};
use crate::kms::Kms;
use crate::meters::{ShardMeters, WorkerMeters};
use crate::metrics::Metrics;
use crate::random::Random;
use crate::runner::Surroundings;
use crate::shards::{self, Started};
use crate::sse::{Queues, Sse};
use crate::test_endpoints::TestEndpoints;
use crate::tls::{self, Tls};
use crate::vault::Vault;
use crate::{audit, banner, declared, descriptors, limits};

/// Serves until SIGTERM or SIGINT.
pub(crate) fn serve(config: Config) -> Result<(), Failure> {
    let descriptors = descriptors::raise();
    for name in environment::unknown(std::env::vars_os().map(|(name, _)| name)) {
        tracing::warn!("{name} is set, but no setting is called so: `kew serve --help` names them all");
    }
    let directory = Directory::open(&config.data).map_err(|error| Failure::world(error.to_string()))?;
    warn_if_open_to_all(&directory);
    let vault = Vault::open(directory.path(), &config.root_key);
    let vault = vault.map_err(|error| Failure::world(error.to_string()))?;
    let runtime = runtime().map_err(|error| Failure::world(format!("cannot start: {error}")))?;
    runtime.block_on(run(config, directory, vault, descriptors))
}

async fn run(
    config: Config,
    directory: Directory,
    vault: Arc<Vault>,
    descriptors: Option<u64>,
) -> Result<(), Failure> {
    // Before the journal is read, which can take its time.
    let terminal = Terminal::new().map_err(|error| Failure::world(format!("cannot start: {error}")))?;
    let live = Live::open(Arc::clone(&vault), config.identities.clone())?;
    modes::check(&config, live.is_open())?;
    if let Some(warning) = modes::warning(&config, live.is_open()) {
        tracing::warn!("{warning}");
    }
    let tls = config.edge.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
    // Before the journal is read: a taken port is told at once, and early callers wait instead of being refused.
    let addresses = Arc::new(Addresses::new(config.edge.connections_per_address));
    let shards = directory.shards().map_or(0, |shards| shards.len()).max(config.shards.get().into());
    let most = descriptors::connections(descriptors, shards);
    let listener = Listener::bind(config.listen, most, Arc::clone(&addresses))
        .map_err(|error| cannot_listen(&config, &error))?;
    let address = listener.address().map_err(|error| cannot_listen(&config, &error))?;

    if let Err(error) =
        directory.announce(&format!("{}://{address}", if tls.is_some() { "https" } else { "http" }))
    {
        tracing::warn!(%error, "cannot note in the data directory where this server listens: `kew backup` needs --endpoint");
    }

    let clock = Arc::new(Clock::new());
    let around = Surroundings {
        clock: Arc::clone(&clock),
        random: Arc::new(Random::new()),
        meters: Arc::<ShardMeters>::default(),
        encryption: Arc::<Queues>::default(),
    };
    let (audit, scribe) = audit::open(&config, &clock, &around.random)?.unzip();
    let kms = Arc::new(Kms::open(&vault, Arc::clone(&clock))?);
    let sse = Sse::open(&vault, Arc::clone(&kms), Arc::clone(&around.encryption), Arc::clone(&clock))?;
    let sse = Arc::new(sse);
    let Started { router, meters, runs } = shards::start(&config, &directory, &around)?;
    live.watch(router.clone());
    let identities = Arc::new(Identities::new(
        config.access_keys.clone(),
        config.region.clone(),
        Arc::<Live>::clone(&live),
        Arc::clone(&clock),
    ));
    let worker_meters: Vec<Arc<WorkerMeters>> = (0..config.workers.get()).map(|_| Arc::default()).collect();
    let metrics = Arc::new(Metrics {
        clock: Arc::clone(&clock),
        shards: meters,
        workers: worker_meters.clone(),
        addresses,
        tls: tls.clone(),
        audit: audit.clone(),
    });
    let backups = Backups::new(directory.path().to_owned());
    let edge = &config.edge;
    let rates = Arc::new(Rates::new(edge.requests_per_second_per_key, edge.requests_per_second_per_address));
    let mut fronts = worker_meters.into_iter().map(|meters| {
        Arc::new(Front {
            router: router.clone(),
            kms: Arc::clone(&kms),
            sse: Arc::clone(&sse),
            identities: Arc::clone(&identities),
            random: Arc::clone(&around.random),
            meters,
            metrics: Arc::clone(&metrics),
            public_url: config.public_url.as_deref().map(Into::into),
            origins: config.origins.clone().into(),
            test_endpoints: config.test_endpoints.then(|| TestEndpoints::new(Arc::clone(&clock))),
            backups: Arc::clone(&backups),
            rates: Arc::clone(&rates),
            audit: audit.clone(),
            tls: tls.clone(),
            live: Arc::clone(&live),
            clock: Arc::clone(&clock),
        })
    });
    let (stop, stopping) = watch::channel(false);
    let cannot_start = |error: io::Error| Failure::world(format!("cannot start a thread: {error}"));
    let Some(home) = fronts.next() else {
        return Err(Failure::world("no worker to serve with"));
    };
    // The shards in turn to the workers, of whom this thread is the first.
    let mut shares: Vec<Vec<_>> = (0..config.workers.get()).map(|_| Vec::new()).collect();
    let workers = shares.len();
    for (index, run) in runs.into_iter().enumerate() {
        shares[index % workers].push(run);
    }
    let mut shares = shares.into_iter();
    shares.next().into_iter().flatten().for_each(|run| drop(tokio::spawn(run)));
    let others = fronts
        .zip(shares)
        .enumerate()
        .map(|(index, (front, runs))| Worker::start(index + 1, front, runs, stopping.clone()))
        .collect::<io::Result<Vec<Worker>>>()
        .map_err(cannot_start)?;

    declared::create(&config.queues, identities.default_region(), &router).await?;

    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_start)?;
    if let Some(tls) = &tls {
        tokio::spawn(tls::watch(Arc::clone(tls)));
    }
    if let Some(audit) = &audit {
        tokio::spawn(audit::watch(Arc::clone(audit)));
    }
    let connections = listener.connections();
    banner::print(&config, address, live.is_open());
    let accepting = listener.accept(home, &others, stopping);
    tokio::select! {
        () = accepting => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = terminal.close() => {}
    }

    tracing::info!("stopping: answering what is held, refusing what is new");
    stop.send_replace(true);
    let ending = async {
        router.stop().await;
        if tokio::time::timeout(limits::STOP_TIME, connections.end()).await.is_err() {
            tracing::warn!("some connections did not take their answers in time");
        }
        others.into_iter().for_each(Worker::end);
        if let Some((audit, scribe)) = audit.zip(scribe) {
            audit.ledger().end();
            scribe.end();
        }
    };
    tokio::select! {
        () = ending => Ok(()),
        _ = terminate.recv() => Err(stopped_at_once()),
        _ = interrupt.recv() => Err(stopped_at_once()),
    }
}

/// What was started in a terminal goes when that is closed. Whoever else sends SIGHUP asks to look at certificates or the audit log anew.
struct Terminal {
    hangup: Signal,
    is_there: bool,
}

impl Terminal {
    fn new() -> io::Result<Self> {
        Ok(Self { hangup: signal(SignalKind::hangup())?, is_there: io::stdin().is_terminal() })
    }

    /// Waits until it is closed, which may be never.
    async fn close(mut self) {
        while self.hangup.recv().await.is_some() {
            // One that was closed is none any more by the time at which the signal comes.
            if self.is_there && !io::stdin().is_terminal() {
                return;
            }
            tracing::info!("SIGHUP: looked at certificates and the audit log, where there are any");
        }
        std::future::pending().await
    }
}

/// Kew makes everything for its own user alone. What it finds wider stays so, for an operator may have meant it.
fn warn_if_open_to_all(directory: &Directory) {
    let path = directory.path().display();
    match directory.is_open_to_all() {
        Ok(false) => {}
        Ok(true) => tracing::warn!(
            "everybody on this machine can reach the data in {path}, and read messages of queues without encryption: chmod -R o-rwx {path}"
        ),
        Err(error) => tracing::warn!(%error, "cannot see who may read the data in {path}"),
    }
}

/// What was answered is on disk all the same.
fn stopped_at_once() -> Failure {
    Failure::world("stopped at once by a second signal")
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
