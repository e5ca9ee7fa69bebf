//! The gate before the trust tables is open to everybody who has an entry, whatever came and went.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sbc_common::{Address, Prefix, Reason, SourceKey, TrustEntry};

use crate::ends::{IPV4, IPV6};
use crate::fixture::Datapath;
use crate::frames::Frame;
use crate::policy::{BOTH, Policy, denied, expired, opening};

/// Together more departures than the filter of the gate bears before it is made anew.
const BATCHES: u32 = 12;
const CHANGES: u32 = 1200;

#[test]
fn the_kernel_judges_like_a_host_without_a_gate_whoever_comes_and_goes() {
    let mut datapath = Datapath::load();
    let mut scene = Scene {
        random: TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
        sources: BTreeMap::new(),
        prefixes: BTreeMap::new(),
        departed: Vec::new(),
    };
    datapath.apply(&Policy::edge());
    let (mut trusted, mut unknown) = (0_u32, 0_u32);
    for _ in 0..BATCHES {
        for _ in 0..CHANGES {
            scene.change(&mut datapath);
        }
        datapath.expect(&scene.policy());
        for (source, port) in scene.witnesses() {
            let edge = if source.is_ipv4() { IPV4.edge } else { IPV6.edge };
            let frame = Frame::udp(&source.to_string(), edge).sent_from(port).build();
            let (verdict, _) = datapath.judge(&frame).unwrap_or_else(|wrong| {
                panic!("{wrong}\n{source} {port}, among {} sources", scene.sources.len())
            });
            trusted += u32::from(verdict.reason == Reason::TrustedSource);
            unknown += u32::from(verdict.reason == Reason::UnknownSource);
        }
    }
    datapath.counts_nothing_else();
    println!("{trusted} trusted, {unknown} unknown, {} departed", scene.departed.len());
    assert!(trusted > 1000 && unknown > 1000, "{trusted} trusted, {unknown} unknown");
    assert!(scene.departed.len() > 4096, "{} departed", scene.departed.len());
}

struct Scene {
    random: TestRng,
    sources: BTreeMap<(Address, u16, bool), TrustEntry>,
    prefixes: BTreeMap<Prefix, TrustEntry>,
    departed: Vec<(Address, u16)>,
}

impl Scene {
    fn below(&mut self, most: u32) -> u32 {
        self.random.next_u32() % most
    }

    /// Few networks, so that many share a place.
    fn address(&mut self) -> IpAddr {
        let (high, low) = (self.below(40) << 16, self.below(5000));
        if self.below(2) == 0 {
            return Ipv4Addr::from_bits(0x0a00_0000 | high | low).into();
        }
        let network = u128::from(0x2a00_0000 | high >> 16) << 96;
        let subnet = u128::from(low % 500) << 64;
        Ipv6Addr::from_bits(network | subnet | u128::from(self.below(3))).into()
    }

    fn entry(&mut self) -> TrustEntry {
        match self.below(8) {
            0 => denied(),
            1 => expired(BOTH),
            _ => opening(BOTH),
        }
    }

    fn change(&mut self, datapath: &mut Datapath) {
        let address = self.address();
        let entry = self.entry();
        match self.below(20) {
            0 => {
                let length =
                    if address.is_ipv4() { 9 + self.below(24) } else { 20 + self.below(109) };
                let prefix = Prefix::new(address, u8::try_from(length).unwrap()).unwrap();
                datapath.kernel.trust_prefix(prefix, &entry).unwrap();
                self.prefixes.insert(prefix, entry);
            }
            1 => {
                if let Some(prefix) = pick(&self.prefixes, self.random.next_u32()) {
                    datapath.kernel.distrust_prefix(prefix).unwrap();
                    self.prefixes.remove(&prefix);
                }
            }
            2..10 => {
                if let Some(source) = pick(&self.sources, self.random.next_u32()) {
                    datapath.kernel.distrust_source(&key(source)).unwrap();
                    self.sources.remove(&source);
                    self.departed.push((source.0, source.1));
                }
            }
            kind => {
                let is_subnet = kind < 13 && address.is_ipv6();
                let port = if is_subnet || kind % 2 == 0 { 0 } else { 5060 };
                let mut source = (Address::from(address), port, is_subnet);
                if is_subnet {
                    source.0 = source.0.subnet();
                }
                datapath.kernel.trust_source(&key(source), &entry).unwrap();
                self.sources.insert(source, entry);
            }
        }
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::edge();
        policy.sources =
            self.sources.iter().map(|(source, entry)| (key(*source), *entry)).collect();
        policy.prefixes = self.prefixes.iter().map(|(prefix, entry)| (*prefix, *entry)).collect();
        policy
    }

    /// Everybody who is known, the last who left, and others.
    fn witnesses(&mut self) -> Vec<(IpAddr, u16)> {
        let mut witnesses: Vec<(IpAddr, u16)> = Vec::new();
        for (address, port, is_subnet) in self.sources.keys() {
            let address = match IpAddr::from(*address) {
                IpAddr::V6(subnet) if *is_subnet => {
                    Ipv6Addr::from_bits(subnet.to_bits() | 0xbeef).into()
                }
                whole @ (IpAddr::V4(_) | IpAddr::V6(_)) => whole,
            };
            witnesses.push((address, if *port == 0 { 9 } else { *port }));
        }
        witnesses.extend(self.prefixes.keys().map(|prefix| (prefix.address.into(), 5060)));
        let lately = self.departed.iter().rev().take(300);
        witnesses.extend(lately.map(|(address, port)| (IpAddr::from(*address), *port)));
        for _ in 0..300 {
            witnesses.push((self.address(), 5060));
        }
        witnesses
    }
}

fn key((address, port, is_subnet): (Address, u16, bool)) -> SourceKey {
    if is_subnet { SourceKey::subnet(address) } else { SourceKey::new(address, port) }
}

fn pick<K: Copy, V>(among: &BTreeMap<K, V>, number: u32) -> Option<K> {
    let position = (number as usize).checked_rem(among.len())?;
    among.keys().nth(position).copied()
}
