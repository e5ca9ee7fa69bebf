use super::{Check, Facts, FilterFacts, Finding, Pinned, Presence};
use crate::kernel::XdpPlace;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let Some(filter) = &facts.filter else { return };
    told.push(bpf_file_system(facts, filter));
    told.extend(control_group(facts, filter));
    told.push(attachment(facts, filter));
    if let Some(finding) = other_programs(facts, filter) {
        told.push(finding);
    }
}

fn bpf_file_system(facts: &Facts, filter: &FilterFacts) -> Finding {
    let place = filter.bpf_file_system.display();
    if filter.is_mounted {
        return Finding::ok(Check::BpfFileSystem, format!("mounted at {place}"));
    }
    if facts.is_root {
        return Finding::ok(
            Check::BpfFileSystem,
            format!("`sbc load` and `sbc run` mount it at {place}"),
        );
    }
    Finding::unseen(
        Check::BpfFileSystem,
        format!("none is seen at {place}"),
        "`sbc load` as root mounts it",
    )
}

fn control_group(facts: &Facts, filter: &FilterFacts) -> Option<Finding> {
    if !filter.guards_sockets {
        return None;
    }
    if !filter.has_cgroup {
        let (what, next) = match &filter.cgroup {
            Some(path) => (
                format!("{} is no control group of version 2", path.display()),
                "write one that is there into [kernel] cgroup, or none".to_owned(),
            ),
            None => (
                "no control groups of version 2 are mounted".to_owned(),
                "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
                    .to_owned(),
            ),
        };
        return Some(Finding::warning(
            Check::ControlGroup,
            format!("{what}: what comes by another interface or out of a tunnel is not filtered"),
            next,
        ));
    }
    let status = facts.daemon.as_ref().and_then(|daemon| daemon.status.as_ref());
    Some(match status {
        Some(status) if !status.kernel.guards_sockets && !status.kernel.attached.is_empty() => {
            Finding::warning(
                Check::ControlGroup,
                "nothing is in front of the daemon's sockets: what comes by another interface or out of a \
                 tunnel is not filtered",
                "the daemon's log says why; [kernel] socket-filter = \"require\" makes it an error",
            )
        }
        Some(_) | None => Finding::ok(Check::ControlGroup, "there are some of version 2"),
    })
}

fn attachment(facts: &Facts, filter: &FilterFacts) -> Finding {
    let name = facts.interface.as_ref().map_or("", |interface| &interface.name);
    let daemon = facts.daemon.as_ref();
    let is_here = daemon.is_some_and(|daemon| daemon.presence == Presence::Here);
    let status = daemon.and_then(|daemon| daemon.status.as_ref());
    let interfaces = match (&filter.pinned, status) {
        (Pinned::Here(interfaces), _) => interfaces,
        // Who may ask the daemon need not see the pins.
        (_, Some(status)) => &status.kernel.attached,
        (Pinned::Unseen, None) => {
            return Finding::unseen(
                Check::Filter,
                "whether a filter is loaded is not seen",
                "ask as root, or as the user of [kernel]",
            );
        }
        (Pinned::Nothing, None) => {
            return Finding::warning(
                Check::Filter,
                "no filter is loaded: nothing is dropped",
                "`sbc run`, or `sbc load` as root (`systemctl start sbc`)",
            );
        }
    };
    // Of pins that are not seen here nothing is known but what their owner says.
    let is_anothers =
        matches!(filter.pinned, Pinned::Here(_)) && filter.holds_interface == Some(false);
    if is_anothers || !interfaces.iter().any(|interface| interface == name) {
        let said = if is_here {
            format!(
                "the daemon runs and no filter of ours is attached to {name}: nothing is dropped there"
            )
        } else {
            format!("no filter of ours is attached to {name}")
        };
        return Finding::failure(
            Check::Filter,
            said,
            "restart the daemon, with `sbc load` before it where it runs without privilege",
        );
    }
    let place = facts.interface.as_ref().and_then(|interface| interface.link.as_ref().ok()?.xdp);
    if place == Some(XdpPlace::Generic) {
        return Finding::warning(
            Check::Filter,
            format!(
                "attached to {name} in the network stack, not in the driver: a flood costs several times as much"
            ),
            "see the lines driver, mtu, offloads and queues; then `sbc unload` and start again",
        );
    }
    match status.map(|status| status.kernel.mode.as_str()) {
        Some("observe") => Finding::ok(
            Check::Filter,
            format!("attached to {name}, and observes: everything passes, and is counted"),
        ),
        Some(mode) => Finding::ok(Check::Filter, format!("attached to {name}, {mode}")),
        None => Finding::ok(Check::Filter, format!("attached to {name}")),
    }
}

/// Says whether the daemon, or the filter's tables, name the interface.
fn says_so(facts: &Facts, name: &str) -> bool {
    let status = facts.daemon.as_ref().and_then(|daemon| daemon.status.as_ref());
    status.is_some_and(|status| status.kernel.attached.iter().any(|attached| attached == name))
}

fn other_programs(facts: &Facts, filter: &FilterFacts) -> Option<Finding> {
    let interface = facts.interface.as_ref()?;
    let link = interface.link.as_ref().ok()?;
    let name = &interface.name;
    if link.xdp.is_none() {
        return Some(Finding::ok(
            Check::OtherPrograms,
            format!("no XDP program but ours holds {name}"),
        ));
    }
    let ours = match (&filter.pinned, filter.holds_interface) {
        // The daemon may have its pins where nobody else sees them: in a mount namespace of its own.
        (Pinned::Nothing | Pinned::Unseen, _) if says_so(facts, name) => Some(true),
        (Pinned::Nothing, _) => Some(false),
        (Pinned::Here(_) | Pinned::Unseen, ours) => ours,
    };
    Some(match ours {
        Some(true) => Finding::ok(Check::OtherPrograms, format!("ours alone holds {name}")),
        Some(false) => Finding::failure(
            Check::OtherPrograms,
            format!("another XDP program holds {name}: {}", link.holder),
            match link.holder.link {
                Some(id) => format!("end who attached it, or `bpftool link detach id {id}`"),
                None => format!("end who attached it, or `ip link set dev {name} xdp off`"),
            },
        ),
        None => Finding::unseen(
            Check::OtherPrograms,
            format!("an XDP program holds {name}; whose it is only root can tell"),
            "sudo sbc doctor",
        ),
    })
}
