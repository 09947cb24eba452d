//! The seam between shapes and dialects.
//!
//! A generated shape knows its members ([`Structure`]) and how to [`Read`] and [`Write`] itself; a dialect is a
//! [`Reader`] and a [`Writer`]. Each meets the other only here, and the compiler melts them together: there is no tree
//! in between.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use bytes::Bytes;

use crate::Text;
use crate::fault::{Fault, common};

/// A structure: its members in the model's order, by which they are numbered.
#[derive(Debug)]
pub struct Structure {
    /// AWS's name.
    pub name: &'static str,
    /// What it is made of.
    pub members: &'static [Member],
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its name in the Query dialect and its XML.
    pub query: &'static str,
    /// What it holds.
    pub layout: Layout,
    /// What becomes of a request without it.
    pub missing: Missing,
    /// Whether it is also shown, in JSON, while it is empty.
    pub shown: bool,
}

impl Member {
    /// A member that may be absent.
    pub const fn new(name: &'static str, query: &'static str, layout: Layout) -> Self {
        Self { name, query, layout, missing: Missing::Fine, shown: false }
    }

    /// The same member, its absence answered so.
    #[must_use]
    pub const fn or(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// The same member, shown though it is empty.
    #[must_use]
    pub const fn shown(self) -> Self {
        Self { shown: true, ..self }
    }
}

/// What a member holds, as far as a dialect must know in advance.
#[derive(Debug, Clone, Copy)]
pub enum Layout {
    /// One text, number or the like.
    Scalar,
    /// Members of its own.
    Structure,
    /// A list; `flat` when the items carry the member's name and no element encloses them, else each is an `item`.
    List {
        /// No enclosing element.
        flat: bool,
        /// The name of each item.
        item: &'static str,
        /// What each item holds.
        inner: &'static Layout,
    },
    /// A map; `flat` when the entries carry the member's name and no element encloses them.
    Map {
        /// No enclosing element.
        flat: bool,
        /// The name of each key.
        key: &'static str,
        /// The name of each value.
        value: &'static str,
        /// What each value holds.
        inner: &'static Layout,
    },
}

/// What becomes of a request that lacks a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: it is optional, or the operation decides.
    Fine,
    /// MissingParameter of this name, where the dialect tells an empty list from none; else the operation decides.
    ParameterIfTold(&'static str),
    /// MissingParameter of this name.
    Parameter(&'static str),
    /// InvalidParameterValue with this message.
    Invalid(&'static str),
}

/// Which members of a structure a request carries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen(u128);

impl Seen {
    /// Notes a member.
    pub fn note(&mut self, member: usize) {
        // The generator refuses required members beyond this.
        if member < 128 {
            self.0 |= 1 << member;
        }
    }

    fn has(self, member: usize) -> bool {
        member >= 128 || self.0 & (1 << member) != 0
    }
}

impl Structure {
    /// The number of the member that `matches`, tried from `from` on, because most callers keep the model's order.
    pub fn position(&self, from: usize, matches: impl Fn(&Member) -> bool) -> Option<usize> {
        let start = from.min(self.members.len());
        let (before, after) = self.members.split_at(start);
        let later = after.iter().position(&matches).map(|index| index + start);
        later.or_else(|| before.iter().position(matches))
    }

    /// Refuses a request that lacks a required member. `tells_empty`: the dialect can tell an empty list from none.
    pub fn require(&self, seen: Seen, tells_empty: bool) -> Result<(), Refusal> {
        for (index, member) in self.members.iter().enumerate() {
            if member.missing != Missing::Fine && !seen.has(index) {
                match member.missing {
                    Missing::Fine => {}
                    Missing::ParameterIfTold(name) if tells_empty => return Err(Refusal::missing(name)),
                    Missing::ParameterIfTold(_) => {}
                    Missing::Parameter(name) => return Err(Refusal::missing(name)),
                    Missing::Invalid(message) => {
                        return Err(Fault::new(&common::INVALID_PARAMETER_VALUE, message).into());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Why a request could not be read. Small, because every step of reading returns it.
#[derive(Debug)]
pub struct Refusal(Box<Reason>);

#[derive(Debug)]
enum Reason {
    /// A parameter is absent; its path grows while the readers unwind.
    Missing(String),
    Fault(Fault),
}

impl Refusal {
    /// The parameter `name` is absent.
    pub fn missing(name: &str) -> Self {
        Self(Box::new(Reason::Missing(name.to_string())))
    }

    /// The body is not what the dialect demands; an empty message is left out, as AWS does for plain syntax errors.
    pub fn malformed(message: impl Into<alloc::borrow::Cow<'static, str>>) -> Self {
        Fault::new(&common::SERIALIZATION, message).into()
    }

    /// Names the place that the refusal came through.
    #[must_use]
    pub fn within(mut self, place: impl Display) -> Self {
        if let Reason::Missing(path) = &mut *self.0 {
            *path = format!("{place}.{path}");
        }
        self
    }

    /// The fault that the caller sees.
    pub fn into_fault(self) -> Fault {
        match *self.0 {
            Reason::Fault(fault) => fault,
            Reason::Missing(path) => Fault::new(
                &common::MISSING_PARAMETER,
                format!("The request must contain the parameter {path}."),
            ),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self(Box::new(Reason::Fault(fault)))
    }
}

/// The reading half of a dialect, standing before one value.
///
/// Each method consumes that value. The closures are called for each part that is there and must consume it.
pub trait Reader: Sized {
    /// Reads a structure: `member` is given the number of each known member that is present and not null.
    fn structure(
        &mut self,
        shape: &'static Structure,
        member: impl FnMut(&mut Self, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal>;
    /// Reads a list.
    fn list(&mut self, item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal>;
    /// Reads a map.
    fn map(&mut self, entry: impl FnMut(&mut Self, Text) -> Result<(), Refusal>) -> Result<(), Refusal>;
    /// Reads a text.
    fn text(&mut self) -> Result<Text, Refusal>;
    /// Reads bytes.
    fn blob(&mut self) -> Result<Bytes, Refusal>;
    /// Reads a truth value.
    fn boolean(&mut self) -> Result<bool, Refusal>;
    /// Reads an integer of 32 bits.
    fn integer(&mut self) -> Result<i32, Refusal>;
    /// Reads an integer of 64 bits.
    fn long(&mut self) -> Result<i64, Refusal>;
    /// Reads a floating-point number.
    fn double(&mut self) -> Result<f64, Refusal>;
}

/// The writing half of a dialect.
pub trait Writer: Sized {
    /// Writes a structure, whose parts `members` gives by [`Writer::member`].
    fn structure(&mut self, shape: &'static Structure, members: impl FnOnce(&mut Self));
    /// Writes a member of the structure at hand, unless it is absent and may be.
    fn member<T: Write>(&mut self, member: &'static Member, value: &T);
    /// Writes a list.
    fn list<T: Write>(&mut self, items: &[T]);
    /// Writes a map.
    fn map<T: Write>(&mut self, entries: &[(Text, T)]);
    /// Writes a text.
    fn text(&mut self, text: &str);
    /// Writes bytes.
    fn blob(&mut self, blob: &[u8]);
    /// Writes a truth value.
    fn boolean(&mut self, value: bool);
    /// Writes an integer.
    fn integer(&mut self, value: i64);
    /// Writes a floating-point number.
    fn double(&mut self, value: f64);
    /// Writes a moment: in JSON its seconds since 1970.
    fn timestamp(&mut self, moment: Timestamp) {
        self.double(moment.0);
    }
}

/// A moment: seconds since the beginning of 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Timestamp(pub f64);

/// A value that any dialect can read.
pub trait Read: Sized {
    /// Reads one from where `from` stands.
    fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal>;
}

/// A value that any dialect can write.
pub trait Write {
    /// Writes it.
    fn write<W: Writer>(&self, to: &mut W);

    /// Whether there is nothing to write: no value, or a list or map without entries.
    fn absent(&self) -> bool {
        false
    }
}

/// Reads the value of one member into its place.
pub fn fill<T: Read, R: Reader>(place: &mut T, from: &mut R) -> Result<(), Refusal> {
    *place = T::read(from)?;
    Ok(())
}

/// Gives a structure its [`Read`] and [`Write`] from its schema and its members' numbers and fields.
macro_rules! structure {
    ($name:ident, $schema:ident { $($index:literal: $field:ident),* $(,)? }) => {
        impl $crate::codec::Read for $name {
            fn read<R: $crate::codec::Reader>(from: &mut R) -> Result<Self, $crate::codec::Refusal> {
                #[allow(unused_mut)]
                let mut it = Self::default();
                from.structure(&$schema, |_from, member| match member {
                    $($index => $crate::codec::fill(&mut it.$field, _from),)*
                    _ => Ok(()),
                })?;
                Ok(it)
            }
        }

        impl $crate::codec::Write for $name {
            fn write<W: $crate::codec::Writer>(&self, to: &mut W) {
                to.structure(&$schema, |_to| {
                    $(_to.member(&$schema.members[$index], &self.$field);)*
                });
            }
        }
    };
}
pub(crate) use structure;

macro_rules! scalar {
    ($type:ty, $read:ident, |$value:ident, $to:ident| $write:expr) => {
        impl Read for $type {
            fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal> {
                from.$read()
            }
        }

        impl Write for $type {
            fn write<W: Writer>(&self, $to: &mut W) {
                let $value = self;
                $write
            }
        }
    };
}

scalar!(Text, text, |value, to| to.text(value));
scalar!(Bytes, blob, |value, to| to.blob(value));
scalar!(bool, boolean, |value, to| to.boolean(*value));
scalar!(i32, integer, |value, to| to.integer(i64::from(*value)));
scalar!(i64, long, |value, to| to.integer(*value));
scalar!(f64, double, |value, to| to.double(*value));

impl Read for Timestamp {
    fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal> {
        from.double().map(Self)
    }
}

impl Write for Timestamp {
    fn write<W: Writer>(&self, to: &mut W) {
        to.timestamp(*self);
    }
}

impl<T: Read> Read for Option<T> {
    fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal> {
        T::read(from).map(Some)
    }
}

impl<T: Write> Write for Option<T> {
    fn write<W: Writer>(&self, to: &mut W) {
        if let Some(value) = self {
            value.write(to);
        }
    }

    fn absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal> {
        let mut items = Self::new();
        from.list(|from| {
            items.push(T::read(from)?);
            Ok(())
        })?;
        Ok(items)
    }
}

impl<T: Write> Write for Vec<T> {
    fn write<W: Writer>(&self, to: &mut W) {
        to.list(self);
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

/// A map keeps the caller's order; of entries with one key the last counts.
impl<T: Read> Read for Vec<(Text, T)> {
    fn read<R: Reader>(from: &mut R) -> Result<Self, Refusal> {
        let mut entries = Self::new();
        from.map(|from, key| {
            entries.push((key, T::read(from)?));
            Ok(())
        })?;
        keep_last(&mut entries);
        Ok(entries)
    }
}

impl<T: Write> Write for Vec<(Text, T)> {
    fn write<W: Writer>(&self, to: &mut W) {
        to.map(self);
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

/// Drops every entry whose key comes again later.
fn keep_last<T>(entries: &mut Vec<(Text, T)>) {
    let few = entries.len() <= 10;
    let later = |index: usize| entries[index + 1..].iter();
    if few && !(0..entries.len()).any(|index| later(index).any(|(key, _)| *key == entries[index].0)) {
        return;
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // Equal keys become neighbours in their order of arrival, so hostile input costs n log n and not n squared.
    order.sort_by(|&a, &b| entries[a].0.cmp(&entries[b].0));
    let mut again: Vec<usize> = order
        .windows(2)
        .filter(|pair| entries[pair[0]].0 == entries[pair[1]].0)
        .map(|pair| pair[0])
        .collect();
    if again.is_empty() {
        return;
    }
    again.sort_unstable();
    let mut index = 0;
    entries.retain(|_| {
        let keep = again.binary_search(&index).is_err();
        index += 1;
        keep
    });
}
