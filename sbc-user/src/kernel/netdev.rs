use std::ffi::CStr;

use super::netlink::{self, attribute};

/// `GENL_ID_CTRL`, with the command and the attributes that find a family by its name (`linux/genetlink.h`).
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY: &CStr = c"netdev";
/// `linux/netdev.h`, since Linux 6.3.
const DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;
/// `NETDEV_XDP_ACT_BASIC`: the driver runs programs that pass, drop and send back.
const BASIC: u64 = 1;
/// Bytes of `struct genlmsghdr`.
const HEADER: usize = 4;

/// Says whether an interface's driver runs XDP programs by itself; `None` if the kernel does not tell, as those
/// before 6.3.
#[must_use]
pub fn runs_xdp(interface: u32) -> Option<bool> {
    let found = ask(CONTROL, GET_FAMILY, &attribute(FAMILY_NAME, FAMILY.to_bytes_with_nul()))?;
    let family = netlink::attributes(&found, CONTROL, HEADER)?.value(FAMILY_ID)?;
    let family = u16::from_ne_bytes(family.try_into().ok()?);
    let told = ask(family, DEV_GET, &attribute(DEV_IFINDEX, &interface.to_ne_bytes()))?;
    let features = netlink::attributes(&told, family, HEADER)?.value(DEV_XDP_FEATURES)?;
    Some(u64::from_ne_bytes(features.try_into().ok()?) & BASIC != 0)
}

fn ask(family: u16, command: u8, attributes: &[u8]) -> Option<Vec<u8>> {
    let body = [&[command, 1, 0, 0], attributes].concat();
    netlink::ask(libc::NETLINK_GENERIC, family, &body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_runs_no_program_by_itself() {
        assert!(matches!(runs_xdp(1), Some(false) | None));
        assert_eq!(runs_xdp(u32::MAX >> 1), None);
    }
}
