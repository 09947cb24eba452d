//! Many callers who wait for what does not come.

use std::rc::Rc;
use std::time::{Duration, Instant};

use kew_load::Failure;
use kew_load::client::Client;
use kew_load::process::cpu_time;
use kew_load::run::{NO_ROW, Run, Worker};
use kew_load::session::Session;
use kew_load::work::BATCH;

use crate::figures::Figures;
use crate::process::Memory;
use crate::server::Server;

/// How long each poll asks to wait, in seconds: the longest that SQS knows.
pub(crate) const WAIT: u8 = 20;

/// How long everybody is given to begin to wait, and to connect before that; and how often, if the server was slower.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSES: u32 = 10;

/// Receives that wait in the server.
const WAITING: &str = "kew_receives_waiting";

/// Connections that are open, and have said nothing yet.
pub(crate) struct Crowd {
    run: Rc<Run>,
    clients: Vec<Client>,
    /// The server's memory since all of them are there.
    pub(crate) connected: Memory,
}

/// What a crowd costs while it waits.
pub(crate) struct Waiting {
    pub(crate) memory: Memory,
    /// The part of a core that the server needs.
    pub(crate) core_share: f64,
    pub(crate) errors: u64,
}

impl Crowd {
    /// Connects once for each session, whose options must leave time enough.
    pub(crate) async fn gather(server: &Server, sessions: &[Rc<Session>]) -> Result<Self, Failure> {
        let first = sessions.first().ok_or_else(|| Failure::Asked("nobody is to wait".to_owned()))?;
        let run = Run::new(&first.options, &["receive"]);
        let mut clients = Vec::new();
        for session in sessions {
            let mut client = Client::new(session, &run);
            client.open().await?;
            clients.push(client);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(Self { run, clients, connected: Memory::of(server.pid())? })
    }

    /// The part of a core that the server needs while nobody says anything.
    pub(crate) async fn silence(&self, server: &Server, time: Duration) -> Result<f64, Failure> {
        core_share(server, time).await
    }

    /// Lets all of them poll, over and over, and watches the server from when all of them wait.
    pub(crate) async fn poll(self, server: &Server, time: Duration) -> Result<Waiting, Failure> {
        let count = self.clients.len();
        let poll = |client| Box::pin(poll(client, Rc::clone(&self.run))) as Worker;
        let polls = self.clients.into_iter().map(poll).collect();
        let polls = Rc::clone(&self.run).drive("polls", None, polls);
        let watch = async {
            let memory = all_wait(server, count).await?;
            Ok::<_, Failure>((memory, core_share(server, time).await?))
        };
        let (memory, core_share) = tokio::select! {
            // It ends before the watch does only if something fails.
            ended = polls => return Err(ended.err().unwrap_or_else(|| {
                Failure::Process("the polls".to_owned(), "ended before they were measured".to_owned())
            })),
            watched = watch => watched?,
        };
        Ok(Waiting { memory, core_share, errors: self.run.error_count() })
    }
}

async fn core_share(server: &Server, time: Duration) -> Result<f64, Failure> {
    let (start, before) = (Instant::now(), cpu_time(server.pid())?);
    tokio::time::sleep(time).await;
    let used = cpu_time(server.pid())?.saturating_sub(before);
    Ok(used.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-9))
}

/// Waits until the server says that all polls wait, and gives its memory from just before it was asked: the figures of many
/// queues are a long text, and the room for it is no part of a poll's.
async fn all_wait(server: &Server, wanted: usize) -> Result<Memory, Failure> {
    let mut count = 0.0;
    for _ in 0..PAUSES {
        tokio::time::sleep(PAUSE).await;
        let memory = Memory::of(server.pid())?;
        count = Figures::read(&server.url()).await?.known(WAITING)?;
        if count >= wanted as f64 {
            return Ok(memory);
        }
    }
    Err(Failure::Process(WAITING.to_owned(), format!("is {count} and not {wanted}")))
}

/// Polls again and again.
async fn poll(mut client: Client, run: Rc<Run>) -> Result<(), Failure> {
    while !run.is_over() {
        client.receive(NO_ROW, BATCH, WAIT, |_| ()).await?;
    }
    Ok(())
}
