use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, Prefix, TrustEntry};

use super::{Ledger, after};
use crate::config::{Config, Peer, Proof};
use crate::kernel::KernelError;
use crate::proof::dns::NamedSource;
use crate::trust::pace::Paces;
use crate::trust::{Grant, Holder, Place, TrustTable};

/// The addresses that peers have by their names.
pub(super) struct Named {
    /// By the position of the peer: what its entries are marked with.
    tags: Vec<[u8; 3]>,
    pub(super) sources: HashMap<IpAddr, NamedSource>,
    /// How long one lasts that nothing more is heard of.
    grace: Duration,
}

impl Named {
    pub(super) fn new(config: &Config) -> Self {
        let tags = config.peers.iter().map(tag).collect();
        Self { tags, sources: HashMap::new(), grace: config.dns.grace() }
    }

    /// Says whether `address` is that of this peer by its names.
    pub(super) fn is_of(&self, peer: usize, address: IpAddr, now: MonotonicNanos) -> bool {
        self.sources.get(&address).is_some_and(|it| it.peer == peer && it.until > now)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &IpAddr> {
        self.sources.keys()
    }

    /// An entry as the kernel is told of it.
    pub(super) fn tagged(&self, entry: TrustEntry) -> TrustEntry {
        if entry.lane() != Some(Lane::Dns) {
            return entry;
        }
        entry.tagged(self.tag_of(&entry).unwrap_or_default())
    }

    fn tag_of(&self, entry: &TrustEntry) -> Option<[u8; 3]> {
        self.tags.get(position_of(entry)?).copied()
    }
}

fn position_of(entry: &TrustEntry) -> Option<usize> {
    usize::try_from(entry.peer).ok()?.checked_sub(1)
}

/// Tells peers apart whose place in the configuration may change: FNV-1a of the name and of all it is known by.
pub(super) fn tag(peer: &Peer) -> [u8; 3] {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let names = peer.names.iter().flat_map(|name| [&b"\n"[..], name.as_str().as_bytes()]);
    let bytes = [peer.name.as_bytes()].into_iter().chain(names).flatten();
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME));
    let [first, rest @ ..] = hash.to_be_bytes();
    let [second, third, fourth] = rest;
    [first ^ second, third, fourth]
}

/// The kernel knows an address that the DNS gives as a network of one, so that what is proven there by other
/// means has a place of its own, and no /64 is open for it.
fn place_of(address: IpAddr) -> Option<Place> {
    Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }).map(Place::Network)
}

impl<T: TrustTable> Ledger<T> {
    /// The addresses that peers have by their names from now on, and no others. Each lasts until its time, so
    /// that it ends by itself if nobody says it again.
    pub fn names_resolved(
        &mut self,
        sources: &[NamedSource],
        peers: &[Peer],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let wanted = sources.iter().filter(|it| it.until > now).map(|it| (it.address, *it));
        let wanted: HashMap<_, _> = wanted.collect();
        let is_over =
            |it: &&NamedSource| wanted.get(&it.address).is_none_or(|new| new.peer != it.peer);
        let over: Vec<_> = self.named.sources.values().filter(is_over).copied().collect();
        let mut done = Ok(());
        for source in over {
            done = done.and(self.end_named(source, now));
        }
        for source in wanted.values() {
            done = done.and(self.enter_named(*source, peers, now));
        }
        self.named.sources = wanted;
        done
    }

    /// Ends what names have proven if nobody has said for too long that they do.
    pub(super) fn end_unheard_names(&mut self, now: MonotonicNanos) -> Result<(), KernelError> {
        let over = self.named.sources.values().filter(|it| it.until <= now);
        let over: Vec<_> = over.copied().collect();
        let mut done = Ok(());
        for source in over {
            self.named.sources.remove(&source.address);
            done = done.and(self.end_named(source, now));
        }
        done
    }

    pub(super) fn enter_named(
        &mut self,
        source: NamedSource,
        peers: &[Peer],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let Some((peer, place)) = peers.get(source.peer).zip(place_of(source.address)) else {
            return Ok(());
        };
        let holder = Holder::Peer(source.peer);
        // Whoever says so does not ask for these; nothing would end that the operator has written.
        let is_anothers = self.lasting.get(&place).is_some_and(|lasting| lasting.holder != holder);
        let transports = peer.opens_by_names();
        if is_anothers || self.is_denied(Place::Address(source.address)) || transports.is_empty() {
            return Ok(());
        }
        let grant = Grant {
            holder,
            lane: Lane::Dns,
            transports,
            expires_at: source.until,
            connections: 0,
            lifetime: self.named.grace,
            pace: Paces::of_peer(source.peer, peer),
            hops: HopBand::ANY,
        };
        // For so little the kernel is not asked to write.
        let slack = u64::try_from(self.named.grace.as_nanos() / 16).unwrap_or(0);
        let says_as_much = self.grants.get(&place).is_some_and(|held| {
            (&held.holder, held.lane) == (&grant.holder, grant.lane)
                && grant.expires_at.0.checked_sub(held.expires_at.0).is_some_and(|it| it < slack)
                && held.is_live(now)
        });
        if says_as_much { Ok(()) } else { self.enter(place, grant, now) }
    }

    /// What rests on the name of a peer: its entry, and what it has proven by TLS besides. Another peer's proof
    /// there is its own.
    fn end_named(&mut self, source: NamedSource, now: MonotonicNanos) -> Result<(), KernelError> {
        let mut done = Ok(());
        let holder = Holder::Peer(source.peer);
        let address = Place::Address(source.address);
        if self.grants.get(&address).is_some_and(|it| it.holder == holder && it.lane == Lane::Tls) {
            done = done.and(self.give_up(address, now));
        }
        let Some(place) = place_of(source.address) else { return done };
        if self.grants.get(&place).is_some_and(|it| it.holder == holder && it.lane == Lane::Dns) {
            done = done.and(self.end(place, now));
        }
        done
    }
}

impl<T: TrustTable> Ledger<T> {
    /// The addresses that peers have by their names, as far as they were told or taken over from an earlier run.
    #[must_use]
    pub fn named_sources(&self) -> Vec<NamedSource> {
        self.named.sources.values().copied().collect()
    }

    /// Says whether nothing that the operator has written speaks against an address as one of this peer's names.
    pub(super) fn is_free(&self, address: IpAddr, position: usize, config: &Config) -> bool {
        let holder = Holder::Peer(position);
        let lasting = place_of(address).and_then(|place| self.lasting.get(&place));
        let peer = config.peers.get(position);
        config.peers.at(address).is_none_or(|listed| listed == position)
            && peer.is_some_and(|it| it.sources.is_empty() || it.comes_from(address))
            && !self.is_denied(Place::Address(address))
            && lasting.is_none_or(|it| it.holder == holder)
    }

    /// Takes over what the names of a peer have given to an earlier run, if it is the same peer by the same names
    /// still. The operator may have written something else about the address since.
    pub(super) fn adopted_name(
        &mut self,
        prefix: Prefix,
        entry: &TrustEntry,
        config: &Config,
        now: MonotonicNanos,
    ) -> Option<(Place, Grant)> {
        let address = IpAddr::from(prefix.address);
        let place = place_of(address).filter(|place| *place == Place::Network(prefix))?;
        let position = position_of(entry).filter(|_| entry.lane() == Some(Lane::Dns))?;
        let peer = config.peers.get(position).filter(|peer| peer.requires(Proof::Dns))?;
        let is_same = self.named.tag_of(entry) == Some(entry.tag());
        if !is_same || !self.is_free(address, position, config) || peer.opens_by_names().is_empty()
        {
            return None;
        }
        let until = MonotonicNanos(after(now, self.named.grace).0.min(entry.expires_at));
        self.named.sources.insert(address, NamedSource { address, peer: position, until });
        let grant = Grant {
            holder: Holder::Peer(position),
            lane: Lane::Dns,
            transports: peer.opens_by_names(),
            expires_at: until,
            connections: 0,
            lifetime: self.named.grace,
            pace: Paces::of_peer(position, peer),
            hops: HopBand::ANY,
        };
        Some((place, grant))
    }
}
