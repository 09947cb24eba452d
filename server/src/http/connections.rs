//! Accepts connections, within their limits, and spreads them over the workers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::addresses::{Addresses, Place};
use super::front::Front;
use super::serving;
use crate::limits;
use crate::shards::Run;

/// Whether the server is stopping, for everybody who must know.
pub(crate) type Stopping = watch::Receiver<bool>;

/// The right of a connection to exist; given back when it is dropped.
struct Pass {
    _permit: OwnedSemaphorePermit,
    _place: Option<Place>,
}

/// A connection on the thread that serves it.
struct Arrived {
    stream: TcpStream,
    pass: Pass,
}

/// A connection on its way to another thread.
struct Guest {
    stream: std::net::TcpStream,
    pass: Pass,
}

/// How many connections there may be, and how many of those only from this machine.
#[derive(Debug, Clone)]
struct Permits {
    free: Arc<Semaphore>,
    all: usize,
    kept: usize,
}

impl Permits {
    fn new(all: usize, kept: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(all)), all, kept }
    }

    /// Waits until there may be one more.
    async fn next(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(permit) => permit,
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether a connection may have the permit that was just taken for it.
    fn suffice_for(&self, is_local: bool) -> bool {
        is_local || self.free.available_permits() >= self.kept
    }
}

/// The listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    permits: Permits,
    addresses: Arc<Addresses>,
}

/// All connections, whoever serves them.
#[derive(Debug)]
pub(crate) struct Connections {
    permits: Permits,
}

impl Connections {
    /// Waits until there is none.
    pub(crate) async fn end(&self) {
        // An error means that the semaphore was closed, which never happens.
        let _ = self.permits.free.acquire_many(self.permits.all as u32).await;
    }
}

impl Listener {
    /// Takes the address, for at most so many connections at once; more wait in the kernel's backlog. They all wait there until
    /// [`Listener::accept`] runs.
    pub(crate) fn bind(address: SocketAddr, most: usize, addresses: Arc<Addresses>) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Without this a restarted server waits for the kernel to forget its predecessor's connections.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(limits::BACKLOG)?;
        let permits = Permits::new(most, limits::CONNECTIONS_KEPT.min(most / 4));
        Ok(Self { socket, permits, addresses })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A view of all connections that it will ever accept.
    pub(crate) fn connections(&self) -> Connections {
        Connections { permits: self.permits.clone() }
    }

    /// Accepts until the server stops. The connections go to `home`, the worker of this thread, and to the others in turn.
    pub(crate) async fn accept(self, home: Arc<Front>, others: &[Worker], mut stopping: Stopping) {
        let stop = stopping.clone();
        let accepting = async {
            for turn in (0..=others.len()).cycle() {
                let arrived = self.next().await;
                match turn.checked_sub(1) {
                    None => spawn(arrived, Arc::clone(&home), stop.clone()),
                    Some(other) => {
                        // A worker ends only after the accepting has.
                        let Arrived { stream, pass } = arrived;
                        let guest = stream.into_std().map(|stream| Guest { stream, pass });
                        let _ = guest.map(|guest| others[other].guests.send(guest));
                    }
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    async fn next(&self) -> Arrived {
        loop {
            let permit = self.permits.next().await;
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    if !self.permits.suffice_for(peer.ip().to_canonical().is_loopback()) {
                        self.addresses.refused.add(1);
                        continue;
                    }
                    // Beyond its share an address is not even answered: an answer would need a place as well.
                    if let Ok(place) = self.addresses.enter(peer.ip()) {
                        return Arrived { stream, pass: Pass { _permit: permit, _place: place } };
                    }
                }
                Err(error) => {
                    // Out of descriptors, say: those in use will come back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

/// A thread that serves connections.
#[derive(Debug)]
pub(crate) struct Worker {
    guests: mpsc::UnboundedSender<Guest>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread; it also carries these shards' runners.
    pub(crate) fn start(
        number: usize,
        front: Arc<Front>,
        runs: Vec<Run>,
        stopping: Stopping,
    ) -> io::Result<Self> {
        // Bounded by the permits that come with each guest.
        let (guests, mut arriving) = mpsc::unbounded_channel::<Guest>();
        let runtime = runtime()?;
        let serve = async move {
            for run in runs {
                tokio::spawn(run);
            }
            while let Some(Guest { stream, pass }) = arriving.recv().await {
                match TcpStream::from_std(stream) {
                    Ok(stream) => spawn(Arrived { stream, pass }, Arc::clone(&front), stopping.clone()),
                    Err(error) => tracing::warn!(%error, "cannot take over a connection"),
                }
            }
        };
        let thread = thread::Builder::new()
            .name(format!("kew-worker-{number}"))
            .spawn(move || runtime.block_on(serve))?;
        Ok(Self { guests, thread })
    }

    /// Ends the thread, and whatever connections it still has.
    pub(crate) fn end(self) {
        drop(self.guests);
        // A panic has been printed already.
        let _ = self.thread.join();
    }
}

/// The runtime of one worker: one thread, so that a request on its runner's own thread crosses none.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Begins to serve a connection, on a task of its own. Without TLS the task is smaller, and most are idle.
fn spawn(guest: Arrived, front: Arc<Front>, stopping: Stopping) {
    let Arrived { stream, pass } = guest;
    match front.tls.clone() {
        None => drop(tokio::spawn(async move {
            serving::plain(stream, front, stopping).await;
            drop(pass);
        })),
        Some(tls) => drop(tokio::spawn(async move {
            serving::secure(stream, &tls, front, stopping).await;
            drop(pass);
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_connections_are_this_machines_own() {
        let permits = Permits::new(4, 2);
        let first = permits.next().await;
        assert!(permits.suffice_for(false));
        let _second = permits.next().await;
        assert!(permits.suffice_for(false));
        let third = permits.next().await;
        assert!(!permits.suffice_for(false), "a stranger is closed at once");
        assert!(permits.suffice_for(true));
        let fourth = permits.next().await;
        assert!(permits.suffice_for(true), "to the last");
        drop((first, third, fourth));
        let _next = permits.next().await;
        assert!(permits.suffice_for(false), "what was given back is there for all");
    }
}
