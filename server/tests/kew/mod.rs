//! Starts the real binary on a free port and talks to it over a socket, byte by byte.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here takes; a test that hangs fails by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is removed with its value.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kew-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }

    pub(crate) fn join(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command line of `kew` that no setting from outside reaches.
pub(crate) fn kew(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kew"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEW_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running server.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    /// What it said at start.
    pub(crate) banner: String,
}

impl Server {
    /// Serves from `data`.
    pub(crate) fn start(data: &str, more: &[&str]) -> Self {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data];
        arguments.extend(more);
        Self::spawn(kew(&arguments))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut banner = String::new();
        output.read_line(&mut banner).expect("a first line");
        let Some(address) = banner.trim().rsplit("://").next().and_then(|text| text.parse().ok()) else {
            let mut errors = String::new();
            let _ = child.stderr.take().expect("its errors").read_to_string(&mut errors);
            panic!("no address in {banner:?}; it said {errors}");
        };
        // The banner is short and printed at once.
        while !banner.contains("\n  try ") {
            output.read_line(&mut banner).expect("the whole banner");
        }
        Self { child: Some(child), address, banner }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// One operation in JSON on a connection of its own: status and reply.
    pub(crate) fn call(&self, operation: &str, request: &Value) -> (u16, Value) {
        self.connect().call(operation, request)
    }

    /// The same, which must succeed.
    pub(crate) fn ask(&self, operation: &str, request: &Value) -> Value {
        let (status, reply) = self.call(operation, request);
        assert_eq!(status, 200, "{operation} {request}: {reply}");
        reply
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        self.connect().send(request.as_bytes())
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().expect("a number")
    }

    /// Asks until the metric is as wanted.
    pub(crate) fn wait_for_metric(&self, name: &str, wanted: f64) {
        let begin = std::time::Instant::now();
        while self.metric(name) != wanted {
            assert!(begin.elapsed() < PATIENCE, "{name} did not become {wanted}");
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("to kill it");
        child.wait().expect("its end");
    }

    /// As `kill` does.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).expect("a pid")).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("a signal");
    }

    /// The lines of its log, from the last one read. Only one may follow it.
    pub(crate) fn follow(&mut self) -> impl Iterator<Item = String> + use<> {
        let errors = self.child.as_mut().and_then(|child| child.stderr.take()).expect("its errors");
        BufReader::new(errors).lines().map_while(Result::ok)
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut child = self.child.take().expect("it runs");
        let mut errors = String::new();
        child.stderr.take().expect("its errors").read_to_string(&mut errors).expect("text");
        (child.wait().expect("its end"), errors)
    }

    /// Waits until it has ended, where somebody follows its log.
    pub(crate) fn wait_quietly(mut self) -> ExitStatus {
        self.child.take().expect("it runs").wait().expect("its end")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self(BufReader::new(stream))
    }

    /// Writes, and does not read. The peer may refuse before it has read all.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// No more will be written.
    pub(crate) fn finish(&mut self) {
        let _ = self.0.get_mut().shutdown(std::net::Shutdown::Write);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Answer {
        self.write(bytes);
        self.read().expect("an answer")
    }

    /// The next answer; `None` if the peer has closed the connection.
    pub(crate) fn read(&mut self) -> Option<Answer> {
        self.read_after("GET")
    }

    /// The next answer to a request of this method.
    pub(crate) fn read_after(&mut self, method: &str) -> Option<Answer> {
        let mut line = String::new();
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).ok()?;
            let line = line.trim_end();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        if status == 100 {
            return self.read_after(method);
        }
        let length = answer.header("content-length").map_or(0, |value| value.parse().expect("a length"));
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        self.0.read_exact(&mut body).ok()?;
        answer.body = String::from_utf8(body).expect("text");
        Some(answer)
    }

    pub(crate) fn call(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        let answer = self.send(&json_request(operation, &request.to_string()));
        (answer.status, answer.json())
    }
}

/// The bytes of a request in JSON.
pub(crate) fn json_request(operation: &str, body: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost:4566\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AmazonSQS.{operation}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
