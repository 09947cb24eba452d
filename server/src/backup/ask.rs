//! The side that asks for a backup: finds the server, waits, and says what came of it; or makes it itself where no server runs.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use kew_engine::shard;
use kew_journal::OVERHEAD;
use kew_journal::disk::{Directory, Holder};
use kew_store::backup::{Copied, Draft};
use kew_store::doctor::Examination;
use serde_json::{Value, json};

use super::line::{self, Line};
use super::signed;
use crate::cli::Backup;
use crate::failure::Failure;
use crate::progress::{Progress, bytes};
use crate::vault;

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn backup(asked: &Backup) -> Result<(), Failure> {
    if let Some(endpoint) = &asked.endpoint {
        return from_server(endpoint, asked);
    }
    let Some(data) = &asked.data else {
        return Err(Failure::usage(
            "say what to back up: --data DIR, or --endpoint URL of the running server",
        ));
    };
    let holder = Directory::holder(data).map_err(|error| Failure::usage(error.to_string()))?;
    match holder {
        None => from_rest(data, asked),
        Some(Holder { address: Some(address), .. }) => from_server(&address, asked),
        Some(Holder { pid, .. }) => Err(Failure::world(format!(
            "{} is in use (pid {}), and that process has not said where it listens; wait until it serves, or give --endpoint",
            data.display(),
            pid.as_deref().unwrap_or("unknown")
        ))),
    }
}

/// Nobody uses the directory: it is checked and copied here.
fn from_rest(data: &Path, asked: &Backup) -> Result<(), Failure> {
    let world = |error: &dyn std::fmt::Display| Failure::world(error.to_string());
    let begin = Instant::now();
    let progress = Progress::new("checking");
    let config = shard::Config::new(OVERHEAD);
    let examined = Examination::begin(data, &config, &|done, total| progress.show(done, total));
    progress.end();
    let examined = examined.map_err(|error| world(&error))?;
    let sealed = vault::examine(data);
    if let Some(damage) = examined.damage().chain(&sealed.damage).next() {
        return Err(Failure::world(format!(
            "{damage}; no backup was made: see `kew doctor {}`",
            data.display()
        )));
    }
    let draft = Draft::begin(&asked.target, data).map_err(|error| world(&error))?;
    let mut copied = Copied::default();
    for (number, checkup) in &examined.shards {
        let to = draft.shard(*number).map_err(|error| world(&error))?;
        let from = data.join(Directory::shard_name(*number));
        copied.add(checkup.back_up(&from, to).map_err(|error| world(&error))?);
    }
    copied.add(draft.finish(data).map_err(|error| world(&error))?);
    tell(asked, copied, begin.elapsed().as_secs_f64());
    Ok(())
}

fn from_server(endpoint: &str, asked: &Backup) -> Result<(), Failure> {
    let target = std::path::absolute(&asked.target)
        .map_err(|error| Failure::usage(format!("{}: {error}", asked.target.display())))?;
    let no_answer = |error: io::Error| {
        Failure::world(format!(
            "no answer from {endpoint}: {error}; is Kew running there? Give --endpoint or --data"
        ))
    };
    let shown = asked.client_certificate.as_deref().zip(asked.client_key.as_deref());
    let mut stream = line::connect(endpoint, shown, LOOK).map_err(no_answer)?;
    let body = json!({ "target": target.display().to_string() }).to_string();
    let request = signed::request(&body);
    stream.write_all(request.as_bytes()).map_err(no_answer)?;
    let answer = wait(&mut *stream, &target).map_err(no_answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    if head.split(' ').nth(1) != Some("200") {
        let status = head.split(' ').nth(1).filter(|_| said.is_null());
        let is_refused = matches!(status, Some("401" | "403"));
        let message = match said["message"].as_str() {
            Some(message) => message.to_owned(),
            None if is_refused => format!(
                "{}; give the access key by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                body.trim().trim_end_matches('.')
            ),
            // A server that speaks TLS says so.
            None if status == Some("400") && !body.is_empty() => body.trim().to_owned(),
            None => "it knows nothing of backups: is it a Kew of this release?".to_owned(),
        };
        return Err(Failure::world(format!("{endpoint} made no backup: {message}")));
    }
    let number = |name: &str| said[name].as_u64().unwrap_or_default();
    let copied = Copied {
        files: number("files"),
        bytes: number("bytes"),
        linked: number("linked"),
        linked_bytes: number("linked_bytes"),
    };
    tell(asked, copied, said["seconds"].as_f64().unwrap_or_default());
    Ok(())
}

/// Reads the answer, and meanwhile shows how much has been written.
fn wait(stream: &mut dyn Line, target: &Path) -> io::Result<String> {
    let progress = Progress::new("copied");
    let mut new = target.as_os_str().to_owned();
    new.push(".new");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                progress.tell(&bytes(size(Path::new(&new))));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // TLS tells apart a peer that only hangs up; what it said is complete or not by its length.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    progress.end();
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Bytes of all files below a directory, as far as they can be seen.
fn size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn tell(asked: &Backup, copied: Copied, seconds: f64) {
    println!(
        "backed up to {} in {seconds:.1} s: {} in {} files copied, {} in {} files shared with the data directory",
        asked.target.display(),
        bytes(copied.bytes),
        copied.files,
        bytes(copied.linked_bytes),
        copied.linked
    );
    if asked.target.join(vault::KEY_FILE).exists() {
        println!(
            "the backup holds the root key: whoever has the backup can read all that is encrypted in it"
        );
    } else {
        println!(
            "the backup does not hold the root key: keep that apart, without it nothing encrypted can be read"
        );
    }
}
