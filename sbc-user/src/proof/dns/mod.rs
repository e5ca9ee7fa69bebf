//! Which addresses the DNS gives for the names of peers, and which of them are believed.
//!
//! Whoever answers for a name in the DNS says where its peer is, and without DNSSEC that may be anybody who
//! reaches our resolver with the right guess. So what is new has to be said twice, and what was believed stays
//! for a while (decision 25). Nothing here asks: answers and the time come in.

mod bounds;
mod name;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sbc_common::MonotonicNanos;

use self::bounds::Bounds;
use self::name::{Name, Noted};
use crate::config::{Config, PeerName, Proof};

/// An address that the DNS gives for a name of a peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedSource {
    /// The address.
    pub address: IpAddr,
    /// The peer, by its position in the configuration.
    pub peer: usize,
    /// When it is over, if nothing more is heard.
    pub until: MonotonicNanos,
}

/// What the DNS has said of a name.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The addresses; none if there is no such name.
    pub addresses: Vec<IpAddr>,
    /// Whether all was answered that was asked for these.
    pub is_whole: bool,
    /// How long it says so.
    pub lasts: Duration,
}

/// Why an address that the DNS gives is not believed to be the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBack {
    /// It is new, and has to be seen again.
    New,
    /// The name has as many as it may have.
    TooMany,
    /// It is not one of the peer's `sources`.
    OutsideSources,
    /// It is nobody's on the internet, and the peer's `sources` do not have it.
    NotPublic,
    /// It is not the address of one host.
    NoHost,
    /// It is one of ours.
    Ours,
    /// The operator denies it.
    Denied,
    /// It is one of the `sources` of this peer.
    AnothersSource(usize),
    /// It is this peer's already, by the DNS as well.
    AnothersName(usize),
}

impl fmt::Display for HeldBack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::New => "new: it has to be seen again",
            Self::TooMany => "more than addresses-per-name",
            Self::OutsideSources => "not within sources",
            Self::NotPublic => "not public, and not within sources",
            Self::NoHost => "not the address of one host",
            Self::Ours => "our own, or the upstream's",
            Self::Denied => "in [denied]",
            Self::AnothersSource(_) => "in the sources of another peer",
            Self::AnothersName(_) => "another peer's by its names",
        })
    }
}

/// Why what was said before still holds, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There was no answer.
    #[error("the DNS does not answer")]
    Silent,
    /// There is no such name, or it has no address.
    #[error("the DNS has no address for it")]
    NoAddress,
    /// No address of the answer is believed.
    #[error("nothing of the answer is believed")]
    NothingBelieved,
    /// Something that was asked for it was not answered.
    #[error("the DNS answers in part")]
    InPart,
}

/// What ought to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// This address is the peer's from now on.
    Believed(IpAddr),
    /// These are not, though the DNS gives them.
    HeldBack(Vec<(IpAddr, HeldBack)>),
    /// This address is the peer's no longer.
    Ended(IpAddr),
    /// What was said before holds, for this reason, which is new.
    Trouble(Trouble),
}

/// What is known of a name.
#[derive(Clone, Debug)]
pub struct NameAccount {
    /// The peer, by its position.
    pub peer: usize,
    /// The name.
    pub name: PeerName,
    /// The addresses that are believed, since when, and whether the DNS still gives them.
    pub addresses: Vec<(IpAddr, MonotonicNanos, bool)>,
    /// Those that are held back.
    pub held_back: Vec<(IpAddr, HeldBack)>,
    /// Why the last look has changed nothing, if it has not.
    pub trouble: Option<Trouble>,
}

/// By what rule answers are believed.
#[derive(Clone, Copy, Debug)]
struct Terms {
    grace: Duration,
    confirm: Duration,
    longest_silence: Duration,
    most_addresses: usize,
}

/// The peers that are known by their names.
pub struct NamedPeers {
    terms: Terms,
    bounds: Bounds,
    names: Vec<Name>,
    /// What an earlier run of the daemon believed; by which name is not known.
    earlier: HashMap<IpAddr, NamedSource>,
}

impl NamedPeers {
    /// Those of the configuration, at the addresses at which an earlier run of the daemon has found them.
    #[must_use]
    pub fn new(config: &Arc<Config>, earlier: Vec<NamedSource>) -> Self {
        let dns = &config.dns;
        let terms = Terms {
            grace: dns.grace(),
            confirm: dns.confirm(),
            longest_silence: dns.longest_silence(),
            most_addresses: dns.addresses_per_name(),
        };
        let bounds = Bounds::new(Arc::clone(config));
        let peers = config.peers.iter().enumerate().filter(|(_, peer)| peer.requires(Proof::Dns));
        let names = peers.flat_map(|(position, peer)| {
            peer.names.iter().map(move |name| Name::new(position, name.clone()))
        });
        let is_unobjectionable = |it: &NamedSource| bounds.objection(it.peer, it.address).is_none();
        let earlier = earlier.into_iter().filter(is_unobjectionable);
        let earlier = earlier.map(|it| (it.address, it)).collect();
        Self { terms, names: names.collect(), bounds, earlier }
    }

    /// The names, by the positions that [`hear`](Self::hear) takes.
    pub fn names(&self) -> impl Iterator<Item = &PeerName> {
        self.names.iter().map(|it| &it.host)
    }

    /// The position of the peer that a name is of.
    #[must_use]
    pub fn peer_of(&self, name: usize) -> Option<usize> {
        self.names.get(name).map(|it| it.peer)
    }

    /// When a name has to be looked up again.
    #[must_use]
    pub fn due(&self, name: usize) -> Option<MonotonicNanos> {
        self.names.get(name).map(|it| it.due)
    }

    /// Takes note of an answer about a name, or that there was none.
    pub fn hear(&mut self, name: usize, heard: Option<&Heard>, now: MonotonicNanos) -> Vec<Notice> {
        let Some(position) = self.peer_of(name) else { return Vec::new() };
        let mut notices = Vec::new();
        let mut held = Vec::new();
        let had_none = self.names.get(name).is_some_and(|it| it.known.is_empty())
            && self.earlier.values().all(|it| it.peer != position);
        for address in heard.into_iter().flat_map(|heard| &heard.addresses).copied() {
            let objection = self.objection(position, address);
            // What the peer has by another name is none that it does not have.
            let is_first = had_none || self.is_of(position, address);
            let Some(it) = self.names.get_mut(name) else { continue };
            match it.note(address, objection, is_first, &self.terms, now) {
                Noted::AsBefore => {}
                Noted::Believed => {
                    self.earlier.remove(&address);
                    notices.push(Notice::Believed(address));
                }
                Noted::Held(why) => held.push((address, why)),
            }
        }
        if !held.is_empty() {
            notices.push(Notice::HeldBack(held));
        }
        let Some(it) = self.names.get_mut(name) else { return notices };
        let before = it.trouble;
        match heard {
            Some(heard) => it.miss(heard, &self.terms, now),
            None => it.trouble = Some(Trouble::Silent),
        }
        it.plan(heard.map(|heard| heard.lasts), &self.terms, now);
        notices.extend(it.trouble.filter(|_| it.trouble != before).map(Notice::Trouble));
        notices
    }

    /// Ends what is over; returns the position of each name that has lost an address, and the address.
    pub fn forget(&mut self, now: MonotonicNanos) -> Vec<(usize, Notice)> {
        self.earlier.retain(|_, it| it.until > now);
        let mut ended = Vec::new();
        for (position, name) in self.names.iter_mut().enumerate() {
            let over = name.forget(&self.terms, now);
            ended.extend(over.into_iter().map(|address| (position, Notice::Ended(address))));
        }
        ended
    }

    /// Every address that is believed, once, and until when: no longer than the grace from now, so that it ends
    /// by itself if nobody says it again.
    #[must_use]
    pub fn sources(&self, now: MonotonicNanos) -> Vec<NamedSource> {
        let mut sources = self.earlier.clone();
        for name in &self.names {
            for (address, known) in &name.known {
                let until = known.until(&self.terms).min(after(now, self.terms.grace));
                let source = NamedSource { address: *address, peer: name.peer, until };
                let held = sources.entry(*address).or_insert(source);
                held.until = held.until.max(until);
            }
        }
        let mut sources: Vec<_> = sources.into_values().filter(|it| it.until > now).collect();
        sources.sort_unstable_by_key(|it| it.address);
        sources
    }

    /// What is known of each name.
    #[must_use]
    pub fn account(&self) -> Vec<NameAccount> {
        let account = |name: &Name| NameAccount {
            peer: name.peer,
            name: name.host.clone(),
            addresses: name
                .known
                .iter()
                .map(|(address, known)| (*address, known.since, known.left.is_none()))
                .collect(),
            held_back: name.held.iter().map(|(address, held)| (*address, held.why)).collect(),
            trouble: name.trouble,
        };
        self.names.iter().map(account).collect()
    }

    /// What the operator has written comes first, then who has had the address before.
    fn objection(&self, peer: usize, address: IpAddr) -> Option<HeldBack> {
        let others = self.names.iter().filter(|name| name.peer != peer);
        let holder = others.filter(|name| name.known.contains_key(&address)).map(|name| name.peer);
        let earlier = self.earlier.get(&address).map(|it| it.peer).filter(|it| *it != peer);
        let another = holder.chain(earlier).next();
        self.bounds.objection(peer, address).or_else(|| another.map(HeldBack::AnothersName))
    }

    fn is_of(&self, peer: usize, address: IpAddr) -> bool {
        let mut names = self.names.iter().filter(|name| name.peer == peer);
        names.any(|name| name.known.contains_key(&address))
            || self.earlier.get(&address).is_some_and(|it| it.peer == peer)
    }
}

fn after(time: MonotonicNanos, more: Duration) -> MonotonicNanos {
    let more = u64::try_from(more.as_nanos()).unwrap_or(u64::MAX);
    MonotonicNanos(time.0.saturating_add(more))
}
