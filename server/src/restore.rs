//! `kew restore`: makes a data directory from a backup.

use std::process::ExitCode;
use std::time::Instant;

use kew_engine::shard;
use kew_journal::OVERHEAD;
use kew_journal::disk::Directory;
use kew_store::restore::{self, RestoreError};

use crate::cli::Restore;
use crate::failure::Failure;
use crate::progress::{Progress, bytes};
use crate::vault;

/// Checks the backup first, and changes nothing in it.
pub(crate) fn restore(asked: &Restore) -> Result<ExitCode, Failure> {
    let begin = Instant::now();
    // Before anything that is missing in it is called damage.
    Directory::refuse_unfinished(&asked.backup).map_err(|error| Failure::world(error.to_string()))?;
    let sealed = vault::examine(&asked.backup);
    if let Some(damage) = sealed.damage.first() {
        return Err(Failure::world(RestoreError::Damaged(damage.to_string()).to_string()));
    }
    let progress = Progress::new("checking");
    let config = shard::Config::new(OVERHEAD);
    let show = |done, total| progress.show(done, total);
    let restored = restore::restore(&asked.backup, &asked.directory, &config, &show);
    progress.end();
    let copied = restored.map_err(|error| Failure::world(error.to_string()))?;
    println!(
        "restored {} from {} in {:.1} s: {} in {} files copied, {} in {} files shared with the backup",
        asked.directory.display(),
        asked.backup.display(),
        begin.elapsed().as_secs_f64(),
        bytes(copied.bytes),
        copied.files,
        bytes(copied.linked_bytes),
        copied.linked
    );
    if let Some(note) = sealed.note {
        println!("{note}");
    }
    Ok(ExitCode::SUCCESS)
}
