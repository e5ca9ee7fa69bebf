use crate::sip::{HeaderKind, Message, NameAddr, StartLine, TelephoneNumber, Uri};

/// The number of a URI: what says to be one, or a user part of nothing but digits, as most carriers write
/// it.
pub(super) fn number_of(uri: &Uri<'_>) -> Option<TelephoneNumber> {
    TelephoneNumber::of(uri).or_else(|| {
        let number = TelephoneNumber::in_user_part(uri)?;
        number.canonical().iter().all(u8::is_ascii_digit).then_some(number)
    })
}

/// Whom a call says to come from: P-Asserted-Identity, or if there is none From. Of several the first
/// number counts, as it does for who shows it.
pub(super) fn caller(request: &Message<'_>) -> Option<TelephoneNumber> {
    let mut asserted = request.addresses(HeaderKind::PAssertedIdentity).peekable();
    if asserted.peek().is_none() {
        return number_of(&request.from().uri);
    }
    asserted.find_map(|address: NameAddr<'_>| number_of(&address.uri))
}

/// Whom a call is for: To, whose number stays as the call is passed on; or if that is none, the
/// Request-URI.
pub(super) fn callee(request: &Message<'_>) -> Option<TelephoneNumber> {
    number_of(&request.to().uri).or_else(|| match request.start_line() {
        StartLine::Request { uri, .. } => number_of(&uri),
        StartLine::Response { .. } => None,
    })
}
