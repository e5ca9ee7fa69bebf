//! What the client says, and what it has to hear.

use std::fmt::Write as _;

use crate::{case::Work, proof::after};

/// Where the REGISTERs go.
pub(crate) const URI: &str = "sip:example.com";

const SDP: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 198.51.100.7\r\ns=-\r\n\
    c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// Writes the request of the transaction `id`; nothing in it was in another one.
pub(crate) fn request(work: Work, id: u64, local: &str, credentials: Option<&str>) -> Vec<u8> {
    let (method, uri, to, body) = match work {
        Work::Invite => ("INVITE", "sip:bob@example.com", "sip:bob@example.com", SDP),
        Work::Echo | Work::Register | Work::Authenticated | Work::Relayed => {
            ("REGISTER", URI, "sip:alice@example.com", "")
        }
    };
    let number = if credentials.is_some() { 2 } else { 1 };
    let mut text = String::with_capacity(1200);
    let _ = write!(
        text,
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bK{number}{id:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag={id:x}\r\n\
         To: <{to}>\r\n\
         Call-ID: {id:016x}\r\n\
         CSeq: {number} {method}\r\n\
         Contact: <sip:alice@{local}>\r\n\
         User-Agent: telephone/1.0 (of the usual kind)\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, REFER, NOTIFY, MESSAGE, INFO, PRACK\r\n\
         Supported: path, outbound, replaces, timer, 100rel, gruu\r\n"
    );
    if work != Work::Invite {
        text += "Expires: 300\r\n";
    }
    if let Some(credentials) = credentials {
        let _ = write!(text, "Authorization: {credentials}\r\n");
    }
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text.into_bytes()
}

/// The transaction that a message belongs to.
pub(crate) fn transaction(message: &[u8]) -> Option<u64> {
    let digits = after(message, b"\r\nCall-ID: ")?.get(..16)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
