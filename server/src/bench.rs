//! `kew bench`: load for any SQS endpoint, from the same generator that Kew's own measurements use.

use std::process::ExitCode;

use kew_load::command::{self, Bench, Outcome};
use kew_load::interrupt::INTERRUPTED;

use crate::failure::Failure;

/// Measures, and says by the exit code how it went.
pub(crate) fn bench(asked: &Bench) -> Result<ExitCode, Failure> {
    let outcome = command::run(asked, &|name| std::env::var_os(name)).map_err(|failure| match &failure {
        kew_load::Failure::Asked(_) | kew_load::Failure::Endpoint(..) => Failure::usage(failure.to_string()),
        _ => Failure::world(failure.to_string()),
    })?;
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Errors => ExitCode::FAILURE,
        Outcome::Interrupted => ExitCode::from(INTERRUPTED),
    })
}
