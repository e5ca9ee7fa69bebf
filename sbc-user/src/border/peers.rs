//! Requests of the upstream to peers outside, along the routes of the configuration.

use std::time::Instant;

use super::Border;
use super::registration::in_clear;
use super::upstream::ATTEMPTS;
use crate::config::{Proof, SipTarget};
use crate::screening::{Outcome, Rejection};
use crate::session::{Forwarded, RelayRefusal, WayOut};
use crate::sip::{Message, StartLine};
use crate::transport::Flow;
use crate::trust::TrustTable;
use crate::upstream::Pool;

impl<T: TrustTable> Border<T> {
    /// Sends a request that no token routes to the peer of the first route that it matches.
    pub(super) fn send_to_peer(
        &self,
        request: &Message<'_>,
        origin: &Flow,
    ) -> Result<(), Rejection> {
        let nowhere = || Rejection::of_relay(RelayRefusal::NoRoute);
        // The upstream asks whether we live, and not whether a peer does.
        if let StartLine::Request { uri, .. } = request.start_line()
            && self.forwarder.names_us(&uri)
        {
            return Err(nowhere());
        }
        let route = self.config.routes.iter().find(|route| route.matches(request));
        let route = route.ok_or_else(nowhere)?;
        let peers = self.config.peers.iter().zip(&self.peer_pools);
        let found = peers.into_iter().enumerate().find(|(_, (peer, _))| peer.name == route.peer);
        let Some((position, (peer, Some(pool)))) = found else { return Err(nowhere()) };
        let target = peer.target.as_ref().filter(|_| route.rewrite_host);
        let host = target.map(SipTarget::host_and_port);
        for _ in 0..ATTEMPTS {
            let Some(to) = pool.choose(request, Instant::now()) else { break };
            if peer.requires(Proof::Ipsec) && !self.is_guarded(&to, position) {
                return Err(Rejection { status: 500, outcome: Outcome::PeerUnprotected });
            }
            // Over TLS the connection itself proves the peer.
            let is_trusted = peer.trust_domain && (!in_clear(&to) || self.is_in_trust_domain(&to));
            let way = WayOut { to, registered: None, is_outbound: false, is_trusted };
            let forwarded =
                self.forwarder.request_outwards_to(request, origin, &way, host.as_deref());
            let Forwarded { to, message } = forwarded.map_err(Rejection::of_relay)?;
            let message = self.signed(message, route.attest);
            if self.is_settled(&to, message, Outcome::RequestRelayedOutwards) {
                self.note_sent_to_peer(position, request);
                return Ok(());
            }
        }
        // Not 503: that would say that nothing can be reached through us (RFC 3261 §16.7 step 6).
        Err(Rejection { status: 500, outcome: Outcome::PeerUnreachable })
    }

    /// Says whether what is sent leaves in clear for nobody but the peer behind IPsec: by the proof of now, and not
    /// by where the peer is.
    fn is_guarded(&self, to: &Flow, peer: usize) -> bool {
        !in_clear(to) || self.evidence(to).ipsec_source == Some(peer)
    }

    /// The pools of everybody whom requests are sent to.
    pub(super) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let peers = self.peer_pools.iter().flatten();
        [self.forwarder.upstream()].into_iter().chain(peers.map(|pool| &**pool))
    }
}
