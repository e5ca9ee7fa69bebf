//! Who is let in over a connection, and for how long what it proves holds.

use std::net::IpAddr;

use super::Border;
use super::parts::{PeerConnection, locked};
use crate::config::Proof;
use crate::proof::tls::{ClientCertificate, ShownCertificate};
use crate::transport::{Admission, Dialed, Flow, Party, Refusal, Transport};
use crate::trust::TrustTable;

impl<T: TrustTable> Border<T> {
    /// Decides about a connection that was made, or that we have made.
    pub(super) fn admit(&self, flow: &Flow, party: Party<'_>) -> Admission {
        self.target_connected(flow);
        if self.forwarder.is_inside(flow) {
            return self.admit_upstream(flow);
        }
        let Some(shown) = party.shown else { return self.admit_without_identity(flow, party) };
        let found = match party.dialed {
            // Judged by the rule of whom we have connected to, it says nothing of others that it names.
            Some(Dialed { peer }) => {
                let position = peer.as_ref().and_then(|name| self.position_of(name));
                position.filter(|position| self.is_for(shown, *position))
            }
            None => self.peer_of(shown),
        };
        if found.is_none() && shown.identities().is_empty() {
            return self.admit_without_identity(flow, party);
        }
        let Some((position, peer)) =
            found.and_then(|position| Some((position, self.config.peers.get(position)?)))
        else {
            self.counters.count_refusal(Refusal::IdentityUnknown);
            let identities = shown.identities();
            tracing::info!(%flow, ?identities, "a good certificate of nobody we know");
            return Admission::Close;
        };
        if !self.may_be_at(position, flow.remote.ip()) {
            self.counters.count_refusal(Refusal::IdentityElsewhere);
            tracing::warn!(%flow, peer = peer.name, "the certificate of a peer, but not its source");
            return Admission::Close;
        }
        let now = self.now();
        let proof = self.clock.proof_by(shown, party.dialed, now);
        let Some(mut ledger) = self.ledger_in_force() else {
            // Another policy has taken this one's place meanwhile, which may know nobody there.
            return self.successor.get().map_or(Admission::Close, |it| it.admit(flow, party));
        };
        let connected =
            PeerConnection { peer: peer.name.as_str().into(), flow: *flow, proof: proof.clone() };
        locked(&self.peers_by_connection).insert(flow.connection, connected);
        let entered = ledger.tls_connected(position, peer, flow, &proof, party.hop_limit, now);
        drop(ledger);
        tracing::info!(%flow, peer = peer.name, "peer connected");
        self.report(entered);
        Admission::Keep
    }

    /// The certificate of a connection that was let in is not good any more: what it alone kept open is shut.
    pub(super) fn end_proof(&self, flow: &Flow, refusal: Refusal) {
        self.counters.count_refusal(refusal);
        tracing::warn!(%flow, %refusal, "the certificate is no longer good, and the connection ends");
        let now = self.now();
        self.report(self.ledger().tls_disproved(flow.connection, now));
    }

    /// Where a certificate is required, one that proves no SIP domain is as good as none
    /// (RFC 5922 §7.1).
    fn admit_without_identity(&self, flow: &Flow, party: Party<'_>) -> Admission {
        let listen = self.config.listen.get(usize::from(flow.listener));
        let requires_identity = listen.is_some_and(|listen| {
            listen.transport == Transport::Tls
                && listen.client_certificate.unwrap_or_default() == ClientCertificate::Require
        });
        if party.dialed.is_some() {
            return Admission::Keep;
        }
        if !requires_identity {
            return Admission::KeepStranger;
        }
        self.counters.count_refusal(Refusal::IdentityMissing);
        tracing::info!(%flow, "a good certificate that proves no SIP domain");
        Admission::Close
    }

    /// Says whether a peer may be at this address when it connects.
    pub(super) fn may_be_at(&self, position: usize, address: IpAddr) -> bool {
        self.config.peers.get(position).is_some_and(|peer| {
            let is_listed = peer.sources.is_empty() || peer.comes_from(address);
            let is_named =
                || !peer.requires(Proof::Dns) || self.named_peer(address) == Some(position);
            is_listed && is_named()
        })
    }

    pub(super) fn peer_of(&self, shown: &ShownCertificate) -> Option<usize> {
        (0..self.config.peers.len()).find(|position| self.is_for(shown, *position))
    }

    pub(super) fn is_for(&self, shown: &ShownCertificate, position: usize) -> bool {
        self.config.peers.get(position).is_some_and(|peer| {
            let identities = peer.identities.iter().map(|identity| &identity.0);
            shown.is_for(identities, peer.certificate.common_name)
        })
    }
}
