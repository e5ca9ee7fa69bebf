//! The shipped filter in front of the edge, enforcing, natively attached.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use sbc_common::{Budget, Mode, Protocol, Reason, Service, UnknownAction};
use sbc_tests::{Family, wait_until};
use sbc_user::kernel::{
    AttachMode, Attached, Filter, FilterOptions, FilterSettings, KernelTables, ProtectedService,
    SocketFilter,
};

use crate::association::Association;
use crate::wire::{OUTSIDE, SOON, Wire, next_datagram};

#[test]
fn esp_reaches_the_kernel_past_a_filter_that_drops_the_same_source_in_clear() -> Result<()> {
    let wire = Wire::new()?;
    let guard = Guard::before(&wire)?;
    for (family, drops) in Family::ALL.into_iter().zip(1..) {
        let receiver = wire.receiver(family)?;

        wire.send(family, b"in clear")?;
        wait_until("the drop of what is in clear", SOON, || {
            Ok(guard.counted(Reason::UnknownSource)? == drops)
        })?;
        let association = Association::of(family);
        association.establish(&wire)?;
        wire.send(family, b"encrypted")?;

        assert_eq!(next_datagram(&receiver)?, b"encrypted", "{family:?}");
        assert_eq!(association.received(&wire.edge)?, 1, "{family:?}");
        assert_eq!(guard.counted(Reason::UnknownSource)?, drops, "{family:?}");
    }
    Ok(())
}

/// The filter on the edge's interface: it protects SIP over UDP, and trusts nobody.
struct Guard {
    tables: KernelTables,
    _filter: Filter,
}

impl Guard {
    fn before(wire: &Wire) -> Result<Self> {
        let options = FilterOptions {
            interface: OUTSIDE.to_owned(),
            mode: AttachMode::Native,
            bpf_file_system: wire.edge.path("/sys/fs/bpf"),
            trust_capacity: 64,
            user: None,
            socket_filter: SocketFilter::Off,
            cgroup: None,
        };
        // An interface has its name and its index in the network that it belongs to.
        wire.edge.enter(|| {
            let (mut filter, mut tables) = Filter::load(&options)?;
            tables.apply_services(&Family::ALL.map(|family| clear_sip_at(family.sip())))?;
            let nothing = Budget { interval: 0, tolerance: 0 };
            let settings = FilterSettings::new(Mode::Enforce, UnknownAction::Drop, nothing);
            tables.apply_settings(&settings)?;
            let (attached, _) = filter.attach(&mut tables)?;
            ensure!(attached == Attached::Native, "attached as {attached:?}");
            Ok(Self { tables, _filter: filter })
        })?
    }

    fn counted(&self, reason: Reason) -> Result<u64> {
        let counters = self.tables.readings().counters()?;
        let rows = counters.iter().filter(|row| row.verdict.reason == reason);
        Ok(rows.map(|row| row.counter.packets).sum())
    }
}

fn clear_sip_at(listener: SocketAddr) -> ProtectedService {
    ProtectedService {
        address: listener.ip().into(),
        port: listener.port(),
        protocol: Protocol::Udp,
        service: Service::ClearSip,
    }
}
