use std::borrow::Cow;

use sbc_user::proof::digest::{AuthParams, Credentials, MalformedCredentials, Realm};
use sbc_user::sip::{HeaderKind, Message};

/// Credentials are read or refused without panic, written anew they say the same, and a message brings them whole.
pub fn digest(value: &[u8]) {
    let read = Credentials::parse(value);
    let realm = Realm::new("example.com").expect("it is a realm");
    match (Credentials::parse_for(value, &realm), &read) {
        (Ok(own), Ok(any)) => assert_eq!(values(&own), values(any)),
        (Ok(_), Err(error)) => panic!("refused with {error}, but not if it is for us"),
        // For another realm it need only be well-formed.
        (Err(MalformedCredentials::OtherRealm), _) => {}
        (Err(ours), Err(error)) => assert!(ours == *error || is_about_realm(ours), "{ours}"),
        (Err(ours), Ok(any)) => panic!("{ours}, though {:?} was read", any.realm),
    }
    check_in_message(value);
    check_params(value, read.as_ref().ok());
    let Ok(credentials) = read else { return };
    assert!((1..=255).contains(&credentials.username.len()));
    assert_eq!(credentials.nonce_count.digits.len(), 8);
    for hashed in [credentials.nonce, credentials.uri, credentials.cnonce] {
        assert!(!hashed.iter().any(|byte| matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)));
    }
    check_names(value, &credentials);
    let written = written(&credentials);
    // Escapes may make it longer than credentials may be.
    match Credentials::parse(&written) {
        Ok(again) => assert_eq!(values(&again), values(&credentials)),
        Err(MalformedCredentials::TooLong) => assert!(value.len() > 2000),
        Err(error) => panic!("{error}: {}", written.escape_ascii()),
    }
}

/// Who leaves the judging to somebody else reads the same, and passes on what it read.
fn check_params(value: &[u8], credentials: Option<&Credentials<'_>>) {
    let params = match AuthParams::read(value) {
        Ok(params) => params,
        Err(MalformedCredentials::TooLong | MalformedCredentials::TooManyParameters) => return,
        Err(error) => return assert!(credentials.is_none(), "{error}, though it is readable"),
    };
    if let Some(credentials) = credentials {
        assert_eq!(params.value(b"username").as_ref(), Some(&credentials.username));
        assert_eq!(params.value(b"realm").as_ref(), Some(&credentials.realm));
        assert_eq!(params.value(b"nonce").as_deref(), Some(credentials.nonce));
    }
    for (written, opaque, stale) in [
        (params.with_opaque(Some(b"a-token_09")), Some(&b"a-token_09"[..]), None),
        (params.with_opaque(None), None, None),
        (params.with_opaque_and_stale(b"another"), Some(&b"another"[..]), Some(true)),
    ] {
        let text = written.escape_ascii();
        assert!(!written.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{text}");
        let again = match AuthParams::read(&written) {
            Ok(again) => again,
            Err(MalformedCredentials::TooLong) if value.len() > 4000 => continue,
            Err(MalformedCredentials::TooManyParameters) => continue,
            // It said nothing else.
            Err(_) if opaque.is_none() => continue,
            Err(error) => panic!("{error}: {text}"),
        };
        assert_eq!(again.opaque(), opaque, "{text}");
        assert_eq!(again.is_stale(), stale.unwrap_or(params.is_stale()), "{text}");
        for name in [&b"username"[..], b"realm", b"nonce", b"response", b"uri", b"algorithm"] {
            assert_eq!(again.value(name), params.value(name), "{text}");
        }
    }
}

/// What was read stands behind its own name.
fn check_names(value: &[u8], credentials: &Credentials<'_>) {
    let digits = credentials.nonce_count.digits;
    for (name, part) in [
        ("nonce", credentials.nonce),
        ("uri", credentials.uri),
        ("cnonce", credentials.cnonce),
        ("nc", digits),
    ] {
        assert_eq!(name_before(part, value).as_deref(), Some(name), "{}", value.escape_ascii());
    }
    for (name, text) in [("username", &credentials.username), ("realm", &credentials.realm)] {
        if let Cow::Borrowed(part) = text {
            assert_eq!(name_before(part, value).as_deref(), Some(name), "{}", value.escape_ascii());
        }
    }
}

/// The token in front of the `=` in front of `part`, in lower case.
fn name_before(part: &[u8], value: &[u8]) -> Option<String> {
    let at = part.as_ptr().addr().checked_sub(value.as_ptr().addr())?;
    let before = value.get(..at)?;
    let before = before.strip_suffix(b"\"").unwrap_or(before).trim_ascii_end();
    let before = before.strip_suffix(b"=")?.trim_ascii_end();
    let is_between = |byte: &u8| matches!(byte, b',' | b' ' | b'\t' | b'\n');
    let start = before.iter().rposition(is_between).map_or(0, |at| at + 1);
    before.get(start..).map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// `parse_for` looks at the realm first, so it may refuse for that what `parse` refuses for something else.
fn is_about_realm(error: MalformedCredentials) -> bool {
    error == MalformedCredentials::Missing("realm")
}

/// Everything that the credentials say.
fn values(it: &Credentials<'_>) -> ([Vec<u8>; 7], (&'static str, &'static str, bool), u32) {
    let texts = [&*it.username, &*it.realm, it.nonce, it.uri, it.cnonce, it.nonce_count.digits];
    let [username, realm, nonce, uri, cnonce, digits] = texts.map(<[u8]>::to_vec);
    let response = it.response.to_hex().as_bytes().to_vec();
    let all = [username, realm, nonce, uri, cnonce, digits, response];
    let said = (it.algorithm.name(), it.qop.name(), it.userhash);
    (all, said, it.nonce_count.number.get())
}

fn written(it: &Credentials<'_>) -> Vec<u8> {
    let response = it.response.to_hex();
    let mut out = b"Digest algorithm=".to_vec();
    out.extend_from_slice(it.algorithm.name().as_bytes());
    out.extend_from_slice(b", qop=");
    out.extend_from_slice(it.qop.name().as_bytes());
    out.extend_from_slice(if it.userhash { b", userhash=true, nc=" } else { b", nc=" });
    out.extend_from_slice(it.nonce_count.digits);
    for (name, value) in [
        ("username", escaped(&it.username)),
        ("realm", escaped(&it.realm)),
        ("nonce", it.nonce.into()),
        ("uri", it.uri.into()),
        ("cnonce", it.cnonce.into()),
        ("response", response.as_bytes().into()),
    ] {
        out.extend_from_slice(format!(", {name}=\"").as_bytes());
        out.extend_from_slice(&value);
        out.push(b'"');
    }
    out
}

fn escaped(text: &[u8]) -> Cow<'_, [u8]> {
    let escape = |byte: &u8| {
        let escape = matches!(byte, b'"' | b'\\').then_some(b'\\');
        escape.into_iter().chain([*byte])
    };
    text.iter().flat_map(escape).collect()
}

/// A header that fits into a message comes out of it as it went in.
fn check_in_message(value: &[u8]) {
    let mut message =
        b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@b>\r\n\
        To: <sip:a@b>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\nAuthorization:"
            .to_vec();
    message.extend_from_slice(value);
    message.extend_from_slice(b"\r\n\r\n");
    let Ok(message) = Message::scan(&message) else { return };
    let Some(header) = message.header(HeaderKind::Authorization) else {
        panic!("the header is gone: {}", value.escape_ascii())
    };
    if message.headers().count() != 6 || !message.body().is_empty() {
        return;
    }
    match (Credentials::parse(header.value), Credentials::parse(value)) {
        (Ok(found), Ok(sent)) => assert_eq!(values(&found), values(&sent)),
        // The white space around a header's value is no part of it.
        (Err(_), Err(_)) | (Ok(_), Err(MalformedCredentials::TooLong)) => {}
        (found, _) => panic!("{found:?}: {}", value.escape_ascii()),
    }
}
