//! All files of a guest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{cpio::Cpio, kernel::Kernel, suite::Suite};
use crate::{tool::Tool, workspace};

/// Writes the files of a guest that boots `kernel` and runs `suites`, and returns where.
pub(super) fn write(kernel: &Kernel, suites: &[Suite]) -> Result<PathBuf> {
    let mut files = Cpio::default();
    for folder in ["/dev", "/proc", "/run", "/sys", "/tmp"] {
        files.folder(folder);
    }
    files.file("/init", include_bytes!("init.sh"));
    let busybox = find("busybox")?;
    add_program(&mut files, &busybox, "/bin/busybox")?;
    files.link("/bin/sh", "busybox");
    // Where the kernel looks for it when it wants a module.
    files.link("/sbin/modprobe", "../bin/busybox");
    add_program(&mut files, &find("ip")?, "/bin/ip")?;
    for suite in suites {
        add_program(&mut files, &suite.program, &format!("/tests/{}", suite.name))?;
    }
    // Where the tests look for it, and what they do with it takes these.
    add_program(&mut files, &product()?, "/tests/sbc")?;
    for applet in ["mkdir", "mount"] {
        files.link(format!("/bin/{applet}"), "busybox");
    }
    files.copy_all(&kernel.modules(), Path::new("/"))?;

    let path = kernel.file("initramfs");
    fs::write(&path, files.finish()).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The daemon, as it is tested elsewhere.
fn product() -> Result<PathBuf> {
    let messages = Tool::cargo()
        .args(["build", "--package", "sbc-user", "--bin", "sbc", "--quiet"])
        .advice("The compiler's message is above.")
        .output();
    messages?;
    Ok(workspace::target().join("debug/sbc"))
}

fn find(program: &str) -> Result<PathBuf> {
    workspace::find_program(program).with_context(|| format!("{program} not found"))
}

/// Adds a program and the shared libraries that it is linked with, where the linker looks for them.
fn add_program(files: &mut Cpio, program: &Path, path: &str) -> Result<()> {
    files.copy(program, path)?;
    let linked = Command::new("ldd").arg(program).output().context("starting ldd")?;
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)", and
    // nothing like these of a program that is linked statically.
    for line in String::from_utf8_lossy(&linked.stdout).lines() {
        let library = line.rsplit("=> ").next().unwrap_or(line).trim();
        let library = library.split(" (").next().unwrap_or(library);
        if library.starts_with('/') {
            files.copy(Path::new(library), library)?;
        }
    }
    Ok(())
}
