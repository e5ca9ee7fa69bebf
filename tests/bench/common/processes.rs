//! What a process and those that it has started use.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cores;

/// Nanoseconds that all threads of a process, and of those that it has started, have run.
pub(crate) fn cpu_time(process: u32) -> Result<u64> {
    let mut total = 0;
    for process in family(process)? {
        for thread in threads(process)? {
            total += cores::run_time(thread)?;
        }
    }
    Ok(total)
}

/// The process and those that it has started, and so on.
pub(crate) fn family(process: u32) -> Result<Vec<u32>> {
    let mut family = vec![process];
    for thread in threads(process)? {
        let path = format!("/proc/{process}/task/{thread}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        for child in children.split_whitespace() {
            family.extend(self::family(child.parse()?)?);
        }
    }
    Ok(family)
}

fn threads(process: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{process}/task");
    fs::read_dir(&path)
        .with_context(|| format!("listing {path}"))?
        .map(|thread| Ok(thread?.file_name().to_string_lossy().parse()?))
        .collect()
}
