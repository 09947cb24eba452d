//! The kinds of work: what each connection does, over and over.

mod crew;
mod end_to_end;
mod long_poll;

use std::rc::Rc;
use std::time::Duration;

pub use crew::Crew;
pub use end_to_end::end_to_end;
pub use long_poll::long_poll;

use crate::failure::Failure;
use crate::options::{Command, FifoWork, Options};
use crate::report::Report;
use crate::run::{Run, Worker};
use crate::session::{Client, Session};

/// Messages of one batch.
pub const BATCH: u64 = 10;

/// What `fill` and `receive-delete` put into the queue if nobody says how much.
pub const FILL: u64 = 100_000;

/// How long to wait before a queue is asked again whether messages have come back.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the queue that a command names and does its work. The series are not among these.
pub async fn perform(command: &Command) -> Result<Report, Failure> {
    match command {
        Command::Send(options) => send(&Session::open(options, None).await?).await,
        Command::SendBatch(options) => send_batch(&Session::open(options, None).await?).await,
        Command::Fill(options) => fill(options).await,
        Command::ReceiveDelete(options) => {
            fill(options).await?;
            let options = Options { count: Some(options.count.unwrap_or(FILL)), ..options.clone() };
            receive_delete(&Session::open(&options, None).await?).await
        }
        Command::Cycle(options) => cycle(&Session::open(options, None).await?).await,
        Command::Fifo(fifo) => {
            let session = Session::open(&fifo.options, Some(fifo.groups)).await?;
            match fifo.work {
                FifoWork::Send => send(&session).await,
                FifoWork::SendBatch => send_batch(&session).await,
                FifoWork::Cycle => cycle(&session).await,
            }
        }
        Command::EndToEnd(ends) => {
            let session = Session::open(&ends.options, None).await?;
            end_to_end(&session, ends.producers, ends.consumers).await
        }
        Command::LongPoll(options) => long_poll(&Session::open(options, None).await?).await,
        Command::Suite(_) | Command::Depth(_) => {
            Err(Failure::Process("a series".to_owned(), "is not one kind of work".to_owned()))
        }
    }
}

/// Adds messages to the queue, in tens.
async fn fill(options: &Options) -> Result<Report, Failure> {
    let options = Options { count: Some(options.count.unwrap_or(FILL)), ..options.clone() };
    send_batch(&Session::open(&options, None).await?).await
}

/// SendMessage on every connection.
pub async fn send(session: &Rc<Session>) -> Result<Report, Failure> {
    everywhere(session, "send", &["send"], |run, mut client| async move { sends(&run, &mut client).await })
        .await
}

async fn sends(run: &Run, client: &mut Client) -> Result<(), Failure> {
    while run.take(1) > 0 {
        let due = run.due().await;
        client.send(0, due, None).await?;
    }
    Ok(())
}

/// SendMessageBatch on every connection.
pub async fn send_batch(session: &Rc<Session>) -> Result<Report, Failure> {
    everywhere(session, "send-batch", &["send x 10"], |run, mut client| async move {
        loop {
            let count = run.take(BATCH);
            if count == 0 {
                return Ok(());
            }
            let due = run.due().await;
            client.send_batch(0, due, count).await?;
        }
    })
    .await
}

/// ReceiveMessage and DeleteMessageBatch until the time is over or the messages are. The queue must hold some.
pub async fn receive_delete(session: &Rc<Session>) -> Result<Report, Failure> {
    everywhere(session, "receive-delete", &["receive", "delete"], |run, mut client| async move {
        receives(&run, &mut client).await
    })
    .await
}

async fn receives(run: &Run, client: &mut Client) -> Result<(), Failure> {
    loop {
        let wanted = run.take(BATCH);
        if wanted == 0 {
            return Ok(());
        }
        let count = client.receive(0, wanted, 0, |_| ()).await?;
        run.give_back(wanted.saturating_sub(count));
        if count == 0 {
            return Ok(());
        }
        client.delete_batch(1, count).await?;
    }
}

/// Receives and deletes until nothing is left, neither waiting nor in flight.
pub async fn drain(session: &Rc<Session>) -> Result<Report, Failure> {
    let crew = Crew::open(session).await?;
    let (waiting, _) = session.backlog().await?;
    let mut whole = crew.receive_delete(waiting).await?;
    loop {
        match session.backlog().await? {
            (0, 0) => return Ok(whole),
            // What others received comes back by itself.
            (0, _) => tokio::time::sleep(PAUSE).await,
            (waiting, _) => whole.add(crew.receive_delete(waiting).await?),
        }
    }
}

/// Sends ten, receives ten, deletes ten, so that as many messages wait at the end as at the beginning.
pub async fn cycle(session: &Rc<Session>) -> Result<Report, Failure> {
    everywhere(session, "cycle", &["send x 10", "receive", "delete"], |run, mut client| async move {
        loop {
            let count = run.take(BATCH);
            if count == 0 {
                return Ok(());
            }
            let due = run.due().await;
            client.send_batch(0, due, count).await?;
            let count = client.receive(1, BATCH, 0, |_| ()).await?;
            if count > 0 {
                client.delete_batch(2, count).await?;
            }
        }
    })
    .await
}

/// Runs the same worker on each of the connections that the session's options ask for.
async fn everywhere<F>(
    session: &Rc<Session>,
    work: &'static str,
    rows: &[&'static str],
    worker: impl Fn(Rc<Run>, Client) -> F,
) -> Result<Report, Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let run = Run::new(&session.options, rows);
    let start = |_| Box::pin(worker(Rc::clone(&run), Client::new(session, &run))) as Worker;
    let workers = (0..session.options.connections).map(start).collect();
    run.drive(work, session.options.pid, workers).await
}
