//! Everything that `bench/RESULTS.md` records, measured against servers that are started for it.
use crate::{failure::Failure, options::Suite};
/// Runs the series and prints its table.
pub async fn run(_suite: &Suite) -> Result<(), Failure> {
    Ok(())
}
