//! The rows of a series: median, minimum and maximum of all rounds, beside what they must be.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use kew_load::Failure;
use kew_load::histogram::Histogram;
use kew_load::report::{Report, grouped, micros, short};

/// What a row's figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Messages per second.
    PerSecond,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// 2^20 bytes.
    Mebibytes,
    /// 2^10 bytes.
    Kibibytes,
    /// Bytes.
    Bytes,
    /// One rate or cost divided by another.
    Ratio,
    /// Hundredths: of one core, or of the time.
    Percent,
    /// A number of things.
    Count,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// One row, with one figure per round.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    unit: Unit,
    goal: Option<Goal>,
    figures: Vec<f64>,
    latency: Option<Histogram>,
    server_micros: Vec<f64>,
    errors: u64,
}

impl Row {
    /// A row without a goal.
    pub(crate) fn new(name: impl Into<String>, unit: Unit) -> Self {
        let (name, figures, server_micros) = (name.into(), Vec::new(), Vec::new());
        Self { name, unit, goal: None, figures, latency: None, server_micros, errors: 0 }
    }

    /// A row whose median must not be less.
    pub(crate) fn at_least(name: impl Into<String>, unit: Unit, goal: f64) -> Self {
        Self { goal: Some(Goal::AtLeast(goal)), ..Self::new(name, unit) }
    }

    /// A row whose median must not be more.
    pub(crate) fn at_most(name: impl Into<String>, unit: Unit, goal: f64) -> Self {
        Self { goal: Some(Goal::AtMost(goal)), ..Self::new(name, unit) }
    }

    fn is_met(&self) -> Option<bool> {
        let median = median(&self.figures)?;
        self.goal.map(|goal| match goal {
            Goal::AtLeast(least) => median >= least,
            Goal::AtMost(most) => median <= most,
        })
    }

    fn show(&self, figure: f64) -> String {
        match self.unit {
            Unit::PerSecond => format!("{}/s", grouped(figure)),
            Unit::Millis => short(Duration::from_secs_f64((figure / 1e3).max(0.0))),
            Unit::Micros => format!("{figure:.2} us"),
            Unit::Mebibytes => format!("{figure:.1} MiB"),
            Unit::Kibibytes => format!("{figure:.1} KiB"),
            Unit::Bytes => format!("{} B", grouped(figure)),
            Unit::Ratio => format!("{figure:.2}"),
            Unit::Count => grouped(figure),
            Unit::Percent => format!("{figure:.2} %"),
        }
    }
}

/// All rows, in the order in which they first came.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    last: usize,
}

impl Table {
    /// Adds one round's figure to the row of that name.
    pub(crate) fn add(&mut self, row: Row, figure: f64) {
        self.last = self.rows.iter().position(|known| known.name == row.name).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        if let Some(row) = self.rows.get_mut(self.last) {
            row.figures.push(figure);
        }
    }

    /// Adds what else is known of the figure that was added last. The latencies shown are the last round's.
    pub(crate) fn note(&mut self, latency: Option<Histogram>, server_micros: Option<f64>, errors: u64) {
        let Some(row) = self.rows.get_mut(self.last) else { return };
        row.latency = latency;
        row.server_micros.extend(server_micros);
        row.errors += errors;
    }

    /// Adds a run's rate, its latencies and its cost.
    pub(crate) fn work(&mut self, row: Row, report: &Report) {
        eprintln!("{}\n{report}", row.name);
        self.add(row, report.rate());
        self.note(report.main().map(|row| row.latency.clone()), report.server_micros(), report.error_count());
    }

    /// Adds the latency that `share` of a run's operations did not exceed.
    pub(crate) fn latency(&mut self, row: Row, share: f64, report: &Report) {
        eprintln!("{}\n{report}", row.name);
        let latency = report.main().map(|row| row.latency.clone());
        let figure = latency.as_ref().map_or(Duration::ZERO, |latency| latency.quantile(share));
        self.add(row, micros(figure) / 1e3);
        self.note(latency, report.server_micros(), report.error_count());
    }

    /// Requests that went wrong, of which there must be none: what they would have cost is missing in the figures.
    pub(crate) fn faultless(&self) -> Result<(), Failure> {
        match self.rows.iter().map(|row| row.errors).sum() {
            0 => Ok(()),
            count => Err(Failure::Process(format!("{count} requests went wrong"), "see above".to_owned())),
        }
    }

    /// Every row with every figure.
    pub(crate) fn json(&self) -> Value {
        let row = |row: &Row| {
            let quantile = |share| row.latency.as_ref().map(|latency| micros(latency.quantile(share)));
            json!({
                "name": row.name,
                "unit": format!("{:?}", row.unit),
                "figures": row.figures,
                "median": median(&row.figures),
                "met": row.is_met(),
                "p50": quantile(0.5),
                "p99": quantile(0.99),
                "p99.9": quantile(0.999),
                "server_cpu_per_message": median(&row.server_micros),
                "errors": row.errors,
            })
        };
        self.rows.iter().map(row).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| work | median | min - max | must be | p50 / p99 | server CPU per message | errors |")?;
        f.write_str("|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let shown = |figure: Option<f64>| figure.map_or_else(String::new, |figure| row.show(figure));
            let least = row.figures.iter().copied().reduce(f64::min);
            let most = row.figures.iter().copied().reduce(f64::max);
            let goal = match row.goal {
                None => String::new(),
                Some(Goal::AtLeast(least)) => format!(">= {}", row.show(least)),
                Some(Goal::AtMost(most)) => format!("<= {}", row.show(most)),
            };
            let met = row.is_met().map_or("", |met| if met { ": yes" } else { ": NO" });
            let latency = row.latency.as_ref().map_or_else(String::new, |latency| {
                format!("{} / {}", short(latency.quantile(0.5)), short(latency.quantile(0.99)))
            });
            let cost = median(&row.server_micros).map_or_else(String::new, |cost| format!("{cost:.1} us"));
            write!(
                f,
                "\n| {} | {} | {} - {} | {goal}{met} | {latency} | {cost} | {} |",
                row.name,
                shown(median(&row.figures)),
                shown(least),
                shown(most),
                row.errors
            )?;
        }
        Ok(())
    }
}

/// The middle one of the figures; of an even number, the mean of the two in the middle.
fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some((sorted[middle - 1] + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides_whether_a_goal_is_met() {
        let mut table = Table::default();
        for figure in [5.0, 30.0, 20.0] {
            table.add(Row::at_least("rate", Unit::PerSecond, 20.0), figure);
        }
        assert_eq!(table.rows[0].is_met(), Some(true));
        table.add(Row::at_least("rate", Unit::PerSecond, 20.0), 1.0);
        assert_eq!(table.rows[0].is_met(), Some(false));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_row_shows_every_round() {
        let mut table = Table::default();
        table.add(Row::at_most("start", Unit::Millis, 100.0), 50.0);
        table.add(Row::at_most("start", Unit::Millis, 100.0), 60.0);
        let shown = table.to_string();
        assert!(
            shown.ends_with("| start | 55.0 ms | 50.0 ms - 60.0 ms | <= 100 ms: yes |  |  | 0 |"),
            "{shown}"
        );
    }
}
