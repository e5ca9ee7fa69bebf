//! Who is told who calls, though the caller wants that to stay private (RFC 3323, RFC 3325, RFC 7044).

use super::RelayRefusal;
use crate::sip::{HeaderKind, Message, NameAddr, Rewrite};

/// What tells of the user beside who he is (RFC 3323 §4.1), and may be left out.
const INFORMATIONAL: [HeaderKind; 5] = [
    HeaderKind::CallInfo,
    HeaderKind::Organization,
    HeaderKind::ReplyTo,
    HeaderKind::InReplyTo,
    HeaderKind::Subject,
];

/// The same of his software, which is left out of everything where what is inside is hidden.
const OF_SOFTWARE: [HeaderKind; 3] =
    [HeaderKind::UserAgent, HeaderKind::Server, HeaderKind::Warning];

/// The kinds of privacy that a message asks for.
#[derive(Clone, Copy)]
struct Asked(u8);

impl Asked {
    const ID: u8 = 1;
    const HEADER: u8 = 1 << 1;
    const SESSION: u8 = 1 << 2;
    const USER: u8 = 1 << 3;
    const HISTORY: u8 = 1 << 4;
    const CRITICAL: u8 = 1 << 5;
    const UNKNOWN: u8 = 1 << 6;

    fn by(message: &Message<'_>) -> Self {
        let separates = |byte: &u8| matches!(byte, b';' | b',') || byte.is_ascii_whitespace();
        let values = message.headers_of(HeaderKind::Privacy).map(|header| header.value);
        let kinds = values.flat_map(|value| value.split(separates)).filter(|kind| !kind.is_empty());
        Self(kinds.fold(0, |asked, kind| asked | Self::kind(kind)))
    }

    fn kind(name: &[u8]) -> u8 {
        let kinds: [(&[u8], u8); 7] = [
            // With others, which RFC 3323 §4.2 does not allow, it is the one that is not believed.
            (b"none", 0),
            (b"id", Self::ID),
            (b"header", Self::HEADER),
            (b"session", Self::SESSION),
            (b"user", Self::USER),
            (b"history", Self::HISTORY),
            (b"critical", Self::CRITICAL),
        ];
        let known = kinds.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        known.map_or(Self::UNKNOWN, |(_, kind)| kind)
    }

    const fn for_any(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }
}

/// Says whether it matters to a message how far the other end is trusted. Most have none of these headers.
pub(super) fn depends_on_trust(message: &Message<'_>) -> bool {
    [HeaderKind::Privacy, HeaderKind::RemotePartyId, HeaderKind::Diversion, HeaderKind::HistoryInfo]
        .into_iter()
        .any(|kind| message.header(kind).is_some())
}

/// Removes what somebody outside our trust domain is not told.
pub(super) fn withhold(rewrite: &mut Rewrite<'_>, message: &Message<'_>, hides_inside: bool) {
    let asked = Asked::by(message);
    let id = asked.for_any(Asked::ID);
    if id {
        for kind in [HeaderKind::PAssertedIdentity, HeaderKind::PPreferredIdentity] {
            rewrite.remove_all(kind);
        }
    }
    if id || wants_privacy(message, HeaderKind::RemotePartyId) {
        rewrite.remove_all(HeaderKind::RemotePartyId);
    }
    let hides_history = asked.for_any(Asked::HISTORY | Asked::HEADER | Asked::SESSION);
    if hides_history || wants_privacy(message, HeaderKind::Diversion) {
        rewrite.remove_all(HeaderKind::Diversion);
    }
    if hides_history || has_private_entry(message) {
        rewrite.remove_all(HeaderKind::HistoryInfo);
    }
    if asked.for_any(Asked::USER) {
        let of_software: &[HeaderKind] = if hides_inside { &[] } else { &OF_SOFTWARE };
        for kind in INFORMATIONAL.iter().chain(of_software) {
            rewrite.remove_all(*kind);
        }
    }
}

/// Refuses a request that asks, as critical, for what a proxy cannot do: to make its user anonymous, to carry
/// its media, or, unless it hides what is inside, to leave out who it passed.
pub(super) fn check_critical(
    request: &Message<'_>,
    hides_inside: bool,
) -> Result<(), RelayRefusal> {
    let asked = Asked::by(request);
    let header = if hides_inside { 0 } else { Asked::HEADER };
    let lacks = asked.for_any(Asked::USER | Asked::SESSION | Asked::UNKNOWN | header);
    if asked.for_any(Asked::CRITICAL) && lacks {
        Err(RelayRefusal::PrivacyUnavailable)
    } else {
        Ok(())
    }
}

/// The `privacy` parameter of Remote-Party-ID and Diversion (RFC 5806 §4).
fn wants_privacy(message: &Message<'_>, kind: HeaderKind) -> bool {
    message.addresses(kind).any(|address| {
        address.param(b"privacy").is_some_and(|kind| !kind.eq_ignore_ascii_case(b"off"))
    })
}

/// RFC 7044 §10.1.2: an entry asks by a Privacy header in its URI.
fn has_private_entry(message: &Message<'_>) -> bool {
    let asks = |header: &[u8]| {
        let mut parts = header.splitn(2, |byte| *byte == b'=');
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"privacy"))
            && !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"none"))
    };
    message.values(HeaderKind::HistoryInfo).any(|entry| {
        NameAddr::parse(entry.bytes)
            .map_or(true, |it| it.uri.headers.split(|byte| *byte == b'&').any(asks))
    })
}
