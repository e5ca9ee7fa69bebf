//! `cargo xtask lint`: everything about the source that a machine can check.

mod documents;
mod house_rules;

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup::{self, Scope},
    tool::Tool,
    workspace,
};

/// The workspace of the fuzz targets.
const FUZZ: &str = "fuzz/Cargo.toml";

/// Options of `cargo xtask lint`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rewrite what can be: the format, and lints with one right answer
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure(Scope::Build)?;
    if options.fix {
        Tool::cargo()
            .args(["clippy", "--quiet", "--workspace", "--all-targets", "--all-features"])
            .args(["--fix", "--allow-dirty", "--allow-staged"])
            .run()?;
        Tool::cargo().args(["fmt", "--all"]).run()?;
        Tool::cargo().args(["fmt", "--manifest-path", FUZZ]).run()?;
    }

    step("house rules");
    house_rules::check()?;

    step("documents");
    documents::check()?;

    step("Cargo.lock");
    for manifest in ["Cargo.toml", FUZZ] {
        Tool::cargo()
            .args(["metadata", "--locked", "--format-version", "1", "--manifest-path", manifest])
            .advice("Cargo.lock does not match the manifests; run `cargo check` and commit it.")
            .output()?;
    }

    same_versions(&locked("Cargo.lock")?, &locked("fuzz/Cargo.lock")?)?;

    step("format");
    Tool::cargo().args(["fmt", "--all", "--check"]).advice("Run `cargo fmt --all`.").run()?;
    Tool::cargo()
        .args(["fmt", "--check", "--manifest-path", FUZZ])
        .advice("Run `cargo fmt --manifest-path fuzz/Cargo.toml`.")
        .run()?;

    step("clippy");
    // What `cargo test` does not run by itself is not among all targets.
    for targets in
        [&["--workspace", "--all-targets"][..], &["--package", "sbc-tests", "--test", "ipsec"]]
    {
        Tool::cargo()
            .args(["clippy"])
            .args(targets)
            .args(["--all-features", "--locked"])
            .quiet_unless_on_terminal()
            .args(["--", "--deny", "warnings"])
            .advice("Mend what clippy names; `cargo xtask lint --fix` mends the simple ones.")
            .run()?;
    }

    step("clippy, fuzz targets");
    clippy_fuzz_targets()?;

    step("documentation");
    Tool::cargo()
        .args(["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"])
        .quiet_unless_on_terminal()
        .env("RUSTDOCFLAGS", "--deny warnings")
        .advice("Mend the documentation comment that rustdoc names.")
        .run()?;

    println!("lint: ok");
    Ok(())
}

/// Nothing else but fuzzing builds the targets and what they call with the versions that `fuzz/Cargo.lock` pins.
fn clippy_fuzz_targets() -> Result<()> {
    Tool::cargo()
        // Among what was checked before, much of which both depend on.
        .args(["clippy", "--manifest-path", FUZZ, "--bins", "--locked", "--target-dir"])
        .args([workspace::target()])
        .quiet_unless_on_terminal()
        .args(["--", "--deny", "warnings"])
        // Its build script would compile libFuzzer, in C++, for a program that is never linked.
        .env("CUSTOM_LIBFUZZER_PATH", "never-linked/libfuzzer.a")
        .env("PATH", workspace::path_with_tools())
        .advice("Mend what clippy names; the targets are in fuzz/targets, their properties in tests/properties.")
        .run()
}

/// What a `Cargo.lock` pins: names with versions.
fn locked(file: &str) -> Result<BTreeSet<(String, String)>> {
    let path = workspace::root().join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let quoted = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.strip_prefix(" = ")?.trim_matches('"').to_owned())
    };
    let (mut pinned, mut name) = (BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(found) = quoted(line, "name") {
            name = found;
        } else if let Some(version) = quoted(line, "version") {
            pinned.insert((name.clone(), version));
        }
    }
    Ok(pinned)
}

/// What is fuzzed has to be what ships: a package that both pin, both pin at the same versions.
fn same_versions(
    shipped: &BTreeSet<(String, String)>,
    fuzzed: &BTreeSet<(String, String)>,
) -> Result<()> {
    let is_shipped = |name: &str| shipped.iter().any(|(shipped, _)| shipped == name);
    let others: Vec<String> = fuzzed
        .difference(shipped)
        .filter(|(name, _)| is_shipped(name))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    bail!(
        "fuzz/Cargo.lock has other versions than Cargo.lock: {}\n  \
        Run `cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml`, and commit it.",
        others.join(", ")
    )
}

fn step(name: &str) {
    println!("lint: {name}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::same_versions;

    #[test]
    fn what_is_fuzzed_is_what_ships() {
        let pinned = |rows: &[(&str, &str)]| -> BTreeSet<(String, String)> {
            rows.iter().map(|(name, version)| ((*name).into(), (*version).into())).collect()
        };
        let shipped = pinned(&[("bytes", "1.0.0"), ("sha2", "0.10.0"), ("sha2", "0.11.0")]);
        let only_one = pinned(&[("sha2", "0.10.0"), ("libfuzzer-sys", "0.4.0")]);
        assert!(same_versions(&shipped, &only_one).is_ok());
        assert!(same_versions(&shipped, &pinned(&[("bytes", "1.0.1")])).is_err());
    }
}
