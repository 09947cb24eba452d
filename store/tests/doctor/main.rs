//! What a doctor sees, and what it does about it.

mod departed;
mod fixtures;
mod flips;
mod repairs;
mod retirement;
mod stand;
mod unfinished;
