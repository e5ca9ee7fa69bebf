use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sbc_common::SipHash;

use super::hiding::MOST_CONCEALED;
use super::keys::{Keys, mark, open_with, seal_with};
use super::loops::{LoopMark, MARK_LENGTH as LOOP_MARK_LENGTH};
use super::{DatedKey, KeyRing, Registered, Registrant, RoutingKey, TransactionFacts};
use crate::sip::Message;
use crate::transport::{Flow, Transport};

/// The magic cookie of RFC 3261 §8.1.1.7.
const COOKIE: &str = "z9hG4bK";
/// Transport and listener, address, port, connection.
const FLOW_LENGTH: usize = 2 + 16 + 2 + 8;
/// A flow without its connection.
const TARGET_LENGTH: usize = FLOW_LENGTH - 8;
/// The number of the key, the synthetic initialization vector, and what is sealed into the longest token,
/// an admission, in base64.
const TOKEN_LENGTH: usize = ((1 + 16 + FLOW_LENGTH + TARGET_LENGTH) * 4).div_ceil(3);
/// The same of the longest text that is concealed.
const CONCEALED_LENGTH: usize = (1 + 16 + MOST_CONCEALED) * 4 / 3 + 1;
/// Length of the tags in the `To` of our own answers: 9 bytes of MAC in base64.
const TAG_BYTES: usize = 9;
const TAG_LENGTH: usize = TAG_BYTES * 4 / 3;
/// What a token is for that is bound to no call.
const REGISTRATION: &[&[u8]] = &[b"register"];

/// Seals flows into tokens that travel in SIP messages and come back.
///
/// AES-SIV (RFC 5297) is deterministic, as a stateless proxy needs it: a retransmission gets the same
/// branch (RFC 3261 §16.11). What a token is for and the message that it belongs to are authenticated
/// with it, so that none can be used elsewhere; and nobody outside learns the addresses inside.
///
/// A token begins with the number of its key, and keys change while it lives.
pub struct TokenSeal {
    keys: ArcSwap<Keys>,
}

/// The tag of an answer of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTag([u8; TAG_LENGTH]);

impl OwnTag {
    /// The tag, a token; nobody without our key can tell it from random letters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TAG_LENGTH] {
        &self.0
    }
}

impl TokenSeal {
    /// Seals with `key`, for ever.
    #[must_use]
    pub fn new(key: RoutingKey) -> Self {
        let current = DatedKey { number: 0, begins: 0, key };
        Self { keys: ArcSwap::from_pointee(Keys::new(&current, &[], &[])) }
    }

    /// Seals with the key of `ring` that is in use at `now`, in seconds since 1970; `None` from a ring
    /// without keys.
    #[must_use]
    pub fn of(ring: &KeyRing, now: u64) -> Option<Self> {
        Some(Self { keys: ArcSwap::from_pointee(Keys::of(ring, now)?) })
    }

    /// The same keys, which others than those of `self` take what becomes of them.
    #[must_use]
    pub fn copied(&self) -> Self {
        Self { keys: ArcSwap::new(self.keys.load_full()) }
    }

    /// Takes what has become of the keys by `now`.
    pub fn take(&self, ring: &KeyRing, now: u64) {
        if let Some(keys) = Keys::of(ring, now) {
            self.keys.store(Arc::new(keys));
        }
    }

    /// What makes loop marks.
    pub(super) fn loops(&self) -> SipHash {
        SipHash::new(&self.keys.load().loops)
    }

    /// The branch under which a request from `origin` is forwarded.
    #[must_use]
    pub(super) fn branch(
        &self,
        facts: &TransactionFacts<'_>,
        origin: &Flow,
        mark: LoopMark,
    ) -> String {
        let (port, number) = (facts.port.to_be_bytes(), facts.number.to_be_bytes());
        let token = self.seal(&facts.headers(&port, &number), origin);
        [COOKIE, &token, mark.as_str()].concat()
    }

    /// Where the request came from that was forwarded under `branch`.
    #[must_use]
    pub fn origin(&self, facts: &TransactionFacts<'_>, branch: &[u8]) -> Option<Flow> {
        let (port, number) = (facts.port.to_be_bytes(), facts.number.to_be_bytes());
        let token =
            branch.strip_prefix(COOKIE.as_bytes())?.split_last_chunk::<LOOP_MARK_LENGTH>()?.0;
        self.open(&facts.headers(&port, &number), token)
    }

    /// The user part of the Record-Route URI by which the far end's requests in this dialog reach
    /// `near`.
    #[must_use]
    pub fn delivery(&self, call_id: &[u8], near: &Flow) -> String {
        self.seal(&[b"deliver", call_id], near)
    }

    /// Opens a [`delivery`](Self::delivery) token.
    #[must_use]
    pub fn delivered_to(&self, call_id: &[u8], token: &[u8]) -> Option<Flow> {
        self.open(&[b"deliver", call_id], token)
    }

    /// The user part of the Record-Route URI that admits the sender of `request`, who is at `near`, to
    /// the rest of the dialog, and says that it is with `target`.
    #[must_use]
    pub fn admission(&self, request: &Message<'_>, near: &Flow, target: &Flow) -> String {
        self.seal_bytes(&admission_headers(request), &admission_of(near, target))
    }

    /// The user part of the Record-Route URI that admits whoever `request` is sent to, at `near`, to the
    /// dialog that it makes, which is with `target`.
    #[must_use]
    pub fn admission_of_callee(&self, request: &Message<'_>, near: &Flow, target: &Flow) -> String {
        let caller_tag = request.from().tag.unwrap_or_default();
        let headers = callee_headers(request.call_id(), caller_tag, request.to().uri.raw);
        self.seal_bytes(&headers, &admission_of(near, target))
    }

    /// Says whether `token` admits a request of this dialog that came from `near`, under the identity
    /// that its sender had when it was admitted, and with the tag that its own end had, or the other one
    /// if the other began: a token is no proof for another caller, nor for another call under the same
    /// Call-ID.
    ///
    /// Over UDP the port must be the same too; a stream may have been connected anew.
    #[must_use]
    pub fn admits(&self, request: &Message<'_>, token: &[u8], near: &Flow) -> bool {
        let opened = self.opened_admission(request, token);
        let Some(admitted) = opened.and_then(|opened| read(opened.first_chunk()?)) else {
            return false;
        };
        admitted.transport == near.transport
            && admitted.remote.ip() == near.remote.ip()
            && (near.transport.is_stream() || admitted.remote.port() == near.remote.port())
    }

    /// The way to the target that has the dialog of a request which shows an admission to it.
    #[must_use]
    pub fn bound_for(&self, request: &Message<'_>, token: &[u8]) -> Option<Flow> {
        let opened = self.opened_admission(request, token)?;
        let (_, target) = opened.split_first_chunk::<FLOW_LENGTH>()?;
        let mut flow = [0; FLOW_LENGTH];
        flow.first_chunk_mut::<TARGET_LENGTH>()?
            .copy_from_slice(target.first_chunk::<TARGET_LENGTH>()?);
        read(&flow)
    }

    fn opened_admission(&self, request: &Message<'_>, token: &[u8]) -> Option<Vec<u8>> {
        // No other is as long, and most of what is asked about is another.
        if token.len() != TOKEN_LENGTH {
            return None;
        }
        let caller_tag = request.to().tag.unwrap_or_default();
        let as_callee = callee_headers(request.call_id(), caller_tag, request.from().uri.raw);
        let opened = self.open_bytes(&admission_headers(request), token);
        opened.or_else(|| self.open_bytes(&as_callee, token))
    }

    /// The user part of the Path URI by which requests reach a phone that `registrant` registered on
    /// `flow`. It is not bound to a call: it is there so that calls can begin.
    #[must_use]
    pub fn registration(&self, registrant: Registrant<'_>, flow: &Flow) -> String {
        let keys = self.keys.load();
        let mark = mark(&keys.current, registrant);
        seal_with(&keys.current, REGISTRATION, &[&written(flow)[..], &mark].concat())
    }

    /// Opens a [`registration`](Self::registration) token.
    #[must_use]
    pub fn registered(&self, token: &[u8]) -> Option<Registered> {
        if token.len() > TOKEN_LENGTH {
            return None;
        }
        let keys = self.keys.load();
        let (key_number, opened) = open_with(keys.accepted(), REGISTRATION, token)?;
        let (flow, mark) = opened.split_first_chunk()?;
        Some(Registered { flow: read(flow)?, mark: mark.try_into().ok()?, key_number })
    }

    /// Says whether a token was for this call or for a registration, and sealed by a key whose time is
    /// over.
    #[must_use]
    pub fn is_stale(&self, call_id: &[u8], token: &[u8]) -> bool {
        let keys = self.keys.load();
        let purposes: [&[&[u8]]; 2] = [&[b"deliver", call_id], REGISTRATION];
        token.len() <= TOKEN_LENGTH
            && purposes.iter().any(|headers| open_with(&keys.retired, headers, token).is_some())
    }

    /// Says whether a registration token was made for this registrant.
    pub(super) fn is_mark_of(&self, registered: &Registered, registrant: Registrant<'_>) -> bool {
        let keys = self.keys.load();
        let key = keys.accepted().find(|key| key.number == registered.key_number);
        key.is_some_and(|key| mark(key, registrant) == registered.mark)
    }

    /// The tag of our own answers to a request: the same for each retransmission, and recognised in
    /// the ACK.
    #[must_use]
    pub fn own_tag(&self, request: &Message<'_>) -> OwnTag {
        let (call_id, from_tag) = (request.call_id(), request.from().tag.unwrap_or_default());
        let mut mac = SipHash::new(&self.keys.load().tags);
        // Neither holds a zero byte: what is no text was refused by the scanner.
        for part in [call_id, b"\0", from_tag, b"\0", &request.cseq().number.to_be_bytes()] {
            mac.update(part);
        }
        let mut tag = OwnTag([0; TAG_LENGTH]);
        let mac = mac.finish();
        // It is as long as what is written.
        let _ = URL_SAFE_NO_PAD.encode_slice(mac.get(..TAG_BYTES).unwrap_or_default(), &mut tag.0);
        tag
    }

    /// A keyed hash of these parts for a purpose, none of which holds a zero byte.
    pub(super) fn marked(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 8] {
        let mut mac = SipHash::new(&self.keys.load().tags);
        for part in [purpose].iter().chain(parts) {
            mac.update(part);
            mac.update(b"\0");
        }
        mac.finish().first_chunk().copied().unwrap_or_default()
    }

    /// Where whoever a request was sent to was admitted, as the token in its response says.
    pub(super) fn admitted_callee(&self, response: &Message<'_>, token: &[u8]) -> Option<Flow> {
        let caller_tag = response.from().tag.unwrap_or_default();
        let headers = callee_headers(response.call_id(), caller_tag, response.to().uri.raw);
        read(self.open_bytes(&headers, token)?.first_chunk()?)
    }

    /// Seals a text of any length for the purpose that `headers` say.
    pub(super) fn conceal(&self, headers: &[&[u8]], text: &[u8]) -> String {
        seal_with(&self.keys.load().current, headers, text)
    }

    /// Opens what [`conceal`](Self::conceal) sealed.
    pub(super) fn reveal(&self, headers: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > CONCEALED_LENGTH {
            return None;
        }
        Some(open_with(self.keys.load().accepted(), headers, sealed)?.1)
    }

    fn seal(&self, headers: &[&[u8]], flow: &Flow) -> String {
        self.seal_bytes(headers, &written(flow))
    }

    fn seal_bytes(&self, headers: &[&[u8]], bytes: &[u8]) -> String {
        seal_with(&self.keys.load().current, headers, bytes)
    }

    fn open(&self, headers: &[&[u8]], token: &[u8]) -> Option<Flow> {
        read(self.open_bytes(headers, token)?.as_slice().try_into().ok()?)
    }

    fn open_bytes(&self, headers: &[&[u8]], token: &[u8]) -> Option<Vec<u8>> {
        if token.len() > TOKEN_LENGTH {
            return None;
        }
        Some(open_with(self.keys.load().accepted(), headers, token)?.1)
    }
}

fn admission_headers<'a>(request: &Message<'a>) -> [&'a [u8]; 4] {
    let from = request.from();
    [b"admit", request.call_id(), from.tag.unwrap_or_default(), from.uri.raw]
}

/// The callee's tag is not known while the call begins; the caller's names the dialog as well.
fn callee_headers<'a>(call_id: &'a [u8], caller_tag: &'a [u8], callee: &'a [u8]) -> [&'a [u8]; 4] {
    [b"admit-callee", call_id, caller_tag, callee]
}

fn written(flow: &Flow) -> [u8; FLOW_LENGTH] {
    let mut bytes = [0; FLOW_LENGTH];
    let address = match flow.remote.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let parts = [flow.transport as u8, flow.listener]
        .into_iter()
        .chain(address.octets())
        .chain(flow.remote.port().to_be_bytes())
        .chain(flow.connection.to_be_bytes());
    for (byte, part) in bytes.iter_mut().zip(parts) {
        *byte = part;
    }
    bytes
}

fn admission_of(near: &Flow, target: &Flow) -> Vec<u8> {
    let target = written(target);
    [&written(near)[..], target.get(..TARGET_LENGTH).unwrap_or_default()].concat()
}

fn read(bytes: &[u8; FLOW_LENGTH]) -> Option<Flow> {
    let ([transport, listener], rest) = bytes.split_first_chunk()?;
    let (address, rest) = rest.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (connection, _) = rest.split_first_chunk::<8>()?;
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
    Some(Flow {
        transport: transports.into_iter().find(|known| *known as u8 == *transport)?,
        listener: *listener,
        remote: SocketAddr::new(Ipv6Addr::from(*address).to_canonical(), u16::from_be_bytes(*port)),
        connection: u64::from_be_bytes(*connection),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Rotation;

    const INVITE: &[u8] = b"INVITE sip:bob@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKabc\r\n\
        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n\
        Call-ID: one\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n";

    fn seal() -> TokenSeal {
        TokenSeal::new(RoutingKey::new([7; 32]))
    }

    fn branch(facts: &TransactionFacts<'_>, origin: &Flow) -> String {
        seal().branch(facts, origin, LoopMark::default())
    }

    fn flow(transport: Transport, remote: &str) -> Flow {
        Flow { transport, listener: 3, remote: remote.parse().unwrap(), connection: 9 }
    }

    #[test]
    fn a_response_finds_the_flow_that_its_request_came_from() {
        let request = Message::scan(INVITE).unwrap();
        let origin = flow(Transport::Tls, "[2001:db8::1]:61000");
        let branch = branch(&TransactionFacts::of_request(&request), &origin);

        let response = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch={branch}\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKabc;received=198.51.100.7\r\n\
             From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=2\r\n\
             Call-ID: one\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        let response = Message::scan(response.as_bytes()).unwrap();
        let facts = TransactionFacts::of_response(&response).unwrap();
        assert_eq!(seal().origin(&facts, branch.as_bytes()), Some(origin));
    }

    #[test]
    fn a_branch_is_good_for_its_own_transaction_only() {
        let request = Message::scan(INVITE).unwrap();
        let facts = TransactionFacts::of_request(&request);
        let branch = branch(&facts, &flow(Transport::Udp, "198.51.100.7:5060"));

        let next = String::from_utf8_lossy(INVITE).replace("CSeq: 7", "CSeq: 8");
        let next = Message::scan(next.as_bytes()).unwrap();
        let other = TransactionFacts::of_request(&next);
        assert_eq!(seal().origin(&other, branch.as_bytes()), None);
        let stranger = TokenSeal::new(RoutingKey::new([8; 32]));
        assert_eq!(stranger.origin(&facts, branch.as_bytes()), None);
    }

    #[test]
    fn a_retransmission_gets_the_same_branch() {
        let request = Message::scan(INVITE).unwrap();
        let facts = TransactionFacts::of_request(&request);
        let origin = flow(Transport::Udp, "198.51.100.7:5060");
        assert_eq!(branch(&facts, &origin), branch(&facts, &origin));
    }

    #[test]
    fn a_branch_does_not_show_the_address_that_it_carries() {
        let request = Message::scan(INVITE).unwrap();
        let origin = flow(Transport::Udp, "10.0.0.5:5060");
        let branch = branch(&TransactionFacts::of_request(&request), &origin);
        let token = branch.strip_prefix("z9hG4bK").unwrap().strip_suffix("--------").unwrap();
        let sealed = URL_SAFE_NO_PAD.decode(token).unwrap();
        assert!(!sealed.windows(4).any(|window| window == [10, 0, 0, 5]));
    }

    #[test]
    fn an_admission_is_bound_to_its_dialog_and_to_the_source_that_got_it() {
        let request = Message::scan(INVITE).unwrap();
        let near = flow(Transport::Udp, "198.51.100.7:5060");
        let token = seal().admission(&request, &near, &near);

        assert!(seal().admits(&request, token.as_bytes(), &near));
        let neighbour = flow(Transport::Udp, "198.51.100.7:5061");
        assert!(!seal().admits(&request, token.as_bytes(), &neighbour));
        let other_transport = flow(Transport::Tcp, "198.51.100.7:5060");
        assert!(!seal().admits(&request, token.as_bytes(), &other_transport));
        for (part, other) in
            [("Call-ID: one", "Call-ID: two"), ("tag=1", "tag=2"), ("alice", "ceo")]
        {
            let text = String::from_utf8_lossy(INVITE).replace(part, other);
            let request = Message::scan(text.as_bytes()).unwrap();
            assert!(!seal().admits(&request, token.as_bytes(), &near), "{other}");
        }
    }

    #[test]
    fn an_admission_survives_a_stream_that_is_connected_anew() {
        let request = Message::scan(INVITE).unwrap();
        let near = flow(Transport::Tls, "198.51.100.7:40000");
        let token = seal().admission(&request, &near, &near);
        let anew = flow(Transport::Tls, "198.51.100.7:40001");
        assert!(seal().admits(&request, token.as_bytes(), &anew));
    }

    #[test]
    fn an_admission_says_which_target_has_the_dialog() {
        let request = Message::scan(INVITE).unwrap();
        let near = flow(Transport::Tls, "198.51.100.7:40000");
        let target = Flow { connection: 0, ..flow(Transport::Tcp, "[2001:db8::5]:5060") };
        let token = seal().admission(&request, &near, &target);
        assert!(token.len() <= TOKEN_LENGTH);
        assert_eq!(seal().bound_for(&request, token.as_bytes()), Some(target));
        let delivery = seal().delivery(b"one", &near);
        assert_eq!(seal().bound_for(&request, delivery.as_bytes()), None);
    }

    #[test]
    fn a_token_of_one_purpose_is_refused_for_another() {
        let request = Message::scan(INVITE).unwrap();
        let near = flow(Transport::Udp, "198.51.100.7:5060");
        let delivery = seal().delivery(b"one", &near);
        assert!(!seal().admits(&request, delivery.as_bytes(), &near));
        assert_eq!(seal().delivered_to(b"one", delivery.as_bytes()), Some(near));
        let admission = seal().admission(&request, &near, &near);
        assert_eq!(seal().delivered_to(b"one", admission.as_bytes()), None);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [&b""[..], b"AAAA", b"!!!!", &[b'A'; 4096]] {
            assert_eq!(seal().delivered_to(b"one", text), None);
        }
    }

    #[test]
    fn who_began_before_a_change_of_keys_and_who_after_mark_alike() {
        let rotation = Rotation {
            period: std::time::Duration::from_secs(1000),
            overlap: std::time::Duration::from_secs(1000),
        };
        let key = |number, begins| DatedKey { number, begins, key: RoutingKey::new([number; 32]) };
        let ring = KeyRing::of(vec![key(1, 0), key(2, 1000)], rotation).unwrap();
        let (older, newer) =
            (TokenSeal::of(&ring, 999).unwrap(), TokenSeal::of(&ring, 1001).unwrap());
        let request = Message::scan(INVITE).unwrap();
        assert_ne!(older.own_tag(&request), newer.own_tag(&request));
        older.take(&ring, 1001);
        assert_eq!(older.own_tag(&request), newer.own_tag(&request));
        let mark = |seal: &TokenSeal| seal.loops().finish();
        assert_eq!(mark(&older), mark(&newer));
    }
}
