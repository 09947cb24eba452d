//! Receipt handles: which lease of which message of which queue, sealed so that nobody can make one up.

use base64_simd::STANDARD;
use core::hash::Hasher;
use kew_wire::Text;
use siphasher::sip::SipHasher24;

/// Bytes of a handle: version, queue, message, lease, seal.
const LENGTH: usize = 1 + 8 + 8 + 4 + 8;
const VERSION: u8 = 1;

/// What a receipt handle says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) queue: u64,
    pub(super) seq: u64,
    /// Which receive of the message this was, from 1.
    pub(super) lease: u32,
}

impl Handle {
    /// The handle as callers see it.
    pub(super) fn seal(self, secret: u128) -> Text {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.queue.to_le_bytes());
        bytes[9..17].copy_from_slice(&self.seq.to_le_bytes());
        bytes[17..21].copy_from_slice(&self.lease.to_le_bytes());
        let seal = mac(secret, &bytes[..21]);
        bytes[21..].copy_from_slice(&seal.to_le_bytes());
        STANDARD.encode_to_string(bytes).into()
    }

    /// Reads a handle that this shard sealed; `None` for anything else.
    pub(super) fn open(text: &str, secret: u128) -> Option<Self> {
        // Room for what the text's length may decode to: a forged one may lack the padding.
        let mut buffer = [0; LENGTH.next_multiple_of(3)];
        if text.len() != STANDARD.encoded_length(LENGTH) {
            return None;
        }
        let bytes = STANDARD.decode(text.as_bytes(), base64_simd::Out::from_slice(&mut buffer)).ok()?;
        if bytes.len() != LENGTH || bytes[0] != VERSION {
            return None;
        }
        let seal = u64::from_le_bytes(bytes[21..].try_into().ok()?);
        // A word compares in constant time.
        (seal == mac(secret, &bytes[..21])).then_some(Self {
            queue: u64::from_le_bytes(bytes[1..9].try_into().ok()?),
            seq: u64::from_le_bytes(bytes[9..17].try_into().ok()?),
            lease: u32::from_le_bytes(bytes[17..21].try_into().ok()?),
        })
    }
}

fn mac(secret: u128, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(&secret.to_le_bytes());
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle { queue: 7, seq: 1 << 40, lease: 3 };

    #[test]
    fn a_sealed_handle_opens_under_its_secret_alone() {
        let text = HANDLE.seal(99);
        assert_eq!(Handle::open(&text, 99), Some(HANDLE));
        assert_eq!(Handle::open(&text, 98), None);
    }

    #[test]
    fn a_changed_handle_does_not_open() {
        let text = HANDLE.seal(99);
        for at in 0..text.len() {
            let mut forged = text.as_bytes().to_vec();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Handle::open(core::str::from_utf8(&forged).unwrap(), 99), None, "at {at}");
        }
        assert_eq!(Handle::open("", 99), None);
        assert_eq!(Handle::open(&text[1..], 99), None);
    }
}
