//! Every combination of required proofs against whatever was proven at the peer's address before: what of its
//! SIP in clear passes the wire and the sockets, and what the daemon makes of it.

mod rule;

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{
    Action, Lane, MonotonicNanos, Reason, SliceFrame, Transports, Verdict, decide, decide_at_socket,
};

use super::tables::MemoryTables;
use crate::config::{Config, sample};
use crate::probe;
use crate::proof::dns::NamedSource;
use crate::proof::ipsec::IpsecProof;
use crate::proof::tls::ShownCertificate;
use crate::screening::{Evidence, Standing};
use crate::transport::{Flow, Transport};
use crate::trust::{CertificateProof, IPSEC_LIFETIME, Ledger, TrustTable as _};

const PROOFS: [&str; 5] = ["static", "digest", "tls", "ipsec", "dns"];
const PEER: usize = 0;
const OTHER: usize = 1;
const START: MonotonicNanos = MonotonicNanos(1_000_000_000);
const ETHERNET: usize = 14;
const GRACE: Duration = Duration::from_secs(20);

/// Of each family: the peer's source, one of its addresses, one that is nobody's, the listeners'. A /64 around an
/// IPv6 source would be open to its neighbours.
const FAMILIES: [[&str; 4]; 2] = [
    ["198.51.100.0/24", "198.51.100.9", "198.18.0.9", "203.0.113.1"],
    ["2001:db8:7::9", "2001:db8:7::9", "2001:db8:8::9", "2001:db8:ff::1"],
];

const OTHERS: &str = r#"
[[listen]]
transport = "udp"
address = "[2001:db8:ff::1]:5060"

[[listen]]
transport = "tcp"
address = "[2001:db8:ff::1]:5060"

[[listen]]
transport = "tls"
address = "[2001:db8:ff::1]:5061"

[[peer]]
name = "other"
require = ["tls"]
identities = ["other.example"]
opens = ["udp", "tcp"]
"#;

/// What IPsec has proven of the peer's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ipsec {
    Never,
    Now,
    NoLonger,
    /// Whoever watches it has fallen silent.
    Unheard,
}

/// What the DNS has said of the peer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dns {
    Never,
    Now,
    NoLonger,
    /// Whoever asks it has fallen silent.
    Unheard,
}

/// What was before.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each of them may have been or not")]
struct Past {
    ipsec: Ipsec,
    dns: Dns,
    /// The peer is connected over TLS.
    connected: bool,
    /// So is another one, from the same address.
    other_connected: bool,
    /// A user has answered a challenge at port 5060 over UDP.
    answered: bool,
    /// The daemon was started anew after all that.
    restarted: bool,
}

/// A combination.
struct Policy<'t> {
    require: Vec<&'t str>,
    /// Strangers are dropped.
    config: Config,
    /// They are challenged.
    challenging: Config,
    family: [&'t str; 4],
    /// It is known by its sources, and not by its names alone.
    has_sources: bool,
}

impl<'t> Policy<'t> {
    fn new(require: Vec<&'t str>, family: [&'t str; 4], has_sources: bool) -> Self {
        let identities =
            if require.contains(&"tls") { "identities = [\"peer.example\"]" } else { "" };
        let opens = if require == ["digest"] { "" } else { "opens = [\"udp\"]" };
        let names = if require.contains(&"dns") { "names = [\"sip.peer.example\"]" } else { "" };
        let sources =
            if has_sources { format!("sources = [{:?}]", family[0]) } else { String::new() };
        let config = |action: &str| {
            sample::config(&format!(
                "[[peer]]\nname = \"peer\"\nrequire = {require:?}\n{sources}\n{identities}\n{names}\n\
                 {opens}\n{OTHERS}\n[unknown]\naction = \"{action}\"\n[dns]\ngrace = \"20s\"\n\
                 confirm = \"1s\"\n"
            ))
        };
        let (config, challenging) = (config("drop"), config("challenge"));
        Self { require, config, challenging, family, has_sources }
    }

    fn all() -> impl Iterator<Item = Self> {
        let subsets = (1..1_u8 << PROOFS.len()).map(|bits| {
            let chosen = PROOFS.iter().enumerate().filter(move |(at, _)| bits & 1 << at != 0);
            chosen.map(|(_, proof)| *proof).collect::<Vec<_>>()
        });
        subsets.flat_map(|require| {
            let has = |proof| require.contains(&proof);
            let needs_sources = has("static") || has("ipsec") || !has("dns");
            // Nothing sets the /64 apart of who is known by his names alone; and beside IPsec these open nothing,
            // of whichever family.
            let families = if has("dns") && has("ipsec") { &FAMILIES[..1] } else { &FAMILIES };
            let of_family = |family: &[&'t str; 4]| Self::new(require.clone(), *family, true);
            let with_sources: Vec<_> = families.iter().map(of_family).collect();
            let without = (!needs_sources).then(|| Self::new(require.clone(), FAMILIES[0], false));
            with_sources.into_iter().chain(without)
        })
    }

    fn pasts(&self) -> impl Iterator<Item = Past> + use<> {
        let (has_tls, has_ipsec) = (self.requires("tls"), self.requires("ipsec"));
        let has_dns = self.requires("dns");
        let all = [Ipsec::Never, Ipsec::Now, Ipsec::NoLonger, Ipsec::Unheard];
        let pasts = all.into_iter().flat_map(|ipsec| {
            (0..64_u8).map(move |bits| Past {
                ipsec,
                dns: [Dns::Never, Dns::Now, Dns::NoLonger, Dns::Unheard][usize::from(bits >> 4)],
                connected: bits & 1 != 0,
                other_connected: bits & 2 != 0,
                answered: bits & 4 != 0,
                restarted: bits & 8 != 0,
            })
        });
        pasts.filter(move |past| {
            (has_tls || !past.connected)
                && (has_dns || past.dns == Dns::Never)
                && (has_ipsec || past.ipsec == Ipsec::Never)
                // After a start nothing is known of what IPsec proved before.
                && (!past.restarted || matches!(past.ipsec, Ipsec::Never | Ipsec::Now))
        })
    }
}

/// A daemon at the end of a past.
struct Scene<'p, 't> {
    policy: &'p Policy<'t>,
    ledger: Ledger<MemoryTables>,
    now: MonotonicNanos,
}

/// Says why, and whether it passes.
fn told(verdict: Verdict) -> (Reason, bool) {
    (verdict.reason, verdict.action() == Action::Pass)
}

impl<'p, 't> Scene<'p, 't> {
    fn after(policy: &'p Policy<'t>, past: Past) -> Self {
        let config = &policy.config;
        let ledger = Ledger::begin(MemoryTables::of(config), config, START).unwrap();
        let mut scene = Self { policy, ledger, now: START };
        if past.dns != Dns::Never {
            scene.resolve(&[scene.address()]);
        }
        if past.ipsec != Ipsec::Never {
            scene.ipsec(Transports::UDP.union(Transports::TLS));
        }
        for (peer, is_connected) in [(PEER, past.connected), (OTHER, past.other_connected)] {
            if is_connected {
                scene.connect(peer);
            }
        }
        if past.answered {
            scene.answer();
        }
        match past.ipsec {
            Ipsec::Never | Ipsec::Now => {}
            Ipsec::NoLonger => scene.ipsec(Transports::NONE),
            Ipsec::Unheard => {
                scene.now.0 += u64::try_from(IPSEC_LIFETIME.as_nanos()).unwrap();
                scene.ledger.end_unheard_ipsec(&config.peers, scene.now).unwrap();
            }
        }
        match past.dns {
            Dns::Never | Dns::Now => {}
            Dns::NoLonger => scene.resolve(&[]),
            Dns::Unheard => {
                scene.now.0 += u64::try_from(GRACE.as_nanos()).unwrap();
                scene.ledger.sweep(scene.now).unwrap();
                if past.ipsec == Ipsec::Now {
                    scene.ipsec(Transports::UDP.union(Transports::TLS));
                }
            }
        }
        if past.restarted {
            let tables = mem::take(scene.ledger.table_mut());
            scene.ledger = Ledger::begin(tables, config, scene.now).unwrap();
            if past.ipsec == Ipsec::Now {
                scene.ipsec(Transports::UDP.union(Transports::TLS));
            }
            // Beside IPsec a name opens nothing that another run could find.
            if past.dns == Dns::Now && policy.requires("ipsec") {
                scene.resolve(&[scene.address()]);
            }
        }
        scene
    }

    fn address(&self) -> IpAddr {
        self.policy.family[1].parse().unwrap()
    }

    fn flow(&self, transport: Transport, port: u16) -> Flow {
        let remote = SocketAddr::new(self.address(), port);
        Flow { transport, listener: 0, remote, connection: 0 }
    }

    fn ipsec(&mut self, transports: Transports) {
        let peers = &self.policy.config.peers;
        let network = peers[PEER].sources[0].prefix();
        let proof = IpsecProof { peer: PEER, network, transports, associations: 1, problem: None };
        self.ledger.ipsec_proven(&[proof], peers, self.now).unwrap();
    }

    fn resolve(&mut self, addresses: &[IpAddr]) {
        let until = MonotonicNanos(self.now.0 + u64::try_from(GRACE.as_nanos()).unwrap());
        let source = |address: &IpAddr| NamedSource { address: *address, peer: PEER, until };
        let sources: Vec<_> = addresses.iter().map(source).collect();
        self.ledger.names_resolved(&sources, &self.policy.config.peers, self.now).unwrap();
    }

    fn connect(&mut self, position: usize) {
        let peer = &self.policy.config.peers[position];
        let number = u64::try_from(position).unwrap() + 1;
        let flow = Flow { connection: number, ..self.flow(Transport::Tls, 40_000) };
        let shown = Arc::new(ShownCertificate::of(&[], 0));
        let proof = CertificateProof { shown, until: MonotonicNanos(u64::MAX), dialed: None };
        self.ledger.tls_connected(position, peer, &flow, &proof, Some(60), self.now).unwrap();
    }

    fn answer(&mut self) {
        let (user, lasts) = (Arc::from("alice"), Duration::from_mins(10));
        let flow = self.flow(Transport::Udp, 5060);
        self.ledger.digest_proven(&user, &flow, lasts, self.now).unwrap();
        self.ledger.may_return(&user, &flow, lasts, self.now).unwrap();
    }

    fn frame(&self, transport: Transport, from: &str, port: u16) -> Vec<u8> {
        let from = SocketAddr::new(from.parse().unwrap(), port);
        let to = self.policy.family[3].parse().unwrap();
        match transport {
            Transport::Udp => probe::invite(from, SocketAddr::new(to, 5060)),
            Transport::Tcp => probe::syn(from, SocketAddr::new(to, 5060)),
            Transport::Tls => probe::syn(from, SocketAddr::new(to, 5061)),
        }
        .unwrap()
    }

    /// What is in the kernel, under a policy that drops strangers or challenges them.
    fn tables(&self, challenges: bool) -> MemoryTables {
        let policy = self.policy;
        let config = if challenges { &policy.challenging } else { &policy.config };
        let mut tables = MemoryTables::of(config);
        tables.advance(self.now);
        for (key, entry) in self.ledger.table().sources() {
            tables.trust_source(&key, &entry).unwrap();
        }
        for (prefix, entry) in self.ledger.table().prefixes() {
            tables.trust_prefix(prefix, &entry).unwrap();
        }
        tables
    }

    fn standing(&self, transport: Transport, port: u16) -> Standing {
        let (peers, flow) = (&self.policy.config.peers, self.flow(transport, port));
        let evidence = Evidence {
            tls_connection: None,
            tls_source: self.ledger.tls_peer(peers, &flow, self.now),
            ipsec_source: self.ledger.ipsec_peer(peers, &flow, self.now),
            dns_source: {
                let named = self.ledger.named_sources().into_iter();
                let mut here = named.filter(|it| it.address == flow.remote.ip());
                here.find(|it| it.until > self.now).map(|it| it.peer)
            },
            has_answered: self.ledger.has_answered(&flow, self.now),
        };
        Standing::of(&evidence, &flow, peers, true)
    }
}

fn on_the_wire(frame: &[u8], tables: &mut MemoryTables) -> (Reason, bool) {
    told(decide(&mut SliceFrame::new(frame), tables))
}

fn at_the_socket(frame: &[u8], tables: &mut MemoryTables) -> (Reason, bool) {
    told(decide_at_socket(&mut SliceFrame::new(&frame[ETHERNET..]), tables))
}

#[test]
fn in_clear_passes_what_is_proven_and_nothing_of_who_has_to_speak_through_ipsec() {
    let mut looked = 0;
    for policy in Policy::all() {
        for past in policy.pasts() {
            let scene = Scene::after(&policy, past);
            for (transport, port) in
                [(Transport::Udp, 5060), (Transport::Udp, 7000), (Transport::Tcp, 5060)]
            {
                let at = format!("{:?} {past:?} {transport} {port}", policy.require);
                let expected = policy.standing(past, transport);
                assert_eq!(scene.standing(transport, port), expected, "{at}");
                for unknown in [false, true] {
                    clear_text_is_met_as_the_rule_says(&scene, past, (transport, port), unknown);
                }
            }
            strangers_are_met_as_strangers_and_tls_is_open(&scene, past);
            looked += 1;
        }
    }
    // Neither tls nor ipsec, one of them, both: combinations of static and digest, with so many pasts each.
    let without_dns = 3 * 8 + 4 * 16 + 4 * 24 + 4 * 48;
    let with_dns = 4 * (4 * 8 + 4 * 16);
    let beside_ipsec = 4 * (4 * 24 + 4 * 48);
    let by_dns_alone = 4 * (2 * 8 + 2 * 16);
    let of_both = (without_dns + with_dns) * FAMILIES.len();
    assert_eq!(looked, of_both + beside_ipsec + by_dns_alone);
}

fn clear_text_is_met_as_the_rule_says(
    scene: &Scene<'_, '_>,
    past: Past,
    (transport, port): (Transport, u16),
    unknown: bool,
) {
    let policy = scene.policy;
    let at = format!("{:?} {past:?} {transport} {port} challenges={unknown}", policy.require);
    let frame = scene.frame(transport, policy.family[1], port);
    let tables = &mut scene.tables(unknown);
    let (reason, passes) = on_the_wire(&frame, tables);
    let expected = policy.passes_the_wire(past, transport, port, unknown);
    assert_eq!(passes, expected, "wire: {reason:?} {at}");
    let is_outside = reason == Reason::ClearOutsideIpsec;
    assert_eq!(is_outside, policy.requires("ipsec"), "wire: {reason:?} {at}");
    let (reason, passes) = at_the_socket(&frame, tables);
    let expected = policy.passes_the_socket(past, transport, port, unknown);
    assert_eq!(passes, expected, "socket: {reason:?} {at}");
}

fn strangers_are_met_as_strangers_and_tls_is_open(scene: &Scene<'_, '_>, past: Past) {
    let policy = scene.policy;
    let [_, here, elsewhere, _] = policy.family;
    let at = format!("{:?} {past:?}", policy.require);
    for unknown in [false, true] {
        let tables = &mut scene.tables(unknown);
        for transport in [Transport::Udp, Transport::Tcp] {
            let frame = scene.frame(transport, elsewhere, 5060);
            for judged in [on_the_wire(&frame, tables), at_the_socket(&frame, tables)] {
                assert_eq!(judged.1, unknown, "{judged:?} {at}");
            }
        }
        for from in [here, elsewhere] {
            let frame = scene.frame(Transport::Tls, from, 5060);
            for judged in [on_the_wire(&frame, tables), at_the_socket(&frame, tables)] {
                assert!(judged.1, "{judged:?} {at}");
            }
        }
    }
}

/// What an earlier policy let a user prove is no way round what a later one asks for.
#[test]
fn a_place_that_was_a_users_is_shut_when_it_becomes_one_that_has_to_speak_through_ipsec() {
    let past = Past {
        ipsec: Ipsec::Never,
        dns: Dns::Never,
        connected: false,
        other_connected: false,
        answered: true,
        restarted: false,
    };
    for family in FAMILIES {
        let before = Policy::new(vec!["digest"], family, true);
        let after = Policy::new(vec!["digest", "ipsec"], family, true);
        for (past, lane) in
            [(past, Lane::Probation), (Past { other_connected: true, ..past }, Lane::Tls)]
        {
            let mut scene = Scene::after(&before, past);
            let lanes: Vec<_> = scene.ledger.grants().map(|(_, grant)| grant.lane).collect();
            assert!([Lane::Digest, lane].iter().all(|lane| lanes.contains(lane)), "{lanes:?}");

            let (left, now) = (mem::take(scene.ledger.table_mut()), scene.now);
            let ledger = Ledger::begin(left, &after.config, now).unwrap();
            let scene = Scene { policy: &after, ledger, now };
            let lanes: Vec<_> = scene.ledger.grants().map(|(_, grant)| grant.lane).collect();
            assert_eq!(lanes, [Lane::Static]);
            for port in [5060, 7000] {
                let frame = scene.frame(Transport::Udp, family[1], port);
                let tables = &mut scene.tables(true);
                for judged in [on_the_wire(&frame, tables), at_the_socket(&frame, tables)] {
                    assert_eq!(judged, (Reason::ClearOutsideIpsec, false), "{port}");
                }
                assert_eq!(scene.standing(Transport::Udp, port), Standing::Lacking);
            }
        }
    }
}
