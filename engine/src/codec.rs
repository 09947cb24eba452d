//! How the engine writes what it keeps: little-endian fixed numbers, LEB128 varints, length-prefixed bytes.
//!
//! Used for facts in the journal, snapshots and message payloads. What is written stays readable for ever: a layout
//! changes only under a new tag.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use kew_wire::Text;

use crate::time::Moment;

/// The bytes do not hold what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a record is malformed")
    }
}

/// Appends to a buffer.
pub trait Put {
    /// One byte.
    fn put_u8(&mut self, value: u8);
    /// Raw bytes.
    fn put_raw(&mut self, value: &[u8]);

    /// A number in one to ten bytes, smaller numbers in fewer.
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }

    /// A number in eight bytes.
    fn put_u64(&mut self, value: u64) {
        self.put_raw(&value.to_le_bytes());
    }

    /// A number in sixteen bytes.
    fn put_u128(&mut self, value: u128) {
        self.put_raw(&value.to_le_bytes());
    }

    /// Bytes with their length in front.
    fn put_bytes(&mut self, value: &[u8]) {
        self.put_varint(value.len() as u64);
        self.put_raw(value);
    }

    /// A text, or that there is none.
    fn put_option(&mut self, value: Option<&str>) {
        match value {
            None => self.put_u8(0),
            Some(text) => {
                self.put_u8(1);
                self.put_bytes(text.as_bytes());
            }
        }
    }
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_raw(&mut self, value: &[u8]) {
        self.extend_from_slice(value);
    }
}

/// Takes from the front of a shared buffer; texts and bytes taken share it.
#[derive(Debug, Clone)]
pub struct Take {
    rest: Bytes,
}

impl Take {
    /// Reads `bytes` from the front.
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        if self.rest.is_empty() {
            return Err(Malformed);
        }
        Ok(self.rest.get_u8())
    }

    /// `length` raw bytes.
    pub fn raw(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if self.rest.len() < length {
            return Err(Malformed);
        }
        Ok(self.rest.split_to(length))
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let array = *self.rest.first_chunk().ok_or(Malformed)?;
        self.rest.advance(N);
        Ok(array)
    }

    /// A number in one to ten bytes.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().copied().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(Malformed);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest.advance(index + 1);
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A number in eight bytes.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in sixteen bytes.
    pub fn u128(&mut self) -> Result<u128, Malformed> {
        self.array().map(u128::from_le_bytes)
    }

    /// A number in one to ten bytes to which ours can be added without end: nobody counts so far.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        self.varint().and_then(|value| if value < 1 << 60 { Ok(value) } else { Err(Malformed) })
    }

    /// A moment in one to ten bytes.
    pub fn moment(&mut self) -> Result<Moment, Malformed> {
        self.varint().and_then(occurs)
    }

    /// A moment in eight bytes.
    pub fn fixed_moment(&mut self) -> Result<Moment, Malformed> {
        self.u64().and_then(occurs)
    }

    /// The moment at which something happened, in eight bytes.
    pub fn now(&mut self) -> Result<Moment, Malformed> {
        self.fixed_moment().and_then(|now| if now <= Moment::LATEST_NOW { Ok(now) } else { Err(Malformed) })
    }

    /// Bytes with their length in front.
    pub fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.varint()?;
        self.raw(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// A text with its length in front.
    pub fn text(&mut self) -> Result<Text, Malformed> {
        Text::try_from(self.bytes()?).map_err(|_| Malformed)
    }

    /// A text, or none.
    pub fn option(&mut self) -> Result<Option<Text>, Malformed> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(Malformed),
        }
    }
}

/// The moment at `millis`, if it can occur.
pub(crate) fn occurs(millis: u64) -> Result<Moment, Malformed> {
    let moment = Moment(millis);
    if moment <= Moment::LATEST { Ok(moment) } else { Err(Malformed) }
}
