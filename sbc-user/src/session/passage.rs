//! What is known of a request while the upstream decides whether its sender is a user: it travels in our Via,
//! and what is known of the upstream's challenge in the challenge.

use std::net::{IpAddr, SocketAddr};

use super::hiding::MOST_CONCEALED;
use super::{TokenSeal, TransactionFacts};
use crate::proof::digest::UnixMillis;
use crate::sip::{Message, StartLine};

const SUBJECT_LENGTH: usize = 8;
const PORT_LENGTH: usize = 2;
/// Seconds since 1970.
const TIME_LENGTH: usize = 4;
const IS_KNOWN: u8 = 1;
const WAS_STALE: u8 = 2;
const IS_PROOF: u8 = 4;

/// What a request asks for, as far as that decides whether the upstream asks who its sender is: the method, the
/// Request-URI, From and To without their tags, and Call-ID; as a keyed hash, so that nobody finds two that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject([u8; SUBJECT_LENGTH]);

/// As what a request was passed to the upstream. Sealed, it is a parameter of our Via, good for one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Whether its sender had proved himself before, or was admitted to its dialog.
    pub is_known: bool,
    /// Whether credentials were taken away that were the answer to a challenge which is no longer good.
    pub was_stale: bool,
    /// Whether the upstream's acceptance proves its sender: it was the answer to a challenge of the upstream's
    /// to the same request.
    pub is_proof: bool,
    /// What it asks for.
    pub subject: Subject,
    /// Name and realm of the user whom its credentials name; `None` if it has none.
    pub user: Option<(String, String)>,
}

/// A challenge of the upstream's, as it was passed on. Sealed together with its realm and nonce, it is what the
/// challenge has as `opaque`, which a client returns unchanged (RFC 7616 §3.3). It is as short as it can be: some
/// clients cut it off at 63 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whom it was passed to.
    pub to: SocketAddr,
    /// When, to the second.
    pub passed: UnixMillis,
    /// What was asked for.
    pub subject: Subject,
    /// The upstream's own `opaque`.
    pub opaque: Option<Vec<u8>>,
}

impl Passage {
    /// Of a request of which nobody knows what it was passed on as.
    #[must_use]
    pub const fn unmarked(is_known: bool) -> Self {
        let subject = Subject([0; SUBJECT_LENGTH]);
        Self { is_known, was_stale: false, is_proof: false, subject, user: None }
    }
}

impl TokenSeal {
    /// Reads what a request asks for.
    #[must_use]
    pub fn subject(&self, request: &Message<'_>) -> Subject {
        let uri = match request.start_line() {
            StartLine::Request { uri, .. } => uri.raw,
            StartLine::Response { .. } => b"",
        };
        let (from, to) = (request.from().uri.raw, request.to().uri.raw);
        let method = request.cseq().method;
        let parts = [method.as_bytes(), uri, from, to, request.call_id()];
        Subject(self.marked(b"subject", &parts))
    }

    /// Seals what a request is passed on as.
    pub(super) fn passage(&self, facts: &TransactionFacts<'_>, passage: &Passage) -> String {
        let (port, number) = (facts.port.to_be_bytes(), facts.number.to_be_bytes());
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(passage.is_known, IS_KNOWN)
            | flag(passage.was_stale, WAS_STALE)
            | flag(passage.is_proof, IS_PROOF);
        let mut bytes = [&[flags][..], &passage.subject.0].concat();
        if let Some((name, realm)) = &passage.user {
            bytes.extend([name.as_bytes(), b"\n", realm.as_bytes()].concat());
        }
        self.conceal(&passage_headers(facts, &port, &number), &bytes)
    }

    /// Opens what a response brings back of it.
    pub(super) fn passage_of(&self, facts: &TransactionFacts<'_>, token: &[u8]) -> Option<Passage> {
        let (port, number) = (facts.port.to_be_bytes(), facts.number.to_be_bytes());
        let opened = self.reveal(&passage_headers(facts, &port, &number), token)?;
        let (flags, rest) = opened.split_first()?;
        let (subject, user) = rest.split_first_chunk()?;
        let user = std::str::from_utf8(user).ok()?.split_once('\n');
        Some(Passage {
            is_known: flags & IS_KNOWN != 0,
            was_stale: flags & WAS_STALE != 0,
            is_proof: flags & IS_PROOF != 0,
            subject: Subject(*subject),
            user: user.map(|(name, realm)| (name.to_owned(), realm.to_owned())),
        })
    }

    /// Seals what a challenge was passed on as; `None` if the upstream's own `opaque` is too long for that.
    pub(super) fn ticket(&self, realm: &[u8], nonce: &[u8], ticket: &Ticket) -> Option<String> {
        let seconds = u32::try_from(ticket.passed.0 / 1000).unwrap_or(u32::MAX);
        let (port, subject) = (ticket.to.port().to_be_bytes(), ticket.subject.0);
        let mut bytes = [&port[..], &seconds.to_be_bytes(), &subject].concat();
        if let Some(opaque) = &ticket.opaque {
            bytes.push(b'"');
            bytes.extend_from_slice(opaque);
        }
        // What could not be opened again would only be in the way.
        let fits = bytes.len() <= MOST_CONCEALED;
        let address = octets(ticket.to.ip());
        fits.then(|| self.conceal(&ticket_headers(&address, realm, nonce), &bytes))
    }

    /// Opens what credentials for this realm and nonce bring back of it from the address that it went to.
    #[must_use]
    pub fn ticket_of(
        &self,
        realm: &[u8],
        nonce: &[u8],
        address: IpAddr,
        opaque: &[u8],
    ) -> Option<Ticket> {
        let octets = octets(address);
        let opened = self.reveal(&ticket_headers(&octets, realm, nonce), opaque)?;
        let (port, rest) = opened.split_first_chunk::<PORT_LENGTH>()?;
        let (seconds, rest) = rest.split_first_chunk::<TIME_LENGTH>()?;
        let (subject, opaque) = rest.split_first_chunk::<SUBJECT_LENGTH>()?;
        Some(Ticket {
            to: SocketAddr::new(address, u16::from_be_bytes(*port)),
            passed: UnixMillis(u64::from(u32::from_be_bytes(*seconds)).saturating_mul(1000)),
            subject: Subject(*subject),
            opaque: opaque.split_first().map(|(_, opaque)| opaque.to_vec()),
        })
    }
}

fn passage_headers<'a>(
    facts: &'a TransactionFacts<'a>,
    port: &'a [u8],
    number: &'a [u8],
) -> [&'a [u8]; 7] {
    let [_, transaction @ ..] = facts.headers(port, number);
    let [branch, sent_by, port, call_id, from_tag, number] = transaction;
    [b"passage", branch, sent_by, port, call_id, from_tag, number]
}

fn ticket_headers<'a>(address: &'a [u8], realm: &'a [u8], nonce: &'a [u8]) -> [&'a [u8]; 4] {
    [b"ticket", address, realm, nonce]
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RoutingKey;
    use crate::transport::Flow;

    const REGISTER: &str = "REGISTER sip:example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKabc\r\n\
        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\n\
        Call-ID: one\r\nCSeq: 7 REGISTER\r\nContent-Length: 0\r\n\r\n";

    fn seal() -> TokenSeal {
        TokenSeal::new(RoutingKey::new([7; 32]))
    }

    fn subject(text: &str) -> Subject {
        seal().subject(&Message::scan(text.as_bytes()).unwrap())
    }

    fn passage() -> Passage {
        Passage {
            is_known: false,
            was_stale: true,
            is_proof: true,
            subject: subject(REGISTER),
            user: Some(("alice".to_owned(), "example.com".to_owned())),
        }
    }

    #[test]
    fn what_a_request_asks_for_is_the_same_when_it_is_repeated_with_credentials() {
        let again = REGISTER.replace("CSeq: 7", "CSeq: 8").replace("tag=1", "tag=2");
        assert_eq!(subject(REGISTER), subject(&again.replace("abc", "def")));
        for (part, other) in [
            ("REGISTER sip:example.com", "REGISTER sip:example.net"),
            ("From: <sip:alice", "From: <sip:bob"),
            ("To: <sip:alice", "To: <sip:bob"),
            ("Call-ID: one", "Call-ID: two"),
            ("REGISTER", "INVITE"),
        ] {
            assert_ne!(subject(REGISTER), subject(&REGISTER.replace(part, other)), "{other}");
        }
    }

    #[test]
    fn a_passage_is_good_for_its_own_transaction_only() {
        let request = Message::scan(REGISTER.as_bytes()).unwrap();
        let facts = TransactionFacts::of_request(&request);
        for passage in [passage(), Passage { user: None, is_known: true, ..passage() }] {
            let token = seal().passage(&facts, &passage);
            assert_eq!(seal().passage_of(&facts, token.as_bytes()), Some(passage));
            let other = REGISTER.replace("CSeq: 7", "CSeq: 8");
            let other = Message::scan(other.as_bytes()).unwrap();
            let other = TransactionFacts::of_request(&other);
            assert_eq!(seal().passage_of(&other, token.as_bytes()), None);
        }
        let flow = Flow::udp(0, "192.0.2.1:5060".parse().unwrap());
        let delivery = seal().delivery(b"one", &flow);
        assert_eq!(seal().passage_of(&facts, delivery.as_bytes()), None);
    }

    #[test]
    fn a_ticket_is_good_for_its_own_challenge_and_address_only() {
        for (to, opaque) in [
            ("198.51.100.7:5060", None),
            ("198.51.100.7:5060", Some(Vec::new())),
            ("[2001:db8::7]:5060", Some(b"theirs".to_vec())),
        ] {
            let to: SocketAddr = to.parse().unwrap();
            let passed = UnixMillis(1_700_000_000_000);
            let ticket = Ticket { to, passed, subject: subject(REGISTER), opaque };
            let sealed = seal().ticket(b"realm", b"nonce", &ticket).unwrap();
            assert!(sealed.len() < 64, "{sealed}");
            let open = |seal: TokenSeal, realm: &str, nonce: &str, address| {
                seal.ticket_of(realm.as_bytes(), nonce.as_bytes(), address, sealed.as_bytes())
            };
            assert_eq!(open(seal(), "realm", "nonce", to.ip()), Some(ticket));
            assert_eq!(open(seal(), "realm", "nonc", to.ip()), None);
            assert_eq!(open(seal(), "realmn", "once", to.ip()), None);
            assert_eq!(open(seal(), "realm", "nonce", "198.51.100.8".parse().unwrap()), None);
            let stranger = TokenSeal::new(RoutingKey::new([8; 32]));
            assert_eq!(open(stranger, "realm", "nonce", to.ip()), None);
        }
        let (to, opaque) = ("192.0.2.1:1".parse().unwrap(), Some(vec![b'x'; 2000]));
        let ticket = Ticket { to, passed: UnixMillis(1), subject: subject(REGISTER), opaque };
        assert_eq!(seal().ticket(b"realm", b"nonce", &ticket), None);
    }
}
