use std::io::{self, Write};

use super::{CapturedFrame, ETHERNET};

/// Writes a pcapng file that Wireshark opens: one section, one interface per name, nanoseconds.
pub struct CaptureWriter<W> {
    sink: W,
    /// The numbers of the interfaces in the file, by their index in the system.
    interfaces: Vec<u32>,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
/// Room for a verdict; what is longer is cut.
const LONGEST_COMMENT: usize = 4096;

impl<W: Write> CaptureWriter<W> {
    /// Writes the beginning of the file.
    pub fn new(sink: W) -> io::Result<Self> {
        let mut writer = Self { sink, interfaces: Vec::new() };
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // The length of the section is not known.
        body.extend((-1_i64).to_le_bytes());
        writer.block(SECTION, &body)?;
        Ok(writer)
    }

    /// Writes one packet with a comment. `interface` is the index of an interface, which is `name`d
    /// where it occurs first.
    pub fn write(
        &mut self,
        interface: u32,
        name: &str,
        frame: &CapturedFrame,
        comment: &str,
    ) -> io::Result<()> {
        let number = self.number(interface, name)?;
        let kept = u32::try_from(frame.kept.len()).map_err(io::Error::other)?;
        let mut body = Vec::with_capacity(64 + frame.kept.len() + comment.len());
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
        let time = [(frame.at >> 32) as u32, frame.at as u32];
        for word in [number, time[0], time[1], kept, frame.length.max(kept)] {
            body.extend(word.to_le_bytes());
        }
        body.extend(&frame.kept);
        pad(&mut body);
        let comment =
            comment.get(..comment.floor_char_boundary(LONGEST_COMMENT)).unwrap_or_default();
        option(&mut body, COMMENT, comment.as_bytes())?;
        option(&mut body, 0, &[])?;
        self.block(ENHANCED_PACKET, &body)
    }

    /// Sends on what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// Makes sure that what was written has arrived.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.sink)
    }

    fn number(&mut self, interface: u32, name: &str) -> io::Result<u32> {
        let known = self.interfaces.iter().position(|index| *index == interface);
        let number = known.unwrap_or(self.interfaces.len());
        if known.is_none() {
            let mut body = ETHERNET.to_le_bytes().to_vec();
            body.extend(0_u32.to_le_bytes());
            option(&mut body, IF_NAME, name.as_bytes())?;
            option(&mut body, IF_TSRESOL, &[9])?;
            option(&mut body, 0, &[])?;
            self.block(INTERFACE, &body)?;
            self.interfaces.push(interface);
        }
        u32::try_from(number).map_err(io::Error::other)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 12).map_err(io::Error::other)?.to_le_bytes();
        self.sink.write_all(&kind.to_le_bytes())?;
        self.sink.write_all(&length)?;
        self.sink.write_all(body)?;
        self.sink.write_all(&length)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) -> io::Result<()> {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).map_err(io::Error::other)?.to_le_bytes());
    body.extend(value);
    pad(body);
    Ok(())
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
