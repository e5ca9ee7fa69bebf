//! Where things are: the repository, its target folder, the tools inside that.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The folder that Cargo builds into; a relative `CARGO_TARGET_DIR` is relative to where we were
/// called, as it is for Cargo.
pub(crate) fn target() -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR").filter(|path| !path.is_empty());
    let Some(chosen) = chosen else { return root().join("target") };
    std::path::absolute(&chosen).unwrap_or_else(|_| chosen.into())
}

/// The folder of the tools that setup builds, in the form `cargo install --root` wants it.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// `PATH` with our own tools first.
pub(crate) fn path_with_tools() -> OsString {
    let tools = tools().join("bin").into_os_string();
    let Some(path) = env::var_os("PATH") else { return tools };
    let mut with_tools = tools;
    with_tools.push(":");
    with_tools.push(path);
    with_tools
}

/// Finds `program` the way a shell does, also in the folders that only root has in its `PATH`.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
