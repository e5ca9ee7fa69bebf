use sbc_user::identity::{IdentityHeader, Passport, TnAuthorization};
use sbc_user::sip::{Message, without_verstat};

/// Identity headers, what they sign and the numbers that certificates are for are read or refused without
/// panic; what others found out about a number is taken away whole, and nothing else.
pub fn identity(bytes: &[u8]) {
    if let Ok(identity) = IdentityHeader::parse(bytes) {
        check_header(bytes, &identity);
        let _ = Passport::read(&identity);
    }
    if let Ok(authorization) = TnAuthorization::read(bytes) {
        let _ = authorization.covers(bytes);
        let _ = authorization.covers(b"12125551234");
    }
    let Ok(message) = Message::scan(bytes) else { return };
    let Some(cleaned) = without_verstat(&message) else { return };
    assert!(cleaned.len() < message.bytes().len());
    assert!(cleaned.ends_with(message.body()));
    if let Ok(cleaned) = Message::scan(&cleaned) {
        assert_eq!(cleaned.call_id(), message.call_id());
        assert_eq!(cleaned.from().tag, message.from().tag);
        assert_eq!(cleaned.headers().count(), message.headers().count());
        assert!(without_verstat(&cleaned).is_none(), "{}", bytes.escape_ascii());
    }
}

/// What is signed stands at the beginning, and what was read of it is no more than was there.
fn check_header(bytes: &[u8], identity: &IdentityHeader<'_>) {
    assert!(bytes.starts_with(identity.signed));
    assert_eq!(identity.signed.split(|byte| *byte == b'.').count(), 2);
    let read = identity.header.len() + identity.claims.len() + identity.signature.len();
    assert!(read < bytes.len());
    for part in [Some(identity.info), identity.algorithm, identity.kind].into_iter().flatten() {
        assert!(!part.iter().any(|byte| b"<>\"\\\r\n".contains(byte)), "{}", bytes.escape_ascii());
    }
}
