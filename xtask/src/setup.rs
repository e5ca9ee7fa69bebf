//! `cargo xtask setup`: installs what building and testing need.

mod linker;
mod packages;
mod rust;

use std::time::Instant;

use anyhow::{Result, bail};

pub(crate) use packages::{DEBIAN_KEYRING, fetch_package_lists};

/// Options of `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only say what is missing, and fail when something is
    #[arg(long)]
    check: bool,
}

/// How much of the machine a command needs.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    /// Building and linting.
    Build,
    /// Building, and the real SIP peers that tests and the demo talk to.
    Everything,
    /// Building, and the firewalls that a benchmark compares with: nothing else asks for these.
    Bench,
    /// Building, and libFuzzer, which is C++.
    Fuzz,
    /// Building, and the emulator in which `cargo xtask kernels` boots other kernels.
    Kernels,
    /// Building, and what the Debian package is made with.
    Package,
    /// The same, and the clean system and the SIP peers that it is tried with.
    PackageTest,
}

/// One thing to install: it knows whether it is there, why it is wanted, and how to get it.
trait Requirement {
    /// What is missing, by name; empty when nothing is.
    fn missing(&self) -> Vec<String>;
    /// Why it is wanted, to follow "for".
    fn purpose(&self) -> &'static str;
    /// The commands that install it, as one would type them.
    fn commands(&self) -> Vec<String>;
    fn install(&self) -> Result<()>;
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check {
        return check();
    }
    if install_missing(Scope::Everything)? == 0 {
        println!("setup: nothing to do");
    } else {
        println!("setup: ok");
    }
    Ok(())
}

/// Installs what `scope` needs and lacks; silent when it lacks nothing.
pub(crate) fn ensure(scope: Scope) -> Result<()> {
    install_missing(scope).map(|_| ())
}

fn requirements(scope: Scope) -> Vec<Box<dyn Requirement>> {
    // The linker is compiled, so a C compiler comes before it.
    let mut requirements: Vec<Box<dyn Requirement>> =
        vec![Box::new(rust::Components), Box::new(packages::COMPILER), Box::new(linker::BpfLinker)];
    match scope {
        Scope::Build => {}
        Scope::Everything => requirements.push(Box::new(packages::PEERS)),
        Scope::Bench => requirements.push(Box::new(packages::FIREWALLS)),
        Scope::Fuzz => requirements.push(Box::new(packages::CPLUSPLUS)),
        Scope::Kernels => requirements.push(Box::new(packages::GUESTS)),
        Scope::Package => requirements.push(Box::new(packages::PACKAGING)),
        Scope::PackageTest => {
            requirements.push(Box::new(packages::PACKAGING));
            requirements.push(Box::new(packages::CLEAN_SYSTEM));
        }
    }
    requirements
}

fn check() -> Result<()> {
    let mut all_there = true;
    for requirement in requirements(Scope::Everything) {
        let missing = requirement.missing();
        if missing.is_empty() {
            continue;
        }
        all_there = false;
        println!("missing: {}, for {}", missing.join(", "), requirement.purpose());
        for command in requirement.commands() {
            println!("    {command}");
        }
    }
    if !all_there {
        bail!("something is missing; `cargo xtask setup` installs it");
    }
    println!("setup: nothing is missing");
    Ok(())
}

fn install_missing(scope: Scope) -> Result<usize> {
    let mut installed = 0;
    for requirement in requirements(scope) {
        let missing = requirement.missing();
        if missing.is_empty() {
            continue;
        }
        println!("setup: installing {}, for {}", missing.join(", "), requirement.purpose());
        let start = Instant::now();
        requirement.install()?;
        let still_missing = requirement.missing();
        if !still_missing.is_empty() {
            bail!(
                "{} still missing after installing; install by hand:\n    {}",
                still_missing.join(", "),
                requirement.commands().join("\n    ")
            );
        }
        println!("setup: installed in {} s", start.elapsed().as_secs());
        installed += 1;
    }
    Ok(installed)
}
