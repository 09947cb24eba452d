//! The caller's half of the Query dialect: a writer of forms.

use kew_wire::Text;
use kew_wire::codec::{Layout, Member, Missing, Structure, Write, Writer};

/// Writes a value as form pairs below a prefix.
pub(crate) struct FormWriter {
    pub(crate) out: String,
    prefix: String,
    layout: &'static Layout,
}

/// The form of a request.
pub(crate) fn form(action: &str, write: impl FnOnce(&mut FormWriter)) -> String {
    let out = format!("Action={action}&Version=2012-11-05");
    let mut writer = FormWriter { out, prefix: String::new(), layout: &Layout::Structure };
    write(&mut writer);
    writer.out
}

impl FormWriter {
    fn below<T: Write>(&mut self, segment: &str, layout: &'static Layout, value: &T) {
        let outer = (self.prefix.len(), self.layout);
        if !self.prefix.is_empty() {
            self.prefix.push('.');
        }
        self.prefix.push_str(segment);
        self.layout = layout;
        value.write(self);
        self.prefix.truncate(outer.0);
        self.layout = outer.1;
    }
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

impl Writer for FormWriter {
    fn structure(&mut self, _shape: &'static Structure, members: impl FnOnce(&mut Self)) {
        members(self);
    }

    fn member<T: Write>(&mut self, member: &'static Member, value: &T) {
        if !value.absent() || member.missing != Missing::Fine {
            self.below(member.query, &member.layout, value);
        }
    }

    fn list<T: Write>(&mut self, items: &[T]) {
        let Layout::List { flat, item, inner } = self.layout else { panic!("a list without its layout") };
        if items.is_empty() {
            return self.text("");
        }
        for (index, value) in items.iter().enumerate() {
            let number = index + 1;
            let segment = if *flat { number.to_string() } else { format!("{item}.{number}") };
            self.below(&segment, inner, value);
        }
    }

    fn map<T: Write>(&mut self, entries: &[(Text, T)]) {
        let Layout::Map { flat, key, value: held, inner } = self.layout else {
            panic!("a map without its layout")
        };
        if entries.is_empty() {
            return self.text("");
        }
        for (index, (name, value)) in entries.iter().enumerate() {
            let entry = if *flat { "" } else { "entry." };
            self.below(&format!("{entry}{}.{key}", index + 1), &Layout::Scalar, name);
            self.below(&format!("{entry}{}.{held}", index + 1), inner, value);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(&format!("&{}={}", self.prefix, encode(text)));
    }

    fn blob(&mut self, blob: &[u8]) {
        self.text(&base64_simd::STANDARD.encode_to_string(blob));
    }

    fn boolean(&mut self, value: bool) {
        self.text(if value { "true" } else { "false" });
    }

    fn integer(&mut self, value: i64) {
        self.text(&value.to_string());
    }

    fn double(&mut self, value: f64) {
        self.text(&value.to_string());
    }
}
