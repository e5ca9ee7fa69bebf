use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sbc_common::{Mode, Transports};

use super::sample::{BASE, config, parse};
use super::{
    Config, ConfigError, OnDisconnect, OnShutdown, Permissions, Rate, ScrutinyPolicy, TunnelPolicy,
    UnknownPolicy,
};
use crate::kernel::{AttachMode, SocketFilter};
use crate::proof::users::Users;

mod examples;

const TRUNK: &str = "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
    sources = [\"192.0.2.0/28\"]\nopens = [\"udp\"]\n";
const CARRIER: &str = "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\n\
    identities = [\"carrier.example\"]\nsources = [\"198.51.100.0/24\"]\nopens = [\"udp\"]\n";
const OFFICE: &str = "[[peer]]\nname = \"office\"\nrequire = [\"digest\"]\n\
    sources = [\"192.0.2.128/28\"]\n";

/// The base and what follows it, with one part of it replaced.
fn changed(tail: &str, part: &str, replacement: &str) -> String {
    let text = format!("{BASE}\n{tail}");
    assert!(text.contains(part), "{part:?} is not there");
    text.replacen(part, replacement, 1)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    match parse(text) {
        Err(error @ ConfigError::Contradiction { .. }) => {
            let message = error.to_string();
            assert!(message.starts_with("/etc/sbc/sbc.toml: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
        other => panic!("{other:?} instead of a contradiction: {expected}"),
    }
}

fn config_of(text: &str) {
    parse(text).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_base_of_these_tests_contradicts_nothing() {
    config(&format!("{TRUNK}{CARRIER}{OFFICE}"));
}

#[test]
fn what_listeners_cannot_be_together_is_refused() {
    let udp = "transport = \"udp\"\naddress = \"203.0.113.1:5060\"";
    let elsewhere = |address: &str| udp.replace("203.0.113.1:5060", address);
    for (text, expected) in [
        (changed("", "version = 1", "version = 2"), "2 is not 1"),
        (changed("", udp, &elsewhere("0.0.0.0:5060")), "wildcard"),
        (changed("", udp, &elsewhere("[::]:5060")), "wildcard"),
        (changed("", udp, &elsewhere("[::ffff:203.0.113.1]:5060")), "written as one"),
        (changed("", udp, &elsewhere("203.0.113.1:0")), "port 0"),
        (
            changed("", udp, &format!("{udp}\nclient-certificate = \"require\"")),
            "for TLS listeners",
        ),
        (changed("", "\"tcp\"", "\"udp\""), "another listener has the same address"),
        (changed("", "203.0.113.1:5061", "203.0.113.1:5060"), "another listener has the same"),
    ] {
        refused(&text, expected);
    }
    let tls = "[tls]\ncertificate = \"sbc.pem\"\nkey = \"sbc.key\"\nclient-ca = \"peers.pem\"\n";
    refused(&changed("", tls, ""), "[[listen]] TLS 203.0.113.1:5061: a TLS listener needs");
    let none = BASE.split("[[listen]]").next().unwrap().to_owned();
    let (_, rest) = BASE.split_once("[tls]").unwrap();
    let none = none.replace("version = 1", "version = 1\nlisten = []");
    refused(&format!("{none}[tls]{rest}"), "there is no listener");
    let many: Vec<_> = (1..=30)
        .map(|port| format!("[[listen]]\ntransport = \"udp\"\naddress = \"203.0.113.2:{port}\"\n"))
        .collect();
    refused(&format!("{BASE}{}", many.concat()), "more than 32 listeners");
}

#[test]
fn an_upstream_that_cannot_be_is_refused() {
    let target = "sip:10.0.0.5:5060";
    let address = "10.0.0.1:5060";
    for (part, other, expected) in [
        (target, "sip:[2001:db8::5]:5060", "different families"),
        (target, "sip:10.0.0.5:0", "target sip:10.0.0.5:0: port 0"),
        (target, "sip:0.0.0.0", "target sip:0.0.0.0: the address stands in messages"),
        (target, "sip:10.0.0.1:5060", "is our own address"),
        (target, "sip:203.0.113.1", "is our own address"),
        (address, "0.0.0.0:5060", "address: the address stands in messages"),
        (address, "10.0.0.1:0", "address: port 0"),
        (address, "203.0.113.1:5060", "address is that of a listener"),
    ] {
        refused(&changed("", part, other), expected);
    }
    let inside = "name = \"eth0\"\n\n[interface.inside]\nname = \"eth0\"";
    refused(&changed("", "name = \"eth0\"", inside), "[interface.inside]: is the outside one too");
}

#[test]
fn a_daemon_without_privileges_is_not_asked_to_detach() {
    let kernel =
        |on_shutdown| format!("{BASE}[kernel]\nuser = \"sbc\"\non-shutdown = \"{on_shutdown}\"");
    assert_eq!(parse(&kernel("keep")).unwrap().kernel.user.as_deref(), Some("sbc"));
    refused(&kernel("detach"), "the daemon of user cannot detach");
}

#[test]
fn whose_sockets_are_guarded_is_said_once_and_wholly() {
    let kernel = |lines: &str| format!("{BASE}[kernel]\n{lines}");
    assert_eq!(config("").kernel.socket_filter, SocketFilter::Auto);
    for (text, wanted) in [
        ("auto", SocketFilter::Auto),
        ("require", SocketFilter::Require),
        ("off", SocketFilter::Off),
    ] {
        let line = format!("socket-filter = \"{text}\"");
        let kernel = parse(&kernel(&line)).unwrap().kernel;
        assert_eq!((kernel.socket_filter, kernel.cgroup), (wanted, None));
    }
    let cgroup = "cgroup = \"/sys/fs/cgroup/sbc.slice\"\n";
    let named = parse(&kernel(cgroup)).unwrap().kernel.cgroup;
    assert_eq!(named.as_deref(), Some(Path::new("/sys/fs/cgroup/sbc.slice")));
    refused(&kernel("cgroup = \"sbc.slice\""), "[kernel]: cgroup is not a whole path");
    let off = format!("{cgroup}socket-filter = \"off\"");
    refused(&kernel(&off), "cgroup is not used: socket-filter is off");
    for wrong in ["\"on\"", "\"Require\"", "true"] {
        let error = parse(&kernel(&format!("socket-filter = {wrong}"))).unwrap_err().to_string();
        assert!(error.contains("socket-filter"), "{error}");
    }
}

#[test]
fn silence_ends_enforcement_only_where_the_operator_says_so() {
    let silence = |lines: &str| {
        let text = format!("{BASE}[kernel]\n{lines}");
        parse(&text).unwrap().kernel.longest_silence()
    };
    assert_eq!(silence("on-silence = \"pass\""), Some(Duration::from_secs(30)));
    assert_eq!(silence("on-silence = \"pass\"\nsilence = \"2s\""), Some(Duration::from_secs(2)));
    assert_eq!(silence("on-silence = \"enforce\"\nsilence = \"2s\""), None);
    assert_eq!(silence("silence = \"2s\""), None);
    assert!(parse(&format!("{BASE}[kernel]\non-silence = \"drop\"")).is_err());
}

#[test]
fn a_table_that_would_not_hold_what_is_asked_of_it_is_refused() {
    for entries in ["1023", "4000001"] {
        let kernel = format!("[kernel]\ntrust-entries = {entries}");
        refused(&format!("{BASE}{kernel}"), "trust-entries is not within");
    }
    let silence = "[kernel]\nsilence = \"1900ms\"";
    refused(&format!("{BASE}{silence}"), "silence is less than 2s");
    let share = "sources-per-user = 70000";
    refused(&changed("", "sources-per-user = 2", share), "sources-per-user is more than");
    let share = "[trust]\nsources-per-peer = 70000";
    refused(&format!("{BASE}{share}"), "sources-per-peer is more than");
    let nonces = "sources-per-user = 2\nremembered-nonces = 4000001";
    refused(&changed("", "sources-per-user = 2", nonces), "remembered-nonces is more than");
    let denied: Vec<_> =
        (0..4096).map(|it| format!("\"10.1.{}.{}\"", it / 256, it % 256)).collect();
    let denied = format!("[denied]\nsources = [{}]", denied.join(","));
    refused(&format!("{BASE}{denied}"), "more than 4095 sources");
}

#[test]
fn routing_keys_that_end_before_what_they_sealed_are_refused() {
    let session = |lines: &str| format!("{BASE}[session]\n{lines}");
    refused(&session("change-key-after = \"59m\""), "[session]: change-key-after is less than 1h");
    let brief = "accept-old-key-for = \"119m\"";
    refused(&session(brief), "[session]: accept-old-key-for is less than [users] longest-reg");
    refused(
        &session("change-key-after = \"11h\""),
        "[session]: accept-old-key-for is more than 14",
    );
    assert!(parse(&session("change-key-after = \"401d\"")).is_err());
    config_of(&session("change-key-after = \"12h\"\naccept-old-key-for = \"2h\""));
    config_of(&session("change-key-after = \"12h\""));
}

#[test]
fn a_network_that_may_spend_what_is_for_all_of_them_is_refused() {
    for line in
        ["tls-attempts = \"40/s burst 4000\"", "tls-attempts-per-network = \"1/s burst 500000\""]
    {
        refused(&format!("{BASE}[limits]\n{line}"), "one network could keep all others out");
    }
    let limits = "tls-attempts = \"10/s burst 20\"\ntls-attempts-per-network = \"10/s burst 20\"\n\
        early-fragments = \"1/s\"";
    let limits = config(&format!("[limits]\n{limits}")).limits;
    assert_eq!(limits.tls_attempts, Rate::new(10, 20));
    assert_eq!(limits.tls_attempts_per_network, Rate::new(10, 20));
    assert_eq!(limits.early_fragments, Rate::new(1, 1));
}

#[test]
fn what_trusted_sources_have_to_look_like_is_up_to_the_operator() {
    let name = "name = \"eth0\"";
    let lines = "reverse-path = \"observe\"\ntunnels = \"pass\"";
    let outside = parse(&changed("", name, &format!("{name}\n{lines}"))).unwrap().interface.outside;
    assert_eq!(outside.reverse_path, ScrutinyPolicy::Observe);
    assert_eq!(outside.tunnels, TunnelPolicy::Pass);
}

#[test]
fn a_peer_that_nobody_could_be_or_that_would_get_less_than_it_says_is_refused() {
    for (peer, part, other, expected) in [
        (TRUNK, "\"trunk\"", "\"\"", "name is empty"),
        (TRUNK, "[\"static\"]", "[]", "require is empty"),
        (CARRIER, "identities = [\"carrier.example\"]\n", "", "no certificate could be"),
        (TRUNK, "opens", "identities = [\"a.example\"]\nopens", "nobody would ever check them"),
        (TRUNK, "sources = [\"192.0.2.0/28\"]\n", "", "require has static, but sources is empty"),
        (OFFICE, "sources = [\"192.0.2.128/28\"]\n", "", "nothing would tell"),
        (TRUNK, "opens = [\"udp\"]", "", "opens has neither udp nor tcp"),
        (TRUNK, "[\"udp\"]", "[\"ipsec\"]", "opens has neither udp nor tcp"),
        (OFFICE, "sources", "opens = [\"udp\"]\nsources", "digest alone opens the port"),
        (OFFICE, "sources", "budget = \"1/s\"\nsources", "budget without static, dns or tls"),
        (TRUNK, "opens", "lifetime = \"60s\"\nopens", "about TLS connections"),
        (TRUNK, "opens", "on-disconnect = \"remove\"\nopens", "about TLS connections"),
    ] {
        refused(&format!("{BASE}{}", peer.replacen(part, other, 1)), expected);
    }
    let no_tls = changed(CARRIER, "\"tls\"\naddress", "\"tcp\"\naddress");
    refused(&no_tls, "there is no TLS listener");
    let users = "[users]\nstore = \"file:users.toml\"\nalgorithms = [\"SHA-256\", \"MD5\"]\n\
        sources-per-user = 2\n";
    refused(&changed(OFFICE, users, ""), "there is no table [users]");
}

#[test]
fn what_ipsec_has_no_place_beside_is_refused() {
    let opening = |peer: &str| peer.replace("opens = [\"udp\"]", "opens = [\"udp\", \"ipsec\"]");
    let carrier = opening(CARRIER);
    let homeless = carrier.replace("sources = [\"198.51.100.0/24\"]\n", "");
    refused(&format!("{BASE}{homeless}"), "opens has ipsec, but sources is empty");
    for port in ["500", "4500"] {
        let udp = "\"udp\"\naddress = \"203.0.113.1:";
        let text = changed(&carrier, &format!("{udp}5060"), &format!("{udp}{port}"));
        let expected = format!(
            "[[listen]] UDP 203.0.113.1:{port}: 203.0.113.1:{port}/UDP is IKE's, which peer \"carrier\""
        );
        refused(&text, &expected);
        config_of(&text.replace(", \"ipsec\"", ""));
        let inside = changed(&carrier, "10.0.0.1:5060", &format!("203.0.113.1:{port}"));
        refused(&inside, "[upstream]: 203.0.113.1");
        config_of(&changed(&carrier, "10.0.0.1:5060", &format!("10.0.0.1:{port}")));
    }
    let many: Vec<_> = (1..=20)
        .map(|it| {
            format!("[[listen]]\ntransport = \"udp\"\naddress = \"203.0.113.{}:5060\"\n", it + 1)
        })
        .collect();
    let many = many.concat();
    refused(&format!("{BASE}{many}{carrier}"), "no room for IKE and ESP at so many addresses");
    config(&format!("{many}{CARRIER}"));
}

#[test]
fn a_peer_that_has_to_speak_through_ipsec_is_known_by_its_sources_and_its_gateways() {
    const GUARDED: &str = "[[peer]]\nname = \"guarded\"\nrequire = [\"ipsec\"]\n\
        sources = [\"10.9.0.0/16\"]\nopens = [\"udp\"]\n";
    let gateways = |list: &str| format!("{GUARDED}ipsec-gateways = {list}\n");
    let peer = &config(&gateways("[\"192.0.2.99\", \"10.9.0.0/24\"]")).peers[0];
    assert_eq!((peer.opens_by_word(), peer.opens_ipsec()), (Transports::IPSEC, true));
    let apart: Vec<_> = peer.gateways_apart().map(|it| it.to_string()).collect();
    assert_eq!(apart, ["192.0.2.99/32"]);
    assert_eq!(peer.gateways().len(), 2);
    assert_eq!(config(GUARDED).peers[0].gateways().len(), 1);
    let combined = GUARDED.replace("\"ipsec\"", "\"ipsec\", \"static\", \"digest\"");
    assert_eq!(config(&combined).peers[0].opens_by_word(), Transports::IPSEC);

    let without = |part: &str| format!("{BASE}{}", GUARDED.replace(part, ""));
    refused(&without("sources = [\"10.9.0.0/16\"]\n"), "require has ipsec, but sources is empty");
    refused(&without("opens = [\"udp\"]\n"), "opens has neither udp nor tcp");
    refused(&format!("{BASE}{GUARDED}budget = \"9/s\"\n"), "budget is about SIP in clear");
    let trunk = format!("{BASE}{TRUNK}ipsec-gateways = [\"192.0.2.99\"]\n");
    refused(&trunk, "ipsec-gateways without ipsec in require or opens");
    for [own, others] in [
        ["[\"192.0.2.0/29\"]", ""],
        ["[\"192.0.2.99\"]", "opens = [\"udp\", \"ipsec\"]\nipsec-gateways = [\"192.0.2.99\"]\n"],
    ] {
        let trunk = if others.is_empty() {
            TRUNK.to_owned()
        } else {
            TRUNK.replace("opens = [\"udp\"]\n", others)
        };
        let text = format!("{BASE}{}{trunk}", gateways(own));
        refused(&text, "whose associations would it have?");
    }
    let denied =
        format!("{BASE}{}[denied]\nsources = [\"192.0.2.99\"]", gateways("[\"192.0.2.99\"]"));
    refused(&denied, "in [denied], which is dropped whatever it proves");
}

#[test]
fn ipsec_is_open_to_whoever_is_listed_and_clear_text_upon_proof() {
    let opens = |peer: &str, opens: &str| {
        let peer = config(&peer.replace("sources", &format!("opens = {opens}\nsources"))).peers;
        (peer[0].opens_by_word(), peer[0].opens_by_tls())
    };
    let (udp, tls, ipsec) = (Transports::UDP, Transports::TLS, Transports::IPSEC);
    let bare = |peer: &str| peer.replace("opens = [\"udp\"]\n", "");
    let [trunk, carrier] = [bare(TRUNK), bare(CARRIER)];
    assert_eq!(opens(&trunk, "[\"udp\", \"ipsec\"]").0, udp.union(ipsec));
    let all = udp.union(tls).union(ipsec);
    assert_eq!(opens(&carrier, "[\"udp\", \"ipsec\"]"), (tls.union(ipsec), all));
    assert_eq!(opens(&carrier, "[\"ipsec\"]"), (tls.union(ipsec), tls.union(ipsec)));
    assert_eq!(opens(OFFICE, "[\"ipsec\"]").0, ipsec);
    assert_eq!(opens(OFFICE, "[]").0, Transports::NONE);
}

#[test]
fn two_peers_that_could_be_taken_for_each_other_are_refused() {
    let second =
        |part: &str, other: &str| format!("{BASE}{CARRIER}{}", CARRIER.replace(part, other));
    refused(&second("198.51.100.0", "198.51.101.0"), "another peer has the same name");
    let renamed = CARRIER.replace("\"carrier\"", "\"other\"");
    refused(&format!("{BASE}{CARRIER}{renamed}"), "whose would it be?");
    for inner in ["198.51.100.7", "198.51.100.128/25", "198.51.0.0/16"] {
        let overlapping = renamed.replace("198.51.100.0/24", inner);
        refused(&format!("{BASE}{CARRIER}{overlapping}"), "whose would it be?");
    }
    let same_identity = renamed.replace("198.51.100.0/24", "198.51.101.0/24");
    refused(&format!("{BASE}{CARRIER}{same_identity}"), "has one of its identities");
}

#[test]
fn a_source_that_is_denied_is_nobodys() {
    for denied in ["192.0.2.0/28", "192.0.2.3", "192.0.2.0/24"] {
        let text = format!("{BASE}{TRUNK}[denied]\nsources = [\"{denied}\"]");
        refused(&text, "in [denied], which is dropped whatever it proves");
    }
    config(&format!("{TRUNK}[denied]\nsources = [\"192.0.2.16/28\"]"));
}

#[test]
fn a_key_that_nobody_knows_is_told_with_its_line_and_column() {
    for (part, typo) in [
        ("version = 1", "moed = \"enforce\""),
        ("name = \"eth0\"", "  pxd = \"auto\""),
        ("[tls]", "ca = \"x\""),
        ("sources-per-user = 2", "lifetme = \"1m\""),
    ] {
        let text = changed("", part, &format!("{part}\n{typo}"));
        let line = text.lines().position(|line| line == typo).unwrap() + 1;
        let column = typo.len() - typo.trim_start().len() + 1;
        let message = parse(&text).unwrap_err().to_string();
        assert!(message.contains(&format!("line {line}, column {column}\n")), "{message}");
        assert!(message.contains("unknown field"), "{message}");
    }
    for (tail, key) in [
        ("[control]\nsockt = \"x\"", "sockt"),
        ("[kernel]\nentries = 1", "entries"),
        ("[unknown]\nacton = \"drop\"", "acton"),
        ("[denied]\nsource = []", "source"),
        ("[trust]\nipv4-subnet = true", "ipv4-subnet"),
        ("[limits]\nattempts = \"1/s\"", "attempts"),
        ("[[peer]]\nname = \"a\"\nrequire = [\"tls\"]\nmay-asert = []", "may-asert"),
        ("[interface.inside]\nnames = \"eth1\"", "names"),
        ("[whatever]", "whatever"),
    ] {
        let message = parse(&format!("{BASE}\n{tail}")).unwrap_err().to_string();
        assert!(message.contains(&format!("unknown field `{key}`")), "{message}");
        assert!(message.contains("line "), "{message}");
    }
}

#[test]
fn a_value_that_cannot_be_is_told_with_its_line_and_an_example() {
    for (part, wrong, expected) in [
        ("\"udp\"", "\"udq\"", "unknown variant `udq`"),
        ("sip:10.0.0.5:5060", "10.0.0.5:5060", "such as sip:10.0.0.5:5060"),
        ("sip:10.0.0.5:5060", "sip:[[2001:db8::5]]", "such as sip:10.0.0.5:5060"),
        ("sip:10.0.0.5:5060", "sip:2001:db8::5", "such as sip:10.0.0.5:5060"),
        ("file:users.toml", "users.toml", "such as \\\"file:users.toml\\\""),
        ("\"SHA-256\"", "\"SHA-1\"", "SHA-1"),
        ("sources-per-user = 2", "sources-per-user = 0", "nonzero"),
    ] {
        let message = parse(&changed("", part, wrong)).unwrap_err().to_string();
        assert!(message.contains(&expected.replace("\\\"", "\"")), "{message}");
        assert!(message.contains("line "), "{message}");
    }
}

#[test]
fn relative_paths_start_at_the_directory_of_the_file() {
    let tail = "[control]\nsocket = \"run/control.sock\"\n[kernel]\nbpf-file-system = \"/bpf\"";
    let text = changed(tail, "version = 1", "version = 1\nstate-directory = \"state\"");
    let config = parse(&text).unwrap();
    assert_eq!(config.state_directory, Path::new("/etc/sbc/state"));
    assert_eq!(config.control.socket, Path::new("/etc/sbc/run/control.sock"));
    assert_eq!(config.kernel.longest_silence(), None);
    assert_eq!(config.kernel.bpf_file_system, Path::new("/bpf"));
    assert_eq!(config.users.unwrap().store.to_string(), "file:/etc/sbc/users.toml");
    let tls = config.tls.unwrap();
    assert_eq!(tls.certificate, Path::new("/etc/sbc/sbc.pem"));
    assert_eq!(tls.key, Path::new("/etc/sbc/sbc.key"));
    assert_eq!(tls.client_ca, Path::new("/etc/sbc/peers.pem"));

    let here = Config::parse(BASE, Path::new("sbc.toml")).unwrap();
    assert_eq!(here.tls.unwrap().key, Path::new("sbc.key"));
}

#[test]
fn a_fresh_installation_observes_and_drops_no_call_when_it_stops() {
    let config = config(CARRIER);
    assert_eq!(config.mode(), Mode::Observe);
    assert_eq!(config.unknown.action, UnknownPolicy::Drop);
    assert_eq!(config.kernel.on_shutdown, OnShutdown::Keep);
    assert_eq!(config.kernel.hop_limits, ScrutinyPolicy::Observe);
    assert_eq!(config.kernel.bpf_file_system, Path::new("/run/sbc/bpf"));
    assert_eq!(config.kernel.trust_entries, 65_536);
    assert_eq!(config.interface.outside.xdp, AttachMode::Auto);
    assert!(config.interface.inside.is_none());
    assert_eq!(config.state_directory, Path::new("/var/lib/sbc"));
    assert_eq!(config.control.socket, Path::new("/run/sbc/control.sock"));
    assert!(config.denied.sources.is_empty());
    assert!(config.trust.ipv6_subnet);
    assert_eq!(config.interface.outside.reverse_path, ScrutinyPolicy::Off);
    assert_eq!(config.interface.outside.tunnels, TunnelPolicy::Drop);
    assert_eq!(config.limits.tls_attempts, Rate::new(100_000, 100_000));
    assert_eq!(config.limits.tls_attempts_per_network, Rate::new(2000, 4000));
    assert_eq!(config.limits.early_fragments, Rate::new(100, 200));

    let users = config.users.unwrap();
    assert_eq!(users.lifetime(), Duration::from_hours(1));
    assert_eq!(users.longest_registration(), Duration::from_hours(2));
    assert_eq!(users.nonce_lifetime(), Duration::from_mins(5));
    assert_eq!(users.remembered_nonces.get(), 65_536);

    let [carrier] = &config.peers[..] else { panic!() };
    assert_eq!(carrier.lifetime(), Duration::from_mins(1));
    assert_eq!(carrier.on_disconnect(), OnDisconnect::Expire);
    assert_eq!(carrier.opens(), Transports::UDP);
    assert_eq!(**carrier.permissions(), Permissions::default());
    assert!(!carrier.trust_domain);
}

#[test]
fn enforcing_is_said_in_one_word() {
    let text = changed("", "version = 1", "version = 1\nmode = \"enforce\"");
    assert_eq!(parse(&text).unwrap().mode(), Mode::Enforce);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/sbc.toml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nowhere/sbc.toml: "), "{error}");
}
