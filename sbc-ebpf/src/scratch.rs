//! What the functions of the program leave for one another between two frames: memory of this CPU of
//! whose contents the verifier knows nothing, so that it follows each function once.

use core::mem::MaybeUninit;

use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::macros::btf_map;
use sbc_common::{Packet, Reason, Standing};

/// A frame whose headers have been read.
pub(crate) struct Read {
    pub(crate) packet: Packet,
    /// Why there is no packet. What stands in its place then is of an earlier frame.
    pub(crate) unread: Option<Reason>,
    /// How far the frame was read, in bytes.
    pub(crate) behind_headers: u32,
}

/// Where a program runs. The one on the wire may interrupt the other on the same CPU, so that each has
/// memory of its own.
pub(crate) struct Hook;

impl Hook {
    pub(crate) const WIRE: u32 = 0;
    pub(crate) const SOCKET: u32 = 1;
    const COUNT: usize = 2;
}

const READ_WORDS: usize = 12;
const STANDING_WORDS: usize = 6;

#[btf_map]
static READ: PerCpuArray<[u64; READ_WORDS], { Hook::COUNT }> = PerCpuArray::new();

#[btf_map]
static STANDING: PerCpuArray<[u64; STANDING_WORDS], { Hook::COUNT }> = PerCpuArray::new();

/// The frame at hand. It is valid from the end of the reading on, and `None` never happens.
#[inline(always)]
pub(crate) fn read(place: u32) -> Option<*mut Read> {
    const { assert!(size_of::<MaybeUninit<Read>>() <= READ_WORDS * 8 && align_of::<Read>() <= 8) };
    READ.get_ptr_mut(place).map(|words| words.cast())
}

/// The standing that was looked up for it, and `None` never happens.
#[inline(always)]
pub(crate) fn standing(place: u32) -> Option<*mut Standing> {
    const {
        assert!(size_of::<Standing>() <= STANDING_WORDS * 8 && align_of::<Standing>() <= 8);
    };
    STANDING.get_ptr_mut(place).map(|words| words.cast())
}
