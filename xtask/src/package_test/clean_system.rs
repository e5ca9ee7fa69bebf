//! The files of a clean Debian 12, with systemd and without us.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{kernels, setup, tool::Tool, workspace};

/// What a gateway has beside what is essential.
const PACKAGES: &str = "systemd-sysv,libgcc-s1";
const SUITE: &str = "bookworm";

/// Makes an archive of them, unless there is one, from where this machine gets its packages.
pub(super) fn archive() -> Result<PathBuf> {
    let folder = workspace::target().join("package-test");
    let archive = folder.join(format!("{SUITE}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    println!("package-test: fetching a clean Debian 12; kept in {}", archive.display());
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let Some(main) = kernels::debian_mirror("Debian")? else {
        bail!("apt has no source whose origin is Debian; this needs a Debian machine");
    };
    let keyring = setup::DEBIAN_KEYRING;
    let mut sources = vec![format!("deb [signed-by={keyring}] {main} {SUITE} main")];
    if let Some(security) = kernels::debian_mirror("Debian-Security")? {
        sources.push(format!("deb [signed-by={keyring}] {security} {SUITE}-security main"));
    }
    // Under another name until it is whole.
    let partial = folder.join("partial.tar");
    Tool::new("mmdebstrap")
        .args(["--variant=apt", &format!("--include={PACKAGES}")])
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=Acquire::Retries \"3\"", SUITE])
        .args([&partial])
        .args(sources)
        .env("TMPDIR", &folder)
        .advice("Check the network.")
        .run_logged("package-test-mmdebstrap")?;
    fs::rename(&partial, &archive).with_context(|| format!("naming {}", archive.display()))?;
    Ok(archive)
}
