//! The table, the targets, and both as JSON.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::machine::Machine;

/// What a benchmark found.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
    pub(super) targets: Vec<Target>,
}

/// One line of the table.
#[derive(Default, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) what: String,
    #[serde(flatten)]
    pub(super) figures: BTreeMap<&'static str, f64>,
    /// Why there are no figures, or none that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The error is that this machine lacks something, and nothing failed.
    #[serde(skip)]
    pub(super) is_optional: bool,
}

/// A figure of every row, as the table shows it.
pub(super) struct Column {
    pub(super) figure: &'static str,
    pub(super) heading: &'static str,
    pub(super) decimals: usize,
}

/// What was asked for.
#[derive(Serialize)]
pub(super) struct Target {
    name: String,
    /// At least, or at most.
    want: f64,
    got: f64,
    ok: bool,
    #[serde(skip)]
    bound: &'static str,
}

impl Target {
    pub(super) fn at_least(want: f64, name: impl Into<String>, got: f64) -> Self {
        Self { name: name.into(), want, got, ok: got >= want, bound: "at least" }
    }

    pub(super) fn at_most(want: f64, name: impl Into<String>, got: f64) -> Self {
        Self { name: name.into(), want, got, ok: got <= want, bound: "at most" }
    }
}

impl Report {
    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.error.is_none())
    }

    /// Whether every row has what it should have.
    pub(super) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.error.is_none() || row.is_optional)
    }

    pub(super) fn print(&self, columns: &[Column]) {
        println!("\n{}\n", self.machine);
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let headings: Vec<String> = columns
            .iter()
            .map(|column| format!("{:>w$}", column.heading, w = column.width()))
            .collect();
        println!("{:width$}  {}", "", headings.join("  "));
        for row in &self.rows {
            if let Some(error) = &row.error {
                let kind = if row.is_optional { "not measured" } else { "ERROR" };
                println!("{:width$}  {kind}: {error}", row.name);
                continue;
            }
            let cells: Vec<String> = columns.iter().map(|column| column.cell(row)).collect();
            println!("{:width$}  {}  {}", row.name, cells.join("  "), row.what);
        }
        if !self.targets.is_empty() {
            println!("\ntargets");
        }
        for Target { name, want, got, ok, bound } in &self.targets {
            let verdict = if *ok { "ok" } else { "MISSED" };
            println!("  {verdict:6}  {name}: want {bound} {want:.2}, got {got:.2}");
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl Row {
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
}

impl Column {
    fn width(&self) -> usize {
        self.heading.len().max(6)
    }

    fn cell(&self, row: &Row) -> String {
        let text = row.figure(self.figure).map_or_else(
            || "-".to_owned(),
            |figure| format!("{figure:.decimals$}", decimals = self.decimals),
        );
        format!("{text:>w$}", w = self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_is_met_by_exactly_what_was_wanted() {
        assert!(Target::at_least(0.95, "", 0.95).ok);
        assert!(!Target::at_least(0.95, "", 0.949).ok);
        assert!(!Target::at_least(0.95, "", f64::NAN).ok);
        assert!(Target::at_most(1.0, "", 1.0).ok);
        assert!(!Target::at_most(1.0, "", 1.01).ok);
        assert!(!Target::at_most(1.0, "", f64::NAN).ok);
    }
}
