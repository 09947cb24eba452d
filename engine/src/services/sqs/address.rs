//! How a queue is addressed: its ARN and its URL, both ways.

use alloc::format;

use kew_wire::Text;
use kew_wire::arn::{Arn, partition};

use super::command::QueueKey;
use super::limits;
use crate::identity::Account;

impl QueueKey {
    /// Whether this is a FIFO queue: its name says so.
    pub fn is_fifo(&self) -> bool {
        is_fifo(&self.name)
    }

    /// The queue's ARN (`arn:aws:sqs:us-east-1:000000000000:orders`).
    pub fn arn(&self) -> Text {
        let Self { account, region, name } = self;
        Text::from(format!("arn:{}:sqs:{region}:{account}:{name}", partition(region)))
    }

    /// The queue's URL on the server reached at `endpoint` (`http://localhost:4566`).
    pub fn url(&self, endpoint: &str) -> Text {
        let Self { account, name, .. } = self;
        Text::from(format!("{endpoint}/{account}/{name}"))
    }
}

/// Whether a queue of this name is FIFO.
pub fn is_fifo(name: &str) -> bool {
    name.ends_with(limits::FIFO_SUFFIX)
}

/// Whether a queue could have this name; without the `.fifo` of FIFO queues, the alphabet has no dot.
pub fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(limits::FIFO_SUFFIX).unwrap_or(name);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !stem.is_empty() && name.len() <= limits::QUEUE_NAME_CHARS && stem.bytes().all(plain)
}

/// Why a text is not a queue's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAQueueArn {
    /// It is not an ARN at all.
    Malformed,
    /// It is an ARN of another service.
    OtherService,
}

/// The queue that an ARN names.
pub fn from_arn(arn: &Text) -> Result<QueueKey, NotAQueueArn> {
    let Arn { partition, service, region, account, resource: name } =
        Arn::parse(arn).ok_or(NotAQueueArn::Malformed)?;
    if !partition.starts_with("aws") {
        return Err(NotAQueueArn::Malformed);
    }
    if service != "sqs" {
        return Err(NotAQueueArn::OtherService);
    }
    let account = account.parse::<Account>().map_err(|_| NotAQueueArn::Malformed)?;
    if region.is_empty() || name.is_empty() {
        return Err(NotAQueueArn::Malformed);
    }
    Ok(QueueKey { account, region: arn.slice_ref(region), name: arn.slice_ref(name) })
}

/// The queue that a URL names: its path decides, its host does not, except that a host or path which spells a region
/// out overrides the caller's `region`. `None` if the URL names no queue.
///
/// Paths are `/ACCOUNT/NAME` or `/queue/REGION/ACCOUNT/NAME`; hosts with a region are `sqs.REGION.*`, `REGION.sqs.*`,
/// `REGION.queue.*` and, for us-east-1, AWS's and LocalStack's own `queue.*`.
pub fn from_url(url: &Text, region: &Text) -> Option<QueueKey> {
    let (host, path) = match behind_scheme(url) {
        Some(rest) => cut(rest, b'/').map_or((rest, None), |(host, path)| (host, Some(path))),
        None => ("", Some(url.strip_prefix('/').unwrap_or(url))),
    };
    let path = path?;
    let path = path.bytes().position(|b| matches!(b, b'?' | b'#')).map_or(path, |end| &path[..end]);
    let path = path.strip_suffix('/').unwrap_or(path);
    let (first, rest) = cut(path, b'/')?;
    let mut parts = rest.split('/');
    let (second, third, fourth) = (parts.next()?, parts.next(), parts.next());
    let (named, account, name) = match (first, third, fourth, parts.next()) {
        ("queue", Some(account), Some(name), None) => (Some(second), account, name),
        (account, None, None, None) => (region_of_host(host), account, second),
        _ => return None,
    };
    let account = account.parse::<Account>().ok()?;
    if name.is_empty() {
        return None;
    }
    let region = named.map_or_else(|| region.clone(), Text::from);
    Some(QueueKey { account, region, name: url.slice_ref(name) })
}

/// What follows `http://` and the like.
fn behind_scheme(url: &str) -> Option<&str> {
    let usual = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    usual.or_else(|| url.split_once("://").map(|(_, rest)| rest))
}

/// What stands before and behind the first `at`, an ASCII character. For short texts this is faster than a general search, and every
/// request has one of these.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|b| b == at)?;
    Some((&text[..place], &text[place + 1..]))
}

/// The region that a host spells out.
fn region_of_host(host: &str) -> Option<&str> {
    let host = cut(host, b':').map_or(host, |(host, _)| host);
    let (first, rest) = cut(host, b'.')?;
    let second = cut(rest, b'.').map_or(rest, |(second, _)| second);
    if first == "sqs" && is_region(second) {
        Some(second)
    } else if first == "queue" && (host.ends_with(".amazonaws.com") || host.ends_with(".localstack.cloud")) {
        // Their oldest region; anyone else's host of that name says nothing.
        Some("us-east-1")
    } else if (second == "queue" || second == "sqs") && is_region(first) {
        Some(first)
    } else {
        None
    }
}

/// Whether a host's label looks like a region (`eu-central-1`), so that `sqs.localhost` or `sqs.example.org` has none.
fn is_region(label: &str) -> bool {
    let digit = label.bytes().last().is_some_and(|b| b.is_ascii_digit());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    digit && label.bytes().filter(|b| *b == b'-').count() >= 2 && label.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str, region: &'static str, name: &'static str) -> QueueKey {
        QueueKey {
            account: account.parse().unwrap(),
            region: Text::from_static(region),
            name: Text::from_static(name),
        }
    }

    #[test]
    fn a_queue_is_found_by_its_url_whatever_the_host() {
        let home = Text::from_static("eu-west-1");
        let cases = [
            ("http://localhost:4566/000000000000/orders", "eu-west-1"),
            ("https://sqs.example.org/000000000000/orders", "eu-west-1"),
            ("/000000000000/orders", "eu-west-1"),
            ("000000000000/orders", "eu-west-1"),
            ("http://localhost:4566/000000000000/orders/", "eu-west-1"),
            ("http://sqs.us-west-2.localhost.localstack.cloud:4566/000000000000/orders", "us-west-2"),
            ("https://sqs.us-east-1.amazonaws.com/000000000000/orders", "us-east-1"),
            ("https://us-west-2.queue.amazonaws.com/000000000000/orders", "us-west-2"),
            (
                "https://eu-central-1.queue.localhost.localstack.cloud:4566/000000000000/orders",
                "eu-central-1",
            ),
            ("https://queue.amazonaws.com/000000000000/orders", "us-east-1"),
            ("https://queue.example.org/000000000000/orders", "eu-west-1"),
            ("http://queue:4566/000000000000/orders", "eu-west-1"),
            ("http://localhost:4566/queue/ap-southeast-2/000000000000/orders", "ap-southeast-2"),
        ];
        for (url, region) in cases {
            let found = from_url(&Text::from_static(url), &home);
            assert_eq!(found, Some(key("000000000000", region, "orders")), "{url}");
        }
    }

    #[test]
    fn a_url_without_account_and_name_names_no_queue() {
        let cases = [
            "http://localhost:4566",
            "http://localhost:4566/",
            "http://localhost:4566/orders",
            "http://localhost:4566/12/orders",
            "http://localhost:4566/queue/orders",
            "http://localhost:4566/000000000000/",
            "http://localhost:4566/000000000000/a/b",
            "http://localhost:4566/queue/eu-west-1/000000000000/a/b",
            "://",
            "/",
            "a/",
        ];
        for url in cases {
            assert_eq!(from_url(&Text::from_static(url), &Text::from_static("r")), None, "{url}");
        }
    }

    #[test]
    fn an_arn_names_a_queue_and_a_queue_spells_its_arn() {
        let arns = [
            (
                "arn:aws:sqs:us-east-1:123456789012:orders.fifo",
                key("123456789012", "us-east-1", "orders.fifo"),
            ),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:a", key("123456789012", "cn-north-1", "a")),
            ("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:a", key("123456789012", "us-gov-west-1", "a")),
        ];
        for (arn, key) in arns {
            assert_eq!(from_arn(&Text::from_static(arn)), Ok(key.clone()));
            assert_eq!(key.arn(), arn);
        }
    }

    #[test]
    fn what_is_no_queue_arn_is_told_apart() {
        let malformed = [
            "",
            "dummy",
            "arn:aws:sqs",
            "arn:aws:sqs:r:1:n",
            "arn:aws:sqs::123456789012:n",
            "a:aws:sqs:r:123456789012:n",
        ];
        for arn in malformed {
            assert_eq!(from_arn(&Text::from_static(arn)), Err(NotAQueueArn::Malformed), "{arn}");
        }
        let topic = Text::from_static("arn:aws:sns:us-east-1:123456789012:topic");
        assert_eq!(from_arn(&topic), Err(NotAQueueArn::OtherService));
    }

    #[test]
    fn names_have_aws_s_alphabet_and_length() {
        let long = "a".repeat(80);
        let fifo = alloc::format!("{}.fifo", "a".repeat(75));
        for name in ["a", "A-b_9", &long, "a.fifo", &fifo] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(81);
        let fifo = alloc::format!("{}.fifo", "a".repeat(76));
        for name in ["", ".fifo", "a b", "a.b", "é", "a/b", &long, &fifo] {
            assert!(!is_name(name), "{name}");
        }
    }
}
