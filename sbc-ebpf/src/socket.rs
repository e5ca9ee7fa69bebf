use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use sbc_common::{Action, Frame as _, Packet, Verdict, carry_out, decide_packet_at_socket};

use crate::maps::SOCKET_COUNTERS;
use crate::program::PASSES;
use crate::scratch::{self, Hook};
use crate::skb_frame::SkbFrame;
use crate::tables::KernelTables;

/// What the kernel takes for yes and no.
const PASS: i32 = 1;
const DROP: i32 = 0;

/// Has one packet on its way to a socket read and judged, like [`sbc`](crate::program::sbc) on the wire.
#[cgroup_skb(ingress)]
pub(crate) fn sbc_socket(context: SkBuffContext) -> i32 {
    let context = context.skb.skb;
    read_packet(context);
    let judgement = judge_at_socket(context);
    count(judgement & !PASSES, SkbFrame::behind(context, 0).length());
    if judgement & PASSES != 0 { PASS } else { DROP }
}

/// Reads the headers of a packet and leaves them in [`scratch::read`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn read_packet(context: *mut __sk_buff) -> u32 {
    let Some(slot) = scratch::read(Hook::SOCKET) else { return 0 };
    let mut frame = SkbFrame::behind(context, 0);
    // SAFETY: the slot belongs to this CPU, and is as large as what it is for and as aligned.
    unsafe {
        match Packet::read_without_link(&mut frame) {
            Ok(packet) => {
                (*slot).packet = packet;
                (*slot).unread = None;
            }
            Err(reason) => (*slot).unread = Some(reason),
        }
        (*slot).behind_headers = frame.offset();
    }
    1
}

/// Judges the packet that was read.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn judge_at_socket(context: *mut __sk_buff) -> u32 {
    let Some(read) = scratch::read(Hook::SOCKET) else { return 0 };
    // SAFETY: the program wrote it on this CPU before it called, and nothing interrupts it that writes
    // to this place.
    let read = unsafe { &*read };
    let mut payload = SkbFrame::behind(context, read.behind_headers);
    let mut tables = KernelTables::at(Hook::SOCKET);
    let verdict = match read.unread {
        None => decide_packet_at_socket(&read.packet, &mut payload, &mut tables),
        Some(reason) => Verdict::unread(reason),
    };
    match carry_out(verdict, &tables) {
        Action::Pass => verdict.index() | PASSES,
        Action::Drop => verdict.index(),
    }
}

#[inline(always)]
fn count(verdict: u32, length: u32) {
    let Some(counter) = SOCKET_COUNTERS.get_ptr_mut(verdict) else { return };
    // SAFETY: the element belongs to this CPU, and to this program.
    let counter = unsafe { &mut *counter };
    counter.packets += 1;
    counter.bytes += u64::from(length);
}
