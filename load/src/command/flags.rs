//! What can be typed behind `kew bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::endpoint::Url;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::options::{LEAST_BODY, MOST_BODY, Options};
use crate::protocol::Protocol;
use crate::work::BATCH;

/// The endpoint if nobody names one: Kew's own.
const ENDPOINT: &str = "http://127.0.0.1:4566";

/// Put load on any SQS endpoint, and say what came of it: rates, latencies, errors.
#[derive(Debug, Args)]
#[command(after_long_help = NOTE)]
pub struct Bench {
    /// What to do.
    #[command(subcommand)]
    pub work: Work,
}

const NOTE: &str = "\
A queue is made for each measurement, with a name of its own, and deleted behind it, also after Ctrl-C (a second one ends at once).

Requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), if these are set. Without them they carry
a header in the form of a signature, which an open server reads and nobody can verify. AWS_ENDPOINT_URL, AWS_REGION and AWS_CA_BUNDLE
count too.

One thread drives all connections, each with one request on its way at a time. Latency counts from the request's first byte to the
answer's last; with --rate from the moment at which the request was due, so that a slow server cannot hide by slowing the load.

    kew bench send --endpoint http://localhost:4566
    kew bench end-to-end --producers 16 --consumers 16 --rate 5000 --duration 30
    kew bench receive-delete --protocol query --endpoint http://localhost:9324 --json

AWS bills what is sent to it. Exit code 0: everything went through. 1: errors, which are counted and shown. 130: interrupted.";

/// The kinds of work.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// SendMessage, one message per request
    Send(Paced),
    /// SendMessageBatch, ten messages per request
    SendBatch(Paced),
    /// Fill the queue, then receive and delete in tens
    ReceiveDelete(Closed),
    /// Send ten, receive ten, delete ten, over and over: the backlog stays as it is
    Cycle(Paced),
    /// One FIFO queue with many message groups
    Fifo(Fifo),
    /// Producers that send one by one, consumers that long-poll for ten and delete them; latency from send to receive
    EndToEnd(EndToEnd),
    /// Long-polling consumers on an empty queue, one producer: how long until a sent message reaches one of them
    LongPoll(Closed),
}

/// What all kinds of work have in common.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Where the server listens [env: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL] [default: http://127.0.0.1:4566]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The region that requests name; else the one in the endpoint's name [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1]
    #[arg(long, value_name = "REGION", value_parser = plain)]
    region: Option<String>,
    /// The dialect of requests
    #[arg(long, value_enum, default_value_t = Protocol::Json)]
    protocol: Protocol,
    /// Certificates of those who vouch for a server behind TLS, a PEM file [env: AWS_CA_BUNDLE] [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// Do not sign, although there are keys in the environment
    #[arg(long)]
    no_sign_request: bool,
    /// What the queue's name begins with
    #[arg(long, value_name = "PREFIX", default_value = "kew-bench", value_parser = queue)]
    queue: String,
    /// An attribute of the queue, such as SqsManagedSseEnabled=false; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// Bytes of each message's body
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(i64::from(LEAST_BODY)..=i64::from(MOST_BODY)))]
    body_bytes: u32,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    duration: f64,
    /// Stop after this many messages instead of after --duration
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How long to work before measuring; not with --count
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = seconds_or_none)]
    warmup: f64,
    /// The server's process on this machine: adds its CPU time per message
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Print JSON instead of a table; times are in microseconds
    #[arg(long)]
    pub(super) json: bool,
    /// Tell nothing while it runs
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Connections that wait for their answers.
#[derive(Debug, Args)]
pub struct Closed {
    /// Connections, each with one request on its way
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    #[command(flatten)]
    common: Common,
}

/// Connections that may be given a pace.
#[derive(Debug, Args)]
pub struct Paced {
    /// Begin requests at this rate, whatever the server does, instead of waiting for each answer
    #[arg(long, value_name = "REQUESTS_PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    #[command(flatten)]
    closed: Closed,
}

/// Work on a FIFO queue.
#[derive(Debug, Args)]
pub struct Fifo {
    /// What to do with the queue
    #[arg(long, value_enum, default_value_t = FifoWork::Cycle)]
    pub(super) work: FifoWork,
    /// Message groups, taken in turn
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    groups: u32,
    #[command(flatten)]
    paced: Paced,
}

/// What to do with a FIFO queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FifoWork {
    /// SendMessage
    Send,
    /// SendMessageBatch of ten
    SendBatch,
    /// Send ten, receive ten, delete ten
    Cycle,
}

/// Work from one end of a queue to the other.
#[derive(Debug, Args)]
pub struct EndToEnd {
    /// Connections that send
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) producers: u32,
    /// Connections that receive and delete
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) consumers: u32,
    /// Begin sends at this rate, whatever the server does, instead of waiting for each answer
    #[arg(long, value_name = "REQUESTS_PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    #[command(flatten)]
    common: Common,
}

impl Work {
    /// What was typed.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::SendBatch(_) => "send-batch",
            Self::ReceiveDelete(_) => "receive-delete",
            Self::Cycle(_) => "cycle",
            Self::Fifo(_) => "fifo",
            Self::EndToEnd(_) => "end-to-end",
            Self::LongPoll(_) => "long-poll",
        }
    }

    /// How many message groups the queue shall have, if it is a FIFO queue.
    pub(super) fn groups(&self) -> Option<u32> {
        match self {
            Self::Fifo(fifo) => Some(fifo.groups),
            _ => None,
        }
    }

    /// Whether messages go in tens.
    fn is_batched(&self) -> bool {
        match self {
            Self::SendBatch(_) | Self::ReceiveDelete(_) | Self::Cycle(_) => true,
            Self::Fifo(fifo) => fifo.work != FifoWork::Send,
            Self::Send(_) | Self::EndToEnd(_) | Self::LongPoll(_) => false,
        }
    }

    pub(super) fn common(&self) -> &Common {
        match self {
            Self::Send(paced) | Self::SendBatch(paced) | Self::Cycle(paced) => &paced.closed.common,
            Self::ReceiveDelete(closed) | Self::LongPoll(closed) => &closed.common,
            Self::Fifo(fifo) => &fifo.paced.closed.common,
            Self::EndToEnd(ends) => &ends.common,
        }
    }

    /// Connections, and the rate of an open loop.
    fn load(&self) -> (u32, Option<f64>) {
        match self {
            Self::Send(paced) | Self::SendBatch(paced) | Self::Cycle(paced) => {
                (paced.closed.connections, paced.rate)
            }
            Self::ReceiveDelete(closed) | Self::LongPoll(closed) => (closed.connections, None),
            Self::Fifo(fifo) => (fifo.paced.closed.connections, fifo.paced.rate),
            Self::EndToEnd(ends) => (ends.producers.saturating_add(ends.consumers), ends.rate),
        }
    }

    /// What is asked for, with what the environment adds.
    pub(super) fn options(&self, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Options, Failure> {
        let common = self.common();
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
            found.map(|value| value.to_string_lossy().into_owned())
        };
        let endpoint =
            common.endpoint.clone().or_else(|| text(&["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"]));
        let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
        let host = Url::read(&endpoint)?.name;
        let region = match (&common.region, region_of(host)) {
            (Some(region), _) => region.clone(),
            (None, Some(region)) => region.to_owned(),
            (None, None) => {
                let named =
                    text(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
                plain(&named).map_err(|why| Failure::Asked(format!("AWS_REGION: {why}")))?
            }
        };
        if self.is_batched() && u64::from(common.body_bytes) * BATCH > u64::from(MOST_BODY) {
            let most = u64::from(MOST_BODY) / BATCH;
            return Err(Failure::Asked(format!(
                "--body-bytes {}: ten messages go together, and SQS takes {MOST_BODY} bytes at once: {most} at most",
                common.body_bytes
            )));
        }
        let (connections, rate) = self.load();
        let identity =
            if common.no_sign_request { Identity::default() } else { Identity::from_environment(variable)? };
        let bundle = || variable("AWS_CA_BUNDLE").filter(|value| !value.is_empty()).map(PathBuf::from);
        Ok(Options {
            region,
            endpoint,
            identity,
            protocol: common.protocol,
            authorities: common.ca_bundle.clone().or_else(bundle),
            queue: common.queue.clone(),
            attributes: common.attribute.clone(),
            connections,
            body_bytes: common.body_bytes,
            duration: common.duration,
            count: common.count,
            warmup: common.warmup,
            rate,
            pid: common.pid,
            progress: !common.quiet,
            ..Options::default()
        })
    }
}

/// The region in the name of one of AWS's endpoints.
fn region_of(host: &str) -> Option<&str> {
    let (head, _) = host.split_once(".amazonaws.com")?;
    head.strip_prefix("sqs.")
        .or_else(|| head.strip_prefix("sqs-fips."))
        .filter(|region| !region.contains('.'))
}

fn seconds(text: &str) -> Result<f64, String> {
    seconds_or_none(text)
        .and_then(|seconds| if seconds > 0.0 { Ok(seconds) } else { Err("must be more than 0".to_owned()) })
}

fn seconds_or_none(text: &str) -> Result<f64, String> {
    const MOST: f64 = 1e6;
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MOST).contains(&seconds) => Ok(seconds),
        _ => Err(format!("must be a number of seconds, {MOST} at most")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(rate),
        _ => Err("must be a number of requests per second between 0.001 and 10000000".to_owned()),
    }
}

fn plain(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_plain && !text.is_empty() { Ok(text.to_owned()) } else { Err(format!("'{text}' is no region")) }
}

fn queue(text: &str) -> Result<String, String> {
    const MOST: usize = 50;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_plain && (1..=MOST).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be letters, digits, hyphens and underscores, {MOST} at most"))
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        bench: Bench,
    }

    fn options(words: &[&str], variables: &[(&str, &str)]) -> Result<Options, String> {
        let cli =
            Cli::try_parse_from([&["bench"], words].concat()).map_err(|error| error.render().to_string())?;
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(*value))
        };
        cli.bench.work.options(&variable).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_aws_name_over_its_region() {
        let set = [("AWS_ENDPOINT_URL", "http://there:1"), ("AWS_REGION", "eu-west-1")];
        let found = options(&["send"], &set).expect("options");
        assert_eq!((&*found.endpoint, &*found.region), ("http://there:1", "eu-west-1"));
        let found =
            options(&["send", "--endpoint", "http://here:2", "--region", "x-1"], &set).expect("options");
        assert_eq!((&*found.endpoint, &*found.region), ("http://here:2", "x-1"));
        let found =
            options(&["send", "--endpoint", "https://sqs.us-west-2.amazonaws.com"], &set).expect("options");
        assert_eq!(&*found.region, "us-west-2");
        let found = options(&["send"], &[]).expect("options");
        assert_eq!((&*found.endpoint, &*found.region), (ENDPOINT, "us-east-1"));
    }

    #[test]
    fn every_kind_of_work_is_understood() {
        for words in [
            &["send", "--rate", "5"][..],
            &["send-batch", "--body-bytes", "104857"],
            &["receive-delete", "--connections", "3"],
            &["cycle", "--attribute", "SqsManagedSseEnabled=false", "--attribute", "VisibilityTimeout=5"],
            &["fifo", "--work", "send-batch", "--groups", "7"],
            &["end-to-end", "--producers", "1", "--consumers", "2", "--rate", "0.5"],
            &["long-poll", "--count", "5", "--protocol", "query"],
        ] {
            options(words, &[]).unwrap_or_else(|why| panic!("{words:?}: {why}"));
        }
        let ends = options(&["end-to-end", "--producers", "1", "--consumers", "2"], &[]).expect("options");
        assert_eq!(ends.connections, 3);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (words, says) in [
            (&["send", "--duration", "0"][..], "--duration"),
            (&["send", "--rate", "0"], "--rate"),
            (&["send", "--body-bytes", "19"], "--body-bytes"),
            (&["send-batch", "--body-bytes", "104858"], "--body-bytes 104858"),
            (&["receive-delete", "--rate", "5"], "--rate"),
            (&["long-poll", "--rate", "5"], "--rate"),
            (&["end-to-end", "--connections", "5"], "--connections"),
            (&["send", "--queue", "a.fifo"], "--queue"),
            (&["send", "--attribute", "nonsense"], "--attribute"),
            (&["send", "--endpoint", "localhost:1"], "--endpoint localhost:1"),
            (&["send", "--groups", "5"], "--groups"),
        ] {
            let why = options(words, &[]).expect_err("refused");
            assert!(why.contains(says), "{words:?}: {why}");
        }
    }
}
