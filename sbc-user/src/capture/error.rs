use std::io;

use thiserror::Error;

/// Why a capture cannot be read.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file could not be read.
    #[error("cannot read the capture: {0}")]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("this is neither a pcap nor a pcapng file")]
    NotACapture,
    /// It holds packets of another kind of link.
    #[error("link type {0} is not Ethernet (1), which is all that the filter judges")]
    LinkType(u32),
    /// It ends inside a packet or block.
    #[error("the capture is cut off inside a packet or block")]
    CutOff,
    /// A length or number in it contradicts another.
    #[error("the capture is malformed: {0}")]
    Malformed(&'static str),
}
