//! Accepts connections, spreads them over the workers, and serves HTTP/1.1 on each until it ends or the server stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::front::{Connection, Front};
use crate::limits;
use crate::shards::Run;

/// Whether the server is stopping, for everybody who must know.
pub(crate) type Stopping = watch::Receiver<bool>;

/// One accepted connection and its right to exist.
struct Guest {
    stream: std::net::TcpStream,
    permit: OwnedSemaphorePermit,
}

/// The listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    permits: Arc<Semaphore>,
}

/// All connections, whoever serves them.
#[derive(Debug)]
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
}

impl Connections {
    /// Waits until there is none.
    pub(crate) async fn end(&self) {
        // An error means that the semaphore was closed, which never happens.
        let _ = self.permits.acquire_many(limits::CONNECTIONS as u32).await;
    }
}

impl Listener {
    /// Takes the address. Connections wait in the kernel until [`Listener::accept`] runs.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Without this a restarted server waits for the kernel to forget its predecessor's connections.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(limits::BACKLOG)?;
        Ok(Self { socket, permits: Arc::new(Semaphore::new(limits::CONNECTIONS)) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A view of all connections that it will ever accept.
    pub(crate) fn connections(&self) -> Connections {
        Connections { permits: Arc::clone(&self.permits) }
    }

    /// Accepts until the server stops. The connections go to `home`, the worker of this thread, and to the others in turn.
    pub(crate) async fn accept(self, home: Arc<Front>, others: &[Worker], mut stopping: Stopping) {
        let stop = stopping.clone();
        let accepting = async {
            for turn in (0..=others.len()).cycle() {
                let (stream, permit) = self.next().await;
                match turn.checked_sub(1) {
                    None => spawn(stream, permit, Arc::clone(&home), stop.clone()),
                    Some(other) => {
                        // A worker ends only after the accepting has.
                        let guest = stream.into_std().map(|stream| Guest { stream, permit });
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

    async fn next(&self) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                // The semaphore is never closed.
                return std::future::pending().await;
            };
            match self.socket.accept().await {
                Ok((stream, _)) => return (stream, permit),
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
            while let Some(Guest { stream, permit }) = arriving.recv().await {
                match TcpStream::from_std(stream) {
                    Ok(stream) => spawn(stream, permit, Arc::clone(&front), stopping.clone()),
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

fn spawn(stream: TcpStream, permit: OwnedSemaphorePermit, front: Arc<Front>, stopping: Stopping) {
    tokio::spawn(async move {
        serve(stream, front, stopping).await;
        drop(permit);
    });
}

/// Whether the caller is on this machine.
fn is_local(stream: &TcpStream) -> bool {
    let Ok(peer) = stream.peer_addr() else { return false };
    let ip = peer.ip().to_canonical();
    ip.is_loopback() || stream.local_addr().is_ok_and(|own| own.ip().to_canonical() == ip)
}

/// Serves one connection. A stopping server lets the request that is being answered finish and then closes.
async fn serve(stream: TcpStream, front: Arc<Front>, mut stopping: Stopping) {
    // Answers are small and complete: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = Arc::new(Connection::open(front, is_local(&stream)));
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { Ok::<_, Infallible>(connection.answer(request).await) }
    });
    let mut http = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HEAD_TIME)
            .max_headers(limits::HEADERS)
            .max_buf_size(limits::HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    let signal = stopping.clone();
    let mut stop = pin!(async move {
        // The sender lives as long as the server.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    });
    let (mut is_registered, mut is_stopped) = (false, false);
    let result = poll_fn(|context| {
        // Registered once, the signal wakes this task; until it comes, looking whether it has costs one load.
        let look = !is_registered || (!is_stopped && signal.has_changed().unwrap_or(true));
        is_registered = true;
        if look && stop.as_mut().poll(context).is_ready() {
            is_stopped = true;
            http.as_mut().graceful_shutdown();
        }
        http.as_mut().poll(context)
    })
    .await;
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
