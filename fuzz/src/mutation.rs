//! Changes inputs at random, the same ones for the same seed.

/// A generator of numbers that are random enough (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Throws the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.throw() % end as u64) as usize }
    }
}

/// The longest input.
const LONGEST: usize = 64 * 1024;

/// Numbers at which programs err.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "65536",
    "2147483647",
    "4294967296",
    "9223372036854775807",
    "1e999",
    "-0.5",
];

/// Changes `input` in one to six places, few more often than many; `other` is another input to take from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], words: &[&str], dice: &mut Dice) {
    let most = 1 + dice.below(6);
    for _ in 0..=dice.below(most) {
        change(input, other, words, dice);
    }
    input.truncate(LONGEST);
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&str], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let most = 1 + dice.below(32);
    let length = 1 + dice.below(most);
    let end = (at + length).min(input.len());
    match dice.below(10) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = dice.throw() as u8,
        2 => drop(input.splice(at..at, (0..length).map(|_| dice.throw() as u8).collect::<Vec<_>>())),
        3 => drop(input.drain(at..end)),
        4 => {
            let copy = input[at..end].to_vec();
            let most = 1 + dice.below(64);
            for _ in 0..=dice.below(most) {
                input.splice(at..at, copy.iter().copied());
            }
        }
        5 if !other.is_empty() => {
            let from = dice.below(other.len());
            let to = (from + 1 + dice.below(other.len())).min(other.len());
            let end = (at + dice.below(to - from + 1)).min(input.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        6 if !words.is_empty() => {
            let word = words[dice.below(words.len())].bytes().collect::<Vec<_>>();
            let end = if dice.below(2) == 0 { at } else { end };
            input.splice(at..end, word);
        }
        7 => {
            let number = NUMBERS[dice.below(NUMBERS.len())].bytes().collect::<Vec<_>>();
            input.splice(at..end, number);
        }
        8 => {
            // A number as bytes carry it.
            let value = match dice.below(4) {
                0 => u64::MAX,
                1 => 1 << dice.below(64),
                2 => (1_u64 << dice.below(64)).wrapping_sub(1),
                _ => dice.throw(),
            };
            let bytes = value.to_le_bytes();
            let width = [1, 2, 4, 8][dice.below(4)];
            for (place, byte) in input.iter_mut().skip(at).zip(&bytes[..width]) {
                *place = *byte;
            }
        }
        9 => input.truncate(at),
        _ => {}
    }
}
