//! Moments and durations, in milliseconds. The engine never asks what time it is: callers say so.

use core::ops::{Add, Sub};

/// A moment: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Moment {
    /// Later than every moment that occurs.
    pub const NEVER: Self = Self(u64::MAX);

    /// Later than every moment that can be written down: what is said to be later was not written by us. So far that no clock gets
    /// there, so near that nothing that is counted from there overflows.
    pub const LATEST: Self = Self(1 << 53);

    /// The latest at which something can have happened: what follows from it within 49 days can still be written down.
    pub const LATEST_NOW: Self = Self(Self::LATEST.0 - (1 << 32));

    /// Whole seconds since the epoch, rounded down, as AWS shows creation times.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

impl Millis {
    /// `seconds` whole seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }
}

impl Add<Millis> for Moment {
    type Output = Self;

    fn add(self, rhs: Millis) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl Sub for Moment {
    type Output = Millis;

    /// The time from `rhs` to `self`; zero if `rhs` is later.
    fn sub(self, rhs: Self) -> Millis {
        Millis(self.0.saturating_sub(rhs.0))
    }
}
