//! HTTP/2 as callers speak it behind TLS, and as they should not: frame by frame.

mod kew;

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use kew::{Directory, PATIENCE, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn pem(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn server() -> (Directory, Server) {
    let directory = Directory::new();
    let (certificate, key) = (pem("first.pem"), directory.join("first.key"));
    // As an operator keeps it.
    std::fs::copy(pem("first.key"), &key).expect("a copy");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("its mode");
    let flags =
        ["--durability", "os", "--workers", "1", "--tls-certificate", &certificate, "--tls-key", &key];
    let server = Server::start(&directory.join("data"), &flags);
    let mut connection = Connection::open(&server);
    assert_eq!(connection.call("CreateQueue", &json!({"QueueName": "q"})).0, 200);
    (directory, server)
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection that has shaken hands and sent its preface.
struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    next: u32,
}

impl Connection {
    fn open(server: &Server) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(pem("authority.pem")).expect("a certificate"))
            .expect("a root");
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let stream = TcpStream::connect(server.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let mut stream = StreamOwned::new(session, stream);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("to write");
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
        let mut connection = Self { stream, next: 1 };
        connection.write(SETTINGS, 0, 0, b"").expect("to write");
        connection
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame)
    }

    fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Begins a request and returns its stream.
    fn begin(&mut self, operation: &str, body: &Value) -> u32 {
        let stream = self.next;
        self.next += 2;
        let target = format!("AmazonSQS.{operation}");
        let block = fields(&[
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "queues.example:8443"),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
        ]);
        self.write(HEADERS, END_HEADERS, stream, &block).expect("to write");
        self.write(DATA, END_STREAM, stream, body.to_string().as_bytes()).expect("to write");
        stream
    }

    /// The answer of this stream; what others say meanwhile is passed over.
    fn answer(&mut self, stream: u32) -> (u16, Value) {
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let frame = self.read().expect("an answer");
            if frame.stream != stream {
                assert_ne!(frame.kind, GO_AWAY, "{frame:?}");
                continue;
            }
            match frame.kind {
                HEADERS => status = self::status(&frame.payload),
                DATA => body.extend(&frame.payload),
                WINDOW => continue,
                _ => panic!("{frame:?}"),
            }
            if frame.flags & END_STREAM != 0 {
                return (status, serde_json::from_slice(&body).unwrap_or(Value::Null));
            }
        }
    }

    fn call(&mut self, operation: &str, body: &Value) -> (u16, Value) {
        let stream = self.begin(operation, body);
        self.answer(stream)
    }

    /// Reads until the server says that it will go, and why.
    fn until_it_goes(&mut self) -> u32 {
        loop {
            let frame = self.read().expect("a frame before the end");
            if frame.kind == GO_AWAY {
                return u32::from_be_bytes(frame.payload[4..8].try_into().expect("four bytes"));
            }
        }
    }

    /// Whether the server ends it, and does not only fall silent.
    fn is_closed(&mut self) -> bool {
        loop {
            if let Err(error) = self.read() {
                return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            }
        }
    }
}

/// A block of literal fields that nobody needs to remember.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // Lengths of seven bits, and beyond 126 the rest in one or two bytes more.
            if text.len() < 127 {
                block.push(text.len() as u8);
            } else {
                let rest = text.len() - 127;
                block.push(127);
                let mut rest = rest;
                while rest >= 128 {
                    block.push((rest % 128 + 128) as u8);
                    rest /= 128;
                }
                block.push(rest as u8);
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The status at the beginning of an answer's fields: of the static table, or written out behind its name there.
fn status(block: &[u8]) -> u16 {
    // The table may be told to shrink first.
    let block = block.iter().position(|byte| byte & 0xe0 != 0x20).map_or(block, |at| &block[at..]);
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => {
            let length = usize::from(block[1] & 0x7f);
            let text = &block[2..2 + length];
            if block[1] & 0x80 == 0 {
                std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(1)
            } else {
                // Huffman's code of 431 and 415 begin alike: the digits take five or six bits.
                digits(text)
            }
        }
    }
}

/// Digits in HPACK's Huffman code: 0, 1 and 2 have five bits, the others six.
fn digits(code: &[u8]) -> u16 {
    let bits: Vec<u8> = code.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let (mut at, mut number) = (0, 0);
    let take = |at: usize, count: usize| {
        bits[at..at + count].iter().fold(0_u16, |value, bit| value << 1 | u16::from(*bit))
    };
    for _ in 0..3 {
        let five = take(at, 5);
        if five <= 2 {
            number = number * 10 + five;
            at += 5;
        } else {
            number = number * 10 + take(at, 6) - 0x19 + 3;
            at += 6;
        }
    }
    number
}

#[test]
fn many_requests_at_once_get_each_its_own_answer() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let (status, reply) = connection.call("GetQueueUrl", &json!({"QueueName": "q"}));
    assert_eq!((status, &reply["QueueUrl"]), (200, &json!("https://queues.example:8443/000000000000/q")));
    assert_eq!(connection.call("GetQueueUrl", &json!({"QueueName": "none"})).0, 400);

    // Long polls on streams of one connection, and on another one what they wait for.
    let polls: Vec<u32> = (0..50)
        .map(|_| connection.begin("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20})))
        .collect();
    let mut other = Connection::open(&server);
    for number in 0..50 {
        assert_eq!(
            other.call("SendMessage", &json!({"QueueUrl": "q", "MessageBody": number.to_string()})).0,
            200
        );
    }
    let mut answered = 0;
    while answered < polls.len() {
        let frame = connection.read().expect("an answer");
        answered += usize::from(frame.kind == DATA && frame.flags & END_STREAM != 0);
    }
}

#[test]
fn a_request_that_is_broken_off_takes_no_message_with_it() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let poll = connection.begin("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20}));
    let mut other = Connection::open(&server);
    connection.write(RESET, 0, poll, &8_u32.to_be_bytes()).expect("to write");
    // Answered only once the frame before it was looked at.
    assert_eq!(connection.call("ListQueues", &json!({})).0, 200);
    assert_eq!(other.call("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "m"})).0, 200);
    let reply = other
        .call("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20, "AttributeNames": ["All"]}))
        .1;
    assert_eq!(reply["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
}

#[test]
fn too_much_of_a_head_is_refused() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let base = [(":method", "GET"), (":scheme", "https"), (":path", "/health"), (":authority", "h")];
    let names: Vec<String> = (0..200).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = base.into_iter().chain(names.iter().map(|name| (&**name, "y"))).collect();
    connection.write(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&many)).expect("to write");
    assert_eq!(connection.answer(1).0, 431);

    let mut connection = Connection::open(&server);
    let long = "x".repeat(10_000);
    let mut wide = base.to_vec();
    wide.extend([("x-long", &*long); 7]);
    let block = fields(&wide);
    let (first, rest) = block.split_at(16_000);
    connection.write(HEADERS, END_STREAM, 1, first).expect("to write");
    let mut parts = rest.chunks(16_000).peekable();
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_none() { END_HEADERS } else { 0 };
        connection.write(CONTINUATION, flags, 1, part).expect("to write");
    }
    assert_eq!(connection.answer(1).0, 431);
    connection.next = 3;
    assert_eq!(connection.call("ListQueues", &json!({})).0, 200, "the connection goes on");

    // A head without an end: the server goes before it has read much of it.
    let mut connection = Connection::open(&server);
    connection.write(HEADERS, END_STREAM, 1, &fields(&base)).expect("to write");
    let part = fields(&[("x-long", &long)]);
    let written = (0..10_000).take_while(|_| connection.write(CONTINUATION, 0, 1, &part).is_ok()).count();
    assert!(written < 10_000, "a hundred megabytes were taken");
    assert!(connection.is_closed());
    assert_eq!(Connection::open(&server).call("ListQueues", &json!({})).0, 200);
}

#[test]
fn requests_that_are_broken_off_at_once_end_the_connection() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let block =
        fields(&[(":method", "GET"), (":scheme", "https"), (":path", "/health"), (":authority", "h")]);
    let mut rapid = Vec::new();
    for number in 0..5_000_u32 {
        let stream = 2 * number + 1;
        let frame = |kind: u8, flags: u8, payload: &[u8], out: &mut Vec<u8>| {
            out.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            out.extend([kind, flags]);
            out.extend(stream.to_be_bytes());
            out.extend(payload);
        };
        frame(HEADERS, END_HEADERS | END_STREAM, &block, &mut rapid);
        frame(RESET, 0, &8_u32.to_be_bytes(), &mut rapid);
    }
    // The server may be gone before all is written.
    let _ = connection.stream.write_all(&rapid);
    assert!(connection.is_closed());
    assert_eq!(Connection::open(&server).call("ListQueues", &json!({})).0, 200);
}

#[test]
fn more_streams_than_agreed_are_refused() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let polls: Vec<u32> = (0..180)
        .map(|_| connection.begin("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20})))
        .collect();
    let mut refused = 0;
    while refused < polls.len() - 128 {
        let frame = connection.read().expect("a frame");
        refused += usize::from(frame.kind == RESET && frame.payload == 7_u32.to_be_bytes());
    }
}

#[test]
fn floods_of_pings_and_settings_are_answered_and_change_nothing() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    for _ in 0..100 {
        for _ in 0..100 {
            connection.write(PING, 0, 0, b"01234567").expect("to write");
            connection.write(SETTINGS, 0, 0, b"").expect("to write");
            connection.write(0xbe, 0, 0, b"unknown").expect("to write");
        }
        let mut answered = 0;
        while answered < 200 {
            let frame = connection.read().expect("a frame");
            answered += usize::from(matches!(frame.kind, PING | SETTINGS) && frame.flags & ACK != 0);
        }
    }
    assert_eq!(connection.call("ListQueues", &json!({})).0, 200);
}

#[test]
fn what_is_no_http2_ends_the_connection_alone() {
    let (_directory, server) = server();
    let cases: &[(&str, u8, u8, u32, &[u8])] = &[
        ("data for a stream that never was", DATA, 0, 1, b"x"),
        ("fields that are none", HEADERS, END_HEADERS, 1, &[0xff; 40]),
        ("a continuation of nothing", CONTINUATION, END_HEADERS, 1, b""),
        ("settings of half a size", SETTINGS, 0, 0, b"abc"),
        ("a ping that is too short", PING, 0, 0, b"abc"),
        ("a window that overflows", WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        ("a window of nothing", WINDOW, 0, 0, &[0; 4]),
        ("an even stream", HEADERS, END_HEADERS, 2, b""),
    ];
    for (name, kind, flags, stream, payload) in cases {
        let mut connection = Connection::open(&server);
        connection.write(*kind, *flags, *stream, payload).expect("to write");
        assert_ne!(connection.until_it_goes(), 0, "{name}");
        assert_eq!(Connection::open(&server).call("ListQueues", &json!({})).0, 200, "{name}");
    }
}

#[test]
fn a_stopping_server_answers_what_is_held_and_goes() {
    let (_directory, server) = server();
    let mut connection = Connection::open(&server);
    let poll = connection.begin("ReceiveMessage", &json!({"QueueUrl": "q", "WaitTimeSeconds": 20}));
    assert_eq!(connection.call("ListQueues", &json!({})).0, 200);
    server.terminate();
    let (mut is_going, mut is_answered) = (false, false);
    while let Ok(frame) = connection.read() {
        is_going |= frame.kind == GO_AWAY;
        is_answered |= frame.stream == poll && frame.flags & END_STREAM != 0 && frame.kind != WINDOW;
    }
    assert!(is_going && is_answered, "going: {is_going}, answered: {is_answered}");
    assert_eq!(server.wait().0.code(), Some(0));
}
