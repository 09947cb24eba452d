//! A data key, and how a message's payload looks under it.
//!
//! ```text
//! SEALED (1)  whose key wraps the data key (1)
//!   1, Kew's own:  its number (4), salt (16)
//!   2, a KMS key:  length (varint) and ARN of the queue, length (varint) and the wrapped data key
//! number of the message under its data key (8)  AES-256-GCM ciphertext, tag (16)
//! ```
//!
//! What stands before the message's number is the *head*. It is the same for all messages of a data key, is authenticated with each,
//! and is all that is needed to get the data key back.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce};
use bytes::Bytes;
use kew_engine::codec::{Put, Take};
use kew_engine::services::kms;
use kew_engine::services::sqs::message::SEALED;
use kew_engine::time::Moment;
use kew_wire::Text;
use zeroize::Zeroizing;

use crate::vault::aes_256_gcm;

/// A data key is used for so many messages at most. GCM's bound for nonces that are counted is far beyond.
const MESSAGES: u64 = 1 << 32;

const NUMBER: usize = 8;

/// What wraps a data key. A tag is never reused.
mod wrap {
    pub(super) const OWN: u8 = 1;
    pub(super) const KMS: u8 = 2;
}

/// How a data key is got back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrapped {
    /// It is derived from one of Kew's own keys.
    Own {
        /// Which one.
        number: u32,
        /// Makes it another data key than all before.
        salt: [u8; 16],
    },
    /// A KMS key encrypted it.
    Kms {
        /// The queue, by its ARN: the encryption context.
        queue: Text,
        /// What KMS gave.
        blob: Bytes,
    },
}

impl Wrapped {
    fn head(&self) -> Vec<u8> {
        let mut head = vec![SEALED];
        match self {
            Self::Own { number, salt } => {
                head.put_u8(wrap::OWN);
                head.put_raw(&number.to_le_bytes());
                head.put_raw(salt);
            }
            Self::Kms { queue, blob } => {
                head.put_u8(wrap::KMS);
                head.put_bytes(queue.as_bytes());
                head.put_bytes(blob);
            }
        }
        head
    }

    /// The encryption context of a queue's data keys (AWS: *Amazon SQS key management*).
    pub(crate) fn context(queue: &Text) -> Vec<(Text, Text)> {
        vec![(Text::from_static("aws:sqs:arn"), queue.clone())]
    }
}

/// A data key that encrypts.
///
/// **Nonces.** A data key is born in this process, never read back to encrypt again, and counts its messages, whichever thread or shard
/// they are for: the count is the nonce. So under one key no nonce comes twice, also not after a restart, which begins with new keys.
pub(super) struct DataKey {
    head: Vec<u8>,
    key: LessSafeKey,
    used: AtomicU64,
    until: Moment,
    /// The KMS key that wraps it.
    by: Option<kms::Id>,
}

impl DataKey {
    /// One for use until then.
    pub(super) fn new(
        wrapped: &Wrapped,
        key: &Zeroizing<[u8; 32]>,
        until: Moment,
        by: Option<kms::Id>,
    ) -> Self {
        Self { head: wrapped.head(), key: aes_256_gcm(key), used: AtomicU64::new(0), until, by }
    }

    /// Whether it may still be used, if its messages shall be wrapped by the KMS key `by`.
    pub(super) fn is_fresh(&self, now: Moment, by: Option<kms::Id>) -> bool {
        now < self.until && self.by == by && self.used.load(Ordering::Relaxed) < MESSAGES
    }

    /// A payload, encrypted.
    pub(super) fn seal(&self, payload: &[u8]) -> Bytes {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let start = self.head.len() + NUMBER;
        let mut sealed = Vec::with_capacity(start + payload.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&self.head);
        sealed.extend_from_slice(&number.to_le_bytes());
        sealed.extend_from_slice(payload);
        let tag =
            self.key.seal_in_place_separate_tag(nonce(number), Aad::from(&self.head), &mut sealed[start..]);
        // It refuses only what is longer than 64 GiB.
        sealed.extend_from_slice(tag.expect("a message's length").as_ref());
        sealed.into()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..NUMBER].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// A payload that is encrypted, taken apart.
#[derive(Debug)]
pub(super) struct Sealed {
    /// How its data key is got back.
    pub(super) wrapped: Wrapped,
    /// The same for all messages of that data key.
    pub(super) head: Bytes,
    number: u64,
    content: Bytes,
}

impl Sealed {
    /// Takes a payload apart; `None` if its bytes make no sense.
    pub(super) fn parse(payload: &Bytes) -> Option<Self> {
        let mut take = Take::new(payload.clone());
        if take.u8().ok()? != SEALED {
            return None;
        }
        let wrapped = match take.u8().ok()? {
            wrap::OWN => {
                let number = u32::from_le_bytes(take.array().ok()?);
                Wrapped::Own { number, salt: take.array().ok()? }
            }
            wrap::KMS => Wrapped::Kms { queue: take.text().ok()?, blob: take.bytes().ok()? },
            _ => return None,
        };
        let head = payload.slice(..payload.len() - take.remaining());
        let number = u64::from_le_bytes(take.array().ok()?);
        let content = take.raw(take.remaining()).ok()?;
        Some(Self { wrapped, head, number, content })
    }

    /// The payload in plain; `None` if it is not what `key` encrypted.
    pub(super) fn open(&self, key: &LessSafeKey) -> Option<Bytes> {
        let mut content = self.content.to_vec();
        let length = key.open_in_place(nonce(self.number), Aad::from(&self.head), &mut content).ok()?.len();
        content.truncate(length);
        Some(content.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use super::*;
    use crate::vault::random;

    fn own() -> (Wrapped, Zeroizing<[u8; 32]>) {
        (Wrapped::Own { number: 1, salt: *random() }, random())
    }

    #[test]
    fn no_nonce_comes_twice_under_a_key_whatever_thread_uses_it() {
        let (wrapped, key) = own();
        let data_key = DataKey::new(&wrapped, &key, Moment::NEVER, None);
        let seen = Mutex::new(HashSet::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let numbers: Vec<u64> = (0..5000)
                        .map(|_| Sealed::parse(&data_key.seal(b"text")).expect("sealed").number)
                        .collect();
                    seen.lock().expect("no panic").extend(numbers);
                });
            }
        });
        assert_eq!(seen.into_inner().expect("no panic").len(), 20_000);
    }

    #[test]
    fn a_payload_opens_with_its_key_and_no_bit_of_it_can_be_changed() {
        let kms = Wrapped::Kms { queue: "arn:aws:sqs:r:1:q".into(), blob: Bytes::from_static(b"wrapped") };
        for wrapped in [own().0, kms] {
            let key = random();
            let payload = DataKey::new(&wrapped, &key, Moment::NEVER, None).seal(b"a message");
            assert!(!payload.windows(7).any(|window| window == b"message"));
            let sealed = Sealed::parse(&payload).expect("sealed");
            assert_eq!(sealed.wrapped, wrapped);
            assert_eq!(sealed.open(&aes_256_gcm(&key)).as_deref(), Some(&b"a message"[..]));
            assert!(sealed.open(&aes_256_gcm(&random())).is_none());
            for bit in 0..payload.len() * 8 {
                let mut changed = payload.to_vec();
                changed[bit / 8] ^= 1 << (bit % 8);
                let opened =
                    Sealed::parse(&changed.into()).and_then(|sealed| sealed.open(&aes_256_gcm(&key)));
                assert!(opened.is_none(), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_data_key_ends_with_its_time_its_wrapping_key_or_its_count() {
        let (wrapped, key) = own();
        let by = Some([1; 16]);
        let data_key = DataKey::new(&wrapped, &key, Moment(100), by);
        assert!(data_key.is_fresh(Moment(99), by));
        assert!(!data_key.is_fresh(Moment(100), by));
        assert!(!data_key.is_fresh(Moment(99), Some([2; 16])) && !data_key.is_fresh(Moment(99), None));
        data_key.used.store(MESSAGES, Ordering::Relaxed);
        assert!(!data_key.is_fresh(Moment(99), by));
    }
}
