//! One queue at one endpoint.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::operation::Operation;
use crate::options::{LEAST_BODY, Options};
use crate::protocol::{Request, count, texts};

/// Digits at the beginning of each body: the message's number, or the moment at which it was sent.
pub const NUMBER_DIGITS: usize = LEAST_BODY as usize;

/// How long the answer to a request outside of any measurement may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue to work on.
#[derive(Debug)]
pub struct Session {
    /// What was asked for.
    pub options: Options,
    /// The moment from which sent moments count.
    pub epoch: Instant,
    pub(crate) endpoint: Rc<Endpoint>,
    queue: String,
    pub(crate) queue_url: String,
    pub(crate) groups: Option<u32>,
    pub(crate) filler: Vec<u8>,
    /// Sets apart the deduplication ids of this session from those of all others.
    pub(crate) prefix: String,
    numbers: Cell<u64>,
    pub(crate) operations: Operations,
}

#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) send: Operation,
    pub(crate) send_batch: Operation,
    pub(crate) receive: Operation,
    pub(crate) delete_batch: Operation,
}

impl Session {
    /// Creates the queue if it is not there: a FIFO queue if `groups` says how many message groups it shall have.
    pub async fn open(options: &Options, groups: Option<u32>) -> Result<Rc<Self>, Failure> {
        let endpoint = Rc::new(Endpoint::new(options)?);
        let mut attributes = options.attributes.clone();
        let mut queue = options.queue.clone();
        if groups.is_some() {
            attributes.push(("FifoQueue".to_owned(), "true".to_owned()));
            queue += ".fifo";
        }
        let mut body = Vec::new();
        let mut create = Request::begin(endpoint.protocol, &mut body, "CreateQueue", "QueueName", &queue);
        create.attributes(&attributes);
        create.end();
        let answer = request(&endpoint, "CreateQueue", &body).await?;
        let url = texts(endpoint.protocol, &answer, "QueueUrl").next();
        let queue_url = url.map(String::from_utf8_lossy).ok_or_else(|| Failure::Refused {
            operation: "CreateQueue",
            status: 200,
            body: excerpt(&answer),
        })?;
        let queue_url = queue_url.into_owned();
        Ok(Self::on(options, endpoint, queue, queue_url, groups))
    }

    fn on(
        options: &Options,
        endpoint: Rc<Endpoint>,
        queue: String,
        queue_url: String,
        groups: Option<u32>,
    ) -> Rc<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let operation = |name| endpoint.operation(name, Some(&queue_url));
        Rc::new(Self {
            options: options.clone(),
            epoch: Instant::now(),
            groups,
            filler: (b'a'..=b'z')
                .cycle()
                .take(options.body_bytes.saturating_sub(LEAST_BODY) as usize)
                .collect(),
            prefix: format!("{:x}", since.as_nanos()),
            numbers: Cell::new(0),
            operations: Operations {
                send: operation("SendMessage"),
                send_batch: operation("SendMessageBatch"),
                receive: operation("ReceiveMessage"),
                delete_batch: operation("DeleteMessageBatch"),
            },
            queue,
            queue_url,
            endpoint,
        })
    }

    /// The same queue, worked on in another way.
    pub fn with(&self, options: &Options) -> Rc<Self> {
        let (queue, queue_url) = (self.queue.clone(), self.queue_url.clone());
        Self::on(options, Rc::clone(&self.endpoint), queue, queue_url, self.groups)
    }

    /// Deletes the queue, with all that it holds.
    pub async fn delete_queue(&self) -> Result<(), Failure> {
        self.ask("DeleteQueue", |_| ()).await.map(drop)
    }

    /// How many messages wait to be received, and how many are in flight or delayed.
    pub async fn backlog(&self) -> Result<(u64, u64), Failure> {
        let answer = self.ask("GetQueueAttributes", |asked| asked.all_attributes()).await?;
        let count = |name| count(self.endpoint.protocol, &answer, name).unwrap_or_default();
        let hidden =
            count("ApproximateNumberOfMessagesNotVisible") + count("ApproximateNumberOfMessagesDelayed");
        Ok((count("ApproximateNumberOfMessages"), hidden))
    }

    async fn ask(
        &self,
        operation: &'static str,
        members: impl Fn(&mut Request<'_>),
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut asked = Request::on_queue(self.endpoint.protocol, &mut body, operation, &self.queue_url);
        members(&mut asked);
        asked.end();
        perform(&self.endpoint, &self.endpoint.operation(operation, Some(&self.queue_url)), &body).await
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The queue's address, as the server gave it.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// The number of the next message.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.replace(self.numbers.get() + 1)
    }

    /// Nanoseconds since the epoch: a number that tells a message's age when it is received.
    pub fn moment(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

/// Sends one request outside of any measurement, to no queue in particular; it must succeed.
pub async fn request(
    endpoint: &Rc<Endpoint>,
    operation: &'static str,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    perform(endpoint, &endpoint.operation(operation, None), body).await
}

async fn perform(endpoint: &Rc<Endpoint>, operation: &Operation, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut connection = Connection::new(Rc::clone(endpoint));
    let answer = tokio::time::timeout(PATIENCE, connection.call(operation, body)).await;
    let answer = answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let answer = answer.map_err(|error| endpoint.unreachable(error))?;
    if answer.status == 200 {
        return Ok(answer.body.to_vec());
    }
    Err(Failure::Refused { operation: operation.name, status: answer.status, body: excerpt(answer.body) })
}

/// The beginning of what an endpoint said, on one line.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const CHARACTERS: usize = 400;
    let text = String::from_utf8_lossy(&body[..body.len().min(8 * CHARACTERS)]);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    words.join(" ").chars().take(CHARACTERS).collect()
}
