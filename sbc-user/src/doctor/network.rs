use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{AddressFact, Check, Facts, Finding, PortHolder, Presence};
use crate::config::ScrutinyPolicy;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    if let Some(interface) = &facts.interface {
        told.push(reverse_path(facts, &interface.name));
        told.push(forwarding(facts, &interface.name));
    }
    addresses(facts, told);
    ports(facts, told);
    names(facts, told);
}

fn reverse_path(facts: &Facts, name: &str) -> Finding {
    let network = &facts.network;
    let asks_routes =
        network.reverse_path.is_some_and(|reverse_path| reverse_path != ScrutinyPolicy::Off);
    if asks_routes && network.forwards == [Some(false); 2] {
        return Finding::warning(
            Check::ReversePath,
            format!(
                "reverse-path is not \"off\", and {name} does not forward: the kernel then tells no routes"
            ),
            format!("write reverse-path = \"off\", and sysctl -w net.ipv4.conf.{name}.rp_filter=1"),
        );
    }
    match network.reverse_path_filter {
        _ if asks_routes => Finding::ok(Check::ReversePath, "the filter asks for the way back"),
        Some(0) => Finding::warning(
            Check::ReversePath,
            format!(
                "rp_filter is 0 on {name}: packets from outside may say to come from inside networks"
            ),
            format!("sysctl -w net.ipv4.conf.{name}.rp_filter=1 (2 where answers go another way)"),
        ),
        Some(value) => Finding::ok(Check::ReversePath, format!("rp_filter is {value} on {name}")),
        None => Finding::unseen(
            Check::ReversePath,
            format!("rp_filter of {name} cannot be read"),
            format!("sysctl net.ipv4.conf.{name}.rp_filter"),
        ),
    }
}

fn forwarding(facts: &Facts, name: &str) -> Finding {
    let [v4, v6] = facts.network.forwards;
    let (Some(v4), Some(v6)) = (v4, v6) else {
        return Finding::unseen(
            Check::Forwarding,
            "whether this machine forwards cannot be read",
            format!("sysctl net.ipv4.conf.{name}.forwarding net.ipv6.conf.{name}.forwarding"),
        );
    };
    let forwards = |address: &IpAddr| if address.is_ipv4() { v4 } else { v6 };
    let reached = facts.network.targets.iter().find(|it| forwards(it) && is_public(it));
    match reached {
        Some(target) => Finding::warning(
            Check::Forwarding,
            format!(
                "this machine forwards, and target {target} has a public address: whoever knows it goes past the SBC"
            ),
            format!(
                "forbid it in the firewall: nft add rule inet filter forward iifname {name} ip{} daddr {target} drop",
                if target.is_ipv4() { "" } else { "6" }
            ),
        ),
        None if v4 || v6 => Finding::ok(
            Check::Forwarding,
            format!("from {name} too; see that the firewall lets nobody reach the upstream"),
        ),
        None => Finding::ok(Check::Forwarding, format!("nothing from {name}")),
    }
}

/// Not one that the internet does not carry.
fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unique_local() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

fn addresses(facts: &Facts, told: &mut Vec<Finding>) {
    let before = told.len();
    for AddressFact { address, expected_on, found_on } in &facts.addresses {
        if address.is_loopback() {
            continue;
        }
        let interface = expected_on.as_deref().unwrap_or("INTERFACE");
        if found_on.is_empty() && facts.network.may_bind_foreign {
            told.push(Finding::ok(
                Check::Addresses,
                format!(
                    "{address} is not here at the moment, and may be listened at (ip_nonlocal_bind)"
                ),
            ));
        } else if found_on.is_empty() {
            told.push(Finding::failure(
                Check::Addresses,
                format!("{address} is not an address of this machine"),
                format!(
                    "ip address add {address}/PREFIX dev {interface}; or if it moves between machines, sysctl -w \
                     net.ipv{}.ip_nonlocal_bind=1",
                    if address.is_ipv4() { 4 } else { 6 }
                ),
            ));
        } else if expected_on.as_ref().is_some_and(|expected| !found_on.contains(expected)) {
            told.push(Finding::warning(
                Check::Addresses,
                format!("{address} is on {}, not on {interface}", found_on.join(", ")),
                "name the interface that it is on in [interface.outside] or [interface.inside]",
            ));
        }
    }
    if told.len() == before && !facts.addresses.is_empty() {
        told.push(Finding::ok(Check::Addresses, "all are here"));
    }
}

fn ports(facts: &Facts, told: &mut Vec<Finding>) {
    let daemon = facts.daemon.as_ref();
    let is_here = daemon.is_some_and(|daemon| daemon.presence == Presence::Here);
    let mut fine: BTreeMap<&str, u32> = BTreeMap::new();
    for port in &facts.ports {
        let place = format!("{} {}", port.transport.name(), port.address);
        match &port.holder {
            PortHolder::Nobody if is_here => told.push(Finding::warning(
                Check::Ports,
                format!("the daemon runs, and not at {place}: its configuration is another"),
                "restart it: `systemctl restart sbc`",
            )),
            PortHolder::Nobody => *fine.entry("free").or_default() += 1,
            PortHolder::Daemon => *fine.entry("held by the daemon").or_default() += 1,
            PortHolder::Other(process, name) => told.push(Finding::failure(
                Check::Ports,
                format!("{place} is held by {name} (process {process})"),
                format!("see what it is: `systemctl status {process}`; have it listen elsewhere, or end it"),
            )),
            PortHolder::Somebody => told.push(Finding::unseen(
                Check::Ports,
                format!("{place} is held by somebody whom only root can see"),
                "sudo sbc doctor, or `ss -lnup` and `ss -lntp` as root",
            )),
        }
    }
    let fine = fine.into_iter().map(|(how, count)| format!("{count} {how}"));
    let fine = fine.collect::<Vec<_>>().join(", ");
    if !fine.is_empty() {
        told.push(Finding::ok(Check::Ports, fine));
    }
}

fn names(facts: &Facts, told: &mut Vec<Finding>) {
    let mut count = 0_usize;
    for name in &facts.names {
        match &name.addresses {
            Ok(0) => told.push(Finding::failure(
                Check::Names,
                format!("{} of {} leads to no address", name.name, name.whose),
                format!("dig SRV _sip._udp.{0}; dig A {0}; mend the name or the zone", name.name),
            )),
            Ok(_) => count += 1,
            Err(problem) => told.push(Finding::failure(
                Check::Names,
                format!("{} of {}: {problem}", name.name, name.whose),
                format!("dig {}; see [dns] servers and /etc/resolv.conf", name.name),
            )),
        }
    }
    if count > 0 {
        told.push(Finding::ok(Check::Names, format!("{count} lead to addresses")));
    }
}
