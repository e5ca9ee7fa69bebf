//! The frames whose verdicts are written down, by what they are about.

mod challenges;
mod extension_headers;
mod fragments;
mod ip_headers;
mod links;
mod services;
mod transport_headers;
mod trust;

use sbc_common::Reason;

use crate::ends::Ends;
use crate::frames::Frame;
use crate::policy::Policy;

/// One frame, what is known when it comes, and why it meets its end.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) frame: Vec<u8>,
    pub(crate) expected: Reason,
}

pub(crate) fn all() -> Vec<Row> {
    [
        links::rows(),
        ip_headers::rows(),
        extension_headers::rows(),
        transport_headers::rows(),
        services::rows(),
        trust::rows(),
        fragments::rows(),
        challenges::rows(),
    ]
    .concat()
}

fn row(name: impl Into<String>, policy: &Policy, frame: Vec<u8>, expected: Reason) -> Row {
    Row { name: name.into(), policy: policy.clone(), frame, expected }
}

/// The same datagram and segment of `source` to the protected address.
fn both_transports(ends: &Ends, source: &str) -> [(&'static str, Frame); 2] {
    [("UDP", Frame::udp(source, ends.edge)), ("TCP", Frame::tcp(source, ends.edge))]
}
