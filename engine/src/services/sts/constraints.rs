//! The constraints of the shapes of AWS's model: all that are not kept are told at once, in the words of AWS's framework.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use kew_wire::fault::Fault;

use super::{faults, limits};

/// What a member's characters may be: the pattern as AWS shows it, and its meaning.
pub(super) struct Pattern {
    pub(super) shown: &'static str,
    pub(super) allows: fn(char) -> bool,
}

/// Names of sessions and source identities.
pub(super) const NAME: Pattern =
    Pattern { shown: "[\\w+=,.@-]*", allows: |c| is_word(c) || "+=,.@-".contains(c) };

/// External ids.
pub(super) const EXTERNAL_ID: Pattern =
    Pattern { shown: "[\\w+=,.@:\\/-]*", allows: |c| is_word(c) || "+=,.@:/-".contains(c) };

/// ARNs.
pub(super) const ARN: Pattern = Pattern {
    shown: "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    allows: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..),
};

/// Policies.
pub(super) const POLICY: Pattern = Pattern {
    shown: "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
    allows: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
};

/// Keys of tags.
pub(super) const TAG_KEY: Pattern = Pattern { shown: "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", allows: is_tag };

/// Values of tags.
pub(super) const TAG_VALUE: Pattern = Pattern { shown: "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", allows: is_tag };

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_tag(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// The constraints that a request does not keep.
#[derive(Default)]
pub(super) struct Constraints(Vec<String>);

impl Constraints {
    /// A member that must be there.
    pub(super) fn required(
        &mut self,
        at: &str,
        value: &str,
        chars: RangeInclusive<usize>,
        pattern: &Pattern,
    ) {
        if value.is_empty() {
            self.0
                .push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
        } else {
            self.text(at, value, chars, pattern);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, at: &str, value: &str, chars: RangeInclusive<usize>, pattern: &Pattern) {
        let shown: String = value.chars().take(limits::SHOWN_CHARS).collect();
        let length = value.chars().count();
        if !value.chars().all(pattern.allows) {
            self.add(
                &shown,
                at,
                format!("Member must satisfy regular expression pattern: {}", pattern.shown),
            );
        }
        self.length(&shown, at, length, chars);
    }

    /// A list's length.
    pub(super) fn list(&mut self, at: &str, length: usize, most: usize) {
        self.length("[...]", at, length, 0..=most);
    }

    /// A number.
    pub(super) fn number(&mut self, at: &str, value: i32, allowed: RangeInclusive<i32>) {
        if value < *allowed.start() {
            self.add(
                &format!("{value}"),
                at,
                format!("Member must have value greater than or equal to {}", allowed.start()),
            );
        } else if value > *allowed.end() {
            self.add(
                &format!("{value}"),
                at,
                format!("Member must have value less than or equal to {}", allowed.end()),
            );
        }
    }

    /// The refusal, if anything is not kept.
    pub(super) fn end(self) -> Result<(), Fault> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(faults::validation(format!("1 validation error detected: {}", self.0[0]))),
            count => {
                Err(faults::validation(format!("{count} validation errors detected: {}", self.0.join("; "))))
            }
        }
    }

    fn length(&mut self, shown: &str, at: &str, length: usize, allowed: RangeInclusive<usize>) {
        if length < *allowed.start() {
            self.add(
                shown,
                at,
                format!("Member must have length greater than or equal to {}", allowed.start()),
            );
        } else if length > *allowed.end() {
            self.add(shown, at, format!("Member must have length less than or equal to {}", allowed.end()));
        }
    }

    fn add(&mut self, shown: &str, at: &str, rule: String) {
        self.0.push(format!("Value '{shown}' at '{at}' failed to satisfy constraint: {rule}"));
    }
}
