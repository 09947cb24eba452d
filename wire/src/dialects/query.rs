//! AWS Query: a request is a form (`Entry.1.Id=a&Entry.1.Body=b`), in the body, in the URL or in both.
//!
//! The pairs are sorted by the segments of their names, so that everything below one prefix lies together; reading a
//! structure, list or map is then a walk over neighbours, whatever order the caller chose.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::Bytes;
use memchr::memchr2;

use super::json::base64;
use crate::Text;
use crate::codec::{Layout, Member, Reader, Refusal, Seen, Structure};
use crate::fault::{Fault, common};
use crate::limits::{PAIRS, SEGMENTS};

/// The pairs of a form.
#[derive(Debug)]
pub struct Form<'a> {
    pairs: Vec<Pair<'a>>,
}

#[derive(Debug)]
struct Pair<'a> {
    name: Cow<'a, str>,
    /// Still encoded.
    value: &'a str,
    source: &'a Text,
}

impl<'a> Form<'a> {
    /// The pairs of each of `sources`; of two pairs with one name the later counts.
    pub fn parse(sources: &[&'a Text]) -> Result<Self, Fault> {
        let mut pairs = Vec::new();
        for source in sources {
            for pair in source.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = decoded(name)?;
                if pairs.len() == PAIRS {
                    return Err(Fault::new(
                        &common::MALFORMED_QUERY_STRING,
                        "The request has too many parameters.",
                    ));
                }
                if name.split('.').take(SEGMENTS + 1).count() <= SEGMENTS {
                    pairs.push(Pair { name, value, source });
                }
            }
        }
        pairs.sort_by(|a, b| by_segments(&a.name, &b.name));
        // The sort is stable, so the later of two equal names stands second.
        pairs.dedup_by(|later, earlier| {
            let same = later.name == earlier.name;
            if same {
                core::mem::swap(later, earlier);
            }
            same
        });
        Ok(Self { pairs })
    }

    /// The value of the pair `name`.
    pub fn get(&self, name: &str) -> Result<Option<Text>, Fault> {
        let found = self.pairs.binary_search_by(|pair| by_segments(&pair.name, name)).ok();
        found.map(|index| self.pairs[index].text()).transpose()
    }

    /// A reader of the whole form as one structure.
    pub fn reader(&self) -> QueryReader<'_> {
        QueryReader { pairs: &self.pairs, at: 0, layout: &Layout::Structure }
    }
}

impl Pair<'_> {
    /// The value as a text: a slice of its source where nothing is encoded.
    fn text(&self) -> Result<Text, Fault> {
        Ok(match decoded(self.value)? {
            Cow::Borrowed(text) => self.source.slice_ref(text),
            Cow::Owned(text) => text.into(),
        })
    }

    /// The segment of the name that begins at `at`.
    fn segment(&self, at: usize) -> Option<&str> {
        let rest = self.name.get(at..)?;
        Some(rest.split('.').next().unwrap_or(rest))
    }
}

/// Reads what stands below one prefix of a form.
#[derive(Debug, Clone, Copy)]
pub struct QueryReader<'a> {
    /// Every pair below the prefix.
    pairs: &'a [Pair<'a>],
    /// Where the segment after the prefix begins.
    at: usize,
    layout: &'static Layout,
}

impl<'a> QueryReader<'a> {
    /// The pairs grouped by their segment at hand. Pairs that end with the prefix have none and are left out.
    fn groups(self) -> impl Iterator<Item = (&'a str, Self)> {
        let mut rest = self.pairs;
        core::iter::from_fn(move || {
            loop {
                let segment = rest.first()?.segment(self.at);
                let same = rest.iter().take_while(|pair| pair.segment(self.at) == segment).count();
                let (group, others) = rest.split_at(same);
                rest = others;
                if let Some(segment) = segment {
                    let below = Self { pairs: group, at: self.at + segment.len() + 1, layout: self.layout };
                    return Some((segment, below));
                }
            }
        })
    }

    /// The pair whose name is the prefix itself.
    fn own(self) -> Option<&'a Pair<'a>> {
        self.pairs.first().filter(|pair| pair.name.len() + 1 == self.at)
    }

    fn present(self) -> bool {
        !matches!(self.layout, Layout::Scalar) || self.own().is_some()
    }

    fn scalar(self) -> Result<Text, Refusal> {
        self.own().map_or(Ok(Text::new()), |pair| Ok(pair.text()?))
    }

    /// The numbered groups of a list or map: directly below the prefix, or below a segment that names the items.
    fn numbered(
        self,
        item: &'static str,
        each: &mut dyn FnMut(Self, &str) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        for (segment, group) in self.groups() {
            if is_number(segment) {
                each(group, segment).map_err(|refusal| refusal.within(segment))?;
            } else if segment == item || segment == "member" {
                for (segment, group) in group.groups().filter(|(segment, _)| is_number(segment)) {
                    each(group, segment).map_err(|refusal| refusal.within(segment))?;
                }
            }
        }
        Ok(())
    }

    fn parsed<T: core::str::FromStr>(self, wanted: &'static str) -> Result<T, Refusal> {
        let text = self.scalar()?;
        text.parse().map_err(|_| Refusal::malformed(format!("'{}' can not be converted to {wanted}", &*text)))
    }
}

impl Reader for QueryReader<'_> {
    fn structure(
        &mut self,
        shape: &'static Structure,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut seen = Seen::default();
        for (segment, mut group) in self.groups() {
            let Some(index) = shape.position(0, |member| member.query == segment) else { continue };
            let Member { layout, query, .. } = &shape.members[index];
            group.layout = layout;
            if group.present() {
                seen.note(index);
                member(&mut group, index).map_err(|refusal| refusal.within(query))?;
            }
        }
        shape.require(seen, false)
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Layout::List { item: name, inner, .. } = self.layout else { return Ok(()) };
        if let Some(pair) = self.own().filter(|pair| !pair.value.is_empty()) {
            // AWS takes a list's name without a number for a list of one. Without a value it is the empty list.
            return item(&mut Self { pairs: core::slice::from_ref(pair), at: self.at, layout: inner });
        }
        self.numbered(name, &mut |mut group, _| {
            group.layout = inner;
            if group.present() { item(&mut group) } else { Ok(()) }
        })
    }

    fn map(&mut self, mut entry: impl FnMut(&mut Self, Text) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Layout::Map { key, value, inner, .. } = self.layout else { return Ok(()) };
        let mut read = |group: Self| {
            // An entry without its key or value is read as an empty one, and the operation says what it lacks.
            let mut name = Text::new();
            let mut held = Self { pairs: &[], at: 0, layout: inner };
            for (segment, part) in group.groups() {
                if segment == *key {
                    name = part.scalar()?;
                } else if segment == *value {
                    held = Self { layout: inner, ..part };
                }
            }
            entry(&mut held, name)
        };
        // As AWS's own examples have it, a map of one entry needs no number.
        if self.groups().any(|(segment, _)| segment == *key) {
            read(*self)?;
        }
        self.numbered("entry", &mut |group, _| read(group))
    }

    fn text(&mut self) -> Result<Text, Refusal> {
        self.scalar()
    }

    fn blob(&mut self) -> Result<Bytes, Refusal> {
        let text = self.scalar()?;
        base64(&text)
            .ok_or_else(|| Refusal::malformed(format!("'{}' can not be converted to a Blob", &*text)))
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        let text = self.scalar()?;
        match &*text {
            "true" | "True" | "TRUE" | "1" => Ok(true),
            "false" | "False" | "FALSE" | "0" => Ok(false),
            _ => Err(Refusal::malformed(format!("'{}' can not be converted to a Boolean", &*text))),
        }
    }

    fn integer(&mut self) -> Result<i32, Refusal> {
        self.parsed("an Integer")
    }

    fn long(&mut self) -> Result<i64, Refusal> {
        self.parsed("a Long")
    }

    fn double(&mut self) -> Result<f64, Refusal> {
        self.parsed("a Double")
    }
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names in the order of their segments; segments that are numbers by their value.
fn by_segments(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) if is_number(a) && is_number(b) => {
                let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                // `1` and `01` are different segments of one value.
                x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| a.cmp(b))
            }
            // Numbers lie together, before names; else the order would not be total.
            (Some(a), Some(b)) => is_number(b).cmp(&is_number(a)).then_with(|| a.cmp(b)),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// `text` with `+` and `%XX` resolved; borrowed where there are none.
pub(crate) fn decoded(text: &str) -> Result<Cow<'_, str>, Fault> {
    let bytes = text.as_bytes();
    let Some(first) = memchr2(b'+', b'%', bytes) else { return Ok(Cow::Borrowed(text)) };
    let broken = || Fault::new(&common::MALFORMED_QUERY_STRING, "The query string is not well-formed.");
    let mut out = Vec::with_capacity(bytes.len());
    let (mut run, mut stop) = (0, first);
    loop {
        out.extend_from_slice(&bytes[run..stop]);
        match bytes.get(stop) {
            None => break,
            Some(b'+') => {
                out.push(b' ');
                run = stop + 1;
            }
            Some(_) => {
                let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
                let (high, low) = digit(stop + 1).zip(digit(stop + 2)).ok_or_else(broken)?;
                // Two hexadecimal digits make one byte.
                out.push((high << 4 | low) as u8);
                run = stop + 3;
            }
        }
        stop = memchr2(b'+', b'%', &bytes[run..]).map_or(bytes.len(), |found| run + found);
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| broken())
}
