//! Secret access keys: how they are made, and how they are written where everything is sealed.

use base64_simd::STANDARD;
use kew_wire::auth;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use zeroize::Zeroizing;

use crate::{limits, vault};

/// A secret access key: never shown, and overwritten when it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret(auth::Secret);

impl Secret {
    /// A new one as AWS spells them: forty characters, made of 240 bits of the system's randomness.
    pub(crate) fn mint() -> Self {
        let text = STANDARD.encode_to_string(*vault::random::<30>());
        Self(auth::Secret::new(text.into_bytes()))
    }

    /// A secret that the operator brings; `None` if it is too short to withstand guessing, too long, or has blanks in it.
    pub(crate) fn brought(text: &Zeroizing<String>) -> Option<Self> {
        let fits = limits::SECRET_CHARS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(auth::Secret::new(text.as_bytes())))
    }

    /// What signatures are verified with.
    pub(crate) fn inner(&self) -> &auth::Secret {
        &self.0
    }

    /// The text, for the operator or the caller who asked for the key.
    pub(crate) fn text(&self) -> &str {
        // It was made of a text.
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(self.0.expose()).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(auth::Secret::new(text.into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_secrets_are_forty_characters_and_all_different() {
        let minted: Vec<Secret> = (0..100).map(|_| Secret::mint()).collect();
        assert!(minted.iter().all(|secret| secret.text().len() == 40));
        assert!((1..100).all(|index| minted[..index].iter().all(|other| *other != minted[index])));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::brought(&Zeroizing::new("correct-horse-battery".into())).expect("long enough");
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
            assert_eq!(Secret::brought(&Zeroizing::new(text.into())).is_some(), fits, "{text}");
        }
    }
}
