//! What can be asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Kew's own measurements, on servers that are started for them.
#[derive(Debug, Parser)]
#[command(name = "kew-bench", version, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What is measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Speed, held against the reference servers
    Suite(Suite),
    /// What a deep backlog costs: memory, speed, disk, restarts, pauses
    Depth(Depth),
    /// Load for a server that is none of SQS's, which runs already
    Other(Other),
}

/// Load for another kind of queue.
#[derive(Debug, Clone, Args)]
pub struct Other {
    /// What the server speaks
    #[arg(value_enum)]
    pub peer: Peer,
    /// What to do
    #[arg(value_enum)]
    pub work: OtherWork,
    /// Where the server listens
    #[arg(long, value_name = "ADDR:PORT")]
    pub address: SocketAddr,
    /// The queue, made if it is not there; one that nobody has used yet, or what is left in it is received too
    #[arg(long, value_name = "NAME", default_value = "kew-bench")]
    pub queue: String,
    /// Connections; from end to end, one half sends and the other receives
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Bytes of each message's body
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub body_bytes: u32,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub duration: f64,
    /// Begin sends at this rate, whatever the server does
    #[arg(long, value_name = "MESSAGES_PER_SECOND")]
    pub rate: Option<f64>,
    /// The server's process
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
}

/// A protocol that is none of SQS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// RabbitMQ: a quorum queue, publishing with confirms
    Amqp,
    /// NATS JetStream: a work-queue stream in files
    Nats,
}

/// What is done with another kind of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OtherWork {
    /// One message after the other on each connection, each confirmed
    Send,
    /// The queue is filled, then emptied, ten at a time
    ReceiveDelete,
    /// Both at once, and the latency from send to receive
    EndToEnd,
}

/// The series about speed.
#[derive(Debug, Clone, Args)]
pub struct Suite {
    /// The `kew` binary (a release build); the one beside this program if not given
    #[arg(long, value_name = "FILE", default_value_os_t = beside("kew"), hide_default_value = true)]
    pub kew: PathBuf,
    /// The `kew-ladder` binary, the reference servers; the one beside this program if not given
    #[arg(long, value_name = "FILE", default_value_os_t = beside("kew-ladder"), hide_default_value = true)]
    pub ladder: PathBuf,
    /// How often to repeat each measurement; the table shows median, minimum and maximum
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long each measurement lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub duration: f64,
    /// Queues that do not encrypt (SqsManagedSseEnabled=false); Kew's do unless told otherwise, and the reference servers never
    #[arg(long)]
    pub plain: bool,
    /// Idle connections, and waiting long polls
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub crowd: u32,
    /// The large backlog, which is held against one of 1000 messages
    #[arg(long, value_name = "MESSAGES", default_value_t = 1_000_000)]
    pub backlog: u64,
    /// Only these parts of the series; all but `backlog` and `ladder` if not given
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Where data directories are made and removed again; the system's directory for temporary files if not given
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Print one line of JSON after the table
    #[arg(long)]
    pub json: bool,
}

/// A program that was built together with this one.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe().map_or_else(|_| PathBuf::from(name), |own| own.with_file_name(name))
}

/// A part of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// From the start on an empty directory to the first answer, memory at rest, the size of the binary
    Start,
    /// Single sends against the reference server that appends; sends, receives and deletes in tens against single sends
    Standard,
    /// One connection against what a sync and the reference server that parses take; long polls
    Alone,
    /// Producers and consumers at half of their highest rate
    Ends,
    /// FIFO against standard queues
    Fifo,
    /// The Query dialect against JSON
    Query,
    /// Signatures that are verified against those that nobody asks for
    Signed,
    /// Idle connections, waiting long polls
    Crowd,
    /// The same work at a small and at a large backlog
    Backlog,
    /// All reference servers
    Ladder,
}

/// The series about deep backlogs.
#[derive(Debug, Clone, Args)]
pub struct Depth {
    /// The `kew` binary (a release build); the one beside this program if not given
    #[arg(long, value_name = "FILE", default_value_os_t = beside("kew"), hide_default_value = true)]
    pub kew: PathBuf,
    /// The `kew-ladder` binary, whose pauses at the same rate show what the machine allows; the one beside this program if not given
    #[arg(long, value_name = "FILE", default_value_os_t = beside("kew-ladder"), hide_default_value = true)]
    pub ladder: PathBuf,
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
    /// How long nothing is done before each measurement of pauses: a machine that is allotted processor time gets some back
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub rest: f64,
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
