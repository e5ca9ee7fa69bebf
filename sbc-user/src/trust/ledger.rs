mod adoption;
mod associations;
mod bans;
mod certified;
mod disproved;
mod grants;
mod lasting;
mod named;
mod probation;
mod registration;
mod rows;
mod shares;
mod succession;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{
    Address, HopBand, Lane, MonotonicNanos, Prefix, Protocol, Transports, TrustEntry,
};

use associations::Associations;
pub use certified::CertificateProof;
use shares::Shares;
pub use succession::{Connected, Succession, Terms};

use self::bans::Bans;
use self::certified::Certified;
use self::grants::Grants;
use self::named::Named;
use self::probation::Probation;
use super::difference::Difference;
use super::distances::Distances;
use super::hops::{band_around, either};
use super::pace::Paces;
use super::row::Row;
use super::subnets::Subnets;
use super::{Acquaintances, Grant, Holder, Place, Stale, TrustTable};
use crate::config::{Config, OnDisconnect, Peer, Proof, ScrutinyPolicy};
use crate::kernel::KernelError;
use crate::transport::{Flow, Transport};

/// Everyone who is trusted at the moment, mirrored into the kernel.
///
/// The kernel is written first: a grant that it has no room for does not exist here either, so what
/// the daemon believes and what the kernel lets pass agree.
pub struct Ledger<T> {
    table: T,
    grants: Grants,
    /// What the operator's word alone grants, and what a place falls back to when a proof is over.
    lasting: HashMap<Place, Grant>,
    denied: Vec<Prefix>,
    shares: Shares,
    certified: Certified,
    associations: Associations,
    named: Named,
    learns_hops: bool,
    distances: Distances,
    paces: Paces,
    subnets: Subnets,
    probation: Probation,
    bans: Bans,
    /// The places that a /64 speaks for, where there are any.
    places_of_subnet: HashMap<Ipv6Addr, HashSet<Place>>,
}

impl<T: TrustTable> Ledger<T> {
    /// Begins with what the configuration grants, and with what of a previous run's grants in `table`
    /// is still good under it. Everything else in `table` is removed.
    pub fn begin(table: T, config: &Config, now: MonotonicNanos) -> Result<Self, KernelError> {
        let (mut ledger, stale) = Self::begin_beside(table, config, now)?;
        stale.remove(&mut ledger.table)?;
        Ok(ledger)
    }

    /// The same, in two halves: what is left to be removed is returned, so that the rest of a policy can
    /// be put in force before, while packets are judged by `table`. Each of them gets a verdict that it
    /// has under the previous policy or under this one.
    pub fn begin_beside(
        table: T,
        config: &Config,
        now: MonotonicNanos,
    ) -> Result<(Self, Stale), KernelError> {
        let mut ledger = Self::blank(table, config);
        let held = ledger.held();
        ledger.adopt(&held, config, now);
        ledger.fall_back();
        let wanted = ledger.rows(now);
        let stale = Difference::between(&held, &wanted, now).enter(&mut ledger.table)?;
        Ok((ledger, stale))
    }

    /// One that grants nothing yet.
    fn blank(table: T, config: &Config) -> Self {
        Self {
            table,
            grants: Grants::new(),
            lasting: lasting::grants(config),
            denied: config.denied.sources.iter().map(|network| network.prefix()).collect(),
            shares: Shares::new(config),
            certified: Certified::default(),
            associations: Associations::new(config),
            named: Named::new(config),
            learns_hops: config.kernel.hop_limits != ScrutinyPolicy::Off,
            distances: Distances::new(config),
            paces: Paces::new(config),
            subnets: Subnets::new(config),
            probation: Probation::new(config),
            bans: Bans::new(config),
            places_of_subnet: HashMap::new(),
        }
    }

    fn held(&self) -> HashMap<Row, TrustEntry> {
        let sources = self.table.sources().into_iter();
        let prefixes = self.table.prefixes().into_iter();
        sources
            .map(|(key, entry)| (Row::Source(key), entry))
            .chain(prefixes.map(|(prefix, entry)| (Row::Prefix(prefix), entry)))
            .collect()
    }

    /// A peer completed the TLS handshake of `flow`: its sources are open from now on, or the address
    /// that it came from when none are configured: for as long as the certificate that `proof` is about is good
    /// at most. `hop_limit` is that of its first packet, if known.
    ///
    /// Where another peer is connected from the same address the place stays that peer's: clear text
    /// from there can be one's only.
    pub fn tls_connected(
        &mut self,
        position: usize,
        peer: &Peer,
        flow: &Flow,
        proof: &CertificateProof,
        hop_limit: Option<u8>,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let learned = self.learned(position, flow.remote.ip(), hop_limit);
        let mut done = Ok(());
        for place in tls_places(peer, flow.remote.ip(), learned) {
            if self.is_denied(place) || self.lacks_name(position, peer, flow.remote.ip(), now) {
                continue;
            }
            let holder = Holder::Peer(position);
            let held = self.grants.get(&place);
            let connections =
                held.filter(|held| held.holder == holder).map_or(0, |it| it.connections);
            if held.is_some_and(|held| held.holder != holder && held.connections > 0) {
                tracing::warn!(%place, peer = peer.name, "not opened: another peer is connected from there");
                continue;
            }
            let until = match connections {
                0 => proof.until,
                _ => proof.until.max(self.certified.until(&place)),
            };
            let grant = Grant {
                holder: holder.clone(),
                lane: Lane::Tls,
                transports: self.associations.opened_by_tls(peer, place),
                expires_at: after(now, peer.lifetime()).min(until),
                connections: connections.saturating_add(1),
                lifetime: peer.lifetime(),
                pace: Paces::of_peer(position, peer),
                hops: self.hops_of(place, learned, connections),
            };
            let mut entered = self.enter(place, grant, now);
            if entered.is_ok() {
                self.certified.connected(flow.connection, place, proof);
                entered = self.make_room(&holder, place, now);
            }
            done = done.and(entered);
        }
        done
    }

    /// Says whether the DNS has to give an address for a name of the peer's, and does not.
    fn lacks_name(
        &self,
        position: usize,
        peer: &Peer,
        address: IpAddr,
        now: MonotonicNanos,
    ) -> bool {
        peer.requires(Proof::Dns) && !self.named.is_of(position, address, now)
    }

    /// What a connection tells about the distance of its peer's address; if nothing, what the last one told
    /// that did. A route that has changed meanwhile is known with the next connection that tells something.
    fn learned(
        &mut self,
        position: usize,
        address: IpAddr,
        hop_limit: Option<u8>,
    ) -> Option<HopBand> {
        if !self.learns_hops || !self.is_one_host(Place::Address(address)) {
            return None;
        }
        let told = hop_limit.map(band_around);
        if let Some(told) = told {
            self.distances.remember(position, address, told);
        }
        told.or_else(|| self.distances.last(position, address))
    }

    /// Says whether all packets of a place come from one host, at one distance.
    pub(super) fn is_one_host(&self, place: Place) -> bool {
        matches!(place, Place::Address(_)) && self.spoken_for_by(place) == place
    }

    /// The hop limits of a place's packets, once a connection that told `learned` is added to `connections`
    /// others.
    fn hops_of(&self, place: Place, learned: Option<HopBand>, connections: u32) -> HopBand {
        if !self.is_one_host(place) {
            return HopBand::ANY;
        }
        let held = self.grants.get(&place).filter(|_| connections > 0);
        either(held.map_or(HopBand::ANY, |held| held.hops), learned.unwrap_or(HopBand::ANY))
    }

    /// The TLS connection of that number has ended; it was `peer`'s.
    pub fn tls_disconnected(
        &mut self,
        peer: &Peer,
        connection: u64,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let mut done = Ok(());
        let Some((proof, places)) = self.certified.disconnected(connection) else { return done };
        for place in places {
            let Some(grant) = self.grants.get_mut(&place) else { continue };
            grant.connections = grant.connections.saturating_sub(1);
            if grant.connections > 0 {
                continue;
            }
            // Every place, whatever fails: one that still counted the connection would be renewed for
            // ever.
            done = done.and(match peer.on_disconnect() {
                OnDisconnect::Remove => self.end(place, now),
                // A full lifetime from here, wherever in its renewal the connection ended.
                OnDisconnect::Expire => {
                    let expires_at = after(now, grant.lifetime).min(proof.until);
                    let renewed = Grant { expires_at, ..grant.clone() };
                    self.certified.departed(place, &proof);
                    self.enter(place, renewed, now)
                }
            });
        }
        done
    }

    /// A user answered our challenge on `flow`. What the user proved is that one port over that one
    /// transport, so that is what is opened, in place of what was proved there before.
    pub fn digest_proven(
        &mut self,
        user: &Arc<str>,
        flow: &Flow,
        lifetime: Duration,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let Some(place) = port_of(flow).filter(|place| !self.is_denied(*place)) else {
            return Ok(());
        };
        let (holder, transports) =
            (Holder::User(Arc::clone(user)), clear_transports(flow.transport));
        // What the user was granted there for a registration stays granted.
        let held = self.grants.get(&place).filter(|held| {
            held.holder == holder && held.transports == transports && held.is_live(now)
        });
        let held_until = held.map_or(now, |held| held.expires_at);
        let grant = Grant {
            holder: holder.clone(),
            lane: Lane::Digest,
            transports,
            expires_at: after(now, lifetime).max(held_until),
            connections: 0,
            lifetime,
            pace: self.paces.of_source(self.spoken_for_by(place)),
            hops: HopBand::ANY,
        };
        let says_as_much = |held: &Grant| {
            held.lane == grant.lane
                && held.connections == 0
                && (held.pace, held.hops) == (grant.pace, grant.hops)
                && grant.expires_at.0.saturating_sub(held.expires_at.0) < slack(lifetime)
        };
        if !held.is_some_and(says_as_much) {
            self.enter(place, grant, now)?;
        }
        self.make_room(&holder, place, now)
    }

    /// Renews what living TLS connections hold, and ends what has expired.
    pub fn sweep(&mut self, now: MonotonicNanos) -> Result<(), KernelError> {
        let unheard = self.end_unheard_names(now);
        let due: Vec<_> = self
            .grants
            .iter()
            .filter(|(_, grant)| grant.connections > 0 || !grant.is_live(now))
            .map(|(place, grant)| (*place, grant.clone()))
            .collect();
        self.review_proofs();
        // Each on its own: what cannot be written must not keep others from being renewed.
        let mut done = unheard;
        for (place, grant) in due {
            done = done.and(if grant.connections > 0 {
                let expires_at = after(now, grant.lifetime).min(self.certified.until(&place));
                self.enter(place, Grant { expires_at, ..grant }, now)
            } else {
                self.end(place, now)
            });
        }
        done
    }

    /// The peer whose TLS proof is good for a clear-text message that arrived on `flow`. A grant is
    /// good for the transports that it opens in the kernel and no others: under `observe` the
    /// kernel lets the rest through as well.
    #[must_use]
    pub fn tls_peer(&self, peers: &[Peer], flow: &Flow, now: MonotonicNanos) -> Option<usize> {
        let protocol = match flow.transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
            Transport::Tls => return None,
        };
        let remote = flow.remote.ip();
        let is_tls = |place: &Place| {
            let grant = self.grants.get(place)?;
            let is_good =
                grant.lane == Lane::Tls && grant.is_live(now) && grant.transports.opens(protocol);
            match grant.holder {
                Holder::Peer(position) if is_good => Some(position),
                Holder::Peer(_)
                | Holder::User(_)
                | Holder::Returning(_)
                | Holder::Earlier
                | Holder::Operator
                | Holder::Offender => None,
            }
        };
        let in_subnet = || {
            let mut neighbours = self.neighbours(remote).filter_map(is_tls);
            let first = neighbours.next();
            // Where two are connected from one site, the rest of it is neither's.
            first.filter(|first| neighbours.all(|it| it == *first))
        };
        is_tls(&Place::Address(remote)).or_else(in_subnet).or_else(|| {
            let networks = peers.iter().flat_map(|peer| &peer.sources);
            networks
                .filter(|network| network.contains(remote))
                .find_map(|network| is_tls(&Place::Network(network.prefix())))
        })
    }

    /// Tells strangers from those who may have a grant, without asking the ledger.
    #[must_use]
    pub fn acquaintances(&self) -> Arc<Acquaintances> {
        Arc::clone(self.grants.acquaintances())
    }

    /// Every grant.
    pub fn grants(&self) -> impl Iterator<Item = (&Place, &Grant)> {
        self.grants.iter()
    }

    /// The most specific grant that speaks for a source: on this proof, or on any. From elsewhere in a /64
    /// than where the proofs are, one speaks for it if it is the only one.
    #[must_use]
    pub fn grant_for(&self, source: SocketAddr, lane: Option<Lane>) -> Option<&Grant> {
        let is_wanted = |grant: &&Grant| lane.is_none_or(|lane| grant.lane == lane);
        let grant_at = |place: &Place| self.grants.get(place).filter(is_wanted);
        let exactly = [Place::Port(source), Place::Address(source.ip())];
        let in_subnet = || {
            let mut neighbours = self.neighbours(source.ip()).filter_map(grant_at);
            neighbours.next().filter(|_| neighbours.next().is_none())
        };
        let around = (0..=128).rev().filter_map(|length| Prefix::new(source.ip(), length));
        exactly
            .iter()
            .find_map(grant_at)
            .or_else(in_subnet)
            .or_else(|| around.map(Place::Network).find_map(|place| grant_at(&place)))
    }

    /// The table behind it.
    #[must_use]
    pub const fn table(&self) -> &T {
        &self.table
    }

    /// The table behind it, to change what is not about sources.
    pub const fn table_mut(&mut self) -> &mut T {
        &mut self.table
    }

    fn enter(
        &mut self,
        place: Place,
        grant: Grant,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        if grant.holder != Holder::Offender {
            self.pardon(place, now)?;
        }
        let row = Row::of(self.spoken_for_by(place));
        let entry = self.entry_with(place, &grant, now);
        row.write(&mut self.table, &entry)?;
        self.join(place);
        let holder = grant.holder.clone();
        if let Some(displaced) = self.grants.insert(place, grant)
            && displaced.holder != holder
        {
            self.shares.leave(&displaced.holder, place);
        }
        Ok(())
    }

    /// The proof that held `place` is over: what is left is the operator's word, if he gave any. It takes
    /// the place of the proof in one write, so that nobody is a stranger in between.
    fn end(&mut self, place: Place, now: MonotonicNanos) -> Result<(), KernelError> {
        match self.lasting.get(&place).cloned() {
            Some(lasting) => self.enter(place, lasting, now),
            None => self.remove(place, now),
        }
    }

    fn remove(&mut self, place: Place, now: MonotonicNanos) -> Result<(), KernelError> {
        let row = Row::of(self.spoken_for_by(place));
        match self.entry_without(place, now) {
            Some(entry) => row.write(&mut self.table, &entry)?,
            None => row.remove(&mut self.table)?,
        }
        self.leave(place);
        if let Some(removed) = self.grants.remove(&place) {
            self.shares.leave(&removed.holder, place);
        }
        Ok(())
    }

    /// The kernel asks for a port and an address before it asks for networks, so one of these would
    /// open what the operator denied.
    fn is_denied(&self, place: Place) -> bool {
        let address = match place {
            Place::Address(address) => address,
            Place::Port(socket) => socket.ip(),
            Place::Subnet(_) | Place::Network(_) => return false,
        };
        let address = Address::from(address);
        self.denied.iter().any(|prefix| prefix.contains(&address))
    }
}

/// What a handshake opens. In the networks of a peer others of its hosts are, at other distances: what was
/// learned is for the one address alone. So is what is asked of an address besides.
fn tls_places(peer: &Peer, remote: IpAddr, learned: Option<HopBand>) -> Vec<Place> {
    if peer.requires(Proof::Dns) && !peer.requires(Proof::Ipsec) {
        return vec![Place::Address(remote)];
    }
    let networks = peer.sources.iter().map(|network| Place::Network(network.prefix()));
    // Of what comes out of IPsec no hop limit counts.
    let speaks_in_clear = peer.opens_clear_text() && !peer.requires(Proof::Ipsec);
    let is_apart = peer.sources.is_empty() || learned.is_some() && speaks_in_clear;
    networks.chain(is_apart.then_some(Place::Address(remote))).collect()
}

/// The one port that a flow is from. None for port zero, which is nobody's: in the kernel's table it
/// would speak for every port of the address. The scope of a link-local address is no part of a place
/// either, since the kernel's table has none.
fn port_of(flow: &Flow) -> Option<Place> {
    let (address, port) = (flow.remote.ip(), flow.remote.port());
    (port != 0).then(|| Place::Port(SocketAddr::new(address, port)))
}

/// What an answer to our challenge over `transport` opens. No two transports open the same, so this
/// also tells which one a digest grant was made over.
const fn clear_transports(transport: Transport) -> Transports {
    match transport {
        Transport::Udp => Transports::UDP,
        Transport::Tcp => Transports::TCP,
        Transport::Tls => Transports::NONE,
    }
}

/// By how many nanoseconds less a grant may last than a proof of just now would have it last: for so little
/// the kernel is not asked to write.
fn slack(lifetime: Duration) -> u64 {
    let slack = (lifetime / 16).min(Duration::from_secs(1));
    u64::try_from(slack.as_nanos()).unwrap_or(0)
}

fn after(now: MonotonicNanos, lifetime: Duration) -> MonotonicNanos {
    let nanos = u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX);
    MonotonicNanos(now.0.saturating_add(nanos).min(TrustEntry::NEVER - 1))
}

pub use associations::LIFETIME as IPSEC_LIFETIME;

#[cfg(test)]
mod tests;
