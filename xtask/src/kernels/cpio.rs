//! An archive of files in the form that the kernel unpacks at boot: cpio's "newc", as its
//! `Documentation/driver-api/early-userspace/buffer-format.rst` describes it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// Header and contents of an entry each fill up to a multiple of this.
const ALIGNMENT: usize = 4;

/// An archive in the making; paths are absolute, and folders come by themselves.
#[derive(Default)]
pub(super) struct Cpio {
    bytes: Vec<u8>,
    entries: BTreeSet<PathBuf>,
}

impl Cpio {
    pub(super) fn folder(&mut self, path: impl AsRef<Path>) {
        self.add(path.as_ref(), FOLDER, &[]);
    }

    /// A file, with leave to run it.
    pub(super) fn file(&mut self, path: impl AsRef<Path>, contents: &[u8]) {
        self.add(path.as_ref(), PROGRAM, contents);
    }

    /// A copy of `from`, or of what it links to.
    pub(super) fn copy(&mut self, from: &Path, path: impl AsRef<Path>) -> Result<()> {
        let contents = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.file(path, &contents);
        Ok(())
    }

    /// Copies of all files below the folder `from`.
    pub(super) fn copy_all(&mut self, from: &Path, path: &Path) -> Result<()> {
        let entries = fs::read_dir(from).with_context(|| format!("listing {}", from.display()))?;
        for entry in entries {
            let entry = entry?;
            let to = path.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.copy_all(&entry.path(), &to)?;
            } else {
                self.copy(&entry.path(), to)?;
            }
        }
        Ok(())
    }

    pub(super) fn link(&mut self, path: impl AsRef<Path>, target: &str) {
        self.add(path.as_ref(), LINK, target.as_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.write("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn add(&mut self, path: &Path, mode: u32, contents: &[u8]) {
        // The kernel makes no folder that is not an entry of its own, before what is in it.
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("/")) {
            self.add(folder, FOLDER, &[]);
        }
        if self.entries.insert(path.to_owned()) {
            let name = path.strip_prefix("/").unwrap_or(path);
            self.write(&name.to_string_lossy(), mode, contents);
        }
    }

    fn write(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.bytes.extend(b"070701");
        let number = self.entries.len();
        let (length, name_length) = (contents.len(), name.len() + 1);
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor,
        // namesize, check
        let mode = mode as usize;
        for field in [number, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0] {
            self.bytes.extend(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(contents);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}
