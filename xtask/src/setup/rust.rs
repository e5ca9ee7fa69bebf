//! Components of the pinned toolchain.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use super::Requirement;
use crate::{tool::Tool, workspace};

/// `rust-src`, `clippy` and `rustfmt`. `rust-toolchain.toml` names components too, but rustup only
/// installs those by itself when it installs the whole toolchain.
pub(super) struct Components;

impl Requirement for Components {
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !sysroot().join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file() {
            missing.push("rust-src".to_owned());
        }
        for (component, program) in [("clippy", "cargo-clippy"), ("rustfmt", "cargo-fmt")] {
            if !sysroot().join("bin").join(program).is_file() {
                missing.push(component.to_owned());
            }
        }
        missing
    }

    fn purpose(&self) -> &'static str {
        "the eBPF target, which has no prebuilt core library, and `cargo xtask lint`"
    }

    fn commands(&self) -> Vec<String> {
        vec![format!("rustup component add {}", self.missing().join(" "))]
    }

    fn install(&self) -> Result<()> {
        if workspace::find_program("rustup").is_none() {
            bail!(
                "rustup not found; install Rust through rustup, or add to the present toolchain: {}",
                self.missing().join(", ")
            );
        }
        Tool::new("rustup")
            .args(["component", "add"])
            .args(self.missing())
            .advice("Check the network, then run `cargo xtask setup` again.")
            .run_logged("setup-rustup")
    }
}

fn sysroot() -> PathBuf {
    // A question asked often: straight from the compiler, not through `Tool`, whose failure would
    // be told as one.
    let printed = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(workspace::root())
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    PathBuf::from(String::from_utf8_lossy(&printed).trim())
}
