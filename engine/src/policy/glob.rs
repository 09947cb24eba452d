//! Texts with wildcards, and what it costs to compare with them.

use alloc::vec::Vec;
use core::cell::Cell;

use memchr::memmem;

/// How much a decision, or several of one request, may still look at. A step is a byte looked at, or about as little work.
#[derive(Debug)]
pub struct Steps {
    /// `None` once they were too few.
    left: Cell<Option<usize>>,
    /// How often more were asked for since: work that should have ended.
    #[cfg(test)]
    refused: Cell<usize>,
}

impl Steps {
    /// So many.
    pub fn new(all: usize) -> Self {
        Self {
            left: Cell::new(Some(all)),
            #[cfg(test)]
            refused: Cell::new(0),
        }
    }

    /// Counts steps; false if there were not so many left.
    pub(super) fn take(&self, count: usize) -> bool {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(count)));
        #[cfg(test)]
        self.refused.set(self.refused.get() + usize::from(self.are_spent()));
        !self.are_spent()
    }

    /// Whether something could not be looked at to its end, so that nothing found since then counts.
    pub(super) fn are_spent(&self) -> bool {
        self.left.get().is_none()
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> Option<usize> {
        self.left.get()
    }

    #[cfg(test)]
    pub(super) fn refused(&self) -> usize {
        self.refused.get()
    }
}

/// A text with wildcards: `*` is any run of characters, or none, and `?` any one character.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    bytes: Vec<u8>,
    /// Where in it `*` and `?` are wildcards; elsewhere they stand for themselves.
    wild: Vec<usize>,
}

/// What stands between two `*`.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    bytes: &'a [u8],
    /// Where it begins in its pattern, from whose beginning `holes` count.
    start: usize,
    /// Where it has a `?`.
    holes: &'a [usize],
}

impl Pattern {
    /// A text in which each `*` and `?` is a wildcard.
    pub(super) fn plain(text: &str) -> Self {
        let wild = text.bytes().enumerate().filter(|(_, b)| matches!(b, b'*' | b'?')).map(|(at, _)| at);
        Self { bytes: text.into(), wild: wild.collect() }
    }

    /// Goes on with what stands for itself.
    pub(super) fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Goes on with a wildcard.
    pub(super) fn push_wildcard(&mut self, wildcard: u8) {
        self.wild.push(self.bytes.len());
        self.bytes.push(wildcard);
    }

    /// Goes on with another pattern.
    pub(super) fn append(&mut self, other: &Self) {
        let length = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.wild.extend(other.wild.iter().map(|at| length + at));
    }

    /// The text, wildcards and all.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a whole text fits; false if there are too few steps to say.
    ///
    /// The first and the last run stand at the text's ends. Of the others each may take the first place where it fits, for that leaves
    /// the most to those behind it, so nothing is ever tried again.
    pub(super) fn matches(&self, text: &str, ignore_case: bool, steps: &Steps) -> bool {
        steps.take(1) && self.fits(text, ignore_case, steps).is_some() && !steps.are_spent()
    }

    fn fits(&self, text: &str, ignore_case: bool, steps: &Steps) -> Option<()> {
        let is_star = |at: &usize| self.bytes.get(*at) == Some(&b'*');
        let (Some(first), Some(last)) =
            (self.wild.iter().position(is_star), self.wild.iter().rposition(is_star))
        else {
            let run = self.run(None, None);
            let may = !run.holes.is_empty() || run.bytes.len() == text.len();
            let end = may.then(|| run.end(text, 0, ignore_case, steps))??;
            return (end == text.len()).then_some(());
        };
        let mut at = self.run(None, Some(first)).end(text, 0, ignore_case, steps)?;
        let tail = self.run(Some(last), None);
        let end = tail.place_at_end(text, steps).filter(|end| *end >= at)?;
        tail.end(text, end, ignore_case, steps)?;
        let text = text.get(..end)?;
        let mut star = first;
        while star < last {
            let next = self.wild.iter().skip(star + 1).position(is_star)? + star + 1;
            at = self.run(Some(star), Some(next)).find(text, at, ignore_case, steps)?;
            star = next;
        }
        Some(())
    }

    /// What stands between two wildcards, given by their places in `wild`, or an end of the pattern.
    fn run(&self, after: Option<usize>, before: Option<usize>) -> Run<'_> {
        let start = after.map_or(0, |wild| self.wild[wild] + 1);
        let end = before.map_or(self.bytes.len(), |wild| self.wild[wild]);
        let holes = after.map_or(0, |wild| wild + 1)..before.unwrap_or(self.wild.len());
        Run { bytes: &self.bytes[start..end], start, holes: &self.wild[holes] }
    }
}

impl Run<'_> {
    /// Where the run ends, if the text goes on with it at `at`.
    fn end(self, text: &str, mut at: usize, ignore_case: bool, steps: &Steps) -> Option<usize> {
        let same = |a: &u8, b: &u8| a == b || (ignore_case && a.eq_ignore_ascii_case(b));
        let mut from = 0;
        for hole in self.holes.iter().map(|hole| hole - self.start) {
            at = literal_end(&self.bytes[from..hole], text, at, same, steps)?;
            at += text.get(at..)?.chars().next()?.len_utf8();
            from = hole + 1;
        }
        literal_end(&self.bytes[from..], text, at, same, steps)
    }

    /// Where the run must begin to end with the text. A `?` takes as many bytes as its character has, so characters are counted.
    fn place_at_end(self, text: &str, steps: &Steps) -> Option<usize> {
        if self.holes.is_empty() {
            return text.len().checked_sub(self.bytes.len());
        }
        let is_first = |b: &&u8| (**b as i8) >= -0x40;
        let chars = self.bytes.iter().filter(is_first).count();
        let at = text.char_indices().rev().nth(chars - 1).map(|(at, _)| at);
        at.filter(|_| steps.take(self.bytes.len() + chars))
    }

    /// Where the run ends at the first place from `from` on where it fits.
    fn find(self, text: &str, from: usize, ignore_case: bool, steps: &Steps) -> Option<usize> {
        if self.holes.is_empty() && !ignore_case {
            let rest = text.as_bytes().get(from..)?;
            let found = memmem::find(rest, self.bytes);
            let is_counted = steps.take(found.unwrap_or(rest.len()) + self.bytes.len());
            return found.filter(|_| is_counted).map(|place| from + place + self.bytes.len());
        }
        let places = text.get(from..)?.char_indices().map(|(at, _)| from + at).chain([text.len()]);
        for at in places {
            if !steps.take(1) {
                return None;
            }
            if let Some(end) = self.end(text, at, ignore_case, steps) {
                return Some(end);
            }
        }
        None
    }
}

/// Where a part without wildcards ends, if the text goes on with it at `at`.
fn literal_end(
    part: &[u8],
    text: &str,
    at: usize,
    same: impl Fn(&u8, &u8) -> bool,
    steps: &Steps,
) -> Option<usize> {
    let end = at + part.len();
    let there = text.as_bytes().get(at..end)?;
    let differ = part.iter().zip(there).position(|(a, b)| !same(a, b));
    (steps.take(differ.unwrap_or(part.len()) + 1) && differ.is_none()).then_some(end)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    /// The same by trying each place, one after the other, again and again.
    fn slow(pattern: &Pattern, text: &str, ignore_case: bool) -> bool {
        let bytes = text.as_bytes();
        let same = |a: u8, b: u8| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
        let after =
            |at: usize| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        let (mut at, mut seen) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while seen < bytes.len() {
            match pattern.bytes.get(at).map(|byte| (*byte, pattern.wild.contains(&at))) {
                Some((b'*', true)) => {
                    retry = Some((at + 1, seen));
                    at += 1;
                }
                Some((_, true)) => {
                    at += 1;
                    seen = after(seen);
                }
                Some((byte, false)) if same(byte, bytes[seen]) => {
                    at += 1;
                    seen += 1;
                }
                _ => match retry {
                    Some((next, start)) => {
                        let start = after(start);
                        retry = Some((next, start));
                        at = next;
                        seen = start;
                    }
                    None => return false,
                },
            }
        }
        (at..pattern.bytes.len()).all(|at| pattern.bytes[at] == b'*' && pattern.wild.contains(&at))
    }

    /// A pattern from pieces, of which every other stands for itself, wildcards and all.
    fn pieces() -> impl Strategy<Value = Pattern> {
        let piece = prop_oneof![3 => "[abA*?é€]{0,4}".prop_map(|it| (false, it)), 1 => "[aé*?]{0,2}".prop_map(|it| (true, it))];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| {
            let mut pattern = Pattern::default();
            for (is_literal, text) in pieces {
                if is_literal { pattern.push(&text) } else { pattern.append(&Pattern::plain(&text)) }
            }
            pattern
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_fast_way_finds_what_the_slow_one_finds(
            pattern in pieces(),
            text in "[abAé€*?]{0,12}",
            ignore_case in any::<bool>(),
        ) {
            let steps = Steps::new(usize::MAX);
            prop_assert_eq!(pattern.matches(&text, ignore_case, &steps), slow(&pattern, &text, ignore_case));
        }

        #[test]
        fn a_text_made_from_a_pattern_fits_it(
            parts in prop::collection::vec(("[abé]{0,3}", "[abé]{0,3}", "[abé€]"), 1..6),
            end in "[abé]{0,3}",
        ) {
            let (mut pattern, mut text) = (Pattern::default(), String::new());
            for (literal, any, one) in &parts {
                pattern.push(literal);
                pattern.push_wildcard(b'*');
                pattern.push_wildcard(b'?');
                text.extend([&**literal, &**any, &**one]);
            }
            pattern.push(&end);
            text.push_str(&end);
            prop_assert!(pattern.matches(&text, false, &Steps::new(usize::MAX)));
        }

        #[test]
        fn with_too_few_steps_nothing_fits_and_one_can_tell(
            pattern in pieces(),
            text in "[abAé€*?]{0,12}",
            few in 0usize..40,
        ) {
            let (steps, enough) = (Steps::new(few), Steps::new(1000));
            let found = pattern.matches(&text, false, &steps);
            let truth = pattern.matches(&text, false, &enough);
            prop_assert_eq!(steps.are_spent(), 1000 - enough.left().unwrap() > few);
            prop_assert_eq!(found, truth && !steps.are_spent());
        }
    }

    #[test]
    fn a_run_without_question_marks_is_sought_in_steps_that_grow_with_the_text_alone() {
        let text = "a".repeat(300_000);
        for ends in ["", "*"] {
            let pattern = Pattern::plain(&(String::from("*") + &"a".repeat(60) + "b" + ends));
            let steps = Steps::new(usize::MAX);
            assert!(!pattern.matches(&text, false, &steps));
            assert!(usize::MAX - steps.left().unwrap() <= text.len() + 100);
        }
    }
}
