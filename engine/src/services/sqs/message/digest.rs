//! The MD5s that SDKs verify, and the SHA-256 that content-based deduplication uses.

use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};
use md5::Digest as _;
use sha2::Sha256;

use crate::identity::hex_digits;

/// An MD5 digest.
pub type Md5 = [u8; 16];

/// Transport types in AWS's binary encoding of attributes (developer guide, *Calculating the MD5 message digest for
/// message attributes*).
const STRING: u8 = 1;
const BINARY: u8 = 2;

/// MD5 of a body.
pub fn md5(body: &[u8]) -> Md5 {
    md5::Md5::digest(body).into()
}

/// SHA-256 of a body.
pub fn sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Lower-case hexadecimal.
pub fn hex(digest: &[u8]) -> Text {
    let text = digest.iter().flat_map(|byte| hex_digits(*byte)).collect();
    // Nothing but digits.
    Text::from(String::from_utf8(text).unwrap_or_default())
}

/// MD5 of message attributes, sorted by name; `None` if there are none.
pub fn attributes_md5<'a>(
    attributes: impl IntoIterator<Item = &'a (Text, MessageAttributeValue)>,
) -> Option<Md5> {
    let encode = |(name, value): &'a (Text, MessageAttributeValue)| Encoded {
        name,
        data_type: &value.data_type,
        string: value.string_value.as_deref(),
        binary: value.binary_value.as_deref(),
    };
    digest(attributes.into_iter().map(encode).collect())
}

/// MD5 of system attributes, which are encoded as message attributes are; `None` if there are none.
pub fn system_attributes_md5(attributes: &[(Text, MessageSystemAttributeValue)]) -> Option<Md5> {
    let encode = attributes.iter().map(|(name, value)| Encoded {
        name,
        data_type: &value.data_type,
        string: value.string_value.as_deref(),
        binary: value.binary_value.as_deref(),
    });
    digest(encode.collect())
}

struct Encoded<'a> {
    name: &'a str,
    data_type: &'a str,
    string: Option<&'a str>,
    binary: Option<&'a [u8]>,
}

fn digest(mut attributes: Vec<Encoded<'_>>) -> Option<Md5> {
    if attributes.is_empty() {
        return None;
    }
    attributes.sort_unstable_by_key(|attribute| attribute.name);
    let mut hasher = md5::Md5::new();
    for attribute in attributes {
        update(&mut hasher, attribute.name.as_bytes());
        update(&mut hasher, attribute.data_type.as_bytes());
        let (binary, bytes) = value(attribute.string, attribute.binary);
        hasher.update([if binary { BINARY } else { STRING }]);
        update(&mut hasher, bytes);
    }
    Some(hasher.finalize().into())
}

/// An attribute's value, and whether it is binary: the field that is not empty.
pub(super) fn value<'a>(string: Option<&'a str>, binary: Option<&'a [u8]>) -> (bool, &'a [u8]) {
    match binary.filter(|binary| !binary.is_empty()) {
        Some(binary) => (true, binary),
        None => (false, string.unwrap_or_default().as_bytes()),
    }
}

/// A length in four bytes, most significant first, and the bytes.
fn update(hasher: &mut md5::Md5, bytes: &[u8]) {
    // A message is bounded far below this; a longer one could only be hashed wrongly, not unsafely.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hasher.update(length.to_be_bytes());
    hasher.update(bytes);
}
