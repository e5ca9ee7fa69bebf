use super::{Check, Facts, Finding, InterfaceFacts};
use crate::kernel::{AttachMode, Link, XdpPlace};

/// What a page holds beside what XDP and the network stack keep in it: 4096, less 256 before the frame and 320
/// after it, less Ethernet and two VLAN tags. Drivers differ by some bytes.
const LARGEST_MTU: u32 = 3498;
/// 1300 bytes, which RFC 3261 §18.1.1 lets go over UDP, with IPv6 and UDP before them.
const SMALLEST_MTU: u32 = 1348;
/// Devices whose packets come from another device: there they would be filtered earlier.
const UPPER: [&str; 6] = ["bond", "team", "bridge", "vlan", "macvlan", "ipvlan"];

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let Some(interface) = &facts.interface else { return };
    let name = &interface.name;
    if let Some((inside, false)) = &interface.inside {
        told.push(Finding::failure(
            Check::Interface,
            format!("[interface.inside] names {inside:?}, and there is no such interface"),
            "ip link, and write the right name",
        ));
    }
    let link = match &interface.link {
        Ok(link) => link,
        Err(problem) => {
            told.push(Finding::failure(
                Check::Interface,
                problem.clone(),
                "ip link, and write the right name into [interface.outside]",
            ));
            return;
        }
    };
    told.push(state(name, link));
    told.push(driver(interface, link));
    told.push(mtu(interface, link));
    told.push(offloads(interface, link));
    told.push(queues(facts.cores, interface, link));
}

fn state(name: &str, link: &Link) -> Finding {
    if !link.is_up {
        Finding::failure(
            Check::Interface,
            format!("{name} is down"),
            format!("ip link set {name} up"),
        )
    } else if link.has_carrier {
        let kind = link.kind.as_ref().map(|kind| format!(", a {kind}")).unwrap_or_default();
        Finding::ok(Check::Interface, format!("{name} is up{kind}"))
    } else {
        Finding::failure(
            Check::Interface,
            format!("{name} has no carrier: nothing is at its other end"),
            "look at the cable, the switch, or the virtual machine's network",
        )
    }
}

fn driver(interface: &InterfaceFacts, link: &Link) -> Finding {
    let name = &interface.name;
    let driver = interface.hardware.driver.as_deref().unwrap_or("unknown");
    if let Some(kind) = link.kind.as_deref().filter(|kind| UPPER.contains(kind)) {
        return Finding::warning(
            Check::Driver,
            format!(
                "{name} is a {kind}: packets reach it through another device, and cost more until then"
            ),
            "name the device below it in [interface.outside], unless the inside is behind that too: the filter reads up to two VLAN tags",
        );
    }
    let is_native = link.xdp == Some(XdpPlace::Native) || interface.runs_xdp == Some(true);
    match (is_native, interface.runs_xdp, interface.mode) {
        (true, _, _) => Finding::ok(Check::Driver, format!("{driver} runs the filter by itself")),
        (false, Some(false), AttachMode::Native) => Finding::failure(
            Check::Driver,
            format!("{driver} runs no XDP program by itself, and xdp = \"native\" asks for it"),
            "write xdp = \"auto\" into [interface.outside], or use another network card",
        ),
        (false, Some(_), AttachMode::Auto | AttachMode::Generic) => Finding::warning(
            Check::Driver,
            format!("{driver} runs no XDP program by itself: a flood costs several times as much"),
            "a network card whose driver does (virtio_net, i40e, ice, ixgbe, mlx5, ena, gve and others)",
        ),
        (false, Some(_) | None, _) => Finding::unseen(
            Check::Driver,
            format!("whether {driver} runs the filter by itself is not known"),
            "Linux 6.3 tells; `sbc run` says in its log how the filter is attached",
        ),
    }
}

fn mtu(interface: &InterfaceFacts, link: &Link) -> Finding {
    let (name, mtu) = (&interface.name, link.mtu);
    let small = format!(
        "{name} carries {mtu} bytes: SIP over UDP of 1300 bytes, which peers may send, does not fit, and goes in \
         fragments"
    );
    let large = format!(
        "{name} carries {mtu} bytes: the filter in the driver takes up to {LARGEST_MTU}, as packets have to be in one page"
    );
    let shorten = format!("ip link set {name} mtu 1500");
    if mtu < SMALLEST_MTU {
        let next = "reach large callers over TCP or TLS, or raise the MTU";
        return Finding::warning(Check::Mtu, small, next);
    }
    // One that is attached already shows that it fits.
    let fits = mtu <= LARGEST_MTU || link.xdp == Some(XdpPlace::Native);
    match interface.mode {
        AttachMode::Native if !fits => Finding::failure(Check::Mtu, large, shorten),
        AttachMode::Auto if !fits => Finding::warning(Check::Mtu, large, shorten),
        AttachMode::Native | AttachMode::Auto | AttachMode::Generic => {
            Finding::ok(Check::Mtu, format!("{mtu} bytes"))
        }
    }
}

fn offloads(interface: &InterfaceFacts, link: &Link) -> Finding {
    let name = &interface.name;
    let hardware = &interface.hardware;
    let (what, feature) = match (hardware.joins_segments, hardware.groups_segments) {
        (true, _) => ("LRO", "lro"),
        (false, true) => ("GRO in hardware", "rx-gro-hw"),
        (false, false) => {
            return Finding::ok(Check::Offloads, "the network card joins no segments");
        }
    };
    // One that is attached already shows that the two go together.
    if link.xdp == Some(XdpPlace::Native) {
        return Finding::ok(Check::Offloads, format!("{what} does not disturb the filter here"));
    }
    let said = format!(
        "{name} joins segments before XDP sees them ({what}): drivers may refuse the filter then"
    );
    let next = format!(
        "ethtool -K {name} {feature} off, at each boot, if the filter is not attached in the driver"
    );
    match interface.mode {
        AttachMode::Native if hardware.joins_segments => {
            Finding::failure(Check::Offloads, said, next)
        }
        AttachMode::Native | AttachMode::Auto | AttachMode::Generic => {
            Finding::warning(Check::Offloads, said, next)
        }
    }
}

fn queues(cores: u32, interface: &InterfaceFacts, link: &Link) -> Finding {
    let name = &interface.name;
    let [now, most] = interface.hardware.queues.unwrap_or([link.receive_queues; 2]);
    if now < cores && now < most {
        let wanted = cores.min(most);
        return Finding::warning(
            Check::Queues,
            format!("{name} has {now} of {most} queues, for {cores} cores: so few see all packets"),
            format!(
                "ethtool -L {name} combined {wanted} (or `rx {wanted}`: see `ethtool -l {name}`)"
            ),
        );
    }
    Finding::ok(Check::Queues, format!("{now} for {cores} cores"))
}
