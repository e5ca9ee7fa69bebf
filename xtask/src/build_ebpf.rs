//! `cargo xtask build-ebpf`: the XDP object alone, with the flags the daemon's build script uses.

use std::{env::consts::ARCH, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    setup::{self, Scope},
    tool::Tool,
    workspace,
};

const TARGET: &str =
    if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

/// The name of the product's program.
const OBJECT: &str = "sbc-xdp";

/// Options of `cargo xtask build-ebpf`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build with logging from the program, for development
    #[arg(long)]
    log: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure(Scope::Build)?;
    let object = build(OBJECT, options.log.then_some("log"))?;
    let size =
        fs::metadata(&object).with_context(|| format!("looking at {}", object.display()))?.len();
    println!("{} ({size} bytes)", object.display());
    Ok(())
}

/// Builds one object of the package, with at most one of its features, and returns where it lies.
pub(crate) fn build(object: &str, feature: Option<&str>) -> Result<PathBuf> {
    Tool::cargo()
        .args(["build", "--package", "sbc-ebpf", "--bin", object, "--release", "--locked"])
        .args(["--target", TARGET, "-Z", "build-std=core"])
        .args(feature.into_iter().flat_map(|feature| ["--features", feature]))
        .quiet_unless_on_terminal()
        // Opens `-Z` on stable, as aya-build expects it.
        .env("RUSTC_BOOTSTRAP", "1")
        // What aya-build passes: which kernel's structures to use, and BTF for the loader.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [&format!("--cfg=bpf_target_arch=\"{ARCH}\""), "-Cdebuginfo=2", "-Clink-arg=--btf"]
                .join("\x1f"),
        )
        .env("PATH", workspace::path_with_tools())
        .advice("The compiler's message is above; `cargo xtask setup --check` shows the tools.")
        .run_until_interrupted()?;
    Ok(workspace::target().join(TARGET).join("release").join(object))
}
