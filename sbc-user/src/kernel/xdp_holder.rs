use std::fmt;
use std::io;
use std::mem;

use aya::programs::{loaded_links, loaded_programs};

use super::device::Device;
use super::netlink::{self, Attributes};
use super::object_file::ObjectFile;

/// Nested attributes of `IFLA_XDP`: the program in each of the modes (`linux/if_link.h`).
const PROGRAMS: [u16; 4] = [4, 5, 6, 7];
pub(super) const IFLA_XDP: u16 = 43;

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
pub(super) fn describe(interface: u32) -> io::Result<Vec<u8>> {
    let mut body = vec![0; mem::size_of::<libc::ifinfomsg>()];
    let index = mem::offset_of!(libc::ifinfomsg, ifi_index);
    if let Some(to) = body.get_mut(index..index + 4) {
        to.copy_from_slice(&interface.to_ne_bytes());
    }
    netlink::ask(libc::NETLINK_ROUTE, libc::RTM_GETLINK, &body)
}

/// The first program that an `RTM_NEWLINK` names.
fn program_in(answer: &[u8]) -> Option<u32> {
    let link = mem::size_of::<libc::ifinfomsg>();
    let xdp = netlink::attributes(answer, libc::RTM_NEWLINK, link)?.value(IFLA_XDP)?;
    Attributes(xdp)
        .filter(|(kind, _)| PROGRAMS.contains(kind))
        .filter_map(|(_, value)| value.try_into().ok().map(u32::from_ne_bytes))
        .find(|program| *program != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attribute;

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
