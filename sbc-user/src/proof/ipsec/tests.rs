use super::*;
use crate::config::sample;
use crate::kernel::xfrm::{Network as XfrmNetwork, PortMatch, Selector};

/// A peer that uses IPsec itself, and one behind a gateway; the listeners are those of the sample.
const PEERS: &str = r#"
[[peer]]
name = "carrier"
require = ["ipsec"]
sources = ["198.51.100.0/28"]
opens = ["udp"]

[[peer]]
name = "office"
require = ["ipsec", "tls"]
identities = ["office.example"]
sources = ["10.9.0.0/16"]
ipsec-gateways = ["192.0.2.1"]
opens = ["udp", "tcp"]
"#;

const OURS: &str = "203.0.113.1";
const CARRIER: usize = 0;
const OFFICE: usize = 1;
const ANY_PORT: PortMatch = PortMatch { port: 0, mask: 0 };

fn network(text: &str) -> XfrmNetwork {
    let (address, length) = text.split_once('/').unwrap();
    XfrmNetwork { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn selector(source: &str) -> Selector {
    Selector {
        source: network(source),
        destination: network(&format!("{OURS}/32")),
        source_port: ANY_PORT,
        destination_port: ANY_PORT,
        protocol: 0,
        interface: 0,
    }
}

/// A policy that lets everything pass.
fn passing(source: &str, priority: u32) -> Policy {
    Policy {
        selector: selector(source),
        priority,
        action: PolicyAction::Allow,
        templates: Vec::new(),
        is_conditional: false,
        is_apart: false,
    }
}

/// One that asks for ESP in transport mode.
fn asking(source: &str, priority: u32, request: u32) -> Policy {
    let template = Template {
        is_esp: true,
        spi: 0,
        source: None,
        request,
        mode: EspMode::Transport,
        is_optional: false,
    };
    Policy { templates: vec![template], ..passing(source, priority) }
}

/// One that asks for ESP in a tunnel from `gateway`.
fn tunnelling(source: &str, gateway: Option<&str>, request: u32) -> Policy {
    let mut policy = asking(source, 10, request);
    policy.templates[0].mode = EspMode::Tunnel;
    policy.templates[0].source = gateway.map(|gateway| gateway.parse().unwrap());
    policy
}

fn association(source: &str, spi: u32, request: u32) -> Association {
    Association {
        source: source.parse().unwrap(),
        destination: OURS.parse().unwrap(),
        spi,
        mode: EspMode::Transport,
        request,
        selector: None,
        is_conditional: false,
    }
}

fn tunnel(source: &str, spi: u32, request: u32) -> Association {
    Association { mode: EspMode::Tunnel, ..association(source, spi, request) }
}

fn changed<T>(mut it: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut it);
    it
}

fn account(policies: Vec<Policy>, associations: Vec<Association>) -> IpsecAccount {
    weigh(&sample::config(PEERS), &XfrmState { policies, associations })
}

/// What is proven of a peer, and why not more.
fn proven(
    peer: usize,
    policies: Vec<Policy>,
    associations: Vec<Association>,
) -> (Transports, Option<Unproven>) {
    let account = account(policies, associations);
    let proof = account.proofs.into_iter().find(|proof| proof.peer == peer).unwrap();
    (proof.transports, proof.problem)
}

fn listener() -> SocketAddr {
    SocketAddr::new(OURS.parse().unwrap(), 5060)
}

const NOTHING: Transports = Transports::NONE;
const WHOLE: Transports = Transports::UDP.union(Transports::TLS);
/// All of the carrier's addresses, and some.
const ALL: &str = "198.51.100.0/28";
const SOME: &str = "198.51.100.0/29";

/// What the carrier is asked for, and has.
fn ask() -> Policy {
    asking(ALL, 10, 1)
}

fn own() -> Association {
    association("198.51.100.7", 7, 1)
}

#[test]
fn a_policy_has_to_ask_for_esp_of_all_that_comes_to_a_listener() {
    let one = |change: fn(&mut Policy)| vec![changed(ask(), change)];
    for (what, policies, expected) in [
        ("it does", vec![ask()], WHOLE),
        ("of everything", vec![asking("0.0.0.0/0", 10, 1)], WHOLE),
        ("there is none", vec![], NOTHING),
        ("of a part", vec![asking(SOME, 10, 1)], NOTHING),
        (
            "two, of a part each",
            vec![asking(SOME, 10, 1), asking("198.51.100.8/29", 10, 1)],
            NOTHING,
        ),
        ("not for ESP", vec![passing(ALL, 1)], NOTHING),
        ("ESP may be left out", one(|it| it.templates[0].is_optional = true), NOTHING),
        ("for another protocol than ESP", one(|it| it.templates[0].is_esp = false), NOTHING),
        ("of what is marked", one(|it| it.is_conditional = true), NOTHING),
        ("of what comes out of an interface of IPsec's own", one(|it| it.is_apart = true), NOTHING),
        ("of what comes by one interface", one(|it| it.selector.interface = 3), NOTHING),
        ("of what comes from one port", one(|it| it.selector.source_port.mask = 1), NOTHING),
        ("it refuses everything", one(|it| it.action = PolicyAction::Block), NOTHING),
        ("of TCP", one(|it| it.selector.protocol = 6), Transports::TLS),
        (
            "to another port",
            one(|it| it.selector.destination_port = PortMatch { port: 5061, mask: 0xffff }),
            Transports::TLS,
        ),
    ] {
        let problem = (expected != WHOLE).then_some(Unproven::NoPolicy(listener()));
        assert_eq!(proven(CARRIER, policies, vec![own()]), (expected, problem), "{what}");
    }
    let udp = changed(ask(), |it| it.selector.protocol = 17);
    assert_eq!(proven(CARRIER, vec![udp], vec![own()]), (Transports::UDP, None));
}

#[test]
fn no_policy_that_may_be_asked_instead_lets_anything_else_pass() {
    for (what, other, bypassed) in [
        ("one that comes first", passing(SOME, 9), true),
        ("one as good", passing(SOME, 10), true),
        ("one that comes later", passing("0.0.0.0/0", 11), false),
        ("one for others", passing("192.0.2.0/24", 1), false),
        ("one for what is marked", changed(passing(SOME, 1), |it| it.is_conditional = true), true),
        (
            "one for what comes out of an interface of IPsec's own",
            changed(passing("0.0.0.0/0", 99), |it| it.is_apart = true),
            true,
        ),
        (
            "one that refuses everything",
            changed(passing(SOME, 1), |it| it.action = PolicyAction::Block),
            false,
        ),
        ("one that asks for ESP too", asking(SOME, 1, 1), false),
    ] {
        let priority = other.priority;
        let expected = if bypassed {
            (NOTHING, Some(Unproven::Bypassed { to: listener(), priority }))
        } else {
            (WHOLE, None)
        };
        assert_eq!(proven(CARRIER, vec![ask(), other], vec![own()]), expected, "{what}");
    }
}

#[test]
fn an_association_of_the_peers_own_has_to_be_there_and_nobody_elses_would_do() {
    let missing = || (NOTHING, Some(Unproven::NoAssociation(listener())));
    let one = |change: fn(&mut Association)| vec![changed(own(), change)];
    for (what, associations) in [
        ("none", vec![]),
        ("of another number", one(|it| it.request = 2)),
        ("in a tunnel", one(|it| it.mode = EspMode::Tunnel)),
        ("for what is marked", one(|it| it.is_conditional = true)),
        ("to another address of ours", one(|it| it.destination = "203.0.113.2".parse().unwrap())),
        ("for something else", one(|it| it.selector = Some(selector("192.0.2.0/24")))),
    ] {
        assert_eq!(proven(CARRIER, vec![ask()], associations), missing(), "{what}");
    }
    let lender: IpAddr = "192.0.2.66".parse().unwrap();
    let borrowable = || (NOTHING, Some(Unproven::Borrowable { to: listener(), lender }));
    let others = |request| association("192.0.2.66", 9, request);
    let apart = changed(others(1), |it| it.selector = Some(selector("192.0.2.66/32")));
    let of_any_number = || asking(ALL, 10, 0);
    let first = || vec![ask(), asking(SOME, 1, 2)];
    for (what, policies, other, expected) in [
        ("of another number", vec![ask()], others(2), (WHOLE, None)),
        ("of the same number", vec![ask()], others(1), borrowable()),
        ("of the same number, for other addresses", vec![ask()], apart, (WHOLE, None)),
        ("where numbers do not count", vec![of_any_number()], others(2), borrowable()),
        ("for a policy that comes first", first(), others(2), borrowable()),
    ] {
        assert_eq!(proven(CARRIER, policies, vec![own(), other]), expected, "{what}");
    }
    assert_eq!(proven(CARRIER, vec![of_any_number()], vec![own()]), (WHOLE, None));
}

#[test]
fn a_tunnel_is_the_gateways_and_proves_what_is_behind_it() {
    let behind = "10.9.0.0/16";
    let policy = || tunnelling(behind, Some("192.0.2.1"), 3);
    let own = || tunnel("192.0.2.1", 1, 3);
    let all = Transports::CLEAR.union(Transports::TLS);
    let weighed = |policy: Policy, associations| proven(OFFICE, vec![policy], associations);
    assert_eq!(weighed(policy(), vec![own()]), (all, None));
    // The template names the gateway, so that the kernel takes nobody else's.
    let others = tunnel("192.0.2.66", 9, 3);
    assert_eq!(weighed(policy(), vec![own(), others.clone()]), (all, None));
    let of_anybody = || tunnelling(behind, None, 3);
    assert_eq!(weighed(of_anybody(), vec![own()]), (all, None));
    let (transports, problem) = weighed(of_anybody(), vec![own(), others]);
    assert_eq!(transports, Transports::NONE);
    assert!(problem.unwrap().to_string().contains("an association with 192.0.2.66, which is none"));
    // The association of our own packets has the same number.
    let outbound = changed(tunnel(OURS, 4, 3), |it| it.destination = "192.0.2.1".parse().unwrap());
    assert_eq!(weighed(of_anybody(), vec![own(), outbound]), (all, None));
    // From where the peer's SIP comes, no ESP does.
    let (transports, _) = weighed(of_anybody(), vec![tunnel("10.9.0.1", 1, 3)]);
    assert_eq!(transports, Transports::NONE);
    // Its TLS is asked for, so that it has to be guarded too.
    let udp = changed(policy(), |it| it.selector.protocol = 17);
    let problem = Unproven::NoPolicy(listener());
    assert_eq!(weighed(udp, vec![own()]), (Transports::UDP, Some(problem)));
}

#[test]
fn the_filter_is_told_of_the_associations_to_listeners_with_those_who_may_have_some() {
    let associations = vec![
        association("198.51.100.7", 1, 1),
        association("192.0.2.1", 2, 1),
        association("192.0.2.66", 3, 1),
        changed(association("198.51.100.7", 4, 1), |it| {
            it.destination = "10.0.0.1".parse().unwrap();
        }),
        changed(association("198.51.100.7", 5, 1), |it| it.is_conditional = true),
    ];
    let account = account(vec![asking("198.51.100.0/28", 1, 1)], associations);
    let key = |spi| AssociationKey::new(OURS.parse::<IpAddr>().unwrap().into(), spi);
    let from = |source: &str| Address::from(source.parse::<IpAddr>().unwrap());
    assert_eq!(
        account.associations,
        [
            (key(1), from("198.51.100.7")),
            (key(2), from("192.0.2.1")),
            (key(5), from("198.51.100.7")),
        ]
    );
    assert_eq!(account.proofs[CARRIER].associations, 0, "there is another's of the same number");
}

#[test]
fn a_network_of_a_family_without_listeners_has_nothing_to_prove() {
    let config = sample::config(&PEERS.replace("198.51.100.0/28", "2001:db8::/32"));
    let account = weigh(&config, &XfrmState::default());
    assert_eq!(account.proofs[CARRIER].problem, Some(Unproven::NoListener));
}
