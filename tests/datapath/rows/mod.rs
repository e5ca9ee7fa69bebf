//! The frames whose verdicts are written down, by what they are about.

mod challenges;
mod extension_headers;
mod forgeries;
mod fragments;
mod ip_headers;
mod ipsec;
mod links;
mod reassembly;
mod services;
mod subnets;
mod tls;
mod transport_headers;
mod trust;
mod tunnels;

use sbc_common::Reason;

use crate::ends::Ends;
use crate::frames::Frame;
use crate::policy::Policy;

/// One frame, what is known when it comes, and why it meets its end.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    /// What came before it and was judged.
    pub(crate) before: Vec<Vec<u8>>,
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
        reassembly::rows(),
        forgeries::rows(),
        subnets::rows(),
        tls::rows(),
        ipsec::rows(),
        tunnels::rows(),
    ]
    .concat()
}

fn row(name: impl Into<String>, policy: &Policy, frame: Vec<u8>, expected: Reason) -> Row {
    Row { name: name.into(), policy: policy.clone(), before: Vec::new(), frame, expected }
}

/// A row of a frame that comes after others.
fn row_after(
    before: &[&Frame],
    name: impl Into<String>,
    policy: &Policy,
    frame: &Frame,
    expected: Reason,
) -> Row {
    let before = before.iter().map(|frame| frame.build()).collect();
    Row { before, ..row(name, policy, frame.build(), expected) }
}

/// The same datagram and segment of `source` to the protected address.
fn both_transports(ends: &Ends, source: &str) -> [(&'static str, Frame); 2] {
    [("UDP", Frame::udp(source, ends.edge)), ("TCP", Frame::tcp(source, ends.edge))]
}
