//! What `docs/architecture.md` promises and clippy cannot see.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A file is a page one can hold in mind; past this it has two subjects.
const MAX_LINES: usize = 500;

/// Code that may appear in one place only.
struct Boundary {
    /// Each ends where a name may end, so that `aya::` does not find `maya::`.
    names: &'static [&'static str],
    /// The crate that the rule is about, from the root.
    within: &'static str,
    /// The files or folders, without `.rs`, where the names may appear.
    only_in: &'static [&'static str],
    because: &'static str,
}

const BOUNDARIES: [Boundary; 4] = [
    Boundary {
        names: &["aya::", "aya_log::", "aya_obj::"],
        within: "sbc-user/src",
        only_in: &["sbc-user/src/kernel"],
        because: "only `kernel` talks to bpf(2)",
    },
    Boundary {
        names: &["aya::", "aya_obj::"],
        within: "tests",
        only_in: &["tests/bench"],
        because: "tests load the program as the daemon does, through `sbc_user::kernel`",
    },
    Boundary {
        names: &["UdpSocket", "TcpListener", "TcpStream", "TcpSocket", "Socket::new"],
        within: "sbc-user/src",
        // A directory is asked over a connection of its own, Homer gets copies over a socket of its own, and operators
        // ask over theirs.
        only_in: &[
            "sbc-user/src/transport",
            "sbc-user/src/ldap",
            "sbc-user/src/homer",
            "sbc-user/src/admin",
        ],
        because: "only `transport` opens SIP sockets",
    },
    Boundary {
        names: &["unsafe "],
        within: "sbc-user/src",
        only_in: &[
            "sbc-user/src/kernel",
            "sbc-user/src/border/clock",
            "sbc-user/src/transport/socket_option",
        ],
        because: "docs/architecture.md names the places of `unsafe`",
    },
];

/// Fails with every breach, each as `file:line: what`.
pub(super) fn check() -> Result<()> {
    let root = workspace::root();
    let mut breaches = Vec::new();
    for file in sources(root)? {
        let text =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let file = file.strip_prefix(root).unwrap_or(&file);
        breaches.extend(breaches_in(file, &text));
    }
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("the house rules are broken:\n    {}", breaches.join("\n    "))
}

fn breaches_in(file: &Path, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        breaches.push(format!("{}: {lines} lines, more than {MAX_LINES}", file.display()));
    }
    for boundary in BOUNDARIES.iter().filter(|boundary| boundary.applies_to(file)) {
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(name) = boundary.crossed_by(line) {
                breaches.push(format!(
                    "{}:{number}: `{name}` here, but {}",
                    file.display(),
                    boundary.because
                ));
            }
        }
    }
    breaches
}

impl Boundary {
    fn applies_to(&self, file: &Path) -> bool {
        file.starts_with(self.within)
            && !self
                .only_in
                .iter()
                .any(|place| file.starts_with(place) || file.with_extension("") == Path::new(place))
    }

    fn crossed_by(&self, line: &str) -> Option<&'static str> {
        let code = line.split("//").next().unwrap_or_default();
        self.names.iter().copied().find(|name| {
            code.match_indices(name).any(|(at, _)| {
                let before = code.get(..at).and_then(|before| before.chars().next_back());
                !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
            })
        })
    }
}

/// Every `.rs` file of the repository, outside target folders and hidden ones.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            let hidden = name.to_string_lossy().starts_with('.');
            if !hidden && name != "target" && path != workspace::target() {
                found.extend(sources(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::breaches_in;

    fn breaches(file: &str, text: &str) -> usize {
        breaches_in(Path::new(file), text).len()
    }

    #[test]
    fn a_boundary_is_crossed_only_in_code_outside_its_module() {
        let code = "use aya::Ebpf;\n";
        assert_eq!(breaches("sbc-user/src/session.rs", code), 1);
        assert_eq!(breaches("sbc-user/src/kernel.rs", code), 0);
        assert_eq!(breaches("sbc-user/src/kernel/tables.rs", code), 0);
        assert_eq!(breaches("tests/datapath/main.rs", code), 1);
        assert_eq!(breaches("tests/bench/drop/flood.rs", code), 0);
        assert_eq!(breaches("sbc-ebpf/src/program.rs", code), 0);
        assert_eq!(breaches("sbc-user/src/session.rs", "// unlike aya::Ebpf\n"), 0);
        assert_eq!(breaches("sbc-user/src/session.rs", "use maya::Ebpf;\n"), 0);
    }

    #[test]
    fn a_file_of_more_than_a_page_is_a_breach() {
        assert_eq!(breaches("sbc-common/src/lib.rs", &"\n".repeat(500)), 0);
        assert_eq!(breaches("sbc-common/src/lib.rs", &"\n".repeat(501)), 1);
    }
}
