//! The audit log: one line of JSON for each management call, and for each data call where the operator wants it, in the form of
//! CloudTrail's records. It says who asked for what, from where, and what came of it.
//!
//! A request is noted when it is known who asks; its record is made when the note is dropped, so that a caller who hangs up before
//! the answer leaves one, too. Records go to a thread of their own: requests never wait for that file's disk.

mod ledger;
mod parameters;
mod record;
mod visit;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use kew_engine::identity::{Caller, Kind};
use kew_wire::Text;
use kew_wire::fault::{Fault, common};
use kew_wire::request_id::RequestId;
use kew_wire::service::Model;
use kew_wire::sqs::faults;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use ledger::{Counts, Ledger, Scribe};
use serde_json::Value;

use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::http::{Head, Peer, Response, request_head};
use crate::random::Random;
use parameters::{Parameters, Trust};
pub(crate) use visit::Visit;

/// What the operator wants.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The file.
    pub(crate) file: PathBuf,
    /// Whether data calls are recorded as well.
    pub(crate) data_calls: bool,
}

/// SQS's operations on messages, which CloudTrail calls data events (SQS developer guide, *Logging API calls using CloudTrail*).
const DATA_CALLS: [&str; 7] = [
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
];

/// Bytes of an error's message that are shown (CloudTrail user guide, *errorMessage*).
const MESSAGE_BYTES: usize = 1024;

/// In place of an error's message that repeats what was entrusted to us.
const PRIVATE: &str = "The message repeats values of the request that are not written down.";

/// Records what is asked.
#[derive(Debug)]
pub(crate) struct Audit {
    ledger: Ledger,
    data_calls: bool,
    clock: Arc<Clock>,
    random: Arc<Random>,
    region: Text,
}

/// What an answer says about itself, left with it for [`Note::answered`].
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Whom the request went to.
    pub(crate) model: &'static Model,
    /// What was asked for, as far as it was understood.
    pub(crate) operation: Option<&'static str>,
    /// The error's code and message.
    pub(crate) fault: Option<(&'static str, String)>,
}

impl Told {
    pub(crate) fn new(model: &'static Model, operation: Option<&'static str>, fault: Option<&Fault>) -> Self {
        let fault = fault.map(|fault| {
            // Codes as CloudTrail shows them: the short one, but for those of the days when all began with the service's name.
            let code = fault.kind.code;
            let code = if code.starts_with("AWS.") { fault.kind.name } else { code };
            // What follows a blank line repeats the request, and with it the session's token.
            let message = fault.message.split("\n\n").next().unwrap_or_default();
            let message = if is_private(fault) { PRIVATE } else { message };
            (code, message[..message.floor_char_boundary(MESSAGE_BYTES)].to_owned())
        });
        Self { model, operation, fault }
    }
}

/// Whether a message repeats what [`Parameters`] would hide: it tells values that are not what their parameters take, receipt handles, or
/// parameters that are not shown.
fn is_private(fault: &Fault) -> bool {
    let (kind, message) = (fault.kind, &*fault.message);
    if *kind == common::SERIALIZATION || *kind == faults::RECEIPT_HANDLE_IS_INVALID {
        return !message.is_empty();
    }
    // What only messages have: its name is the caller's own.
    if message.contains("attribute '") || message.contains("attribute name '") {
        return true;
    }
    if !message.contains("Value ") {
        return false;
    }
    // Value 5 for parameter DelaySeconds is invalid. 1 validation error detected: Value 'x' at 'keyId' failed to satisfy constraint.
    // Values may say the same; hence all of them.
    let named = |begin: &'static str, end: &'static str| {
        message.split(begin).skip(1).map(move |rest| rest.split(end).next().unwrap_or_default())
    };
    let mut names = named(" for parameter ", " is invalid").chain(named(" at '", "' failed ")).peekable();
    names.peek().is_none() || !names.all(parameters::is_shown)
}

/// A request that is being answered.
pub(crate) struct Note {
    audit: Arc<Audit>,
    asked: Asked,
    told: Option<Told>,
    is_answered: bool,
    /// It was turned away unread.
    is_throttled: bool,
}

/// What is known of a request before it is answered.
struct Asked {
    /// Who, if that could be established; else the access key that it claims.
    caller: Result<Caller, Option<String>>,
    address: std::net::IpAddr,
    user_agent: Option<String>,
    target: Option<String>,
    parameters: Parameters,
    id: RequestId,
}

/// Opens the audit log, if the operator wants one.
pub(crate) fn open(
    config: &Config,
    clock: &Arc<Clock>,
    random: &Arc<Random>,
) -> Result<Option<(Arc<Audit>, Scribe)>, Failure> {
    let Some(Wanted { file, data_calls }) = &config.edge.audit else { return Ok(None) };
    let (ledger, scribe) = Ledger::open(file, Arc::clone(clock), Arc::clone(random)).map_err(|error| {
        Failure::usage(format!(
            "cannot open the audit log {}: {error}; give another --audit-log",
            file.display()
        ))
    })?;
    let (clock, random, region) = (Arc::clone(clock), Arc::clone(random), config.region.as_str().into());
    Ok(Some((Arc::new(Audit { ledger, data_calls: *data_calls, clock, random, region }), scribe)))
}

/// On SIGHUP looks at once whether the file was moved; by itself the log looks within a second.
pub(crate) async fn watch(audit: Arc<Audit>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        audit.ledger.look();
    }
}

impl Audit {
    /// Where records go.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes a request; `None` if its head says that nobody wants it recorded.
    pub(crate) fn note(
        self: &Arc<Self>,
        head: &Head,
        body: &Bytes,
        known: &Result<(Caller, Text), Fault>,
        peer: Peer,
        id: RequestId,
    ) -> Option<Note> {
        // Read as it is where requests find their operation: what means nothing there must hide nothing here.
        let target = request_head(head).target.map(str::to_owned);
        let operation = target.as_deref().and_then(|target| target.rsplit('.').next());
        if operation.is_some_and(|operation| !self.wants(operation)) {
            return None;
        }
        let caller = match known {
            Ok((caller, _)) => Ok(caller.clone()),
            Err(_) => Err(record::claimed(head)),
        };
        let trust = match &caller {
            Ok(caller) if !is_anonymous(caller) => Trust::Known,
            _ => Trust::Unknown,
        };
        let parameters = Parameters::of(target.is_some(), head.uri.query(), body, trust);
        let user_agent = head.headers.get("user-agent");
        let user_agent = user_agent.map(|agent| String::from_utf8_lossy(agent).into_owned());
        let asked = Asked { caller, address: peer.ip, user_agent, target, parameters, id };
        Some(Note { audit: Arc::clone(self), asked, told: None, is_answered: false, is_throttled: false })
    }

    /// Notes a request that is turned away because its caller makes too many. Of nobody in particular that is not worth a line.
    pub(crate) fn note_throttled(
        self: &Arc<Self>,
        head: &Head,
        body: &Bytes,
        known: &Result<(Caller, Text), Fault>,
        peer: Peer,
        id: RequestId,
    ) -> Option<Note> {
        let is_somebody = known.as_ref().is_ok_and(|(caller, _)| !is_anonymous(caller));
        let note = if is_somebody { self.note(head, body, known, peer, id) } else { None };
        note.map(|mut note| {
            note.is_throttled = true;
            note
        })
    }

    fn wants(&self, operation: &str) -> bool {
        self.data_calls || !DATA_CALLS.contains(&operation)
    }
}

fn is_anonymous(caller: &Caller) -> bool {
    caller.identity.as_ref().is_some_and(|identity| identity.principal.kind == Kind::Anonymous)
}

impl Note {
    /// The answer is there.
    pub(crate) fn answered(mut self, answer: &mut Response) {
        self.told = answer.told.take();
        self.is_answered = true;
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let audit = &self.audit;
        let named = self.told.as_ref().and_then(|told| told.operation).map(str::to_owned);
        let named = named.or_else(|| self.asked.parameters.action(self.asked.target.as_deref()));
        // What asks for nothing that anybody offers is a mistake of HTTP, not an act.
        let Some(operation) = named.filter(|operation| audit.wants(operation)) else { return };
        let parameters = if self.is_throttled { Value::Null } else { self.asked.parameters.shown() };
        let told = self.told.as_ref();
        let line = record::line(audit, &self.asked, parameters, &operation, told, self.is_answered);
        audit.ledger.write(line);
    }
}

#[cfg(test)]
mod tests;
