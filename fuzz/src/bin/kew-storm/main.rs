//! Sends requests that nobody meant to a real server, through its socket: each begins as a sound one of some operation of some service,
//! or of a page, and is then changed at random, its body and its head.
//!
//! `kew-storm --kew BINARY [--requests N] [--seed S] [--connections C]`. Half of them goes to a server that asks nobody who they are, half
//! to one where everybody must sign: most are signed rightly, nonsense or not; some by nobody, by the wrong one, or changed on their way.
//!
//! No server must panic, answer with a 5xx, or grow; each must stop when told to, and the doctor must find its data sound. And of every
//! service something must have succeeded, or nobody saw it. Exit code 1 says what was not so.

mod make;
mod server;
mod signer;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use kew_fuzz::mutation::{Dice, mutate};
use kew_fuzz::request;

use crate::make::{Stock, draw};
use crate::server::{Server, answer, connect};

/// Requests after which everything is forgotten and memory is looked at: what queues hold is no leak.
const ROUND: u64 = 50_000;

/// How much memory at the end may exceed that after the second round, in KiB and by share.
const GROWTH: (u64, f64) = (16 * 1024, 1.25);

/// Where something must have succeeded.
const REACHED: [&str; 4] = ["sqs", "kms", "sts", "page"];

struct Asked {
    kew: PathBuf,
    requests: u64,
    seed: u64,
    connections: u64,
}

fn main() -> ExitCode {
    let done = asked().and_then(|asked| {
        let half = asked.requests / 2;
        storm(&asked, "open", asked.requests - half)?;
        storm(&asked, "closed", half)
    });
    match done {
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
    /// How often, by service and status.
    statuses: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Connections that ended without an answer.
    silent: AtomicU64,
    /// Answers of 5xx, with what caused them.
    faults: Mutex<Vec<String>>,
}

impl Seen {
    fn text(&self) -> String {
        let statuses = self.statuses.lock().expect("no panic");
        let parts = statuses.iter().map(|((service, status), count)| format!("{service} {status}: {count}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

fn storm(asked: &Asked, mode: &'static str, requests: u64) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("kew-storm-{}-{mode}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut server = Server::start(&asked.kew, &folder, mode == "closed")?;
    let seen = Seen::default();
    let start = Instant::now();
    let mut memory = Vec::new();
    let mut sent = 0;
    while sent < requests {
        let count = ROUND.min(requests - sent);
        let stock = server.prepare(sent)?;
        thread::scope(|scope| {
            for number in 0..asked.connections {
                let share = count / asked.connections + u64::from(number < count % asked.connections);
                let dice = Dice::new(asked.seed ^ (sent + number) << 20);
                let (address, stock, seen) = (server.address, &stock, &seen);
                scope.spawn(move || attack(address, share, stock, dice, seen));
            }
        });
        sent += count;
        memory.push(server.resident());
        println!(
            "{mode}: {sent} requests in {:.0} s, {} MiB resident, {} connections without an answer; {}",
            start.elapsed().as_secs_f64(),
            memory.last().unwrap_or(&0) / 1024,
            seen.silent.load(Ordering::Relaxed),
            seen.text()
        );
        if server.child.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Err(format!("the server ended by itself; its log lies in {}", folder.display()));
        }
    }
    server.end()?;
    judge(asked, &folder, seen, &memory)?;
    println!("{mode}: no panic, no 5xx, memory flat, and the doctor finds all sound");
    fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}

/// What must be so afterwards.
fn judge(asked: &Asked, folder: &Path, seen: Seen, memory: &[u64]) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let faults = seen.faults.into_inner().expect("no panic");
    if let Some(first) = faults.first() {
        return Err(format!("{} answers of 5xx, the first for {first}", faults.len()));
    }
    let statuses = seen.statuses.into_inner().expect("no panic");
    if let Some(service) = REACHED.into_iter().find(|service| !statuses.contains_key(&(service, 200))) {
        return Err(format!("nothing that was asked of {service} succeeded"));
    }
    let log = folder.join("log");
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
    if doctor.status.success() {
        Ok(())
    } else {
        Err(format!("the doctor says: {}", String::from_utf8_lossy(&doctor.stdout)))
    }
}

/// Sends one thread's share.
fn attack(address: SocketAddr, count: u64, stock: &Stock, mut dice: Dice, seen: &Seen) {
    let forms = request::form_seeds();
    let mut open = None;
    for _ in 0..count {
        let is_framed = dice.below(100) < 85;
        let wish = draw(stock, &forms, &mut dice);
        let mut bytes = wish.bytes();
        if !is_framed {
            let other = draw(stock, &forms, &mut dice).bytes();
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
        let Some(answer) = answer(&mut stream, if is_framed { wish.method } else { "" }) else {
            seen.silent.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let status = answer.status;
        *seen.statuses.lock().expect("no panic").entry((wish.service, status)).or_default() += 1;
        if status >= 500 {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            seen.faults.lock().expect("no panic").push(format!("{status} ({}): {text:?}", answer.body));
        }
        if is_framed && answer.goes_on {
            open = Some(stream);
        }
    }
}
