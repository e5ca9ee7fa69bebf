use std::net::{IpAddr, SocketAddr};

use sbc_common::{
    Address, AssociationKey, Budget, HopBand, Lane, Mode, Pace, Prefix, Protocol, Scrutiny,
    Service, SourceKey, Transports, TrustEntry, UnknownAction,
};
use sbc_user::kernel::{FilterSettings, ProtectedService};

use crate::host_tables::prefix;

/// What the tables of kernel and host are filled from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    pub(crate) settings: FilterSettings,
    pub(crate) services: Vec<ProtectedService>,
    pub(crate) sources: Vec<(SourceKey, TrustEntry)>,
    pub(crate) prefixes: Vec<(Prefix, TrustEntry)>,
    pub(crate) associations: Vec<(AssociationKey, Address)>,
    /// Until when these are all that there are.
    pub(crate) associations_until: u64,
    /// When the daemon last said that it lives, and after how long a silence everything passes.
    pub(crate) heartbeat: u64,
    pub(crate) silence_ends_enforcement: u64,
}

/// A budget that no test spends, whatever the tests before it have used up.
pub(crate) const AMPLE: Budget = Budget { interval: 1, tolerance: 3_600_000_000_000 };
/// A budget that is never enough.
pub(crate) const SPENT: Budget = Budget { interval: 0, tolerance: 0 };

impl Policy {
    /// Enforces, protects nothing, trusts nobody and drops strangers.
    pub(crate) fn empty() -> Self {
        Self {
            settings: FilterSettings {
                mode: Mode::Enforce,
                unknown: UnknownAction::Drop,
                unknown_budget: SPENT,
                tls_attempts: AMPLE,
                tls_attempts_from: AMPLE,
                early_fragments: AMPLE,
                hop_limits: Scrutiny::Off,
                reverse_path: Scrutiny::Off,
                tunnels_pass: false,
            },
            services: Vec::new(),
            sources: Vec::new(),
            prefixes: Vec::new(),
            associations: Vec::new(),
            associations_until: 0,
            heartbeat: 0,
            silence_ends_enforcement: 0,
        }
    }

    /// SIP over UDP, TCP and TLS at the two addresses of [`crate::ends`].
    pub(crate) fn edge() -> Self {
        Self::empty().serving_sip_at("203.0.113.10").serving_sip_at("2001:db8:10::10")
    }

    pub(crate) fn serving_sip_at(self, address: &str) -> Self {
        self.serving(address, 5060, Protocol::Udp, Service::ClearSip)
            .serving(address, 5060, Protocol::Tcp, Service::ClearSip)
            .serving(address, 5061, Protocol::Tcp, Service::Tls)
    }

    pub(crate) fn serving(
        mut self,
        address: &str,
        port: u16,
        protocol: Protocol,
        service: Service,
    ) -> Self {
        let address = Address::from(address.parse::<IpAddr>().unwrap());
        self.services.push(ProtectedService { address, port, protocol, service });
        self
    }

    /// Adds an entry for an address and port, an address, or a prefix.
    pub(crate) fn knowing(mut self, source: &str, entry: TrustEntry) -> Self {
        if source.contains('/') {
            self.prefixes.push((prefix(source), entry));
        } else if let Ok(source) = source.parse::<SocketAddr>() {
            self.sources.push((SourceKey::new(source.ip().into(), source.port()), entry));
        } else {
            let address = source.parse::<IpAddr>().unwrap();
            self.sources.push((SourceKey::every_port(address.into()), entry));
        }
        self
    }

    /// Adds an association, and says that there are no others, for as long as any test takes.
    pub(crate) fn associating(mut self, source: &str, destination: &str, spi: u32) -> Self {
        let [source, destination] =
            [source, destination].map(|address| Address::from(address.parse::<IpAddr>().unwrap()));
        self.associations.push((AssociationKey::new(destination, spi), source));
        self.associations_until = FAR_AHEAD;
        self
    }

    /// Nobody keeps the table of associations any more.
    pub(crate) fn associating_no_longer(mut self) -> Self {
        self.associations_until = LONG_AGO;
        self
    }

    /// Adds an entry for the /64 around an IPv6 address among the exact sources.
    pub(crate) fn knowing_subnet_of(mut self, source: &str, entry: TrustEntry) -> Self {
        let address = source.parse::<IpAddr>().unwrap();
        self.sources.push((SourceKey::subnet(address.into()), entry));
        self
    }

    /// Changes the settings.
    pub(crate) fn set(mut self, change: impl FnOnce(&mut FilterSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub(crate) fn challenging(self) -> Self {
        self.challenging_within(AMPLE)
    }

    pub(crate) fn challenging_nobody_any_more(self) -> Self {
        self.challenging_within(SPENT)
    }

    pub(crate) fn challenging_within(mut self, budget: Budget) -> Self {
        self.settings.unknown = UnknownAction::Challenge;
        self.settings.unknown_budget = budget;
        self
    }

    pub(crate) fn observing(mut self) -> Self {
        self.settings.mode = Mode::Observe;
        self
    }
}

pub(crate) const BOTH: Transports = Transports::UDP.union(Transports::TCP);

/// Expired long ago by any clock, but never zero, which could be mistaken for "not set".
const LONG_AGO: u64 = 1;
/// Far ahead of any clock without being [`TrustEntry::NEVER`].
const FAR_AHEAD: u64 = TrustEntry::NEVER - 1;

pub(crate) fn opening(transports: Transports) -> TrustEntry {
    TrustEntry::new(Lane::Static, transports, TrustEntry::NEVER, 1)
}

/// The hop limits that packets of [`paced`] sources arrive with.
pub(crate) const BAND: HopBand = HopBand { lowest: 60, highest: 64 };
pub(crate) const AMPLE_PACE: Pace = Pace { interval: 1, burst: u32::MAX, slot: 1 };
pub(crate) const SPENT_PACE: Pace = Pace { interval: u32::MAX, burst: 0, slot: 2 };

/// An entry for a source at a known distance and with a budget.
pub(crate) fn paced(pace: Pace) -> TrustEntry {
    opening(BOTH).limited(BAND, pace)
}

pub(crate) fn opening_for_long(lane: Lane, transports: Transports) -> TrustEntry {
    TrustEntry::new(lane, transports, FAR_AHEAD, 2)
}

pub(crate) fn expired(transports: Transports) -> TrustEntry {
    TrustEntry::new(Lane::Digest, transports, LONG_AGO, 3)
}

/// Of a source that was trusted of late.
pub(crate) fn on_probation(transports: Transports, pace: Pace) -> TrustEntry {
    TrustEntry::new(Lane::Probation, transports, TrustEntry::NEVER, 0).limited(HopBand::ANY, pace)
}

pub(crate) fn denied() -> TrustEntry {
    TrustEntry::new(Lane::Denied, Transports::NONE, TrustEntry::NEVER, 0)
}

pub(crate) fn denied_until_long_ago() -> TrustEntry {
    TrustEntry::new(Lane::Denied, Transports::NONE, LONG_AGO, 0)
}

/// An entry that a later version wrote.
pub(crate) fn of_unknown_lane(lane: u8) -> TrustEntry {
    let mut entry = opening(BOTH);
    entry.lane = lane;
    entry
}
