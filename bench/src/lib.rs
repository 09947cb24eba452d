//! Kew's own measurements: series of work that are strung together against servers that are started for them, beside the
//! reference servers of `kew-ladder`.
//!
//! The load comes from `kew-load`, as it does for `kew bench`. The [`suite`] is about speed, [`depth`] about deep backlogs; both ask
//! what that costs: a [`process`], its [`figures`], its [`disk`]; [`interruptions`] tell what the machine added. Nothing here ends a process that it did not start.

mod crowd;
pub mod depth;
pub mod disk;
pub mod figures;
pub mod interruptions;
pub mod options;
pub mod peers;
pub mod process;
pub mod server;
pub mod suite;
mod table;

/// Whatever comes in rounds: the sides in the order of this round. Who goes first has the colder machine.
fn turns<T, const N: usize>(round: u32, mut sides: [T; N]) -> [T; N] {
    if round.is_multiple_of(2) {
        sides.reverse();
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_goes_first_in_turn() {
        assert_eq!([1, 2, 3].map(|round| turns(round, ["one", "other"])[0]), ["one", "other", "one"]);
    }
}
