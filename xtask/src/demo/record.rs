//! What was checked and counted, for `--json`.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;

use super::readings::Status;

/// Everything that a reader of the terminal sees, for a reader that is a program.
#[derive(Default)]
pub(super) struct Record {
    pub(super) steps: Vec<Step>,
    /// The last status of the daemon.
    pub(super) status: Option<Status>,
}

/// One step of the story.
#[derive(Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) checks: Vec<Check>,
}

/// Something that was said, and whether it was so.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) want: String,
    pub(super) got: String,
    pub(super) ok: bool,
}

/// How the demo ended.
pub(super) enum Ending {
    Ok,
    Failed { step: usize },
}

impl Record {
    /// The number of the step that was begun last, from 0.
    pub(super) fn last_step(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    /// How many checks there were.
    pub(super) fn checks(&self) -> usize {
        self.steps.iter().map(|step| step.checks.len()).sum()
    }

    pub(super) fn write(&self, ending: &Ending, path: &Path) -> Result<()> {
        let status = self.status.as_ref();
        let verdicts: BTreeMap<_, _> = status
            .iter()
            .flat_map(|status| &status.kernel.verdicts)
            .map(|row| (&row.reason, json!({ "action": row.action, "packets": row.packets })))
            .collect();
        let outcomes = status.map(|status| &status.daemon.outcomes);
        let record = json!({
            "demo": ending.to_string(),
            "steps": self.steps,
            "verdicts": verdicts,
            "outcomes": outcomes.cloned().unwrap_or_default(),
        });
        let text = serde_json::to_string_pretty(&record)?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => formatter.write_str("ok"),
            Self::Failed { step } => write!(formatter, "FAILED at step {step}"),
        }
    }
}
