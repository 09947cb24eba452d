//! Where every choice of a run comes from: numbers that follow from a seed, and nothing else.

use core::ops::RangeInclusive;

/// A stream of numbers that follows from its seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of one part of a run: step `part` of `seed` draws the same numbers whatever the other steps do, so
    /// that a failing run can be shrunk by leaving steps out.
    pub fn of(seed: u64, part: u64) -> Self {
        let mut outer = Self(seed ^ part.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self(outer.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    /// A number below `end`, which must not be zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A number within `range`.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True in `percent` of a hundred draws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True once in `count` draws; never if `count` is zero.
    pub fn once_in(&mut self, count: u64) -> bool {
        count != 0 && self.below(count) == 0
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// One of `choices` by weight; the weights' sum must not be zero.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let sum = choices.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let mut drawn = self.below(sum);
        for (weight, choice) in choices {
            let weight = u64::from(*weight);
            if drawn < weight {
                return *choice;
            }
            drawn -= weight;
        }
        unreachable!("the draw is below the weights' sum")
    }
}
