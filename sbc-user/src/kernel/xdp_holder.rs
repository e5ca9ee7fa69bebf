use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use aya::programs::{loaded_links, loaded_programs};

use super::device::Device;
use super::object_file::ObjectFile;

/// Nested attributes of `IFLA_XDP`: the program in each of the modes (`linux/if_link.h`).
const PROGRAMS: [u16; 4] = [4, 5, 6, 7];
const IFLA_XDP: u16 = 43;
/// More than the kernel sends of one interface.
const ANSWER: usize = 64 << 10;

/// The XDP program that holds an interface, as far as the kernel tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XdpHolder {
    /// Its number.
    pub program: Option<u32>,
    /// Its name.
    pub name: Option<String>,
    /// The link that attaches it; none if it was attached by netlink.
    pub link: Option<u32>,
}

impl XdpHolder {
    /// Asks who holds `device`. What the kernel does not tell, for lack of privilege or of a program,
    /// is left out.
    pub(super) fn of(device: &Device) -> Self {
        let Ok(Some(program)) = program_on(device.index) else { return Self::default() };
        let name = loaded_programs()
            .flatten()
            .find(|info| info.id() == program)
            .and_then(|info| info.name_as_str().map(str::to_owned));
        let link = loaded_links()
            .flatten()
            .filter(|info| info.program_id() == program)
            .map(|info| info.id())
            .find(|id| {
                ObjectFile::link(*id).and_then(|link| link.interface()).ok() == Some(device.index)
            });
        Self { program: Some(program), name, link }
    }
}

impl fmt::Display for XdpHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(program) = self.program else {
            return formatter.write_str("one without a number");
        };
        write!(formatter, "number {program}")?;
        self.name.as_ref().map_or(Ok(()), |name| write!(formatter, ", {name:?}"))?;
        self.link.map_or(Ok(()), |link| write!(formatter, ", attached by link {link}"))
    }
}

/// The number of the XDP program on an interface. Everybody may ask.
pub(super) fn program_on(interface: u32) -> io::Result<Option<u32>> {
    Ok(program_in(&describe(interface)?))
}

/// Asks rtnetlink for one interface.
fn describe(interface: u32) -> io::Result<Vec<u8>> {
    #[repr(C)]
    struct Request {
        header: libc::nlmsghdr,
        message: libc::ifinfomsg,
    }
    // SAFETY: all-zero is a valid value of these plain structs.
    let mut request: Request = unsafe { mem::zeroed() };
    request.header.nlmsg_len = u32::try_from(mem::size_of::<Request>()).unwrap_or(0);
    request.header.nlmsg_type = libc::RTM_GETLINK;
    request.header.nlmsg_flags = u16::try_from(libc::NLM_F_REQUEST).unwrap_or(0);
    request.message.ifi_index = interface.cast_signed();
    // SAFETY: a socket is created and owned here.
    let socket = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
    };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `socket` is an open descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut answer = vec![0_u8; ANSWER];
    // SAFETY: `request` and `answer` outlive the calls and have the sizes that are told.
    let length = unsafe {
        let sent = libc::send(
            socket.as_raw_fd(),
            (&raw const request).cast(),
            mem::size_of::<Request>(),
            0,
        );
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
    };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    answer.truncate(length);
    Ok(answer)
}

/// The first program that an `RTM_NEWLINK` names.
fn program_in(answer: &[u8]) -> Option<u32> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)?;
    if kind != libc::RTM_NEWLINK {
        return None;
    }
    let attributes =
        answer.get(mem::size_of::<libc::nlmsghdr>() + mem::size_of::<libc::ifinfomsg>()..)?;
    let xdp =
        Attributes(attributes).find_map(|(kind, value)| (kind == IFLA_XDP).then_some(value))?;
    Attributes(xdp)
        .filter(|(kind, _)| PROGRAMS.contains(kind))
        .filter_map(|(_, value)| value.try_into().ok().map(u32::from_ne_bytes))
        .find(|program| *program != 0)
}

/// Netlink attributes: length with header and type, two bytes each, and a value padded to four bytes.
struct Attributes<'a>(&'a [u8]);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_for_the_loopback_interface() {
        let answer = describe(1).unwrap();
        let header = mem::size_of::<libc::nlmsghdr>() + mem::size_of::<libc::ifinfomsg>();
        let mut names =
            Attributes(&answer[header..]).filter(|(kind, _)| *kind == libc::IFLA_IFNAME);
        assert_eq!(names.next().map(|(_, name)| name), Some(&b"lo\0"[..]));
    }

    #[test]
    fn a_program_is_found_in_whatever_mode_and_nothing_in_what_is_cut() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let xdp = [attribute(2, &[2]), attribute(4, &[0; 4]), attribute(6, &7_u32.to_ne_bytes())];
        let mut answer = vec![0; 32];
        answer[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
        answer.extend(attribute(libc::IFLA_IFNAME, b"outside\0"));
        answer.extend(attribute(IFLA_XDP | 0x8000, &xdp.concat()));
        assert_eq!(program_in(&answer), Some(7));
        for length in 0..answer.len() {
            assert_eq!(program_in(&answer[..length]), None);
        }
        answer[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(program_in(&answer), None, "an error");
    }
}
