//! The JSON in which AWS Query answers callers that accept only JSON: absent members are null, and a map is a list of
//! its entries.

use alloc::vec::Vec;

use super::json::JsonWriter;
use crate::Text;
use crate::codec::{Layout, Member, Structure, Write, Writer};

/// Writes a value.
#[derive(Debug)]
pub struct QueryJsonWriter<'a> {
    json: Output<'a>,
    layout: &'static Layout,
}

#[derive(Debug)]
struct Output<'a>(&'a mut Vec<u8>);

impl Output<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn comma(&mut self) {
        if !matches!(self.0.last(), Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    fn writer(&mut self) -> JsonWriter<'_> {
        JsonWriter::new(self.0)
    }
}

impl<'a> QueryJsonWriter<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { json: Output(out), layout: &Layout::Structure }
    }

    fn value<T: Write>(&mut self, name: &str, layout: &'static Layout, value: &T) {
        self.json.comma();
        self.json.writer().text(name);
        self.json.raw(b":");
        if value.absent() {
            return self.json.raw(b"null");
        }
        let outer = core::mem::replace(&mut self.layout, layout);
        value.write(self);
        self.layout = outer;
    }
}

impl Writer for QueryJsonWriter<'_> {
    fn structure(&mut self, _shape: &'static Structure, members: impl FnOnce(&mut Self)) {
        self.json.raw(b"{");
        members(self);
        self.json.raw(b"}");
    }

    fn member<T: Write>(&mut self, member: &'static Member, value: &T) {
        // The two lists that AWS names otherwise here than in JSON and in XML.
        let name = match member.name {
            "Messages" => "messages",
            "QueueUrls" => "queueUrls",
            name => name,
        };
        self.value(name, &member.layout, value);
    }

    fn list<T: Write>(&mut self, items: &[T]) {
        if let &Layout::List { inner, .. } = self.layout {
            self.layout = inner;
        }
        self.json.raw(b"[");
        for item in items {
            self.json.comma();
            item.write(self);
        }
        self.json.raw(b"]");
    }

    fn map<T: Write>(&mut self, entries: &[(Text, T)]) {
        let &Layout::Map { key: key_name, value: value_name, inner, .. } = self.layout else { return };
        self.json.raw(b"[");
        for (key, value) in entries {
            self.json.comma();
            self.json.raw(b"{");
            self.value(key_name, &Layout::Scalar, key);
            self.value(value_name, inner, value);
            self.json.raw(b"}");
        }
        self.json.raw(b"]");
    }

    fn text(&mut self, text: &str) {
        self.json.writer().text(text);
    }

    fn blob(&mut self, blob: &[u8]) {
        self.json.writer().blob(blob);
    }

    fn boolean(&mut self, value: bool) {
        self.json.writer().boolean(value);
    }

    fn integer(&mut self, value: i64) {
        self.json.writer().integer(value);
    }

    fn double(&mut self, value: f64) {
        self.json.writer().double(value);
    }
}
