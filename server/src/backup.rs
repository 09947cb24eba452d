//! `kew backup`: a whole and consistent copy of a data directory. Of one that a server uses, that server makes it; it is asked over
//! HTTP, and only by callers of its own machine.

mod ask;
mod line;
mod signed;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use kew_journal::disk::{Directory, Real};
use kew_journal::{Cold, Snapshots};
use kew_store::backup::{BackupError, Copied, Draft, backup as copy_shard};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cli;
use crate::failure::Failure;
use crate::http::{Head, Response, respond};
use crate::router::Router;

/// Where a server is asked for a backup, by POST with `{"target": "/a/directory"}`.
pub(crate) const PATH: &str = "/_kew/backup";

/// A shard's part of a backup, on its way to the thread that does it.
#[derive(Debug)]
pub(crate) struct Order {
    from: PathBuf,
    to: Real,
    answer: oneshot::Sender<Result<Copied, BackupError>>,
}

impl Order {
    /// Does it, and says whether it could. Nobody may save snapshots or remove cold files meanwhile.
    pub(crate) fn fill(self, snapshots: &Snapshots, cold: &Cold) -> bool {
        let copied = copy_shard(snapshots, cold, &self.from, self.to);
        let is_done = copied.is_ok();
        // Whoever asked waits, but at the end of the process.
        let _ = self.answer.send(copied);
        is_done
    }
}

/// The backups of a running server: one at a time.
#[derive(Debug)]
pub(crate) struct Backups {
    data: PathBuf,
    /// Which directory that is, whatever becomes of its name.
    identity: Option<(u64, u64)>,
    busy: AtomicBool,
}

impl Backups {
    /// Of the data directory `data`.
    pub(crate) fn new(data: PathBuf) -> Arc<Self> {
        let identity = identity(&data);
        Arc::new(Self { data, identity, busy: AtomicBool::new(false) })
    }

    /// Answers a request for one.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        router: &Router,
        is_local: bool,
        head: &Head,
        body: &Bytes,
    ) -> Response {
        // A proxy lets others in, and so does a web page that somebody on this machine looks at.
        let is_passed_on =
            ["forwarded", "x-forwarded-for", "via", "origin"].iter().any(|name| head.headers.contains(name));
        if !is_local || is_passed_on {
            return say(StatusCode::FORBIDDEN, "a backup can be asked for only on the server's own machine");
        }
        let asked: Option<Value> = serde_json::from_slice(body).ok();
        let target = asked.as_ref().and_then(|asked| asked["target"].as_str()).map(PathBuf::from);
        let Some(target) = target.filter(|target| target.is_absolute()) else {
            return say(
                StatusCode::BAD_REQUEST,
                "name the new directory: {\"target\": \"/an/absolute/path\"}",
            );
        };
        if self.busy.swap(true, Ordering::AcqRel) {
            return say(StatusCode::CONFLICT, "another backup is under way; try again when it is done");
        }
        // A task of its own: it goes on to its end even if the caller hangs up.
        let (backups, router) = (Arc::clone(self), router.clone());
        let work = tokio::spawn(async move {
            let begin = Instant::now();
            let copied = backups.make(&router, target).await;
            backups.busy.store(false, Ordering::Release);
            copied.map(|copied| (copied, begin.elapsed()))
        });
        match work.await {
            Ok(Ok((copied, took))) => {
                tracing::info!(?copied, ?took, "a backup was made");
                let text = json!({
                    "files": copied.files, "bytes": copied.bytes, "linked": copied.linked,
                    "linked_bytes": copied.linked_bytes, "seconds": took.as_secs_f64(),
                });
                respond(StatusCode::OK, "application/json", text.to_string())
            }
            Ok(Err(error)) => {
                tracing::warn!(error, "a backup was not made");
                say(StatusCode::INTERNAL_SERVER_ERROR, &error)
            }
            Err(_) => say(StatusCode::INTERNAL_SERVER_ERROR, "the backup met an error in Kew itself"),
        }
    }

    async fn make(&self, router: &Router, target: PathBuf) -> Result<Copied, String> {
        if identity(&self.data) != self.identity {
            // The journals are read where they are, and all else by its name: the two would not fit together.
            return Err(format!(
                "{} is not the directory any more that this server uses: it was moved or replaced",
                self.data.display()
            ));
        }
        let draft = Draft::begin(&target, &self.data).map_err(|error| error.to_string())?;
        let mut copied = Copied::default();
        let damaged = "a shard is damaged; mend it first (see the server's log)";
        let held = router.hold().await.ok_or(damaged)?;
        for (number, shard) in held.shards() {
            let to = draft.shard(number).map_err(|error| error.to_string())?;
            let (answer, done) = oneshot::channel();
            let from = self.data.join(Directory::shard_name(number));
            shard.back_up(Order { from, to, answer });
            let unavailable = "the server is stopping, or its journal is being opened again; try again";
            let shard_copied = done.await.map_err(|_| unavailable.to_owned())?;
            copied.add(shard_copied.map_err(|error| error.to_string())?);
        }
        copied.add(draft.finish(&self.data).map_err(|error| error.to_string())?);
        Ok(copied)
    }
}

/// Tells a directory from all others.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|facts| (facts.dev(), facts.ino()))
}

fn say(status: StatusCode, message: &str) -> Response {
    respond(status, "application/json", json!({ "message": message }).to_string())
}

/// `kew backup`.
pub(crate) fn backup(asked: &cli::Backup) -> Result<ExitCode, Failure> {
    ask::backup(asked).map(|()| ExitCode::SUCCESS)
}
