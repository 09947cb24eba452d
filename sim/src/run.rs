//! One run: a machine, its steps, its healing, and what is told if it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::{Canary, Plan};
use crate::world::{Counts, World};

/// What a run is asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// What everything follows from.
    pub seed: u64,
    /// How many steps there are before faults end.
    pub steps: u64,
    /// Steps to take; all if `None`.
    pub only: Option<BTreeSet<u64>>,
    /// What is broken on purpose.
    pub canary: Option<Canary>,
    /// Print each line of the trace as it comes.
    pub echo: bool,
}

/// A run that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// What was done.
    pub counts: Counts,
    /// How often the rarer things happened.
    pub marks: BTreeMap<&'static str, u64>,
    /// The hash of its trace.
    pub hash: u64,
}

/// A run in which something was wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What was asked.
    pub request: Request,
    /// The step in which it was noticed; the number of steps if it was after them.
    pub step: u64,
    /// What was expected and what came.
    pub why: String,
    /// The last lines of the trace.
    pub trace: Vec<String>,
    /// The hash of its trace.
    pub hash: u64,
}

/// Runs it.
///
/// # Errors
/// The failure, if the engine or the journal did anything that they may not.
pub fn run(request: &Request) -> Result<Success, Box<Failure>> {
    let plan = Plan::draw(request.seed, request.steps, request.canary);
    let fail = |step, why, world: Option<&World>| {
        let trace = world.map(|world| world.trace.last().map(str::to_owned).collect()).unwrap_or_default();
        let hash = world.map_or(0, |world| world.trace.hash());
        Box::new(Failure { request: request.clone(), step, why, trace, hash })
    };
    let mut world = match World::new(plan, request.echo) {
        Ok(world) => world,
        Err(why) => return Err(fail(0, why, None)),
    };
    let steps =
        (0..request.steps).filter(|step| request.only.as_ref().is_none_or(|only| only.contains(step)));
    for step in steps {
        if let Err(why) = world.step(step) {
            return Err(fail(step, why, Some(&world)));
        }
    }
    if let Err(why) = world.heal() {
        return Err(fail(request.steps, why, Some(&world)));
    }
    Ok(Success { counts: world.counts, marks: world.marks().clone(), hash: world.trace.hash() })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} fails in step {} of {}", self.request.seed, self.step, self.request.steps)?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "violation: {}", self.why)?;
        write!(
            f,
            "replay: cargo run -p kew-sim --release -- --seed {} --steps {}",
            self.request.seed, self.request.steps
        )?;
        if let Some(only) = &self.request.only {
            let steps: Vec<String> = only.iter().map(u64::to_string).collect();
            write!(f, " --only {}", steps.join(","))?;
        }
        match self.request.canary {
            None => Ok(()),
            Some(canary) => write!(f, " --canary {}", canary.name()),
        }
    }
}
