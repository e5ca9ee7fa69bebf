//! Capture files: pcap and pcapng are read, pcapng is written.
//!
//! Whoever sent the packets may have made the file as well: every length in it is checked before it is
//! believed, and what is kept at a time is one packet.

mod error;
mod pcap;
mod pcapng;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use error::CaptureError;
pub use reader::{CaptureReader, CapturedFrame};
pub use writer::CaptureWriter;

/// `LINKTYPE_ETHERNET`.
const ETHERNET: u32 = 1;
/// The longest frame that is taken for one: more than the largest IP packet, VLAN tags included.
const LONGEST_FRAME: u32 = 256 * 1024;
