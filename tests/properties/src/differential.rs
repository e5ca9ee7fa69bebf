//! We and another reader, side by side.

use std::borrow::Cow;

use bytes::Bytes;
use sbc_user::sip::{HeaderKind, Message, NameAddr, Scheme, StartLine, Uri};
use sipx_sip::headers::{self, Address, ContactValue};
use sipx_sip::message::TypedHeader;
use sipx_sip::{Host, Limits, PAssertedIdentity, PPreferredIdentity};

/// What another reader accepts of a message that we accept, it understands as we do: who calls whom, where it came
/// from and goes, and where it ends.
///
/// What only one of the two accepts is no finding. The exceptions are written where they are made, with the reason.
pub fn differential(bytes: &[u8]) {
    let Ok(ours) = Message::scan(bytes) else { return };
    let limits = Limits {
        max_header_bytes: usize::MAX,
        max_folding_lines: usize::MAX,
        ..Limits::datagram()
    };
    let Ok(theirs) = sipx_sip::parse_datagram(Bytes::copy_from_slice(bytes), &limits) else {
        return;
    };
    compare_frame(&ours, &theirs);
    compare_call(&ours, &theirs);
    compare_via(&ours, &theirs);
    compare_addresses(&ours, &theirs);
}

/// Where the message begins and ends, and which lines it has.
fn compare_frame(ours: &Message<'_>, theirs: &sipx_sip::Message) {
    assert_eq!(theirs.body(), ours.body());
    match (ours.start_line(), theirs) {
        (StartLine::Request { method, uri }, sipx_sip::Message::Request(request)) => {
            assert_eq!(request.method.as_bytes(), method.as_bytes());
            assert_eq!(Read::theirs(&request.uri), Read::ours(&uri));
        }
        (StartLine::Response { status }, sipx_sip::Message::Response(response)) => {
            assert_eq!(response.status.code(), status);
        }
        (ours, _) => panic!("{ours:?} is of another kind for the other"),
    }
    let ours: Vec<_> = ours.headers().collect();
    assert_eq!(theirs.headers().len(), ours.len());
    for (own, other) in ours.iter().zip(theirs.headers().iter()) {
        let name = HeaderKind::of(other.name().canonical());
        assert_eq!(name, own.kind, "{}", own.name.escape_ascii());
        assert_eq!(unfolded(&other.value()), unfolded(own.value));
    }
}

/// Who calls whom in which call.
fn compare_call(ours: &Message<'_>, theirs: &sipx_sip::Message) {
    if let Some(from) = decoded::<headers::From>(theirs, "From") {
        compare_address(&ours.from(), &from);
    }
    if let Some(to) = decoded::<headers::To>(theirs, "To") {
        compare_address(&ours.to(), &to);
    }
    if let Some(call_id) = decoded::<headers::CallId>(theirs, "Call-ID") {
        assert_eq!(call_id.0, ours.call_id());
    }
    if let Some(cseq) = decoded::<headers::CSeq>(theirs, "CSeq") {
        assert_eq!(cseq.sequence, ours.cseq().number);
        assert_eq!(cseq.method.as_bytes(), ours.cseq().method.as_bytes());
    }
    if let Some(Ok(hops)) = theirs.headers().typed::<headers::MaxForwards>() {
        assert_eq!(Some(u32::from(hops.0)), ours.max_forwards());
    }
}

/// Where it came from.
fn compare_via(ours: &Message<'_>, theirs: &sipx_sip::Message) {
    let Some(theirs) = decoded::<headers::Via>(theirs, "Via") else { return };
    let ours = ours.top_via();
    assert_eq!(theirs.transport, ours.transport);
    assert_eq!(host(&theirs.host), normal_host(ours.host));
    assert_eq!(theirs.port, ours.port);
    assert_eq!(theirs.branch(), ours.branch);
    assert_eq!(theirs.received(), ours.received);
}

/// Where it goes, and who vouches for whom.
fn compare_addresses(ours: &Message<'_>, theirs: &sipx_sip::Message) {
    let addresses = |value: ContactValue| match value {
        ContactValue::Wildcard => None,
        ContactValue::Address(address) => Some(address),
    };
    compare_list(ours, HeaderKind::Contact, all::<ContactValue>(theirs), addresses);
    compare_list(ours, HeaderKind::Route, all::<headers::Route>(theirs), |it| Some(it.0));
    let recorded = all::<headers::RecordRoute>(theirs);
    compare_list(ours, HeaderKind::RecordRoute, recorded, |it| Some(it.0));
    let asserted = all::<PAssertedIdentity>(theirs);
    compare_list(ours, HeaderKind::PAssertedIdentity, asserted, |it| Some(it.address().clone()));
    let preferred = all::<PPreferredIdentity>(theirs);
    compare_list(ours, HeaderKind::PPreferredIdentity, preferred, |it| Some(it.address().clone()));
}

fn compare_list<H>(
    ours: &Message<'_>,
    kind: HeaderKind,
    theirs: Option<Vec<H>>,
    address: impl Fn(H) -> Option<Address>,
) {
    let Some(theirs) = theirs else { return };
    let theirs: Vec<Address> = theirs.into_iter().filter_map(address).collect();
    let ours: Vec<NameAddr<'_>> = ours.addresses(kind).collect();
    assert_eq!(theirs.len(), ours.len(), "{}", kind.name());
    for (own, other) in ours.iter().zip(&theirs) {
        compare_address(own, other);
    }
}

fn compare_address(ours: &NameAddr<'_>, theirs: &Address) {
    assert_eq!(Read::theirs(&theirs.uri), Read::ours(&ours.uri), "{}", ours.raw.escape_ascii());
    assert_eq!(theirs.tag(), ours.tag, "{}", ours.raw.escape_ascii());
}

/// A header that we read as well; `None` if the other cannot read it.
fn decoded<H: TypedHeader>(theirs: &sipx_sip::Message, name: &str) -> Option<H> {
    match theirs.headers().typed::<H>() {
        Some(read) => read.ok(),
        None => panic!("{name} is not there for the other"),
    }
}

/// All values of a header; `None` if the other cannot read one of them.
fn all<H: TypedHeader>(theirs: &sipx_sip::Message) -> Option<Vec<H>> {
    theirs.headers().typed_all::<H>().collect::<Result<_, _>>().ok()
}

/// A URI as far as it names someone.
#[derive(Debug, PartialEq, Eq)]
enum Read<'a> {
    Sip { secure: bool, user: Option<&'a [u8]>, host: String, port: Option<u16> },
    Other(Cow<'a, [u8]>),
}

impl<'a> Read<'a> {
    fn ours(uri: &Uri<'a>) -> Self {
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => Self::Sip {
                secure: uri.scheme == Scheme::Sips,
                user: uri.user,
                host: normal_host(uri.host),
                port: uri.port,
            },
            Scheme::Tel | Scheme::Other(_) => Self::Other(uri.raw.into()),
        }
    }

    fn theirs(uri: &'a sipx_sip::Uri) -> Self {
        match uri.host() {
            Some(name) => Self::Sip {
                secure: uri.scheme().is_secure(),
                user: uri.user(),
                host: host(name),
                port: uri.port(),
            },
            None => Self::Other(uri.to_bytes().to_vec().into()),
        }
    }
}

fn host(host: &Host) -> String {
    String::from_utf8_lossy(&host.to_bytes()).to_ascii_lowercase()
}

/// A host as the other writes it: addresses in their shortest form, without brackets.
fn normal_host(host: &[u8]) -> String {
    let text = String::from_utf8_lossy(host).to_ascii_lowercase();
    let address = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match address.and_then(|address| address.parse::<std::net::Ipv6Addr>().ok()) {
        Some(address) => address.to_string(),
        None => text,
    }
}

/// Without any white space: where a line is folded, how much of it is left is a matter of taste.
fn unfolded(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect()
}
