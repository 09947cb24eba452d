//! What callers ask: drawn anew for every step, from weights and ranges that the seed chose for the whole run.

use kew_engine::time::Millis;
use kew_wire::Text;

use crate::operation::{FIFO, Name, Operation, Outgoing, STANDARD, Setting, is_fifo};
use crate::random::Random;

/// What callers know.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// Handles that answers gave them, with the queue, the newest last.
    pub handles: Vec<(Name, Text)>,
    /// Handles of move tasks.
    pub tasks: Vec<Text>,
}

impl Clients {
    /// How many handles are remembered.
    const KEPT: usize = 300;

    /// Learns a handle.
    pub fn learn(&mut self, queue: Name, handle: Text) {
        if self.handles.len() == Self::KEPT {
            self.handles.remove(0);
        }
        self.handles.push((queue, handle));
    }
}

/// The kinds of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Send,
    SendBatch,
    Receive,
    LongPoll,
    Delete,
    ChangeVisibility,
    Create,
    Change,
    Purge,
    Remove,
    View,
    Other,
    StartMove,
    CancelMove,
}

/// The habits of a run's callers.
#[derive(Debug, Clone)]
pub struct Workload {
    kinds: Vec<(u32, Kind)>,
    /// The queues in use, some more often than others.
    queues: Vec<(u32, Name)>,
    groups: u64,
    /// Out of a hundred grouped messages, how many belong to one group that crowds out the others.
    crowd: u64,
    /// How many deduplication ids there are; few make many duplicates.
    dedups: u64,
    attempts: u64,
    sizes: Vec<usize>,
    /// Visibility timeouts in seconds.
    timeouts: Vec<u32>,
    /// Delays in seconds.
    delays: Vec<u32>,
    retentions: Vec<u32>,
    max: usize,
}

impl Workload {
    /// Draws the habits.
    pub fn draw(random: &mut Random) -> Self {
        let mut weigh = |usual: u32| match random.below(6) {
            0 => 0,
            1 => usual * 4,
            2 => usual.div_ceil(4),
            _ => usual,
        };
        let mut kinds = vec![
            // Something must be sent and received, or nothing happens.
            (weigh(20) + 5, Kind::Send),
            (weigh(10), Kind::SendBatch),
            (weigh(25) + 5, Kind::Receive),
            (weigh(8), Kind::LongPoll),
            (weigh(20), Kind::Delete),
            (weigh(8), Kind::ChangeVisibility),
            (weigh(2) + 1, Kind::Create),
            (weigh(2), Kind::Change),
            (weigh(1), Kind::Purge),
            (weigh(1), Kind::Remove),
            (weigh(2), Kind::View),
            (weigh(3), Kind::Other),
            (weigh(2), Kind::StartMove),
            (weigh(1), Kind::CancelMove),
        ];
        kinds.retain(|(weight, _)| *weight > 0);
        let all: Vec<Name> = match random.below(4) {
            0 => STANDARD.to_vec(),
            1 => FIFO.to_vec(),
            _ => STANDARD.into_iter().chain(FIFO).collect(),
        };
        let mut queues: Vec<(u32, Name)> =
            all.into_iter().map(|name| (random.within(1..=4) as u32, name)).collect();
        if random.percent(30) {
            // One busy queue.
            let busy = random.below(queues.len() as u64) as usize;
            queues[busy].0 = 30;
        }
        if random.percent(8) {
            return Self::crowded(random);
        }
        Self {
            kinds,
            queues,
            crowd: *random.pick(&[0, 0, 90]),
            groups: *random.pick(&[1, 2, 4, 12]),
            dedups: *random.pick(&[3, 20, 1_000_000]),
            attempts: *random.pick(&[0, 2, 6]),
            sizes: random
                .pick(&[vec![8, 20, 100], vec![8, 1024, 1025, 3000], vec![100, 20_000, 8], vec![8]])
                .clone(),
            timeouts: random
                .pick(&[vec![0, 1, 2, 30], vec![1, 5, 20], vec![30, 600, 43_200], vec![0]])
                .clone(),
            delays: random.pick(&[vec![0], vec![0, 0, 1, 3], vec![0, 5, 900]]).clone(),
            retentions: random.pick(&[vec![345_600], vec![60, 61, 120], vec![60, 1_209_600, 3600]]).clone(),
            max: *random.pick(&[1, 3, 10]),
        }
    }

    /// Callers who hold many messages of one group of one standard queue (fair queues).
    fn crowded(random: &mut Random) -> Self {
        Self {
            kinds: vec![
                (8, Kind::SendBatch),
                (4, Kind::Send),
                (12, Kind::Receive),
                (random.below(3) as u32, Kind::Delete),
            ],
            queues: vec![(50, STANDARD[0]), (1, STANDARD[1]), (1, STANDARD[3])],
            groups: 6,
            crowd: 85,
            dedups: 1,
            attempts: 0,
            sizes: vec![8],
            timeouts: vec![600, 43_200],
            delays: vec![0],
            retentions: vec![345_600],
            max: 10,
        }
    }

    /// The operations that make the queues that a run begins with.
    pub fn prepare(&self, random: &mut Random) -> Vec<Operation> {
        // Dead-letter queues first: who names one must find it.
        let mut names: Vec<Name> = self.queues.iter().map(|(_, name)| *name).collect();
        names.sort_by_key(|name| dead_letters(name) != *name);
        names
            .into_iter()
            .map(|queue| Operation::Create { queue, settings: self.settings(queue, random) })
            .collect()
    }

    /// What a caller asks in step `step`.
    pub fn operation(&self, step: u64, random: &mut Random, clients: &Clients) -> Operation {
        let queue = random.weighted(&self.queues);
        match random.weighted(&self.kinds) {
            Kind::Send => Operation::Send { queue, messages: vec![self.outgoing(queue, step * 16, random)] },
            Kind::SendBatch => {
                let count = random.within(2..=10);
                let messages = (0..count).map(|at| self.outgoing(queue, step * 16 + at, random)).collect();
                Operation::Send { queue, messages }
            }
            Kind::Receive => self.receive(queue, random, Some(0)),
            Kind::LongPoll => {
                let wait = if random.percent(20) { None } else { Some(random.within(1..=20) as u32) };
                self.receive(queue, random, wait)
            }
            Kind::Delete => self.delete(queue, random, clients),
            Kind::ChangeVisibility => self.change_visibility(queue, random, clients),
            Kind::Create => Operation::Create { queue, settings: self.some_settings(queue, random) },
            Kind::Change => Operation::Change { queue, settings: self.some_settings(queue, random) },
            Kind::Purge => Operation::Purge { queue },
            Kind::Remove => Operation::Remove { queue },
            Kind::View => Operation::View { queue },
            Kind::Other if random.once_in(100) => Operation::Reset,
            Kind::Other => match random.below(7) {
                0 => Operation::Tag {
                    queue,
                    key: random.pick::<&str>(&["a", "b"]),
                    value: random.pick::<&str>(&["", "x", "y"]),
                },
                1 => Operation::Untag { queue, key: random.pick::<&str>(&["a", "b"]) },
                2 => Operation::Tags { queue },
                3 => Operation::Sources { queue },
                4 => Operation::List {
                    prefix: random.pick::<&str>(&["", "s", "f", "x"]),
                    max: *random.pick(&[1, 2, 1000]),
                },
                5 => Operation::ListMoves { queue: dead_letters(queue) },
                _ => Operation::Peek { queue },
            },
            Kind::StartMove => Operation::StartMove {
                queue: if random.percent(90) { dead_letters(queue) } else { queue },
                destination: if random.percent(50) { Some(queue) } else { None },
                per_second: if random.percent(50) { Some(random.within(1..=20) as u32) } else { None },
            },
            Kind::CancelMove => {
                let known = clients.tasks.last().filter(|_| random.percent(80)).cloned();
                Operation::CancelMove { handle: known.unwrap_or_else(|| Text::from_static("nonsense")) }
            }
        }
    }

    fn outgoing(&self, queue: Name, body: u64, random: &mut Random) -> Outgoing {
        let fifo = is_fifo(queue);
        let grouped = fifo || random.percent(30);
        let member = if random.percent(self.crowd) { 0 } else { random.below(self.groups) };
        let group = grouped.then(|| Text::from(format!("g{member}")));
        let delay = (!fifo && random.percent(20)).then(|| Millis::seconds(*random.pick(&self.delays)));
        let dedup =
            (fifo && random.percent(80)).then(|| Text::from(format!("d{}", random.below(self.dedups))));
        let content = fifo.then(|| random.below(self.dedups.min(200)) as u8);
        Outgoing { body, size: *random.pick(&self.sizes), delay, group, dedup, content }
    }

    fn receive(&self, queue: Name, random: &mut Random, wait: Option<u32>) -> Operation {
        let attempt = (self.attempts > 0 && random.percent(40))
            .then(|| Text::from(format!("a{}", random.below(self.attempts))));
        let visibility = random.percent(50).then(|| *random.pick(&self.timeouts));
        Operation::Receive {
            queue,
            max: random.within(1..=self.max as u64) as usize,
            visibility,
            wait,
            attempt,
        }
    }

    fn delete(&self, queue: Name, random: &mut Random, clients: &Clients) -> Operation {
        let (queue, first) = self.handle(queue, random, clients);
        let mut handles = vec![first];
        let more = if random.percent(40) { random.below(10) } else { 0 };
        for _ in 0..more {
            handles.push(self.handle_of(queue, random, clients));
        }
        Operation::Delete { queue, handles }
    }

    fn change_visibility(&self, queue: Name, random: &mut Random, clients: &Clients) -> Operation {
        let (queue, first) = self.handle(queue, random, clients);
        let mut changes = vec![(first, *random.pick(&self.timeouts))];
        let more = if random.percent(30) { random.below(5) } else { 0 };
        for _ in 0..more {
            changes.push((self.handle_of(queue, random, clients), *random.pick(&self.timeouts)));
        }
        Operation::ChangeVisibility { queue, changes }
    }

    /// A handle to use and the queue to use it on: mostly a fresh one of that queue, sometimes old, misplaced or forged.
    fn handle(&self, queue: Name, random: &mut Random, clients: &Clients) -> (Name, Text) {
        let count = clients.handles.len() as u64;
        if count == 0 {
            return (queue, Text::from_static("forged"));
        }
        let back = if random.percent(70) { random.below(count.min(10)) } else { random.below(count) };
        let (owner, handle) = clients.handles[(count - 1 - back) as usize].clone();
        match random.below(30) {
            0 => (queue, handle),
            1 => (owner, forge(&handle, random)),
            _ => (owner, handle),
        }
    }

    fn handle_of(&self, queue: Name, random: &mut Random, clients: &Clients) -> Text {
        let own: Vec<&Text> =
            clients.handles.iter().filter(|(owner, _)| *owner == queue).map(|(_, h)| h).collect();
        if own.is_empty() || random.percent(5) {
            return Text::from_static("forged");
        }
        let back = if random.percent(80) {
            random.below(own.len().min(12) as u64)
        } else {
            random.below(own.len() as u64)
        };
        own[own.len() - 1 - back as usize].clone()
    }

    fn settings(&self, queue: Name, random: &mut Random) -> Vec<Setting> {
        let mut settings = vec![
            Setting::Visibility(*random.pick(&self.timeouts)),
            Setting::Retention(*random.pick(&self.retentions)),
        ];
        if random.percent(40) {
            settings.push(Setting::Delay(*random.pick(&self.delays)));
        }
        if random.percent(30) {
            settings.push(Setting::Wait(random.within(0..=20) as u32));
        }
        if random.percent(20) {
            settings.push(Setting::MaximumSize(1024));
        }
        if dead_letters(queue) != queue && random.percent(60) {
            settings.push(Setting::Redrive(Some((dead_letters(queue), random.within(1..=3) as u32))));
        }
        if is_fifo(queue) {
            settings.push(Setting::ContentDedup(random.percent(70)));
            settings.push(Setting::GroupScope(random.percent(30)));
        }
        settings
    }

    fn some_settings(&self, queue: Name, random: &mut Random) -> Vec<Setting> {
        let mut settings = self.settings(queue, random);
        if random.percent(20) {
            settings.retain(|setting| !matches!(setting, Setting::Redrive(_)));
            settings.push(Setting::Redrive(None));
        }
        settings.retain(|_| random.percent(40));
        settings
    }
}

/// The dead-letter queue of a queue's kind.
pub fn dead_letters(queue: Name) -> Name {
    if is_fifo(queue) { FIFO[FIFO.len() - 1] } else { STANDARD[STANDARD.len() - 1] }
}

/// The same handle with one character changed.
fn forge(handle: &Text, random: &mut Random) -> Text {
    let mut bytes = handle.as_bytes().to_vec();
    let at = random.below(bytes.len() as u64) as usize;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    Text::from(String::from_utf8_lossy(&bytes).into_owned())
}
