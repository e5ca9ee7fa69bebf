//! bpf-linker, built into the target folder.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::Requirement;
use crate::{tool::Tool, workspace};

/// It must read the bitcode of the pinned rustc: 0.10.3 uses that rustc's own LLVM 22, where later
/// ones want a system LLVM 23.
const VERSION: &str = "0.10.3";

pub(super) struct BpfLinker;

impl Requirement for BpfLinker {
    fn missing(&self) -> Vec<String> {
        let says = Command::new(program()).arg("--version").output();
        let right = says.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).trim() == format!("bpf-linker {VERSION}")
        });
        if right { Vec::new() } else { vec![format!("bpf-linker {VERSION}")] }
    }

    fn purpose(&self) -> &'static str {
        "linking the XDP program (compiles for about a minute)"
    }

    fn commands(&self) -> Vec<String> {
        vec![install().as_typed()]
    }

    fn install(&self) -> Result<()> {
        let build = build_folder();
        install().run_logged("setup-bpf-linker")?;
        fs::remove_dir_all(&build).with_context(|| format!("removing {}", build.display()))
    }
}

fn program() -> PathBuf {
    workspace::tools().join("bin/bpf-linker")
}

/// Where the linker is compiled: inside the target folder, so that an interrupted setup leaves
/// nothing anywhere else, and apart from our own builds.
fn build_folder() -> PathBuf {
    workspace::tools().join("build")
}

fn install() -> Tool {
    // `--force`: without it Cargo trusts its own record even when the binary is gone.
    let mut tool = Tool::cargo()
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force", "--root"])
        .args([workspace::tools()])
        .env("CARGO_TARGET_DIR", build_folder())
        .advice("Check the network and the C compiler, then run `cargo xtask setup` again.");
    // What is meant for the build that called us would cross-compile or mis-flag a host tool.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"]
    {
        tool = tool.env_remove(variable);
    }
    tool
}
