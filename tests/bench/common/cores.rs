//! The cores that the measurement is pinned to, and what runs on them.

use std::{fs, io, mem, path::Path};

use anyhow::{Context as _, Result};

/// The cores that this process may use.
pub(crate) fn allowed() -> Result<Vec<usize>> {
    // SAFETY: an empty set of CPUs is all zero.
    let mut allowed: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `allowed` is as long as the call is told.
    checked(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) })
        .context("asking for the allowed CPUs")?;
    // SAFETY: `CPU_ISSET` only reads, within the set's size.
    let is_allowed = |core: &usize| unsafe { libc::CPU_ISSET(*core, &allowed) };
    Ok((0..libc::CPU_SETSIZE.unsigned_abs() as usize).filter(is_allowed).collect())
}

/// Lets the thread run on `core` only; zero is the calling one.
pub(crate) fn pin(thread: u32, core: usize) -> Result<()> {
    // SAFETY: an empty set of CPUs is all zero.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the number comes from `allowed`, which stays within the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: `set` is as long as the call is told.
    let done = unsafe {
        libc::sched_setaffinity(thread.cast_signed(), size_of::<libc::cpu_set_t>(), &raw const set)
    };
    checked(done).with_context(|| format!("pinning thread {thread} to CPU {core}"))
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

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
