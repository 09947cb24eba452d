//! What keys are made of, and the cipher that uses them: given from outside, because randomness is.

use core::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

/// A key's material: 256 bits, wiped when nobody holds it any more.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Authenticated encryption, and randomness.
pub trait Cipher {
    /// Fills `bytes` with what nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
    /// Encrypts `plain` under `key`, and binds `bound` to it. Never uses a nonce twice under one key.
    fn seal(&self, key: &Secret, bound: &[u8], plain: &[u8]) -> Bytes;
    /// What was sealed under `key` with the same `bound`.
    fn open(&self, key: &Secret, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<alloc::vec::Vec<u8>>>;
}

/// A new key's material.
pub(super) fn secret(cipher: &dyn Cipher) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    cipher.fill(&mut *bytes);
    Secret(bytes)
}
