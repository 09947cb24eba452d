//! The id that every answer carries.

/// A UUID as text, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// A version 4 UUID of these random bits.
    pub fn new(random: u128) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bits = random & !(0xF << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62;
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
        for (place, digit) in places.zip((0..32).rev()) {
            text[place] = HEX[(bits >> (digit * 4)) as usize & 15];
        }
        Self(text)
    }

    /// Its text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text, in lower case.
    pub fn as_str(&self) -> &str {
        // Only hexadecimal digits and hyphens stand in it.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_4_uuid() {
        assert_eq!(RequestId::new(0).as_str(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(RequestId::new(u128::MAX).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let bits = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        assert_eq!(RequestId::new(bits).as_str(), "01234567-89ab-4def-8123-456789abcdef");
    }
}
