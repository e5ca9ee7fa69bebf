//! What a process and those that it has started have in memory.

use std::fs;

use anyhow::{Context as _, Result};

use crate::processes::family;

/// Bytes in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Once for each process that has them.
    pub(crate) resident: f64,
    /// Divided among the processes that share them.
    pub(crate) proportional: f64,
}

impl Memory {
    /// Of `process` and those that it has started.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let mut memory = Self { resident: 0.0, proportional: 0.0 };
        for process in family(process)? {
            let path = format!("/proc/{process}/smaps_rollup");
            let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            memory.resident += bytes(&text, "Rss:")?;
            memory.proportional += bytes(&text, "Pss:")?;
        }
        Ok(memory)
    }
}

fn bytes(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.with_context(|| format!("no {name}"))?.parse()?;
    Ok(kilobytes * 1024.0)
}
