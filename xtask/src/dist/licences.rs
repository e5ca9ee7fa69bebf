//! The terms under which what the program contains may be passed on.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::tool::Tool;

/// What a file that says so is called, up to its extension and in capitals.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// All packages that are linked into the program, each with its licence and the texts that it brings.
pub(super) fn of_what_is_linked() -> Result<String> {
    let linked = Tool::cargo()
        .args([
            "tree",
            "--package",
            "sbc-user",
            "--package",
            "sbc-ebpf",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--locked"])
        .output()?;
    // "name vVERSION", and more where it is not from a registry or has been shown before.
    let linked: BTreeSet<(&str, &str)> = linked
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let metadata =
        Tool::cargo().args(["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading cargo's metadata")?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo names no packages")?;
    let mut text =
        "What the program contains, beside what is ours, and on what terms.\n".to_owned();
    for package in packages {
        let field = |name: &str| package.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_ours = package.get("source").is_none_or(Value::is_null);
        if is_ours || !linked.contains(&(field("name"), field("version"))) {
            continue;
        }
        let licence = field("license");
        let _ = writeln!(text, "\n==== {} {}: {licence}", field("name"), field("version"));
        let folder =
            Path::new(field("manifest_path")).parent().context("a package without folder")?;
        for file in texts(folder)? {
            text.push('\n');
            text.push_str(&file);
        }
    }
    Ok(text)
}

fn texts(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|known| name.starts_with(known)) {
            files.push(path);
        }
    }
    files.sort();
    let read =
        |path: &std::path::PathBuf| Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned());
    files.iter().map(read).collect()
}
