//! What the two ends say.

use std::fmt::Write as _;

use crate::proof::after;

/// Who is called.
pub(crate) const URI: &str = "sip:+12125550123@example.com";

const SDP: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 198.51.100.7\r\ns=-\r\n\
    c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
    a=ptime:20\r\na=sendrecv\r\n";

/// A caller's call.
pub(crate) struct Call<'a> {
    pub(crate) id: u64,
    /// The address and port that it is made from.
    pub(crate) local: &'a str,
    /// Of the last INVITE.
    pub(crate) number: u32,
}

impl Call<'_> {
    /// Asks for the call.
    pub(crate) fn invite(&self, credentials: Option<&str>) -> Vec<u8> {
        let mut text = self.request("INVITE", URI, &format!("<{URI}>"), self.number, self.number);
        let _ = write!(
            text,
            "Contact: <sip:alice@{}>\r\n\
             User-Agent: telephone/1.0 (of the usual kind)\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, REFER, NOTIFY, INFO, PRACK\r\n\
             Supported: replaces, timer, 100rel\r\n",
            self.local
        );
        if let Some(credentials) = credentials {
            let _ = write!(text, "Proxy-Authorization: {credentials}\r\n");
        }
        let _ = write!(
            text,
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        text.into_bytes()
    }

    /// Acknowledges the challenge that the INVITE got (RFC 3261 §17.1.1.3).
    pub(crate) fn ack_to_challenge(&self, challenge: &[u8]) -> Option<Vec<u8>> {
        let to = value(challenge, "To")?;
        let mut text = self.request("ACK", URI, to, self.number, self.number);
        text += "Content-Length: 0\r\n\r\n";
        Some(text.into_bytes())
    }

    /// The ACK of the call that `answer` began, and the BYE that ends it: both by the way that was
    /// recorded (RFC 3261 §12.1.2).
    pub(crate) fn ack_and_bye(&self, answer: &[u8]) -> Option<[Vec<u8>; 2]> {
        let to = value(answer, "To")?;
        let uri = value(answer, "Contact")?.strip_prefix('<')?.strip_suffix('>')?;
        let mut routes: Vec<_> = values(answer, "Record-Route").collect();
        routes.reverse();
        let request = |method: &str, branch: u32, number: u32| {
            let mut text = self.request(method, uri, to, branch, number);
            for route in &routes {
                let _ = write!(text, "Route: {route}\r\n");
            }
            text += "User-Agent: telephone/1.0 (of the usual kind)\r\nContent-Length: 0\r\n\r\n";
            text.into_bytes()
        };
        let after = self.number + 1;
        Some([request("ACK", after, self.number), request("BYE", after + 1, after)])
    }

    fn request(&self, method: &str, uri: &str, to: &str, branch: u32, number: u32) -> String {
        let Self { id, local, .. } = self;
        let mut text = String::with_capacity(1200);
        let _ = write!(
            text,
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{branch}{id:016x};rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Alice\" <sip:alice@example.com>;tag={id:x}\r\n\
             To: {to}\r\n\
             Call-ID: {id:016x}\r\n\
             CSeq: {number} {method}\r\n"
        );
        text
    }
}

/// What the callee answers: 100, 180 and 200 to an INVITE, 200 to a BYE, nothing to an ACK. `None` for
/// anything else.
pub(crate) fn answers(request: &[u8], local: &str) -> Option<Vec<Vec<u8>>> {
    let contact = format!("Contact: <sip:bob@{local}>\r\n");
    let body =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
    let none = "Content-Length: 0\r\n\r\n";
    match request.get(..4)? {
        b"INVI" => Some(vec![
            answer(request, "100 Trying", false, "", none)?,
            answer(request, "180 Ringing", true, &contact, none)?,
            answer(request, "200 OK", true, &contact, &body)?,
        ]),
        b"BYE " => Some(vec![answer(request, "200 OK", false, "", none)?]),
        b"ACK " => Some(Vec::new()),
        _ => None,
    }
}

fn answer(
    request: &[u8],
    status: &str,
    makes_dialog: bool,
    contact: &str,
    rest: &str,
) -> Option<Vec<u8>> {
    let mut text = String::with_capacity(1500);
    let _ = write!(text, "SIP/2.0 {status}\r\n");
    for line in lines(request) {
        let name = line.split_once(':')?.0;
        if matches!(name, "Via" | "From" | "Call-ID" | "CSeq" | "To")
            || makes_dialog && name == "Record-Route"
        {
            text += line;
            if name == "To" && makes_dialog {
                text += ";tag=callee";
            }
            text += "\r\n";
        }
    }
    let _ = write!(text, "{contact}{rest}");
    Some(text.into_bytes())
}

/// The call that a message belongs to.
pub(crate) fn call(message: &[u8]) -> Option<u64> {
    let digits = after(message, b"\r\nCall-ID: ")?.get(..16)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The status of a response.
pub(crate) fn status(response: &[u8]) -> Option<u16> {
    let digits = response.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a response is to a request of that method, and has a description of a session if it should.
pub(crate) fn answers_method(response: &[u8], method: &str, has_body: bool) -> bool {
    let is_method = value(response, "CSeq").is_some_and(|value| value.ends_with(method));
    is_method && response.ends_with(SDP.as_bytes()) == has_body
}

fn value<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    values(message, name).next()
}

fn values<'a>(message: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    lines(message).filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The headers, with their names.
fn lines(message: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(message).unwrap_or_default();
    text.split("\r\n").skip(1).take_while(|line| !line.is_empty())
}
