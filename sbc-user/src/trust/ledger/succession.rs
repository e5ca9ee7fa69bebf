//! Another policy takes the place of the one in force, and what was proven goes on as far as it lets it.

use std::collections::HashMap;
use std::net::IpAddr;

use sbc_common::{HopBand, Lane, MonotonicNanos, Prefix, SourceKey, TrustEntry};

use super::bans::address_of;
use super::named::tag;
use super::{CertificateProof, Ledger, after};
use crate::config::{Config, OnDisconnect, Peer, Proof, ScrutinyPolicy};
use crate::kernel::KernelError;
use crate::proof::dns::NamedSource;
use crate::proof::ipsec::IpsecProof;
use crate::transport::Flow;
use crate::trust::difference::Difference;
use crate::trust::pace::Paces;
use crate::trust::row::Row;
use crate::trust::{Grant, Holder, Place, Stale, TrustTable};

/// What a ledger is to go on by under another policy.
pub struct Terms<'t> {
    /// The policy in force.
    pub before: &'t Config,
    /// The one that takes its place.
    pub next: &'t Config,
    /// The connections of those that are peers by it, whose certificates are good by it; once it is known where
    /// peers are by their names.
    pub connected: &'t dyn Fn(&[NamedSource]) -> Vec<Connected>,
    /// What IPsec proves by it; of every peer that has to speak through IPsec.
    pub ipsec: &'t [IpsecProof],
    /// Whether a certificate that was shown before is good by it, for the peer at this position.
    pub is_good: &'t dyn Fn(&CertificateProof, usize) -> bool,
    /// Whether a user who has proved himself is none by it, or has another password.
    pub is_gone: &'t dyn Fn(&str) -> bool,
    /// Whether any user is.
    pub is_any_gone: bool,
}

/// A connection of a peer.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The peer, by its position.
    pub peer: usize,
    /// The connection.
    pub flow: Flow,
    /// What it showed.
    pub proof: CertificateProof,
}

/// A ledger that is about to take another's place.
pub struct Succession {
    ledger: Ledger<Nowhere>,
    held: HashMap<Row, TrustEntry>,
    difference: Difference,
}

impl Succession {
    /// Enters what is new in the tables of the ledger that is succeeded, in all of them or none.
    pub fn enter<T: TrustTable>(&self, ledger: &mut Ledger<T>) -> Result<(), KernelError> {
        self.difference.enter_or_undo(&self.held, &mut ledger.table)
    }

    /// Takes back what was entered.
    pub fn undo<T: TrustTable>(&self, ledger: &mut Ledger<T>) {
        self.difference.undo(&self.held, &mut ledger.table);
    }
}

/// The table of a ledger that is not in force yet.
#[derive(Default)]
struct Nowhere;

impl<T: TrustTable> Ledger<T> {
    /// What this ledger would be under another policy. Changes nothing.
    pub fn succession(&mut self, terms: &Terms<'_>, now: MonotonicNanos) -> Succession {
        // Those that have expired too: nobody would remove what is forgotten here.
        let held = self.rows(MonotonicNanos(0));
        let mut next = Heir { ledger: Ledger::blank(Nowhere, terms.next), terms, now };
        next.remember(self);
        next.carry(self);
        next.ledger.fall_back();
        next.prove_anew();
        let wanted = next.ledger.rows(now);
        let difference = Difference::between(&held, &wanted, now);
        Succession { ledger: next.ledger, held, difference }
    }

    /// Goes on under the other policy, whose entries were entered; what is left to be removed is returned.
    pub fn succeed(&mut self, succession: Succession) -> Stale {
        let Ledger {
            table: Nowhere,
            grants,
            lasting,
            denied,
            shares,
            certified,
            associations,
            named,
            learns_hops,
            distances,
            paces,
            subnets,
            probation,
            bans,
            places_of_subnet,
        } = succession.ledger;
        (self.grants, self.lasting, self.denied) = (grants, lasting, denied);
        (self.shares, self.certified, self.associations) = (shares, certified, associations);
        (self.named, self.learns_hops, self.distances) = (named, learns_hops, distances);
        (self.paces, self.subnets, self.probation) = (paces, subnets, probation);
        (self.bans, self.places_of_subnet) = (bans, places_of_subnet);
        succession.difference.into_stale()
    }
}

/// The ledger to come.
struct Heir<'t> {
    ledger: Ledger<Nowhere>,
    terms: &'t Terms<'t>,
    now: MonotonicNanos,
}

impl Heir<'_> {
    /// The peer of the same name, whose position may be another one.
    fn heir(&self, before: usize) -> Option<(usize, &Peer)> {
        let name = &self.terms.before.peers.get(before)?.name;
        let mut peers = self.terms.next.peers.iter().enumerate();
        peers.find(|(_, peer)| peer.name == *name)
    }

    fn remember<T>(&mut self, before: &Ledger<T>) {
        let peers = 0..self.terms.before.peers.len();
        let heirs: Vec<_> =
            peers.filter_map(|it| self.heir(it).map(|(position, _)| (position, it))).collect();
        let Ledger { paces, distances, bans, .. } = &mut self.ledger;
        paces.continue_from(&before.paces);
        distances.continue_from(&before.distances, heirs.into_iter());
        bans.before.clone_from(&before.bans.before);
        for source in before.named.sources.values() {
            let old = self.terms.before.peers.get(source.peer);
            let Some((position, peer)) = self.heir(source.peer) else { continue };
            let is_same = old.is_some_and(|old| tag(old) == tag(peer));
            let is_wanted = peer.requires(Proof::Dns) && is_same && source.until > self.now;
            if is_wanted && self.ledger.is_free(source.address, position, self.terms.next) {
                let source = NamedSource { peer: position, ..*source };
                self.ledger.named.sources.insert(source.address, source);
            }
        }
    }

    /// What needs no word of anybody to go on, each holder's places in their order.
    fn carry<T>(&mut self, before: &Ledger<T>) {
        let order = before.shares.places.values().flatten();
        let in_order = order.filter_map(|place| Some((*place, before.grants.get(place)?)));
        let is_in_no_share = |place: &Place, grant: &Grant| {
            let places = before.shares.places.get(&grant.holder);
            places.is_none_or(|places| !places.contains(place))
        };
        // A holder's places are few, by his share.
        let others = before.grants.iter().map(|(place, grant)| (*place, grant));
        let others = others.filter(|(place, grant)| is_in_no_share(place, grant));
        for (place, grant) in in_order.chain(others) {
            let carried = match &grant.holder {
                _ if !grant.is_live(self.now) => None,
                Holder::User(label) if (self.terms.is_gone)(label) => None,
                Holder::Returning(label) if (self.terms.is_gone)(label) => None,
                Holder::Earlier if self.terms.is_any_gone && is_of_users(grant.lane) => None,
                Holder::User(_) | Holder::Returning(_) | Holder::Earlier => {
                    self.of_user(place, grant)
                }
                Holder::Offender => self.of_offender(place, grant),
                Holder::Peer(position) if grant.lane == Lane::Tls && grant.connections == 0 => {
                    self.of_departed(place, grant, *position, before.certified.departed.get(&place))
                }
                // What is to be proven or said again.
                Holder::Peer(_) | Holder::Operator => None,
            };
            if let Some(grant) = carried {
                self.ledger.shares.join(&grant.holder, place);
                self.ledger.grants.insert(place, grant);
            }
        }
    }

    fn of_user(&self, place: Place, grant: &Grant) -> Option<Grant> {
        let ledger = &self.ledger;
        let users = self.terms.next.users.as_ref()?;
        let is_probation = grant.lane == Lane::Probation;
        let is_there = !ledger.is_denied(place)
            && match place {
                Place::Port(_) => !is_probation,
                Place::Address(_) => is_probation && self.is_known_by(place),
                Place::Subnet(_) => self.is_known_by(place),
                Place::Network(_) => false,
            };
        let mut carried = grant.clone();
        let mut longest = users.longest_grant();
        if is_probation {
            carried.lifetime = ledger.probation.lifetime;
            carried.pace = ledger.probation_at(place, grant.holder.clone()).pace;
            longest = longest.saturating_add(carried.lifetime);
        } else {
            carried.lifetime = users.lifetime();
            carried.pace = ledger.paces.of_source(ledger.spoken_for_by(place));
        }
        carried.expires_at = after(self.now, longest).min(grant.expires_at);
        is_there.then_some(carried)
    }

    /// Says whether the kernel knows somebody by just this place.
    fn is_known_by(&self, place: Place) -> bool {
        let address = match place {
            Place::Subnet(network) => Place::Address(network.into()),
            Place::Address(_) | Place::Port(_) | Place::Network(_) => place,
        };
        self.ledger.spoken_for_by(address) == place
    }

    fn of_offender(&self, place: Place, grant: &Grant) -> Option<Grant> {
        let trust = &self.terms.next.trust;
        let address = address_of(place)?;
        let around = Prefix::new(address, SourceKey::SUBNET_LENGTH);
        let is_spared = trust.never_ban.iter().any(|network| {
            let is_within = |it: Prefix| it.contains(&network.prefix().address);
            network.contains(address)
                || matches!(place, Place::Subnet(_)) && around.is_some_and(is_within)
        });
        let is_banned = trust.ban == ScrutinyPolicy::Enforce
            && !is_spared
            && self.is_known_by(place)
            && !self.ledger.is_shared(place);
        is_banned.then(|| grant.clone())
    }

    /// What a peer has left open that is not connected any more.
    fn of_departed(
        &mut self,
        place: Place,
        grant: &Grant,
        before: usize,
        proof: Option<&CertificateProof>,
    ) -> Option<Grant> {
        let (position, peer) = self.heir(before)?;
        let proof = proof.filter(|proof| (self.terms.is_good)(proof, position))?;
        let is_left_open =
            peer.requires(Proof::Tls) && peer.on_disconnect() == OnDisconnect::Expire;
        if !is_left_open || !self.is_place_of(place, position, peer) {
            return None;
        }
        let learns = self.ledger.learns_hops && self.ledger.is_one_host(place);
        let carried = Grant {
            holder: Holder::Peer(position),
            transports: self.ledger.associations.opened_by_tls(peer, place),
            expires_at: after(self.now, peer.lifetime()).min(grant.expires_at).min(proof.until),
            lifetime: peer.lifetime(),
            pace: Paces::of_peer(position, peer),
            hops: if learns { grant.hops } else { HopBand::ANY },
            ..grant.clone()
        };
        self.ledger.certified.departed(place, proof);
        Some(carried)
    }

    /// Says whether a peer's proof by TLS opens this place.
    fn is_place_of(&self, place: Place, position: usize, peer: &Peer) -> bool {
        let has_networks = !peer.requires(Proof::Dns) || peer.requires(Proof::Ipsec);
        let is_named =
            |address: IpAddr| has_networks || self.ledger.named.is_of(position, address, self.now);
        match place {
            Place::Network(prefix) => {
                has_networks && peer.sources.iter().any(|it| it.prefix() == prefix)
            }
            Place::Address(address) => {
                !self.ledger.is_denied(place)
                    && (peer.sources.is_empty() || peer.comes_from(address))
                    && is_named(address)
            }
            Place::Port(_) | Place::Subnet(_) => false,
        }
    }

    /// What is said again: by the DNS, by IPsec, by connections.
    fn prove_anew(&mut self) {
        let (terms, now) = (self.terms, self.now);
        let peers = &terms.next.peers;
        // To a table that is nowhere everything can be written.
        let named: Vec<_> = self.ledger.named.sources.values().copied().collect();
        for source in &named {
            let _ = self.ledger.enter_named(*source, peers, now);
        }
        let are_bound = peers.iter().any(|peer| peer.requires(Proof::Ipsec));
        if are_bound {
            let _ = self.ledger.ipsec_proven(terms.ipsec, peers, now);
        }
        for Connected { peer: position, flow, proof } in (terms.connected)(&named) {
            let Some(peer) = peers.get(position) else { continue };
            let _ = self.ledger.tls_connected(position, peer, &flow, &proof, None, now);
        }
    }
}

const fn is_of_users(lane: Lane) -> bool {
    matches!(lane, Lane::Digest | Lane::Probation)
}

impl TrustTable for Nowhere {
    fn trust_source(&mut self, _: &SourceKey, _: &TrustEntry) -> Result<(), KernelError> {
        Ok(())
    }

    fn distrust_source(&mut self, _: &SourceKey) -> Result<(), KernelError> {
        Ok(())
    }

    fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        Vec::new()
    }

    fn trust_prefix(&mut self, _: Prefix, _: &TrustEntry) -> Result<(), KernelError> {
        Ok(())
    }

    fn distrust_prefix(&mut self, _: Prefix) -> Result<(), KernelError> {
        Ok(())
    }

    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        Vec::new()
    }
}
