/// An Ethernet frame that is read once, forwards, in words.
///
/// Reading only forwards, one bounded read per header, is what keeps the in-kernel verifier able to
/// follow: going back to an earlier offset after a variable one loses the proof that it is in bounds.
/// Words are what the BPF target can load and keep in registers.
pub trait Frame {
    /// Reads the next 4 × `N` bytes as words in the byte order of memory and moves past them; `None`
    /// when the frame ends before.
    fn words<const N: usize>(&mut self) -> Option<[u32; N]>;

    /// Reads the next two bytes in the byte order of memory and moves past them; `None` when the frame
    /// ends before.
    fn half(&mut self) -> Option<u16>;

    /// Moves past `count` bytes without reading them. Moving past the end is not an error: the next
    /// read is `None`.
    fn skip(&mut self, count: u16);

    /// The length of the whole frame in bytes, Ethernet header included.
    fn length(&self) -> u32;
}

/// A frame in host memory.
#[derive(Clone, Copy, Debug)]
pub struct SliceFrame<'a> {
    rest: &'a [u8],
    length: u32,
}

impl<'a> SliceFrame<'a> {
    /// Starts at the first byte of `frame`.
    #[must_use]
    pub fn new(frame: &'a [u8]) -> Self {
        Self::beginning(frame, u32::try_from(frame.len()).unwrap_or(u32::MAX))
    }

    /// Starts at the first byte of `kept`, the beginning of a frame of `length` bytes: what was not kept
    /// cannot be read, and lengths in the headers agree with the whole.
    #[must_use]
    pub const fn beginning(kept: &'a [u8], length: u32) -> Self {
        Self { rest: kept, length }
    }

    /// What has not been read, as far as it was kept.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Frame for SliceFrame<'_> {
    fn words<const N: usize>(&mut self) -> Option<[u32; N]> {
        let (taken, rest) = self.rest.split_at_checked(4 * N)?;
        self.rest = rest;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(taken.as_chunks::<4>().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        Some(words)
    }

    fn half(&mut self) -> Option<u16> {
        let (taken, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        Some(u16::from_ne_bytes(*taken))
    }

    fn skip(&mut self, count: u16) {
        self.rest = self.rest.get(usize::from(count)..).unwrap_or_default();
    }

    fn length(&self) -> u32 {
        self.length
    }
}
