use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::api::{self, Call, Finish};
use kew_engine::shard::{Config, Reply};
use kew_journal::disk::{Disk, File, Real};
use kew_journal::{OVERHEAD, Options};
use kew_store::Home;
use kew_wire::sqs::{
    self, CreateQueueRequest, DeleteMessageRequest, DeleteQueueRequest, Message, ReceiveMessageRequest,
    Request, SendMessageRequest,
};

use super::*;
use crate::health::{health, localstack};
use crate::mailbox::{Handle, Mailbox, mailbox};
use crate::peers::{Seat, Shards};
use crate::router::Router;

/// How a disk misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Trouble {
    None,
    /// Syncs fail.
    Syncs,
    /// Nothing can be written for want of room.
    NoRoom,
    /// There is little room left.
    LittleRoom,
    /// Whole pieces of cold files cannot be read.
    Pieces,
}

/// A disk in trouble.
#[derive(Debug)]
struct Troubled<T> {
    inner: T,
    trouble: Arc<AtomicU8>,
    /// How many reads have failed.
    unread: Arc<AtomicU32>,
    /// The file's; empty for the disk itself.
    name: String,
}

impl<T> Troubled<T> {
    fn is(&self, trouble: Trouble) -> bool {
        self.trouble.load(Ordering::Relaxed) == trouble as u8
    }

    fn file(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        let (trouble, unread) = (Arc::clone(&self.trouble), Arc::clone(&self.unread));
        Arc::new(Troubled { inner, trouble, unread, name: name.to_owned() })
    }
}

impl Disk for Troubled<Real> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(name, self.inner.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }

    fn free_space(&self) -> io::Result<u64> {
        if self.is(Trouble::LittleRoom) { Ok(1) } else { self.inner.free_space() }
    }
}

impl File for Troubled<Arc<dyn File>> {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // A message of these tests is shorter.
        let is_piece = self.name.starts_with("cold-") && buffer.len() > 100_000;
        if self.is(Trouble::Pieces) && is_piece {
            self.unread.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other("a scratch"));
        }
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        if self.is(Trouble::NoRoom) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.write_at(parts, offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if self.is(Trouble::NoRoom) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.allocate(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is(Trouble::Syncs) {
            return Err(io::Error::other("the disk is on fire"));
        }
        self.inner.sync_data()
    }
}

/// A running shard on a disk that can get into trouble.
struct Shard {
    handle: Handle,
    trouble: Arc<AtomicU8>,
    unread: Arc<AtomicU32>,
    directory: std::path::PathBuf,
    meters: Arc<ShardMeters>,
    /// The way to it and to another shard.
    router: Router,
    /// That one, which only hears.
    other: Mailbox,
}

impl Shard {
    fn start(name: &str) -> Self {
        Self::start_with(name, 1 << 20)
    }

    /// One whose journal is shortened when it is longer than `bound`, or when the disk is full.
    fn start_with(name: &str, bound: u64) -> Self {
        Self::start_as(name, bound, Config::new(OVERHEAD))
    }

    fn start_as(name: &str, bound: u64, config: Config) -> Self {
        let directory = std::env::temp_dir().join(format!("kew-runner-{name}-{}", std::process::id()));
        let trouble = Arc::new(AtomicU8::new(Trouble::None as u8));
        let unread = Arc::<AtomicU32>::default();
        let disk = Troubled {
            inner: Real::open(&directory).expect("a directory"),
            trouble: Arc::clone(&trouble),
            unread: Arc::clone(&unread),
            name: String::new(),
        };
        // Segments that need no more room than a test leaves, and none in reserve. What was written is read from them.
        let options = Options { segment_bytes: 1 << 20, spares: 0, recent_bytes: 0, ..Options::default() };
        let home = Home::new(Arc::new(disk), options, config.clone());
        let around = Surroundings {
            encryption: Arc::default(),
            clock: Arc::new(Clock::new()),
            random: Arc::new(Random::new()),
            meters: Arc::<ShardMeters>::default(),
        };
        let (writer, opened) = home.open(around.stamp()).expect("a journal");
        let (flusher, reports) =
            Flusher::start(home, writer, opened.snapshots.clone(), around.clone()).expect("a thread");
        let (other_handle, other) = mailbox();
        let (handle, mailbox) = mailbox();
        let meters = Arc::clone(&around.meters);
        let told = Arc::clone(&meters);
        let retirer = Retirer::start(config, handle.clone(), told, opened.keep, bound).expect("a thread");
        let seats = vec![Seat::Open(handle.clone()), Seat::Open(other_handle)];
        let shards = Arc::new(Shards::new(seats, 7, HashMap::new()));
        let router = Router::new(Arc::clone(&shards), 2, HashMap::new());
        let peers = Peers::new(0, shards);
        tokio::spawn(Runner::new(around, mailbox, flusher, reports, retirer, peers, opened).run());
        Self { handle, trouble, unread, directory, meters, router, other }
    }

    fn meet(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::Relaxed);
    }

    async fn ask(&self, request: Request) -> Result<sqs::Reply, Refusal> {
        let (command, finish) = prepare(request);
        let answer = self.handle.ask(Command::Sqs(command)).await?;
        let Reply::Sqs(reply) = answer.reply else { panic!("another reply") };
        Ok(api::finish(finish, reply, answer.payloads).expect("no fault"))
    }

    /// Asks until it is answered so.
    async fn ask_until(&self, request: Request, wanted: impl Fn(&Result<sqs::Reply, Refusal>) -> bool) {
        loop {
            let outcome = self.ask(request.clone()).await;
            if wanted(&outcome) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn receive(&self) -> Result<Vec<Message>, Refusal> {
        let request = ReceiveMessageRequest { queue_url: "q".into(), ..Default::default() };
        match self.ask(Request::ReceiveMessage(request)).await? {
            sqs::Reply::ReceiveMessage(result) => Ok(result.messages),
            other => panic!("{other:?}"),
        }
    }

    async fn end(self) {
        self.handle.stop().await;
        std::fs::remove_dir_all(&self.directory).expect("to remove it");
    }
}

fn prepare(request: Request) -> (kew_engine::services::sqs::Command, Finish) {
    let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
    let call = Call { caller, endpoint: "http://h".into(), query: false, trace: None };
    api::prepare(&call, request).expect("a valid request")
}

fn create() -> Request {
    Request::CreateQueue(CreateQueueRequest { queue_name: "q".into(), ..Default::default() })
}

fn send(body: &str) -> Request {
    let body = body.into();
    Request::SendMessage(SendMessageRequest {
        queue_url: "q".into(),
        message_body: body,
        ..Default::default()
    })
}

#[tokio::test]
async fn after_a_failed_sync_callers_may_retry_and_nothing_answered_is_lost() {
    let shard = Shard::start("sync");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("before")).await.expect("answered");
    shard.meet(Trouble::Syncs);
    assert_eq!(shard.ask(send("during")).await, Err(Refusal::Unavailable));
    assert_eq!(shard.ask(send("while it is closed")).await, Err(Refusal::Unavailable));
    let shards = [(0, Arc::clone(&shard.meters))];
    assert_eq!(health(&shards, &shard.router, false).status, 503);
    let told = localstack(&shards, &shard.router, false);
    assert_eq!(
        (told.status.as_u16(), &told.body[..]),
        (200, &br#"{"edition":"community","services":{"sqs":"error"}}"#[..])
    );

    shard.meet(Trouble::None);
    shard.ask_until(send("after"), Result::is_ok).await;
    let messages = shard.receive().await.expect("answered");
    assert_eq!(messages[0].body.as_deref(), Some("before"));
    shard.end().await;
}

#[tokio::test]
async fn other_shards_hear_of_queues_that_came_and_went_by_a_write_that_seemed_to_fail() {
    let mut shard = Shard::start("news");
    let heard = |shard: &mut Shard| {
        let news = shard.other.news.try_recv().ok();
        news.map(|news| (news.key.name.to_string(), news.shard))
    };
    shard.meet(Trouble::Syncs);
    assert_eq!(shard.ask(create()).await, Err(Refusal::Unavailable));
    shard.meet(Trouble::None);
    // It is there: its bytes were on disk, only the sync failed.
    shard.ask_until(create(), Result::is_ok).await;
    assert_eq!(heard(&mut shard), Some(("q".into(), Some(0))));

    shard.meet(Trouble::Syncs);
    let remove = DeleteQueueRequest { queue_url: "q".into() };
    assert_eq!(shard.ask(Request::DeleteQueue(remove)).await, Err(Refusal::Unavailable));
    shard.meet(Trouble::None);
    let another = CreateQueueRequest { queue_name: "another".into(), ..Default::default() };
    shard.ask_until(Request::CreateQueue(another), Result::is_ok).await;
    assert_eq!(heard(&mut shard), Some(("q".into(), None)));
    assert_eq!(heard(&mut shard), Some(("another".into(), Some(0))));
    shard.end().await;
}

#[tokio::test]
async fn a_long_poll_is_told_to_retry_when_the_journal_fails() {
    let shard = Shard::start("poll");
    shard.ask(create()).await.expect("answered");
    let poll =
        ReceiveMessageRequest { queue_url: "q".into(), wait_time_seconds: Some(20), ..Default::default() };
    let poll = shard.ask(Request::ReceiveMessage(poll));
    let fail = async {
        shard.meet(Trouble::Syncs);
        shard.ask(create()).await.expect("a creation that changes nothing writes nothing");
        assert_eq!(shard.ask(send("x")).await, Err(Refusal::Unavailable));
    };
    let (polled, ()) = tokio::join!(poll, fail);
    assert_eq!(polled, Err(Refusal::Unavailable));
    shard.meet(Trouble::None);
    shard.end().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_refuses_sends_and_comes_back_by_itself() {
    let shard = Shard::start("full");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("kept")).await.expect("answered");
    shard.meet(Trouble::NoRoom);
    assert_eq!(shard.ask(send("no room")).await, Err(Refusal::DiskFull));

    shard.meet(Trouble::None);
    shard.ask_until(send("room again"), Result::is_ok).await;
    assert_eq!(shard.receive().await.expect("answered")[0].body.as_deref(), Some("kept"));
    shard.end().await;
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_still_receives_and_deletes() {
    let shard = Shard::start("little");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("kept")).await.expect("answered");
    shard.meet(Trouble::LittleRoom);
    // It looks now and then, after a write.
    shard.ask_until(send("more"), |outcome| *outcome == Err(Refusal::DiskFull)).await;

    shard.ask(create()).await.expect("whoever creates its queues at its start still starts");
    let message = shard.receive().await.expect("a receive still works").remove(0);
    assert_eq!(message.body.as_deref(), Some("kept"));
    let receipt_handle = message.receipt_handle.expect("a handle");
    let delete = DeleteMessageRequest { queue_url: "q".into(), receipt_handle };
    shard.ask(Request::DeleteMessage(delete)).await.expect("a delete still works");
    assert_eq!(shard.ask(send("more")).await, Err(Refusal::DiskFull));

    shard.meet(Trouble::None);
    shard.ask_until(send("room again"), Result::is_ok).await;
    shard.end().await;
}

#[tokio::test]
async fn a_full_disk_lets_go_of_what_was_deleted_though_nobody_writes() {
    let shard = Shard::start_with("lets-go", 1 << 30);
    shard.ask(create()).await.expect("answered");
    let body = "x".repeat(512 * 1024);
    for _ in 0..6 {
        shard.ask(send(&body)).await.expect("answered");
    }
    shard.meet(Trouble::LittleRoom);
    shard.ask_until(send("more"), |outcome| *outcome == Err(Refusal::DiskFull)).await;
    let files = || {
        let files = std::fs::read_dir(&shard.directory).expect("a directory").flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("segment") || name.starts_with("cold")).count()
    };
    assert!(files() > 1, "a segment alone holds no six messages");
    while let Some(message) = shard.receive().await.expect("answered").pop() {
        let receipt_handle = message.receipt_handle.expect("a handle");
        let delete = DeleteMessageRequest { queue_url: "q".into(), receipt_handle };
        shard.ask(Request::DeleteMessage(delete)).await.expect("answered");
    }
    while files() > 1 {
        tokio::task::yield_now().await;
    }
    shard.end().await;
}

#[tokio::test]
async fn stopping_answers_long_polls_with_nothing() {
    let shard = Shard::start("stop");
    shard.ask(create()).await.expect("answered");
    let poll =
        ReceiveMessageRequest { queue_url: "q".into(), wait_time_seconds: Some(20), ..Default::default() };
    let poll = shard.ask(Request::ReceiveMessage(poll));
    let (polled, ()) = tokio::join!(poll, shard.handle.stop());
    assert_eq!(polled, Ok(sqs::Reply::ReceiveMessage(Default::default())));
    assert_eq!(shard.ask(send("late")).await, Err(Refusal::Stopping));
    std::fs::remove_dir_all(&shard.directory).expect("to remove it");
}

#[tokio::test]
async fn a_journal_whose_messages_are_over_stays_short_even_if_one_stays() {
    let shard = Shard::start("short");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("the one that stays")).await.expect("answered");
    let staying = shard.receive().await.expect("answered").remove(0);
    let body = "x".repeat(64 * 1024);
    for _ in 0..400 {
        shard.ask(send(&body)).await.expect("answered");
        let message = shard.receive().await.expect("answered").remove(0);
        let receipt_handle = message.receipt_handle.expect("a handle");
        let delete = DeleteMessageRequest { queue_url: "q".into(), receipt_handle };
        shard.ask(Request::DeleteMessage(delete)).await.expect("answered");
    }
    // 25 MiB went through. Snapshots are saved beside the appends, so the newest may still be on its way.
    let files = std::fs::read_dir(&shard.directory).expect("a directory").flatten();
    let bytes: u64 = files.map(|file| file.metadata().expect("its size").len()).sum();
    assert!(bytes < 12 << 20, "the journal still takes {bytes} bytes");

    let change = sqs::ChangeMessageVisibilityRequest {
        queue_url: "q".into(),
        receipt_handle: staying.receipt_handle.expect("a handle"),
        visibility_timeout: 0,
    };
    shard.ask(Request::ChangeMessageVisibility(change)).await.expect("answered");
    let messages = shard.receive().await.expect("answered");
    assert_eq!(messages[0].body.as_deref(), Some("the one that stays"));
    shard.end().await;
}

/// A shard with messages in cold files.
async fn with_cold_files(name: &str) -> Shard {
    let config = Config { window: 4, ..Config::new(OVERHEAD) };
    let shard = Shard::start_as(name, 1 << 20, config);
    shard.ask(create()).await.expect("answered");
    let body = "x".repeat(64 * 1024);
    while cold_files(&shard).is_empty() {
        shard.ask(send(&body)).await.expect("answered");
    }
    shard
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn cold_files(shard: &Shard) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(&shard.directory).expect("a directory").flatten();
    let is_cold = |file: &std::fs::DirEntry| file.file_name().to_string_lossy().starts_with("cold-");
    files.filter(is_cold).map(|file| file.path()).collect()
}

/// Takes what there is while `goes_on` says so. What lay in the first file may have been taken before it was needed there, so more is
/// sent all the time.
async fn take_while(shard: &Shard, mut goes_on: impl FnMut() -> bool) {
    let body = "x".repeat(64 * 1024);
    let mut sent = 0;
    while goes_on() {
        sent += u32::from(shard.ask(send(&body)).await.is_ok());
        sent += u32::from(shard.ask(send(&body)).await.is_ok());
        assert!(sent < 5_000, "300 MiB went through, and nothing was met");
        if let Ok(messages) = shard.receive().await {
            for message in messages {
                let receipt_handle = message.receipt_handle.expect("a handle");
                let delete = DeleteMessageRequest { queue_url: "q".into(), receipt_handle };
                // It may be closed by now.
                let _ = shard.ask(Request::DeleteMessage(delete)).await;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The same until `count` reads of whole pieces have failed.
async fn take_until_unread(shard: &Shard, count: u32) {
    take_while(shard, || shard.unread.load(Ordering::Relaxed) < count).await;
}

/// The same until its damage is known.
async fn take_until_damaged(shard: &Shard) {
    take_while(shard, || shard.router.damaged().count() == 0).await;
}

/// It stopped for good, and everybody is told so as of one whose damage was found at the start.
async fn is_told_of_as_damaged(shard: &Shard) {
    // Long enough for a state to be rebuilt many times.
    for _ in 0..20_000 {
        assert_eq!(shard.ask(send("after")).await, Err(Refusal::Damaged));
    }
    // Half a list would be a wrong one.
    let list = sqs::ListQueuesRequest::default();
    let (list, _) = prepare(Request::ListQueues(list));
    assert_eq!(shard.router.ask(Command::Sqs(list)).await.err(), Some(Refusal::Damaged));
    assert!(shard.router.hold().await.is_none(), "no backup is made of it");
    assert_eq!(shard.router.damaged().collect::<Vec<_>>(), [0]);
    assert_eq!(shard.router.shards().count(), 1, "the other one serves");
    let health = health(&[(0, Arc::clone(&shard.meters))], &shard.router, false);
    assert_eq!(health.status, 200);
    assert_eq!(shard.meters.closed.get(), 0, "it does not recover");
}

#[tokio::test]
async fn a_piece_that_cannot_be_read_once_is_read_again() {
    let shard = with_cold_files("piece-once").await;
    shard.meet(Trouble::Pieces);
    take_until_unread(&shard, 1).await;
    shard.meet(Trouble::None);
    shard.ask_until(send("after"), Result::is_ok).await;
    while shard.receive().await.expect("answered")[0].body.as_deref() != Some("after") {}
    assert_eq!(shard.router.damaged().count(), 0);
    shard.end().await;
}

#[tokio::test]
async fn a_piece_that_cannot_be_read_twice_stops_the_shard_for_good() {
    let shard = with_cold_files("piece-twice").await;
    shard.meet(Trouble::Pieces);
    take_until_damaged(&shard).await;
    shard.meet(Trouble::None);
    is_told_of_as_damaged(&shard).await;
    shard.end().await;
}

#[tokio::test]
async fn a_piece_that_is_damaged_stops_the_shard_for_good() {
    stops_once_changed("piece-flipped", |file| {
        let middle = file.len() / 2;
        file[middle] ^= 1;
    })
    .await;
}

#[tokio::test]
async fn a_cold_file_of_a_newer_format_stops_the_shard_for_good() {
    stops_once_changed("piece-newer", |file| {
        file[8..12].copy_from_slice(&9_u32.to_le_bytes());
        file[12..16].fill(0);
        let checksum = crc32c(&file[..64]);
        file[12..16].copy_from_slice(&checksum.to_le_bytes());
    })
    .await;
}

async fn stops_once_changed(name: &str, change: impl Fn(&mut [u8])) {
    let shard = with_cold_files(name).await;
    // Later files, too: the first one may not be needed any more.
    let mut known = Vec::new();
    take_while(&shard, || {
        for file in cold_files(&shard) {
            // One that was removed or is only begun is of no use.
            let mut bytes = std::fs::read(&file).unwrap_or_default();
            if bytes.len() > 64 && !known.contains(&file) {
                change(&mut bytes);
                std::fs::write(&file, bytes).expect("to damage it");
                known.push(file);
            }
        }
        shard.router.damaged().count() == 0
    })
    .await;
    is_told_of_as_damaged(&shard).await;
    shard.end().await;
}

#[tokio::test]
async fn a_shard_that_cannot_be_opened_again_for_its_damage_stops_for_good() {
    let shard = Shard::start("reopen");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("a needle")).await.expect("answered");
    shard.ask(send("another behind it")).await.expect("answered");
    let files = std::fs::read_dir(&shard.directory).expect("a directory").flatten();
    let segment = files.map(|file| file.path()).find(|file| file.to_string_lossy().contains("segment"));
    let segment = segment.expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("to read it");
    let at = bytes.windows(8).position(|window| window == b"a needle").expect("it is there");
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).expect("to damage it");
    shard.meet(Trouble::Syncs);
    assert_eq!(shard.ask(send("during")).await, Err(Refusal::Unavailable));
    shard.meet(Trouble::None);
    shard.ask_until(send("x"), |outcome| *outcome == Err(Refusal::Damaged)).await;
    is_told_of_as_damaged(&shard).await;
    shard.end().await;
}

#[tokio::test]
async fn what_an_earlier_opening_decided_is_not_written_to_a_later_one() {
    let directory = std::env::temp_dir().join(format!("kew-flusher-{}", std::process::id()));
    let disk = Arc::new(Real::open(&directory).expect("a directory"));
    let home = Home::new(disk, Options::default(), Config::new(OVERHEAD));
    let around = Surroundings {
        encryption: Arc::default(),
        clock: Arc::new(Clock::new()),
        random: Arc::new(Random::new()),
        meters: Arc::<ShardMeters>::default(),
    };
    let (writer, opened) = home.open(around.stamp()).expect("a journal");
    let first = opened.opening;
    let (mut flusher, mut reports) =
        Flusher::start(home, writer, opened.snapshots.clone(), around).expect("a thread");
    flusher.send(Job::Reopen { opening: first });
    let Some(Report::Opened(opened)) = reports.recv().await else { panic!("it is opened again") };
    let batch = |bytes: &'static [u8]| kew_engine::shard::Batch {
        start: opened.shard.position(),
        bytes: bytes::Bytes::from_static(bytes),
    };
    // Two failures at once may have asked twice, and a batch may have been on its way.
    flusher.send(Job::Reopen { opening: first });
    flusher.send(Job::Append { opening: first, batch: batch(b"void") });
    flusher.send(Job::Append { opening: opened.opening, batch: batch(b"counts") });
    let Some(Report::Durable { end }) = reports.recv().await else { panic!("it is durable") };
    assert_eq!(end, opened.shard.position() + 6);
    flusher.end();
    std::fs::remove_dir_all(&directory).expect("to remove it");
}

#[tokio::test]
async fn a_snapshot_that_was_damaged_is_written_anew_from_memory() {
    let shard = Shard::start("unsaved");
    shard.ask(create()).await.expect("answered");
    shard.ask(send("the one that stays")).await.expect("answered");
    shard.receive().await.expect("answered");
    let snapshot = || {
        let files = std::fs::read_dir(&shard.directory).expect("a directory").flatten();
        let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.find(|name| name.starts_with("snapshot-"))
    };
    let pass = async || {
        shard.ask(send(&"x".repeat(64 * 1024))).await.expect("answered");
        let message = shard.receive().await.expect("answered").remove(0);
        let receipt_handle = message.receipt_handle.expect("a handle");
        let delete = DeleteMessageRequest { queue_url: "q".into(), receipt_handle };
        shard.ask(Request::DeleteMessage(delete)).await.expect("answered");
    };
    let mut first = None;
    while first.is_none() {
        pass().await;
        first = snapshot();
    }
    // It is the last that a retirement does, and there is none before the journal has grown again.
    let first = first.expect("a name");
    let mut bytes = std::fs::read(shard.directory.join(&first)).expect("to read it");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(shard.directory.join(&first), bytes).expect("to damage it");
    let mut passed = 0;
    while snapshot().is_none_or(|now| now == first) {
        passed += 1;
        assert!(passed < 400, "25 MiB went through, and it was not written anew");
        pass().await;
    }
    shard.handle.stop().await;
    let options = Options { segment_bytes: 1 << 20, spares: 0, ..Options::default() };
    let disk = Real::open(&shard.directory).expect("the directory");
    let home = Home::new(Arc::new(disk), options, Config::new(OVERHEAD));
    let stamp = Stamp { now: Clock::new().now(), seed: 1 };
    let (_, opened) = home.open(stamp).expect("it starts again");
    let held: usize = opened.shard.holdings().iter().map(|queue| queue.payloads.len()).sum();
    assert_eq!(held, 1);
    std::fs::remove_dir_all(&shard.directory).expect("to remove it");
}
