//! What a doctor sees, and what it does about it.

mod fixtures;
mod flips;
mod repairs;
mod retirement;
mod stand;
