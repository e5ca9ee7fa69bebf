use rsip::Method as KnownMethod;

use super::options::with_capabilities;
use super::{Evidence, Outcome};
use crate::session::{RelayRefusal, TokenSeal};
use crate::sip::{Message, Reply, RewriteError, StartLine};
use crate::transport::Flow;

/// Seconds after which whoever was put off may come back at the earliest; at the latest after twice as
/// many.
const SHORTEST_WAIT: u8 = 10;

/// An answer to a request that is not relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status of the answer.
    pub status: u16,
    /// What it is counted as.
    pub outcome: Outcome,
}

impl Rejection {
    /// The answer to a request that the relay did not take.
    #[must_use]
    pub const fn of_relay(refusal: RelayRefusal) -> Self {
        let (status, outcome) = match refusal {
            RelayRefusal::TooManyHops => (483, Outcome::TooManyHops),
            RelayRefusal::Loop => (482, Outcome::LoopDetected),
            RelayRefusal::UnknownScheme => (416, Outcome::UnknownScheme),
            RelayRefusal::BadExtension => (420, Outcome::BadExtension),
            RelayRefusal::NoRoute | RelayRefusal::NotOurs => (404, Outcome::NoRoute),
            RelayRefusal::NoTarget => (503, Outcome::UpstreamDown),
            RelayRefusal::ForgedRoute => (403, Outcome::ForgedRoute),
            RelayRefusal::TooMuchToHide => (513, Outcome::TooMuchToHide),
            RelayRefusal::StaleRoute => (480, Outcome::StaleRoute),
            RelayRefusal::PrivacyUnavailable => (500, Outcome::PrivacyUnavailable),
            RelayRefusal::Unwritable(RewriteError::TooLarge | RewriteError::TooManyHeaders) => {
                (513, Outcome::MessageTooLarge)
            }
            RelayRefusal::Unwritable(_) => (400, Outcome::Malformed),
        };
        Self { status, outcome }
    }

    /// Writes the answer, or says why there is none: an ACK is not answered, and neither is who would
    /// get more bytes than it sent and may be somebody else than it says.
    pub fn answer(
        &self,
        seal: &TokenSeal,
        request: &Message<'_>,
        flow: &Flow,
        evidence: &Evidence,
    ) -> Result<Vec<u8>, Outcome> {
        if matches!(request.start_line(),
            StartLine::Request { method, .. } if method.is(KnownMethod::Ack))
        {
            return Err(self.outcome);
        }
        let mut reply = begin_reply(Vec::new(), seal, request, flow, self.status);
        if self.status == 503 {
            reply = reply.header("Retry-After", seconds_to_wait(seal, request).to_string());
        }
        let limit = reply_limit(request, flow, evidence);
        // Nothing but OPTIONS is accepted by us. Whom the operator vouches for, and who may be forged, is told
        // that we live, and what we can do if that makes the answer no larger than the question.
        if self.status == 200 {
            let whole = with_capabilities(reply.clone()).finish().map_err(|_| self.outcome)?;
            let told = if whole.len() <= limit { Ok(whole) } else { reply.finish() };
            return told.map_err(|_| self.outcome);
        }
        let reply = reply.finish().map_err(|_| self.outcome)?;
        if reply.len() > limit {
            return Err(Outcome::WouldAmplify);
        }
        Ok(reply)
    }
}

/// When to come back (RFC 3261 §20.33): the same for each retransmission, and not the same for everybody.
fn seconds_to_wait(seal: &TokenSeal, request: &Message<'_>) -> u8 {
    let [random, ..] = *seal.own_tag(request).as_bytes();
    SHORTEST_WAIT + random % SHORTEST_WAIT
}

pub(super) fn begin_reply(
    buffer: Vec<u8>,
    seal: &TokenSeal,
    request: &Message<'_>,
    flow: &Flow,
    status: u16,
) -> Reply {
    Reply::within(buffer, request, status, flow.remote, seal.own_tag(request).as_bytes())
}

/// How many bytes an answer may have. Whoever has shown that it receives at its address gets what
/// there is to say; anybody else gets no more than he sent, so that we amplify nothing.
pub(super) fn reply_limit(request: &Message<'_>, flow: &Flow, evidence: &Evidence) -> usize {
    let is_proven = flow.transport.is_stream() || evidence.has_answered;
    if is_proven { usize::MAX } else { request.bytes().len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RoutingKey;

    const REQUEST: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:alice@example.com>;tag=1\r\n\
        To: <sip:bob@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
        Proxy-Require: sec-agree\r\nContent-Length: 0\r\n\r\n";

    fn answer(request: &str, refusal: RelayRefusal) -> Result<String, Outcome> {
        let request = Message::scan(request.as_bytes()).unwrap();
        let seal = TokenSeal::new(RoutingKey::new([7; 32]));
        let flow = Flow::udp(0, "192.0.2.1:5060".parse().unwrap());
        let evidence = Evidence { has_answered: true, ..Evidence::default() };
        let reply = Rejection::of_relay(refusal).answer(&seal, &request, &flow, &evidence);
        reply.map(|reply| String::from_utf8(reply).unwrap())
    }

    #[test]
    fn a_420_names_the_extensions_that_were_asked_for() {
        let reply = answer(REQUEST, RelayRefusal::BadExtension).unwrap();
        assert!(reply.starts_with("SIP/2.0 420 "), "{reply}");
        assert!(reply.contains("\r\nUnsupported: sec-agree\r\n"), "{reply}");
    }

    #[test]
    fn each_refusal_of_the_relay_has_its_status() {
        for (refusal, status) in [
            (RelayRefusal::TooManyHops, "483"),
            (RelayRefusal::Loop, "482"),
            (RelayRefusal::UnknownScheme, "416"),
            (RelayRefusal::NoRoute, "404"),
            (RelayRefusal::NoTarget, "503"),
            (RelayRefusal::ForgedRoute, "403"),
            (RelayRefusal::StaleRoute, "480"),
            (RelayRefusal::TooMuchToHide, "513"),
            (RelayRefusal::PrivacyUnavailable, "500"),
            (RelayRefusal::Unwritable(RewriteError::TooLarge), "513"),
            (RelayRefusal::Unwritable(RewriteError::TooManyHeaders), "513"),
            (RelayRefusal::Unwritable(RewriteError::Overlap), "400"),
        ] {
            let reply = answer(REQUEST, refusal).unwrap();
            assert_eq!(reply.split(' ').nth(1), Some(status));
        }
    }

    #[test]
    fn an_ack_is_not_answered() {
        let ack = REQUEST.replace("INVITE", "ACK");
        assert_eq!(answer(&ack, RelayRefusal::TooManyHops), Err(Outcome::TooManyHops));
    }
}
