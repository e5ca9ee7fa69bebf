use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use sbc_common::{Action, Frame as _, Packet, Verdict, carry_out, decide_packet, triage};

use crate::frame::XdpFrame;
use crate::maps::COUNTERS;
use crate::sample::sample;
use crate::scratch::{self, Hook};
use crate::tables::KernelTables;

/// Has one received frame read and judged. The only way out of the program.
///
/// Reading, judging and looking up are functions of their own, each of which the verifier follows once
/// and for all inputs: together they have more paths than it is willing to follow, and more stack than
/// there is.
#[xdp]
pub(crate) fn sbc(context: XdpContext) -> u32 {
    let judgement = match settle(context.ctx) {
        UNSETTLED => {
            read_headers(context.ctx);
            judge(context.ctx)
        }
        judgement => judgement,
    };
    count(&context, judgement, XdpFrame::new(&context).length());
    if judgement & PASSES != 0 { XDP_PASS } else { XDP_DROP }
}

/// What [`settle`] returns of a frame that needs to be looked at in full. No verdict has this index.
const UNSETTLED: u32 = u32::MAX;

/// Settles what can be settled in a few steps.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn settle(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let tables = KernelTables::on_the_wire(&context);
    match triage(&mut XdpFrame::new(&context), &tables) {
        Some(verdict) => judgement(verdict, &tables),
        None => UNSETTLED,
    }
}

/// Reads the headers of a frame and leaves them in [`scratch::read`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn read_headers(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(slot) = scratch::read(Hook::WIRE) else { return 0 };
    let mut frame = XdpFrame::new(&context);
    // SAFETY: the slot belongs to this CPU, and is as large as what it is for and as aligned.
    unsafe {
        match Packet::read(&mut frame) {
            Ok(packet) => {
                (*slot).packet = packet;
                (*slot).unread = None;
            }
            Err(reason) => (*slot).unread = Some(reason),
        }
        (*slot).behind_headers = frame.offset(&context);
    }
    1
}

/// In what [`judge`] returns, beside [`Verdict::index`]: the frame goes on.
pub(crate) const PASSES: u32 = 1 << 31;
/// Samples of such frames are kept.
const SAMPLED: u32 = 1 << 30;

/// Judges the frame that was read.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn judge(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(read) = scratch::read(Hook::WIRE) else { return 0 };
    // SAFETY: the program wrote it on this CPU before it called, and nothing interrupts it.
    let read = unsafe { &*read };
    let mut payload = XdpFrame::behind(&context, read.behind_headers);
    let mut tables = KernelTables::on_the_wire(&context);
    let verdict = match read.unread {
        None => decide_packet(&read.packet, &mut payload, &mut tables),
        Some(reason) => Verdict::unread(reason),
    };
    judgement(verdict, &tables)
}

/// What becomes of the frame, and what it is counted under.
#[inline(always)]
fn judgement(verdict: Verdict, tables: &KernelTables) -> u32 {
    let passes = match carry_out(verdict, tables) {
        Action::Pass => PASSES,
        Action::Drop => 0,
    };
    verdict.index() | passes | if verdict.reason.is_sampled() { SAMPLED } else { 0 }
}

#[inline(always)]
fn count(context: &XdpContext, judgement: u32, length: u32) {
    let verdict = judgement & !(PASSES | SAMPLED);
    let Some(counter) = COUNTERS.get_ptr_mut(verdict) else { return };
    // SAFETY: the element belongs to this CPU, and no other program on it can interrupt this one
    // between the load and the store.
    let counter = unsafe { &mut *counter };
    if counter.packets == 0 {
        tell_of_first(context, verdict);
    }
    counter.packets += 1;
    counter.bytes += u64::from(length);
    if judgement & SAMPLED != 0 {
        // SAFETY: the helper has no preconditions. The tick costs next to nothing to read, unlike any
        // clock.
        let tick = unsafe { bpf_jiffies64() };
        if counter.sampled_at != tick {
            counter.sampled_at = tick;
            if sample(context.ctx, verdict, judgement & PASSES) == 0 {
                counter.lost += 1;
            }
        }
    }
}

/// Logs the first frame of each verdict on each CPU: bounded by their number, never per packet.
#[cfg(feature = "log")]
#[inline(always)]
fn tell_of_first(context: &XdpContext, verdict: u32) {
    aya_log_ebpf::info!(context, "first frame with verdict {} on this CPU", verdict);
}

#[cfg(not(feature = "log"))]
#[inline(always)]
fn tell_of_first(_: &XdpContext, _: u32) {}
