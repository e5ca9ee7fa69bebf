//! Registrations that pass, and the requests for phones that were registered.

use std::time::Duration;

use rsip::Method as KnownMethod;

use super::Border;
use super::sending::failed;
use crate::config::Users;
use crate::proof::users::User;
use crate::screening::{Evidence, Outcome, Rejection, Standing};
use crate::session::{Forwarded, Registered, Registrant, RelayRefusal, WayOut, granted_seconds};
use crate::sip::{HeaderKind, Message, StartLine};
use crate::transport::{Flow, SendFailure, Transport};
use crate::trust::{Holder, TrustTable};

impl<T: TrustTable> Border<T> {
    /// Who registers on `flow`: the user who has just answered a challenge, or the peer whose flow it is.
    pub(super) fn registrant<'a>(
        &'a self,
        flow: &Flow,
        evidence: &Evidence,
        proven: Option<&'a User>,
    ) -> Option<Registrant<'a>> {
        if let Some(user) = proven {
            return Some(Registrant::User(user.label()));
        }
        match self.standing(flow, evidence) {
            Standing::Proven(peer) => Some(Registrant::Peer(&self.config.peers.get(peer)?.name)),
            Standing::NeedsDigest(_) | Standing::Lacking => None,
        }
    }

    /// The upstream's answer to a registration. If that was accepted, the kernel lets its phone pass for
    /// as long as it is registered: otherwise calls would ring, and their answers be dropped.
    ///
    /// A registration is relayed only with a proof of its own. The answer to a challenge is what made the
    /// phone's entry; it is prolonged, and none is made here.
    pub(super) fn registration_answered(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
    ) -> Result<Forwarded, RelayRefusal> {
        let to = self.forwarder.way_back(response, arrival)?;
        let granted = self.granted(response);
        // Who is no user, or proves himself otherwise besides, registers without an answer to a challenge.
        let is_users = || {
            let evidence = self.evidence(&to);
            let standing = self.standing(&to, &evidence);
            evidence.has_answered && matches!(standing, Standing::NeedsDigest(_))
        };
        let users = self.config.users.as_ref().filter(|_| in_clear(&to) && is_users());
        let (Some(granted), Some(users)) = (granted, users) else {
            return self.forwarder.registration_answer(response, to, None);
        };
        let longest = users.longest_registration();
        let longest_seconds = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
        let shortened = (granted > longest_seconds).then_some(longest_seconds);
        let forwarded = self.forwarder.registration_answer(response, to, shortened)?;
        let granted = Duration::from_secs(granted.into()).min(longest);
        let now = self.now();
        self.report(self.ledger().registered(&to, Users::lifetime_of_registration(granted), now));
        Ok(forwarded)
    }

    /// For how many seconds the registrar has accepted a registration.
    pub(super) fn granted(&self, response: &Message<'_>) -> Option<u32> {
        let granted = granted_seconds(response).filter(|_| is_success(response))?;
        if response.header(HeaderKind::Path).is_none() {
            self.registrar_without_path.call_once(|| {
                tracing::warn!(
                    "the registrar's answer repeats no Path (RFC 3327): if it keeps none, calls to \
                     registered phones cannot arrive"
                );
            });
        }
        Some(granted)
    }

    /// A request of the upstream: sent out, or refused for a reason.
    pub(super) fn request_from_upstream(
        &self,
        request: &Message<'_>,
        origin: &Flow,
    ) -> Result<(), Rejection> {
        let mut way = match self.forwarder.way_out(request) {
            Err(RelayRefusal::NoRoute) => return self.send_to_peer(request, origin),
            found => found.map_err(Rejection::of_relay)?,
        };
        way.is_trusted = self.has_trust_domains && self.is_in_trust_domain(&way.to);
        if way.registered.is_some_and(|registered| !self.is_reachable(&registered)) {
            return Err(flow_failed(&way, Outcome::FlowExpired));
        }
        let forwarded = self.forwarder.request_outwards(request, origin, &way);
        let Forwarded { to, message } = forwarded.map_err(Rejection::of_relay)?;
        match self.post(&to, message, Outcome::RequestRelayedOutwards) {
            Ok(()) => {
                self.note_sent_to(&to, request);
                Ok(())
            }
            Err(SendFailure::NoConnection | SendFailure::Unreachable) => {
                Err(flow_failed(&way, Outcome::ConnectionGone))
            }
            Err(failure) => {
                self.counters.count(failed(failure));
                Ok(())
            }
        }
    }

    /// Says whether what is sent to a registered phone can be answered, and that nobody else is there
    /// now. Over TLS the connection is both.
    fn is_reachable(&self, registered: &Registered) -> bool {
        let flow = &registered.flow;
        if !in_clear(flow) {
            return true;
        }
        let seal = self.forwarder.seal();
        match self.standing(flow, &self.evidence(flow)) {
            Standing::Proven(peer) => self
                .config
                .peers
                .get(peer)
                .is_some_and(|peer| registered.is_of(Registrant::Peer(&peer.name), seal)),
            Standing::NeedsDigest(_) => {
                match self.ledger().who_answered(flow, self.now()) {
                    Some(Holder::User(name)) => registered.is_of(Registrant::User(name), seal),
                    // Its holder is known by nothing but the place.
                    Some(Holder::Earlier) => true,
                    Some(
                        Holder::Peer(_)
                        | Holder::Returning(_)
                        | Holder::Operator
                        | Holder::Offender,
                    )
                    | None => false,
                }
            }
            Standing::Lacking => false,
        }
    }

    /// Says whether whoever is behind a flow is in our trust domain.
    pub(super) fn is_in_trust_domain(&self, flow: &Flow) -> bool {
        let standing = self.standing(flow, &self.evidence(flow));
        standing.peer(&self.config.peers).is_some_and(|peer| peer.trust_domain)
    }

    pub(super) fn standing(&self, flow: &Flow, evidence: &Evidence) -> Standing {
        Standing::of(evidence, flow, &self.config.peers, self.config.users.is_some())
    }
}

/// What a REGISTER is answered.
pub(super) fn answers_registration(response: &Message<'_>) -> bool {
    response.cseq().method.is(KnownMethod::Register)
}

pub(super) fn is_success(response: &Message<'_>) -> bool {
    matches!(response.start_line(), StartLine::Response { status, .. } if status / 100 == 2)
}

pub(super) fn in_clear(flow: &Flow) -> bool {
    flow.transport != Transport::Tls
}

/// RFC 5626 §5.3.1 has a status of its own for who was promised to hear of it.
const fn flow_failed(way: &WayOut, outcome: Outcome) -> Rejection {
    Rejection { status: if way.is_outbound { 430 } else { 480 }, outcome }
}
