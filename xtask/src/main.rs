//! The repository's commands, run as `cargo xtask COMMAND` from anywhere inside it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its user on the terminal"
)]

mod bench;
mod build_ebpf;
mod demo;
mod dist;
mod fuzz;
mod kernels;
mod lint;
mod package_test;
mod setup;
mod signals;
mod test;
mod tool;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The repository's commands")]
enum Command {
    /// Install what building and testing need; does nothing when all of it is there
    Setup(setup::Options),
    /// Build the XDP object alone
    BuildEbpf(build_ebpf::Options),
    /// Show what the product does, on real packets between hosts made for it
    Demo(demo::Options),
    /// Measure beside what else there is
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run every test: unit, in the kernel, and end to end
    Test(test::Options),
    /// Look for bytes from a stranger that break a promise
    Fuzz(fuzz::Options),
    /// Run the tests that need nothing but a kernel on Debian's kernels, in emulated machines
    Kernels(kernels::Options),
    /// Make the Debian package, `target/dist/sbc_VERSION_ARCHITECTURE.deb`
    Dist(dist::Options),
    /// Follow docs/install.md on a clean Debian 12, from the package's installation to its purge
    PackageTest(package_test::Options),
    /// Check format, lints, documentation, Cargo.lock and the house rules
    Lint(lint::Options),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Setup(options) => setup::run(&options),
        Command::BuildEbpf(options) => build_ebpf::run(&options),
        Command::Demo(options) => return demo::run(&options),
        Command::Bench(bench) => return bench::run(&bench),
        Command::Test(options) => test::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Kernels(options) => kernels::run(&options),
        Command::Dist(options) => dist::run(&options),
        Command::PackageTest(options) => return package_test::run(&options),
        Command::Lint(options) => lint::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
