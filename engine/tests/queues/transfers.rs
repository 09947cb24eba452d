//! Messages that go from a queue in one shard to a queue in another, whoever is killed in between.

use std::collections::HashMap;

use bytes::Bytes;
use kew_engine::cold::Stored;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::command::*;
use kew_engine::services::sqs::settings::Changes;
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::{self, Config, Shard, Stamp, Token};
use kew_engine::time::{Millis, Moment};
use kew_engine::transfer::{Known, Question, Transfer};
use kew_wire::Text;

use super::script::key;

const OVERHEAD: u64 = 32;
const SECRET: u128 = 7;

/// Messages on their way to one shard.
const OUTBOX: usize = 2_000;

/// One shard and its journal.
struct Node {
    config: Config,
    shard: Shard,
    journal: Vec<(u64, Bytes)>,
    /// Its only cold file.
    cold: Option<Bytes>,
    /// How often it was killed.
    lives: usize,
    answers: HashMap<Token, shard::Reply>,
}

/// Two shards, and who carries messages between them.
struct Pair {
    nodes: [Node; 2],
    couriers: Vec<Courier>,
    now: u64,
    drawn: u64,
    /// Steps until the next kill, and who is killed: one node or both.
    kill: Option<(usize, usize)>,
    steps: usize,
    /// Messages that stay on their way, to a third shard that does not answer.
    standing: usize,
}

struct Courier {
    from: usize,
    transfer: Transfer,
    state: State,
}

enum State {
    Offering,
    /// For the answer of a node in this life.
    Waiting(Token, usize),
    Settling(Vec<bool>),
    Gone,
}

impl Node {
    fn new(number: u32) -> Self {
        let config = Config { shard: number, ..Config::new(OVERHEAD) };
        let shard = Shard::new(config.clone(), 0);
        Self { config, shard, journal: Vec::new(), cold: None, lives: 0, answers: HashMap::new() }
    }

    fn flush(&mut self) {
        while let Some(batch) = self.shard.poll_append() {
            let end = batch.start + batch.bytes.len() as u64;
            self.journal.push((batch.start, batch.bytes));
            self.shard.handle_durable(end);
        }
        while let Some((token, reply)) = self.shard.poll_reply() {
            self.answers.insert(token, reply);
        }
    }

    fn payload(&self, locator: Locator) -> Bytes {
        if let Some((_, offset)) = locator.in_chunk() {
            return self.cold.as_ref().unwrap().slice(offset as usize..).slice(..locator.length as usize);
        }
        let (start, batch) = self.journal.iter().rev().find(|(start, _)| *start <= locator.position).unwrap();
        let first = (locator.position - start) as usize;
        batch.slice(first..first + locator.length as usize)
    }
}

impl Pair {
    fn new() -> Self {
        let nodes = [Node::new(0), Node::new(1)];
        let mut pair = Self {
            nodes,
            couriers: Vec::new(),
            now: 1_700_000_000_000,
            drawn: 0,
            kill: None,
            steps: 0,
            standing: 0,
        };
        pair.introduce(0);
        pair.introduce(1);
        pair
    }

    fn stamp(&mut self) -> Stamp {
        self.drawn += 1;
        Stamp { now: Moment(self.now), seed: self.drawn.wrapping_mul(0x9e37_79b9) }
    }

    /// What a shard is told when it was opened.
    fn introduce(&mut self, node: usize) {
        let stamp = self.stamp();
        let others: Vec<QueueKey> = self.nodes[1 - node].shard.queues().cloned().collect();
        let shard = &mut self.nodes[node].shard;
        shard.found(stamp, SECRET);
        for key in others {
            shard.tell_elsewhere(key, Some(1 - node as u32));
        }
    }

    fn tell_news(&mut self) {
        for node in 0..2 {
            while let Some((key, exists)) = self.nodes[node].shard.poll_news() {
                self.nodes[1 - node].shard.tell_elsewhere(key, exists.then_some(node as u32));
            }
        }
    }

    fn submit(&mut self, node: usize, command: shard::Command) -> Token {
        let stamp = self.stamp();
        let token = Token(self.drawn);
        self.nodes[node].shard.submit(stamp, token, command);
        token
    }

    /// Asks, and makes all durable.
    fn ask(&mut self, node: usize, command: shard::Command) -> shard::Reply {
        let token = self.submit(node, command);
        self.nodes[node].flush();
        self.tell_news();
        self.nodes[node].answers.remove(&token).expect("an answer")
    }

    fn sqs(&mut self, node: usize, action: Action) -> Result<Reply, String> {
        match self.ask(node, shard::Command::Sqs(sqs::Command { caller: caller(), action })) {
            shard::Reply::Sqs(reply) => reply.map_err(|fault| fault.kind.name.into()),
            other => panic!("{other:?}"),
        }
    }

    fn of(&mut self, node: usize, queue: &str, action: QueueAction) -> Result<Reply, String> {
        self.sqs(node, Action::Queue { key: key(queue), name: "SendMessage", action })
    }

    /// Creates a queue whose dead letters may go to the other shard.
    fn create(&mut self, node: usize, queue: &str, attributes: &[(&str, &str)]) -> Result<Reply, String> {
        let pairs: Vec<_> =
            attributes.iter().map(|(name, value)| (Text::from(*name), Text::from(*value))).collect();
        let changes = Changes::parse(&pairs, queue, true).unwrap();
        let target = changes.redrive().map(|redrive| redrive.target.clone());
        let known = self.known(1 - node, queue, target);
        let action = Action::Create { key: key(queue), changes, tags: Vec::new() };
        self.informed(node, action, known)
    }

    fn known(&mut self, node: usize, source: &str, target: Option<QueueKey>) -> Known {
        let question = Question::Move { caller: caller(), source: key(source), target, origins: Vec::new() };
        match self.ask(node, shard::Command::Ask(question)) {
            shard::Reply::Known(known) => known,
            other => panic!("{other:?}"),
        }
    }

    fn informed(&mut self, node: usize, action: Action, known: Known) -> Result<Reply, String> {
        match self.ask(node, shard::Command::Informed(sqs::Command { caller: caller(), action }, known)) {
            shard::Reply::Sqs(reply) => reply.map_err(|fault| fault.kind.name.into()),
            other => panic!("{other:?}"),
        }
    }

    fn start_move(&mut self, node: usize, queue: &str, to: Option<&str>) -> Result<Reply, String> {
        let destination = to.map(key);
        let known = self.known(1 - node, queue, destination.clone());
        let action = QueueAction::StartMove { destination, per_second: None };
        self.informed(node, Action::Queue { key: key(queue), name: "StartMessageMoveTask", action }, known)
    }

    fn moves(&mut self, node: usize, queue: &str) -> String {
        match self.of(node, queue, QueueAction::ListMoves { max: 1 }) {
            Ok(Reply::Moves(tasks)) => {
                let task = &tasks[0];
                format!("{:?} {}/{}", task.status, task.moved, task.to_move)
            }
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, node: usize, queue: &str, body: &str, group: Option<&str>) {
        let payload = Bytes::copy_from_slice(body.as_bytes());
        let dedup = group.map(|_| Text::from(body));
        let group = group.map(Text::from);
        let message = Outgoing { size: body.len(), payload, delay: None, group, dedup, digest: None };
        self.of(node, queue, QueueAction::Send { messages: vec![message], batch: false }).unwrap();
    }

    /// Bodies with receive counts and sources; visible again at once.
    fn receive(&mut self, node: usize, queue: &str, vis: u32) -> Vec<String> {
        let receive = Receive { max: 10, visibility: Some(Millis::seconds(vis)), ..Receive::default() };
        let Ok(Reply::Received(deliveries)) = self.of(node, queue, QueueAction::Receive(receive)) else {
            panic!("no answer")
        };
        let show = |delivery: &Delivery| {
            let body = String::from_utf8(self.nodes[node].payload(delivery.payload).to_vec()).unwrap();
            let source = delivery.source.as_ref().map_or("", |arn| arn.rsplit(':').next().unwrap());
            format!("{body}:{}<{source}", delivery.receive_count)
        };
        deliveries.iter().map(show).collect()
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        for node in 0..2 {
            let stamp = self.stamp();
            self.nodes[node].shard.tick(stamp);
        }
    }

    /// One step is done: perhaps somebody is killed.
    fn step(&mut self) {
        self.steps += 1;
        let Some((at, who)) = self.kill else { return };
        if self.steps == at {
            for node in (0..2).filter(|node| who == *node || who == 2) {
                self.crash(node);
            }
        }
    }

    fn crash(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let mut shard = Shard::new(node.config.clone(), 0);
        for (start, batch) in &node.journal {
            shard.replay(*start, batch.clone()).unwrap();
        }
        let position = shard.position();
        shard.resume(Stamp { now: Moment(self.now), seed: 0 }, position);
        node.shard = shard;
        node.lives += 1;
        node.answers.clear();
        // Those who carried for it go on, as if they had not noticed.
        self.introduce(number);
    }

    /// Goes on until nothing is under way.
    fn carry(&mut self) {
        for _ in 0..1000 {
            for node in 0..2 {
                self.nodes[node].flush();
                self.step();
                self.drawn += 1;
                let ticket = self.drawn;
                while let Some(transfer) = self.nodes[node].shard.poll_transfer(ticket) {
                    if transfer.shard > 1 {
                        continue;
                    }
                    self.couriers.push(Courier { from: node, transfer, state: State::Offering });
                    self.step();
                }
            }
            self.tell_news();
            for at in 0..self.couriers.len() {
                self.walk(at);
                self.step();
            }
            self.couriers.retain(|courier| !matches!(courier.state, State::Gone));
            let leaving: usize = self.nodes.iter().map(|node| node.shard.leaving()).sum();
            if self.couriers.is_empty() && leaving == self.standing {
                return;
            }
        }
        panic!("messages stay on their way");
    }

    fn walk(&mut self, at: usize) {
        let (from, transfer) = (self.couriers[at].from, self.couriers[at].transfer.clone());
        let to = transfer.shard as usize;
        let state = match &self.couriers[at].state {
            State::Offering => {
                let payloads: Vec<Bytes> =
                    transfer.payloads().map(|payload| self.nodes[from].payload(payload)).collect();
                let token = self.submit(to, shard::Command::Arrive(transfer.arrive(from as u32, &payloads)));
                State::Waiting(token, self.nodes[to].lives)
            }
            State::Waiting(token, life) if *life == self.nodes[to].lives => {
                match self.nodes[to].answers.remove(token) {
                    Some(shard::Reply::Arrived(outcomes)) => State::Settling(outcomes),
                    Some(other) => panic!("{other:?}"),
                    None => return,
                }
            }
            State::Waiting(..) => State::Offering,
            State::Settling(outcomes) => {
                self.submit(from, shard::Command::Settle(transfer.settle(outcomes)));
                State::Gone
            }
            State::Gone => return,
        };
        self.couriers[at].state = state;
    }

    /// Both shards are as their journals and snapshots give them back.
    fn survives(&mut self) {
        for number in 0..2 {
            self.nodes[number].flush();
            let stamp = Stamp { now: Moment(self.now), seed: 0 };
            let settle = |shard: &mut Shard| {
                shard.submit(stamp, Token(0), shard::Command::Stats);
                shard.snapshot()
            };
            let live = settle(&mut self.nodes[number].shard);
            let config = self.nodes[number].config.clone();
            let position = self.nodes[number].shard.position();
            let mut restored = Shard::restore(config, position, live.clone().into()).unwrap();
            assert_eq!(live, settle(&mut restored), "a snapshot must give the same state");
            self.crash(number);
            assert_eq!(live, settle(&mut self.nodes[number].shard), "replay must give the same state");
        }
    }
}

fn caller() -> Caller {
    Caller::open(Account::DEFAULT, Text::from_static("us-east-1"))
}

fn redrive(target: &str) -> String {
    format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":1}}"#, key(target).arn())
}

/// `q` in the first shard, whose dead letters go to `dead` in the second.
fn with_dead_letters(fifo: bool) -> (Pair, &'static str, &'static str) {
    let (q, dead) = if fifo { ("q.fifo", "dead.fifo") } else { ("q", "dead") };
    let mut pair = Pair::new();
    let kind: &[_] = if fifo { &[("FifoQueue", "true")] } else { &[] };
    pair.create(1, dead, kind).unwrap();
    let policy = redrive(dead);
    pair.create(0, q, &[kind, &[("RedrivePolicy", &policy)]].concat()).unwrap();
    (pair, q, dead)
}

#[test]
fn dead_letters_cross_to_another_shard_as_they_would_within_one() {
    let (mut pair, q, dead) = with_dead_letters(false);
    for body in ["a", "b", "c"] {
        pair.send(0, q, body, None);
    }
    assert_eq!(pair.receive(0, q, 0), ["a:1<", "b:1<", "c:1<"]);
    assert!(pair.receive(0, q, 0).is_empty());
    pair.carry();
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q", "b:2<q", "c:2<q"]);
    pair.survives();
    assert!(pair.receive(0, q, 0).is_empty());
}

#[test]
fn whoever_is_killed_at_any_step_each_message_arrives_once_and_in_order() {
    for fifo in [false, true] {
        // Fewer steps than that are taken; later kills change nothing.
        for at in 1..40 {
            for who in 0..3 {
                let (mut pair, q, dead) = with_dead_letters(fifo);
                let group = fifo.then_some("g");
                for body in ["a", "b", "c"] {
                    pair.send(0, q, body, group);
                }
                pair.kill = Some((at, who));
                assert_eq!(pair.receive(0, q, 0).len(), 3);
                // Not durable when the first steps are taken.
                let receive = QueueAction::Receive(Receive { max: 10, ..Receive::default() });
                let action = Action::Queue { key: key(q), name: "ReceiveMessage", action: receive };
                pair.submit(0, shard::Command::Sqs(sqs::Command { caller: caller(), action }));
                pair.carry();
                // What was decided and lost is decided again.
                assert!(pair.receive(0, q, 0).is_empty(), "kill {who} at {at}");
                pair.kill = None;
                pair.carry();
                let source = q;
                let expected: Vec<String> = ["a", "b", "c"].map(|body| format!("{body}:2<{source}")).into();
                assert_eq!(pair.receive(1, dead, 30), expected, "kill {who} at {at}");
                pair.survives();
            }
        }
    }
}

#[test]
fn a_message_on_its_way_survives_the_part_of_the_journal_that_it_lies_in() {
    let (mut pair, q, dead) = with_dead_letters(false);
    pair.send(0, q, "a", None);
    pair.receive(0, q, 0);
    assert!(pair.receive(0, q, 0).is_empty());
    let node = &mut pair.nodes[0];
    let cut = node.shard.position();
    assert!(node.shard.oldest_needed() < cut);
    let [bundle] = &node.shard.survivors(cut, &[])[..] else { panic!("one piece") };
    let bytes = bundle.encode(&bundle.payloads().map(|payload| node.payload(payload)).collect::<Vec<_>>());
    let (bundle, length) = (bundle.clone(), bytes.len() as u64);
    node.cold = Some(bytes);
    pair.ask(0, shard::Command::Stored(vec![Stored { bundle, chunk: 1, offset: 0, length }]));
    let shard = &pair.nodes[0].shard;
    assert!(shard.oldest_needed() >= cut, "its payload lies in the cold file now");
    assert_eq!((shard.uses()[&1].payloads, shard.chunks().count()), (1, 1));
    pair.survives();
    assert_eq!(pair.nodes[0].shard.chunks().count(), 1);
    pair.carry();
    pair.nodes[0].flush();
    assert_eq!(pair.nodes[0].shard.poll_drop(), Some(1));
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q"]);
}

#[test]
fn offers_of_a_former_life_change_nothing() {
    let (mut pair, q, dead) = with_dead_letters(false);
    pair.send(0, q, "a", None);
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    let stale = pair.nodes[0].shard.poll_transfer(1).unwrap();
    pair.crash(0);
    pair.nodes[0].flush();
    pair.carry();
    pair.send(0, q, "b", None);
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    pair.carry();
    // Its messages arrived long ago, and others since.
    let payloads = [Bytes::from_static(b"a")];
    pair.ask(1, shard::Command::Arrive(stale.arrive(0, &payloads)));
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q", "b:2<q"]);
    // And a refusal that comes late returns nothing.
    pair.send(0, q, "c", None);
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    pair.ask(0, shard::Command::Settle(stale.settle(&[false])));
    assert!(pair.receive(0, q, 0).is_empty());
    pair.survives();
}

#[test]
fn a_shard_that_goes_back_in_time_alone_loses_nothing_that_it_hands_over_from_then_on() {
    let (mut pair, q, dead) = with_dead_letters(false);
    let hand_over = |pair: &mut Pair, bodies: [&str; 2]| {
        for body in bodies {
            pair.send(0, q, body, None);
        }
        pair.receive(0, q, 0);
        assert!(pair.receive(0, q, 0).is_empty());
        pair.carry();
    };
    hand_over(&mut pair, ["a", "b"]);
    let past = pair.nodes[0].journal.len();
    hand_over(&mut pair, ["c", "d"]);
    pair.nodes[0].journal.truncate(past);
    pair.pass(1);
    pair.crash(0);
    hand_over(&mut pair, ["e", "f"]);
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q", "b:2<q", "c:2<q", "d:2<q", "e:2<q", "f:2<q"]);
    pair.survives();
}

/// The first shard's `q`, whose dead letters go to a third shard that does not answer. As many as can are on their way there, and one
/// more waits: `last`.
fn with_a_full_way(fifo: bool) -> (Pair, &'static str) {
    let (q, bad, group) = if fifo { ("q.fifo", "bad.fifo", Some("worn")) } else { ("q", "bad", None) };
    let mut pair = Pair::new();
    let kind: &[_] = if fifo { &[("FifoQueue", "true")] } else { &[] };
    pair.create(1, bad, kind).unwrap();
    let policy = redrive(bad);
    pair.create(0, q, &[kind, &[("RedrivePolicy", &policy)]].concat()).unwrap();
    pair.nodes[0].shard.tell_elsewhere(key(bad), Some(2));
    for number in 0..OUTBOX {
        pair.send(0, q, &format!("{number}"), group);
    }
    pair.send(0, q, "last", group);
    while pair.nodes[0].shard.leaving() < OUTBOX {
        pair.receive(0, q, 0);
    }
    pair.standing = OUTBOX;
    (pair, q)
}

#[test]
fn a_shard_that_does_not_answer_fills_only_the_way_to_itself() {
    let (mut pair, q) = with_a_full_way(false);
    pair.create(1, "dead", &[]).unwrap();
    let policy = redrive("dead");
    pair.create(0, "other", &[("RedrivePolicy", &policy)]).unwrap();
    pair.send(0, "other", "a", None);
    assert_eq!(pair.receive(0, "other", 0), ["a:1<"]);
    assert!(pair.receive(0, "other", 0).is_empty());
    pair.carry();
    assert_eq!(pair.receive(1, "dead", 30), ["a:2<other"]);
    assert!(pair.receive(0, q, 0).is_empty());
    assert_eq!(pair.nodes[0].shard.leaving(), OUTBOX);
}

#[test]
fn a_standard_queue_hands_a_worn_out_message_out_once_more_when_the_way_to_its_dead_letters_stands() {
    let (mut pair, q) = with_a_full_way(false);
    pair.send(0, q, "good", None);
    // Perhaps there is room in a moment.
    assert!(pair.receive(0, q, 0).is_empty());
    let wait = Receive { max: 10, wait: Some(Millis(20_000)), ..Receive::default() };
    let action = Action::Queue { key: key(q), name: "ReceiveMessage", action: QueueAction::Receive(wait) };
    let waits = pair.submit(0, shard::Command::Sqs(sqs::Command { caller: caller(), action }));
    pair.pass(999);
    pair.nodes[0].flush();
    assert!(!pair.nodes[0].answers.contains_key(&waits));
    pair.pass(1);
    pair.nodes[0].flush();
    let Some(shard::Reply::Sqs(Ok(Reply::Received(deliveries)))) = pair.nodes[0].answers.remove(&waits)
    else {
        panic!("it still waits")
    };
    let receives: Vec<u32> = deliveries.iter().map(|delivery| delivery.receive_count).collect();
    assert_eq!(receives, [2, 1]);
    pair.survives();
}

#[test]
fn a_way_that_moves_is_worth_waiting_for() {
    let (mut pair, q) = with_a_full_way(false);
    pair.pass(900);
    let transfer = pair.nodes[0].shard.poll_transfer(77).unwrap();
    let arrived = vec![true; transfer.payloads().count()];
    for number in 0..arrived.len() {
        pair.send(0, q, &format!("more {number}"), None);
    }
    // While it is being answered, others wear out.
    pair.ask(0, shard::Command::Settle(transfer.settle(&arrived)));
    while pair.nodes[0].shard.leaving() < OUTBOX {
        pair.receive(0, q, 0);
    }
    pair.pass(900);
    assert!(pair.receive(0, q, 0).is_empty());
    pair.pass(100);
    assert_eq!(pair.receive(0, q, 0).len(), 1);
}

#[test]
fn in_a_fifo_queue_only_the_group_of_a_worn_out_message_waits_for_room() {
    let (mut pair, q) = with_a_full_way(true);
    pair.pass(5000);
    pair.send(0, q, "a", Some("good"));
    assert_eq!(pair.receive(0, q, 30), ["a:1<"]);
    pair.send(0, q, "behind", Some("worn"));
    assert!(pair.receive(0, q, 30).is_empty());
    let transfer = pair.nodes[0].shard.poll_transfer(77).unwrap();
    let arrived = vec![true; transfer.payloads().count()];
    pair.ask(0, shard::Command::Settle(transfer.settle(&arrived)));
    assert_eq!(pair.receive(0, q, 30), ["behind:1<"]);
    assert_eq!(pair.nodes[0].shard.leaving(), OUTBOX - arrived.len() + 1);
    pair.survives();
}

#[test]
fn a_group_that_waits_for_room_goes_on_when_its_dead_letter_queue_is_gone() {
    let (mut pair, q) = with_a_full_way(true);
    assert!(pair.receive(0, q, 30).is_empty());
    pair.nodes[0].shard.tell_elsewhere(key("bad.fifo"), None);
    pair.pass(1000);
    assert_eq!(pair.receive(0, q, 30), ["last:2<"]);
}

#[test]
fn a_message_that_cannot_be_read_twice_returns_to_its_queue_and_those_behind_it_cross() {
    let (mut pair, q, dead) = with_dead_letters(false);
    for body in ["a", "b", "c"] {
        pair.send(0, q, body, None);
    }
    pair.receive(0, q, 0);
    assert!(pair.receive(0, q, 0).is_empty());
    let refuse_b = |pair: &Pair, transfer: &mut Transfer| {
        let node = &pair.nodes[0];
        transfer.read(|payload| Some(node.payload(payload)).filter(|bytes| *bytes != "b"))
    };
    let mut transfer = pair.nodes[0].shard.poll_transfer(100).unwrap();
    assert_eq!(refuse_b(&pair, &mut transfer), None, "it may pass: nothing overtakes it yet");
    pair.ask(0, shard::Command::Settle(transfer.settle(&[])));
    assert_eq!(pair.nodes[0].shard.leaving(), 3);

    let mut transfer = pair.nodes[0].shard.poll_transfer(101).unwrap();
    let payloads = refuse_b(&pair, &mut transfer).unwrap();
    assert_eq!(payloads, ["a", "c"]);
    let answer = pair.ask(1, shard::Command::Arrive(transfer.arrive(0, &payloads)));
    let shard::Reply::Arrived(arrived) = answer else { panic!("{answer:?}") };
    pair.ask(0, shard::Command::Settle(transfer.settle(&arrived)));
    assert_eq!(pair.nodes[0].shard.leaving(), 0);
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q", "c:2<q"]);
    // It does not go again and again.
    assert_eq!(pair.receive(0, q, 30), ["b:2<"]);
    pair.survives();
}

#[test]
fn a_message_that_can_be_read_the_second_time_crosses_in_its_place() {
    let (mut pair, q, dead) = with_dead_letters(false);
    for body in ["a", "b"] {
        pair.send(0, q, body, None);
    }
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    let mut transfer = pair.nodes[0].shard.poll_transfer(100).unwrap();
    assert_eq!(transfer.read(|_| None), None);
    pair.ask(0, shard::Command::Settle(transfer.settle(&[])));
    pair.carry();
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q", "b:2<q"]);
}

#[test]
fn a_move_task_fails_that_meets_a_message_that_cannot_be_read() {
    let (mut pair, _, dead) = with_dead_letters(false);
    pair.create(0, "other", &[]).unwrap();
    pair.send(1, dead, "a", None);
    pair.start_move(1, dead, Some("other")).unwrap();
    pair.pass(1);
    pair.nodes[1].flush();
    for ticket in 100..102 {
        let mut transfer = pair.nodes[1].shard.poll_transfer(ticket).unwrap();
        transfer.read(|_| None);
        pair.ask(1, shard::Command::Settle(transfer.settle(&[])));
    }
    assert_eq!(pair.moves(1, dead), "Failed 0/1");
    assert_eq!(pair.receive(1, dead, 30), ["a:1<"]);
    pair.survives();
}

#[test]
fn a_message_returns_to_its_place_if_the_dead_letter_queue_went_meanwhile() {
    let (mut pair, q, dead) = with_dead_letters(false);
    pair.send(0, q, "a", None);
    pair.receive(0, q, 0);
    assert!(pair.receive(0, q, 0).is_empty());
    pair.of(1, dead, QueueAction::Remove).unwrap();
    pair.send(0, q, "b", None);
    pair.carry();
    // As without a dead-letter queue, it goes on being received.
    assert_eq!(pair.receive(0, q, 0), ["a:2<", "b:1<"]);
    pair.survives();
}

#[test]
fn what_left_before_a_purge_arrives_and_never_returns() {
    let (mut pair, q, dead) = with_dead_letters(false);
    pair.send(0, q, "a", None);
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    pair.of(0, q, QueueAction::Purge).unwrap();
    pair.survives();
    pair.carry();
    assert_eq!(pair.receive(1, dead, 30), ["a:2<q"]);

    let (mut pair, q, dead) = with_dead_letters(false);
    pair.send(0, q, "a", None);
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    pair.of(0, q, QueueAction::Purge).unwrap();
    pair.of(1, dead, QueueAction::Remove).unwrap();
    pair.carry();
    assert!(pair.receive(0, q, 0).is_empty());
    pair.survives();
}

#[test]
fn a_move_task_takes_messages_back_to_the_shard_that_they_came_from() {
    let (mut pair, q, dead) = with_dead_letters(false);
    for body in ["a", "b"] {
        pair.send(0, q, body, None);
    }
    pair.receive(0, q, 0);
    pair.receive(0, q, 0);
    pair.carry();
    pair.start_move(1, dead, None).unwrap();
    pair.pass(1);
    pair.carry();
    assert_eq!(pair.moves(1, dead), "Completed 2/2");
    assert_eq!(pair.receive(0, q, 30), ["a:1<", "b:1<"]);
    pair.survives();
}

#[test]
fn a_move_task_fails_whose_destination_went_while_messages_were_on_their_way() {
    let (mut pair, _, dead) = with_dead_letters(false);
    pair.create(0, "other", &[]).unwrap();
    pair.send(1, dead, "a", None);
    pair.start_move(1, dead, Some("other")).unwrap();
    pair.pass(1);
    pair.of(0, "other", QueueAction::Remove).unwrap();
    pair.carry();
    assert_eq!(pair.moves(1, dead), "Failed 0/1");
    assert_eq!(pair.receive(1, dead, 30), ["a:1<"]);
    pair.survives();
}

#[test]
fn what_another_shard_holds_is_checked_as_if_it_were_here() {
    let mut pair = Pair::new();
    let policy = redrive("dead");
    assert_eq!(
        pair.create(0, "q", &[("RedrivePolicy", &policy)]).unwrap_err(),
        "InvalidParameterValueException"
    );
    pair.create(1, "dead", &[("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#)]).unwrap();
    assert_eq!(
        pair.create(0, "q", &[("RedrivePolicy", &policy)]).unwrap_err(),
        "InvalidParameterValueException"
    );
    assert_eq!(pair.start_move(1, "dead", None).unwrap_err(), "InvalidParameterValueException");
    let (mut pair, _, dead) = with_dead_letters(false);
    assert_eq!(pair.start_move(1, dead, Some("nowhere")).unwrap_err(), "ResourceNotFoundException");
    pair.start_move(1, dead, None).unwrap();
}

#[test]
fn a_receipt_handle_of_another_shard_is_that_of_another_queue() {
    let mut pair = Pair::new();
    pair.create(0, "a", &[]).unwrap();
    pair.create(1, "b", &[]).unwrap();
    for (node, queue) in [(0, "a"), (1, "b")] {
        pair.send(node, queue, "x", None);
    }
    let Ok(Reply::Received(deliveries)) =
        pair.of(0, "a", QueueAction::Receive(Receive { max: 1, ..Receive::default() }))
    else {
        panic!("no answer")
    };
    pair.receive(1, "b", 30);
    let handles = vec![deliveries[0].handle.clone()];
    let Ok(Reply::Entries(here)) = pair.of(1, "b", QueueAction::Delete { handles: handles.clone() }) else {
        panic!("no answer")
    };
    pair.create(0, "c", &[]).unwrap();
    let Ok(Reply::Entries(there)) = pair.of(0, "c", QueueAction::Delete { handles }) else {
        panic!("no answer")
    };
    let shown = |outcomes: &[Result<(), kew_wire::fault::Fault>]| format!("{outcomes:?}");
    assert!(here[0].is_err());
    assert_eq!(shown(&here), shown(&there));
}
