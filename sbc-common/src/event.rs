use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A sample of a judged frame, as the kernel half hands it to user space: 32 bytes and the beginning of
/// the frame, native byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub at: u64,
    /// [`Verdict::index`](crate::Verdict::index).
    pub verdict: u32,
    /// The length of the whole frame in bytes, Ethernet header included.
    pub length: u32,
    /// How many bytes of [`Self::frame`] are the frame's.
    pub captured: u32,
    /// The index of the interface that it arrived on.
    pub interface: u32,
    /// 1 if the frame went on although the verdict says drop: the mode is `observe`, or the daemon is
    /// silent and the operator chose to pass.
    pub passed: u32,
    /// Means nothing.
    pub padding: u32,
    /// The beginning of the frame, Ethernet header first; behind [`Self::captured`] it means nothing.
    pub frame: [u8; Self::SNAPPED],
}

impl Event {
    /// The longest beginning of a frame that is kept: headers of every kind and a SIP start line.
    pub const SNAPPED: usize = 256;
    /// The size of an event.
    pub const SIZE: usize = size_of::<Self>();
}

const _: () = assert!(Event::SIZE == 32 + Event::SNAPPED);
