use super::TokenSeal;
use crate::sip::{Header, HeaderKind, Message, Rewrite};
use crate::transport::Flow;

/// Who registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registrant<'a> {
    /// A user of the users file, by name.
    User(&'a str),
    /// A peer of the configuration, by name.
    Peer(&'a str),
}

/// Bytes of a [`Registrant`]'s mark.
pub(super) const MARK_LENGTH: usize = 8;

/// What the token in the Path of a registration says (RFC 3327, RFC 5626 §5.2): where the phone is, and
/// whose it was.
///
/// It lasts for as long as the registrar keeps it; that the flow is still the registrant's is for its
/// reader to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The flow that the registration came on.
    pub flow: Flow,
    pub(super) mark: [u8; MARK_LENGTH],
    pub(super) key_number: u8,
}

impl Registered {
    /// Says whether it was this one who registered.
    #[must_use]
    pub fn is_of(&self, registrant: Registrant<'_>, seal: &TokenSeal) -> bool {
        seal.is_mark_of(self, registrant)
    }
}

/// Says whether the first hop of a registration may promise that its flow outlasts the request
/// (RFC 5626 §5.1): the phone asks for it, nobody else is in between, and its keepalives are answered,
/// which over UDP would have to be by STUN.
pub(super) fn is_outbound(register: &Message<'_>, origin: &Flow) -> bool {
    origin.transport.is_stream()
        && supports(register, b"outbound")
        && register.contacts().any(|contact| contact.param(b"reg-id").is_some())
        && register.values(HeaderKind::Via).nth(1).is_none()
}

/// Puts our Path in front of those that others have written, if any. A registrar may refuse a Path that
/// nobody says is supported (RFC 3327 §5.3); most phones say nothing, and need not do anything for it.
pub(super) fn add_path(rewrite: &mut Rewrite<'_>, register: &Message<'_>, uri: &str) {
    rewrite.insert_before_first(HeaderKind::Path, "Path", uri);
    if !supports(register, b"path") {
        rewrite.append("Supported", "path");
    }
}

fn supports(request: &Message<'_>, extension: &[u8]) -> bool {
    request
        .values(HeaderKind::Supported)
        .any(|supported| supported.bytes.eq_ignore_ascii_case(extension))
}

/// For how many seconds a registrar has granted what it lists in its 2xx to a REGISTER (RFC 3261 §10.3
/// item 8): the longest of all bindings, since it does not say which of them was asked for. `None` if
/// there is none.
#[must_use]
pub fn granted_seconds(response: &Message<'_>) -> Option<u32> {
    lifetimes(response).map(|(_, seconds)| seconds).max()
}

/// Has the phone come back after `longest` seconds, wherever it was granted more.
pub(super) fn shorten(rewrite: &mut Rewrite<'_>, response: &Message<'_>, longest: u32) {
    for (text, _) in lifetimes(response).filter(|(_, seconds)| *seconds > longest) {
        rewrite.replace_part(text, longest.to_string());
    }
}

/// What is written of lifetimes, as text and in seconds: with each Contact, and once for all that have
/// none.
fn lifetimes<'m>(response: &Message<'m>) -> impl Iterator<Item = (&'m [u8], u32)> {
    let of_contacts = response.contacts().filter_map(|contact| contact.param(b"expires"));
    let has_contacts = |_: &Header<'_>| response.contacts().next().is_some();
    let of_all = response.header(HeaderKind::Expires).filter(has_contacts);
    of_contacts
        .chain(of_all.map(|header| header.value))
        .filter_map(|text| Some((text, seconds(text)?)))
}

/// More than 2^32-1 seconds are as good as that (RFC 3261 §20.19 has no more).
fn seconds(text: &[u8]) -> Option<u32> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let add = |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    is_number.then(|| text.iter().fold(0, add))
}
