//! The cores that the measurement is pinned to, and what runs on them.

use std::{fs, io, mem, path::Path};

use anyhow::{Context as _, Result, bail};

/// What runs on which core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The flood on one core, the receiver on another.
    Split,
    /// The flood and the receiver on one core.
    Same,
}

/// Where things run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) mode: Mode,
    pub(crate) flood: usize,
    pub(crate) receiver: usize,
}

impl Cores {
    /// Takes the first cores that this process may use.
    pub(crate) fn choose(mode: Mode) -> Result<Self> {
        // SAFETY: an empty set of CPUs is all zero.
        let mut allowed: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: `allowed` is as long as the call is told.
        checked(unsafe {
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed)
        })
        .context("asking for the allowed CPUs")?;
        // SAFETY: `CPU_ISSET` only reads, within the set's size.
        let mut cores = (0..libc::CPU_SETSIZE.unsigned_abs() as usize)
            .filter(|core| unsafe { libc::CPU_ISSET(*core, &allowed) });
        let first = cores.next().context("no CPU is allowed")?;
        match (mode, cores.next()) {
            (Mode::Same, _) => Ok(Self { mode, flood: first, receiver: first }),
            (Mode::Split, Some(second)) => Ok(Self { mode, flood: first, receiver: second }),
            (Mode::Split, None) => {
                bail!("one CPU: the flood needs one of its own; try --mode same")
            }
        }
    }
}

/// Lets the thread run on `core` only; zero is the calling one.
pub(crate) fn pin(thread: u32, core: usize) -> Result<()> {
    // SAFETY: an empty set of CPUs is all zero.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the number comes from `Cores::choose`, which stays within the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: `set` is as long as the call is told.
    let done = unsafe {
        libc::sched_setaffinity(thread.cast_signed(), size_of::<libc::cpu_set_t>(), &raw const set)
    };
    checked(done).with_context(|| format!("pinning thread {thread} to CPU {core}"))
}

/// Lets the thread run before every ordinary one.
pub(crate) fn prefer(thread: u32) -> Result<()> {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: a plain system call with a valid parameter.
    checked(unsafe {
        libc::sched_setscheduler(thread.cast_signed(), libc::SCHED_FIFO, &raw const priority)
    })
    .with_context(|| format!("giving thread {thread} a priority"))
}

/// Puts this process, and what it starts, ahead of the others. The kernel shares time between sessions
/// before it looks at nice values, so what counts is the session's: raised only where the session is
/// that of the Cargo that started us, which `xtask` makes for it, and not that of somebody's terminal.
pub(crate) fn get_ahead() -> Result<()> {
    // SAFETY: plain system calls that cannot fail.
    let is_ours = unsafe { libc::getsid(0) == libc::getppid() };
    let group = Path::new("/proc/self/autogroup");
    if is_ours && group.exists() {
        fs::write(group, "-20").context("raising the session's priority")?;
    }
    Ok(())
}

/// Nanoseconds that a thread or single-threaded process has run.
pub(crate) fn run_time(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let first = text.split_whitespace().next().with_context(|| format!("{path} is empty"))?;
    first.parse().with_context(|| format!("{path}: {text}"))
}

/// The threads whose names begin with this, by process id.
pub(crate) fn kernel_threads(prefix: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("listing /proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile has no name any more.
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        if name.trim_end().starts_with(prefix) {
            found.push(id);
        }
    }
    Ok(found)
}

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
