use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use sbc_common::{Lane, MonotonicNanos, SourceKey, Transports, TrustEntry};

use super::scene::*;
use crate::config::{Config, sample};
use crate::transport::Transport;
use crate::trust::{Grant, Holder, Place};

/// One that is listed, strangers, one that is denied; three of one /64, and two more that are listed.
const ADDRESSES: [&str; 8] = [
    "198.51.100.9",
    "198.18.0.7",
    "203.0.113.65",
    "2001:db8:7::1",
    "2001:db8:7::2",
    "2001:db8:7::3",
    "2001:db8:1::9",
    "2001:db8:1::a",
];
const USERS: [&str; 2] = ["alice", "bob"];
const SHARE: usize = 2;
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

fn policy() -> Config {
    sample::config(&format!("{PEERS}[trust]\nsources-per-peer = {SHARE}"))
}

#[derive(Clone, Debug)]
enum Event {
    Connect { peer: usize, address: usize, hop_limit: Option<u8> },
    Disconnect { number: u64 },
    Prove { user: usize, transport: usize, address: usize, port: u16 },
    Pass { seconds: u64 },
    Sweep,
    Restart,
    Break { is_broken: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_usize, 0..8_usize, any::<Option<u8>>()).prop_map(
            |(peer, address, hop_limit)| Event::Connect { peer, address, hop_limit }
        ),
        3 => (1..12_u64).prop_map(|number| Event::Disconnect { number }),
        4 => (0..2_usize, 0..3_usize, 0..8_usize, 0..3_u16).prop_map(
            |(user, transport, address, port)| Event::Prove { user, transport, address, port }
        ),
        2 => prop_oneof![0..5_u64, 20..70_u64, 500..700_u64]
            .prop_map(|seconds| Event::Pass { seconds }),
        2 => Just(Event::Sweep),
        1 => Just(Event::Restart),
        1 => any::<bool>().prop_map(|is_broken| Event::Break { is_broken }),
    ]
}

/// What was proved, kept in another way than the ledger keeps it.
#[derive(Default)]
struct Proofs {
    connected: BTreeMap<u64, (usize, usize)>,
    /// When the last connection of a peer from an address ended.
    left: HashMap<(usize, usize), MonotonicNanos>,
    /// The last answer over a transport from a place.
    answered: HashMap<(Place, &'static str), (usize, MonotonicNanos)>,
}

impl Proofs {
    fn leave(&mut self, number: u64, now: MonotonicNanos) {
        if let Some(key) = self.connected.remove(&number) {
            self.left.insert(key, now);
        }
    }

    /// The latest time until which a peer's proof from any address can hold `place`.
    fn until(&self, scene: &Scene, peer: usize, place: &Place) -> u64 {
        let lifetime = u64::try_from(scene.config.peers[peer].lifetime().as_nanos()).unwrap();
        let is_for = |address: usize| match place {
            Place::Address(held) => held.to_string() == ADDRESSES[address],
            Place::Network(_) => true,
            Place::Port(_) => false,
            Place::Subnet(_) => is_in(place, ADDRESSES[address]),
        };
        let connected = self.connected.values().map(|key| (*key, scene.now));
        connected
            .chain(self.left.iter().map(|(key, at)| (*key, *at)))
            .filter(|((who, address), _)| *who == peer && is_for(*address))
            .map(|(_, at)| at.0 + lifetime)
            .max()
            .unwrap_or(0)
    }

    /// The latest time until which anybody's proof from within a /64 can hold it.
    fn until_in(&self, scene: &Scene, subnet: &Place) -> u64 {
        let lifetime = u64::try_from(LIFETIME.as_nanos()).unwrap();
        let within = self.answered.iter().filter(|((place, _), _)| match place {
            Place::Port(socket) => is_in(subnet, &socket.ip().to_string()),
            Place::Address(_) | Place::Subnet(_) | Place::Network(_) => false,
        });
        let by_answers = within.map(|(_, (_, at))| at.0 + lifetime);
        let by_peers = (0..scene.config.peers.len()).map(|peer| self.until(scene, peer, subnet));
        by_answers.chain(by_peers).max().unwrap_or(0)
    }
}

fn is_in(subnet: &Place, address: &str) -> bool {
    let around = address.parse::<IpAddr>().unwrap();
    *subnet == Place::of_key(&SourceKey::subnet(around.into()))
}

/// What the kernel has to hold for grants that it knows by one place; `None` where it may hold what was
/// there before they ended.
fn merged(grants: &[&Grant], now: MonotonicNanos) -> Option<(Transports, MonotonicNanos)> {
    let live = grants.iter().filter(|grant| grant.is_live(now));
    let opened = live.clone().fold(Transports::NONE, |all, grant| all.union(grant.transports));
    Some((opened, live.map(|grant| grant.expires_at).max()?))
}

/// The kernel holds what the ledger believes: all of what is live, and nothing beyond what was granted.
fn check_rows(scene: &Scene) -> Result<(), TestCaseError> {
    let mut believed = BTreeMap::<Place, Vec<&Grant>>::new();
    for (place, grant) in scene.ledger.grants() {
        believed.entry(scene.ledger.spoken_for_by(*place)).or_default().push(grant);
    }
    let held = scene.ledger.table().entries();
    prop_assert!(held.keys().all(|place| believed.contains_key(place)));
    for (place, grants) in believed {
        let entry = held.get(&place);
        if let [grant] = grants[..] {
            prop_assert!(entry == Some(&grant.entry()) || !grant.is_live(scene.now));
        }
        let granted = grants.iter().fold(Transports::NONE, |all, it| all.union(it.transports));
        prop_assert!(entry.is_none_or(|entry| granted.contains(entry.transports)), "{place}");
        if let Some((opened, until)) = merged(&grants, scene.now) {
            let is_open = |entry: &TrustEntry| {
                entry.transports.contains(opened) && entry.expires_at == until.0
            };
            prop_assert!(entry.is_some_and(is_open), "{place}: {entry:?}");
        }
    }
    Ok(())
}

fn check(scene: &Scene, proofs: &Proofs) -> Result<(), TestCaseError> {
    check_rows(scene)?;
    let held = scene.ledger.table().entries();

    for listed in ["198.51.100.0/24", "2001:db8:1::/48"] {
        let entry = held.get(&network(listed)).copied();
        prop_assert!(entry.is_some_and(|entry| entry.transports.contains(Transports::TLS)));
    }

    let mut shares = HashMap::<&Holder, usize>::new();
    for (place, grant) in scene.ledger.grants() {
        if let (Place::Address(_), Holder::Peer(_)) | (_, Holder::User(_)) = (place, &grant.holder)
        {
            *shares.entry(&grant.holder).or_default() += 1;
        }
        let until = match (grant.lane, &grant.holder) {
            (Lane::Tls, Holder::Peer(peer)) => proofs.until(scene, *peer, place),
            (Lane::Digest, Holder::Earlier) if matches!(place, Place::Subnet(_)) => {
                proofs.until_in(scene, place)
            }
            (Lane::Digest, holder) => {
                let open = opened(&grant.entry()).leak();
                let answer = proofs.answered.get(&(*place, open));
                let Some((user, at)) = answer else {
                    return Err(TestCaseError::fail(format!("nobody answered from {place}")));
                };
                if let Holder::User(name) = holder {
                    prop_assert_eq!(&**name, USERS[*user]);
                }
                at.0 + u64::try_from(LIFETIME.as_nanos()).unwrap()
            }
            (Lane::Static | Lane::Denied, Holder::Peer(_) | Holder::Operator) => TrustEntry::NEVER,
            (lane, holder) => {
                return Err(TestCaseError::fail(format!("{lane:?} of {holder:?}")));
            }
        };
        prop_assert!(grant.expires_at.0 <= until, "{place} outlives its proof");
    }
    prop_assert!(shares.values().all(|share| *share <= SHARE));
    Ok(())
}

fn apply(mut scene: Scene, proofs: &mut Proofs, number: u64, event: &Event) -> Scene {
    match *event {
        Event::Connect { peer, address, hop_limit } => {
            proofs.connected.insert(number, (peer, address));
            // A table that takes nothing more is an error, and must change nothing.
            let _ = scene.connect_at(peer, number, ADDRESSES[address], hop_limit);
        }
        Event::Disconnect { number } => {
            let peer = proofs.connected.get(&number).map_or(CARRIER, |(peer, _)| *peer);
            let _ = scene.disconnect(peer, number);
            proofs.leave(number, scene.now);
        }
        Event::Prove { user, transport, address, port: number } => {
            let remote = SocketAddr::new(ADDRESSES[address].parse().unwrap(), number).to_string();
            let transport = TRANSPORTS[transport];
            if scene.try_to_prove(USERS[user], transport, &remote).is_ok() {
                let open = ["udp", "tcp", ""][transport as usize];
                proofs.answered.insert((port(&remote), open), (user, scene.now));
            }
        }
        Event::Pass { seconds } => scene.pass(seconds),
        Event::Sweep => {
            let _ = scene.ledger.sweep(scene.now);
        }
        Event::Restart => {
            let numbers: Vec<_> = proofs.connected.keys().copied().collect();
            for number in numbers {
                proofs.leave(number, scene.now);
            }
            let table = MemoryTable { broken: None, ..scene.ledger.table().clone() };
            scene = Scene::restarted(table, policy(), scene.now);
        }
        Event::Break { is_broken } => {
            let Place::Network(prefix) = network("198.51.100.0/24") else { unreachable!() };
            scene.ledger.table_mut().broken = is_broken.then_some(prefix);
        }
    }
    scene
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn table_and_ledger_agree_and_no_grant_outlives_its_proof(
        capacity in 0..6_usize,
        events in prop::collection::vec(event(), 0..60),
    ) {
        let table = MemoryTable { capacity: Some(capacity), ..MemoryTable::default() };
        let mut scene = Scene::restarted(table, policy(), START);
        let mut proofs = Proofs::default();
        for (number, event) in (1..).zip(&events) {
            scene = apply(scene, &mut proofs, number, event);
            check(&scene, &proofs)?;
        }

        // When everybody has left and every lifetime is over, the operator's word alone is left.
        scene.ledger.table_mut().broken = None;
        for (number, (peer, _)) in std::mem::take(&mut proofs.connected) {
            // A full table may refuse what another one's end still opens.
            let _ = scene.disconnect(peer, number);
        }
        scene.pass(601);
        scene.sweep();
        prop_assert_eq!(scene.ledger.table().entries().len(), LASTING);
        prop_assert_eq!(scene.ledger.grants().count(), LASTING);
    }
}
