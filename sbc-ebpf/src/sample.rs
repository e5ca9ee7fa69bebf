use core::arch::asm;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use sbc_common::Event;

use crate::maps::EVENTS;

/// Hands the beginning of the frame to user space: 1 if it found room, 0 if not, because nobody reads
/// or not quickly enough.
#[inline(never)]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn sample(context: *mut xdp_md, verdict: u32, passed: u32) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut entry) = EVENTS.reserve_untyped::<Event>(0) else { return 0 };
    let event = entry.as_mut_ptr();
    let length = (context.data_end() - context.data()) as u32;
    let captured = at_most_snapped(length);
    // SAFETY: `event` points to a reserved event. The frame is copied by its length as the kernel knows
    // it, into an array that is as long as `captured` can be.
    unsafe {
        (*event).at = bpf_ktime_get_coarse_ns();
        (*event).verdict = verdict;
        (*event).length = length;
        (*event).captured = captured;
        (*event).interface = (*context.ctx).ingress_ifindex;
        (*event).passed = u32::from(passed != 0);
        (*event).padding = 0;
        let frame = (&raw mut (*event).frame).cast();
        if bpf_xdp_load_bytes(context.ctx, 0, frame, captured) < 0 {
            (*event).captured = 0;
        }
    }
    entry.submit(0);
    1
}

/// Bounds a length where LLVM cannot see it: it would compare a copy and pass on the original, of which
/// the verifier then knows nothing. Frames are never empty.
#[inline(always)]
fn at_most_snapped(length: u32) -> u32 {
    let mut bounded = u64::from(length);
    // SAFETY: comparisons and moves of one register; no memory.
    unsafe {
        asm!(
            "if {n} > {most} goto +1",
            "goto +1",
            "{n} = {most}",
            "if {n} > 0 goto +1",
            "{n} = 1",
            n = inout(reg) bounded,
            most = const Event::SNAPPED,
            options(pure, nomem, nostack)
        );
    }
    bounded as u32
}
