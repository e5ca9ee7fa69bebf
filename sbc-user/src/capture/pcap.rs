use std::io::Read;

use super::reader::{ByteOrder, Source};
use super::{CaptureError, CapturedFrame, ETHERNET, LONGEST_FRAME};

/// The classic format (draft-ietf-opsawg-pcap).
pub(super) struct Pcap {
    order: ByteOrder,
    /// Nanoseconds in a unit of the second half of a timestamp.
    unit: u64,
}

impl Pcap {
    /// Reads the file header behind its first word.
    pub(super) fn begin<R: Read>(
        magic: [u8; 4],
        source: &mut Source<R>,
    ) -> Result<Self, CaptureError> {
        let (order, unit) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, 1),
            _ => return Err(CaptureError::NotACapture),
        };
        let [_version, _zone, _accuracy, _snap_length, link] = source.words()?;
        // The upper bits tell whether frames end with their checksum.
        match order.word(link) & 0x03ff_ffff {
            ETHERNET => Ok(Self { order, unit }),
            other => Err(CaptureError::LinkType(other)),
        }
    }

    /// The next packet.
    pub(super) fn frame<R: Read>(
        &self,
        source: &mut Source<R>,
    ) -> Result<Option<CapturedFrame>, CaptureError> {
        let Some(seconds) = source.word_or_end()? else { return Ok(None) };
        let [parts, kept, length] = source.words()?.map(|word| self.order.word(word));
        if kept > LONGEST_FRAME {
            return Err(CaptureError::Malformed("a packet is longer than any frame"));
        }
        let seconds = u64::from(self.order.word(seconds)) * 1_000_000_000;
        let at = seconds + u64::from(parts) * self.unit;
        let kept = source.bytes(kept)?;
        Ok(Some(CapturedFrame { at, length, kept }))
    }
}
