//! Servers of our own: started on a free loopback port and an empty directory, killed and started again, ended.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use kew_load::Failure;
use kew_load::endpoint::Endpoint;
use kew_load::identity::{Identity, Secret};
use kew_load::options::Options;
use kew_load::session::request;

/// The access key of servers that verify: it opens nothing but them.
const KEY: &str = "AKIAMEASURED";
const SECRET: &str = "a-secret-for-as-long-as-it-is-measured";

/// How long a server may take to its first answer.
const START_TIME: Duration = Duration::from_secs(120);

/// How long a server may take to stop by itself.
const STOP_TIME: Duration = Duration::from_secs(10);

/// How long to wait before asking again whether a server has started.
const PAUSE: Duration = Duration::from_millis(1);

/// A server that this process started, with a data directory of its own. It ends, and the directory goes, when this is dropped.
#[derive(Debug)]
pub struct Server {
    command: Command,
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// When it was started last.
    pub started: Instant,
    /// Whom it lets in, and who says so in its requests.
    identity: Identity,
}

impl Server {
    /// Starts `kew serve`, durable by fsync.
    pub fn kew(program: &Path, scratch: &Path) -> Result<Self, Failure> {
        Self::spawn_kew(Command::new(program), scratch)
    }

    /// Starts `kew serve` with an access key, so that it verifies every request.
    pub fn verifying(program: &Path, scratch: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.env("KEW_ROOT_ACCESS_KEY_ID", KEY).env("KEW_ROOT_SECRET_ACCESS_KEY", SECRET);
        let mut server = Self::spawn_kew(command, scratch)?;
        server.identity = Identity::signed(KEY, Secret::new(SECRET), None);
        Ok(server)
    }

    fn spawn_kew(command: Command, scratch: &Path) -> Result<Self, Failure> {
        Self::spawn(command, scratch, |address, data| {
            let data = data.join("data").display().to_string();
            ["serve", "--listen", address, "--data", &data, "--durability", "fsync", "--log", "warn"]
                .map(str::to_owned)
                .to_vec()
        })
    }

    /// Starts a reference server.
    pub fn ladder(program: &Path, scratch: &Path, rung: &str) -> Result<Self, Failure> {
        Self::spawn(Command::new(program), scratch, |address, data| {
            let file = data.join("log").display().to_string();
            ["--rung", rung, "--listen", address, "--file", &file].map(str::to_owned).to_vec()
        })
    }

    /// Starts a program with the arguments that `arguments` makes of a free address and an empty directory below `scratch`.
    fn spawn(
        mut command: Command,
        scratch: &Path,
        arguments: impl FnOnce(&str, &Path) -> Vec<String>,
    ) -> Result<Self, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |why: std::io::Error| Failure::Process(program.clone(), why.to_string());
        let address = free_address().map_err(failed)?;
        let data = scratch.join(format!("kew-bench-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&data).map_err(failed)?;
        command.args(arguments(&address.to_string(), &data)).stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().map_err(failed)?;
        Ok(Self { command, child, address, data, started, identity: Identity::default() })
    }

    /// Kills it, as a lost machine would, and starts it again on what it left behind.
    pub fn crash_and_start(&mut self) -> Result<(), Failure> {
        let failed = |why: std::io::Error| Failure::Process("a crash".to_owned(), why.to_string());
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        self.started = Instant::now();
        self.child = self.command.spawn().map_err(failed)?;
        Ok(())
    }

    /// Waits until it answers. Gives how long that took since it was started.
    pub async fn first_answer(&mut self) -> Result<Duration, Failure> {
        self.first("ListQueues", b"{}", |_| true).await
    }

    /// Repeats a request until the server answers it, and with what `wanted` looks for. Gives how long that took since the
    /// server was started.
    pub async fn first(
        &mut self,
        operation: &'static str,
        body: &[u8],
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Duration, Failure> {
        let endpoint = Rc::new(Endpoint::new(&self.options(""))?);
        loop {
            let failure = match request(&endpoint, operation, body).await {
                Ok(answer) if wanted(&answer) => return Ok(self.started.elapsed()),
                Ok(_) => Failure::Process(operation.to_owned(), "never gave what was awaited".to_owned()),
                Err(failure @ Failure::Refused { status: 400..=499, .. }) => return Err(failure),
                Err(failure) => failure,
            };
            if self.has_ended() || self.started.elapsed() > START_TIME {
                return Err(failure);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Options that lead to one of its queues.
    pub fn options(&self, queue: &str) -> Options {
        Options {
            endpoint: self.url(),
            queue: queue.to_owned(),
            pid: Some(self.pid()),
            identity: self.identity.clone(),
            ..Options::default()
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it is spoken to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to stop, and insists if it does not.
    fn stop(&mut self) {
        let asked = Instant::now();
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw)
            && !self.has_ended()
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        while !self.has_ended() && asked.elapsed() < STOP_TIME {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Neither can fail in a way that matters: it has ended, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr, std::io::Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
