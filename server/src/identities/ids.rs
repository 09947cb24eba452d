//! Ids as AWS shapes them: four letters that say of what, sixteen that nobody can guess (IAM user guide, *Unique
//! identifiers*).

use aws_lc_rs::digest::{SHA256, digest};

use crate::vault;

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An access key that lasts: `AKIA`.
    AccessKey,
    /// An access key of a session: `ASIA`.
    SessionKey,
    /// A user: `AIDA`.
    User,
    /// A role: `AROA`.
    Role,
}

impl Kind {
    /// The four letters.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::AccessKey => "AKIA",
            Self::SessionKey => "ASIA",
            Self::User => "AIDA",
            Self::Role => "AROA",
        }
    }

    /// A new id.
    pub(crate) fn mint(self) -> String {
        self.spell(*vault::random())
    }

    /// The id of something that the configuration declares: the same at every start.
    pub(crate) fn declared(self, account: &str, name: &str) -> String {
        let hash = digest(&SHA256, format!("kew {} {account} {name}", self.prefix()).as_bytes());
        let mut bits = [0; 10];
        bits.copy_from_slice(&hash.as_ref()[..10]);
        self.spell(bits)
    }

    fn spell(self, bits: [u8; 10]) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut rest = bits.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        let mut text = self.prefix().to_owned();
        for _ in 0..16 {
            text.push(char::from(LETTERS[(rest >> 75) as usize & 31]));
            rest <<= 5;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_twenty_characters_and_says_of_what() {
        assert_eq!(Kind::AccessKey.spell([0; 10]), "AKIAAAAAAAAAAAAAAAAA");
        assert_eq!(Kind::Role.spell([255; 10]), "AROA7777777777777777");
        assert_eq!(Kind::User.spell([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "AIDAAAAAAAAAAAAAAAAB");
        let one = Kind::SessionKey.mint();
        assert!(one.starts_with("ASIA") && one.len() == 20);
        assert_ne!(one, Kind::SessionKey.mint());
    }

    #[test]
    fn what_is_declared_keeps_its_id() {
        let id = Kind::User.declared("000000000000", "worker");
        assert_eq!(id, Kind::User.declared("000000000000", "worker"));
        assert_ne!(id[4..], Kind::Role.declared("000000000000", "worker")[4..]);
        assert_ne!(id, Kind::User.declared("000000000001", "worker"));
    }
}
