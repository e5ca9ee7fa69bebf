use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// More than the kernel says of one thing.
const ANSWER: usize = 64 << 10;

/// Asks the kernel one thing over netlink, and returns the one message that it answers. `body` is what follows the
/// header.
pub(super) fn ask(protocol: libc::c_int, kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = mem::size_of::<libc::nlmsghdr>().saturating_add(body.len());
    let mut request = Vec::with_capacity(length);
    request.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(u16::try_from(libc::NLM_F_REQUEST).unwrap_or(0).to_ne_bytes());
    // The sequence, and the port: nobody else answers on this socket.
    request.extend([0; 8]);
    request.extend(body);
    // SAFETY: a socket is created and owned here.
    let socket =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `socket` is an open descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut answer = vec![0_u8; ANSWER];
    // SAFETY: `request` and `answer` outlive the calls and have the sizes that are told.
    let received = unsafe {
        if libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    answer.truncate(received);
    Ok(answer)
}

/// What follows the headers of an answer of this kind, `fixed` bytes after that of netlink; `None` if it is
/// another, as an error is.
pub(super) fn attributes(answer: &[u8], kind: u16, fixed: usize) -> Option<Attributes<'_>> {
    let told = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)?;
    if told != kind {
        return None;
    }
    answer.get(mem::size_of::<libc::nlmsghdr>().checked_add(fixed)?..).map(Attributes)
}

/// Netlink attributes: length with header and type, two bytes each, and a value padded to four bytes.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of a type.
    pub(super) fn value(self, wanted: u16) -> Option<&'a [u8]> {
        self.into_iter().find_map(|(kind, value)| (kind == wanted).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let word = |at: usize| {
            let bytes = self.0.get(at..at + 2)?;
            bytes.try_into().ok().map(u16::from_ne_bytes)
        };
        let (length, kind) = (usize::from(word(0)?), word(2)?);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        // The two upper bits are flags.
        Some((kind & 0x3fff, value))
    }
}

/// One attribute.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
