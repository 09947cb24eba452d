//! The kinds of work: what each connection does, over and over.

mod crew;
mod end_to_end;
mod long_poll;

use std::rc::Rc;
use std::time::{Duration, Instant};

pub use crew::Crew;
pub use end_to_end::end_to_end;
pub use long_poll::long_poll;

use crate::client::Client;
use crate::failure::Failure;
use crate::report::Report;
use crate::run::{Run, Worker};
use crate::session::Session;

/// Messages of one batch.
pub const BATCH: u64 = 10;

/// How long to wait before a queue is asked again whether messages have come back.
const PAUSE: Duration = Duration::from_millis(100);

/// How often in a row a receive may bring nothing although messages wait: SQS looks at a part of its machines only.
const EMPTY: u32 = 20;

/// SendMessage on every connection.
pub async fn send(session: &Rc<Session>) -> Result<Report, Failure> {
    let run = Run::new(&session.options, &["send"]);
    everywhere(session, run, "send", |run, mut client| async move { sends(&run, &mut client).await }).await
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
    let run = Run::new(&session.options, &["send x 10"]);
    everywhere(session, run, "send-batch", |run, mut client| async move {
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
    let run = Run::new(&session.options, RECEIVE_DELETE);
    everywhere(
        session,
        run,
        "receive-delete",
        |run, mut client| async move { receives(&run, &mut client).await },
    )
    .await
}

/// Receives and deletes as many messages as the session's options say, within their duration.
pub async fn receive_delete_within(session: &Rc<Session>) -> Result<Report, Failure> {
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(session.options.duration);
    let run = Run::until(&session.options, RECEIVE_DELETE, begin, Some(end));
    everywhere(
        session,
        run,
        "receive-delete",
        |run, mut client| async move { receives(&run, &mut client).await },
    )
    .await
}

const RECEIVE_DELETE: &[&str] = &["receive", "delete"];

async fn receives(run: &Run, client: &mut Client) -> Result<(), Failure> {
    let mut empty = 0;
    loop {
        let wanted = run.take(BATCH);
        if wanted == 0 {
            return Ok(());
        }
        let count = client.receive(0, wanted, 0, |_| ()).await?;
        run.give_back(wanted.saturating_sub(count));
        if count == 0 {
            empty += 1;
            if empty >= EMPTY {
                return Ok(());
            }
            continue;
        }
        empty = 0;
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
    let run = Run::new(&session.options, &["send x 10", "receive", "delete"]);
    everywhere(session, run, "cycle", |run, mut client| async move {
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
    run: Rc<Run>,
    work: &'static str,
    worker: impl Fn(Rc<Run>, Client) -> F,
) -> Result<Report, Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let start = |_| Box::pin(worker(Rc::clone(&run), Client::new(session, &run))) as Worker;
    let workers = (0..session.options.connections).map(start).collect();
    run.drive(work, session.options.pid, workers).await
}
