//! `cargo xtask dist`: the Debian package.

mod control;
mod licences;
mod tree;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup::{self, Scope},
    tool::Tool,
    workspace,
};
use control::Control;
use tree::Tree;

/// Options of `cargo xtask dist`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pack the debug build: quickly made, for a try
    #[arg(long)]
    debug: bool,
    /// The package's version, if not that of the program
    #[arg(long, value_name = "VERSION")]
    package_version: Option<String>,
}

/// What is packed, and as what.
pub(crate) struct Package<'a> {
    /// The built program.
    pub(crate) program: &'a Path,
    /// The package's version.
    pub(crate) version: &'a str,
    /// Packed quickly, and larger for it.
    pub(crate) is_for_a_try: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure(Scope::Package)?;
    let start = Instant::now();
    let program = build(options.debug)?;
    // Older than the release, so that nobody keeps it by mistake.
    let own = if options.debug {
        concat!(env!("CARGO_PKG_VERSION"), "~debug")
    } else {
        env!("CARGO_PKG_VERSION")
    };
    let version = options.package_version.as_deref().unwrap_or(own);
    let package = Package { program: &program, version, is_for_a_try: options.debug };
    let file = package.pack(&workspace::target().join("dist"))?;
    let size = fs::metadata(&file)?.len();
    println!(
        "dist: {} ({}.{} MB, {} s)",
        file.display(),
        size / 1_000_000,
        size / 100_000 % 10,
        start.elapsed().as_secs()
    );
    Ok(())
}

/// Builds the program, and returns where it is.
pub(crate) fn build(debug: bool) -> Result<PathBuf> {
    let kind = if debug { "debug" } else { "release" };
    step(&format!("building sbc ({kind})"));
    let mut cargo = Tool::cargo()
        .args(["build", "--package", "sbc-user", "--bin", "sbc", "--locked"])
        .args((!debug).then_some("--release"))
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.");
    if !debug {
        // Where it was built is nobody's business, and would make every build another.
        cargo = cargo.env("RUSTFLAGS", remapped());
    }
    cargo.run()?;
    Ok(workspace::target().join(kind).join("sbc"))
}

fn remapped() -> String {
    let mut flags = env::var("RUSTFLAGS").unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let places = [(Some(workspace::root().to_owned()), "sbc"), (cargo, "cargo")];
    for (place, name) in places {
        if let Some(place) = place {
            let _ = write!(flags, " --remap-path-prefix={}=/{name}", place.display());
        }
    }
    flags.trim().to_owned()
}

impl Package<'_> {
    /// Makes `sbc_VERSION_ARCHITECTURE.deb` in a folder.
    pub(crate) fn pack(&self, folder: &Path) -> Result<PathBuf> {
        let architecture = Tool::new("dpkg").args(["--print-architecture"]).output()?;
        let architecture = architecture.trim();
        let name = format!("sbc_{}_{architecture}", self.version);
        let epoch = source_date()?;

        step(&format!("{name}: laying out the files"));
        let tree = Tree::lay_out(&folder.join(&name), self.program, self.version, &epoch)?;
        step(&format!("{name}: checking the manual"));
        tree.check_manual()?;
        Control { version: self.version, architecture }.write(&tree)?;

        step(&format!("{name}: packing"));
        let file = folder.join(format!("{name}.deb"));
        Tool::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args(if self.is_for_a_try { &["-Zgzip", "-z1"][..] } else { &["-Zxz"] })
            .args([tree.root(), &file])
            .env("SOURCE_DATE_EPOCH", &epoch)
            .run_logged("dist-dpkg-deb")?;
        fs::remove_dir_all(tree.root()).context("removing the files that were packed")?;
        Ok(file)
    }
}

/// The time that everything in the package has, in seconds since 1970: that of the last commit, so that the same source
/// makes the same package.
fn source_date() -> Result<String> {
    if let Ok(date) = env::var("SOURCE_DATE_EPOCH") {
        if date.parse::<u64>().is_err() {
            bail!("SOURCE_DATE_EPOCH={date}: seconds since 1970 are expected");
        }
        return Ok(date);
    }
    let date = Tool::new("git")
        .args(["log", "-1", "--format=%ct"])
        .advice("Outside of a git repository SOURCE_DATE_EPOCH says what time the package's files have.")
        .output()?;
    Ok(date.trim().to_owned())
}

fn step(what: &str) {
    println!("dist: {what}");
}
