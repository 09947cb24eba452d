//! `kew bench`: one measurement, on a queue that is made for it and deleted behind it.

mod flags;
mod show;

use std::cell::RefCell;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::LocalSet;

use flags::FifoWork;
pub use flags::{Bench, Work};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::process::{cpu_time, raise_open_files};
use crate::report::Report;
use crate::session::Session;
use crate::work;

/// AWS asks for a second between the making of a queue and its first use (AWS, *CreateQueue*).
const AWS_REST: Duration = Duration::from_secs(1);

/// How a measurement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything went through.
    Done,
    /// Some requests went wrong; they were counted and shown.
    Errors,
    /// It was interrupted; what was measured until then was shown.
    Interrupted,
}

/// Measures, and prints what was found. `variable` reads the environment.
///
/// # Errors
/// What was asked for makes no sense, or the endpoint cannot be reached or refuses the queue.
pub fn run(asked: &Bench, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Outcome, Failure> {
    let failed = |error: std::io::Error| Failure::Process("the runtime".to_owned(), error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut options = asked.work.options(variable)?;
    options.queue = unique(&options.queue);
    options.pid.map(cpu_time).transpose()?;
    raise_open_files();
    LocalSet::new().block_on(&runtime, measure(asked, options))
}

async fn measure(asked: &Bench, mut options: Options) -> Result<Outcome, Failure> {
    let common = asked.work.common();
    let made: Rc<RefCell<Option<String>>> = Rc::default();
    let left = Rc::clone(&made);
    options.interrupt = Interrupt::listen(move || {
        if let Some(queue) = &*left.borrow() {
            eprintln!("the queue {queue} was left behind: delete it");
        }
    })?;
    let session =
        Session::open(&options, asked.work.groups()).await.map_err(|failure| hinted(failure, &options))?;
    *made.borrow_mut() = Some(session.queue().to_owned());
    if !common.quiet {
        eprintln!("{}", show::heading(&session));
    }
    if options.endpoint.contains(".amazonaws.com") {
        tokio::select! { () = tokio::time::sleep(AWS_REST) => (), () = options.interrupt.wait() => () }
    }
    let report = perform(&asked.work, &session).await;
    let deleted = session.delete_queue().await;
    let report = match (report, deleted) {
        (Ok(report), Ok(())) => report,
        (Ok(report), Err(failure)) => {
            show::print(&asked.work, &session, &report, common.json);
            return Err(left_behind(&session, &failure));
        }
        (Err(failure), Ok(())) => return Err(failure),
        (Err(failure), Err(_)) => return Err(left_behind(&session, &failure)),
    };
    show::print(&asked.work, &session, &report, common.json);
    Ok(match report {
        Report { interrupted: true, .. } => Outcome::Interrupted,
        report if report.error_count() > 0 => Outcome::Errors,
        _ => Outcome::Done,
    })
}

/// Does the work that is asked for.
async fn perform(asked: &Work, session: &Rc<Session>) -> Result<Report, Failure> {
    match asked {
        Work::Send(_) => work::send(session).await,
        Work::SendBatch(_) => work::send_batch(session).await,
        Work::ReceiveDelete(_) => receive_delete(session).await,
        Work::Cycle(_) => work::cycle(session).await,
        Work::Fifo(fifo) => match fifo.work {
            FifoWork::Send => work::send(session).await,
            FifoWork::SendBatch => work::send_batch(session).await,
            FifoWork::Cycle => work::cycle(session).await,
        },
        Work::EndToEnd(ends) => work::end_to_end(session, ends.producers, ends.consumers).await,
        Work::LongPoll(_) => work::long_poll(session).await,
    }
}

/// Fills the queue, for as long as is measured if nobody says how much, and empties it.
async fn receive_delete(session: &Rc<Session>) -> Result<Report, Failure> {
    let asked = &session.options;
    let filling = session.with(&Options { warmup: 0.0, ..asked.clone() });
    let filled = work::send_batch(&filling).await?;
    if filled.interrupted {
        return Ok(filled);
    }
    let count = filled.main().map_or(0, |row| row.messages);
    let emptying = session.with(&Options { count: Some(count), ..asked.clone() });
    let mut report = match asked.count {
        Some(_) => work::receive_delete(&emptying).await?,
        None => work::receive_delete_within(&emptying).await?,
    };
    // What went wrong while the queue was filled is told too.
    report.add_errors(filled.errors, filled.first_error);
    Ok(report)
}

/// A name that nobody has used before.
fn unique(prefix: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}-{:x}", since.as_nanos())
}

/// Whoever is refused without having signed is told how to sign.
fn hinted(failure: Failure, options: &Options) -> Failure {
    match failure {
        Failure::Refused { operation, status: status @ (400 | 401 | 403), body }
            if !options.identity.is_signed() =>
        {
            let hint = "the request was not signed: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY if the endpoint wants that";
            Failure::Refused { operation, status, body: format!("{body} ({hint})") }
        }
        failure => failure,
    }
}

fn left_behind(session: &Session, failure: &Failure) -> Failure {
    Failure::Process(failure.to_string(), format!("the queue {} was left behind: delete it", session.queue()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_measurements_share_a_queue() {
        let names: std::collections::BTreeSet<String> = (0..100).map(|_| unique("kew-bench")).collect();
        assert!(names.len() > 90 && names.iter().all(|name| name.starts_with("kew-bench-")), "{names:?}");
    }
}
