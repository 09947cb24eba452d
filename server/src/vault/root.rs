//! The root key: everything secret in the data directory is sealed by it, directly or through keys that it seals.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::random;

/// A key's length in bytes: AES-256.
pub(crate) const KEY_BYTES: usize = 32;

/// The layout of what [`RootKey::seal`] gives; a changed layout takes the next number.
///
/// ```text
/// layout (1)  key id (8)  salt (16)  nonce (12)  AES-256-GCM ciphertext, tag (16)
/// ```
const LAYOUT: u8 = 1;
const ID: usize = 8;
const SALT: usize = 16;
const HEAD: usize = 1 + ID + SALT + NONCE_LEN;
const TAG: usize = 16;

/// Tells root keys apart without giving one away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId([u8; ID]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A root key. Its bytes are wiped when it is dropped.
///
/// **Nonces.** No two sealings share a key and a nonce: each is done under a subkey of its own, derived from the root key and 128
/// random bits (HKDF-SHA-256), with a random nonce of 96 bits. A collision needs both to repeat.
pub(crate) struct RootKey {
    key: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl RootKey {
    /// The root key of these bytes.
    pub(crate) fn new(key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let derived = derive(&*key, b"kew root key", b"id");
        let mut id = [0; ID];
        id.copy_from_slice(&derived[..ID]);
        Self { key, id: KeyId(id) }
    }

    /// A new one.
    pub(crate) fn generate() -> Self {
        Self::new(random())
    }

    /// Reads how people write it: 64 hexadecimal digits, or 32 bytes in base64, with white space around.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if text.len() == 2 * KEY_BYTES {
            for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                *byte = (digit(0)? * 16 + digit(1)?) as u8;
            }
        } else {
            let decoded = Zeroizing::new(base64_simd::STANDARD.decode_to_vec(text).ok()?);
            if decoded.len() != KEY_BYTES {
                return None;
            }
            key.copy_from_slice(&decoded);
        }
        Some(Self::new(key))
    }

    /// How [`Self::parse`] reads it, in hexadecimal.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        use fmt::Write;
        // Grown by pieces it would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
        for byte in self.key.iter() {
            write!(text, "{byte:02x}").unwrap_or_default();
        }
        text
    }

    /// Tells it from others.
    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts and authenticates `plain`, so that only [`Self::open`] with the same `purpose` gives it back.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let salt: Zeroizing<[u8; SALT]> = random();
        let nonce: Zeroizing<[u8; NONCE_LEN]> = random();
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + AES_256_GCM.tag_len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(&self.id.0);
        sealed.extend_from_slice(&*salt);
        sealed.extend_from_slice(&*nonce);
        sealed.extend_from_slice(plain);
        let bound = bound(&sealed[..=ID], purpose);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag =
            self.subkey(&*salt).seal_in_place_separate_tag(nonce, Aad::from(bound), &mut sealed[HEAD..]);
        // It refuses only what is longer than 64 GiB.
        let tag = tag.expect("a document's length");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// What was sealed; `None` if it was by another key, for another purpose, or is damaged.
    pub(crate) fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if Self::sealer(sealed)? != self.id {
            return None;
        }
        let (head, content) = sealed.split_at_checked(HEAD)?;
        let (salt, nonce) = head[1 + ID..].split_at(SALT);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = bound(&head[..=ID], purpose);
        let mut content = Zeroizing::new(content.to_vec());
        let length = self.subkey(salt).open_in_place(nonce, Aad::from(bound), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }

    /// The id of the key that sealed this; `None` if nothing that [`Self::seal`] gives begins so, or is so short.
    pub(crate) fn sealer(sealed: &[u8]) -> Option<KeyId> {
        if sealed.len() < HEAD + TAG {
            return None;
        }
        let id = sealed.strip_prefix(&[LAYOUT])?.get(..ID)?;
        id.try_into().ok().map(KeyId)
    }

    fn subkey(&self, salt: &[u8]) -> LessSafeKey {
        let key = derive(&*self.key, salt, b"kew sealed");
        aes_256_gcm(&key)
    }
}

/// What is authenticated beside the content: how it was sealed, by which key, and what for.
fn bound(head: &[u8], purpose: &str) -> Vec<u8> {
    [head, purpose.as_bytes()].concat()
}

/// AES-256-GCM under `key`.
pub(crate) fn aes_256_gcm(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    // It refuses only another length.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes"))
}

/// HKDF-SHA-256.
pub(crate) fn derive(key: &[u8], salt: &[u8], info: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    let pseudorandom = Salt::new(HKDF_SHA256, salt).extract(key);
    let info = [info];
    let okm = pseudorandom.expand(&info, HKDF_SHA256);
    // It refuses only more than 255 hashes, and another length than the algorithm's.
    okm.and_then(|okm| okm.fill(&mut *out)).expect("the length of one hash");
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_was_sealed_opens_for_its_purpose_alone() {
        let key = RootKey::generate();
        let sealed = key.seal("keys", b"secret");
        assert_eq!(key.open("keys", &sealed).as_deref().map(Vec::as_slice), Some(&b"secret"[..]));
        assert!(key.open("identities", &sealed).is_none());
        assert!(RootKey::generate().open("keys", &sealed).is_none());
        assert_eq!(key.open("", &key.seal("", b"")).as_deref().map(Vec::as_slice), Some(&b""[..]));
    }

    #[test]
    fn any_changed_bit_and_any_missing_byte_is_noticed() {
        let key = RootKey::generate();
        let sealed = key.seal("keys", b"secret");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open("keys", &damaged).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open("keys", &sealed[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn sealing_the_same_again_uses_another_subkey_and_nonce() {
        let key = RootKey::generate();
        let places =
            |sealed: Vec<u8>| (sealed[1 + ID..1 + ID + SALT].to_vec(), sealed[1 + ID + SALT..HEAD].to_vec());
        let (salts, nonces): (HashSet<_>, HashSet<_>) =
            (0..1000).map(|_| places(key.seal("keys", b"secret"))).unzip();
        assert_eq!((salts.len(), nonces.len()), (1000, 1000));
    }

    #[test]
    fn a_key_is_read_in_hexadecimal_and_in_base64() {
        let key = RootKey::new(Zeroizing::new(std::array::from_fn(|index| index as u8 * 7)));
        let base64 = base64_simd::STANDARD.encode_to_string(*key.key);
        for text in [
            &*key.text(),
            &key.text().to_uppercase(),
            &format!("{base64}\n"),
            &format!(" {}\r\n", &*key.text()),
        ] {
            assert_eq!(RootKey::parse(text).map(|key| key.id()), Some(key.id()), "{text}");
        }
        for text in ["", "secret", &base64[1..], &key.text()[1..], &key.text().replace('0', "g")] {
            assert!(RootKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nothing_prints_a_key() {
        let key = RootKey::generate();
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.id().to_string()), "{shown}");
        assert!(!shown.contains(&key.text()[..16]) && !key.text().contains(&key.id().to_string()), "{shown}");
    }
}
