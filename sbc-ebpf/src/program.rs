use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use sbc_common::{Action, Frame as _, Mode, Reason, Setting, Tables as _, decide};

use crate::frame::XdpFrame;
use crate::maps::COUNTERS;
use crate::tables::KernelTables;

/// Judges one received frame. The only way out of the program.
#[xdp]
pub(crate) fn sbc(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&context);
    let mut tables = KernelTables;
    let length = frame.length();
    let reason = decide(&mut frame, &mut tables);
    count(&context, reason, length);
    match (reason.action(), Mode::from_table(tables.setting(Setting::Mode))) {
        (Action::Pass, _) | (Action::Drop, Mode::Observe) => XDP_PASS,
        (Action::Drop, Mode::Enforce) => XDP_DROP,
    }
}

#[inline(always)]
fn count(context: &XdpContext, reason: Reason, length: u32) {
    let Some(counter) = COUNTERS.get_ptr_mut(reason.index()) else { return };
    // SAFETY: the element belongs to this CPU, and no other program on it can interrupt this one
    // between the load and the store.
    let counter = unsafe { &mut *counter };
    if counter.packets == 0 {
        tell_of_first(context, reason);
    }
    counter.packets += 1;
    counter.bytes += u64::from(length);
}

/// Logs the first frame of each reason on each CPU: bounded by the number of reasons, never per packet.
#[cfg(feature = "log")]
#[inline(always)]
fn tell_of_first(context: &XdpContext, reason: Reason) {
    aya_log_ebpf::info!(context, "first frame with reason {} on this CPU", reason.index());
}

#[cfg(not(feature = "log"))]
#[inline(always)]
fn tell_of_first(_: &XdpContext, _: Reason) {}
