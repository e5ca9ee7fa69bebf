use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{Lane, MonotonicNanos, Prefix, TrustEntry};

use crate::config::{Config, sample};
use crate::kernel::KernelError;
use crate::proof::tls::ShownCertificate;
use crate::transport::{Flow, Transport};
pub(super) use crate::trust::memory_table::MemoryTable;
use crate::trust::{CertificateProof, Ledger, Place};

pub(super) const START: MonotonicNanos = MonotonicNanos(1_000_000_000_000);
pub(super) const LIFETIME: Duration = Duration::from_mins(10);

/// Two networks by TLS, one address by TLS wherever it is, one network by the operator's word.
pub(super) const PEERS: &str = r#"
[[peer]]
name = "carrier"
require = ["tls"]
identities = ["carrier.example"]
sources = ["198.51.100.0/24", "2001:db8:1::/48"]
opens = ["udp"]
lifetime = "60s"

[[peer]]
name = "roamer"
require = ["tls"]
identities = ["roamer.example"]
opens = ["udp"]
lifetime = "60s"
on-disconnect = "remove"

[[peer]]
name = "nomad"
require = ["tls"]
identities = ["nomad.example"]
opens = ["tcp"]
lifetime = "30s"

[[peer]]
name = "trunk"
require = ["static"]
sources = ["192.0.2.0/28"]
opens = ["udp"]

[denied]
sources = ["203.0.113.64/26"]
"#;

/// How many entries the operator's word makes: two networks that may prove themselves, one that needs
/// no proof, one that is denied.
pub(super) const LASTING: usize = 4;

pub(super) const CARRIER: usize = 0;
pub(super) const ROAMER: usize = 1;
pub(super) const NOMAD: usize = 2;

/// A ledger, its configuration, and the time.
pub(super) struct Scene {
    pub(super) config: Config,
    pub(super) ledger: Ledger<MemoryTable>,
    pub(super) now: MonotonicNanos,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::over(MemoryTable::default())
    }

    pub(super) fn over(table: MemoryTable) -> Self {
        Self::restarted(table, sample::config(PEERS), START)
    }

    pub(super) fn restarted(table: MemoryTable, config: Config, now: MonotonicNanos) -> Self {
        let ledger = Ledger::begin(table, &config, now).unwrap();
        Self { config, ledger, now }
    }

    pub(super) fn connect(&mut self, peer: usize, number: u64, remote: &str) {
        self.try_to_connect(peer, number, remote).unwrap();
    }

    pub(super) fn try_to_connect(
        &mut self,
        peer: usize,
        number: u64,
        remote: &str,
    ) -> Result<(), KernelError> {
        self.connect_at(peer, number, remote, None)
    }

    pub(super) fn connect_at(
        &mut self,
        peer: usize,
        number: u64,
        remote: &str,
        hop_limit: Option<u8>,
    ) -> Result<(), KernelError> {
        let flow = connection(number, remote);
        self.connect_until(peer, &flow, hop_limit, MonotonicNanos(u64::MAX))
    }

    pub(super) fn connect_until(
        &mut self,
        peer: usize,
        flow: &Flow,
        hop_limit: Option<u8>,
        until: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let shown = Arc::new(ShownCertificate::of(&[], 0));
        let proof = CertificateProof { shown, until, dialed: None };
        let peers = &self.config.peers;
        self.ledger.tls_connected(peer, &peers[peer], flow, &proof, hop_limit, self.now)
    }

    pub(super) fn disconnect(&mut self, peer: usize, number: u64) -> Result<(), KernelError> {
        self.ledger.tls_disconnected(&self.config.peers[peer], number, self.now)
    }

    pub(super) fn prove(&mut self, user: &str, transport: Transport, remote: &str) {
        self.try_to_prove(user, transport, remote).unwrap();
    }

    pub(super) fn try_to_prove(
        &mut self,
        user: &str,
        transport: Transport,
        remote: &str,
    ) -> Result<(), KernelError> {
        let flow = flow(transport, remote);
        self.ledger.digest_proven(&Arc::from(user), &flow, LIFETIME, self.now)
    }

    pub(super) fn sweep(&mut self) {
        self.ledger.sweep(self.now).unwrap();
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = MonotonicNanos(self.now.0 + seconds * 1_000_000_000);
    }

    /// What the kernel holds for `place`, as `proof, transports, seconds left`.
    pub(super) fn entry(&self, place: Place) -> Option<(Lane, String, Option<u64>)> {
        let entry = *self.ledger.table().entries().get(&place)?;
        let seconds = (entry.expires_at != TrustEntry::NEVER)
            .then(|| entry.expires_at.saturating_sub(self.now.0) / 1_000_000_000);
        Some((entry.lane()?, opened(&entry), seconds))
    }

    pub(super) fn tls_peer(&self, transport: Transport, remote: &str) -> Option<usize> {
        self.ledger.tls_peer(&self.config.peers, &flow(transport, remote), self.now)
    }

    pub(super) fn has_answered(&self, transport: Transport, remote: &str) -> bool {
        self.ledger.has_answered(&flow(transport, remote), self.now)
    }
}

pub(super) fn opened(entry: &TrustEntry) -> String {
    crate::trust::opened(entry.transports).collect::<Vec<_>>().join(",")
}

/// The entry of a listed peer that has proven nothing, or no longer.
pub(super) fn listed() -> (Lane, String, Option<u64>) {
    (Lane::Static, "tls".to_owned(), None)
}

pub(super) fn connection(number: u64, remote: &str) -> Flow {
    let socket = SocketAddr::new(remote.parse().unwrap(), 40000);
    Flow { connection: number, ..flow(Transport::Tls, &socket.to_string()) }
}

pub(super) fn flow(transport: Transport, remote: &str) -> Flow {
    Flow { transport, listener: 0, remote: remote.parse().unwrap(), connection: 0 }
}

pub(super) fn address(text: &str) -> Place {
    Place::Address(text.parse::<IpAddr>().unwrap())
}

pub(super) fn port(text: &str) -> Place {
    Place::Port(text.parse::<SocketAddr>().unwrap())
}

pub(super) fn network(text: &str) -> Place {
    let (address, length) = text.split_once('/').unwrap();
    let prefix = Prefix::new(address.parse().unwrap(), length.parse().unwrap());
    Place::Network(prefix.unwrap())
}
