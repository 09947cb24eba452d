//! DeleteMessage and ChangeMessageVisibility, alone and in batches.

use kew_engine::services::sqs;
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::queue::{Lease, Queue, State};
use super::{Model, Violation, ensure, expect_kind};
use crate::operation::Name;

/// The longest time from a receive to the end of its lease.
const TWELVE_HOURS: Millis = Millis::seconds(43_200);

/// What a handle leads to.
enum Found {
    /// It was never given out for this queue.
    Unknown,
    /// Its message is gone.
    Gone,
    /// The message at this position: whether the handle is of its last receive, and whether that one still holds.
    Message { at: usize, latest: bool, holds: bool },
}

impl Model {
    pub(super) fn deleted(
        &mut self,
        name: Name,
        handles: &[Text],
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let now = self.now;
        self.mark("handles are deleted");
        let mut deleted = Vec::new();
        for (handle, outcome) in handles.iter().zip(entries(reply, handles.len())?) {
            let old = self.old_handles.get(handle) == Some(&name);
            let queue = self.queue(name)?;
            match queue.find(handle, now) {
                Found::Unknown if old => {}
                // The entries of a batch have no order among themselves.
                Found::Gone if queue.handles.get(handle).is_some_and(|id| deleted.contains(id)) => {}
                Found::Unknown => refused(outcome, &["ReceiptHandleIsInvalid"])?,
                Found::Gone => accepted(outcome)?,
                Found::Message { holds: false, .. } if queue.fifo => {
                    refused(outcome, &["InvalidParameterValueException"])?;
                }
                // AWS: an older handle's delete succeeds, but the message is not deleted.
                Found::Message { latest: false, .. } => accepted(outcome)?,
                Found::Message { at, .. } => {
                    accepted(outcome)?;
                    deleted.push(queue.messages.remove(at).id);
                }
            }
        }
        Ok(())
    }

    pub(super) fn visibility_changed(
        &mut self,
        name: Name,
        changes: &[(Text, u32)],
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let now = self.now;
        for ((handle, seconds), outcome) in changes.iter().zip(entries(reply, changes.len())?) {
            let old = self.old_handles.get(handle) == Some(&name);
            let queue = self.queue(name)?;
            match queue.find(handle, now) {
                Found::Unknown if old => {}
                Found::Unknown => refused(outcome, &["ReceiptHandleIsInvalid"])?,
                Found::Gone => refused(outcome, &["InvalidParameterValueException"])?,
                Found::Message { latest: false, .. } if queue.fifo => {
                    refused(outcome, &["MessageNotInflight", "InvalidParameterValueException"])?;
                }
                Found::Message { at, holds, .. } => {
                    queue.change_visibility(at, holds, Millis::seconds(*seconds), now, outcome)?;
                }
            }
        }
        Ok(())
    }
}

impl Queue {
    fn find(&self, handle: &Text, now: Moment) -> Found {
        let Some(id) = self.handles.get(handle) else { return Found::Unknown };
        let Some(at) = self.position(id) else { return Found::Gone };
        let message = &self.messages[at];
        if !message.handles.contains(handle) {
            // The message left the queue and came back: the handle is of its earlier stay.
            return Found::Gone;
        }
        let latest = message.handles.last() == Some(handle);
        let holds = latest && self.state(message, now) == State::InFlight;
        Found::Message { at, latest, holds }
    }

    fn change_visibility(
        &mut self,
        at: usize,
        holds: bool,
        timeout: Millis,
        now: Moment,
        outcome: &Result<(), Fault>,
    ) -> Result<(), Violation> {
        let fifo = self.fifo;
        let message = &mut self.messages[at];
        let Some(lease) = message.lease else { return Err("a handle without a lease".to_owned()) };
        if fifo && !holds {
            return refused(outcome, &["MessageNotInflight", "InvalidParameterValueException"]);
        }
        // A standard queue takes any handle that the message ever had, also after its timeout.
        if now + timeout > lease.began + TWELVE_HOURS {
            return refused(outcome, &["InvalidParameterValueException"]);
        }
        accepted(outcome)?;
        message.lease = Some(Lease { began: lease.began, until: now + timeout });
        // A receive attempt is not repeated once one of its messages was changed.
        let id = message.id;
        self.attempts.retain(|attempt| attempt.given.iter().all(|(given, _)| *given != id));
        Ok(())
    }
}

fn entries(reply: &Result<sqs::Reply, Fault>, count: usize) -> Result<&[Result<(), Fault>], Violation> {
    match reply {
        Ok(sqs::Reply::Entries(outcomes)) if outcomes.len() == count => Ok(outcomes),
        other => Err(format!("expected {count} outcomes, got {other:?}")),
    }
}

fn accepted(outcome: &Result<(), Fault>) -> Result<(), Violation> {
    ensure!(outcome.is_ok(), "expected success, got {outcome:?}");
    Ok(())
}

fn refused(outcome: &Result<(), Fault>, kinds: &[&str]) -> Result<(), Violation> {
    match outcome {
        Err(fault) => expect_kind(fault, kinds),
        Ok(()) => Err(format!("expected {}, got success", kinds.join(" or "))),
    }
}
