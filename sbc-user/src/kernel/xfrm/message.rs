use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Why it is not known what IPsec does.
#[derive(Debug, Error)]
pub enum XfrmError {
    /// The process may not ask.
    #[error(
        "only with CAP_NET_ADMIN can the daemon see whether IPsec guards a peer: run `sbc run` as root, or \
         grant it (AmbientCapabilities=CAP_NET_ADMIN in the service unit)"
    )]
    NotPermitted,
    /// The kernel has no IPsec.
    #[error("this kernel has no IPsec (CONFIG_XFRM_USER): {0}")]
    NotSupported(io::Error),
    /// A system call failed.
    #[error("asking the kernel for IPsec's state: {0}")]
    Io(#[from] io::Error),
    /// The kernel said something that is not understood.
    #[error("the kernel's account of IPsec cannot be read: {0}")]
    Unreadable(&'static str),
    /// There is more than is kept.
    #[error("more than {0} {1} of IPsec")]
    TooMany(usize, &'static str),
}

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`.
const INTERRUPTED: u16 = 0x10;
const HEADER: usize = 16;

/// One netlink message (`struct nlmsghdr` and what follows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// What a message means to whoever asked for everything.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// One more.
    More(u16, &'a [u8]),
    /// That was all.
    All,
}

impl<'a> Message<'a> {
    /// The messages of a datagram, up to one that is cut.
    pub(super) fn all(datagram: &'a [u8]) -> impl Iterator<Item = Result<Self, XfrmError>> {
        let mut rest = datagram;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some((message, behind)) = Self::first(rest) else {
                rest = &[];
                return Some(Err(XfrmError::Unreadable("a message ends too early")));
            };
            rest = behind;
            Some(Ok(message))
        })
    }

    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut header = Fields(bytes);
        let length = usize::try_from(header.u32()?).ok()?;
        let (kind, flags) = (header.u16()?, header.u16()?);
        let sequence = header.u32()?;
        let body = bytes.get(HEADER..length)?;
        let behind = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((Self { kind, flags, sequence, body }, behind))
    }

    pub(super) fn told(&self) -> Result<Told<'a>, XfrmError> {
        match self.kind {
            DONE => Ok(Told::All),
            ERROR => Err(self.error()),
            kind => Ok(Told::More(kind, self.body)),
        }
    }

    /// Something changed since the first message.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }

    fn error(&self) -> XfrmError {
        match Fields(self.body).i32() {
            Some(code) if code < 0 => error_of(io::Error::from_raw_os_error(code.saturating_neg())),
            Some(_) | None => XfrmError::Unreadable("an answer that is none"),
        }
    }
}

pub(super) fn error_of(error: io::Error) -> XfrmError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => XfrmError::NotPermitted,
        Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP) => XfrmError::NotSupported(error),
        Some(_) | None => XfrmError::Io(error),
    }
}

/// Reads the fields of a C struct one after the other, in the byte order of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    /// A port, an SPI: in network byte order.
    pub(super) fn be_u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn be_u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_ne_bytes)
    }

    /// `xfrm_address_t`, of which family is told elsewhere.
    pub(super) fn address(&mut self) -> Option<RawAddress> {
        self.take().map(RawAddress)
    }

    /// The attributes that follow a struct of `length` bytes.
    pub(super) fn attributes_behind(body: &'a [u8], length: usize) -> Option<Attributes<'a>> {
        body.get(length..).map(Attributes)
    }
}

/// Sixteen bytes, of which IPv4 uses the first four.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawAddress([u8; 16]);

impl RawAddress {
    pub(super) fn of(self, family: u16) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.0;
        match i32::from(family) {
            libc::AF_INET => Some(Ipv4Addr::new(a, b, c, d).into()),
            libc::AF_INET6 => Some(Ipv6Addr::from(self.0).into()),
            _ => None,
        }
    }
}

/// Netlink attributes: length with header and type, two bytes each, and a value padded to four bytes. What
/// is left when it ends too early is an error.
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), XfrmError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((kind, value, rest)) = Self::first(self.0) else {
            self.0 = &[];
            return Some(Err(XfrmError::Unreadable("an attribute ends too early")));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

impl Attributes<'_> {
    fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
        let mut header = Fields(bytes);
        let (length, kind) = (usize::from(header.u16()?), header.u16()?);
        let value = bytes.get(4..length)?;
        // The two upper bits are flags.
        Some((kind & 0x3fff, value, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
    }
}
