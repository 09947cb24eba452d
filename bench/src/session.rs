//! One queue at one endpoint: the requests of all kinds of work, written and answered.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::connection::Connection;
use crate::endpoint::{Endpoint, Operation};
use crate::failure::Failure;
use crate::options::Options;
use crate::run::Run;
use crate::scan;

/// Digits at the beginning of each body: the message's number, or the moment at which it was sent.
pub const NUMBER_DIGITS: usize = 20;

/// A queue to work on.
#[derive(Debug)]
pub struct Session {
    /// What was asked for.
    pub options: Options,
    /// The moment from which sent moments count.
    pub epoch: Instant,
    endpoint: Rc<Endpoint>,
    queue_url: String,
    groups: Option<u32>,
    filler: Vec<u8>,
    /// Sets apart the deduplication ids of this session from those of all others.
    prefix: String,
    numbers: Cell<u64>,
    operations: Operations,
}

#[derive(Debug)]
struct Operations {
    send: Operation,
    send_batch: Operation,
    receive: Operation,
    delete_batch: Operation,
}

impl Session {
    /// Creates the queue if it is not there: a FIFO queue if `groups` says how many message groups it shall have.
    pub async fn open(options: &Options, groups: Option<u32>) -> Result<Rc<Self>, Failure> {
        let endpoint = Rc::new(Endpoint::new(&options.endpoint, &options.access_key, &options.region)?);
        let (suffix, attributes) = match groups {
            Some(_) => (".fifo", r#","Attributes":{"FifoQueue":"true"}"#),
            None => ("", ""),
        };
        let body = format!(r#"{{"QueueName":"{}{suffix}"{attributes}}}"#, options.queue);
        let answer = request(&endpoint, "CreateQueue", body.as_bytes()).await?;
        let url = scan::strings(&answer, "\"QueueUrl\"").next();
        let url = url.map(String::from_utf8_lossy).ok_or_else(|| Failure::Refused {
            operation: "CreateQueue",
            status: 200,
            body: String::from_utf8_lossy(&answer).into_owned(),
        })?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Rc::new(Self {
            options: options.clone(),
            epoch: Instant::now(),
            queue_url: url.into_owned(),
            groups,
            filler: (b'a'..=b'z').cycle().take(options.body_bytes as usize - NUMBER_DIGITS).collect(),
            prefix: format!("{:x}", since.as_nanos()),
            numbers: Cell::new(0),
            operations: Operations {
                send: endpoint.operation("SendMessage"),
                send_batch: endpoint.operation("SendMessageBatch"),
                receive: endpoint.operation("ReceiveMessage"),
                delete_batch: endpoint.operation("DeleteMessageBatch"),
            },
            endpoint,
        }))
    }

    /// Deletes the queue, with all that it holds.
    pub async fn delete_queue(&self) -> Result<(), Failure> {
        let body = format!(r#"{{"QueueUrl":"{}"}}"#, self.queue_url);
        request(&self.endpoint, "DeleteQueue", body.as_bytes()).await.map(drop)
    }

    /// How many messages wait to be received, and how many are in flight or delayed.
    pub async fn backlog(&self) -> Result<(u64, u64), Failure> {
        let body = format!(r#"{{"QueueUrl":"{}","AttributeNames":["All"]}}"#, self.queue_url);
        let answer = request(&self.endpoint, "GetQueueAttributes", body.as_bytes()).await?;
        let count = |name| {
            let digits =
                scan::strings(&answer, name).next().and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or_default()
        };
        let hidden = count("\"ApproximateNumberOfMessagesNotVisible\"")
            + count("\"ApproximateNumberOfMessagesDelayed\"");
        Ok((count("\"ApproximateNumberOfMessages\""), hidden))
    }

    /// The queue's address, as the server gave it.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// The number of the next message.
    fn number(&self) -> u64 {
        self.numbers.replace(self.numbers.get() + 1)
    }

    /// Nanoseconds since the epoch: a number that tells a message's age when it is received.
    pub fn moment(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Writes a message's members. The ids of FIFO messages follow from the number.
    fn write_message(&self, out: &mut Vec<u8>, number: u64) {
        out.extend_from_slice(b"\"MessageBody\":\"");
        write_padded(out, number);
        out.extend_from_slice(&self.filler);
        out.push(b'"');
        if let Some(groups) = self.groups {
            let (group, prefix) = (number % u64::from(groups), &self.prefix);
            // Writing to a vector cannot fail.
            let _ = write!(
                out,
                ",\"MessageGroupId\":\"group-{group}\",\"MessageDeduplicationId\":\"{prefix}-{number}\""
            );
        }
    }

    fn begin(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"{\"QueueUrl\":\"");
        out.extend_from_slice(self.queue_url.as_bytes());
        out.extend_from_slice(b"\",");
    }
}

/// Sends one request outside of any measurement; it must succeed.
pub async fn request(
    endpoint: &Rc<Endpoint>,
    operation: &'static str,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let unreachable = |error| Failure::Unreachable(endpoint.address().to_string(), error);
    let mut connection = Connection::new(Rc::clone(endpoint));
    let answer = connection.call(&endpoint.operation(operation), body).await.map_err(unreachable)?;
    if answer.status == 200 {
        return Ok(answer.body.to_vec());
    }
    let body = String::from_utf8_lossy(answer.body).into_owned();
    Err(Failure::Refused { operation, status: answer.status, body })
}

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
        let unreachable = |error| Failure::Unreachable(self.session.endpoint.address().to_string(), error);
        self.connection.open().await.map_err(unreachable)
    }

    /// SendMessage. The body begins with `number`, or else with the session's next. Gives whether the message was taken.
    pub async fn send(&mut self, row: usize, due: Instant, number: Option<u64>) -> Result<bool, Failure> {
        let session = &self.session;
        session.begin(&mut self.body);
        session.write_message(&mut self.body, number.unwrap_or_else(|| session.number()));
        self.body.push(b'}');
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
        session.begin(&mut self.body);
        self.body.extend_from_slice(b"\"Entries\":[");
        for index in 0..count {
            begin_entry(&mut self.body, index);
            session.write_message(&mut self.body, session.number());
            self.body.push(b'}');
        }
        self.body.extend_from_slice(b"]}");
        let operation = &session.operations.send_batch;
        let answer =
            exchange(&mut self.connection, &self.run, &session.endpoint, operation, &self.body).await?;
        if let Some(answer) = answer {
            let failed = count_failed(&self.run, operation, answer);
            self.run.record(row, due, count.saturating_sub(failed));
        }
        Ok(())
    }

    /// ReceiveMessage for up to `most` (ten at most), waiting for `wait` seconds at most. `look` sees the answer's body. Gives how many came;
    /// [`Client::delete_batch`] deletes them.
    pub async fn receive(
        &mut self,
        row: usize,
        most: u64,
        wait: u8,
        look: impl FnOnce(&[u8]),
    ) -> Result<u64, Failure> {
        let session = &self.session;
        session.begin(&mut self.body);
        let _ = write!(self.body, "\"MaxNumberOfMessages\":{most},\"WaitTimeSeconds\":{wait}}}");
        let started = Instant::now();
        let operation = &session.operations.receive;
        let answer =
            exchange(&mut self.connection, &self.run, &session.endpoint, operation, &self.body).await?;
        let Some(answer) = answer else { return Ok(0) };
        session.begin(&mut self.delete);
        self.delete.extend_from_slice(b"\"Entries\":[");
        let mut count = 0;
        for handle in scan::strings(answer, "\"ReceiptHandle\"") {
            begin_entry(&mut self.delete, count);
            self.delete.extend_from_slice(b"\"ReceiptHandle\":\"");
            self.delete.extend_from_slice(handle);
            self.delete.extend_from_slice(b"\"}");
            count += 1;
        }
        self.delete.extend_from_slice(b"]}");
        self.run.record(row, started, count);
        look(answer);
        Ok(count)
    }

    /// DeleteMessageBatch of the `count` messages that were received last.
    pub async fn delete_batch(&mut self, row: usize, count: u64) -> Result<(), Failure> {
        let started = Instant::now();
        let operation = &self.session.operations.delete_batch;
        let endpoint = &self.session.endpoint;
        let answer = exchange(&mut self.connection, &self.run, endpoint, operation, &self.delete).await?;
        if let Some(answer) = answer {
            let failed = count_failed(&self.run, operation, answer);
            self.run.record(row, started, count.saturating_sub(failed));
        }
        Ok(())
    }
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
            let fault = scan::fault(answer.body).unwrap_or_default();
            run.error(format!("{} {} {fault}", operation.name, answer.status).trim_end().to_owned());
            Ok(None)
        }
        Err(error) => {
            run.error(format!("{}: {error}", operation.name));
            match endpoint.connect().await {
                Ok(_) => Ok(None),
                Err(error) => Err(Failure::Unreachable(endpoint.address().to_string(), error)),
            }
        }
    }
}

/// Counts the entries of a batch that failed.
fn count_failed(run: &Run, operation: &Operation, answer: &[u8]) -> u64 {
    if !scan::has_entries(answer, "\"Failed\"") {
        return 0;
    }
    let mut failed = 0;
    for code in scan::strings(answer, "\"Code\"") {
        run.error(format!("{} entry {}", operation.name, String::from_utf8_lossy(code)));
        failed += 1;
    }
    failed
}

/// Writes the beginning of a batch's entry: everything up to the members that follow its id.
fn begin_entry(out: &mut Vec<u8>, index: u64) {
    out.extend_from_slice(if index == 0 { b"{\"Id\":\"" } else { b",{\"Id\":\"" });
    out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
    out.extend_from_slice(b"\",");
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
