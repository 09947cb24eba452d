//! Producers at one end of the queue, consumers at the other.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::BATCH;
use crate::client::{Client, Received};
use crate::failure::Failure;
use crate::report::Report;
use crate::run::{Run, Worker};
use crate::session::Session;

/// The longest that a consumer asks to wait.
const WAIT: u8 = 20;

/// Producers send one message per request, consumers long-poll for ten and delete them. Latency counts from the moment at
/// which a message was due to be sent to the moment at which a consumer holds it.
pub async fn end_to_end(session: &Rc<Session>, producers: u32, consumers: u32) -> Result<Report, Failure> {
    let run = Run::new(&session.options, &["send", "receive", "delete", "end to end"]);
    let consume = (0..consumers).map(|_| Box::pin(consume(Rc::clone(session), Rc::clone(&run))) as Worker);
    let produce = (0..producers).map(|_| Box::pin(produce(Rc::clone(session), Rc::clone(&run))) as Worker);
    let workers = consume.chain(produce).collect();
    Rc::clone(&run).drive("end-to-end", session.options.pid, workers).await
}

async fn produce(session: Rc<Session>, run: Rc<Run>) -> Result<(), Failure> {
    let mut client = Client::new(&session, &run);
    while run.take(1) > 0 {
        let due = run.due().await;
        let sent = due.saturating_duration_since(session.epoch).as_nanos() as u64;
        client.send(0, due, Some(sent)).await?;
    }
    Ok(())
}

async fn consume(session: Rc<Session>, run: Rc<Run>) -> Result<(), Failure> {
    let mut client = Client::new(&session, &run);
    while !run.is_over() {
        let look = |came: Received<'_>| sent(&session, came).for_each(|sent| run.record(3, sent, 1));
        let count = client.receive(1, BATCH, WAIT, look).await?;
        if count > 0 {
            client.delete_batch(2, count).await?;
        }
    }
    Ok(())
}

/// When the messages that came were sent.
pub(super) fn sent(session: &Session, came: Received<'_>) -> impl Iterator<Item = Instant> {
    came.numbers().map(|nanos| session.epoch + Duration::from_nanos(nanos))
}
