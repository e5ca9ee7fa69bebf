//! Packets that claim the address of a trusted source.

use sbc_common::{HopBand, Protocol, Reason, Scrutiny, Service, Transports};
use sbc_user::kernel::FilterSettings;

use super::{Row, row, row_after};
use crate::ends::{Ends, FAMILIES};
use crate::frames::Frame;
use crate::policy::{AMPLE_PACE, BAND, BOTH, Policy, SPENT_PACE, opening, paced};

const TRUSTED: Reason = Reason::TrustedSource;
const SUSPECT: Reason = Reason::SuspectSource;
const STRANGE_LIMIT: Reason = Reason::StrangeHopLimit;
const STRANGE_PATH: Reason = Reason::StrangePath;
const SPENT: Reason = Reason::SourceBudgetSpent;

pub(super) fn rows() -> Vec<Row> {
    FAMILIES
        .iter()
        .flat_map(|ends| [hop_limits(ends), paths(ends), budgets(ends)].concat())
        .collect()
}

fn observed(settings: &mut FilterSettings) {
    settings.hop_limits = Scrutiny::Observe;
    settings.reverse_path = Scrutiny::Observe;
}

fn enforced(settings: &mut FilterSettings) {
    settings.hop_limits = Scrutiny::Enforce;
    settings.reverse_path = Scrutiny::Enforce;
}

fn hop_limits(ends: &Ends) -> Vec<Row> {
    let off = Policy::edge().knowing(ends.peer, paced(AMPLE_PACE));
    let observing = off.clone().set(observed);
    let enforcing = off.clone().set(enforced);
    let not_learned = Policy::edge()
        .knowing(ends.peer, opening(BOTH).limited(HopBand::ANY, AMPLE_PACE))
        .set(enforced);
    let far = HopBand { lowest: 0, highest: 1 };
    let far =
        Policy::edge().knowing(ends.peer, opening(BOTH).limited(far, AMPLE_PACE)).set(enforced);
    let proving = Policy::edge()
        .serving(ends.edge, 500, Protocol::Udp, Service::Ipsec)
        .knowing(
            ends.peer,
            opening(Transports::IPSEC.union(Transports::TLS)).limited(BAND, AMPLE_PACE),
        )
        .set(enforced);
    let ike = Frame::udp(ends.peer, ends.edge).sent_to(500).with_hop_limit(255);
    let tls = Frame::tcp(ends.peer, ends.edge).sent_to_tls().with_hop_limit(255);
    let with = |limit| Frame::udp(ends.peer, ends.edge).with_hop_limit(limit);
    let tcp = |limit| Frame::tcp(ends.peer, ends.edge).with_hop_limit(limit);
    let early = Frame::udp(ends.peer, ends.edge).fragment(9, false).with_hop_limit(1);
    [
        ("the lowest", &enforcing, with(BAND.lowest), TRUSTED),
        ("the highest", &enforcing, with(BAND.highest), TRUSTED),
        ("below the lowest", &enforcing, with(BAND.lowest - 1), STRANGE_LIMIT),
        ("above the highest", &enforcing, with(BAND.highest + 1), STRANGE_LIMIT),
        ("zero", &enforcing, with(0), STRANGE_LIMIT),
        ("255", &enforcing, with(255), STRANGE_LIMIT),
        ("255 over TCP", &enforcing, tcp(255), STRANGE_LIMIT),
        ("255 of a first fragment", &enforcing, with(255).fragment(0, true), STRANGE_LIMIT),
        ("255 of IKE", &proving, ike.clone(), TRUSTED),
        ("255 of IKE in a first fragment", &proving, ike.fragment(0, true), TRUSTED),
        ("255 of TLS in a first fragment", &proving, tls.fragment(0, true), TRUSTED),
        ("1 of an early fragment", &enforcing, early, Reason::EarlyFragment),
        ("below the lowest, observed", &observing, with(BAND.lowest - 1), SUSPECT),
        ("above the highest, observed", &observing, tcp(BAND.highest + 1), SUSPECT),
        ("255 of a first fragment, observed", &observing, with(255).fragment(0, true), SUSPECT),
        ("the highest, observed", &observing, with(BAND.highest), TRUSTED),
        ("255 where nobody looks", &off, with(255), TRUSTED),
        ("255 where none was learned", &not_learned, with(255), TRUSTED),
        ("zero of a band from zero", &far, with(0), TRUSTED),
        ("2 of a band up to 1", &far, with(2), STRANGE_LIMIT),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} hop limit {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

/// The routing table of the tests leads back to the peer, and not to the stranger.
fn paths(ends: &Ends) -> Vec<Row> {
    let off =
        Policy::edge().knowing(ends.peer, opening(BOTH)).knowing(ends.stranger, opening(BOTH));
    let observing = off.clone().set(observed);
    let enforcing = off.clone().set(enforced);
    let tls = |source| Frame::tcp(source, ends.edge).with(&[]).sent_to_tls();
    let from = |source| Frame::udp(source, ends.edge);
    [
        ("that returns", &enforcing, from(ends.peer), TRUSTED),
        ("that does not return", &enforcing, from(ends.stranger), STRANGE_PATH),
        ("of a segment", &enforcing, Frame::tcp(ends.stranger, ends.edge), STRANGE_PATH),
        ("of a fragment", &enforcing, from(ends.stranger).fragment(0, true), STRANGE_PATH),
        ("of a TLS handshake", &enforcing, tls(ends.stranger), Reason::TlsReachable),
        ("of a source without an entry", &enforcing, from(ends.neighbour), Reason::UnknownSource),
        ("that returns, observed", &observing, from(ends.peer), TRUSTED),
        ("that does not return, observed", &observing, from(ends.stranger), SUSPECT),
        ("that does not return, where nobody looks", &off, from(ends.stranger), TRUSTED),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} path {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

fn budgets(ends: &Ends) -> Vec<Row> {
    let spent = Policy::edge().knowing(ends.peer, paced(SPENT_PACE));
    let enforcing = spent.clone().set(enforced);
    let observing = spent.clone().set(observed);
    let shadowed = spent.clone().knowing(ends.around_peer, opening(BOTH));
    let from = |source| Frame::udp(source, ends.edge);
    let datagram = from(ends.peer);
    let (first, last) = (datagram.clone().fragment(0, true), datagram.fragment(9, false));
    let name = |what| format!("{} budget: {what}", ends.family);
    let rows = [
        ("spent", &spent, from(ends.peer), SPENT),
        ("spent over TCP", &spent, Frame::tcp(ends.peer, ends.edge), SPENT),
        ("of a neighbour in a prefix without", &shadowed, from(ends.neighbour), TRUSTED),
        ("spent in a prefix without", &shadowed, from(ends.peer), SPENT),
        // What is forged spends nothing of the source's.
        ("with a strange hop limit", &enforcing, from(ends.peer).with_hop_limit(9), STRANGE_LIMIT),
        ("of a suspect", &observing, from(ends.peer).with_hop_limit(9), SPENT),
        ("of a first fragment", &spent, first.clone(), SPENT),
    ]
    .map(|(what, policy, frame, expected)| row(name(what), policy, frame.build(), expected));
    // A first fragment that did not pass speaks for nothing.
    let after =
        row_after(&[&first], name("of a last fragment"), &spent, &last, Reason::EarlyFragment);
    rows.into_iter().chain([after]).collect()
}
