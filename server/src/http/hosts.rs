//! The names that requests call this server by, and which of them nobody elsewhere can own. Whoever owns a name can bind it to any
//! address at any time, this machine's included, and a browser then takes this server for the one that its page came from (DNS
//! rebinding). The name that the page came by stays in `Host`, which no page can write.

use std::net::IpAddr;

/// The name or address in a `Host` header, without its port.
pub(super) fn name(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// The name or address in a URL or an origin.
pub(super) fn of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next().map(name)
}

/// Whether it always means this machine.
pub(super) fn is_local(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "::1" | "localhost.localstack.cloud")
        || name.ends_with(".localhost")
}

/// Whether nobody can make a browser take a page for one of this name and bind the name to this server afterwards: addresses, names
/// without a dot, which only the own network's resolver knows (`kew` of Docker Compose), this machine's, LocalStack's and AWS's.
pub(super) fn is_settled(name: &str) -> bool {
    !name.contains('.')
        || name.parse::<IpAddr>().is_ok()
        || is_local(name)
        || name.ends_with(".localhost.localstack.cloud")
        || name.strip_suffix(".amazonaws.com").is_some_and(is_service)
}

/// Whether it is a service's name at AWS, with or without a region. Others there are given to customers.
fn is_service(name: &str) -> bool {
    match name.split_once('.') {
        None => matches!(name, "queue" | "sts"),
        Some((first, second)) if !second.contains('.') => {
            matches!(first, "sqs" | "kms" | "sts") || second == "queue"
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_before_ports_and_behind_schemes() {
        for (authority, expected) in
            [("kew:4566", "kew"), ("kew", "kew"), ("[::1]:4566", "::1"), ("[::1]", "::1"), ("", "")]
        {
            assert_eq!(name(authority), expected, "{authority}");
        }
        assert_eq!(of_url("https://queues.example:4566/below"), Some("queues.example"));
        assert_eq!(of_url("http://[::1]:80"), Some("::1"));
        assert_eq!(of_url("null"), None);
    }

    #[test]
    fn only_names_that_no_stranger_can_own_are_settled() {
        for name in [
            "localhost",
            "orders.localhost",
            "127.0.0.1",
            "192.168.1.5",
            "0.0.0.0",
            "fe80::1",
            "kew",
            "localhost.localstack.cloud",
            "sqs.eu-central-1.localhost.localstack.cloud",
            "sqs.us-east-1.amazonaws.com",
            "queue.amazonaws.com",
            "us-west-2.queue.amazonaws.com",
            "sts.amazonaws.com",
        ] {
            assert!(is_settled(name), "{name}");
        }
        for name in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.",
            "evillocalhost.localstack.cloud",
            "evil.localstack.cloud",
            "localhost.localstack.cloud.evil.example",
            "sqs.us-east-1.amazonaws.com.evil.example",
            "sqs.us-east-1.evil.amazonaws.com",
            "evil-1.us-east-1.elb.amazonaws.com",
            "evil.amazonaws.com",
            "kew.internal",
        ] {
            assert!(!is_settled(name), "{name}");
        }
    }
}
