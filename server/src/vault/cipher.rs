//! The cipher of KMS keys: AES-256-GCM by aws-lc.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use bytes::Bytes;
use kew_engine::services::kms::{Cipher, Secret};
use zeroize::Zeroizing;

use super::random;
use super::root::{aes_256_gcm, derive};

/// AES-256-GCM.
///
/// **Nonces.** Every sealing is done under a subkey of its own, derived from the key and 128 random bits (HKDF-SHA-256), and under
/// that subkey nothing else is ever sealed: so the nonce can be fixed. What comes out is the random bits, the ciphertext, and the tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AesGcm;

const SALT: usize = 16;
const INFO: &[u8] = b"kew kms";

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

impl Cipher for AesGcm {
    fn fill(&self, bytes: &mut [u8]) {
        super::fill(bytes);
    }

    fn seal(&self, key: &Secret, bound: &[u8], plain: &[u8]) -> Bytes {
        let salt: Zeroizing<[u8; SALT]> = random();
        let mut sealed = Vec::with_capacity(SALT + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&*salt);
        sealed.extend_from_slice(plain);
        let subkey = aes_256_gcm(&derive(&*key.0, &*salt, INFO));
        let tag = subkey.seal_in_place_separate_tag(nonce(), Aad::from(bound), &mut sealed[SALT..]);
        // It refuses only what is longer than 64 GiB.
        sealed.extend_from_slice(tag.expect("a short text").as_ref());
        sealed.into()
    }

    fn open(&self, key: &Secret, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (salt, content) = sealed.split_at_checked(SALT)?;
        let mut content = Zeroizing::new(content.to_vec());
        let subkey = aes_256_gcm(&derive(&*key.0, salt, INFO));
        let length = subkey.open_in_place(nonce(), Aad::from(bound), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_and_context_alone_and_never_looks_the_same_twice() {
        let key = || Secret(random());
        let (one, other) = (key(), key());
        let sealed = AesGcm.seal(&one, b"context", b"text");
        assert_eq!(AesGcm.open(&one, b"context", &sealed).as_deref().map(Vec::as_slice), Some(&b"text"[..]));
        assert!(AesGcm.open(&one, b"another", &sealed).is_none());
        assert!(AesGcm.open(&other, b"context", &sealed).is_none());
        assert!(AesGcm.open(&one, b"context", &sealed[..sealed.len() - 1]).is_none());
        assert!(AesGcm.open(&one, b"context", &sealed[..3]).is_none());
        let many: HashSet<Bytes> = (0..1000).map(|_| AesGcm.seal(&one, b"", b"text").slice(..SALT)).collect();
        assert_eq!(many.len(), 1000);
    }
}
