//! Consumers that wait on an empty queue, and one producer that wakes them.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::BATCH;
use super::end_to_end::sent;
use crate::client::{Client, Received};
use crate::failure::Failure;
use crate::report::Report;
use crate::run::{NO_ROW, Run, Worker};
use crate::session::Session;

/// The longest that a consumer asks to wait.
const WAIT: u8 = 20;

/// How long everybody waits before the next message, so that each one finds the queue at rest.
const REST: Duration = Duration::from_millis(2);

/// One producer sends a message, waits until one of the waiting consumers has it, rests, and sends the next.
pub async fn long_poll(session: &Rc<Session>) -> Result<Report, Failure> {
    let run = Run::new(&session.options, &["send", "delete", "wake-up"]);
    let arrived = Rc::new(Notify::new());
    let wait = |_| Box::pin(wait(Rc::clone(session), Rc::clone(&run), Rc::clone(&arrived))) as Worker;
    let mut workers: Vec<Worker> = (0..session.options.connections).map(wait).collect();
    workers.push(Box::pin(wake(Rc::clone(session), Rc::clone(&run), Rc::clone(&arrived))));
    Rc::clone(&run).drive("long-poll", session.options.pid, workers).await
}

async fn wake(session: Rc<Session>, run: Rc<Run>, arrived: Rc<Notify>) -> Result<(), Failure> {
    let mut client = Client::new(&session, &run);
    while run.take(1) > 0 {
        tokio::time::sleep(REST).await;
        if client.send(0, Instant::now(), Some(session.moment())).await? {
            arrived.notified().await;
        }
    }
    Ok(())
}

async fn wait(session: Rc<Session>, run: Rc<Run>, arrived: Rc<Notify>) -> Result<(), Failure> {
    let mut client = Client::new(&session, &run);
    while !run.is_over() {
        let look = |came: Received<'_>| sent(&session, came).for_each(|sent| run.record(2, sent, 1));
        // What is received is the sum of a rest, a send and the waking; only the latter is of interest, hence no row.
        let count = client.receive(NO_ROW, BATCH, WAIT, look).await?;
        if count > 0 {
            arrived.notify_one();
            client.delete_batch(1, count).await?;
        }
    }
    Ok(())
}
