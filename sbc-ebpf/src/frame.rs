use core::arch::asm;

use aya_ebpf::programs::XdpContext;
use sbc_common::Frame;

/// The linear part of the frame that the program was called for.
pub(crate) struct XdpFrame {
    position: usize,
    end: usize,
    length: u32,
}

impl XdpFrame {
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        let (start, end) = (context.data(), context.data_end());
        Self { position: start, end, length: (end - start) as u32 }
    }

    /// Continues `offset` bytes into the frame.
    #[inline(always)]
    pub(crate) fn behind(context: &XdpContext, offset: u32) -> Self {
        let mut frame = Self::new(context);
        frame.position += (offset & LONGEST) as usize;
        frame
    }

    /// How far the frame was read, in bytes.
    #[inline(always)]
    pub(crate) fn offset(&self, context: &XdpContext) -> u32 {
        (self.position - context.data()) as u32
    }
}

/// No offset that the headers lead to is larger; the verifier wants to see it.
const LONGEST: u32 = 0x3fff;

/// No header that is skipped is longer, one of IPv6 (RFC 8200 §4.3) the longest.
const LONGEST_SKIP: usize = 0x7ff;

impl XdpFrame {
    /// Moves past `N` bytes and returns where they begin, if the frame has them.
    #[inline(always)]
    fn advance<const N: usize>(&mut self) -> Option<usize> {
        let start = self.position;
        let next = end_of::<N>(start);
        if next > self.end {
            return None;
        }
        self.position = next;
        Some(start)
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn words<const N: usize>(&mut self) -> Option<[u32; N]> {
        const { assert!(matches!(N, 1 | 2 | 3 | 5 | 10), "add the size to the match below") };
        let start = match N {
            1 => self.advance::<4>(),
            2 => self.advance::<8>(),
            3 => self.advance::<12>(),
            5 => self.advance::<20>(),
            10 => self.advance::<40>(),
            _ => None,
        }?;
        let mut words = [0; N];
        for (index, word) in words.iter_mut().enumerate() {
            // SAFETY: `advance` compared the end of these words with the end of packet memory.
            *word = unsafe { load_word(start + 4 * index) };
        }
        Some(words)
    }

    #[inline(always)]
    fn half(&mut self) -> Option<u16> {
        let start = self.advance::<2>()?;
        // SAFETY: `advance` compared the end of these two bytes with the end of packet memory.
        Some(unsafe { load_half(start) })
    }

    #[inline(always)]
    fn skip(&mut self, count: u16) {
        self.position += within::<LONGEST_SKIP>(usize::from(count));
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.length
    }
}

/// Adds `N` where LLVM cannot see it. Otherwise it turns `start + 1 > end` into `start >= end`, a form
/// from which the verifier learns nothing when `start` has a variable offset.
#[inline(always)]
fn end_of<const N: usize>(start: usize) -> usize {
    let mut end = start;
    // SAFETY: one addition to a register; no memory, no flags.
    unsafe {
        asm!("{end} += {n}", end = inout(reg) end, n = const N, options(pure, nomem, nostack))
    }
    end
}

/// Says to the verifier that `count` is `MOST`, a mask, at most, where LLVM cannot see that it need not
/// be said. Linux 6.12 loses the bound on the way, and with it the proof for whatever follows.
#[inline(always)]
fn within<const MOST: usize>(count: usize) -> usize {
    let mut count = count;
    // SAFETY: one operation on a register; no memory.
    unsafe {
        asm!("{count} &= {most}", count = inout(reg) count, most = const MOST, options(pure, nomem, nostack))
    }
    count
}

/// Loads a word from any offset of packet memory in one instruction. The compiler assumes that BPF has
/// no unaligned access and would load four bytes; the kernel allows it in packets.
///
/// # Safety
///
/// Four bytes of packet memory must be readable at `address`.
#[inline(always)]
unsafe fn load_word(address: usize) -> u32 {
    let word: u64;
    // SAFETY: the caller vouches for the address; the instruction only reads.
    unsafe {
        asm!(
            "{word} = *(u32 *)({address} + 0)",
            word = out(reg) word,
            address = in(reg) address,
            options(pure, readonly, nostack)
        );
    }
    word as u32
}

/// Loads two bytes like [`load_word`].
///
/// # Safety
///
/// Two bytes of packet memory must be readable at `address`.
#[inline(always)]
unsafe fn load_half(address: usize) -> u16 {
    let half: u64;
    // SAFETY: the caller vouches for the address; the instruction only reads.
    unsafe {
        asm!(
            "{half} = *(u16 *)({address} + 0)",
            half = out(reg) half,
            address = in(reg) address,
            options(pure, readonly, nostack)
        );
    }
    half as u16
}
