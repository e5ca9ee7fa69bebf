//! The tests that run in a guest.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::tool::Tool;

/// A test program of the package `sbc-tests` that needs no file of the repository.
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
}

/// As `init.sh` runs them.
const NAMES: [&str; 2] = ["ipsec", "datapath"];

/// A line of what Cargo says with `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Suite {
    pub(super) fn build_all() -> Result<Vec<Self>> {
        let messages = Tool::cargo()
            .args(["test", "--package", "sbc-tests", "--no-run", "--quiet"])
            .args(NAMES.iter().flat_map(|name| ["--test", name]))
            .args(["--message-format=json-render-diagnostics"])
            .advice("The compiler's message is above.")
            .output()?;
        let messages: Vec<Message> =
            messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let program = |name: &str| {
            messages.iter().find_map(|message| {
                let target = message.target.as_ref()?;
                let is_it = target.name == name && target.kind.iter().any(|kind| kind == "test");
                message.executable.clone().filter(|_| is_it)
            })
        };
        NAMES
            .iter()
            .map(|&name| {
                let program = program(name).with_context(|| format!("Cargo built no {name}"))?;
                Ok(Self { name, program })
            })
            .collect()
    }
}
