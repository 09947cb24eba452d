//! AMQP 0-9-1, as RabbitMQ speaks it: a durable queue, persistent messages, publishing with confirms, consuming with ten in advance.
//!
//! An acknowledgement is not answered in this protocol, so what it costs until it is safe nobody sees.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{BATCH, Peer, WAIT, number, wrong};

/// The kinds of frames.
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xCE;

/// Methods: class and number.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const DECLARE: Method = (50, 10);
const DECLARE_OK: Method = (50, 11);
const QOS: Method = (60, 10);
const QOS_OK: Method = (60, 11);
const CONSUME: Method = (60, 20);
const CONSUME_OK: Method = (60, 21);
const PUBLISH: Method = (60, 40);
const DELIVER: Method = (60, 60);
const ACK: Method = (60, 80);
const CONFIRM: Method = (85, 10);
const CONFIRM_OK: Method = (85, 11);

pub(super) struct Amqp {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The queue's name, as frames have it.
    queue: Vec<u8>,
    is_consuming: bool,
    /// The last method that came, and its arguments.
    last: Option<(Method, Vec<u8>)>,
    /// The tag of the message whose body is to come.
    tag: u64,
    messages: VecDeque<(u64, u64)>,
    held: u64,
}

impl Peer for Amqp {
    async fn open(address: SocketAddr, queue: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut amqp = Self {
            stream,
            input: Vec::new(),
            output: b"AMQP\0\0\x09\x01".to_vec(),
            queue: short(queue),
            is_consuming: false,
            last: None,
            tag: 0,
            messages: VecDeque::new(),
            held: 0,
        };
        amqp.until(START).await?;
        // No properties, then mechanism, response and language.
        let login =
            [&[0; 4][..], b"\x05PLAIN", &12_u32.to_be_bytes(), b"\0guest\0guest", b"\x05en_US"].concat();
        amqp.method(0, START_OK, &login);
        let tune = amqp.until(TUNE).await?;
        // As many channels and as large frames as the server likes, and no heartbeats.
        let wanted = [tune.get(..6).ok_or_else(|| wrong("a short tune"))?, &[0; 2]].concat();
        amqp.method(0, TUNE_OK, &wanted);
        amqp.method(0, OPEN, b"\x01/\0\0");
        amqp.until(OPEN_OK).await?;
        amqp.method(1, CHANNEL_OPEN, b"\0");
        amqp.until(CHANNEL_OPEN_OK).await?;
        let durable = 2_u8;
        let declared = [&[0; 2][..], &amqp.queue, &[durable], &queue_type()].concat();
        amqp.method(1, DECLARE, &declared);
        amqp.until(DECLARE_OK).await?;
        amqp.method(1, CONFIRM, &[0]);
        amqp.until(CONFIRM_OK).await?;
        Ok(amqp)
    }

    async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let publish = [&[0; 2][..], b"\0", &self.queue, b"\0"].concat();
        self.method(1, PUBLISH, &publish);
        // Class, weight, size, the flag of the one property, and that: persistent.
        let size = (body.len() as u64).to_be_bytes();
        self.frame(
            HEADER,
            1,
            &[&60_u16.to_be_bytes()[..], &[0; 2], &size, &0x1000_u16.to_be_bytes(), &[2]].concat(),
        );
        self.frame(BODY, 1, body);
        self.until(ACK).await.map(drop)
    }

    async fn receive(&mut self, numbers: &mut Vec<u64>) -> io::Result<()> {
        if !self.is_consuming {
            self.is_consuming = true;
            self.method(1, QOS, &[&[0; 4][..], &(BATCH as u16).to_be_bytes(), &[0]].concat());
            self.until(QOS_OK).await?;
            let consume = [&[0; 2][..], &self.queue, b"\0", &[0], &[0; 4]].concat();
            self.method(1, CONSUME, &consume);
            self.until(CONSUME_OK).await?;
        }
        while self.messages.is_empty() {
            // What was read stays in the buffer if the time is over.
            match timeout(WAIT, self.pump()).await {
                Ok(read) => read?,
                Err(_) => return Ok(()),
            }
        }
        while let Some((tag, number)) = self.messages.pop_front() {
            self.held = tag;
            numbers.push(number);
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> io::Result<()> {
        let multiple = 1;
        self.method(1, ACK, &[&self.held.to_be_bytes()[..], &[multiple]].concat());
        self.flush().await
    }
}

impl Amqp {
    fn method(&mut self, channel: u16, (class, method): Method, arguments: &[u8]) {
        self.frame(METHOD, channel, &[&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat());
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        self.output.push(kind);
        self.output.extend_from_slice(&channel.to_be_bytes());
        self.output.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        self.output.extend_from_slice(payload);
        self.output.push(END);
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    /// Sends what is to be sent, and waits for a method.
    async fn until(&mut self, wanted: Method) -> io::Result<Vec<u8>> {
        self.flush().await?;
        loop {
            match self.last.take() {
                Some((method, arguments)) if method == wanted => return Ok(arguments),
                Some((method, arguments)) => {
                    return Err(wrong(format!(
                        "{method:?} instead of {wanted:?}: {}",
                        String::from_utf8_lossy(&arguments)
                    )));
                }
                None => self.pump().await?,
            }
        }
    }

    /// Reads what is there, and takes in whole frames.
    async fn pump(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let input = std::mem::take(&mut self.input);
        let mut at = 0;
        while let Some(head) = input.get(at..at + 7) {
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let Some(payload) = input.get(at + 7..at + 7 + size) else { break };
            if input.len() < at + size + 8 {
                break;
            }
            self.take_in(head[0], payload)?;
            at += size + 8;
        }
        self.input = input;
        self.input.drain(..at);
        Ok(())
    }

    fn take_in(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        match kind {
            METHOD => {
                let short = || wrong("a short method");
                let method = payload.first_chunk::<4>().ok_or_else(short)?;
                let method =
                    (u16::from_be_bytes([method[0], method[1]]), u16::from_be_bytes([method[2], method[3]]));
                let arguments = &payload[4..];
                if method == DELIVER {
                    // Behind the consumer's tag.
                    let skip = 1 + usize::from(*arguments.first().ok_or_else(short)?);
                    let tag = arguments
                        .get(skip..skip + 8)
                        .and_then(|tag| tag.try_into().ok())
                        .ok_or_else(short)?;
                    self.tag = u64::from_be_bytes(tag);
                } else {
                    self.last = Some((method, arguments.to_vec()));
                }
            }
            // Bodies are smaller than frames here, so each message has one.
            BODY => self.messages.push_back((self.tag, number(payload))),
            HEADER => {}
            // A heartbeat, though none were wanted.
            8 => {}
            other => return Err(wrong(format!("a frame of kind {other}"))),
        }
        Ok(())
    }
}

/// A short string.
fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

/// The arguments of a queue that is kept by a log which syncs before it confirms.
fn queue_type() -> Vec<u8> {
    let (name, value) = ("x-queue-type", "quorum");
    let entry = [&short(name)[..], b"S", &(value.len() as u32).to_be_bytes(), value.as_bytes()].concat();
    [&(entry.len() as u32).to_be_bytes()[..], &entry].concat()
}
