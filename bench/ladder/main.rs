//! The reference servers that Kew is held against: what HTTP, parsing and a synced append cost when nothing else is done.
//!
//! `fixed` answers every request with the same bytes. `parse` reads the JSON of a SendMessage and hashes its body. `append` also
//! writes the message to a file and answers once it is synced; one thread writes, and everything that arrives during one sync
//! goes into the next (group commit). The file's room is written before anybody is served, and used again from its beginning when it is
//! full, as a good log does it: a sync has data to write then, and no metadata. None of them is a queue: nothing can be received.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use md5::{Digest as _, Md5};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A reference server: as fast as HTTP allows, and no queue.
#[derive(Debug, Parser)]
#[command(name = "kew-ladder", version, max_term_width = 120)]
struct Flags {
    /// How much to do for each request
    #[arg(long, value_enum, default_value_t = Rung::Append)]
    rung: Rung,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4567")]
    listen: SocketAddr,
    /// The file that `append` writes; it is replaced
    #[arg(long, value_name = "FILE", default_value = "kew-ladder.log")]
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rung {
    /// Answer the same bytes to everything
    Fixed,
    /// Read the JSON and hash the body
    Parse,
    /// Also append it to a file, synced before the answer
    Append,
}

/// The members of a SendMessage that the reference servers look at; borrowed from the request where JSON allows.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send<'a> {
    #[serde(borrow)]
    queue_url: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    message_body: std::borrow::Cow<'a, str>,
}

fn main() -> ExitCode {
    match serve(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kew-ladder: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Flags) -> std::io::Result<()> {
    let log = match flags.rung {
        Rung::Append => Some(Log::start(&flags.file)?),
        Rung::Fixed | Rung::Parse => None,
    };
    let server = Rc::new(Server { rung: flags.rung, log, address: flags.listen });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(flags.listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let server = Rc::clone(&server);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| Rc::clone(&server).answer(request));
                // A lost connection is its caller's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

struct Server {
    rung: Rung,
    log: Option<Log>,
    address: SocketAddr,
}

impl Server {
    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let target = request.headers().get("x-amz-target");
        let send = target.is_some_and(|target| target.as_bytes().ends_with(b".SendMessage"));
        let Ok(body) = request.into_body().collect().await else { return Ok(refuse("the body was lost")) };
        let body = body.to_bytes();
        if !send {
            return Ok(accept(format!("{{\"QueueUrl\":\"http://{}/000000000000/ladder\"}}", self.address)));
        }
        if self.rung == Rung::Fixed {
            return Ok(accept(Bytes::from_static(
                br#"{"MD5OfMessageBody":"00000000000000000000000000000000","MessageId":"00000000-0000-4000-8000-000000000000"}"#,
            )));
        }
        let Ok(send) = serde_json::from_slice::<Send<'_>>(&body) else {
            return Ok(refuse("not a SendMessage"));
        };
        let digest = u128::from_be_bytes(Md5::digest(send.message_body.as_bytes()).into());
        if let Some(log) = &self.log {
            let mut record = Vec::with_capacity(send.queue_url.len() + send.message_body.len() + 8);
            record.extend_from_slice(&(send.queue_url.len() as u32).to_le_bytes());
            record.extend_from_slice(send.queue_url.as_bytes());
            record.extend_from_slice(&(send.message_body.len() as u32).to_le_bytes());
            record.extend_from_slice(send.message_body.as_bytes());
            if log.append(record).await.is_err() {
                return Ok(refuse("the file cannot be written"));
            }
        }
        let id = "00000000-0000-4000-8000-000000000000";
        Ok(accept(format!("{{\"MD5OfMessageBody\":\"{digest:032x}\",\"MessageId\":\"{id}\"}}")))
    }
}

fn accept(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    let kind = http::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn refuse(why: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(why.as_bytes())));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// The file's room.
const ROOM: u64 = 64 << 20;

/// A file with one writing thread.
struct Log {
    waiting: Arc<(Mutex<Batch>, Condvar)>,
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    callers: Vec<oneshot::Sender<()>>,
}

impl Log {
    fn start(path: &PathBuf) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        let piece = vec![0; 1 << 20];
        for at in (0..ROOM).step_by(piece.len()) {
            file.write_all_at(&piece, at)?;
        }
        file.sync_all()?;
        let waiting = Arc::new((Mutex::new(Batch::default()), Condvar::new()));
        let writer = Arc::clone(&waiting);
        std::thread::spawn(move || write(file, &writer));
        Ok(Self { waiting })
    }

    /// Gives the record to the writer; done once it is synced.
    async fn append(&self, record: Vec<u8>) -> Result<(), oneshot::error::RecvError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut batch = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
            batch.bytes.extend_from_slice(&record);
            batch.callers.push(sender);
        }
        self.waiting.1.notify_one();
        receiver.await
    }
}

/// Writes and syncs whatever waits, over and over. After a failure there is nothing left to measure.
fn write(file: File, waiting: &(Mutex<Batch>, Condvar)) {
    let mut batch = Batch::default();
    let mut at = 0;
    loop {
        {
            let guard = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = |batch: &mut Batch| batch.callers.is_empty();
            let mut guard = waiting.1.wait_while(guard, idle).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *guard, &mut batch);
        }
        let bytes = batch.bytes.len() as u64;
        if at + bytes > ROOM {
            at = 0;
        }
        if let Err(error) = file.write_all_at(&batch.bytes, at).and_then(|()| file.sync_data()) {
            eprintln!("kew-ladder: the file cannot be written: {error}");
            std::process::exit(1);
        }
        at += bytes;
        batch.bytes.clear();
        for caller in batch.callers.drain(..) {
            // A caller that has gone needs no answer.
            let _ = caller.send(());
        }
    }
}
