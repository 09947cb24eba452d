//! Every limit of the service, with the page of AWS's documentation that states it.
//!
//! Sources: "quotas" is *Amazon SQS message quotas / standard and FIFO queue quotas* of the developer guide, "API" the
//! API reference page of the operation named.

use crate::time::{Millis, Moment};

/// Characters of a queue name, `.fifo` included (quotas, "Queue name").
pub const QUEUE_NAME_CHARS: usize = 80;
/// How the name of every FIFO queue ends, and of no other (API CreateQueue).
pub const FIFO_SUFFIX: &str = ".fifo";

/// Longest DelaySeconds, of queues and messages (API CreateQueue, SendMessage).
pub const DELAY_SECONDS_MAX: u32 = 900;
/// Smallest MaximumMessageSize (API CreateQueue).
pub const MESSAGE_SIZE_MIN: u32 = 1024;
/// Largest and default MaximumMessageSize: one mebibyte (API CreateQueue).
pub const MESSAGE_SIZE_MAX: u32 = 1_048_576;
/// Bytes of all messages of a batch together (API SendMessageBatch).
pub const BATCH_SIZE_MAX: usize = 1_048_576;
/// Shortest MessageRetentionPeriod (API CreateQueue).
pub const RETENTION_SECONDS_MIN: u32 = 60;
/// Longest MessageRetentionPeriod: 14 days (API CreateQueue).
pub const RETENTION_SECONDS_MAX: u32 = 1_209_600;
/// MessageRetentionPeriod of a queue that names none: 4 days (API CreateQueue).
pub const RETENTION_SECONDS_DEFAULT: u32 = 345_600;
/// Longest ReceiveMessageWaitTimeSeconds and WaitTimeSeconds (API CreateQueue, ReceiveMessage).
pub const WAIT_SECONDS_MAX: u32 = 20;
/// Longest VisibilityTimeout, and the longest that a message may stay in flight: 12 hours (API ChangeMessageVisibility).
pub const VISIBILITY_SECONDS_MAX: u32 = 43_200;
/// [`VISIBILITY_SECONDS_MAX`] as the queue counts.
pub const VISIBILITY_MAX: Millis = Millis::seconds(VISIBILITY_SECONDS_MAX);
/// VisibilityTimeout of a queue that names none (API CreateQueue).
pub const VISIBILITY_SECONDS_DEFAULT: u32 = 30;
/// Shortest KmsDataKeyReusePeriodSeconds (API CreateQueue).
pub const KMS_REUSE_SECONDS_MIN: u32 = 60;
/// Longest KmsDataKeyReusePeriodSeconds: 24 hours (API CreateQueue).
pub const KMS_REUSE_SECONDS_MAX: u32 = 86_400;
/// KmsDataKeyReusePeriodSeconds of an encrypted queue that names none (API CreateQueue).
pub const KMS_REUSE_SECONDS_DEFAULT: u32 = 300;
/// Characters of KmsMasterKeyId: of whatever names a KMS key (API Encrypt of AWS KMS, KeyId).
pub const KMS_KEY_CHARS: usize = 2048;
/// Least maxReceiveCount of a redrive policy (quotas).
pub const MAX_RECEIVE_COUNT_MIN: u32 = 1;
/// Greatest maxReceiveCount of a redrive policy (quotas).
pub const MAX_RECEIVE_COUNT_MAX: u32 = 1000;
/// Bytes of a redrive policy and of a redrive allow policy (ours; AWS states none).
pub const REDRIVE_BYTES: usize = 8192;
/// Source queues that a redrive allow policy names at the most (API CreateQueue, RedriveAllowPolicy).
pub const REDRIVE_ALLOW_ARNS: usize = 10;

/// Entries of a batch (API SendMessageBatch).
pub const BATCH_ENTRIES: usize = 10;
/// Characters of a batch entry's id (API SendMessageBatchRequestEntry).
pub const BATCH_ID_CHARS: usize = 80;

/// Attributes of a message (quotas, "Message attributes").
pub const MESSAGE_ATTRIBUTES: usize = 10;
/// Characters of a message attribute's name (developer guide, *Message attribute components*).
pub const ATTRIBUTE_NAME_CHARS: usize = 256;
/// Characters of a message attribute's type, custom label included (developer guide, *Message attribute components*).
pub const ATTRIBUTE_TYPE_CHARS: usize = 256;
/// Characters of MessageGroupId, MessageDeduplicationId and ReceiveRequestAttemptId (API SendMessage, ReceiveMessage).
pub const ID_CHARS: usize = 128;

/// Messages that one receive hands out at the most (API ReceiveMessage).
pub const RECEIVE_MESSAGES: usize = 10;
/// Messages in flight in one queue (quotas, "In-flight messages").
pub const IN_FLIGHT: usize = 120_000;
/// Messages of a FIFO queue that a receive looks through for a free group (developer guide, *FIFO queues*).
pub const FIFO_WINDOW: usize = 120_000;
/// How long a deduplication id is remembered (API SendMessage).
pub const DEDUPLICATION: Millis = Millis::seconds(300);
/// How long a ReceiveRequestAttemptId is remembered (API ReceiveMessage).
pub const RECEIVE_ATTEMPT: Millis = Millis::seconds(300);
/// How long a name stays unusable after DeleteQueue (API DeleteQueue).
pub const RECREATE_WAIT: Millis = Millis::seconds(60);
/// How long PurgeQueue is refused after a PurgeQueue (API PurgeQueue).
pub const PURGE_WAIT: Millis = Millis::seconds(60);

/// Tags of a queue (quotas, "Tags").
pub const TAGS: usize = 50;
/// Characters of a tag's key (quotas, "Tags").
pub const TAG_KEY_CHARS: usize = 128;
/// Characters of a tag's value (quotas, "Tags").
pub const TAG_VALUE_CHARS: usize = 256;

/// Characters of a permission's label (API AddPermission).
pub const LABEL_CHARS: usize = 80;
/// Actions of one statement of a queue's policy, and so of one AddPermission (quotas, "Policies").
pub const STATEMENT_ACTIONS: usize = 7;
/// Principals of one statement of a queue's policy. AWS allows 50, and does not say of what: of a whole policy these may be more here.
pub const STATEMENT_PRINCIPALS: usize = 50;
/// Conditions of one statement of a queue's policy: keys that are compared. AWS allows 10 (quotas, "Policies"), and takes policies of 20
/// statements with one each.
pub const STATEMENT_CONDITIONS: usize = 10;
/// Bytes of a queue's policy (quotas, "Policies").
pub const POLICY_BYTES: usize = 8192;
/// Statements of a queue's policy (quotas, "Policies").
pub const POLICY_STATEMENTS: usize = 20;

/// Names in one page of a list (API ListQueues, ListDeadLetterSourceQueues).
pub const PAGE_NAMES: usize = 1000;
/// Move tasks that ListMessageMoveTasks shows at the most (API ListMessageMoveTasks).
pub const MOVE_TASKS: usize = 10;
/// Fastest rate of a move task (API StartMessageMoveTask).
pub const MOVES_PER_SECOND_MAX: u32 = 500;
/// Move tasks of an account that run at once (quotas, "Message move tasks").
pub const ACTIVE_MOVES: usize = 100;
/// Messages of a standard queue that are kept ready to be received; what waits behind them costs disk, not memory (ours).
///
/// What the journal says follows from this number and from [`FIFO_WINDOW`], so it notes both; journals that do not are of the first
/// release, and mean 10,000 and 120,000.
pub const WINDOW: usize = 10_000;
/// Messages that go to a cold file, or come from one, at once (ours).
pub const FRAME_MESSAGES: usize = 2_000;
/// Messages of a standard queue that may be delayed at once; each costs memory (ours).
pub const DELAYED: usize = 1_000_000;
/// Sent messages that a FIFO queue remembers at once, for their five minutes; each costs memory (ours).
pub const REMEMBERED: usize = 16_000_000;
/// Receive attempts with an id that a FIFO queue remembers at once, likewise; each names up to ten messages (ours).
pub const ATTEMPTS: usize = 1_000_000;
/// Payload bytes beyond which a frame of a cold file takes no more messages (ours).
pub const FRAME_BYTES: usize = 256 << 10;
/// From so many receives without a deletion on, a standard queue's message goes to the back (developer guide, *Amazon SQS
/// visibility timeout*).
pub const RECEIVES_IN_PLACE: u32 = 3;
/// Until when numbers of messages follow the clock: the year 2248 (ours). Shifted by [`NUMBER_BITS`] it is half of what a journal may say,
/// so that there is room for all who come later.
pub const NUMBERED_UNTIL: Moment = Moment(1 << 43);
/// How far a moment is shifted to be a message's number: more messages than one shard ever takes in a millisecond (ours).
pub const NUMBER_BITS: u32 = 16;
/// Bytes of facts that wait for the disk beyond which move tasks pause (ours).
pub const OPEN_FACTS: usize = 4 << 20;
/// Move tasks remembered per source queue, ended ones included (API ListMessageMoveTasks).
pub const MOVES_LISTED: usize = 10;
/// Messages that a move task without a rate moves at once, so that others get their turn in between (ours).
pub const MOVES_PER_STEP: u64 = 100;
/// Dead letters that one receive moves away before it lets others have their turn (ours).
pub const MOVES_PER_RECEIVE: usize = 1000;

/// Messages on their way to one other shard, beyond which none leaves for it: what is not yet there is in memory here (ours).
pub const OUTBOX: usize = 2_000;
/// How long the way to another shard may be full without a message arriving there, until standard queues hand out what should go
/// there once more (ours).
pub const OUTBOX_PATIENCE: Millis = Millis::seconds(1);
/// Groups of a FIFO queue that wait each by itself for such a way; with more the whole queue waits (ours).
pub const STOPPED_GROUPS: usize = 1_000;
/// Messages that are offered to another shard at once (ours).
pub const TRANSFER_MESSAGES: usize = 500;
/// Payload bytes beyond which an offer to another shard takes no more messages (ours).
pub const TRANSFER_BYTES: usize = 2 << 20;

/// Messages in flight from which a tenant of a fair queue can be noisy (developer guide, *Fair queues*).
pub const NOISY_IN_FLIGHT: u64 = 30;
/// A tenant is noisy above one part in this many of the messages in flight (developer guide, *Fair queues*).
pub const NOISY_SHARE: u64 = 10;

const _: () = {
    assert!(MESSAGE_SIZE_MIN < MESSAGE_SIZE_MAX);
    // A message of the largest size fits into a batch of one.
    assert!(MESSAGE_SIZE_MAX as usize <= BATCH_SIZE_MAX);
    assert!(
        RETENTION_SECONDS_MIN <= RETENTION_SECONDS_DEFAULT
            && RETENTION_SECONDS_DEFAULT <= RETENTION_SECONDS_MAX
    );
    assert!(VISIBILITY_SECONDS_DEFAULT <= VISIBILITY_SECONDS_MAX);
    assert!(
        KMS_REUSE_SECONDS_MIN <= KMS_REUSE_SECONDS_DEFAULT
            && KMS_REUSE_SECONDS_DEFAULT <= KMS_REUSE_SECONDS_MAX
    );
    assert!(MAX_RECEIVE_COUNT_MIN >= 1 && MAX_RECEIVE_COUNT_MIN <= MAX_RECEIVE_COUNT_MAX);
    // One receive always fits into a batch request that deletes what it gave.
    assert!(RECEIVE_MESSAGES <= BATCH_ENTRIES);
    assert!(FIFO_SUFFIX.len() < QUEUE_NAME_CHARS);
    // A group that is noisy by number can be noisy by share.
    assert!(NOISY_IN_FLIGHT < IN_FLIGHT as u64 / NOISY_SHARE);
};
