use rsip::Method as KnownMethod;

use crate::sip::{Message, Method, StartLine};
use crate::transport::Load;

/// Says whether a request of somebody who is no stranger is refused for now, because there is more to do
/// than can be done. Established calls go on under any load, and so do responses.
///
/// Under [`Load::Heavy`] whoever registers, subscribes or asks is told to come back; under
/// [`Load::Critical`] so is who begins a call.
#[must_use]
pub fn is_shed(request: &Message<'_>, load: Load) -> bool {
    let StartLine::Request { method, .. } = request.start_line() else { return false };
    let is_in_dialog = request.to().tag.is_some() && !method.is(KnownMethod::Register);
    match method {
        // They end or complete what was begun.
        Method::Known(KnownMethod::Ack | KnownMethod::Cancel | KnownMethod::PRack) => false,
        _ if is_in_dialog => false,
        Method::Known(KnownMethod::Invite) => load >= Load::Critical,
        Method::Known(_) | Method::Extension(_) => load >= Load::Heavy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_load(method: &str, to_tag: &str) -> Option<Load> {
        let request = format!(
            "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>{to_tag}\r\n\
             Call-ID: one\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        let request = Message::scan(request.as_bytes()).unwrap();
        let loads = [Load::Calm, Load::Busy, Load::Heavy, Load::Critical];
        loads.into_iter().find(|load| is_shed(&request, *load))
    }

    #[test]
    fn registrations_are_shed_before_calls_and_what_was_begun_goes_on() {
        for method in ["REGISTER", "SUBSCRIBE", "OPTIONS", "MESSAGE", "X-NEW"] {
            assert_eq!(least_load(method, ""), Some(Load::Heavy), "{method}");
        }
        assert_eq!(least_load("INVITE", ""), Some(Load::Critical));
        for method in ["ACK", "CANCEL", "PRACK"] {
            assert_eq!(least_load(method, ""), None, "{method}");
        }
        for method in ["INVITE", "BYE", "UPDATE", "NOTIFY", "MESSAGE", "ACK"] {
            assert_eq!(least_load(method, ";tag=2"), None, "{method}");
        }
        assert_eq!(least_load("REGISTER", ";tag=2"), Some(Load::Heavy));
    }
}
