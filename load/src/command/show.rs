//! What is printed: before, and behind.

use serde_json::{Value, json};

use super::flags::Work;
use crate::protocol::Protocol;
use crate::report::Report;
use crate::session::Session;

/// Where the load goes, on one line.
pub(super) fn heading(session: &Session) -> String {
    let options = &session.options;
    let dialect = match options.protocol {
        Protocol::Json => "AWS JSON",
        Protocol::Query => "Query",
    };
    let signed = match &options.identity {
        identity if identity.is_signed() => format!("signed by {}", identity.access_key),
        _ => "not signed".to_owned(),
    };
    format!("{} in {dialect}, {signed}; queue {}", options.endpoint, session.queue())
}

/// Prints what was found: a table for people, or a line of JSON for machines.
pub(super) fn print(work: &Work, session: &Session, report: &Report, as_json: bool) {
    if as_json { println!("{}", machine(work, session, report)) } else { println!("{report}") }
}

fn machine(work: &Work, session: &Session, report: &Report) -> Value {
    let options = &session.options;
    let mut whole = report.json();
    whole["settings"] = json!({
        "mode": work.name(),
        "endpoint": options.endpoint,
        "region": options.region,
        "protocol": options.protocol.name(),
        "signed": options.identity.is_signed(),
        "queue": session.queue(),
        "attributes": options.attributes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "connections": options.connections,
        "groups": work.groups(),
        "body_bytes": options.body_bytes,
        "duration": options.duration,
        "count": options.count,
        "warmup": options.warmup,
        "rate": options.rate,
        "version": env!("CARGO_PKG_VERSION"),
    });
    whole
}
