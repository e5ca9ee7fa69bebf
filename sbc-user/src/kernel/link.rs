use std::io;
use std::mem;

use super::device::Device;
use super::netlink::{self, Attributes};
use super::xdp_holder::{IFLA_XDP, describe};
use super::{KernelError, Pins, XdpHolder};

const IFLA_INFO_KIND: u16 = 1;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_XDP_ATTACHED: u16 = 2;

/// A network interface, as rtnetlink describes it. Everybody may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// What kind of device it is where it is no hardware: `veth`, `vlan`, `bond`, `bridge` and others.
    pub kind: Option<String>,
    /// Whether it was set up.
    pub is_up: bool,
    /// Whether something is at the other end.
    pub has_carrier: bool,
    /// The largest packet that it carries, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// How many queues were made for what it receives.
    pub receive_queues: u32,
    /// How an XDP program is attached; `None` if none is.
    pub xdp: Option<XdpPlace>,
    /// Who that is.
    pub holder: XdpHolder,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpPlace {
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// In the network card, or in several places.
    Other,
}

impl Link {
    /// Asks for an interface of this network namespace.
    ///
    /// # Errors
    ///
    /// If there is none of that name, or its packets do not begin with an Ethernet header.
    pub fn of(name: &str) -> Result<Self, KernelError> {
        let device = Device::find(name)?;
        let missing = |_: io::Error| KernelError::NoSuchInterface(name.to_owned());
        let read = Self::read(device.index, &describe(device.index).map_err(missing)?);
        let link = read.ok_or_else(|| KernelError::NoSuchInterface(name.to_owned()))?;
        let holder = link.xdp.map(|_| XdpHolder::of(&device)).unwrap_or_default();
        Ok(Self { holder, ..link })
    }

    fn read(index: u32, answer: &[u8]) -> Option<Self> {
        let fixed = mem::size_of::<libc::ifinfomsg>();
        let at = mem::size_of::<libc::nlmsghdr>() + mem::offset_of!(libc::ifinfomsg, ifi_flags);
        let flags = u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?);
        let has = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
        let mut link = Self {
            index,
            is_up: has(libc::IFF_UP),
            has_carrier: has(libc::IFF_RUNNING),
            receive_queues: 1,
            ..Self::default()
        };
        for (kind, value) in netlink::attributes(answer, libc::RTM_NEWLINK, fixed)? {
            let number = || value.try_into().ok().map(u32::from_ne_bytes);
            match kind {
                libc::IFLA_MTU => link.mtu = number().unwrap_or_default(),
                IFLA_NUM_RX_QUEUES => link.receive_queues = number().unwrap_or(1),
                libc::IFLA_LINKINFO => {
                    link.kind = Attributes(value).value(IFLA_INFO_KIND).map(text);
                }
                IFLA_XDP => link.xdp = place(value),
                _ => {}
            }
        }
        Some(link)
    }
}

fn text(value: &[u8]) -> String {
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    String::from_utf8_lossy(value).into_owned()
}

fn place(xdp: &[u8]) -> Option<XdpPlace> {
    match Attributes(xdp).value(IFLA_XDP_ATTACHED)?.first()? {
        0 => None,
        1 => Some(XdpPlace::Native),
        2 => Some(XdpPlace::Generic),
        _ => Some(XdpPlace::Other),
    }
}

impl Pins {
    /// Says whether a filter of ours, of whatever version, is what holds an interface. The answer takes the
    /// privilege to look at pins.
    pub fn hold(&self, name: &str, link: &Link) -> Result<bool, KernelError> {
        if self.linked_interface(name)? == Some(link.index) {
            return Ok(true);
        }
        for other in self.of_other_versions() {
            if other.linked_interface(name)? == Some(link.index) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attribute;

    #[test]
    fn the_loopback_interface_is_described() {
        let link = Link::of("lo").unwrap();
        assert_eq!((link.index, link.xdp, link.kind), (1, None, None));
        assert!(link.mtu >= 1280 && link.receive_queues >= 1);
        assert!(matches!(Link::of("no-such"), Err(KernelError::NoSuchInterface(_))));
    }

    #[test]
    fn where_a_program_runs_is_told_and_nothing_of_what_is_cut() {
        for (told, place) in [
            (0, None),
            (1, Some(XdpPlace::Native)),
            (2, Some(XdpPlace::Generic)),
            (4, Some(XdpPlace::Other)),
        ] {
            let mut answer = vec![0; 32];
            answer[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
            answer.extend(attribute(libc::IFLA_MTU, &9000_u32.to_ne_bytes()));
            answer.extend(attribute(libc::IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, b"vlan\0")));
            answer.extend(attribute(IFLA_XDP, &attribute(IFLA_XDP_ATTACHED, &[told])));
            let link = Link::read(7, &answer).unwrap();
            assert_eq!((link.mtu, link.kind.as_deref(), link.xdp), (9000, Some("vlan"), place));
            for length in 0..answer.len() {
                let _ = Link::read(7, &answer[..length]);
            }
        }
    }
}
