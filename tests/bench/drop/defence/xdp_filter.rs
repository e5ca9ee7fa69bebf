use anyhow::{Result, ensure};

use super::Defence;
use crate::{case::Case, receiver::Receiver, sources};

/// The filter of xdp-tools: everything is dropped but what is listed.
pub(super) struct XdpFilter;

impl XdpFilter {
    pub(super) fn attach(receiver: &Receiver, case: &Case) -> Result<Self> {
        let load = ["load", "--mode", "native", "--policy", "deny", "--features", "ipv4"];
        receiver.host.run("xdp-filter", load.into_iter().chain([receiver.device.as_str()]))?;
        for address in sources::trusted_ipv4(case.trusted) {
            receiver.host.run("xdp-filter", ["ip", "--mode", "src", &address.to_string()])?;
        }
        let link = receiver.host.run("ip", ["link", "show", &receiver.device])?;
        ensure!(link.contains(" xdp "), "xdp-filter is not attached in the driver: {link}");
        Ok(Self)
    }
}

impl Defence for XdpFilter {
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        receiver.dropped_by_xdp()
    }
}
