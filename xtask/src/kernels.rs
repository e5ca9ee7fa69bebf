//! `cargo xtask kernels`: the shipped XDP object and ESP on Debian's kernels, each in a machine emulated
//! by QEMU.

mod archive;
mod cpio;
mod guest;
mod initramfs;
mod kernel;
mod release;
mod report;
mod suite;

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::setup::{self, Scope};
use archive::Archive;
pub(crate) use archive::debian_mirror;
use kernel::Kernel;
use release::Release;
use suite::Suite;

/// The series of Debian's stable releases, which carry them for years.
const LONG_TERM: [&str; 2] = ["6.1", "6.12"];

/// Options of `cargo xtask kernels`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The newest kernel of a series, as in "6.12", or one release, as in "6.1.0-56"; without any:
    /// Debian's long-term ones, and the newest of its backports
    #[arg(value_name = "RELEASE")]
    releases: Vec<String>,
    /// The newest kernel of every series there is
    #[arg(long, conflicts_with_all = ["releases", "oldest"])]
    all: bool,
    /// Only the oldest series
    #[arg(long, conflicts_with = "releases")]
    oldest: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!(
            "the tests run in the guest as they are built here, and the guest is an x86-64 machine"
        );
    }
    setup::ensure(Scope::Kernels)?;
    println!("kernels: looking for them in Debian's archive");
    let archive = Archive::open()?;
    let chosen = options.choose(&archive.releases()?)?;
    let kernels = chosen
        .into_iter()
        .map(|release| Kernel::get(&archive, release))
        .collect::<Result<Vec<_>>>()?;
    println!("kernels: building the tests");
    let suites = Suite::build_all()?;

    println!("kernels: emulating {} of them, for some minutes", kernels.len());
    let failed = run_all(&kernels, &suites)?;
    if !failed.is_empty() {
        bail!("failed; run again with:\n    cargo xtask kernels {}", failed.join(" "));
    }
    println!("kernels: ok");
    Ok(())
}

impl Options {
    /// What is asked for, oldest first; `found` is in that order too.
    fn choose(&self, found: &[Release]) -> Result<Vec<Release>> {
        let newest_of = |asked: &str| {
            let newest = found.iter().rfind(|release| release.is_of(asked));
            newest.cloned().with_context(|| {
                let names: Vec<_> = found.iter().map(Release::name).collect();
                format!("no kernel {asked} there; there are: {}", names.join(", "))
            })
        };
        let newest_of_each = |asked: &mut dyn Iterator<Item = &str>| -> Result<Vec<Release>> {
            asked.map(newest_of).collect()
        };
        let mut series: Vec<String> = found.iter().map(Release::series).collect();
        series.dedup();
        let mut series = series.iter().map(String::as_str);
        let mut chosen = if self.oldest {
            newest_of_each(&mut series.take(1))?
        } else if self.all {
            newest_of_each(&mut series)?
        } else if self.releases.is_empty() {
            newest_of_each(&mut LONG_TERM.into_iter().chain(series.next_back()))?
        } else {
            newest_of_each(&mut self.releases.iter().map(String::as_str))?
        };
        chosen.sort();
        chosen.dedup();
        if chosen.is_empty() {
            bail!("no kernel found in the archive");
        }
        Ok(chosen)
    }
}

/// Runs the suites on every kernel, as many at once as there are processors, and returns the names of
/// the releases on which they failed.
fn run_all(kernels: &[Kernel], suites: &[Suite]) -> Result<Vec<String>> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while let Some(kernel) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !is_well(kernel, suites)? {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(kernel.release.name().to_owned());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..processors.min(kernels.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
        })
    })?;
    Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Runs the suites on one kernel and tells how it went.
fn is_well(kernel: &Kernel, suites: &[Suite]) -> Result<bool> {
    let start = Instant::now();
    let outcome = guest::run(kernel, suites)?;
    let took = start.elapsed().as_secs();
    let shown = match &outcome {
        Ok(tally) => format!(
            "ok, {} tests, {} verified instructions, {took} s",
            tally.passed, tally.verified_instructions
        ),
        Err(failure) => format!("FAILED after {took} s: {failure}"),
    };
    println!("  {kernel}: {shown}");
    Ok(outcome.is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Options, Release};

    const FOUND: [&str; 7] = [
        "6.1.0-9",
        "6.1.0-56",
        "6.12.90+deb13",
        "6.12.90+deb13.1",
        "6.12.117+deb12",
        "6.12.117+deb13",
        "7.3.4+deb13",
    ];

    fn chosen(releases: &[&str], all: bool, oldest: bool) -> Vec<String> {
        let releases = releases.iter().map(|&release| release.to_owned()).collect();
        let found = FOUND.map(|name| Release::named(name).unwrap());
        let chosen = Options { releases, all, oldest }.choose(&found).unwrap();
        chosen.iter().map(|release| release.name().to_owned()).collect()
    }

    #[test]
    fn the_newest_of_each_series_is_chosen() {
        let newest = ["6.1.0-56", "6.12.117+deb13", "7.3.4+deb13"];
        assert_eq!(chosen(&[], false, false), newest);
        assert_eq!(chosen(&[], true, false), newest);
        assert_eq!(chosen(&[], false, true), newest[..1]);
    }

    #[test]
    fn a_series_is_not_taken_for_another_that_begins_like_it() {
        assert_eq!(chosen(&["6.12", "6.1"], false, false), ["6.1.0-56", "6.12.117+deb13"]);
        assert_eq!(chosen(&["6.1.0-9"], false, false), ["6.1.0-9"]);
    }
}
