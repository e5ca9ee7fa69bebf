//! The program under test.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result};

/// The path of the `sbc` program that was built into the same folder as the running one.
pub fn sbc_binary() -> Result<PathBuf> {
    let ours = env::current_exe().context("finding the running program")?;
    // Cargo puts tests in `deps/` and programs one above.
    ours.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("sbc"))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!(
                "no `sbc` near {}; run `cargo xtask test`, or `cargo build -p sbc-user`",
                ours.display()
            )
        })
}
