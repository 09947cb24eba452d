//! Processes: what they cost, and starting and ending a server of our own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;

/// Linux reports CPU time to user programs in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// How long a server may take to stop by itself.
const STOP_TIME: Duration = Duration::from_secs(10);

/// CPU time that a process has used, in user and kernel mode, all threads together; to within 10 ms.
pub fn cpu_time(pid: u32) -> Result<Duration, Failure> {
    let path = format!("/proc/{pid}/stat");
    let failed = |why: String| Failure::Process(path.clone(), why);
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let ticks = ticks(&text).ok_or_else(|| failed("not as Linux writes it".to_owned()))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// User and system time from a `stat` line. The process's name may hold anything, so fields count from its closing bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Memory of a process that lies in RAM now, in bytes.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A server that this process started, with a data directory of its own. It ends, and the directory goes, when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// When it was started.
    pub started: Instant,
}

impl Server {
    /// Starts `program` with the arguments that `arguments` makes of a free address and an empty directory below `scratch`.
    pub fn start(
        program: &Path,
        scratch: &Path,
        arguments: impl FnOnce(&str, &Path) -> Vec<String>,
    ) -> Result<Self, Failure> {
        let failed = |why: std::io::Error| Failure::Process(program.display().to_string(), why.to_string());
        let address = free_address().map_err(failed)?;
        let data = scratch.join(format!("kew-bench-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&data).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments(&address.to_string(), &data)).stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().map_err(failed)?;
        Ok(Self { child, address, data, started })
    }

    /// Starts `kew serve`, durable by fsync.
    pub fn kew(program: &Path, scratch: &Path) -> Result<Self, Failure> {
        Self::start(program, scratch, |address, data| {
            let data = data.join("data").display().to_string();
            ["serve", "--listen", address, "--data", &data, "--durability", "fsync", "--log", "warn"]
                .map(str::to_owned)
                .to_vec()
        })
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

    /// Asks it to stop, and insists if it does not. Gives how long it took.
    fn stop(&mut self) -> Duration {
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
        asked.elapsed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_the_strangest_name() {
        let stat = "42 (a ) b) R 1 42 42 0 -1 4194304 100 0 0 0 17 25 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("nonsense"), None);
    }

    #[test]
    fn this_process_has_a_cost() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(resident_bytes(std::process::id()).expect("a size") > 100_000);
    }
}
