//! NATS JetStream: a work-queue stream in files, publishing with acknowledgement, pulling in tens, each message's own
//! acknowledgement confirmed.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{BATCH, Peer, WAIT, number, wrong};

/// The one consumer of each stream.
const CONSUMER: &str = "WORKERS";

/// The subscription for answers, and the one for messages.
const ANSWERS: &[u8] = b"1";

pub(super) struct Nats {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    inbox: String,
    /// The name of the stream, and of its one subject.
    queue: String,
    /// Answers that have come, and the last one.
    answers: usize,
    answer: Vec<u8>,
    /// Messages that the server may still give us without being asked again.
    asked: usize,
    messages: VecDeque<(String, u64)>,
    /// Where the messages that were received last are acknowledged.
    held: Vec<String>,
}

impl Peer for Nats {
    async fn open(address: SocketAddr, queue: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let inbox = format!("_INBOX.{}", stream.local_addr()?.port());
        let mut nats = Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            inbox,
            queue: queue.to_owned(),
            answers: 0,
            answer: Vec::new(),
            asked: 0,
            messages: VecDeque::new(),
            held: Vec::new(),
        };
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}}\r\n\
             SUB {0}.a 1\r\nSUB {0}.m 2\r\n",
            nats.inbox
        );
        nats.stream.write_all(hello.as_bytes()).await?;
        let config = format!(
            r#"{{"name":"{queue}","subjects":["{queue}"],"retention":"workqueue","storage":"file","num_replicas":1}}"#
        );
        nats.call(&format!("$JS.API.STREAM.CREATE.{queue}"), config.as_bytes()).await?;
        let config = format!(
            r#"{{"stream_name":"{queue}","config":{{"durable_name":"{CONSUMER}","ack_policy":"explicit","max_ack_pending":-1}}}}"#
        );
        nats.call(&format!("$JS.API.CONSUMER.DURABLE.CREATE.{queue}.{CONSUMER}"), config.as_bytes()).await?;
        Ok(nats)
    }

    async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let subject = self.queue.clone();
        self.call(&subject, body).await
    }

    async fn receive(&mut self, numbers: &mut Vec<u64>) -> io::Result<()> {
        self.held.clear();
        if self.messages.is_empty() && self.asked == 0 {
            let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", self.queue);
            let body = format!(r#"{{"batch":{BATCH},"expires":{}}}"#, WAIT.as_nanos());
            self.asked = BATCH;
            self.publish(&next, ".m", body.as_bytes());
            self.flush().await?;
        }
        while self.messages.is_empty() && self.asked > 0 {
            self.pump().await?;
        }
        while let Some((reply, number)) = self.messages.pop_front() {
            self.held.push(reply);
            numbers.push(number);
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.answers = 0;
        for reply in &held {
            self.publish(reply, ".a", b"+ACK");
        }
        self.flush().await?;
        while self.answers < held.len() {
            self.pump().await?;
        }
        Ok(())
    }
}

impl Nats {
    /// Publishes, and waits for the answer.
    async fn call(&mut self, subject: &str, body: &[u8]) -> io::Result<()> {
        self.answers = 0;
        self.publish(subject, ".a", body);
        self.flush().await?;
        while self.answers == 0 {
            self.pump().await?;
        }
        if memmem::find(&self.answer, b"\"error\"").is_some() || self.answer.starts_with(b"NATS/1.0 503") {
            return Err(wrong(String::from_utf8_lossy(&self.answer)));
        }
        Ok(())
    }

    fn publish(&mut self, subject: &str, answer_to: &str, body: &[u8]) {
        self.output.extend_from_slice(
            format!("PUB {subject} {}{answer_to} {}\r\n", self.inbox, body.len()).as_bytes(),
        );
        self.output.extend_from_slice(body);
        self.output.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    /// Reads what is there, and takes in all that is complete.
    async fn pump(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let input = std::mem::take(&mut self.input);
        let mut at = 0;
        while let Some(bytes) = self.take_in(&input[at..])? {
            at += bytes;
        }
        self.input = input;
        self.input.drain(..at);
        if !self.output.is_empty() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Takes in one thing that the server said, if it is complete. Gives its length.
    fn take_in(&mut self, input: &[u8]) -> io::Result<Option<usize>> {
        let Some(line) = memmem::find(input, b"\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&input[..line]).map_err(|_| wrong("NATS said what is no text"))?;
        let words: Vec<&str> = text.split(' ').collect();
        match words[0] {
            "PING" => self.output.extend_from_slice(b"PONG\r\n"),
            "INFO" | "PONG" | "+OK" => {}
            "MSG" | "HMSG" => {
                let bytes: usize =
                    words.last().and_then(|bytes| bytes.parse().ok()).ok_or_else(|| wrong(text))?;
                let whole = line + 2 + bytes + 2;
                if input.len() < whole {
                    return Ok(None);
                }
                let body = &input[line + 2..line + 2 + bytes];
                let with_reply = words.len() == if words[0] == "MSG" { 5 } else { 6 };
                self.hear(&words, with_reply.then(|| words[3]), body);
                return Ok(Some(whole));
            }
            _ => return Err(wrong(text)),
        }
        Ok(Some(line + 2))
    }

    fn hear(&mut self, words: &[&str], reply: Option<&str>, body: &[u8]) {
        if words[2].as_bytes() == ANSWERS {
            self.answers += 1;
            self.answer.clear();
            self.answer.extend_from_slice(body);
            return;
        }
        match reply {
            Some(reply) => {
                self.messages.push_back((reply.to_owned(), number(body)));
                self.asked = self.asked.saturating_sub(1);
            }
            // A status: there are no more, or the time is over.
            None => self.asked = 0,
        }
    }
}
