//! What a process costs, as Linux tells it.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::failure::Failure;

/// Linux reports CPU time to user programs in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time that a process has used, in user and kernel mode, all threads together; to within 10 ms.
pub fn cpu_time(pid: u32) -> Result<Duration, Failure> {
    let ticks = read(pid, "stat", ticks)?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// User and system time from a `stat` line. The process's name may hold anything, so fields count from its closing bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Reads one of the files in which Linux tells about a process.
pub fn read<T>(pid: u32, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Failure> {
    let path = format!("/proc/{pid}/{name}");
    let failed = |why: String| Failure::Process(path.clone(), why);
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    read(&text).ok_or_else(|| failed("not as Linux writes it".to_owned()))
}

/// Lets this process, and those that it starts from now on, open as many connections as the system allows it.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, connections will fail and say so.
    let _ = setrlimit(Resource::Nofile, limit);
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
    fn this_process_has_a_cost_and_none_has_none() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(cpu_time(u32::MAX).is_err());
    }
}
