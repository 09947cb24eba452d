//! A shard on a real directory, asked one thing after the other at moments of the test's choosing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::command::{Command as Asked, Outgoing, Receive};
use kew_engine::services::sqs::message::{Payload, encode, md5};
use kew_engine::services::sqs::settings::Changes;
use kew_engine::services::sqs::{Action, QueueKey, Reply, command::QueueAction, message};
use kew_engine::shard::{self, Command, Config, Stamp, Token};
use kew_engine::time::{Millis, Moment};
use kew_journal::disk::Directory;
use kew_journal::{OVERHEAD, Options, Writer};
use kew_store::{Home, Opened, Retirement, Step};

/// A directory that goes with the value.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kew-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("create");
    for entry in std::fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copy");
        }
    }
}

/// Windows so small that messages wait in cold files.
pub(crate) fn tiny() -> Config {
    Config { window: 4, fifo_window: 4, ..Config::new(OVERHEAD) }
}

/// What a server tells its shards.
pub(crate) fn usual() -> Config {
    Config::new(OVERHEAD)
}

pub(crate) struct Stand {
    _directory: Directory,
    config: Config,
    pub(crate) writer: Writer,
    pub(crate) opened: Opened,
    now: u64,
    count: u64,
}

/// In 2100: what is kept as a fixture must not have expired when a server of today reads it.
pub(crate) const DAWN: u64 = 4_102_444_800_000;

impl Stand {
    pub(crate) fn open(path: &Path, config: Config) -> Self {
        let directory = Directory::open(path).expect("directory");
        let disk = Arc::new(directory.shard(0).expect("shard"));
        let options = Options { segment_bytes: 8192, spares: 1, recent_bytes: 0, ..Options::default() };
        let home = Home::new(disk, options, config.clone());
        let stamp = Stamp { now: Moment(DAWN), seed: 1 };
        let (writer, opened) = home.open(stamp).expect("open");
        let now = opened.shard.now().0;
        // Ids are drawn from seeds: those after the opening must be others.
        Self { _directory: directory, config, count: writer.durable(), writer, opened, now }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += millis;
        let stamp = self.stamp();
        self.opened.shard.tick(stamp);
        self.settle();
    }

    fn stamp(&mut self) -> Stamp {
        self.count += 1;
        Stamp { now: Moment(self.now), seed: self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// Everything that is to do after a call.
    fn settle(&mut self) -> Vec<shard::Reply> {
        let mut replies = Vec::new();
        loop {
            while let Some(thaw) = self.opened.shard.poll_thaw() {
                let bytes = self.opened.source.thaw(&thaw).expect("a piece");
                let stamp = self.stamp();
                self.opened.shard.thawed(stamp, &thaw, bytes).expect("its messages");
            }
            while let Some((_, reply)) = self.opened.shard.poll_reply() {
                replies.push(reply);
            }
            while let Some(chunk) = self.opened.shard.poll_drop() {
                self.opened.source.cold.remove(chunk).expect("to remove");
            }
            let Some(batch) = self.opened.shard.poll_append() else { return replies };
            let end = self.writer.append(batch.start, &batch.bytes).expect("append");
            self.opened.shard.handle_durable(end);
        }
    }

    pub(crate) fn submit(&mut self, command: Command) -> shard::Reply {
        self.now += 1;
        let stamp = self.stamp();
        self.opened.shard.submit(stamp, Token(self.count), command);
        self.settle().pop().expect("an answer")
    }

    pub(crate) fn ask(&mut self, action: Action) -> Reply {
        let caller = Caller::open(Account::DEFAULT, "us-east-1".into());
        match self.submit(Command::Sqs(Asked { caller, action })) {
            shard::Reply::Sqs(reply) => reply.expect("no fault"),
            _ => panic!("not the queue service's answer"),
        }
    }

    pub(crate) fn of(&mut self, queue: &str, action: QueueAction) -> Reply {
        self.ask(Action::Queue { key: key(queue), name: "SendMessage", action })
    }

    pub(crate) fn create(&mut self, queue: &str, attributes: &[(&str, &str)]) {
        let given: Vec<_> =
            attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let changes = Changes::parse(&given, queue, true).expect("attributes");
        self.ask(Action::Create { key: key(queue), changes, tags: vec![("team".into(), "shop".into())] });
    }

    pub(crate) fn send(&mut self, queue: &str, body: &str, group: Option<&str>, delay: Option<u64>) {
        let body: kew_wire::Text = body.to_owned().into();
        let group: Option<kew_wire::Text> = group.map(|group| group.to_owned().into());
        let payload = encode(&Payload {
            body_md5: md5(body.as_bytes()),
            body: body.clone(),
            attributes: Vec::new(),
            attributes_md5: None,
            trace: None,
            sender: "tester".into(),
            group: group.clone(),
            dedup: None,
        });
        let dedup = group.is_some().then(|| body.clone());
        let delay = delay.map(Millis);
        let message = Outgoing { payload, size: body.len(), delay, group, dedup, digest: None };
        self.of(queue, QueueAction::Send { messages: vec![message], batch: false });
    }

    /// Sends what says of its body what it is not.
    pub(crate) fn send_changed(&mut self, queue: &str, body: &str) {
        let payload = encode(&Payload {
            body_md5: [0; 16],
            body: body.to_owned().into(),
            attributes: Vec::new(),
            attributes_md5: None,
            trace: None,
            sender: "tester".into(),
            group: None,
            dedup: None,
        });
        let message =
            Outgoing { payload, size: body.len(), delay: None, group: None, dedup: None, digest: None };
        self.of(queue, QueueAction::Send { messages: vec![message], batch: false });
    }

    /// Receives: bodies and handles.
    pub(crate) fn receive(&mut self, queue: &str, max: usize) -> Vec<(String, kew_wire::Text)> {
        let receive = Receive { max, visibility: Some(Millis(600_000)), ..Receive::default() };
        let Reply::Received(deliveries) = self.of(queue, QueueAction::Receive(receive)) else {
            panic!("no receive")
        };
        let body = |payload| {
            let bytes: Bytes = self.opened.source.read(payload).expect("the payload");
            message::decode(bytes).expect("a payload").body.to_string()
        };
        deliveries.into_iter().map(|delivery| (body(delivery.payload), delivery.handle)).collect()
    }

    pub(crate) fn delete(&mut self, queue: &str, received: Vec<(String, kew_wire::Text)>) {
        let handles = received.into_iter().map(|(_, handle)| handle).collect();
        self.of(queue, QueueAction::Delete { handles });
    }

    /// Retires all that lies before `cut`.
    pub(crate) fn retire(&mut self, cut: u64) {
        let (source, snapshots) = (self.opened.source.clone(), self.opened.snapshots.clone());
        let mut retirement =
            Retirement::begin(self.config.clone(), source, snapshots, cut).expect("to begin");
        while let Step::Tell(stored) = retirement.step().expect("a step") {
            self.submit(Command::Stored(stored));
        }
    }

    /// Everything in every queue once whatever was held has come back, and nothing is left.
    pub(crate) fn drain(mut self, queues: &[&str]) -> BTreeMap<String, Vec<String>> {
        self.pass(3_600_000);
        let mut all = BTreeMap::new();
        for queue in queues {
            let bodies: &mut Vec<String> = all.entry((*queue).to_owned()).or_default();
            loop {
                let received = self.receive(queue, 10);
                if received.is_empty() {
                    break;
                }
                bodies.extend(received.iter().map(|(body, _)| body.clone()));
                self.delete(queue, received);
            }
            bodies.sort();
        }
        all
    }
}

pub(crate) fn key(queue: &str) -> QueueKey {
    QueueKey { account: Account::DEFAULT, region: "us-east-1".into(), name: queue.to_owned().into() }
}

pub(crate) const QUEUES: [&str; 3] = ["q", "f.fifo", "dead"];

/// A directory with a bit of everything: cold files, a snapshot, messages that wait, are in flight, delayed, came back and were
/// moved, two openings, an end as a kill leaves it.
pub(crate) fn story(path: &Path) {
    let mut stand = Stand::open(path, tiny());
    stand.create("dead", &[]);
    let redrive =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"1"}"#;
    stand.create("q", &[("RedrivePolicy", redrive)]);
    stand.create("f.fifo", &[("FifoQueue", "true")]);
    for number in 0..24 {
        stand.send("q", &format!("q {number:02}"), None, None);
    }
    for number in 0..12 {
        stand.send("f.fifo", &format!("f {number:02}"), Some(["a", "b", "c"][number % 3]), None);
    }
    stand.send("q", "q delayed", None, Some(900_000));
    // Two go to the dead letters, the third is deleted.
    let mut received = stand.receive("q", 3);
    let third = received.pop().expect("a third");
    stand.delete("q", vec![third]);
    stand.pass(700_000);
    stand.receive("q", 4);
    let cut = stand.writer.durable();
    stand.retire(cut);
    for number in 24..40 {
        stand.send("q", &format!("q {number:02}"), None, None);
    }
    stand.receive("f.fifo", 1);
    drop(stand);
    let mut stand = Stand::open(path, tiny());
    for number in 12..16 {
        stand.send("f.fifo", &format!("f {number:02}"), Some("d"), None);
    }
    let cut = stand.writer.durable();
    stand.send("q", "q 40", None, None);
    stand.retire(cut);
    // Long enough for another segment.
    for number in 41..44 {
        stand.send("q", &format!("q {number:02} {}", "x".repeat(2500)), None, None);
    }
    let received = stand.receive("q", 2);
    stand.delete("q", received);
    stand.send("q", "q the last", None, None);
}
