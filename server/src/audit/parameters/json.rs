//! Parameters in JSON: read through once, whatever its length, keeping only what is shown.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::gathered::{Gathered, ITEMS};
use super::{HIDDEN, NESTED_BYTES, OPEN, SHOWN, Shape, TEXT_BYTES, TOO_LONG, cut};

/// What a number counts for, and a list or map beside its items.
const SCALAR_BYTES: usize = 16;

/// What may be shown of a body; null if it is no JSON.
pub(super) fn shown(body: &[u8]) -> Value {
    let left = Cell::new(NESTED_BYTES);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Look { place: Place::Whole, shape: Shape::Named, is_open: false, left: &left }
        .deserialize(&mut reader);
    match (value, reader.end()) {
        (Ok(value), Ok(())) => value,
        _ => Value::Null,
    }
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is all there is.
    Whole,
    /// It is a parameter.
    Parameter,
    /// It is a part of one.
    Within,
}

/// How one value is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    place: Place,
    shape: Shape,
    /// All names are the caller's own.
    is_open: bool,
    /// How much of lists and maps may still be shown.
    left: &'a Cell<usize>,
}

impl<'a> Look<'a> {
    fn within(self, shape: Shape, is_open: bool) -> Self {
        let place = if self.place == Place::Whole { Place::Parameter } else { Place::Within };
        Self { place, shape, is_open: self.is_open || is_open, ..self }
    }

    /// What a name stands for.
    fn member(self, name: &str) -> Self {
        self.within(if self.is_open { Shape::Any } else { Shape::of(name) }, OPEN.contains(&name))
    }

    /// Whether so many bytes may be shown here.
    fn has_room(self, bytes: usize) -> bool {
        if self.place != Place::Within {
            return true;
        }
        let left = self.left.get().checked_sub(bytes.min(TEXT_BYTES));
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// In place of what does not belong here.
    fn hidden(self) -> Value {
        if self.has_room(HIDDEN.len()) { HIDDEN.into() } else { TOO_LONG.into() }
    }

    fn scalar(self, value: impl Into<Value>) -> Value {
        if matches!(self.shape, Shape::List | Shape::Named) {
            return self.hidden();
        }
        if self.has_room(SCALAR_BYTES) { value.into() } else { TOO_LONG.into() }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(if self.has_room(SCALAR_BYTES) { Value::Null } else { TOO_LONG.into() })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        if !self.shape.takes(text) {
            return Ok(self.hidden());
        }
        Ok(if self.has_room(text.len()) { cut(text.to_owned()).into() } else { TOO_LONG.into() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let shape = self.shape.within().filter(|_| self.place != Place::Whole);
        let mut list = Vec::new();
        if let Some(shape) = shape {
            let most = if self.has_room(SCALAR_BYTES) { ITEMS } else { 0 };
            while list.len() < most
                && let Some(item) = items.next_element_seed(self.within(shape, false))?
            {
                list.push(item);
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(if shape.is_some() { list.into() } else { self.hidden() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if !matches!(self.shape, Shape::Named | Shape::Any) {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(self.hidden());
        }
        let mut gathered = Gathered::default();
        let has_room = self.has_room(SCALAR_BYTES);
        while let Some(name) = members.next_key::<String>()? {
            let is_named = SHOWN.contains(&&*name);
            if has_room && (is_named || (self.is_open && self.within(Shape::Any, false).has_room(name.len())))
            {
                let value = members.next_value_seed(self.member(&name))?;
                gathered.add(name, value, self.place != Place::Whole);
            } else {
                members.next_value::<IgnoredAny>()?;
                gathered.hide(name);
            }
        }
        Ok(if self.is_open { gathered.told_as_spelt() } else { gathered.told() })
    }
}
