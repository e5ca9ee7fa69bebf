//! Links between hosts.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{host::Host, wait::wait_until};

const CARRIER: Duration = Duration::from_secs(5);

/// One end of a link.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    pub(crate) host: &'a Host,
    pub(crate) name: &'a str,
    /// With prefix lengths, as in "192.0.2.1/24".
    pub(crate) addresses: &'a [&'a str],
}

/// Joins two hosts by a pair of virtual Ethernet interfaces, and waits until both ends are up.
pub fn connect(one: Interface<'_>, other: Interface<'_>) -> Result<()> {
    let other_host = other.host.pid().to_string();
    let peer = ["peer", "name", other.name, "netns", &other_host];
    let add = ["link", "add", one.name, "type", "veth"];
    one.host.run("ip", add.into_iter().chain(peer))?;
    for end in [one, other] {
        end.configure()?;
    }
    for end in [one, other] {
        let carrier = end.host.path(format!("/sys/class/net/{}/carrier", end.name));
        wait_until(&format!("{} of {} to be up", end.name, end.host.name()), CARRIER, || {
            let state = fs::read_to_string(&carrier).context("reading the carrier's state")?;
            Ok(state.trim() == "1")
        })?;
    }
    Ok(())
}

impl Interface<'_> {
    fn configure(&self) -> Result<()> {
        for address in self.addresses {
            let Some((address_only, _)) = address.split_once('/') else {
                bail!("{address}: an interface's address needs a prefix length");
            };
            let add = ["address", "add", address, "dev", self.name];
            // IPv6 would hold the address back while it looks for duplicates, for a second or more.
            let at_once = address_only.contains(':').then_some("nodad");
            self.host.run("ip", add.into_iter().chain(at_once))?;
        }
        self.host.run("ip", ["link", "set", self.name, "up"])?;
        Ok(())
    }
}
