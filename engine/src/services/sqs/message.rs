//! A message's content: how it is laid out for the journal, its MD5s, its size, its characters.
//!
//! The queue never looks inside; a receive slices texts out of the kept bytes without copying them.

mod digest;
#[cfg(test)]
mod tests;
mod text;

use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};

pub use self::digest::{Md5, attributes_md5, hex, md5, sha256, system_attributes_md5};
pub use self::text::first_invalid;
use crate::codec::{Malformed, Put, Take};

/// Layout of [`encode`]; a changed layout takes the next number, and this one stays readable.
const LAYOUT: u8 = 1;

/// What a payload begins with that was encrypted outside: then nobody here knows what it says. No layout takes this number.
pub const SEALED: u8 = 0x80;

/// Whether a payload was encrypted.
pub fn is_sealed(payload: &[u8]) -> bool {
    payload.first() == Some(&SEALED)
}

/// The name of the only system attribute that a sender can give.
pub const TRACE_HEADER: &str = "AWSTraceHeader";

/// Message attributes in the sender's order.
pub type Attributes = Vec<(Text, MessageAttributeValue)>;

/// The id that deduplicated a FIFO message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedup {
    /// The sender's MessageDeduplicationId.
    Given(Text),
    /// The SHA-256 of the body.
    Content([u8; 32]),
}

impl Dedup {
    /// What receivers see as MessageDeduplicationId.
    pub fn text(&self) -> Text {
        match self {
            Self::Given(id) => id.clone(),
            Self::Content(digest) => hex(digest),
        }
    }
}

/// What is kept of a message for its receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// The body.
    pub body: Text,
    /// MD5 of the body.
    pub body_md5: Md5,
    /// The message attributes.
    pub attributes: Attributes,
    /// MD5 of the message attributes, if there are any.
    pub attributes_md5: Option<Md5>,
    /// The trace header (the AWSTraceHeader system attribute).
    pub trace: Option<Text>,
    /// SenderId.
    pub sender: Text,
    /// MessageGroupId.
    pub group: Option<Text>,
    /// MessageDeduplicationId.
    pub dedup: Option<Dedup>,
}

/// The flags byte: which optional parts follow.
mod flag {
    pub(super) const ATTRIBUTES: u8 = 1;
    pub(super) const TRACE: u8 = 1 << 1;
    pub(super) const GROUP: u8 = 1 << 2;
    pub(super) const DEDUP_GIVEN: u8 = 1 << 3;
    pub(super) const DEDUP_CONTENT: u8 = 1 << 4;
    pub(super) const ALL: u8 = (1 << 5) - 1;
}

/// The kinds of an attribute's value.
mod value {
    pub(super) const STRING: u8 = 0;
    pub(super) const BINARY: u8 = 1;
}

/// Lays a message out for the journal.
pub fn encode(payload: &Payload) -> Bytes {
    let mut out = Vec::with_capacity(encoded_size(payload));
    let mut flags = 0;
    flags |= if payload.attributes.is_empty() { 0 } else { flag::ATTRIBUTES };
    flags |= if payload.trace.is_some() { flag::TRACE } else { 0 };
    flags |= if payload.group.is_some() { flag::GROUP } else { 0 };
    flags |= match payload.dedup {
        None => 0,
        Some(Dedup::Given(_)) => flag::DEDUP_GIVEN,
        Some(Dedup::Content(_)) => flag::DEDUP_CONTENT,
    };
    out.put_u8(LAYOUT);
    out.put_u8(flags);
    out.put_raw(&payload.body_md5);
    out.put_bytes(payload.body.as_bytes());
    out.put_bytes(payload.sender.as_bytes());
    if !payload.attributes.is_empty() {
        out.put_raw(&payload.attributes_md5.unwrap_or_default());
        out.put_varint(payload.attributes.len() as u64);
        for (name, attribute) in &payload.attributes {
            put_attribute(&mut out, name, attribute);
        }
    }
    if let Some(trace) = &payload.trace {
        out.put_bytes(trace.as_bytes());
    }
    if let Some(group) = &payload.group {
        out.put_bytes(group.as_bytes());
    }
    match &payload.dedup {
        None => {}
        Some(Dedup::Given(id)) => out.put_bytes(id.as_bytes()),
        Some(Dedup::Content(digest)) => out.put_raw(digest),
    }
    Bytes::from(out)
}

fn put_attribute(out: &mut Vec<u8>, name: &str, attribute: &MessageAttributeValue) {
    out.put_bytes(name.as_bytes());
    out.put_bytes(attribute.data_type.as_bytes());
    let (binary, bytes) = digest::value(attribute.string_value.as_deref(), attribute.binary_value.as_deref());
    out.put_u8(if binary { value::BINARY } else { value::STRING });
    out.put_bytes(bytes);
}

/// Enough room for the layout, so that it is allocated once.
fn encoded_size(payload: &Payload) -> usize {
    let attribute = |(name, value): &(Text, MessageAttributeValue)| attribute_size(name, value) + 16;
    let dedup = match &payload.dedup {
        None => 0,
        Some(Dedup::Given(id)) => id.len() + 2,
        Some(Dedup::Content(_)) => 32,
    };
    let option = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.len() + 5);
    48 + payload.body.len()
        + payload.sender.len()
        + payload.attributes.iter().map(attribute).sum::<usize>()
        + option(&payload.trace)
        + option(&payload.group)
        + dedup
}

/// Reads what [`encode`] laid out; all texts share `bytes`.
pub fn decode(bytes: Bytes) -> Result<Payload, Malformed> {
    let mut take = Take::new(bytes);
    if take.u8()? != LAYOUT {
        return Err(Malformed);
    }
    let flags = take.u8()?;
    if flags & !flag::ALL != 0 {
        return Err(Malformed);
    }
    let has = |flag| flags & flag != 0;
    let body_md5 = take.array()?;
    let body = take.text()?;
    let sender = take.text()?;
    let (mut attributes, mut attributes_md5) = (Vec::new(), None);
    if has(flag::ATTRIBUTES) {
        attributes_md5 = Some(take.array()?);
        let count = take.varint()?;
        if count > take.remaining() as u64 {
            return Err(Malformed);
        }
        attributes = (0..count).map(|_| take_attribute(&mut take)).collect::<Result<_, _>>()?;
    }
    let trace = if has(flag::TRACE) { Some(take.text()?) } else { None };
    let group = if has(flag::GROUP) { Some(take.text()?) } else { None };
    let dedup = match (has(flag::DEDUP_GIVEN), has(flag::DEDUP_CONTENT)) {
        (false, false) => None,
        (true, false) => Some(Dedup::Given(take.text()?)),
        (false, true) => Some(Dedup::Content(take.array()?)),
        (true, true) => return Err(Malformed),
    };
    Ok(Payload { body, body_md5, attributes, attributes_md5, trace, sender, group, dedup })
}

/// Whether an unencrypted payload says of its body and its attributes what they are. What is encrypted proves itself by being decrypted.
pub fn is_whole(payload: &Bytes) -> bool {
    decode(payload.clone()).is_ok_and(|payload| {
        let attributes =
            payload.attributes_md5.is_none() || payload.attributes_md5 == attributes_md5(&payload.attributes);
        attributes && payload.body_md5 == md5(payload.body.as_bytes())
    })
}

fn take_attribute(take: &mut Take) -> Result<(Text, MessageAttributeValue), Malformed> {
    let name = take.text()?;
    let mut attribute = MessageAttributeValue { data_type: take.text()?, ..Default::default() };
    match take.u8()? {
        value::STRING => attribute.string_value = Some(take.text()?),
        value::BINARY => attribute.binary_value = Some(take.bytes()?),
        _ => return Err(Malformed),
    }
    Ok((name, attribute))
}

/// The bytes that MaximumMessageSize counts: the body, and each attribute's name, type and value. System attributes do
/// not count (developer guide, *Amazon SQS message metadata*).
pub fn size(body: &str, attributes: &[(Text, MessageAttributeValue)]) -> usize {
    body.len() + attributes.iter().map(|(name, attribute)| attribute_size(name, attribute)).sum::<usize>()
}

fn attribute_size(name: &str, attribute: &MessageAttributeValue) -> usize {
    let string = attribute.string_value.as_ref().map_or(0, |text| text.len());
    let binary = attribute.binary_value.as_ref().map_or(0, Bytes::len);
    name.len() + attribute.data_type.len() + string + binary
}

/// The trace header among a sender's system attributes.
pub fn trace(attributes: &[(Text, MessageSystemAttributeValue)]) -> Option<Text> {
    let (_, attribute) = attributes.iter().find(|(name, _)| name == TRACE_HEADER)?;
    attribute.string_value.clone()
}
