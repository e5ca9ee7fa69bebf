//! Debian packages.

use std::fs;

use anyhow::{Result, bail};

use super::Requirement;
use crate::{tool::Tool, workspace};

/// Packages that come together, each with the file or program that proves it is there.
pub(super) struct Packages {
    purpose: &'static str,
    wanted: &'static [(&'static str, Proof)],
}

enum Proof {
    Program(&'static str),
    File(&'static str),
    /// A file of the C library's development package.
    Header(&'static str),
    /// A module in Kamailio's folder, whose path has the architecture in it.
    KamailioModule(&'static str),
    /// A program in the folder of `PostgreSQL`, whose path has the version in it.
    PostgresProgram(&'static str),
}

pub(super) const COMPILER: Packages = Packages {
    purpose: "compiling the cryptography that the daemon links, and bpf-linker",
    wanted: &[("gcc", Proof::Program("cc")), ("libc6-dev", Proof::Header("stdlib.h"))],
};

pub(super) const CPLUSPLUS: Packages =
    Packages { purpose: "compiling libFuzzer", wanted: &[("g++", Proof::Program("c++"))] };

pub(super) const PEERS: Packages = Packages {
    purpose: "tests and the demo, which talk to real SIP peers in network namespaces, and look at the status page and \
              the alerts",
    wanted: &[
        ("sip-tester", Proof::Program("sipp")),
        ("kamailio", Proof::Program("kamailio")),
        ("kamailio-tls-modules", Proof::KamailioModule("tls.so")),
        ("baresip-core", Proof::Program("baresip")),
        ("sipsak", Proof::Program("sipsak")),
        ("sipvicious", Proof::Program("svmap")),
        ("slapd", Proof::Program("slapd")),
        ("ldap-utils", Proof::Program("ldapmodify")),
        ("openssl", Proof::Program("openssl")),
        ("tshark", Proof::Program("tshark")),
        ("tmux", Proof::Program("tmux")),
        ("postgresql", Proof::PostgresProgram("initdb")),
        ("prometheus", Proof::Program("promtool")),
        ("chromium-headless-shell", Proof::Program("chromium-headless-shell")),
        ("iproute2", Proof::Program("ip")),
    ],
};

pub(super) const FIREWALLS: Packages = Packages {
    purpose: "benchmarks, which measure other ways to drop a packet in network namespaces",
    wanted: &[
        ("nftables", Proof::Program("nft")),
        ("iptables", Proof::Program("iptables-legacy")),
        ("ipset", Proof::Program("ipset")),
        ("xdp-tools", Proof::Program("xdp-filter")),
        ("ethtool", Proof::Program("ethtool")),
        ("iproute2", Proof::Program("ip")),
    ],
};

pub(super) const GUESTS: Packages = Packages {
    purpose: "running tests on Debian's kernels, in an emulated machine",
    wanted: &[
        ("qemu-system-x86", Proof::Program("qemu-system-x86_64")),
        ("busybox-static", Proof::Program("busybox")),
        ("iproute2", Proof::Program("ip")),
        ("debian-archive-keyring", Proof::File(DEBIAN_KEYRING)),
    ],
};

pub(super) const PACKAGING: Packages = Packages {
    purpose: "making the Debian package",
    wanted: &[
        ("binutils", Proof::Program("strip")),
        ("dpkg", Proof::Program("dpkg-deb")),
        ("git", Proof::Program("git")),
        ("gzip", Proof::Program("gzip")),
        ("mandoc", Proof::Program("mandoc")),
    ],
};

pub(super) const CLEAN_SYSTEM: Packages = Packages {
    purpose: "installing the Debian package on a clean system of its own, and calling through it",
    wanted: &[
        ("mmdebstrap", Proof::Program("mmdebstrap")),
        ("debian-archive-keyring", Proof::File(DEBIAN_KEYRING)),
        ("sip-tester", Proof::Program("sipp")),
        ("iproute2", Proof::Program("ip")),
        ("util-linux", Proof::Program("nsenter")),
    ],
};

/// The keys that Debian signs its archive with.
pub(crate) const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Files that `dpkg` leaves out: tests want the programs, not servers that start now and with every boot.
const NO_SERVICE: [&str; 8] = [
    "/lib/systemd/system/kamailio*",
    "/etc/init.d/kamailio",
    "/lib/systemd/system/slapd*",
    "/etc/init.d/slapd",
    "/lib/systemd/system/postgresql*",
    "/etc/init.d/postgresql",
    "/lib/systemd/system/prometheus*",
    "/etc/init.d/prometheus",
];

impl Requirement for Packages {
    fn missing(&self) -> Vec<String> {
        self.wanted
            .iter()
            .filter(|(_, proof)| !proof.holds())
            .map(|(package, _)| (*package).to_owned())
            .collect()
    }

    fn purpose(&self) -> &'static str {
        self.purpose
    }

    fn commands(&self) -> Vec<String> {
        vec![update().as_typed(), install(&self.missing()).as_typed()]
    }

    fn install(&self) -> Result<()> {
        // SAFETY: `geteuid` has no preconditions and cannot fail.
        let root = unsafe { libc::geteuid() } == 0;
        if workspace::find_program("apt-get").is_none() {
            bail!("apt-get not found; install the equivalents of: {}", self.missing().join(", "));
        }
        if !root {
            bail!("not root; run as root:\n    {}", self.commands().join("\n    "));
        }
        // The lists may be missing or older than the archive: only then are they fetched.
        if install(&self.missing()).try_logged("setup-apt").is_ok() {
            return Ok(());
        }
        fetch_package_lists()?;
        install(&self.missing()).run_logged("setup-apt")
    }
}

/// Fetches the lists of what this machine's sources have.
pub(crate) fn fetch_package_lists() -> Result<()> {
    println!("setup: fetching the package lists");
    update().run_logged("setup-apt-update")
}

impl Proof {
    fn holds(&self) -> bool {
        match self {
            Self::Program(program) => workspace::find_program(program).is_some(),
            Self::File(file) => fs::exists(file).unwrap_or(false),
            Self::Header(header) => fs::exists(format!("/usr/include/{header}")).unwrap_or(false),
            Self::KamailioModule(module) => fs::read_dir("/usr/lib")
                .into_iter()
                .flatten()
                .flatten()
                .any(|folder| folder.path().join("kamailio/modules").join(module).is_file()),
            Self::PostgresProgram(program) => fs::read_dir("/usr/lib/postgresql")
                .into_iter()
                .flatten()
                .flatten()
                .any(|version| version.path().join("bin").join(program).is_file()),
        }
    }
}

fn update() -> Tool {
    Tool::new("apt-get").args(["update"]).advice("Check the network and /etc/apt/sources.list.")
}

fn install(packages: &[String]) -> Tool {
    Tool::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(NO_SERVICE.map(|path| format!("-oDPkg::options::=--path-exclude={path}")))
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .advice("See what apt-get says, then run `cargo xtask setup` again.")
}
