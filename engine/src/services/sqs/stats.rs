//! Figures of a queue, as AWS's CloudWatch metrics name them.

use super::command::QueueKey;
use crate::time::Moment;

/// One queue's figures. The counters start at zero when the process does.
#[derive(Debug, Clone)]
pub struct QueueStats {
    /// Which queue.
    pub key: QueueKey,
    /// ApproximateNumberOfMessagesVisible.
    pub visible: u64,
    /// ApproximateNumberOfMessagesNotVisible.
    pub in_flight: u64,
    /// ApproximateNumberOfMessagesDelayed.
    pub delayed: u64,
    /// When the oldest message was sent, for ApproximateAgeOfOldestMessage.
    pub oldest: Option<Moment>,
    /// Groups with messages in flight, for ApproximateNumberOfGroupsWithInflightMessages (FIFO).
    pub groups_in_flight: u64,
    /// Groups that count as noisy, for ApproximateNumberOfNoisyGroups (fair queues).
    pub noisy_groups: u64,
    /// Visible messages of quiet groups, for ApproximateNumberOfMessagesVisibleInQuietGroups (fair queues).
    pub visible_quiet: u64,
    /// In-flight messages of quiet groups (fair queues).
    pub in_flight_quiet: u64,
    /// Delayed messages of quiet groups (fair queues).
    pub delayed_quiet: u64,
    /// When the oldest visible message of a quiet group was sent (fair queues).
    pub oldest_quiet: Option<Moment>,
    /// Messages of which memory knows: those that are soon to be received, delayed, in flight, came back, or have just been sent.
    pub in_memory: u64,
    /// Deduplication ids and receive attempts remembered (FIFO); each costs memory for five minutes.
    pub remembered: u64,
    /// Totals since start.
    pub totals: Totals,
}

/// What a queue did since the process started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// NumberOfMessagesSent.
    pub sent: u64,
    /// Bytes of those, for SentMessageSize.
    pub sent_bytes: u64,
    /// NumberOfMessagesReceived.
    pub received: u64,
    /// NumberOfMessagesDeleted.
    pub deleted: u64,
    /// NumberOfEmptyReceives.
    pub empty_receives: u64,
    /// NumberOfDeduplicatedSentMessages.
    pub deduplicated: u64,
    /// Messages that retention removed.
    pub expired: u64,
    /// Messages moved away by redrive or by a move task.
    pub moved: u64,
}
