//! The product. All that the benchmark knows of its tables is in here.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use sbc_common::{
    Budget, Lane, Mode, Protocol, Reason, Service, SourceKey, Transports, TrustEntry, UnknownAction,
};
use sbc_user::kernel::{
    AttachMode, Attached, Filter, FilterOptions, FilterSettings, KernelTables, Object,
    ProtectedService, SocketFilter,
};

use super::Defence;
use crate::{
    case::Case,
    frames::{RECEIVER_IPV4, RECEIVER_IPV6, SIP, Traffic},
    receiver::Receiver,
    sources,
};

/// What the configuration has where nobody sets it; more entries get the next power of two.
const DEFAULT_CAPACITY: usize = 65_536;

/// The shipped program, loaded, filled and attached as the daemon does it.
pub(super) struct Sbc {
    /// Keeps the tables pinned.
    _filter: Filter,
    tables: KernelTables,
    /// Why the flood has to be dropped.
    reason: Reason,
}

impl Sbc {
    pub(super) fn attach(receiver: &Receiver, case: &Case) -> Result<Self> {
        let capacity = case.trusted.next_power_of_two().max(DEFAULT_CAPACITY);
        let options = FilterOptions {
            interface: receiver.device.clone(),
            mode: AttachMode::Native,
            bpf_file_system: receiver.host.path("/sys/fs/bpf"),
            trust_capacity: u32::try_from(capacity)?,
            user: None,
            socket_filter: SocketFilter::Off,
            cgroup: None,
        };
        let (filter, tables) = receiver.host.enter(|| -> Result<(Filter, KernelTables)> {
            let (mut filter, mut tables) = Filter::load(&options)?;
            fill(&mut tables, case)?;
            let (attached, _) = filter.attach(&mut tables)?;
            ensure!(attached == Attached::Native, "attached otherwise than in the driver");
            Ok((filter, tables))
        })??;
        let reason = reason(case);
        Ok(Self { _filter: filter, tables, reason })
    }
}

impl Defence for Sbc {
    /// Only the reason that the flood has to meet counts, and only as far as the driver agrees.
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        let by_reason = counted(&self.tables, self.reason)?;
        Ok(by_reason.min(receiver.dropped_by_xdp()?))
    }
}

/// The shipped program with tables of its own, attached to nothing.
pub(crate) struct Unattached {
    pub(crate) object: Object,
    tables: KernelTables,
    reason: Reason,
}

impl Unattached {
    pub(crate) fn load(case: &Case) -> Result<Self> {
        let (object, mut tables) = Object::load()?;
        fill(&mut tables, case)?;
        Ok(Self { object, tables, reason: reason(case) })
    }

    /// Frames that it has judged to be what the case is about.
    pub(crate) fn dropped(&self) -> Result<u64> {
        counted(&self.tables, self.reason)
    }
}

const fn reason(case: &Case) -> Reason {
    match case.traffic {
        Traffic::Ipv4 | Traffic::Ipv6 => Reason::UnknownSource,
        Traffic::Fragments => Reason::UnknownFragment,
    }
}

fn counted(tables: &KernelTables, reason: Reason) -> Result<u64> {
    let rows = tables.readings().counters()?;
    Ok(rows.iter().filter(|row| row.verdict.reason == reason).map(|row| row.counter.packets).sum())
}

fn fill(tables: &mut KernelTables, case: &Case) -> Result<()> {
    let settings =
        FilterSettings::new(Mode::Enforce, UnknownAction::Drop, Budget::per_second(0, 0));
    tables.apply_settings(&settings)?;
    tables.apply_services(&services())?;
    let entry = TrustEntry::new(Lane::Static, Transports::UDP, TrustEntry::NEVER, 1);
    for address in trusted(case) {
        tables.trust_source(&SourceKey::every_port(address.into()), &entry)?;
    }
    Ok(())
}

fn services() -> Vec<ProtectedService> {
    let addresses = [IpAddr::from(RECEIVER_IPV4), IpAddr::from(RECEIVER_IPV6)];
    let listeners = [
        (SIP, Protocol::Udp, Service::ClearSip),
        (SIP, Protocol::Tcp, Service::ClearSip),
        (SIP + 1, Protocol::Tcp, Service::Tls),
    ];
    addresses
        .into_iter()
        .flat_map(|address| {
            listeners.map(|(port, protocol, service)| ProtectedService {
                address: address.into(),
                port,
                protocol,
                service,
            })
        })
        .collect()
}

fn trusted(case: &Case) -> Vec<IpAddr> {
    match case.traffic {
        Traffic::Ipv4 | Traffic::Fragments => {
            sources::trusted_ipv4(case.trusted).into_iter().map(IpAddr::from).collect()
        }
        Traffic::Ipv6 => {
            sources::trusted_ipv6(case.trusted).into_iter().map(IpAddr::from).collect()
        }
    }
}
