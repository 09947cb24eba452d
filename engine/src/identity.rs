//! Who calls, and which queue is meant.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use kew_wire::Text;

/// An AWS account: twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(u64);

impl Account {
    /// `000000000000`, the account of callers who name no other.
    pub const DEFAULT: Self = Self(0);

    /// The account with this number; `None` above twelve digits.
    pub fn from_number(number: u64) -> Option<Self> {
        (number <= 999_999_999_999).then_some(Self(number))
    }

    /// The number without leading zeros.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// The text is not twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnAccount;

impl FromStr for Account {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().map(Self).map_err(|_| NotAnAccount)
        } else {
            Err(NotAnAccount)
        }
    }
}

/// Who calls: established at the edge from the request's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's account.
    pub account: Account,
    /// The region of the request's credential scope or host (`us-east-1`).
    pub region: Text,
    /// What receivers see as `SenderId`.
    pub sender: Text,
}

/// A UUID as AWS spells it: lower-case hexadecimal in five parts.
pub fn uuid_text(id: &[u8; 16]) -> Text {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in id.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.into()
}
