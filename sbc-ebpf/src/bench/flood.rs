use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP};
use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;

use super::window;

/// The interface that the frames leave by.
#[unsafe(no_mangle)]
static INTERFACE: Global<u32> = Global::new(0);
/// 4 or 6: the family of the template.
#[unsafe(no_mangle)]
static FAMILY: Global<u32> = Global::new(0);
/// The ones' complement sum of all that the template's checksum covers, but for the bytes that are
/// written here, which count as zero.
#[unsafe(no_mangle)]
static CHECKSUM_BASE: Global<u32> = Global::new(0);

/// The state of the random numbers.
#[btf_map]
static RANDOM: Array<u64, 1> = Array::new();

const IPV4_CHECKSUM: usize = 14 + 10;
const IPV4_SOURCE: usize = 14 + 12;
const IPV6_SOURCE: usize = 14 + 8;
const IPV6_UDP_CHECKSUM: usize = 14 + 40 + 6;

/// Sends a frame on its way with a source of its own.
///
/// The kernel hands out the same frames again and again, with whatever the last receiver left in
/// them: all that differs between frames is therefore written anew, and from nothing in the frame.
#[xdp]
pub(crate) fn flood(context: XdpContext) -> u32 {
    if !window::has_room() {
        return XDP_DROP;
    }
    match forge(&context) {
        // SAFETY: the helper takes any number for an interface.
        Some(()) => unsafe { bpf_redirect(INTERFACE.load(), 0) as u32 },
        None => XDP_ABORTED,
    }
}

#[inline(always)]
fn forge(context: &XdpContext) -> Option<()> {
    let random = random()?;
    if FAMILY.load() == 4 {
        // An odd address of 12.0.0.0/7: 2^24 of them.
        let source = 0x0c00_0001 | (random as u32 & 0x00ff_ffff) << 1;
        let halves = [(source >> 16) as u16, source as u16];
        let frame = writable::<{ IPV4_SOURCE + 4 }>(context)?;
        write(frame, IPV4_SOURCE, halves[0]);
        write(frame, IPV4_SOURCE + 2, halves[1]);
        write(frame, IPV4_CHECKSUM, checksum(&halves));
    } else {
        // Any /64 of 2a00::/16, and one of 2^16 addresses in it.
        let halves =
            [random as u16, (random >> 16) as u16, (random >> 32) as u16, (random >> 48) as u16];
        let frame = writable::<{ IPV6_UDP_CHECKSUM + 2 }>(context)?;
        write(frame, IPV6_SOURCE + 2, halves[0]);
        write(frame, IPV6_SOURCE + 4, halves[1]);
        write(frame, IPV6_SOURCE + 6, halves[2]);
        write(frame, IPV6_SOURCE + 14, halves[3]);
        write(frame, IPV6_UDP_CHECKSUM, checksum(&halves));
    }
    Some(())
}

/// `SplitMix64`: a few instructions where the kernel's helper costs as much as a cheap drop.
#[inline(always)]
fn random() -> Option<u64> {
    let state = RANDOM.get_ptr_mut(0)?;
    // SAFETY: the element is there as long as the program, and one CPU alone runs the flood.
    let next = unsafe { *state }.wrapping_add(0x9e37_79b9_7f4a_7c15);
    // SAFETY: as above.
    unsafe { *state = next };
    let mixed = (next ^ next >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ mixed >> 31)
}

/// Zero, which UDP takes for "none" (RFC 768), is sent as its other form.
#[inline(always)]
fn checksum(halves: &[u16]) -> u16 {
    let mut sum = CHECKSUM_BASE.load();
    for half in halves {
        sum += u32::from(*half);
    }
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let complement = !sum as u16;
    if complement == 0 { 0xffff } else { complement }
}

/// The start of the frame, if it has `LENGTH` bytes.
#[inline(always)]
fn writable<const LENGTH: usize>(context: &XdpContext) -> Option<*mut u8> {
    (context.data() + LENGTH <= context.data_end()).then_some(context.data() as *mut u8)
}

/// Writes two bytes of the frame, most significant first. `offset` is even and lies in what
/// [`writable`] checked.
#[inline(always)]
fn write(frame: *mut u8, offset: usize, half: u16) {
    // SAFETY: inside the bounds that `writable` checked; the kernel places frames on even addresses.
    unsafe { frame.add(offset).cast::<u16>().write(half.to_be()) };
}
