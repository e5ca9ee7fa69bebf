use sbc_common::Reason;

use super::{Row, row};
use crate::ends::{Ends, FAMILIES, IPV6};
use crate::extensions::Extension;
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, opening};

const TUNNELS: [(&str, u8); 4] =
    [("IPv4 in IP", 4), ("IPv6 in IP", 41), ("GRE", 47), ("Ethernet in IP", 97)];

pub(super) fn rows() -> Vec<Row> {
    FAMILIES.iter().flat_map(tunnels).chain(behind_options()).collect()
}

/// What is in there would reach a listener if the network stack unpacked it.
fn tunnels(ends: &Ends) -> Vec<Row> {
    let sip = Frame::udp(ends.peer, ends.edge).build().split_off(14);
    let dropping = Policy::edge().knowing(ends.peer, opening(BOTH));
    let passing = dropping.clone().set(|settings| settings.tunnels_pass = true);
    let mut rows = Vec::new();
    for (name, protocol) in TUNNELS {
        let from = |source, to| Frame::new(Carried::Bare(protocol), source, to).with(&sip);
        let first = from(ends.stranger, ends.edge).fragment(0, true);
        let last = from(ends.peer, ends.edge).fragment(9, false);
        rows.extend(
            [
                ("of a stranger", &dropping, from(ends.stranger, ends.edge), Reason::Tunnel),
                ("of a trusted source", &dropping, from(ends.peer, ends.edge), Reason::Tunnel),
                ("to another host", &dropping, from(ends.peer, ends.behind), NOT_PROTECTED),
                ("in a first fragment", &dropping, first.clone(), Reason::Tunnel),
                ("in a last fragment", &dropping, last.clone(), Reason::Tunnel),
                ("where they pass", &passing, from(ends.stranger, ends.edge), NOT_PROTECTED),
                // Nothing opens a tunnel for a source that is fragmented.
                ("in a first fragment where they pass", &passing, first, FRAGMENT),
            ]
            .map(|(how, policy, frame, expected)| {
                row(format!("{name} over {} {how}", ends.family), policy, frame.build(), expected)
            }),
        );
    }
    rows
}

const NOT_PROTECTED: Reason = Reason::NotProtected;
const FRAGMENT: Reason = Reason::UnknownFragment;

fn behind_options() -> Vec<Row> {
    let gre = Frame::new(Carried::Bare(47), IPV6.stranger, IPV6.edge).with(&[0; 48]);
    let gre = gre.behind(&[Extension::HOP_BY_HOP, Extension::DESTINATION]).build();
    vec![row("GRE behind extension headers", &Policy::edge(), gre, Reason::Tunnel)]
}
