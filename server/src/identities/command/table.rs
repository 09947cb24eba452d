//! How lists are shown: as columns to people, as JSON to programs.

use std::io::Write;
use std::process::ExitCode;

use kew_engine::time::Moment;
use serde_json::Value;

use crate::failure::Failure;

/// Prints one object per row: their values in the order of `columns`, or as they are.
pub(super) fn print(columns: &[&str], rows: &[Value], json: bool) -> Result<ExitCode, Failure> {
    let text = if json { format!("{}\n", Value::from(rows)) } else { text(columns, rows) };
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::world(format!("cannot print: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn text(columns: &[&str], rows: &[Value]) -> String {
    let cell = |row: &Value, column: &str| match &row[column] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| column.to_uppercase()).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A moment in seconds as AWS writes it; of what the configuration declares nobody knows it.
pub(super) fn moment(seconds: u64) -> Value {
    if seconds == 0 { Value::Null } else { iso(Moment(seconds * 1000)).into() }
}

/// `2026-11-21T13:37:05Z`, by the civil calendar.
fn iso(moment: Moment) -> String {
    let seconds = moment.seconds();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted from 1 March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_shown_by_the_calendar() {
        for (seconds, shown) in [
            (1, "1970-01-01T00:00:01Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_268_225, "2026-11-21T13:37:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(moment(seconds), shown);
        }
        assert_eq!(moment(0), Value::Null);
    }

    #[test]
    fn columns_stand_under_their_names() {
        let rows = [json!({"id": "AKIA1", "user": null}), json!({"id": "a", "user": "ann"})];
        assert_eq!(text(&["id", "user"], &rows), "ID     USER\nAKIA1  -\na      ann\n");
    }
}
