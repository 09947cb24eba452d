//! `kew doctor`: looks at a data directory that nobody uses, says what is there and what is damaged, and repairs it if told to.

mod report;

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::process::ExitCode;

use kew_engine::shard;
use kew_journal::OVERHEAD;
use kew_store::doctor::{Examination, Repaired};

use crate::cli::Doctor;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::vault;

/// What the operator is told, in words or for machines.
pub(crate) fn doctor(asked: &Doctor) -> Result<ExitCode, Failure> {
    let examined = examine(asked)?;
    let is_sound = examined.is_sound();
    if asked.json {
        say(&format!("{}\n", report::json(&examined)))?;
    } else {
        say(&report::text(&examined, asked.repair))?;
    }
    if is_sound {
        return Ok(ExitCode::SUCCESS);
    }
    if !asked.repair {
        return Ok(ExitCode::FAILURE);
    }
    repair(asked, examined)
}

fn examine(asked: &Doctor) -> Result<Examination, Failure> {
    let progress = Progress::new("checking");
    let config = shard::Config::new(OVERHEAD);
    let examined = Examination::begin(&asked.directory, &config, &|done, total| progress.show(done, total));
    progress.end();
    let mut examined = examined.map_err(|error| Failure::usage(error.to_string()))?;
    let sealed = vault::examine(&asked.directory);
    examined.beside.extend(sealed.damage);
    examined.notes.extend(sealed.note);
    Ok(examined)
}

/// The plan stands above; does it, if the operator agrees.
fn repair(asked: &Doctor, examined: Examination) -> Result<ExitCode, Failure> {
    if examined.shards.iter().all(|(_, checkup)| checkup.is_sound() || checkup.obstacle.is_some())
        && examined.marker.is_none()
    {
        return Err(Failure::world("nothing was repaired: see above why not"));
    }
    if !asked.yes && !agreed()? {
        return Err(Failure::world("nothing was repaired: answer yes, or give --yes"));
    }
    let path = examined.path.clone();
    let Repaired { aside, left } = examined.repair().map_err(|error| Failure::world(error.to_string()))?;
    for (number, error) in &left {
        eprintln!("kew: shard {number} was not repaired: {error}");
    }
    let aside = aside.display();
    let again = examine(asked)?;
    if !again.is_sound() {
        return Err(Failure::world(format!(
            "{} is still damaged; what was replaced is kept in {aside}",
            path.display()
        )));
    }
    if !asked.json {
        say(&format!(
            "repaired, and checked again: {} is sound. What was there before is kept in {aside}; remove it when nobody needs it.\n",
            path.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn agreed() -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Ok(false);
    }
    say("Repair? [yes/no] ")?;
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::usage(format!("cannot read the answer: {error}")))?;
    Ok(matches!(line.trim(), "y" | "yes"))
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::usage(format!("cannot print: {error}")))
}
