use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use aya::maps::{Map, MapData, RingBuf};
use sbc_common::maps;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{KernelError, Pins};

/// Where the program puts samples of what it judged. One at a time reads it: what was read is gone, and
/// what was not is there still for the next one.
#[derive(Debug)]
pub struct SampleRing {
    ring: AsyncFd<Ring>,
}

/// How many records are handed out before others have their turn.
const BATCH: usize = 256;

impl SampleRing {
    /// Opens the pinned ring. To be called within a tokio runtime.
    pub(super) fn open(pins: &Pins) -> Result<Self, KernelError> {
        let table = |cause| KernelError::Table { table: maps::EVENTS.name, cause };
        let pinned = pins.open(maps::EVENTS)?.ok_or_else(|| pins.not_loaded())?;
        let map = Map::from_map_data(pinned).map_err(table)?;
        let ring = RingBuf::try_from(map).map_err(table)?;
        // SAFETY: the descriptor is the map's, which owns it: it is the same and open for as long as the
        // ring lives.
        let ring = unsafe { AsyncFd::register_with_interest(Ring(ring), Interest::READABLE) };
        let ring = ring.map_err(|error| KernelError::SampleRing(error.into_parts().1))?;
        Ok(Self { ring })
    }

    /// Waits for records and hands each of them to `take`, some hundred at most. Returns whether all that
    /// were there have been read.
    pub async fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<bool> {
        let mut ready = self.ring.readable_mut().await?;
        for _ in 0..BATCH {
            let Some(record) = ready.get_inner_mut().0.next() else {
                // Not before: the kernel wakes only those who have read everything.
                ready.clear_ready();
                return Ok(true);
            };
            take(&record);
        }
        Ok(false)
    }
}

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ring")
    }
}
