//! AWS JSON 1.0 and 1.1: the reader checks RFC 8259 to the letter and hands out texts as slices of the body; only
//! texts with escapes are copied.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use crate::Text;
use crate::codec::{Member, Missing, Read, Reader, Refusal, Seen, Structure, Write, Writer};
use crate::limits::{DEPTH, ELEMENTS};

/// Reads `body` as one value.
pub fn read<T: Read>(body: Bytes) -> Result<T, Refusal> {
    let mut reader = JsonReader::new(body)?;
    let value = T::read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Appends `value` to `out`.
pub fn write<T: Write>(value: &T, out: &mut Vec<u8>) {
    value.write(&mut JsonWriter::new(out));
}

/// Reads one JSON document.
#[derive(Debug)]
pub struct JsonReader {
    body: Text,
    at: usize,
    depth: u32,
    /// Items and entries so far.
    elements: u32,
    /// Standing before a map's value, where AWS takes numbers and truth values for texts.
    in_map: bool,
}

impl JsonReader {
    /// A reader at the start of `body`. An empty body counts as an empty object.
    pub fn new(body: Bytes) -> Result<Self, Refusal> {
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let body = Text::try_from(body).map_err(|_| syntax())?;
        Ok(Self { body, at: 0, depth: 0, elements: 0, in_map: false })
    }

    /// Makes sure that nothing follows the value that was read.
    pub fn end(&mut self) -> Result<(), Refusal> {
        self.blank();
        if self.at == self.body.len() { Ok(()) } else { Err(syntax()) }
    }

    fn blank(&mut self) {
        let bytes = self.body.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<u8, Refusal> {
        self.blank();
        self.body.as_bytes().get(self.at).copied().ok_or_else(syntax)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.peek()? != byte {
            return Err(syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), Refusal> {
        if !self.body.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(syntax());
        }
        self.at += word.len();
        Ok(())
    }

    /// Consumes a null, if one stands here.
    fn null(&mut self) -> Result<bool, Refusal> {
        if self.peek()? != b'n' {
            return Ok(false);
        }
        self.literal("null")?;
        Ok(true)
    }

    fn enter(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > DEPTH { Err(syntax()) } else { Ok(()) }
    }

    /// Counts an item or entry that will be kept.
    fn count(&mut self) -> Result<(), Refusal> {
        self.elements += 1;
        if self.elements > ELEMENTS { Err(syntax()) } else { Ok(()) }
    }

    /// Walks the parts of an object or array from its opening bracket to its closing one.
    fn parts(
        &mut self,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.enter()?;
        self.at += 1;
        if self.peek()? != close {
            loop {
                part(self)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    byte if byte == close => break,
                    _ => return Err(syntax()),
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The value at hand is of the wrong type. AWS's words.
    fn misplaced(&mut self, wanted: &'static str) -> Refusal {
        let found = match self.body.as_bytes().get(self.at) {
            Some(b'{') => return Refusal::malformed("Start of structure or map found where not expected."),
            Some(b'[') if self.in_map => {
                return Refusal::malformed("Unrecognized collection type class java.lang.String");
            }
            Some(b'[') => return Refusal::malformed("Start of list found where not expected"),
            Some(b'"') => "STRING_VALUE",
            Some(b't') => "TRUE_VALUE",
            Some(b'f') => "FALSE_VALUE",
            Some(b'n') => "NULL_VALUE",
            Some(b'-' | b'0'..=b'9') => "NUMBER_VALUE",
            _ => return syntax(),
        };
        if wanted.starts_with("Expected") {
            return Refusal::malformed(wanted);
        }
        Refusal::malformed(format!("{found} can not be converted to {wanted}"))
    }

    /// The string at hand, without its quotes: a range of the body, or what its escapes stand for.
    fn string(&mut self) -> Result<Result<Range<usize>, String>, Refusal> {
        let bytes = self.body.as_bytes();
        let start = self.at + 1;
        let end = start + memchr2(b'"', b'\\', &bytes[start..]).ok_or_else(syntax)?;
        if has_control(&bytes[start..end]) {
            return Err(syntax());
        }
        if bytes[end] == b'"' {
            self.at = end + 1;
            return Ok(Ok(start..end));
        }
        self.unescape(start, end).map(Err)
    }

    /// The string that began at `start` and has its first backslash at `slash`.
    fn unescape(&mut self, start: usize, slash: usize) -> Result<String, Refusal> {
        let bytes = self.body.as_bytes();
        let mut text = Vec::with_capacity(slash - start + 256);
        text.extend_from_slice(&bytes[start..slash]);
        let mut at = slash;
        while bytes[at] != b'"' {
            at = escaped(bytes, at, &mut text)?;
            at = copy_plain(bytes, at, &mut text)?;
        }
        self.at = at + 1;
        // Parts of a text, cut at ASCII, and whole characters.
        String::from_utf8(text).map_err(|_| syntax())
    }

    /// The string at hand as a text: a slice of the body where it has no escapes.
    fn string_text(&mut self) -> Result<Text, Refusal> {
        Ok(match self.string()? {
            Ok(range) => self.body.slice_ref(&self.body[range]),
            Err(text) => text.into(),
        })
    }

    /// The number at hand, and whether it is written as a plain integer.
    fn number(&mut self) -> Result<(Range<usize>, bool), Refusal> {
        let bytes = self.body.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            let first = at;
            while matches!(bytes.get(at), Some(b'0'..=b'9')) {
                at += 1;
            }
            if at == first { Err(syntax()) } else { Ok(at) }
        };
        let whole = start + usize::from(bytes.get(start) == Some(&b'-'));
        let mut at = digits(whole)?;
        if bytes[whole] == b'0' && at > whole + 1 {
            return Err(syntax());
        }
        let mut plain = true;
        if bytes.get(at) == Some(&b'.') {
            (at, plain) = (digits(at + 1)?, false);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            (at, plain) = (digits(at + 1 + sign)?, false);
        }
        self.at = at;
        Ok((start..at, plain))
    }

    fn whole(&mut self, wanted: &'static str) -> Result<i64, Refusal> {
        if !matches!(self.peek()?, b'-' | b'0'..=b'9') {
            return Err(self.misplaced(wanted));
        }
        let (range, plain) = self.number()?;
        let digits = &self.body[range];
        let value = if plain { digits.parse().ok() } else { digits.parse().ok().and_then(truncated) };
        value.ok_or_else(|| Refusal::malformed(format!("NUMBER_VALUE can not be converted to {wanted}")))
    }

    /// Consumes any value without keeping it; deep nesting costs no stack.
    fn skip(&mut self) -> Result<(), Refusal> {
        // One bit per open bracket, 1 for an object: as many as `DEPTH` allows.
        let (mut open, mut objects): (u32, u128) = (0, 0);
        loop {
            let mut value_ended = true;
            match self.peek()? {
                byte @ (b'{' | b'[') => {
                    open += 1;
                    if self.depth + open > DEPTH {
                        return Err(syntax());
                    }
                    objects = objects << 1 | u128::from(byte == b'{');
                    self.at += 1;
                    let close = if byte == b'{' { b'}' } else { b']' };
                    if self.peek()? != close {
                        value_ended = false;
                        if byte == b'{' {
                            self.skip_key()?;
                        }
                    }
                }
                _ => self.skip_scalar()?,
            }
            while value_ended {
                if open == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if object {
                            self.skip_key()?;
                        }
                        value_ended = false;
                    }
                    b'}' if object => (open, objects) = (open - 1, objects >> 1),
                    b']' if !object => (open, objects) = (open - 1, objects >> 1),
                    _ => return Err(syntax()),
                }
                if value_ended {
                    self.at += 1;
                }
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), Refusal> {
        if self.peek()? != b'"' {
            return Err(syntax());
        }
        self.string()?.ok();
        self.expect(b':')
    }

    fn skip_scalar(&mut self) -> Result<(), Refusal> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number().map(|_| ()),
        }
    }
}

impl Reader for JsonReader {
    fn structure(
        &mut self,
        shape: &'static Structure,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if self.peek()? != b'{' {
            return Err(self.misplaced("Expected null"));
        }
        let mut seen = Seen::default();
        let mut next = 0;
        self.parts(b'}', |reader| {
            if reader.peek()? != b'"' {
                return Err(syntax());
            }
            let key = reader.string()?;
            let name = match &key {
                Ok(range) => &reader.body[range.clone()],
                Err(text) => text,
            };
            let known = shape.position(next, |member| member.name == name);
            reader.expect(b':')?;
            match known {
                Some(index) if !reader.null()? => {
                    next = index + 1;
                    seen.note(index);
                    reader.in_map = false;
                    member(reader, index).map_err(|refusal| refusal.within(shape.members[index].query))
                }
                Some(_) => Ok(()),
                None => reader.skip(),
            }
        })?;
        if self.depth == 0 {
            // A document that is not JSON is refused as such, whatever else it lacks.
            self.end()?;
        }
        shape.require(seen, true)
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        if self.peek()? != b'[' {
            return Err(self.misplaced("Expected list or null"));
        }
        let mut number = 0_usize;
        self.parts(b']', |reader| {
            number += 1;
            reader.count()?;
            reader.in_map = false;
            if reader.null()? { Ok(()) } else { item(reader).map_err(|refusal| refusal.within(number)) }
        })
    }

    fn map(&mut self, mut entry: impl FnMut(&mut Self, Text) -> Result<(), Refusal>) -> Result<(), Refusal> {
        if self.peek()? != b'{' {
            return Err(self.misplaced("Expected map or null"));
        }
        let mut number = 0_usize;
        self.parts(b'}', |reader| {
            if reader.peek()? != b'"' {
                return Err(syntax());
            }
            let key = reader.string_text()?;
            reader.expect(b':')?;
            number += 1;
            reader.count()?;
            if reader.null()? {
                return Ok(());
            }
            reader.in_map = true;
            let read = entry(reader, key).map_err(|refusal| refusal.within(format!("{number}.Value")));
            reader.in_map = false;
            read
        })
    }

    fn text(&mut self) -> Result<Text, Refusal> {
        match self.peek()? {
            b'"' => self.string_text(),
            b'-' | b'0'..=b'9' | b't' | b'f' if self.in_map => {
                let start = self.at;
                self.skip_scalar()?;
                Ok(self.body.slice_ref(&self.body[start..self.at]))
            }
            _ => Err(self.misplaced("a String")),
        }
    }

    fn blob(&mut self) -> Result<Bytes, Refusal> {
        if self.peek()? != b'"' {
            return Err(self.misplaced("a Blob"));
        }
        let string = self.string()?;
        let text = match &string {
            Ok(range) => &self.body[range.clone()],
            Err(text) => text,
        };
        base64(text).ok_or_else(|| Refusal::malformed(format!("'{text}' can not be converted to a Blob")))
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        match self.peek()? {
            b't' => self.literal("true").map(|()| true),
            b'f' => self.literal("false").map(|()| false),
            _ => Err(self.misplaced("a Boolean")),
        }
    }

    fn integer(&mut self) -> Result<i32, Refusal> {
        let value = self.whole("an Integer")?;
        i32::try_from(value)
            .map_err(|_| Refusal::malformed("NUMBER_VALUE can not be converted to an Integer"))
    }

    fn long(&mut self) -> Result<i64, Refusal> {
        self.whole("a Long")
    }

    fn double(&mut self) -> Result<f64, Refusal> {
        match self.peek()? {
            b'"' => match &*self.string_text()? {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(Refusal::malformed("STRING_VALUE can not be converted to a Double")),
            },
            b'-' | b'0'..=b'9' => {
                let (range, _) = self.number()?;
                self.body[range].parse().map_err(|_| syntax())
            }
            _ => Err(self.misplaced("a Double")),
        }
    }
}

/// AWS answers plain syntax errors without a message.
fn syntax() -> Refusal {
    Refusal::malformed(Cow::Borrowed(""))
}

/// Appends what the escape at `at` stands for; gives where it ends.
fn escaped(bytes: &[u8], at: usize, text: &mut Vec<u8>) -> Result<usize, Refusal> {
    let plain = match bytes.get(at + 1) {
        Some(&plain @ (b'"' | b'\\' | b'/')) => plain,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => {
            let (letter, end) = unicode(bytes, at + 2)?;
            text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(end);
        }
        _ => return Err(syntax()),
    };
    text.push(plain);
    Ok(at + 2)
}

/// Appends the plain characters that begin at `at`; gives where the quote or backslash stands that ends them.
fn copy_plain(bytes: &[u8], at: usize, text: &mut Vec<u8>) -> Result<usize, Refusal> {
    /// Where there is one escape, the next is often near: a search by vectors would cost more than it saves.
    const NEAR: usize = 24;
    let rest = bytes.get(at..).ok_or_else(syntax)?;
    let near = rest.len().min(NEAR);
    for (passed, &byte) in rest[..near].iter().enumerate() {
        if special(byte) {
            return if byte < 0x20 { Err(syntax()) } else { Ok(at + passed) };
        }
        text.push(byte);
    }
    let far = memchr2(b'"', b'\\', &rest[near..]).ok_or_else(syntax)?;
    let run = &rest[near..near + far];
    if has_control(run) {
        return Err(syntax());
    }
    text.extend_from_slice(run);
    Ok(at + near + far)
}

/// Whether a run holds a control character, which a JSON string may not. No early exit, so that it vectorises.
fn has_control(run: &[u8]) -> bool {
    run.iter().fold(false, |found, &byte| found | (byte < 0x20))
}

/// A number written with a fraction or exponent, cut to an integer as AWS cuts it.
fn truncated(value: f64) -> Option<i64> {
    // The bounds are exact in f64: -2^63 and 2^63.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value).then_some(value as i64)
}

/// The character of a `\u` escape whose digits begin at `at`, and where it ends. Halves of a pair must come as a pair.
fn unicode(bytes: &[u8], at: usize) -> Result<(char, usize), Refusal> {
    let first = hex(bytes, at)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Ok((char::from_u32(first).ok_or_else(syntax)?, at + 4));
    }
    if bytes.get(at + 4..at + 6) != Some(br"\u") {
        return Err(syntax());
    }
    let second = hex(bytes, at + 6)?;
    if !(0xDC00..0xE000).contains(&second) {
        return Err(syntax());
    }
    let letter = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    Ok((char::from_u32(letter).ok_or_else(syntax)?, at + 10))
}

fn hex(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    let digits = bytes.get(at..at + 4).ok_or_else(syntax)?;
    digits.iter().try_fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16).ok_or_else(syntax)?;
        Ok(value << 4 | digit)
    })
}

/// Base64, padded or not.
pub(crate) fn base64(text: &str) -> Option<Bytes> {
    let strict = base64_simd::STANDARD.decode_to_vec(text);
    strict.or_else(|_| base64_simd::STANDARD_NO_PAD.decode_to_vec(text)).ok().map(Bytes::from)
}

/// Writes JSON without blanks.
#[derive(Debug)]
pub struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> JsonWriter<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Separates from what stands before.
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }
}

impl Writer for JsonWriter<'_> {
    fn structure(&mut self, _shape: &'static Structure, members: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    fn member<T: Write>(&mut self, member: &'static Member, value: &T) {
        if value.absent() && member.missing == Missing::Fine && !member.shown {
            return;
        }
        self.comma();
        self.out.push(b'"');
        // Member names are AWS's identifiers: nothing to escape.
        self.out.extend_from_slice(member.name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.write(self);
    }

    fn list<T: Write>(&mut self, items: &[T]) {
        self.out.push(b'[');
        for item in items {
            self.comma();
            item.write(self);
        }
        self.out.push(b']');
    }

    fn map<T: Write>(&mut self, entries: &[(Text, T)]) {
        self.out.push(b'{');
        for (key, value) in entries {
            self.comma();
            self.text(key);
            self.out.push(b':');
            value.write(self);
        }
        self.out.push(b'}');
    }

    fn text(&mut self, text: &str) {
        quote(text, self.out);
    }

    fn blob(&mut self, blob: &[u8]) {
        self.out.push(b'"');
        base64_simd::STANDARD.encode_append(blob, self.out);
        self.out.push(b'"');
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn integer(&mut self, value: i64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn double(&mut self, value: f64) {
        let mut text = String::new();
        if value.is_finite() {
            write!(text, "{value}").ok();
            self.out.extend_from_slice(text.as_bytes());
        } else {
            self.text(if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
        }
    }
}

/// Appends `text` in quotes, runs without escapes at once.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    /// Long enough for vector instructions, short enough that a rare escape costs little.
    const RUN: usize = 64;
    out.reserve(text.len() + 2);
    out.push(b'"');
    for run in text.as_bytes().chunks(RUN) {
        // No early exit, so that it vectorises.
        if run.iter().fold(true, |plain, &byte| plain & !special(byte)) {
            out.extend_from_slice(run);
            continue;
        }
        // Gathered at the side: this needs no look at the vector for each byte.
        let (mut side, mut length) = ([0; RUN * LONGEST], 0);
        for &byte in run {
            if special(byte) {
                length += escape(byte, &mut side[length..]);
            } else {
                side[length] = byte;
                length += 1;
            }
        }
        out.extend_from_slice(&side[..length]);
    }
    out.push(b'"');
}

/// Whether a byte may not stand in a string as it is.
fn special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Length of the longest escape of one byte.
const LONGEST: usize = 6;

/// Puts the escape of a special byte into `place`; gives its length.
fn escape(byte: u8, place: &mut [u8]) -> usize {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            place[..LONGEST].copy_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return LONGEST;
        }
    };
    place[..2].copy_from_slice(&[b'\\', short]);
    2
}
