//! A secret access key: held so that it is not shown by accident, and overwritten when it goes.

use std::fmt;

use base64_simd::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::limits;

/// A secret access key. It has no `Display`, and its `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one as AWS spells them: forty characters, made of 240 bits of the system's randomness.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(crate) fn mint() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut bytes = Zeroizing::new([0_u8; 30]);
        aws_lc_rs::rand::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(STANDARD.encode_to_string(&*bytes))))
    }

    /// A secret that the operator brings; `None` if it is too short to withstand guessing, too long, or has blanks in it.
    pub(crate) fn brought(text: Zeroizing<String>) -> Option<Self> {
        let fits = limits::SECRET_CHARS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// What the verifier of signatures and the operator who has made the key need.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_secrets_are_forty_characters_and_all_different() {
        let minted: Vec<Secret> = (0..100).map(|_| Secret::mint().expect("randomness")).collect();
        assert!(minted.iter().all(|secret| secret.expose().len() == 40));
        assert!((1..100).all(|index| minted[..index].iter().all(|other| *other != minted[index])));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::brought(Zeroizing::new("correct-horse-battery".into())).expect("long enough");
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("horse"));
    }

    #[test]
    fn a_brought_secret_is_neither_short_nor_has_it_blanks() {
        for (text, fits) in [
            ("short", false),
            ("sixteen-letters!", true),
            ("sixteen letters!", false),
            ("sechzehn-äöü-letters", false),
        ] {
            assert_eq!(Secret::brought(Zeroizing::new(text.into())).is_some(), fits, "{text}");
        }
    }
}
