//! Options of sockets that no library of ours reads: two system calls, and nothing else.

use std::io;
use std::os::fd::AsRawFd;

use libc::c_int;

/// Switches an option on.
pub(super) fn switch_on(socket: &impl AsRawFd, level: c_int, name: c_int) -> io::Result<()> {
    let yes: c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&yes)).map_err(io::Error::other)?;
    // SAFETY: `yes` is `size` readable bytes that outlive the call, which keeps no pointer to them.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const yes).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option into `room`, and yields what was written of it.
pub(super) fn read<'r>(
    socket: &impl AsRawFd,
    level: c_int,
    name: c_int,
    room: &'r mut [u8],
) -> io::Result<&'r [u8]> {
    let mut size = libc::socklen_t::try_from(room.len()).map_err(io::Error::other)?;
    // SAFETY: `room` is `size` writable bytes and `size` a writable length, which both outlive the call;
    // it keeps no pointer to them.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, room.as_mut_ptr().cast(), &raw mut size)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(room.get(..size as usize).unwrap_or_default())
}
