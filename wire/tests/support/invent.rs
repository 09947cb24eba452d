//! A reader that reads nothing: it invents a value of any shape from a string of choices.

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::codec::{Missing, Reader, Refusal, Structure};

/// Invents values. Out of choices, it takes the smallest.
pub(crate) struct Inventor<'a> {
    choices: &'a [u8],
    /// Whether texts may hold what XML cannot carry.
    pub(crate) any_character: bool,
}

impl<'a> Inventor<'a> {
    pub(crate) fn new(choices: &'a [u8], any_character: bool) -> Self {
        Self { choices, any_character }
    }

    fn choose(&mut self) -> u8 {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.choose()))
    }
}

impl Reader for Inventor<'_> {
    fn structure(
        &mut self,
        shape: &'static Structure,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        for (index, known) in shape.members.iter().enumerate() {
            if known.missing != Missing::Fine || self.choose() % 2 == 1 {
                member(self, index)?;
            }
        }
        Ok(())
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        (0..self.choose() % 12).try_for_each(|_| item(self))
    }

    fn map(&mut self, mut entry: impl FnMut(&mut Self, Text) -> Result<(), Refusal>) -> Result<(), Refusal> {
        (0..self.choose() % 4).try_for_each(|index| {
            let key = format!("{}{index}", &*self.text()?);
            entry(self, key.into())
        })
    }

    fn text(&mut self) -> Result<Text, Refusal> {
        const PIECES: [&str; 16] = [
            "a",
            "Z9",
            " ",
            "\"",
            "\\",
            "/",
            "\n\t",
            "\r\n",
            "&<>'",
            "%2B+=&",
            "é",
            "\u{FFFD}",
            "🦀",
            "{\"k\":[1]}",
            ".1.",
            "\u{20}plain and longer than a vector register, so that runs are copied as runs",
        ];
        const RAW: [&str; 4] = ["\0", "\u{1f}", "\u{FFFF}", "\u{7f}"];
        let mut text = String::new();
        for _ in 0..self.choose() % 8 {
            let choice = self.choose();
            let raw = self.any_character && choice >= 240;
            text.push_str(if raw { RAW[usize::from(choice % 4)] } else { PIECES[usize::from(choice % 16)] });
        }
        Ok(text.into())
    }

    fn blob(&mut self) -> Result<Bytes, Refusal> {
        Ok((0..self.choose() % 20).map(|_| self.choose()).collect::<Vec<u8>>().into())
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        Ok(self.choose() % 2 == 1)
    }

    fn integer(&mut self) -> Result<i32, Refusal> {
        Ok(self.number() as i32)
    }

    fn long(&mut self) -> Result<i64, Refusal> {
        Ok(self.number() as i64)
    }

    fn double(&mut self) -> Result<f64, Refusal> {
        Ok(f64::from(self.number() as i32) / 8.0)
    }
}
