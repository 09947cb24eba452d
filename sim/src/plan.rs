//! What a seed chooses for a whole run: the configuration, the callers' habits, and how much goes wrong.

use kew_engine::shard::Config;
use kew_engine::time::Millis;
use kew_journal::{Durability, Options};

use crate::random::Random;
use crate::workload::Workload;

/// A simulation with something broken on purpose, which the simulator must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// The disk answers syncs without syncing.
    NoSync,
    /// The facts of what receives handed out are left out of the journal.
    ForgetsLeases,
    /// The shard is told that a batch is durable before it is.
    TellsEarly,
    /// A retirement does not copy what still lives, and cuts the journal all the same.
    DropsSurvivors,
    /// Cold files are not synced before the shard is told of them.
    ColdNoSync,
    /// Cold files are removed before the facts that empty them are durable.
    DropsEarly,
    /// The facts of what came into windows are left out of the journal.
    ForgetsAdmissions,
}

impl Canary {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 7] = [
        ("no-sync", Self::NoSync),
        ("forgets-leases", Self::ForgetsLeases),
        ("tells-early", Self::TellsEarly),
        ("drops-survivors", Self::DropsSurvivors),
        ("cold-no-sync", Self::ColdNoSync),
        ("drops-early", Self::DropsEarly),
        ("forgets-admissions", Self::ForgetsAdmissions),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, canary)| *canary == self).map_or("", |(name, _)| name)
    }
}

/// How often things go wrong: once in so many steps, or never if zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// The power goes at one of the next operations of the disk.
    pub power: u64,
    /// The power goes between two operations.
    pub cut: u64,
    /// The process is killed, the machine goes on.
    pub kill: u64,
    /// The process stops gracefully and starts again.
    pub stop: u64,
    /// A write, a sync, or a change of a name fails.
    pub error: u64,
    /// The disk is about to be full.
    pub full: u64,
    /// A caller hangs up.
    pub hang_up: u64,
    /// The journal's oldest part is retired.
    pub retire: u64,
    /// A retirement is let go before its end (once in so many of its steps).
    pub refuse: u64,
}

/// How big things are.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Messages of a standard queue that are kept ready.
    pub window: usize,
    /// The same of a FIFO queue.
    pub fifo_window: usize,
    /// Messages of a piece of a cold file.
    pub frame_messages: usize,
    /// Bytes of one.
    pub frame_bytes: usize,
    /// Bytes of a cold file.
    pub step_bytes: usize,
    /// Messages of a standard queue that may be delayed at once.
    pub delayed: usize,
    /// Messages that a FIFO queue remembers at once.
    pub remembered: usize,
    /// The length of the journal from which on its oldest part is retired, whatever the rate.
    pub journal_bytes: u64,
}

/// Durations to draw from.
#[derive(Debug, Clone)]
pub struct Pauses(Vec<(u32, u64, u64)>);

impl Pauses {
    /// Weights, and from how many to how many milliseconds.
    pub fn of(choices: &[(u32, u64, u64)]) -> Self {
        Self(choices.to_vec())
    }

    /// One of them.
    pub fn draw(&self, random: &mut Random) -> Millis {
        let choices: Vec<(u32, (u64, u64))> =
            self.0.iter().map(|(weight, from, to)| (*weight, (*from, *to))).collect();
        let (from, to) = random.weighted(&choices);
        Millis(random.within(from..=to))
    }
}

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What everything follows from.
    pub seed: u64,
    /// How many steps there are before faults end.
    pub steps: u64,
    /// How the journal is kept.
    pub options: Options,
    /// How big windows, cold files and the journal may be.
    pub sizes: Sizes,
    /// Whether PurgeQueue and CreateQueue refuse for a minute.
    pub waits: bool,
    /// What callers ask.
    pub workload: Workload,
    /// How often things go wrong.
    pub rates: Rates,
    /// How long an append takes.
    pub delays: Pauses,
    /// How long it is from one request to the next.
    pub pauses: Pauses,
    /// How much later than asked for the shard is woken.
    pub lateness: Millis,
    /// How many bytes the disk holds.
    pub capacity: usize,
    /// Whether room can be reserved on the disk.
    pub can_reserve: bool,
    /// Whether the counts of every queue are compared with the model's after every call.
    pub compares_counts: bool,
    /// What is broken on purpose.
    pub canary: Option<Canary>,
}

impl Plan {
    /// What the shard is told.
    pub fn config(&self, overhead: u64) -> Config {
        let Sizes { window, fifo_window, frame_messages, frame_bytes, delayed, remembered, .. } = self.sizes;
        let waits = self.waits;
        Config {
            overhead,
            waits,
            window,
            fifo_window,
            frame_messages,
            frame_bytes,
            delayed,
            remembered,
            ..Config::new(overhead)
        }
    }

    /// The run of `seed`.
    pub fn draw(seed: u64, steps: u64, canary: Option<Canary>) -> Self {
        let random = &mut Random::of(seed, u64::MAX - 2);
        let options = Options {
            durability: Durability::Fsync,
            segment_bytes: *random.pick(&[8192, 8192, 16_384, 65_536, 1 << 20]),
            spares: random.below(3) as usize,
            recent_bytes: *random.pick(&[0, 256, 4096, 1 << 20]),
            read_ahead_bytes: *random.pick(&[0, 4096, 1 << 20]),
        };
        // What only the operating system has survives a killed process, but no power cut.
        let options =
            if random.percent(12) { Options { durability: Durability::Os, ..options } } else { options };
        let synced = options.durability == Durability::Fsync;
        let faulty = random.percent(90);
        let mut rate = |choices: &[u64]| if faulty { *random.pick(choices) } else { 0 };
        let rates = Rates {
            power: if synced { rate(&[0, 20, 60, 200]) } else { 0 },
            cut: if synced { rate(&[0, 40, 150]) } else { 0 },
            kill: rate(&[0, 40, 150]),
            stop: rate(&[0, 60, 200]),
            error: rate(&[0, 0, 30, 150]),
            full: rate(&[0, 0, 0, 50]),
            hang_up: rate(&[0, 10, 40]),
            retire: rate(&[0, 10, 30, 100]),
            refuse: rate(&[0, 0, 5, 30]),
        };
        let window = *random.pick(&[1, 2, 3, 5, 8, 20, 50, 10_000]);
        let sizes = Sizes {
            window,
            fifo_window: *random.pick(&[window, 1, 4, 12, 50, 120_000]),
            frame_messages: *random.pick(&[1, 2, 3, 5, 8, 20, 2000]),
            frame_bytes: *random.pick(&[1, 100, 3000, 256 << 10]),
            step_bytes: *random.pick(&[1, 200, 2000, 20_000, 8 << 20]),
            delayed: *random.pick(&[1_000_000, 1_000_000, 20, 3]),
            remembered: *random.pick(&[16_000_000, 16_000_000, 40, 12]),
            journal_bytes: *random.pick(&[3000, 10_000, 10_000, 40_000, 200_000, 64 << 20]),
        };
        let delays = match random.below(4) {
            0 => vec![(1, 0, 0)],
            1 => vec![(8, 0, 3), (1, 10, 200)],
            2 => vec![(1, 0, 1), (1, 20, 60)],
            _ => vec![(20, 0, 2), (1, 500, 3000)],
        };
        let pauses = match random.below(4) {
            0 => vec![(1, 0, 2)],
            1 => vec![(20, 0, 20), (4, 500, 3000), (1, 20_000, 70_000)],
            2 => vec![(30, 0, 5), (1, 60_000, 400_000)],
            _ => vec![(30, 0, 100), (10, 900, 1100), (1, 3_600_000, 50_000_000)],
        };
        Self {
            seed,
            steps,
            options,
            sizes,
            waits: random.percent(40),
            workload: Workload::draw(random),
            rates,
            delays: Pauses(delays),
            pauses: Pauses(pauses),
            lateness: Millis(*random.pick(&[0, 0, 1, 50, 1500])),
            capacity: 256 << 20,
            compares_counts: random.percent(60),
            can_reserve: random.percent(80),
            canary,
        }
    }
}
