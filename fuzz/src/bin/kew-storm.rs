//! Sends requests that nobody meant to a real server, through its socket: each begins as a sound one of some operation and is then
//! changed at random, its body and its head.
//!
//! `kew-storm --kew BINARY [--requests N] [--seed S] [--connections C]`. The server must not panic, must answer with no 5xx, must not
//! grow, must stop when told to, and the doctor must find its data sound. Exit code 1 says what was not so.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kew_fuzz::mutation::{Dice, mutate};
use kew_fuzz::request;

/// Longer than any answer takes, the longest poll included.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests after which everything is forgotten and memory is looked at: what queues hold is no leak.
const ROUND: u64 = 50_000;

/// How much memory at the end may exceed that after the second round, in KiB and by share.
const GROWTH: (u64, f64) = (16 * 1024, 1.25);

struct Asked {
    kew: PathBuf,
    requests: u64,
    seed: u64,
    connections: u64,
}

fn main() -> ExitCode {
    match asked().and_then(|asked| storm(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistake) => {
            eprintln!("kew-storm: {mistake}");
            ExitCode::FAILURE
        }
    }
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { kew: PathBuf::new(), requests: 20_000, seed: 1, connections: 16 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{value} is no number"));
        match word.as_str() {
            "--kew" => asked.kew = value.into(),
            "--requests" => asked.requests = number()?,
            "--seed" => asked.seed = number()?,
            "--connections" => asked.connections = number()?.max(1),
            _ => return Err(format!("{word} is not understood")),
        }
    }
    if asked.kew.as_os_str().is_empty() {
        Err("give the server as --kew BINARY".to_owned())
    } else {
        Ok(asked)
    }
}

/// What came back.
#[derive(Default)]
struct Seen {
    statuses: Mutex<std::collections::BTreeMap<u16, u64>>,
    /// Connections that ended without an answer.
    silent: AtomicU64,
    /// Answers of 5xx, with what caused them.
    faults: Mutex<Vec<String>>,
}

fn storm(asked: &Asked) -> Result<(), String> {
    let said = |error: io::Error| error.to_string();
    let folder = std::env::temp_dir().join(format!("kew-storm-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(said)?;
    let log = folder.join("log");
    let mut server = Server::start(asked, &folder)?;
    let seen = Seen::default();
    let start = Instant::now();
    let mut memory = Vec::new();
    let mut sent = 0;
    while sent < asked.requests {
        let count = ROUND.min(asked.requests - sent);
        if sent > 0 {
            server.reset()?;
        }
        server.make_queues()?;
        thread::scope(|scope| {
            for number in 0..asked.connections {
                let share = count / asked.connections + u64::from(number < count % asked.connections);
                let dice = Dice::new(asked.seed ^ (sent + number) << 20);
                let (address, seen) = (server.address, &seen);
                scope.spawn(move || attack(address, share, dice, seen));
            }
        });
        sent += count;
        memory.push(server.resident());
        println!(
            "{sent} requests in {:.0} s, {} MiB resident, {} connections without an answer, {:?}",
            start.elapsed().as_secs_f64(),
            memory.last().unwrap_or(&0) / 1024,
            seen.silent.load(Ordering::Relaxed),
            seen.statuses.lock().expect("no panic")
        );
        if server.child.try_wait().map_err(said)?.is_some() {
            return Err(format!("the server ended by itself; its log lies in {}", log.display()));
        }
    }
    server.end()?;
    let faults = seen.faults.into_inner().expect("no panic");
    if let Some(first) = faults.first() {
        return Err(format!("{} answers of 5xx, the first for {first}", faults.len()));
    }
    let text = fs::read_to_string(&log).map_err(said)?;
    if let Some(line) = text.lines().find(|line| line.contains("panicked") || line.contains("ERROR")) {
        return Err(format!("the log in {} says: {line}", log.display()));
    }
    if let (Some(&early), Some(&late)) = (memory.get(1), memory.last()) {
        let bound = early + GROWTH.0.max((early as f64 * (GROWTH.1 - 1.0)) as u64);
        if late > bound {
            return Err(format!("memory grew from {early} KiB to {late} KiB"));
        }
    }
    let doctor = Command::new(&asked.kew).arg("doctor").arg(folder.join("data")).output().map_err(said)?;
    if !doctor.status.success() {
        return Err(format!("the doctor says: {}", String::from_utf8_lossy(&doctor.stdout)));
    }
    println!("no panic, no 5xx, and the doctor finds all sound");
    fs::remove_dir_all(&folder).map_err(said)
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(asked: &Asked, folder: &std::path::Path) -> Result<Self, String> {
        let said = |error: io::Error| error.to_string();
        let log = fs::File::create(folder.join("log")).map_err(said)?;
        let mut child = Command::new(&asked.kew)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--durability",
                "os",
                "--sqs-waits",
                "off",
                "--test-endpoints",
                "--data",
            ])
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(said)?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line).map_err(said)?;
        let address = line.trim().rsplit("://").next().and_then(|address| address.parse().ok());
        Ok(Self { child, address: address.ok_or(format!("the server said {line:?}"))? })
    }

    fn ask(&self, request: &[u8]) -> Result<u16, String> {
        let mut stream = connect(self.address).map_err(|error| error.to_string())?;
        stream.get_mut().write_all(request).map_err(|error| error.to_string())?;
        answer(&mut stream).map(|(status, _)| status).ok_or_else(|| "no answer".to_owned())
    }

    fn reset(&self) -> Result<(), String> {
        match self.ask(b"POST /_kew/reset HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")? {
            200..300 => Ok(()),
            status => Err(format!("/_kew/reset answered {status}")),
        }
    }

    /// Those that the sound requests mean.
    fn make_queues(&self) -> Result<(), String> {
        for body in [
            r#"{"QueueName":"q"}"#,
            r#"{"QueueName":"d"}"#,
            r#"{"QueueName":"d.fifo","Attributes":{"FifoQueue":"true"}}"#,
            r#"{"QueueName":"orders.fifo","Attributes":{"FifoQueue":"true"}}"#,
        ] {
            match self.ask(&json("CreateQueue", body.as_bytes(), &[]))? {
                200 => {}
                status => return Err(format!("CreateQueue {body} answered {status}")),
            }
        }
        Ok(())
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    fn end(&mut self) -> Result<(), String> {
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if told.success() && status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Status, and whether the connection goes on.
fn answer(stream: &mut BufReader<TcpStream>) -> Option<(u16, bool)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let status: u16 = line.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut goes_on) = (0, true);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("connection", "close")) => goes_on = false,
            Some(_) => {}
            None => break,
        }
    }
    if status == 100 {
        return answer(stream);
    }
    io::copy(&mut stream.by_ref().take(length), &mut io::sink()).ok()?;
    Some((status, goes_on))
}

/// Sends one thread's share.
fn attack(address: SocketAddr, count: u64, mut dice: Dice, seen: &Seen) {
    let forms = request::form_seeds();
    let mut open: Option<BufReader<TcpStream>> = None;
    for _ in 0..count {
        let is_framed = dice.below(100) < 85;
        let mut bytes = make(&forms, &mut dice);
        if !is_framed {
            let other = make(&forms, &mut dice);
            mutate(&mut bytes, &other, request::WORDS, &mut dice);
        }
        let stream = match open.take().filter(|_| is_framed) {
            Some(stream) => Ok(stream),
            None => connect(address),
        };
        // The machine is out of ports for a moment.
        let Ok(mut stream) = stream else { continue };
        let _ = stream.get_mut().write_all(&bytes);
        if !is_framed {
            // A head that promises more than it brings is over here.
            let _ = stream.get_mut().shutdown(Shutdown::Write);
        }
        let Some((status, goes_on)) = answer(&mut stream) else {
            seen.silent.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        *seen.statuses.lock().expect("no panic").entry(status).or_default() += 1;
        if status >= 500 {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            seen.faults.lock().expect("no panic").push(format!("{status}: {text:?}"));
        }
        if is_framed && goes_on {
            open = Some(stream);
        }
    }
}

/// A request whose body was changed, and sometimes its target, path or headers; its frame is sound.
fn make(forms: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let is_sound = dice.below(4) == 0;
    let mut extra = Vec::new();
    if dice.below(20) == 0 {
        let names = [
            "Authorization",
            "X-Amz-Date",
            "Accept",
            "X-Amz-Security-Token",
            "X-Amzn-Trace-Id",
            "Cookie",
            "Content-Encoding",
        ];
        let mut value = b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00".to_vec();
        mutate(&mut value, b"gzip", request::WORDS, dice);
        value.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        extra.push((names[dice.below(names.len())], value));
    }
    if dice.below(2) == 0 {
        let (operation, body) = request::JSON[dice.below(request::JSON.len())];
        let (mut body, mut operation) = (body.as_bytes().to_vec(), operation.as_bytes().to_vec());
        if !is_sound {
            let other = request::JSON[dice.below(request::JSON.len())].1;
            mutate(&mut body, other.as_bytes(), request::WORDS, dice);
            if dice.below(20) == 0 {
                mutate(&mut operation, b"", &[], dice);
                operation.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            }
        }
        return json(&String::from_utf8_lossy(&operation), &body, &extra);
    }
    let mut body = forms[dice.below(forms.len())].clone();
    if !is_sound {
        mutate(&mut body, &forms[dice.below(forms.len())], request::WORDS, dice);
    }
    let mut head = b"POST /".to_vec();
    if dice.below(10) == 0 {
        let mut path = b"queue/us-east-1/000000000000/q?Action=GetQueueUrl&QueueName=q".to_vec();
        mutate(&mut path, &body, request::WORDS, dice);
        path.retain(|byte| byte.is_ascii_graphic());
        head.extend(path);
    }
    head.extend(b" HTTP/1.1\r\nHost: localhost:4566\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    frame(head, &extra, &body)
}

fn json(operation: &str, body: &[u8], extra: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost:4566\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{operation}\r\n"
    );
    frame(head.into_bytes(), extra, body)
}

fn frame(mut head: Vec<u8>, extra: &[(&str, Vec<u8>)], body: &[u8]) -> Vec<u8> {
    for (name, value) in extra {
        head.extend(name.as_bytes());
        head.extend(b": ");
        head.extend(value);
        head.extend(b"\r\n");
    }
    head.extend(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend(body);
    head
}
