//! What can be asked for on the command line, and by other programs.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load for any SQS endpoint, and what came of it: rates, latencies, errors, server CPU per message.
#[derive(Debug, Parser)]
#[command(name = "kew-bench", version, max_term_width = 120, after_help = NOTE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const NOTE: &str = "\
Requests are AWS JSON 1.0 over HTTP/1.1. They carry an Authorization header that has the form of SigV4, so that the server's work of
reading it is part of the measurement, but the signature is not computed: a server that verifies signatures refuses them.

One thread drives all connections, each with one request on its way at a time. Latency counts from the request's first byte to the
answer's last; with --rate from the moment at which the request was due, so that a slow server cannot hide by slowing the load.";

/// The kinds of work.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// SendMessage, one message per request
    Send(Options),
    /// SendMessageBatch, ten messages per request
    SendBatch(Options),
    /// Fill the queue with --count messages (100000 if not given), then receive and delete them in tens
    ReceiveDelete(Options),
    /// Send ten, receive ten, delete ten, over and over: the backlog stays as it is
    Cycle(Options),
    /// One FIFO queue, by default 1000 message groups
    Fifo(Fifo),
    /// Producers that send one by one, consumers that long-poll for ten and delete them; latency from send to receive
    EndToEnd(EndToEnd),
    /// Long-polling consumers that wait on an empty queue: how long until a sent message reaches one of them
    LongPoll(Options),
    /// Add --count messages to the queue (100000 if not given), in tens
    Fill(Options),
    /// Start Kew on empty directories and measure its speed
    Suite(Suite),
    /// Start Kew on empty directories and measure what a deep backlog costs: memory, speed, disk, restarts, pauses
    Depth(Depth),
}

impl Command {
    /// Whether the outcome is wanted as JSON too.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Send(options)
            | Self::SendBatch(options)
            | Self::ReceiveDelete(options)
            | Self::Cycle(options)
            | Self::LongPoll(options)
            | Self::Fill(options) => options.json,
            Self::Fifo(fifo) => fifo.options.json,
            Self::EndToEnd(ends) => ends.options.json,
            Self::Suite(suite) => suite.json,
            Self::Depth(depth) => depth.json,
        }
    }
}

/// What all kinds of work have in common.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4566")]
    pub endpoint: String,
    /// The queue, created if it is not there; FIFO work adds `.fifo` to the name
    #[arg(long, value_name = "NAME", default_value = "kew-bench")]
    pub queue: String,
    /// Connections, each with one request on its way
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Bytes of each message's body, at least 20
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..=1_048_576))]
    pub body_bytes: u32,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub duration: f64,
    /// Stop after this many messages instead of after --duration
    #[arg(long, value_name = "MESSAGES")]
    pub count: Option<u64>,
    /// How long to work before measuring
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub warmup: f64,
    /// Send at this rate, whatever the server does, instead of waiting for each answer (send, send-batch, end-to-end)
    #[arg(long, value_name = "REQUESTS_PER_SECOND")]
    pub rate: Option<f64>,
    /// The server's process: adds its CPU time per message
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// The access key to show
    #[arg(long, value_name = "KEY", default_value = "test")]
    pub access_key: String,
    /// The region to name
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: String,
    /// Print one line of JSON after the table
    #[arg(long)]
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            options: Options,
        }
        Only::parse_from(["kew-bench"]).options
    }
}

/// Work on a FIFO queue.
#[derive(Debug, Clone, Args)]
pub struct Fifo {
    /// What to do with the queue
    #[arg(long, value_enum, default_value_t = FifoWork::Send)]
    pub work: FifoWork,
    /// Message groups, taken in turn
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub groups: u32,
    /// The rest.
    #[command(flatten)]
    pub options: Options,
}

/// What to do with a FIFO queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FifoWork {
    /// SendMessage
    Send,
    /// SendMessageBatch of ten
    SendBatch,
    /// Send ten, receive ten, delete ten
    Cycle,
}

/// Work from one end of a queue to the other.
#[derive(Debug, Clone, Args)]
pub struct EndToEnd {
    /// Connections that send
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub producers: u32,
    /// Connections that receive and delete
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub consumers: u32,
    /// The rest; --connections does not count here.
    #[command(flatten)]
    pub options: Options,
}

/// The series about speed.
#[derive(Debug, Clone, Args)]
pub struct Suite {
    /// The `kew` binary (a release build)
    #[arg(long, value_name = "FILE")]
    pub kew: PathBuf,
    /// The `kew-ladder` binary: adds the ratio to the reference servers
    #[arg(long, value_name = "FILE")]
    pub ladder: Option<PathBuf>,
    /// How often to repeat each measurement; the table shows median, minimum and maximum
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long each measurement lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub duration: f64,
    /// The large backlog, which is held against one of 1000 messages
    #[arg(long, value_name = "MESSAGES", default_value_t = 1_000_000)]
    pub backlog: u64,
    /// Only these parts of the series; all if not given
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Where data directories are made and removed again; the system's directory for temporary files if not given
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Print one line of JSON after the table
    #[arg(long)]
    pub json: bool,
}

/// A part of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// From the start of the process on an empty directory to its first answer
    Start,
    /// Standard queue: single sends, sends in tens, receives and deletes in tens
    Standard,
    /// FIFO queue
    Fifo,
    /// Latency: one connection, end to end, long polls
    Latency,
    /// The same work at a small and at a large backlog
    Backlog,
    /// Kew and the reference servers in turn
    Ladder,
}

/// The series about deep backlogs.
#[derive(Debug, Clone, Args)]
pub struct Depth {
    /// The `kew` binary (a release build)
    #[arg(long, value_name = "FILE")]
    pub kew: PathBuf,
    /// The `kew-ladder` binary: adds its pauses at the same rate, which show what the machine allows
    #[arg(long, value_name = "FILE")]
    pub ladder: Option<PathBuf>,
    /// The deep backlog
    #[arg(long, value_name = "MESSAGES", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub messages: u64,
    /// The shallow backlog, which the deep one is held against
    #[arg(long, value_name = "MESSAGES", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub shallow: u64,
    /// Message groups of the FIFO queues
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub groups: u32,
    /// Queues that are polled while nothing comes
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub queues: u32,
    /// How often to repeat what is compared; the table shows median, minimum and maximum
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// SendMessage requests per second while pauses are measured; fifteen times as many messages go beside them in batches
    #[arg(long, value_name = "REQUESTS_PER_SECOND", default_value_t = 2000.0)]
    pub rate: f64,
    /// How long pauses are measured, each time
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0)]
    pub duration: f64,
    /// How long polls are watched that nothing answers; each waits for 20 seconds, and is then made again
    #[arg(long, value_name = "SECONDS", default_value_t = 22.0)]
    pub idle: f64,
    /// Only these parts of the series; all if not given
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub only: Vec<DepthPart>,
    /// Where data directories are made and removed again; the system's directory for temporary files if not given
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Print one line of JSON after the table
    #[arg(long)]
    pub json: bool,
}

/// A part of the series about deep backlogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DepthPart {
    /// Memory while the backlog is filled, and ever after
    Memory,
    /// Bytes on disk per waiting message, and what is left after draining
    Disk,
    /// Receives, deletes and sends at the deep and at the shallow backlog
    Rates,
    /// The longest sends at a steady load, on an empty server and at the deep backlog while the journal is retired
    Pauses,
    /// From a start after SIGKILL to the first message, at the deep backlog and at a tenth of it
    Restart,
    /// The same as Rates for FIFO queues with many message groups
    Fifo,
    /// Bytes written to disk for messages that die young, and for those that stay
    Writes,
    /// Many queues, each with one long poll, and nothing to receive
    Polls,
    /// How fast a shard is rebuilt from its journal
    Replay,
}
