//! A small language for tables.
//!
//! | line | meaning | answer |
//! |---|---|---|
//! | `create Q [A=V ...]` | CreateQueue with attributes | `ok` |
//! | `set Q A=V ...`, `tag Q K=V`, `drop Q`, `purge Q` | | `ok` |
//! | `send Q BODY [delay=S] [group=G] [dedup=D]` | BODY is also the message's name | `ok`, `dup` |
//! | `sends Q PREFIX N [group=G]` | N messages PREFIX0, PREFIX1 ... | `ok` |
//! | `recv Q [max=N] [vis=S] [wait=S] [attempt=A]` | 1 message unless told | `BODY:RECEIVES ...`, `-`, `waits` |
//! | `hangup` | the callers that wait have gone | |
//! | `lost Q [max=N]` | a receive whose answer does not reach the caller | |
//! | `late-loss Q attempt=A` | a receive that is lost only after the same attempt was answered again | as `recv` |
//! | `delete Q BODY[@N]` | by the handle of its Nth receive, or its last | `ok` |
//! | `vis Q BODY[@N] S` | ChangeMessageVisibility | `ok` |
//! | `count Q` | | `VISIBLE/IN_FLIGHT/DELAYED` |
//! | `move Q [to=Q] [rate=N]`, `cancel Q`, `moves Q` | move tasks | `ok`; `STATUS MOVED/TO_MOVE ...` |
//! | `sources Q`, `list [PREFIX]` | | names |
//! | `+S` | S seconds pass (`+0.5` too) | what waiting receives are answered |
//! | `late S` | S seconds pass, and nobody looks before their end | |
//! | `as ACCOUNT` | who calls from here on; queues are `000000000000`'s unless written `ACCOUNT/Q` | |
//! | `crash [S]` | the process is killed and started again, by a clock that goes S seconds late | |
//! | `rewind N` | the same, and the last N batches of the journal are lost | |
//! | `window N` | from here on, in front of everything else: windows of N messages | |
//! | `room N` | from here on, in front of everything else: N delayed messages, N remembered ones, N receive attempts | |
//! | `cool` | what can go to cold files goes | |
//! | `cool-begin`, `cool-end` | it is written; the shard is told | |
//! | `stall`, `flow` | what lies in cold files does not come back until told | what waiting receives are answered |
//! | `compact` | all that lives is stored, a snapshot is taken, and the journal before is cut off | |
//!
//! A fault answers with its name. Lines that start with `#` are remarks.

use std::collections::HashMap;
use std::fmt::Write;

use bytes::Bytes;
use kew_engine::cold::{Bundle, Stored};
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::command::*;
use kew_engine::services::sqs::settings::Changes;
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::{self, Config, Shard, Stamp, Token};
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;
use kew_wire::fault::Fault;

const OVERHEAD: u64 = 32;

/// One shard, its journal, and what its callers know.
pub(crate) struct World {
    shard: Shard,
    journal: Vec<(u64, Bytes)>,
    /// The last snapshot and the position it stands for.
    snapshot: Option<(u64, Bytes)>,
    /// Cold files by number.
    chunks: HashMap<u64, Vec<u8>>,
    next_chunk: u64,
    /// Cold files are not read.
    stalls: bool,
    /// What was written to a cold file and not told yet.
    written: Vec<Stored>,
    config: Config,
    caller: Account,
    now: u64,
    tokens: u64,
    waiting: Vec<Token>,
    /// Handles by queue and body, in the order of receives.
    handles: HashMap<(String, String), Vec<Text>>,
    ids: HashMap<[u8; 16], String>,
    tasks: HashMap<String, Text>,
}

/// Runs a table and checks every line.
#[track_caller]
pub(crate) fn check(table: &str) {
    let mut world = World::new();
    for (number, line) in table.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (request, expected) = line.split_once("=>").unwrap_or((line, "ok"));
        let (request, expected) = (request.trim(), expected.trim());
        let quiet = !line.contains("=>");
        let answer = world.run(request);
        let fine = answer == expected || (quiet && (answer.is_empty() || answer == "ok"));
        assert!(fine, "line {}: `{request}` answered `{answer}`, expected `{expected}`", number + 1);
    }
    world.survives();
}

impl World {
    pub(crate) fn new() -> Self {
        let config = Config::new(OVERHEAD);
        Self {
            shard: Shard::new(config.clone(), 0),
            chunks: HashMap::new(),
            next_chunk: 1,
            stalls: false,
            written: Vec::new(),
            config,
            journal: Vec::new(),
            snapshot: None,
            caller: Account::DEFAULT,
            now: 1_700_000_000_000,
            tokens: 0,
            waiting: Vec::new(),
            handles: HashMap::new(),
            ids: HashMap::new(),
            tasks: HashMap::new(),
        }
    }

    pub(crate) fn run(&mut self, line: &str) -> String {
        if let Some(seconds) = line.strip_prefix('+') {
            return self.pass((seconds.parse::<f64>().unwrap() * 1000.0) as u64);
        }
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap();
        let words: Vec<&str> = words.collect();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let seconds = |name: &str| option(name).map(|value| Millis::seconds(value.parse().unwrap()));
        let text = |name: &str| option(name).map(Text::from);
        let queue = words.first().copied().unwrap_or_default();
        let pairs = || -> Vec<(Text, Text)> {
            let pairs = words[1..].iter().filter_map(|word| word.split_once('='));
            pairs.map(|(name, value)| (Text::from(name), Text::from(value.replace('~', " ")))).collect()
        };
        match verb {
            "create" => {
                let changes = match Changes::parse(&pairs(), queue, true) {
                    Ok(changes) => changes,
                    Err(fault) => return fault.kind.name.into(),
                };
                self.ask(Action::Create { key: key(queue), changes, tags: Vec::new() })
            }
            "set" => match Changes::parse(&pairs(), queue, false) {
                Ok(changes) => self.of(queue, QueueAction::Change { changes }),
                Err(fault) => fault.kind.name.into(),
            },
            "tag" => self.of(queue, QueueAction::Tag { tags: pairs() }),
            "drop" => self.of(queue, QueueAction::Remove),
            "purge" => self.of(queue, QueueAction::Purge),
            "send" => {
                let message = outgoing(words[1], seconds("delay"), text("group"), text("dedup"));
                self.of(queue, QueueAction::Send { messages: vec![message], batch: false })
            }
            "sends" => {
                for number in 0..words[2].parse::<usize>().unwrap() {
                    let body = format!("{}{number}", words[1]);
                    let message =
                        outgoing(&body, None, text("group"), option("group").map(|_| body.clone().into()));
                    self.of(queue, QueueAction::Send { messages: vec![message], batch: false });
                }
                "ok".into()
            }
            "recv" | "lost" | "late-loss" => {
                let receive = Receive {
                    max: option("max").map_or(1, |max| max.parse().unwrap()),
                    visibility: seconds("vis"),
                    wait: seconds("wait"),
                    attempt: text("attempt"),
                };
                if verb == "lost" {
                    return self.lose(queue, receive);
                }
                if verb == "late-loss" {
                    let lost = self.take(queue, receive.clone());
                    let answer = self.of(queue, QueueAction::Receive(receive));
                    let stamp = self.stamp();
                    self.shard.abandon(stamp, &lost);
                    self.persist();
                    return answer;
                }
                self.of(queue, QueueAction::Receive(receive))
            }
            "hangup" => {
                for token in std::mem::take(&mut self.waiting) {
                    self.shard.cancel(token);
                }
                String::new()
            }
            "delete" => {
                let handles = words[1..].iter().map(|word| self.handle(queue, word)).collect();
                self.of(queue, QueueAction::Delete { handles })
            }
            "vis" => {
                let timeout = Millis::seconds(words[2].parse().unwrap());
                let changes = vec![(self.handle(queue, words[1]), timeout)];
                self.of(queue, QueueAction::ChangeVisibility { changes })
            }
            "count" => self.of(queue, QueueAction::View),
            "sources" => self.of(queue, QueueAction::Sources { page: Page { after: None, max: 1000 } }),
            "list" => {
                self.ask(Action::List { prefix: Text::from(queue), page: Page { after: None, max: 1000 } })
            }
            "move" => {
                let destination = option("to").map(key);
                let per_second = option("rate").map(|rate| rate.parse().unwrap());
                self.of(queue, QueueAction::StartMove { destination, per_second })
            }
            "cancel" => {
                let handle = self.tasks[queue].clone();
                self.ask(Action::CancelMove { handle })
            }
            "moves" => self.of(queue, QueueAction::ListMoves { max: 10 }),
            "crash" | "rewind" => {
                let number = words.first().map_or(0, |number| number.parse::<u64>().unwrap());
                match verb {
                    "crash" => self.now -= 1000 * number,
                    _ => self.journal.truncate(self.journal.len() - number as usize),
                }
                self.shard = self.replayed();
                self.now = self.now.max(self.shard.now().0);
                self.written = Vec::new();
                let used: Vec<u64> = self.shard.chunks().collect();
                self.chunks.retain(|chunk, _| used.contains(chunk));
                self.persist();
                self.waiting.clear();
                String::new()
            }
            "room" => {
                let room = words[0].parse().unwrap();
                self.config =
                    Config { delayed: room, remembered: room, attempts: room, ..self.config.clone() };
                self.shard = Shard::new(self.config.clone(), 0);
                String::new()
            }
            "window" => {
                let window = words[0].parse().unwrap();
                self.config = Config { window, fifo_window: window, ..self.config.clone() };
                self.shard = Shard::new(self.config.clone(), 0);
                String::new()
            }
            // Messages of a piece of a cold file.
            "pieces" => {
                self.config.frame_messages = words[0].parse().unwrap();
                self.shard = Shard::new(self.config.clone(), 0);
                String::new()
            }
            // Messages in the window.
            "near" => {
                let queue = key(queue);
                let standing = self.shard.standings().into_iter().find(|standing| standing.key == queue);
                standing.unwrap().occupied.to_string()
            }
            // From the next start on.
            "rewindow" => {
                let window = words[0].parse().unwrap();
                self.config = Config { window, fifo_window: window, ..self.config.clone() };
                String::new()
            }
            "stall" => {
                self.stalls = true;
                String::new()
            }
            "flow" => {
                self.stalls = false;
                self.answers("", None)
            }
            "cool" => {
                self.cool(self.shard.position());
                String::new()
            }
            "cool-begin" => {
                if self.written.is_empty() {
                    let bundles = self.replica().backlog(self.shard.position(), u64::MAX, 1 << 20);
                    self.written = self.write(bundles);
                }
                String::new()
            }
            "cool-end" => {
                let written = std::mem::take(&mut self.written);
                self.tell(written);
                String::new()
            }
            "late" => {
                self.now += 1000 * words[0].parse::<u64>().unwrap();
                let stamp = self.stamp();
                self.shard.tick(stamp);
                self.answers("", None)
            }
            "as" => {
                self.caller = queue.parse().unwrap();
                String::new()
            }
            "compact" => {
                self.compact();
                String::new()
            }
            _ => panic!("no such verb: {verb}"),
        }
    }

    fn pass(&mut self, millis: u64) -> String {
        let until = self.now + millis;
        for round in 0.. {
            assert!(round < 1_000_000, "the shard wants to be woken for ever");
            let next = self.shard.next_deadline().map_or(u64::MAX, |at| at.0.max(self.now));
            if next > until {
                break;
            }
            self.now = next;
            let stamp = self.stamp();
            self.shard.tick(stamp);
            self.persist();
        }
        self.now = until;
        self.answers("", None)
    }

    fn of(&mut self, queue: &str, action: QueueAction) -> String {
        let name = match action {
            QueueAction::StartMove { .. } => "StartMessageMoveTask",
            QueueAction::ListMoves { .. } => "ListMessageMoveTasks",
            _ => "SendMessage",
        };
        self.submit(queue, Action::Queue { key: key(queue), name, action })
    }

    fn ask(&mut self, action: Action) -> String {
        self.submit("", action)
    }

    fn submit(&mut self, queue: &str, action: Action) -> String {
        let token = self.token();
        let stamp = self.stamp();
        let command = shard::Command::Sqs(sqs::Command { caller: caller(self.caller), action });
        self.shard.submit(stamp, token, command);
        self.waiting.push(token);
        self.answers(queue, Some(token))
    }

    /// A receive that the caller never hears of.
    fn lose(&mut self, queue: &str, receive: Receive) -> String {
        let lost = self.take(queue, receive);
        let stamp = self.stamp();
        self.shard.abandon(stamp, &lost);
        self.persist();
        String::new()
    }

    /// A receive's deliveries, which nobody notes.
    fn take(&mut self, queue: &str, receive: Receive) -> Vec<Delivery> {
        let token = self.token();
        let action =
            Action::Queue { key: key(queue), name: "ReceiveMessage", action: QueueAction::Receive(receive) };
        let stamp = self.stamp();
        self.shard.submit(
            stamp,
            token,
            shard::Command::Sqs(sqs::Command { caller: caller(self.caller), action }),
        );
        self.persist();
        let mut taken = Vec::new();
        while let Some((_, reply)) = self.shard.poll_reply() {
            if let shard::Reply::Sqs(Ok(Reply::Received(deliveries))) = reply {
                taken.extend(deliveries);
            }
        }
        taken
    }

    /// Makes the open batch durable and tells the answers, the caller's own first.
    fn answers(&mut self, queue: &str, own: Option<Token>) -> String {
        self.persist();
        let mut shown = Vec::new();
        let mut answered = false;
        while let Some((token, reply)) = self.shard.poll_reply() {
            self.waiting.retain(|waiting| *waiting != token);
            let shard::Reply::Sqs(reply) = reply else { continue };
            let line = self.show(queue, reply);
            if own == Some(token) {
                answered = true;
                shown.insert(0, line);
            } else {
                shown.push(format!("woke {line}"));
            }
        }
        self.drop_chunks();
        if own.is_some() && !answered {
            shown.insert(0, "waits".into());
        }
        shown.join("; ")
    }

    fn persist(&mut self) {
        loop {
            while !self.stalls
                && let Some(thaw) = self.shard.poll_thaw()
            {
                let chunk = &self.chunks[&thaw.chunk()];
                let bytes = chunk[thaw.offset() as usize..(thaw.offset() + thaw.length()) as usize].to_vec();
                let stamp = self.stamp();
                self.shard.thawed(stamp, &thaw, bytes.into()).unwrap();
            }
            let Some(batch) = self.shard.poll_append() else { break };
            let end = batch.start + batch.bytes.len() as u64;
            self.journal.push((batch.start, batch.bytes));
            self.shard.handle_durable(end);
        }
    }

    fn drop_chunks(&mut self) {
        while let Some(chunk) = self.shard.poll_drop() {
            // After a crash it may have gone before.
            self.chunks.remove(&chunk);
        }
    }

    fn show(&mut self, queue: &str, reply: Result<Reply, Fault>) -> String {
        let reply = match reply {
            Ok(reply) => reply,
            Err(fault) => return fault.kind.name.into(),
        };
        match reply {
            Reply::Done | Reply::Cancelled { .. } => "ok".into(),
            Reply::Sent(outcomes) => words(outcomes.into_iter().map(|outcome| match outcome {
                Ok(receipt) if self.ids.insert(receipt.id, String::new()).is_some() => "dup".into(),
                Ok(_) => "ok".into(),
                Err(fault) => fault.kind.name.into(),
            })),
            Reply::Entries(outcomes) => words(outcomes.into_iter().map(|outcome| match outcome {
                Ok(()) => "ok".into(),
                Err(fault) => fault.kind.name.to_owned(),
            })),
            Reply::Received(deliveries) if deliveries.is_empty() => "-".into(),
            Reply::Received(deliveries) => words(deliveries.into_iter().map(|delivery| {
                let body = self.body(delivery.payload);
                let mut shown = format!("{body}:{}", delivery.receive_count);
                if let Some(source) = &delivery.source {
                    write!(shown, "<{}", source.rsplit(':').next().unwrap()).unwrap();
                }
                // A waiter's queue is not known here: its handles serve under every name.
                let queues = if queue.is_empty() { vec!["q", "f.fifo"] } else { vec![queue] };
                for queue in queues {
                    let handles = self.handles.entry((queue.into(), body.clone())).or_default();
                    if handles.last() != Some(&delivery.handle) {
                        handles.push(delivery.handle.clone());
                    }
                }
                shown
            })),
            Reply::Names { keys, .. } => words(keys.into_iter().map(|key| key.name.to_string())),
            Reply::View(view) => format!("{}/{}/{}", view.visible, view.in_flight, view.delayed),
            Reply::Tags(tags) => words(tags.into_iter().map(|(key, value)| format!("{key}={value}"))),
            Reply::Started { handle } => {
                self.tasks.insert(queue.into(), handle);
                "ok".into()
            }
            Reply::Moves(tasks) => words(tasks.into_iter().map(|task| {
                let failure = task.failure.map_or(String::new(), |reason| format!(" {reason}"));
                format!("{:?} {}/{}{failure}", task.status, task.moved, task.to_move)
            })),
        }
    }

    fn handle(&self, queue: &str, word: &str) -> Text {
        let (body, number) = word.split_once('@').unwrap_or((word, ""));
        let Some(handles) = self.handles.get(&(queue.into(), body.into())) else { return body.into() };
        if number.is_empty() {
            handles.last().unwrap().clone()
        } else {
            handles[number.parse::<usize>().unwrap() - 1].clone()
        }
    }

    fn body(&self, locator: Locator) -> String {
        String::from_utf8(self.payload(locator).to_vec()).unwrap()
    }

    /// A payload as the journal has it.
    fn payload(&self, locator: Locator) -> Bytes {
        if let Some((chunk, offset)) = locator.in_chunk() {
            let offset = offset as usize;
            return Bytes::copy_from_slice(&self.chunks[&chunk][offset..offset + locator.length as usize]);
        }
        let (start, batch) = self
            .journal
            .iter()
            .rev()
            .find(|(start, _)| *start <= locator.position)
            .expect("the journal must reach back");
        let first = (locator.position - start) as usize;
        batch.slice(first..first + locator.length as usize)
    }

    /// Copies what waits behind windows to cold files, all of it or, if `position` is 0, what fills pieces of them.
    fn cool(&mut self, position: u64) {
        loop {
            let bundles = self.replica().backlog(position, u64::MAX, 1 << 20);
            if bundles.is_empty() {
                return;
            }
            self.store(bundles);
        }
    }

    /// Writes a cold file as told by a replica, and tells the shard.
    fn store(&mut self, bundles: Vec<Bundle>) {
        let written = self.write(bundles);
        self.tell(written);
    }

    fn write(&mut self, bundles: Vec<Bundle>) -> Vec<Stored> {
        if bundles.is_empty() {
            return Vec::new();
        }
        let chunk = self.next_chunk;
        self.next_chunk += 1;
        // Two bytes in front, so that offsets count.
        let mut file = vec![0, 0];
        let mut stored = Vec::new();
        for bundle in bundles {
            let payloads: Vec<Bytes> = bundle.payloads().map(|payload| self.payload(payload)).collect();
            let bytes = bundle.encode(&payloads);
            let (offset, length) = (file.len() as u64, bytes.len() as u64);
            file.extend_from_slice(&bytes);
            stored.push(Stored { bundle, chunk, offset, length });
        }
        self.chunks.insert(chunk, file);
        stored
    }

    fn tell(&mut self, stored: Vec<Stored>) {
        if stored.is_empty() {
            return;
        }
        let (stamp, token) = (self.stamp(), self.token());
        self.shard.submit(stamp, token, shard::Command::Stored(stored));
        self.persist();
    }

    /// Leaves of the journal only what a snapshot does not hold.
    fn compact(&mut self) {
        let cut = self.shard.position();
        self.cool(cut);
        let survivors = self.replica().survivors(cut, &[]);
        if !survivors.is_empty() {
            self.store(survivors);
        }
        let replica = self.replica();
        let needed = replica.oldest_needed();
        assert!(needed >= cut, "what was stored is not needed any more");
        self.snapshot = Some((replica.position(), replica.snapshot().into()));
        self.journal.retain(|(start, batch)| start + batch.len() as u64 > needed);
    }

    fn replica(&self) -> Shard {
        let mut replica = self.read_back();
        replica.catch_up();
        replica
    }

    pub(crate) fn replayed(&self) -> Shard {
        let mut shard = self.read_back();
        shard.resume(Stamp { now: Moment(self.now), seed: 0 }, shard.position());
        shard
    }

    fn read_back(&self) -> Shard {
        let config = self.config.clone();
        let (position, mut shard) = match &self.snapshot {
            Some((position, bytes)) => (*position, Shard::restore(config, *position, bytes.clone()).unwrap()),
            None => (0, Shard::new(config, 0)),
        };
        for (start, batch) in self.journal.iter().filter(|(start, _)| *start >= position) {
            shard.replay(*start, batch.clone()).unwrap();
        }
        shard
    }

    /// What the journal and a snapshot give back is what is here.
    pub(crate) fn survives(&mut self) {
        // Time passes everywhere before states are compared, because it passes when somebody looks.
        let settle = |shard: &mut Shard, now| {
            let stamp = Stamp { now: Moment(now), seed: 0 };
            shard.release_waiters(stamp);
            shard.submit(stamp, Token(0), shard::Command::Stats);
            shard.snapshot()
        };
        let written = std::mem::take(&mut self.written);
        self.tell(written);
        settle(&mut self.shard, self.now);
        self.persist();
        self.drop_chunks();
        let mut replayed = self.replayed();
        let live = settle(&mut self.shard, self.now);
        assert_eq!(live, settle(&mut replayed, self.now), "replay must give the same state");
        assert_eq!(self.chunks.len(), self.shard.chunks().count(), "every cold file holds something");
        let config = self.config.clone();
        let mut restored = Shard::restore(config, self.shard.position(), live.clone().into()).unwrap();
        assert_eq!(live, settle(&mut restored, self.now), "a snapshot must give the same state");
    }

    fn stamp(&self) -> Stamp {
        Stamp { now: Moment(self.now), seed: self.tokens.wrapping_mul(0x9e37_79b9) }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }
}

fn outgoing(body: &str, delay: Option<Millis>, group: Option<Text>, dedup: Option<Text>) -> Outgoing {
    let payload = Bytes::copy_from_slice(body.as_bytes());
    // Not a digest, but as good as one here: different for different bodies.
    let mut digest = [0; 32];
    digest[..body.len().min(32)].copy_from_slice(&body.as_bytes()[..body.len().min(32)]);
    Outgoing { size: payload.len(), payload, delay, group, dedup, digest: Some(digest) }
}

pub(crate) fn key(name: &str) -> QueueKey {
    let (account, name) = match name.split_once('/') {
        Some((account, name)) => (account.parse().unwrap(), name),
        None => (Account::DEFAULT, name),
    };
    QueueKey { account, region: Text::from_static("us-east-1"), name: name.into() }
}

fn caller(account: Account) -> Caller {
    Caller::open(account, Text::from_static("us-east-1"))
}

fn words(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
