//! What keeps the flood as fast as the receiver is, and no faster: so many frames at most are on their
//! way.
//!
//! A frame that finds the receiver's queue full goes back to the pool it came from, and so does every
//! frame that the receiver drops: under one lock. A flood that is too fast therefore slows down exactly
//! those who are slower than it is, by more than many of them cost. On a network card, what the queue
//! has no room for costs nobody anything.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated::bpf_ktime_get_ns};
use aya_ebpf::macros::{btf_map, raw_tracepoint};
use aya_ebpf::programs::RawTracePointContext;

/// The thread of the kernel that receives; zero where flood and receiver share a core, and each waits
/// for the other by itself.
#[unsafe(no_mangle)]
static RECEIVER: Global<u32> = Global::new(0);

/// Frames in a batch, after which the kernel tells the receiver: within one, nobody may be waited for.
#[unsafe(no_mangle)]
static BATCH: Global<u32> = Global::new(64);

/// Frames on their way at most before another batch. The queue takes 256.
const WINDOW: i64 = 160;
/// How often the count of what was received is looked at: some hundred microseconds. The verifier
/// follows every turn.
const PATIENCE: u32 = 1 << 12;

/// What the flood's CPU writes.
struct Sender {
    /// Frames asked for so far.
    asked: u64,
    /// Frames that were queued.
    queued: u64,
    /// Whether there was room for the batch.
    has_room: u64,
}

#[btf_map]
static SENDER: Array<[u64; size_of::<Sender>() / 8], 1> = Array::new();
/// Frames that were taken from the queue. Written by the receiver's CPU.
#[btf_map]
static TAKEN: Array<u64, 1> = Array::new();

#[inline(always)]
fn sender() -> Option<&'static mut Sender> {
    let words = SENDER.get_ptr_mut(0)?;
    // SAFETY: the element is as large and aligned as what it holds, of which every bit pattern is
    // valid, and there as long as the program; one CPU alone uses it, one program after the other.
    Some(unsafe { &mut *words.cast::<Sender>() })
}

/// Says whether there is room for another frame; before each batch, waits for it.
#[inline(always)]
pub(crate) fn has_room() -> bool {
    if RECEIVER.load() == 0 {
        return true;
    }
    let (Some(sender), Some(taken)) = (sender(), TAKEN.get_ptr(0)) else { return false };
    if sender.asked & u64::from(BATCH.load() - 1) == 0 {
        sender.has_room = 0;
        for _ in 0..PATIENCE {
            // SAFETY: the element is there as long as the program; another CPU writes it, in one word.
            let taken = unsafe { taken.read_volatile() };
            // What the hosts tell each other of their own accord is taken, and was not queued here.
            if sender.queued.wrapping_sub(taken) as i64 <= WINDOW {
                sender.has_room = 1;
                break;
            }
            // SAFETY: the helper has no preconditions. Nobody wants to know: it takes its time.
            unsafe { bpf_ktime_get_ns() };
        }
    }
    sender.asked += 1;
    sender.has_room != 0
}

/// Learns how many frames of a bulk were queued: `from`, `to`, `sent`, `drops`, `error`.
#[raw_tracepoint(tracepoint = "xdp_devmap_xmit")]
pub(crate) fn queued(context: RawTracePointContext) -> u32 {
    if let Some(sender) = sender() {
        sender.queued += u64::from(context.arg::<u32>(2));
    }
    0
}

/// Learns how many frames were taken at once: `napi`, `work`, `budget`.
#[raw_tracepoint(tracepoint = "napi_poll")]
pub(crate) fn taken(context: RawTracePointContext) -> u32 {
    if bpf_get_current_pid_tgid() as u32 == RECEIVER.load()
        && let Some(taken) = TAKEN.get_ptr_mut(0)
    {
        // SAFETY: the element is there as long as the program, and that one thread writes it.
        unsafe { *taken += u64::from(context.arg::<u32>(1)) };
    }
    0
}
