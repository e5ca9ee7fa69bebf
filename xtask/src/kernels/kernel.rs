//! A kernel and its modules, as they are booted.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{archive::Archive, release::Release};
use crate::{tool::Tool, workspace};

/// What a guest may need of the modules: links between its hosts, and ESP with its ciphers.
const MODULES: [&str; 8] = [
    "arch/x86/crypto",
    "crypto",
    "drivers/net/veth.ko",
    "lib",
    "net/ipv4",
    "net/ipv6",
    "net/key",
    "net/xfrm",
];

/// A kernel, unpacked below the target folder and kept there.
pub(super) struct Kernel {
    pub(super) release: Release,
    version: String,
    folder: PathBuf,
}

impl Kernel {
    /// Takes it from the target folder, or downloads it.
    pub(super) fn get(archive: &Archive, release: Release) -> Result<Self> {
        let packages = archive.packages(&release)?;
        let name = format!("{}_{}", release.name(), packages.version);
        let folder = workspace::target().join("kernels").join(&name);
        let kernel = Self { release, version: packages.version.clone(), folder };
        if kernel.folder.exists() {
            return Ok(kernel);
        }
        println!("kernels: downloading {kernel}");
        // It gets its name when it is whole: an interruption leaves nothing that looks like one.
        let partial = kernel.folder.with_file_name(format!("{name}.partial"));
        remove_if_there(&partial)?;
        let root = partial.join("root");
        for package in archive.download(&packages, &partial.join("packages"))? {
            Tool::new("dpkg-deb")
                .args(["--extract".as_ref(), package.as_os_str(), root.as_os_str()])
                .output()?;
        }
        kernel.arrange(&root, &partial)?;
        for rest in ["root", "packages"] {
            remove_if_there(&partial.join(rest))?;
        }
        fs::rename(&partial, &kernel.folder)
            .with_context(|| format!("renaming {}", partial.display()))?;
        Ok(kernel)
    }

    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The folder that holds `lib/modules`.
    pub(super) fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }

    /// A place for files about a run.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Puts what is booted from the unpacked packages into `to`.
    fn arrange(&self, root: &Path, to: &Path) -> Result<()> {
        let name = self.release.full_name();
        let modules = ["usr/lib/modules", "lib/modules"].map(|place| root.join(place).join(&name));
        let image = [root.join("boot").join(format!("vmlinuz-{name}"))];
        let images = modules.iter().map(|modules| modules.join("vmlinuz")).chain(image);
        move_to(&first_there(images)?, &to.join("vmlinuz"))?;

        let modules = first_there(modules.into_iter())?;
        let base = to.join("modules");
        let destination = base.join("lib/modules").join(&name);
        for wanted in MODULES {
            let module = modules.join("kernel").join(wanted);
            let [plain, compressed] = [module.clone(), module.with_extension("ko.xz")];
            let found = [plain, compressed].into_iter().find(|path| path.exists());
            // A folder may be empty where all of it is built in.
            let Some(found) = found else { continue };
            let relative = found.strip_prefix(&modules).unwrap_or(&found);
            move_to(&found, &destination.join(relative))?;
        }
        move_to(&modules.join("modules.builtin"), &destination.join("modules.builtin"))?;
        move_to(&modules.join("modules.order"), &destination.join("modules.order"))?;
        decompress(&destination)?;
        Tool::new("busybox").args(["depmod", "-b"]).args([&base]).args([&name]).output()?;
        Ok(())
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.release.name(), self.version)
    }
}

fn first_there(mut candidates: impl Iterator<Item = PathBuf>) -> Result<PathBuf> {
    let Some(found) = candidates.find(|candidate| candidate.exists()) else {
        bail!("the packages of the kernel are not laid out as expected");
    };
    Ok(found)
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    fs::rename(from, to).with_context(|| format!("moving {}", from.display()))
}

/// Decompresses every module below `folder`: busybox in the guest need not be able to.
fn decompress(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            decompress(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "xz") {
            Tool::new("busybox").args(["unxz"]).args([&path]).output()?;
        }
    }
    Ok(())
}

fn remove_if_there(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))
}
