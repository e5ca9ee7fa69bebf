//! What the measuring half of a benchmark hands to whoever makes a table of it.

use serde::{Deserialize, Serialize};

/// Everything that one run measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Samples<S> {
    /// The cases in the order in which they are to be shown.
    pub cases: Vec<Case<S>>,
    /// Seconds for which the machine was waited for, because others used it.
    pub waited_for_others: f64,
    /// Samples that were taken although others used the machine.
    pub disturbed: usize,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case<S> {
    /// As in `--only`.
    pub name: String,
    /// What it is, for people.
    pub what: String,
    /// A sample for each round that was measured.
    pub samples: Vec<S>,
    /// Why the case was given up.
    pub error: Option<String>,
    /// It may be missing on this machine: then its error is a note, and no failure of the benchmark.
    pub is_optional: bool,
}
