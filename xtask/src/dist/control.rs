//! What the package says of itself.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};

use super::tree::Tree;
use crate::workspace;

pub(super) const MAINTAINER: &str = "The authors of sbc <sbc@example.org>";

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

const DESCRIPTION: &str = "\
session border controller that strangers do not reach
 Keeps spoofed and unauthenticated SIP away from the telephone system behind
 a Linux gateway. A filter in the kernel drops what comes from unknown sources
 before it costs anything; a daemon without privileges challenges who is not
 known, relays what is proven, and tells the filter whom to let in.
 .
 A fresh installation starts nothing. What is started first only observes.";

pub(super) struct Control<'a> {
    pub(super) version: &'a str,
    pub(super) architecture: &'a str,
}

impl Control<'_> {
    /// Writes the folder `DEBIAN`.
    pub(super) fn write(&self, tree: &Tree) -> Result<()> {
        let files = tree.files()?;
        let mut bytes = 0;
        let mut conffiles = String::new();
        for file in &files {
            bytes += fs::metadata(file)?.len();
            let inside = file.strip_prefix(tree.root()).unwrap_or(file).display();
            if inside.to_string().starts_with("etc/") {
                let _ = writeln!(conffiles, "/{inside}");
            }
        }
        let program = fs::read(tree.root().join("usr/bin/sbc")).context("reading the program")?;
        let (version, architecture) = (self.version, self.architecture);
        let (major, minor) = newest_glibc(&program).context("the program names no glibc")?;
        let control = format!(
            "Package: sbc\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
             Installed-Size: {}\nDepends: libc6 (>= {major}.{minor}), libgcc-s1, passwd, systemd (>= 252)\nSection: net\nPriority: optional\nDescription: {DESCRIPTION}\n",
            bytes.div_ceil(1024)
        );
        tree.write("DEBIAN/control", control.as_bytes(), 0o644)?;
        tree.write("DEBIAN/conffiles", conffiles.as_bytes(), 0o644)?;
        for script in SCRIPTS {
            let path = workspace::root().join("packaging/deb").join(script);
            let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            tree.write(&format!("DEBIAN/{script}"), &text, 0o755)?;
        }
        Ok(())
    }
}

/// The version of the C library that a program was linked to needs, by the names of the versions of what it uses.
fn newest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let places = program.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let versions = places.filter_map(|(place, _)| {
        let rest = program.get(place + NAME.len()..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let version = std::str::from_utf8(rest.get(..end)?).ok()?;
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_version_that_is_used_is_the_one_that_is_needed() {
        let program = b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.2.5\0";
        assert_eq!(newest_glibc(program), Some((2, 34)));
        assert_eq!(newest_glibc(b"GLIBC_"), None);
    }
}
