//! SendMessage.

use kew_engine::services::sqs;
use kew_engine::services::sqs::command::Receipt;
use kew_engine::time::{Millis, Moment};
use kew_wire::fault::Fault;

use super::queue::{FIVE_MINUTES, Message, Queue, Remembered, State};
use super::{Model, Violation, ensure, expect_fault, expect_kind};
use crate::operation::{Name, Outgoing};

/// The kinds of fault for a parameter that is missing or not as it must be.
const REFUSED: [&str; 2] = ["InvalidParameterValueException", "MissingRequiredParameterException"];

impl Model {
    pub(super) fn sent(
        &mut self,
        name: Name,
        messages: &[Outgoing],
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let (now, (delayed, remembered)) = (self.now, self.room);
        let queue = self.queue(name)?;
        if queue.fifo && queue.remembered.len() + messages.len() > remembered {
            self.mark("a sender is slowed down");
            return expect_fault(reply, &["ThrottlingException"]);
        }
        let outcomes = match reply {
            Ok(sqs::Reply::Sent(outcomes)) => outcomes,
            // A FIFO batch in which an entry lacks a parameter is refused as a whole.
            Err(fault) if self.queue(name)?.fifo => {
                let queue = self.queue(name)?;
                let lacks = |outgoing: &&Outgoing| queue.refuses(outgoing);
                ensure!(messages.iter().any(|o| lacks(&o)), "expected receipts, got {fault:?}");
                return expect_kind(fault, &REFUSED);
            }
            other => return Err(format!("expected receipts, got {other:?}")),
        };
        ensure!(
            outcomes.len() == messages.len(),
            "{} outcomes for {} messages",
            outcomes.len(),
            messages.len()
        );
        for (outgoing, outcome) in messages.iter().zip(outcomes) {
            let queue = self.queue(name)?;
            if queue.refuses(outgoing) {
                match outcome {
                    Err(fault) => expect_kind(fault, &REFUSED)?,
                    Ok(receipt) => {
                        return Err(format!("expected a refusal of #{}, got {receipt:?}", outgoing.body));
                    }
                }
                continue;
            }
            if queue.delay(outgoing).0 > 0 && !queue.fifo && queue.count(State::Delayed, now) >= delayed {
                self.mark("a sender is slowed down");
                match outcome {
                    Err(fault) => expect_kind(fault, &["ThrottlingException"])?,
                    Ok(receipt) => {
                        return Err(format!("{delayed} messages are delayed, and one more is: {receipt:?}"));
                    }
                }
                continue;
            }
            let receipt = match outcome {
                Ok(receipt) => receipt,
                Err(fault) => return Err(format!("expected a receipt of #{}, got {fault:?}", outgoing.body)),
            };
            if queue.accept(outgoing, receipt, now)? {
                ensure!(self.ids.insert(receipt.id), "the id of #{} was given out before", outgoing.body);
            } else {
                self.mark("a duplicate is recognised");
            }
        }
        Ok(())
    }
}

impl Queue {
    /// How long a message is delayed; on a FIFO queue that is the queue's matter.
    fn delay(&self, outgoing: &Outgoing) -> Millis {
        outgoing.delay.filter(|_| !self.fifo).unwrap_or(Millis::seconds(self.attributes.delay))
    }

    fn refuses(&self, outgoing: &Outgoing) -> bool {
        let lacks = self.fifo && self.dedup_key(outgoing).is_none();
        lacks || outgoing.size > self.attributes.maximum_size as usize
    }

    /// Takes in a message; false if it is a duplicate.
    fn accept(&mut self, outgoing: &Outgoing, receipt: &Receipt, now: Moment) -> Result<bool, Violation> {
        let key = if self.fifo { self.dedup_key(outgoing) } else { None };
        if let Some(key) = &key
            && let Some(first) = self.remembers(key, outgoing.group.as_ref())
        {
            ensure!(
                first.id == receipt.id && first.sequence == receipt.sequence,
                "#{} is a duplicate of {:02x?} (sequence {:?}), got {receipt:02x?}",
                outgoing.body,
                first.id,
                first.sequence
            );
            return Ok(false);
        }
        if self.fifo {
            let last = self.messages.iter().filter_map(|message| message.sequence).max();
            ensure!(receipt.sequence > last, "sequence {:?} after {last:?}", receipt.sequence);
        } else {
            ensure!(receipt.sequence.is_none(), "a sequence number on a standard queue: {receipt:?}");
        }
        if let Some(key) = key {
            self.remembered.push(Remembered {
                key,
                group: outgoing.group.clone(),
                until: now + FIVE_MINUTES,
                id: receipt.id,
                sequence: receipt.sequence,
            });
        }
        let delay = self.delay(outgoing);
        self.arrive(Message {
            id: receipt.id,
            body: outgoing.body,
            size: outgoing.size,
            payload: None,
            order: 0,
            plain: delay.0 == 0,
            group: outgoing.group.clone(),
            sequence: receipt.sequence,
            sent: now,
            kept_from: now,
            delayed_until: (delay.0 > 0).then_some(now + delay),
            lease: None,
            receives: 0,
            first_received: None,
            brought: 0,
            repeated: false,
            source: None,
            handles: Vec::new(),
        });
        Ok(true)
    }
}
