//! The requests of all kinds of work, written and answered.

use std::rc::Rc;
use std::time::Instant;

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::operation::Operation;
use crate::protocol::{Request, code, codes_of_failures, texts};
use crate::run::Run;
use crate::session::{NUMBER_DIGITS, Session, excerpt};

/// What the Query protocol calls the entries of batches.
const SEND_ENTRY: &str = "SendMessageBatchRequestEntry";
const DELETE_ENTRY: &str = "DeleteMessageBatchRequestEntry";

/// One connection of a run.
#[derive(Debug)]
pub struct Client {
    session: Rc<Session>,
    run: Rc<Run>,
    connection: Connection,
    body: Vec<u8>,
    /// The request that deletes what was received last.
    delete: Vec<u8>,
}

/// What a receive brought.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    session: &'a Session,
    answer: &'a [u8],
}

impl<'a> Received<'a> {
    /// The numbers that the messages' bodies begin with.
    pub fn numbers(self) -> impl Iterator<Item = u64> + use<'a> {
        texts(self.session.endpoint.protocol, self.answer, "Body").filter_map(|body| {
            let digits = std::str::from_utf8(body.get(..NUMBER_DIGITS)?).ok()?;
            digits.parse().ok()
        })
    }
}

impl Client {
    /// A connection of `session` whose requests count in `run`.
    pub fn new(session: &Rc<Session>, run: &Rc<Run>) -> Self {
        Self {
            session: Rc::clone(session),
            run: Rc::clone(run),
            connection: Connection::new(Rc::clone(&session.endpoint)),
            body: Vec::new(),
            delete: Vec::new(),
        }
    }

    /// Lets its further requests count in another run.
    pub fn join(&mut self, run: &Rc<Run>) {
        self.run = Rc::clone(run);
    }

    /// Connects, if it is not connected.
    pub async fn open(&mut self) -> Result<(), Failure> {
        self.connection.open().await.map_err(|error| self.session.endpoint.unreachable(error))
    }

    /// SendMessage. The body begins with `number`, or else with the session's next. Gives whether the message was taken.
    pub async fn send(&mut self, row: usize, due: Instant, number: Option<u64>) -> Result<bool, Failure> {
        let session = &self.session;
        let protocol = session.endpoint.protocol;
        let mut request = Request::on_queue(protocol, &mut self.body, "SendMessage", &session.queue_url);
        write_message(session, &mut request, number.unwrap_or_else(|| session.number()));
        request.end();
        let operation = &session.operations.send;
        let answer =
            exchange(&mut self.connection, &self.run, &session.endpoint, operation, &self.body).await?;
        let sent = answer.is_some();
        if sent {
            self.run.record(row, due, 1);
        }
        Ok(sent)
    }

    /// SendMessageBatch.
    pub async fn send_batch(&mut self, row: usize, due: Instant, count: u64) -> Result<(), Failure> {
        let session = &self.session;
        let protocol = session.endpoint.protocol;
        let mut request = Request::on_queue(protocol, &mut self.body, "SendMessageBatch", &session.queue_url);
        for _ in 0..count {
            request.entry(SEND_ENTRY);
            write_message(session, &mut request, session.number());
        }
        request.end();
        let operation = &session.operations.send_batch;
        let answer =
            exchange(&mut self.connection, &self.run, &session.endpoint, operation, &self.body).await?;
        if let Some(answer) = answer {
            let failed = count_failed(&self.run, &session.endpoint, operation, answer);
            self.run.record(row, due, count.saturating_sub(failed));
        }
        Ok(())
    }

    /// ReceiveMessage for up to `most` (ten at most), waiting for `wait` seconds at most. `look` sees what came. Gives how many came;
    /// [`Client::delete_batch`] deletes them.
    pub async fn receive(
        &mut self,
        row: usize,
        most: u64,
        wait: u8,
        look: impl FnOnce(Received<'_>),
    ) -> Result<u64, Failure> {
        let session = &self.session;
        let protocol = session.endpoint.protocol;
        let mut request = Request::on_queue(protocol, &mut self.body, "ReceiveMessage", &session.queue_url);
        request.number("MaxNumberOfMessages", most);
        request.number("WaitTimeSeconds", wait.into());
        request.end();
        let started = Instant::now();
        let operation = &session.operations.receive;
        let answer =
            exchange(&mut self.connection, &self.run, &session.endpoint, operation, &self.body).await?;
        let Some(answer) = answer else { return Ok(0) };
        let mut delete =
            Request::on_queue(protocol, &mut self.delete, "DeleteMessageBatch", &session.queue_url);
        for handle in texts(protocol, answer, "ReceiptHandle") {
            delete.entry(DELETE_ENTRY);
            delete.handle(handle);
        }
        let count = delete.entries();
        delete.end();
        self.run.record(row, started, count);
        look(Received { session, answer });
        Ok(count)
    }

    /// DeleteMessageBatch of the `count` messages that were received last.
    pub async fn delete_batch(&mut self, row: usize, count: u64) -> Result<(), Failure> {
        let started = Instant::now();
        let operation = &self.session.operations.delete_batch;
        let endpoint = &self.session.endpoint;
        let answer = exchange(&mut self.connection, &self.run, endpoint, operation, &self.delete).await?;
        if let Some(answer) = answer {
            let failed = count_failed(&self.run, endpoint, operation, answer);
            self.run.record(row, started, count.saturating_sub(failed));
        }
        Ok(())
    }
}

/// Writes a message's members. The ids of FIFO messages follow from the number.
fn write_message(session: &Session, request: &mut Request<'_>, number: u64) {
    let out = request.begin_text("MessageBody");
    write_padded(out, number);
    out.extend_from_slice(&session.filler);
    request.end_text();
    let Some(groups) = session.groups else { return };
    let mut digits = itoa::Buffer::new();
    let out = request.begin_text("MessageGroupId");
    out.extend_from_slice(b"group-");
    out.extend_from_slice(digits.format(number % u64::from(groups)).as_bytes());
    request.end_text();
    let out = request.begin_text("MessageDeduplicationId");
    out.extend_from_slice(session.prefix.as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(number).as_bytes());
    request.end_text();
}

/// Sends a request. A refusal is counted and gives nothing; so is a lost connection, if another one can be made.
async fn exchange<'a>(
    connection: &'a mut Connection,
    run: &Run,
    endpoint: &Endpoint,
    operation: &Operation,
    body: &[u8],
) -> Result<Option<&'a [u8]>, Failure> {
    match connection.call(operation, body).await {
        Ok(answer) if answer.status == 200 => Ok(Some(answer.body)),
        Ok(answer) => {
            let fault = code(endpoint.protocol, answer.body).unwrap_or_default();
            let what = format!("{} {} {fault}", operation.name, answer.status).trim_end().to_owned();
            run.error(what, || excerpt(answer.body));
            Ok(None)
        }
        Err(error) => {
            run.error(format!("{}: {error}", operation.name), String::new);
            match endpoint.connect().await {
                Ok(_) => Ok(None),
                Err(error) => Err(endpoint.unreachable(error)),
            }
        }
    }
}

/// Counts the entries of a batch that failed.
fn count_failed(run: &Run, endpoint: &Endpoint, operation: &Operation, answer: &[u8]) -> u64 {
    let mut failed = 0;
    for code in codes_of_failures(endpoint.protocol, answer) {
        run.error(format!("{} entry {}", operation.name, String::from_utf8_lossy(code)), || excerpt(answer));
        failed += 1;
    }
    failed
}

/// Writes a number with [`NUMBER_DIGITS`] digits.
fn write_padded(out: &mut Vec<u8>, number: u64) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    out.extend_from_slice(&[b'0'; NUMBER_DIGITS][digits.len()..]);
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_fixed_width_up_to_the_largest() {
        let written = |number| {
            let mut out = Vec::new();
            write_padded(&mut out, number);
            String::from_utf8(out).expect("digits")
        };
        assert_eq!(written(7), "00000000000000000007");
        assert_eq!(written(u64::MAX), u64::MAX.to_string());
    }
}
