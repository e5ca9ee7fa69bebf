//! A peer that is trusted by its addresses.

use sbc_tests::{Family, Setup};

use crate::{endpoint::Endpoint, request::Request};

/// Whoever is at one of [`Family::SOURCES`] may call, from carrier.example or a number in New York.
pub(crate) fn trusting() -> Setup {
    trusting_to_be(r#"["*@carrier.example", "tel:+1212*"]"#)
}

/// Whoever is at one of [`Family::SOURCES`] may call as one of these.
pub(crate) fn trusting_to_be(identities: &str) -> Setup {
    let sources = Family::SOURCES;
    Setup::new().table(&format!(
        "[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nsources = {sources}\n\
         opens = [\"udp\", \"tcp\"]\nmay-assert = {identities}"
    ))
}

/// A request of somebody whom the peer may speak for.
pub(crate) fn of_the_peer(phone: &Endpoint, method: &'static str) -> Request {
    as_the_peer(phone.request(method))
}

/// The same request from somebody whom the peer may speak for.
pub(crate) fn as_the_peer(request: Request) -> Request {
    Request { from: request.from.replace("example.com", "carrier.example"), ..request }
}
