//! Builds the eBPF object with the running toolchain and leaves it in `OUT_DIR` for embedding.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use aya_build::{Package, Toolchain, build_ebpf};

/// The linker that reads this toolchain's bitcode; `cargo xtask setup` installs it.
const LINKER_VERSION: &str = "0.10.3";

fn main() -> anyhow::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("run by Cargo")?);
    let workspace = manifest.parent().context("the crate lies in the workspace")?;
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |target| workspace.join(target));
    let tools = target.join("tools/bin");

    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(tools.clone()).chain(env::split_paths(&path)))?;
    println!("cargo:rerun-if-changed={}", tools.join("bpf-linker").display());
    println!("cargo:rerun-if-changed={}", workspace.join("sbc-common/src").display());
    check_linker(&path)?;

    // SAFETY: a build script has one thread. These reach only the nested build: host crates never see
    // the compiler's unstable features, and the nested Cargo prints nothing that its caller would
    // repeat as warnings.
    unsafe {
        env::set_var("PATH", path);
        env::set_var("RUSTC_BOOTSTRAP", "1");
        env::set_var("CARGO_TERM_QUIET", "true");
    }
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "stable".to_owned());
    let root = workspace.join("sbc-ebpf");
    let features: &[&str] =
        if env::var_os("CARGO_FEATURE_KERNEL_LOG").is_some() { &["log"] } else { &[] };
    build_ebpf(
        [Package {
            name: "sbc-ebpf",
            root_dir: root.to_str().context("the workspace's path is UTF-8")?,
            features,
            ..Package::default()
        }],
        Toolchain::Custom(&toolchain),
    )
}

fn check_linker(path: &std::ffi::OsStr) -> anyhow::Result<()> {
    let found = Command::new("bpf-linker").arg("--version").env("PATH", path).output();
    let version = match &found {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => bail!(
            "bpf-linker {LINKER_VERSION} is missing; `cargo xtask setup` installs what the build needs"
        ),
    };
    if !version.contains(LINKER_VERSION) {
        println!(
            "cargo:warning=bpf-linker {LINKER_VERSION} is the tested version, found {}",
            version.trim()
        );
    }
    Ok(())
}
