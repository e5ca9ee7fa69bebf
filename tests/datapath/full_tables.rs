//! What happens when a table is full, and what full tables cost.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd as _, AsRawFd as _};

use sbc_common::{Address, Prefix, Protocol, Reason, Service, SourceKey, maps};
use sbc_user::kernel::{KernelError, ProtectedService};

use crate::ends::IPV4;
use crate::fixture::Datapath;
use crate::frames::Frame;
use crate::policy::{BOTH, Policy, opening};

/// Of all maps at their default capacity, full, on a machine of few CPUs.
const MOST_MEMORY: u64 = 16 << 20;

#[test]
fn a_full_trust_table_refuses_newcomers_and_keeps_everybody() {
    let mut datapath = Datapath::load();
    let mut policy = Policy::edge();
    datapath.apply(&policy);
    let source = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 | number);
    let key = |number| SourceKey::every_port(source(number).into());
    let entry = opening(BOTH);
    for number in 0..maps::TRUST.capacity {
        datapath.kernel.trust_source(&key(number), &entry).unwrap();
        policy.sources.push((key(number), entry));
    }

    let newcomer = maps::TRUST.capacity;
    let refused = datapath.kernel.trust_source(&key(newcomer), &entry).unwrap_err();
    assert!(matches!(refused, KernelError::TableFull("TRUST")), "{refused}");
    // An entry that is there can be replaced all the same.
    datapath.kernel.trust_source(&key(7), &entry).unwrap();

    datapath.expect(&policy);
    for number in (0..newcomer).step_by(61) {
        assert_eq!(reason_of(&mut datapath, source(number)), Reason::TrustedSource, "{number}");
    }
    assert_eq!(reason_of(&mut datapath, source(newcomer)), Reason::UnknownSource);

    datapath.kernel.distrust_source(&key(0)).unwrap();
    datapath.kernel.trust_source(&key(newcomer), &entry).unwrap();
    policy.sources[0] = (key(newcomer), entry);
    datapath.expect(&policy);
    assert_eq!(reason_of(&mut datapath, source(newcomer)), Reason::TrustedSource);
    assert_eq!(reason_of(&mut datapath, source(0)), Reason::UnknownSource);
    datapath.counts_nothing_else();
}

#[test]
fn a_full_prefix_table_refuses_newcomers_and_keeps_everybody() {
    let mut datapath = Datapath::load();
    let mut policy = Policy::edge();
    datapath.apply(&policy);
    let network = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 | number << 8);
    let prefix = |number| Prefix::new(network(number).into(), 24).unwrap();
    for number in 0..maps::PREFIXES.capacity {
        datapath.kernel.trust_prefix(prefix(number), &opening(BOTH)).unwrap();
        policy.prefixes.push((prefix(number), opening(BOTH)));
    }

    let newcomer = maps::PREFIXES.capacity;
    let refused = datapath.kernel.trust_prefix(prefix(newcomer), &opening(BOTH)).unwrap_err();
    assert!(matches!(refused, KernelError::TableFull("PREFIXES")), "{refused}");

    datapath.expect(&policy);
    for number in (0..newcomer).step_by(61) {
        let source = Ipv4Addr::from_bits(network(number).to_bits() + 99);
        assert_eq!(reason_of(&mut datapath, source), Reason::TrustedSource, "{number}");
    }
    assert_eq!(reason_of(&mut datapath, network(newcomer)), Reason::UnknownSource);
    datapath.counts_nothing_else();
}

#[test]
fn more_services_than_fit_are_refused_and_those_in_force_stay() {
    let mut datapath = Datapath::load();
    let policy = Policy::edge().knowing(IPV4.peer, opening(BOTH));
    datapath.apply(&policy);
    let listener = |number: u32| ProtectedService {
        address: Address::from(Ipv4Addr::from_bits(0x0a00_0000 | number)),
        port: 5060,
        protocol: Protocol::Udp,
        service: Service::ClearSip,
    };
    let too_many: Vec<_> = (0..1000).map(listener).collect();

    let refused = datapath.kernel.apply_services(&too_many).unwrap_err();
    assert!(matches!(refused, KernelError::TableFull("SERVICES")), "{refused}");

    let frames = [
        (Frame::udp(IPV4.stranger, IPV4.edge), Reason::UnknownSource),
        (Frame::udp(IPV4.peer, IPV4.edge), Reason::TrustedSource),
        (Frame::udp(IPV4.stranger, "10.0.0.7"), Reason::NotProtected),
    ];
    for (frame, expected) in frames {
        assert_eq!(datapath.judge(&frame.build()).unwrap().0.reason, expected);
    }
    datapath.counts_nothing_else();
}

#[test]
fn full_tables_fit_in_little_memory() {
    let mut datapath = Datapath::load();
    // The trie alone grows as it fills.
    for number in 0..maps::PREFIXES.capacity {
        let network = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number) << 64);
        let prefix = Prefix::new(network.into(), 64).unwrap();
        datapath.kernel.trust_prefix(prefix, &opening(BOTH)).unwrap();
    }
    let mut total = 0;
    for map in datapath.object.maps().unwrap() {
        let descriptor = map.fd().unwrap();
        let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
        let told = fs::read_to_string(path).unwrap();
        let memory = told.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
        let memory: u64 = memory.trim().parse().unwrap();
        println!("{}: {memory} bytes", map.name_as_str().unwrap());
        total += memory;
    }
    println!("all maps: {total} bytes");
    assert!(total > u64::from(maps::TRUST.capacity) * 52, "the kernel does not tell");
    assert!(total < MOST_MEMORY, "{total} bytes");
}

fn reason_of(datapath: &mut Datapath, source: Ipv4Addr) -> Reason {
    let frame = Frame::udp(&source.to_string(), IPV4.edge).build();
    datapath.judge(&frame).unwrap().0.reason
}
