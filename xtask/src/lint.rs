//! `cargo xtask lint`: everything about the source that a machine can check.

mod house_rules;

use anyhow::Result;

use crate::{
    setup::{self, Scope},
    tool::Tool,
};

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
    }

    step("house rules");
    house_rules::check()?;

    step("Cargo.lock");
    Tool::cargo()
        .args(["metadata", "--locked", "--format-version", "1"])
        .advice("Cargo.lock does not match the manifests; run `cargo check` and commit it.")
        .output()?;

    step("format");
    Tool::cargo().args(["fmt", "--all", "--check"]).advice("Run `cargo fmt --all`.").run()?;

    step("clippy");
    Tool::cargo()
        .args(["clippy", "--workspace", "--all-targets", "--all-features", "--locked"])
        .quiet_unless_on_terminal()
        .args(["--", "--deny", "warnings"])
        .advice("Mend what clippy names; `cargo xtask lint --fix` mends the simple ones.")
        .run()?;

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

fn step(name: &str) {
    println!("lint: {name}");
}
