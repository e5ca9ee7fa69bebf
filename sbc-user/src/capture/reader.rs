use std::io::{self, Read};

use super::CaptureError;
use super::pcap::Pcap;
use super::pcapng::Pcapng;

/// One packet of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// Nanoseconds since 1970.
    pub at: u64,
    /// The length of the frame on the wire, bytes.
    pub length: u32,
    /// What was kept of it, Ethernet header first.
    pub kept: Vec<u8>,
}

/// Reads the packets of a capture, one after the other.
pub struct CaptureReader<R> {
    source: Source<R>,
    format: Format,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl<R: Read> CaptureReader<R> {
    /// Reads the beginning of a capture, and tells by it which format it has.
    pub fn new(source: R) -> Result<Self, CaptureError> {
        let mut source = Source(source);
        let begin = source.bytes_or_cut(4)?;
        let begin = <[u8; 4]>::try_from(begin).map_err(|_| CaptureError::NotACapture)?;
        let format = match begin {
            Pcapng::BEGIN => Format::Pcapng(Pcapng::begin(&mut source)?),
            magic => Format::Pcap(Pcap::begin(magic, &mut source)?),
        };
        Ok(Self { source, format })
    }

    fn frame(&mut self) -> Result<Option<CapturedFrame>, CaptureError> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.frame(&mut self.source),
            Format::Pcapng(pcapng) => pcapng.frame(&mut self.source),
        }
    }
}

impl<R: Read> Iterator for CaptureReader<R> {
    type Item = Result<CapturedFrame, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.frame().transpose()
    }
}

pub(super) struct Source<R>(R);

impl<R: Read> Source<R> {
    pub(super) fn word(&mut self) -> Result<[u8; 4], CaptureError> {
        self.word_or_end()?.ok_or(CaptureError::CutOff)
    }

    pub(super) fn words<const N: usize>(&mut self) -> Result<[[u8; 4]; N], CaptureError> {
        let mut words = [[0; 4]; N];
        for word in &mut words {
            *word = self.word()?;
        }
        Ok(words)
    }

    /// The next four bytes, or `None` if there are none left.
    pub(super) fn word_or_end(&mut self) -> Result<Option<[u8; 4]>, CaptureError> {
        let word = self.bytes_or_cut(4)?;
        match (<[u8; 4]>::try_from(&word[..]), word.is_empty()) {
            (Ok(word), _) => Ok(Some(word)),
            (Err(_), true) => Ok(None),
            (Err(_), false) => Err(CaptureError::CutOff),
        }
    }

    /// Exactly `length` bytes. Memory is taken as they arrive, not as they are promised.
    pub(super) fn bytes(&mut self, length: u32) -> Result<Vec<u8>, CaptureError> {
        let bytes = self.bytes_or_cut(length)?;
        if bytes.len() == length as usize { Ok(bytes) } else { Err(CaptureError::CutOff) }
    }

    /// `length` bytes, or as many as there are.
    fn bytes_or_cut(&mut self, length: u32) -> Result<Vec<u8>, CaptureError> {
        let mut bytes = Vec::new();
        io::Read::by_ref(&mut self.0).take(u64::from(length)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `length` bytes.
    pub(super) fn skip(&mut self, length: u32) -> Result<(), CaptureError> {
        let mut skipped = io::Read::by_ref(&mut self.0).take(u64::from(length));
        let read = io::copy(&mut skipped, &mut io::sink())?;
        if read == u64::from(length) { Ok(()) } else { Err(CaptureError::CutOff) }
    }
}

/// The byte order of whoever wrote the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) const fn word(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) const fn half(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}
