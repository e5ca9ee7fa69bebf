use std::io;
use std::mem;
use std::time::Duration;

/// What the kernel says of its wall clock. Everybody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Whether somebody keeps it right, by NTP or otherwise.
    pub is_synchronised: bool,
    /// How wrong it is at most, if somebody does.
    pub error: Duration,
}

impl WallClock {
    /// Asks.
    pub fn ask() -> io::Result<Self> {
        // SAFETY: all-zero is a valid `timex`, and asks for no change.
        let mut told: libc::timex = unsafe { mem::zeroed() };
        // SAFETY: `told` is a `timex` that outlives the call.
        let state = unsafe { libc::adjtimex(&raw mut told) };
        if state < 0 {
            return Err(io::Error::last_os_error());
        }
        let is_synchronised = state != libc::TIME_ERROR && told.status & libc::STA_UNSYNC == 0;
        let error = Duration::from_micros(u64::try_from(told.maxerror).unwrap_or(0));
        Ok(Self { is_synchronised, error })
    }
}
