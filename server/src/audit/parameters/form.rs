//! Parameters in a form: the fields of a URL's query and of a body.

use std::borrow::Cow;

use serde_json::Value;

use super::gathered::Gathered;
use super::{NESTED_BYTES, SHOWN, Shape, TEXT_BYTES, TOO_LONG, cut};

/// The operation that a form asks for.
pub(super) fn action(query: Option<&str>, body: &[u8]) -> Option<String> {
    fields(query, body).find(|(name, _)| name == "Action").map(|(_, value)| decoded(value))
}

/// What may be shown of a form.
pub(super) fn shown(query: Option<&str>, body: &[u8]) -> Value {
    let mut gathered = Gathered::default();
    let mut left = NESTED_BYTES;
    for (name, value) in fields(query, body) {
        if name == "Action" || name == "Version" || name.starts_with("X-Amz-") {
            continue;
        }
        if !is_shown(&name, value) {
            gathered.hide(name.into_owned());
            continue;
        }
        let is_nested = name.contains('.');
        let room = value.len().min(TEXT_BYTES) + name.len();
        let value = if !is_nested || room <= left { cut(decoded(value)) } else { TOO_LONG.to_owned() };
        left = left.saturating_sub(if is_nested { room } else { 0 });
        gathered.add(name.into_owned(), value.into(), is_nested);
    }
    gathered.told()
}

/// Of `MessageAttribute.1.Value.StringValue` every word must be shown, and the value be what the last one takes.
fn is_shown(name: &str, value: &str) -> bool {
    let is_item = |word: &&str| *word == "member" || word.parse::<u32>().is_ok();
    let words: Vec<&str> = name.split('.').filter(|word| !is_item(word)).collect();
    let shape = words.last().map_or(Shape::Text, |word| Shape::of(word));
    let shape =
        if name.rsplit('.').next().is_some_and(|word| is_item(&word)) { shape.within() } else { Some(shape) };
    if !shape.is_some_and(|shape| shape.takes(value)) {
        return false;
    }
    match words.as_slice() {
        ["Attribute" | "Tag", "Name" | "Key" | "Value"] => true,
        [batch, word] if batch.ends_with("BatchRequestEntry") => SHOWN.contains(word),
        [] => false,
        words => words.iter().all(|word| SHOWN.contains(word)),
    }
}

/// All fields, their names decoded; where that is not possible, as they are.
fn fields<'a>(query: Option<&'a str>, body: &'a [u8]) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let fields =
        query.unwrap_or_default().split('&').chain(body.split('&')).filter(|field| !field.is_empty());
    fields.map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        let is_plain = !name.contains(['%', '+']);
        (if is_plain { Cow::Borrowed(name) } else { decoded(name).into() }, value)
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (plain, next) = match (byte, hex) {
            (b'%', Some(value)) => (value, &after[2..]),
            (b'+', _) => (b' ', after),
            _ => (byte, after),
        };
        bytes.push(plain);
        rest = next;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
