//! `cargo xtask package-test`: the package on a clean system, as `docs/install.md` says, from its installation to its
//! purge.

mod checks;
mod clean_system;
mod guide;
mod machine;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};

use crate::{
    dist::{self, Package},
    setup::{self, Scope},
    signals, workspace,
};
use checks::Checks;
use guide::Step;
use machine::Machine;

/// Options of `cargo xtask package-test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Try the release build, as it is packed for others; takes minutes to make
    #[arg(long)]
    release: bool,
}

/// The package, and the one that it is upgraded to.
struct Packages {
    first: PathBuf,
    newer: PathBuf,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    // Before the signals are caught: nothing of ours is there yet, and `apt-get` knows how to end.
    if let Err(error) = setup::ensure(Scope::PackageTest).and_then(|()| signals::catch()) {
        return crate::failure(&error);
    }
    let start = Instant::now();
    match try_out(options) {
        Ok(steps) => {
            println!("package-test: ok, {steps} steps in {} s", start.elapsed().as_secs());
            ExitCode::SUCCESS
        }
        Err(_) if sbc_tests::is_interrupted() => {
            println!("package-test: interrupted, everything removed");
            ExitCode::from(signals::INTERRUPTED)
        }
        Err(error) => crate::failure(&error),
    }
}

fn try_out(options: &Options) -> Result<usize> {
    let steps = guide::steps()?;
    let packages = pack(options)?;
    let archive = clean_system::archive()?;
    println!("package-test: booting a clean Debian 12");
    let mut machine = Machine::boot(&archive)?;
    let mut checks = Checks::before(&mut machine, packages)?;
    for step in &steps {
        let (what, done) = match step {
            Step::Commands(lines) => {
                let first = lines.lines().next().unwrap_or_default();
                (format!("$ {first}"), checks.machine().run(lines).map(|_| ()))
            }
            Step::Check(name) => (name.clone(), checks.check(name)),
        };
        println!("  {what}");
        done.with_context(|| format!("docs/install.md, at {what:?}"))
            .inspect_err(|_| println!("{}", checks.machine().journal()))?;
    }
    checks.expect_all_done()?;
    Ok(steps.len())
}

fn pack(options: &Options) -> Result<Packages> {
    let program = dist::build(!options.release)?;
    let version = env!("CARGO_PKG_VERSION");
    let newer = format!("{version}+1");
    let folder = workspace::target().join("package-test");
    let pack = |version| Package { program: &program, version, is_for_a_try: true }.pack(&folder);
    Ok(Packages { first: pack(version)?, newer: pack(&newer)? })
}
