//! Parameters as they come, put together so that none can hide another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{HIDDEN, cut};

/// The most items of lists and maps that are shown, and the most names of which only that they are there.
pub(super) const ITEMS: usize = 256;
const HIDDEN_NAMES: usize = 64;
/// How often one is shown that was given again and again: the last one always is.
const REPEATS: usize = 4;

/// The parameters of one request, or the members of one object.
#[derive(Default)]
pub(super) struct Gathered {
    shown: BTreeMap<String, Vec<Value>>,
    hidden: BTreeSet<String>,
    /// There was more.
    is_cut: bool,
}

impl Gathered {
    /// One that may be shown. Of those that only lists and maps have (`is_one_of_many`) not all are.
    pub(super) fn add(&mut self, name: String, value: Value, is_one_of_many: bool) {
        let is_full = is_one_of_many && self.shown.len() >= ITEMS;
        match self.shown.get_mut(&name) {
            Some(values) => {
                if values.len() == REPEATS {
                    values.pop();
                    self.is_cut = true;
                }
                values.push(value);
            }
            None if is_full => self.is_cut = true,
            None => _ = self.shown.insert(name, vec![value]),
        }
    }

    /// One that is hidden.
    pub(super) fn hide(&mut self, name: String) {
        if self.hidden.len() < HIDDEN_NAMES {
            self.hidden.insert(name);
        } else {
            self.is_cut = true;
        }
    }

    /// All under their names as CloudTrail spells them, or as they were spelt where that is taken; one that was given several times as a
    /// list.
    pub(super) fn told(self) -> Value {
        let mut told = Map::new();
        // Those that are spelt so already come first.
        let (own, other): (Vec<_>, Vec<_>) =
            self.shown.into_iter().partition(|(name, _)| camel(name) == *name);
        for (name, values) in own.into_iter().chain(other) {
            let key = Some(camel(&name)).filter(|key| !told.contains_key(key)).unwrap_or(name);
            told.insert(cut(key), one_or_all(values));
        }
        for name in self.hidden {
            told.entry(cut(camel(&name))).or_insert_with(|| HIDDEN.into());
        }
        if self.is_cut {
            told.entry("...").or_insert(Value::Null);
        }
        Value::Object(told)
    }

    /// The same under the names that the caller chose.
    pub(super) fn told_as_spelt(self) -> Value {
        let mut told: Map<String, Value> =
            self.shown.into_iter().map(|(name, values)| (cut(name), one_or_all(values))).collect();
        if self.is_cut || !self.hidden.is_empty() {
            told.entry("...").or_insert(Value::Null);
        }
        Value::Object(told)
    }
}

fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() > 1 { Value::Array(values) } else { values.pop().unwrap_or_default() }
}

fn camel(name: &str) -> String {
    let upper = name.bytes().take_while(u8::is_ascii_uppercase).count();
    // AWSAccountIds is aWSAccountIds there.
    let (head, tail) = name.split_at(upper.min(1));
    head.to_ascii_lowercase() + tail
}
