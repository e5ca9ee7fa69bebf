use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use sbc_common::Frame;

/// The packet that the program was called for, from its IP header on, wherever in memory its parts are.
pub(crate) struct SkbFrame {
    context: *mut __sk_buff,
    offset: u32,
    length: u32,
}

impl SkbFrame {
    /// Begins `offset` bytes into the packet.
    #[inline(always)]
    pub(crate) fn behind(context: *mut __sk_buff, offset: u32) -> Self {
        // SAFETY: the context lives as long as the program runs.
        let length = unsafe { (*context).len };
        Self { context, offset, length }
    }

    /// How far the packet was read, in bytes.
    #[inline(always)]
    pub(crate) fn offset(&self) -> u32 {
        self.offset
    }
}

impl Frame for SkbFrame {
    #[inline(always)]
    fn words<const N: usize>(&mut self) -> Option<[u32; N]> {
        let mut words = [0_u32; N];
        let size = 4 * N as u32;
        // SAFETY: `words` is as long as the helper is told.
        let outcome = unsafe {
            bpf_skb_load_bytes(self.context.cast(), self.offset, words.as_mut_ptr().cast(), size)
        };
        if outcome < 0 {
            return None;
        }
        self.offset += size;
        Some(words)
    }

    #[inline(always)]
    fn half(&mut self) -> Option<u16> {
        let mut half = 0_u16;
        // SAFETY: `half` is as long as the helper is told.
        let outcome = unsafe {
            bpf_skb_load_bytes(self.context.cast(), self.offset, (&raw mut half).cast(), 2)
        };
        if outcome < 0 {
            return None;
        }
        self.offset += 2;
        Some(half)
    }

    #[inline(always)]
    fn skip(&mut self, count: u16) {
        self.offset += u32::from(count);
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.length
    }
}
