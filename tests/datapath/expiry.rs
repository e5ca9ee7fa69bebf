//! What the kernel's own clock and its typed tables do not let a test set up: judged on the host.

use sbc_common::{
    Lane, MonotonicNanos, Protocol, Reason, ServiceKey, SliceFrame, TrustEntry, decide,
};

use crate::ends::IPV4;
use crate::frames::Frame;
use crate::host_tables::HostTables;
use crate::policy::{BOTH, Policy};

fn judge(tables: &mut HostTables) -> Reason {
    let frame = Frame::udp(IPV4.peer, IPV4.edge).build();
    decide(&mut SliceFrame::new(&frame), tables).reason
}

#[test]
fn an_entry_is_void_from_the_instant_at_which_it_expires() {
    let entry = TrustEntry::new(Lane::Tls, BOTH, 5_000, 1);
    let mut tables = HostTables::of(&Policy::edge().knowing(IPV4.peer, entry));
    let mut judge_at = |now| {
        tables.now = MonotonicNanos(now);
        judge(&mut tables)
    };

    assert_eq!(judge_at(4_999), Reason::TrustedSource);
    assert_eq!(judge_at(5_000), Reason::ExpiredSource);
    assert_eq!(judge_at(u64::MAX), Reason::ExpiredSource);
}

#[test]
fn an_entry_without_end_outlives_the_clock() {
    let entry = TrustEntry::new(Lane::Static, BOTH, TrustEntry::NEVER, 1);
    let mut tables = HostTables::of(&Policy::edge().knowing(IPV4.peer, entry));
    tables.now = MonotonicNanos(u64::MAX);

    assert_eq!(judge(&mut tables), Reason::TrustedSource);
}

#[test]
fn a_service_of_unknown_value_protects_its_address_and_not_its_port() {
    let mut tables = HostTables::of(&Policy::edge());
    let key = ServiceKey::new(std::net::Ipv4Addr::new(203, 0, 113, 10).into(), 5060, Protocol::Udp);
    for value in [0, 5, u32::MAX] {
        tables.services.insert(key, value);
        assert_eq!(judge(&mut tables), Reason::NotProtected);
    }

    let fragment = Frame::udp(IPV4.stranger, IPV4.edge).fragment(9, false).build();
    let reason = decide(&mut SliceFrame::new(&fragment), &mut tables).reason;
    assert_eq!(reason, Reason::UnknownFragment);
}
