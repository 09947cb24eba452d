//! AWS Key Management Service, as far as queues need it: symmetric keys, their aliases, policies and rotation, and what is done
//! with them.
//!
//! Pure like every service: time comes in with the request, ciphers and randomness by the [`Cipher`]. The [`State`] is a value. What
//! changes keys ([`needs_change`]) is asked of a copy, which takes the old one's place when it is written down; everything else only reads.

mod api;
mod authority;
mod cipher;
mod document;
pub mod faults;
mod kept;
mod key;
pub mod limits;
mod names;
mod state;
#[cfg(test)]
mod tests;

pub use self::api::{Context, answer, change, needs_change};
pub use self::authority::{Wish, check as check_authority, find as find_for};
pub use self::cipher::{Cipher, Secret};
pub use self::document::VERSION;
pub use self::kept::Kept;
pub use self::key::{Alias, Id, Key, KeyState};
pub use self::state::State;
