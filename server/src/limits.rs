//! Every bound of the server in one place.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest request body. AWS takes 1 MiB of message bytes; JSON can spell one byte as six (`\u0001`), a form as three, so a
/// legal batch may need six times its size on the wire, plus its attributes and ids.
pub(crate) const BODY_BYTES: usize = 6 * MESSAGE_BYTES + 512 * 1024;

/// AWS's limit for a message, and for the messages of one batch together.
pub(crate) const MESSAGE_BYTES: usize = 1024 * 1024;

/// A body that is too long is read and thrown away up to this length, so that its sender reads the refusal and keeps the
/// connection; beyond it the connection is closed.
pub(crate) const DRAIN_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of all bodies of one worker that are being read or waiting for their answer; more are refused as throttled.
pub(crate) const BODIES_BYTES: usize = 256 * 1024 * 1024;

/// The part of them that bodies of strangers may take where there are access keys: those whose head already says that nobody known
/// has signed it. So strangers, whatever they send, keep only each other out.
pub(crate) const STRANGERS_BYTES: usize = 32 * 1024 * 1024;

/// A shorter body takes so little room that nobody asks whose it is before it has been read.
pub(crate) const SMALL_BODY_BYTES: u64 = 4096;

/// The bytes of a request's head, and the read buffer of a connection.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Headers of one request.
pub(crate) const HEADERS: usize = 100;

/// How long a new connection may take to send the head of its first request.
pub(crate) const FIRST_HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a connection may take to send the head of its next request, and so how long it may idle.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(75);

/// How long a connection is still read from behind its last answer, so that this is not taken back with it.
pub(crate) const LINGER_TIME: Duration = Duration::from_secs(2);

/// How long a body may take to arrive.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(60);

/// A body of which less than this comes in [`BODY_PACE_TIME`] loses its place before its time is over.
pub(crate) const BODY_PACE_BYTES: usize = 4 * 1024;

/// See [`BODY_PACE_BYTES`].
pub(crate) const BODY_PACE_TIME: Duration = Duration::from_secs(10);

/// How long a peer may take for each part of an answer of so many bytes, before its connection is closed.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(60);

/// See [`ANSWER_TIME`].
pub(crate) const ANSWER_PART: usize = 64 * 1024;

/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How often the files of TLS are looked at.
pub(crate) const TLS_LOOK: Duration = Duration::from_secs(5);

/// HTTP/2's requests at once on one connection.
pub(crate) const STREAMS: u32 = 128;

/// HTTP/2's requests at once that one worker holds, on all its connections; more are refused. HTTP/1.1's are bounded by
/// [`CONNECTIONS`].
pub(crate) const STREAMS_HELD: u64 = 16_384;

/// HTTP/2's requests that a peer may break off before we have looked at them; beyond that the connection is closed.
pub(crate) const RESET_STREAMS: usize = 32;

/// HTTP/2's requests that we break off for a peer's errors, such as more at once than [`STREAMS`]; beyond that the connection is
/// closed.
pub(crate) const REFUSED_STREAMS: usize = 256;

/// Bytes of one request's body that HTTP/2 lets a peer send before we have read them, and of all on one connection.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// See [`STREAM_WINDOW`].
pub(crate) const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How often HTTP/2 asks a peer whether it lives, and how long that may take to answer.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);
/// See [`PING_INTERVAL`].
pub(crate) const PING_TIME: Duration = Duration::from_secs(20);

/// Connections open at once from one address that is not this machine's, unless an operator says otherwise; more are closed at once.
/// Many callers can stand behind one address.
pub(crate) const CONNECTIONS_PER_ADDRESS: u32 = 4096;

/// Access keys, and addresses, whose rates are remembered, where rates are limited; twice as many at most.
pub(crate) const RATES_KEPT: usize = 32_768;

/// Records of the audit log that wait to be written; more are lost, and counted.
pub(crate) const AUDIT_RECORDS: usize = 8192;

/// Bytes of such records, likewise.
pub(crate) const AUDIT_WAITING_BYTES: usize = 64 << 20;

/// Bytes of the audit log that are written at once, about.
pub(crate) const AUDIT_BATCH_BYTES: usize = 256 * 1024;

/// How often it is looked whether the audit log's file was moved, at least.
pub(crate) const AUDIT_LOOK: Duration = Duration::from_secs(1);

/// How long to wait before a failed write of the audit log is tried again.
pub(crate) const AUDIT_RETRY: Duration = Duration::from_millis(500);

/// Connections open at once, if the system allows as many files; more wait in the kernel's backlog.
pub(crate) const CONNECTIONS: usize = 16_384;

/// The last of them are for this machine's own callers: others' are closed at once then. So its operator, and whoever watches its
/// health, gets through.
pub(crate) const CONNECTIONS_KEPT: usize = 64;

/// Connections that the kernel keeps for us until we accept them.
pub(crate) const BACKLOG: u32 = 4096;

/// Requests that wait for a shard to take them up; more are refused as throttled.
pub(crate) const MAILBOX: usize = 8192;

/// Requests at once that concern several shards, which are finished even if their callers go away; more are refused as throttled.
pub(crate) const SEVERAL: usize = 1024;

/// Requests that a shard takes up before it looks at its other duties.
pub(crate) const TAKE: usize = 256;

/// Bytes that may gather in a shard's open batch while the disk is busy with the one before; more are refused as throttled.
pub(crate) const OPEN_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// The longest that a runner sleeps while a deadline lies ahead: the wall's clock may be set forward meanwhile.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The length of all shards' journals together beyond which their oldest parts are retired, unless an operator says otherwise.
pub(crate) const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// What an operator may say.
pub(crate) const JOURNAL_BYTES_ALLOWED: RangeInclusive<u64> = 1 << 20..=64 << 30;

/// The journal is at least so many times as long as a snapshot before its oldest part is retired, so that snapshots stay a small part of
/// all that is written. FIFO queues' are long, for what they remember.
pub(crate) const SNAPSHOT_SHARE: u64 = 8;

/// The same where most of what was retired last still waits: then the journal's length costs memory, and what is written for a message
/// is more anyhow.
pub(crate) const SNAPSHOT_SHARE_WAITING: u64 = 3;

/// How long a retirement works before it rests, about; and for how many times as long as it has worked. It uses up to a processor and
/// the disk's whole attention, and most of it is not urgent.
pub(crate) const RETIRE_WORK: Duration = Duration::from_millis(1);
/// See [`RETIRE_WORK`].
pub(crate) const RETIRE_REST: u32 = 2;
/// The longest such rest.
pub(crate) const RETIRE_REST_LONGEST: Duration = Duration::from_millis(50);

/// One file of a shard's journal that is retired beyond `journal_bytes`.
pub(crate) fn segment_bytes(journal_bytes: u64) -> u64 {
    (journal_bytes / 8).clamp(256 * 1024, 64 * 1024 * 1024)
}

/// Files of a journal that are kept when their content is over, to be written again: that syncs faster than a file that grows. With
/// what is left after a retirement they make up the journal's bound.
pub(crate) const SPARE_SEGMENTS: usize = 6;

/// One shard's part of the bound for all journals, of `shards`.
pub(crate) fn journal_share(journal_bytes: u64, shards: u32) -> u64 {
    (journal_bytes / u64::from(shards.max(1))).max(*JOURNAL_BYTES_ALLOWED.start())
}

/// Folders of shards in a data directory. Each costs threads and memory.
pub(crate) const SHARD_FOLDERS: u32 = kew_journal::disk::MOST_SHARDS;

/// How long messages for another shard wait when that is busy, and when it is being opened again.
pub(crate) const TRANSFER_RETRY: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(200));

/// What was written lately and is kept in memory for those who receive it, in all shards together.
pub(crate) const RECENT_BYTES: usize = 32 * 1024 * 1024;

/// How long a full disk waits between two retirements that may free some of it.
pub(crate) const RETIRE_WHEN_FULL: Duration = Duration::from_secs(2);

/// Room below which sends are refused, so that receives and deletes keep room for their own records.
pub(crate) const DISK_RESERVE: u64 = 32 * 1024 * 1024;

/// How often free disk space is looked at while the journal grows.
pub(crate) const DISK_LOOK: Duration = Duration::from_millis(500);

/// So many bytes are appended at most before it is looked again, however fast they come.
pub(crate) const DISK_LOOK_BYTES: u64 = DISK_RESERVE / 16;

/// How long the server waits before it opens the journal again after a failure, first and at most.
pub(crate) const REOPEN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long a stopping server waits for connections to take their answers.
pub(crate) const STOP_TIME: Duration = Duration::from_secs(5);

/// Users, roles and access keys that a data directory holds, of each.
pub(crate) const IDENTITIES: usize = 5000;

/// Access keys of one user, so that a forgotten rotation does not gather keys without end. (AWS allows two.)
pub(crate) const USER_KEYS: usize = 8;

/// Policies of one user or role.
pub(crate) const IDENTITY_POLICIES: usize = 20;

/// Characters of one policy's document: what AWS allows for all of a role's together.
pub(crate) const POLICY_CHARS: usize = 10_240;

/// Tags of a user, role or session, and the characters of their keys and values (AWS's).
pub(crate) const TAGS: usize = 50;
pub(crate) const TAG_KEY_CHARS: usize = 128;
pub(crate) const TAG_VALUE_CHARS: usize = 256;

/// Characters of a secret access key that an operator brings: one that is shorter can be guessed from a request that it signed.
pub(crate) const SECRET_CHARS: RangeInclusive<usize> = 16..=128;

/// The longest session that a role may allow, in seconds (AWS's).
pub(crate) const MAX_SESSION_SECONDS: RangeInclusive<u32> = 3600..=43_200;

/// Characters of a session's token (AWS's).
pub(crate) const TOKEN_BYTES: usize = 4096;

/// Sessions whose tokens are kept opened.
pub(crate) const SESSIONS: usize = 4096;

/// How often a running server looks whether a command has changed the identities.
pub(crate) const IDENTITIES_LOOK: Duration = Duration::from_millis(500);

const _: () = {
    assert!(BODY_BYTES >= 6 * MESSAGE_BYTES);
    assert!(DRAIN_BYTES > BODY_BYTES as u64);
    assert!(BODIES_BYTES >= 8 * BODY_BYTES);
    // A stranger's longest body fits, and strangers' bodies leave most of the room to others.
    assert!(STRANGERS_BYTES >= BODY_BYTES && STRANGERS_BYTES <= BODIES_BYTES / 4);
    // Small ones on all connections leave room, too.
    assert!(CONNECTIONS * SMALL_BODY_BYTES as usize <= BODIES_BYTES / 4);
    assert!(CONNECTIONS_KEPT < CONNECTIONS);
    // One request more than allowed, and what the engine writes beside it, still fits into what the journal takes at once.
    assert!((OPEN_BATCH_BYTES + 2 * BODY_BYTES) as u64 <= kew_journal::MAX_BATCH_BYTES);
};
