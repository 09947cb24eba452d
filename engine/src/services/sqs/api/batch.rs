//! What the batch operations have in common: the checks of the whole, and the merge of outcomes in entry order.

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::sqs::BatchResultErrorEntry;

use crate::services::sqs::{faults, limits};

/// The entries of a batch in order: an id, and what is known before the state machine has answered. Those that failed
/// never reach it.
pub(super) type Entries<T> = Vec<(Text, Result<T, Fault>)>;

/// Checks the number of entries and their ids; `entry` is the entry's name in the Query dialect.
pub(super) fn check<'a>(
    entry: &str,
    ids: impl ExactSizeIterator<Item = &'a Text> + Clone,
) -> Result<(), Fault> {
    let count = ids.len();
    if count == 0 {
        return Err(faults::empty_batch(entry));
    }
    if count > limits::BATCH_ENTRIES {
        return Err(faults::too_many_entries(count));
    }
    if !ids.clone().all(|id| is_batch_id(id)) {
        return Err(faults::invalid_batch_id());
    }
    for (at, id) in ids.clone().enumerate() {
        // At most ten, so comparing each with those before costs less than a set.
        if ids.clone().take(at).any(|before| before == id) {
            return Err(faults::batch_ids_not_distinct(id));
        }
    }
    Ok(())
}

fn is_batch_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !id.is_empty() && id.len() <= limits::BATCH_ID_CHARS && id.bytes().all(plain)
}

/// Splits the entries into successes and failures: `outcomes` belong to the entries that reached the state machine.
pub(super) fn merge<T, O, S>(
    entries: Entries<T>,
    outcomes: Vec<Result<O, Fault>>,
    success: impl Fn(Text, T, O) -> S,
) -> (Vec<S>, Vec<BatchResultErrorEntry>) {
    let mut outcomes = outcomes.into_iter();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, checked) in entries {
        let outcome = checked.and_then(|known| {
            let missing = || Err(super::internal("The answer does not fit the request."));
            outcomes.next().unwrap_or_else(missing).map(|outcome| (known, outcome))
        });
        match outcome {
            Ok((known, outcome)) => successful.push(success(id, known, outcome)),
            Err(fault) => failed.push(failure(id, fault)),
        }
    }
    (successful, failed)
}

/// An entry's fault as AWS lists it: under its Query code in either dialect.
fn failure(id: Text, fault: Fault) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id,
        sender_fault: fault.kind.sender,
        code: Text::from_static(fault.kind.code),
        message: Some(Text::from(fault.message.into_owned())),
    }
}
