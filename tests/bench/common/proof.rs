//! What proves to a server who the user is.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use memchr::memmem;

/// The user and the password that every server knows.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const REALM: &str = "example.com";

/// The nonce of a challenge with this status line and header.
pub(crate) fn nonce<'a>(message: &'a [u8], status: &str, header: &str) -> Option<&'a str> {
    if !message.starts_with(format!("SIP/2.0 {status} ").as_bytes()) {
        return None;
    }
    let challenge = after(message, format!("\r\n{header}: Digest ").as_bytes())?;
    let nonce = after(challenge, b"nonce=\"")?;
    let end = memchr::memchr(b'"', nonce)?;
    std::str::from_utf8(nonce.get(..end)?).ok().filter(|nonce| !nonce.is_empty())
}

/// What proves who we are to whoever sent `nonce` (RFC 7616 §3.4).
pub(crate) fn credentials(method: &str, uri: &str, nonce: &str, ha1: &str) -> String {
    const CNONCE: &str = "0a4f113b";
    let ha2 = hex(&format!("{method}:{uri}"));
    let response = hex(&format!("{ha1}:{nonce}:00000001:{CNONCE}:auth:{ha2}"));
    format!(
        "Digest username=\"{USER}\",realm=\"{REALM}\",nonce=\"{nonce}\",uri=\"{uri}\",\
         response=\"{response}\",algorithm=MD5,qop=auth,nc=00000001,cnonce=\"{CNONCE}\""
    )
}

/// What stands for the password within the realm.
pub(crate) fn ha1() -> String {
    hex(&format!("{USER}:{REALM}:{PASSWORD}"))
}

/// What follows a mark.
pub(crate) fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(text, mark)?;
    text.get(at + mark.len()..)
}

fn hex(text: &str) -> String {
    let mut digits = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
