//! The files of the package, as they will stand in the root.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::licences;
use crate::{tool::Tool, workspace};

/// What is copied as it is: from the repository, to the package. What ends with a slash is a folder that it comes into
/// under its own name.
const FILES: [(&str, &str); 10] = [
    ("packaging/deb/sbc.toml.incomplete", "etc/sbc/sbc.toml"),
    ("packaging/systemd/sbc.service", "lib/systemd/system/"),
    ("packaging/systemd/sbc-load.service", "lib/systemd/system/"),
    ("packaging/systemd/run-sbc-bpf.mount", "lib/systemd/system/"),
    ("packaging/systemd/sbc.slice", "lib/systemd/system/"),
    ("packaging/systemd/sysusers.conf", "usr/lib/sysusers.d/sbc.conf"),
    ("packaging/systemd/tmpfiles.conf", "usr/lib/tmpfiles.d/sbc.conf"),
    ("packaging/deb/copyright", "usr/share/doc/sbc/"),
    ("README.md", "usr/share/doc/sbc/"),
    ("CHANGELOG.md", "usr/share/doc/sbc/"),
];

/// Folders of which everything is copied, with what is below.
const FOLDERS: [(&str, &str); 2] =
    [("docs", "usr/share/doc/sbc"), ("packaging", "usr/share/doc/sbc/examples")];

/// What in them is not for readers: it stands in its own place in the package.
const NOT_COPIED: [&str; 2] = ["packaging/deb", "packaging/systemd"];

const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/sbc"),
    ("zsh", "usr/share/zsh/vendor-completions/_sbc"),
    ("fish", "usr/share/fish/vendor_completions.d/sbc.fish"),
];

const MANUAL: &str = "usr/share/man";

/// A folder that stands for the root.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Puts everything but the control files into a new folder at `root`.
    pub(super) fn lay_out(root: &Path, program: &Path, version: &str, epoch: &str) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))?;
        }
        let tree = Self { root: root.to_owned() };
        let installed = tree.copy(program, "usr/bin/sbc", 0o755)?;
        Tool::new("strip").args(["--strip-all"]).args([&installed]).run()?;
        let repository = workspace::root();
        for (from, to) in FILES {
            tree.copy(&repository.join(from), &named(to, from), 0o644)?;
        }
        for (from, to) in FOLDERS {
            tree.copy_folder(&repository.join(from), to)?;
        }
        tree.write_manual(program)?;
        for (shell, to) in COMPLETIONS {
            let script = Tool::new(program).args(["completions", shell]).output()?;
            tree.write(to, script.as_bytes(), 0o644)?;
        }
        tree.write_changelog(version, epoch)?;
        let terms = licences::of_what_is_linked()?;
        compress(&tree.write("usr/share/doc/sbc/third-party.txt", terms.as_bytes(), 0o644)?)?;
        Ok(tree)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file, with the folders above it.
    pub(super) fn write(&self, to: &str, contents: &[u8], mode: u32) -> Result<PathBuf> {
        let path = self.root.join(to);
        for folder in path.parent().into_iter().flat_map(Path::ancestors) {
            if folder.starts_with(&self.root) && !folder.exists() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("creating {}", folder.display()))?;
            }
        }
        fs::write(&path, contents).with_context(|| format!("writing {}", path.display()))?;
        set_mode(&path, mode)?;
        Ok(path)
    }

    /// All files, from the root.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            // Whoever builds may keep new folders from others.
            set_mode(&folder, 0o755)?;
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Reads every page as a reader would, and compresses it.
    pub(super) fn check_manual(&self) -> Result<()> {
        let pages: Vec<_> =
            self.files()?.into_iter().filter(|it| it.starts_with(self.root.join(MANUAL))).collect();
        Tool::new("mandoc")
            .args(["-T", "lint", "-W", "error"])
            .args(&pages)
            .advice("The pages are made in sbc-user/src/cli/manual.")
            .run()?;
        pages.iter().try_for_each(|page| compress(page))
    }

    fn write_manual(&self, program: &Path) -> Result<()> {
        let all = self.root.join("pages");
        fs::create_dir_all(&all)?;
        Tool::new(program).args(["man-pages".as_ref(), all.as_os_str()]).run()?;
        for page in fs::read_dir(&all)? {
            let page = page?.path();
            let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let section = name.rsplit('.').next().unwrap_or("1");
            self.copy(&page, &format!("{MANUAL}/man{section}/{name}"), 0o644)?;
        }
        fs::remove_dir_all(all).context("removing what was copied")
    }

    fn write_changelog(&self, version: &str, epoch: &str) -> Result<()> {
        let date = Tool::new("date")
            .args(["--utc", "--rfc-email", &format!("--date=@{epoch}")])
            .env("LC_ALL", "C")
            .output()?;
        let text = format!(
            "sbc ({version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- {}  {}\n",
            super::control::MAINTAINER,
            date.trim()
        );
        let path = self.write("usr/share/doc/sbc/changelog", text.as_bytes(), 0o644)?;
        compress(&path)
    }

    fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<PathBuf> {
        let contents = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.write(to, &contents, mode)
    }

    fn copy_folder(&self, from: &Path, to: &str) -> Result<()> {
        let entries = fs::read_dir(from).with_context(|| format!("listing {}", from.display()))?;
        for entry in entries {
            let path = entry?.path();
            if NOT_COPIED.iter().any(|folder| path.ends_with(folder)) {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let to = format!("{to}/{name}");
            if path.is_dir() {
                self.copy_folder(&path, &to)?;
            } else {
                self.copy(&path, &to, 0o644)?;
            }
        }
        Ok(())
    }
}

fn named(to: &str, from: &str) -> String {
    let name = from.rsplit('/').next().unwrap_or(from);
    if to.ends_with('/') { format!("{to}{name}") } else { to.to_owned() }
}

/// Without the name and the time of the file, which would make each a different one.
fn compress(path: &Path) -> Result<()> {
    Tool::new("gzip").args(["-9n".as_ref(), path.as_os_str()]).run()
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}
