use std::io::Read;

use super::reader::{ByteOrder, Source};
use super::{CaptureError, CapturedFrame, ETHERNET, LONGEST_FRAME};

/// The next generation format (draft-ietf-opsawg-pcapng).
pub(super) struct Pcapng {
    order: ByteOrder,
    /// Of the section that is read, in the order of their numbers.
    interfaces: Vec<Interface>,
}

/// What is believed of an interface.
#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    resolution: Resolution,
}

/// The unit of timestamps: 10^-n or 2^-n seconds.
#[derive(Clone, Copy)]
enum Resolution {
    Decimal(u8),
    Binary(u8),
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Each costs memory for as long as its section lasts.
const MOST_INTERFACES: usize = 4096;
/// The option of an interface that tells the unit of its timestamps.
const IF_TSRESOL: u16 = 9;

impl Pcapng {
    /// The first word of a section, which reads the same in either byte order.
    pub(super) const BEGIN: [u8; 4] = SECTION.to_be_bytes();

    /// Reads the first section header behind its type.
    pub(super) fn begin<R: Read>(source: &mut Source<R>) -> Result<Self, CaptureError> {
        let mut capture = Self { order: ByteOrder::Little, interfaces: Vec::new() };
        capture.section(source)?;
        Ok(capture)
    }

    /// The next packet.
    pub(super) fn frame<R: Read>(
        &mut self,
        source: &mut Source<R>,
    ) -> Result<Option<CapturedFrame>, CaptureError> {
        loop {
            let Some(kind) = source.word_or_end()? else { return Ok(None) };
            let kind = self.order.word(kind);
            if kind == SECTION {
                self.section(source)?;
                continue;
            }
            let length = self.order.word(source.word()?);
            let body = length.checked_sub(12).filter(|body| body % 4 == 0);
            let body = body.ok_or(CaptureError::Malformed("a block has an impossible length"))?;
            let frame = match kind {
                INTERFACE | ENHANCED_PACKET | SIMPLE_PACKET => {
                    if body > 2 * LONGEST_FRAME {
                        return Err(CaptureError::Malformed("a block is longer than any frame"));
                    }
                    let body = source.bytes(body)?;
                    match kind {
                        INTERFACE => self.interface(&body).map(|()| None)?,
                        ENHANCED_PACKET => Some(self.enhanced_packet(&body)?),
                        // It has no time, without which budgets cannot be judged.
                        _ => return Err(CaptureError::Malformed("a packet has no timestamp")),
                    }
                }
                _ => source.skip(body).map(|()| None)?,
            };
            if self.order.word(source.word()?) != length {
                return Err(CaptureError::Malformed("a block's two lengths differ"));
            }
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    /// Reads a section header behind its type.
    fn section<R: Read>(&mut self, source: &mut Source<R>) -> Result<(), CaptureError> {
        let [length, magic] = source.words()?;
        self.order = match magic {
            [0x1a, 0x2b, 0x3c, 0x4d] => ByteOrder::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => ByteOrder::Little,
            _ => return Err(CaptureError::NotACapture),
        };
        self.interfaces.clear();
        let length = self.order.word(length);
        let rest = length.checked_sub(16).filter(|rest| rest % 4 == 0);
        let rest = rest.ok_or(CaptureError::Malformed("a section has an impossible length"))?;
        source.skip(rest)?;
        if self.order.word(source.word()?) != length {
            return Err(CaptureError::Malformed("a section's two lengths differ"));
        }
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), CaptureError> {
        let cut_off = CaptureError::Malformed("an interface is cut off");
        let Some((fixed, mut options)) = body.split_first_chunk::<8>() else { return Err(cut_off) };
        let [first, second, ..] = *fixed;
        let link = self.order.half([first, second]);
        let mut resolution = Resolution::Decimal(6);
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let [code_first, code_second, length_first, length_second] = *head;
            let code = self.order.half([code_first, code_second]);
            let length = usize::from(self.order.half([length_first, length_second]));
            let (Some(value), Some(next)) =
                (rest.get(..length), rest.get(length.next_multiple_of(4)..))
            else {
                return Err(CaptureError::Malformed("an option is cut off"));
            };
            match (code, value) {
                (0, _) => break,
                (IF_TSRESOL, [value]) if value & 0x80 != 0 => {
                    resolution = Resolution::Binary(value & 0x7f);
                }
                (IF_TSRESOL, [value]) => resolution = Resolution::Decimal(*value),
                _ => {}
            }
            options = next;
        }
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(CaptureError::Malformed("too many interfaces"));
        }
        self.interfaces.push(Interface { link, resolution });
        Ok(())
    }

    fn enhanced_packet(&self, body: &[u8]) -> Result<CapturedFrame, CaptureError> {
        let cut_off = CaptureError::Malformed("a packet is longer than its block");
        let Some((head, rest)) = body.split_first_chunk::<20>() else { return Err(cut_off) };
        let word = |position: usize| {
            let bytes = head.get(position * 4..).and_then(|rest| rest.first_chunk::<4>());
            bytes.map_or(0, |bytes| self.order.word(*bytes))
        };
        let [interface, upper, lower, kept, length] = [0, 1, 2, 3, 4].map(word);
        let interface = self.interfaces.get(interface as usize);
        let interface = interface.ok_or(CaptureError::Malformed("a packet of no interface"))?;
        if u32::from(interface.link) != ETHERNET {
            return Err(CaptureError::LinkType(interface.link.into()));
        }
        if kept > LONGEST_FRAME {
            return Err(CaptureError::Malformed("a packet is longer than any frame"));
        }
        let Some(kept) = rest.get(..kept as usize) else { return Err(cut_off) };
        let at = interface.resolution.nanos(u64::from(upper) << 32 | u64::from(lower));
        Ok(CapturedFrame { at, length, kept: kept.to_vec() })
    }
}

impl Resolution {
    /// Units as nanoseconds; what does not fit is as late as can be.
    fn nanos(self, units: u64) -> u64 {
        let nanos = match self {
            Self::Decimal(digits @ ..=9) => u128::from(units) * 10_u128.pow(9 - u32::from(digits)),
            Self::Decimal(digits) => 10_u128
                .checked_pow(u32::from(digits) - 9)
                .map_or(0, |part| u128::from(units) / part),
            Self::Binary(bits) => {
                (u128::from(units) * 1_000_000_000).checked_shr(bits.into()).unwrap_or(0)
            }
        };
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}
