//! How far the daemon is behind with the datagrams that wait for it.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::socket_option;

/// How long a queue must not have been empty before it is more than a burst: an office whose phones come
/// back together is none the less welcome.
const STANDING: Duration = Duration::from_millis(50);

/// How full the queue of a socket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Load {
    /// Less than a quarter.
    #[default]
    Calm,
    /// A quarter, or more for less than 50 ms.
    Busy,
    /// Half, and it has not been empty for 50 ms.
    Heavy,
    /// Three quarters, and it has not been empty for 50 ms.
    Critical,
}

impl Load {
    /// Every load, the lowest first.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Busy, Self::Heavy, Self::Critical];

    /// The name used in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Busy => "busy",
            Self::Heavy => "heavy",
            Self::Critical => "critical",
        }
    }

    /// The load at which so many quarters are full.
    #[must_use]
    pub fn of_quarters(quarters: u64) -> Self {
        let last = Self::ALL.len() - 1;
        let index = usize::try_from(quarters).map_or(last, |quarters| quarters.min(last));
        Self::ALL.get(index).copied().unwrap_or_default()
    }
}

/// Looks at the load of all queues.
#[derive(Debug, Default)]
pub struct Loads(Vec<Arc<AtomicU8>>);

impl Loads {
    /// The highest load of any queue since this was last asked.
    pub fn take_highest(&mut self) -> Load {
        let highest = self.0.iter().map(|shown| shown.swap(0, Ordering::Relaxed)).max();
        Load::of_quarters(highest.unwrap_or(0).into())
    }

    pub(super) fn add(&mut self) -> Gauge {
        let shown = Arc::default();
        self.0.push(Arc::clone(&shown));
        Gauge { shown, load: Load::Calm, standing_since: None }
    }
}

/// Measures one queue.
#[derive(Debug)]
pub(super) struct Gauge {
    shown: Arc<AtomicU8>,
    load: Load,
    standing_since: Option<Instant>,
}

impl Gauge {
    /// The load as it was last measured.
    pub(super) const fn load(&self) -> Load {
        self.load
    }

    /// Measures what waits at `socket`.
    pub(super) fn measure(&mut self, socket: &impl AsRawFd) {
        self.set(quarters(socket).unwrap_or(0), Instant::now);
    }

    /// Notes that nothing waits.
    pub(super) fn rest(&mut self) {
        self.set(0, Instant::now);
    }

    fn set(&mut self, quarters: u64, now: impl FnOnce() -> Instant) {
        if quarters == 0 {
            self.standing_since = None;
            self.load = Load::Calm;
            return;
        }
        let now = now();
        let since = *self.standing_since.get_or_insert(now);
        let is_burst = now.duration_since(since) < STANDING;
        self.load = if is_burst { Load::Busy } else { Load::of_quarters(quarters) };
        self.shown.fetch_max(self.load as u8, Ordering::Relaxed);
    }
}

/// How many quarters of its buffer the datagrams that wait at a socket take up, as the kernel accounts
/// for them.
fn quarters(socket: &impl AsRawFd) -> Option<u64> {
    /// `SK_MEMINFO_RMEM_ALLOC`, `SK_MEMINFO_RCVBUF` and more (`linux/sock_diag.h`), `u32` each.
    const ROOM: usize = 9 * 4;
    let mut room = [0; ROOM];
    let read = socket_option::read(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut room).ok()?;
    let (allocated, rest) = read.split_first_chunk()?;
    let limit = rest.first_chunk()?;
    let [allocated, limit] = [allocated, limit].map(|word| u64::from(u32::from_ne_bytes(*word)));
    (allocated * 4).checked_div(limit)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use socket2::SockRef;

    use super::*;

    fn after(gauge: &mut Gauge, quarters: u64, now: Instant) -> Load {
        gauge.set(quarters, || now);
        gauge.load()
    }

    #[test]
    fn a_burst_makes_busy_and_a_queue_that_stands_makes_more() {
        let mut loads = Loads::default();
        let mut gauge = loads.add();
        let start = Instant::now();
        for (milliseconds, quarters, expected) in [
            (0, 3, Load::Busy),
            (49, 4, Load::Busy),
            (50, 1, Load::Busy),
            (51, 2, Load::Heavy),
            (52, 3, Load::Critical),
            (53, 9, Load::Critical),
            (54, 0, Load::Calm),
            (55, 3, Load::Busy),
        ] {
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(after(&mut gauge, quarters, now), expected, "after {milliseconds} ms");
        }
        assert_eq!(loads.take_highest(), Load::Critical);
        assert_eq!(loads.take_highest(), Load::Calm);
    }

    #[test]
    fn the_highest_load_is_that_of_the_fullest_queue() {
        let mut loads = Loads::default();
        let mut gauges = [loads.add(), loads.add()];
        after(&mut gauges[1], 1, Instant::now());
        assert_eq!(loads.take_highest(), Load::Busy);
    }

    #[test]
    fn a_real_queue_is_measured() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&socket).set_recv_buffer_size(64 * 1024).unwrap();
        let there = socket.local_addr().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(quarters(&socket), Some(0));
        for _ in 0..1000 {
            sender.send_to(&[0; 1000], there).unwrap();
        }
        assert!(quarters(&socket) >= Some(3), "{:?}", quarters(&socket));
    }
}
