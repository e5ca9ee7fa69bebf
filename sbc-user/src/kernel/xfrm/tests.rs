//! What a kernel said, and what is made of it cut and changed.

use std::net::IpAddr;

use sbc_common::{Prefix, Protocol};

use super::message::{Message, Told, XfrmError};
use super::{Association, EspMode, Policy, PolicyAction, Selector};

/// `ip xfrm policy add src 198.51.100.0/24 dst 203.0.113.1/32 proto udp dport 5060 dir in priority 100 tmpl
/// src 198.51.100.7 dst 203.0.113.1 proto esp reqid 5 mode transport`, as it is dumped.
const IN_TRANSPORT: &str = "\
    080100001300020007000000e6230000cb007101000000000000000000000000c63364000000000000000000\
    0000000013c4ffff0000000002002018110000000000000000000000ffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffffffffffff00000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000a9b046b0000000000000000000000006400000008000000\
    000000000000000044000500cb007101000000000000000000000000000000003200000002000000c6336407\
    0000000000000000000000000500000000000000ffffffffffffffffffffffff0a0010000000000000000000";
/// `… src 2001:db8:1::/48 dst 2001:db8::1/128 dir in priority 7`, with templates of optional `IPComp` and of ESP,
/// both with `src 2001:db8:9::1 dst 2001:db8::1 reqid 9 mode tunnel`.
const IN_A_TUNNEL: &str = "\
    480100001300020007000000e623000020010db800000000000000000000000120010db80001000000000000\
    0000000000000000000000000a008030000000000000000000000000ffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffffffffffff00000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000a9b046b0000000000000000000000000700000010000000\
    00000000000000008400050020010db8000000000000000000000001000000006c0000000a00000020010db8\
    0009000000000000000000010900000001000100ffffffffffffffffffffffff20010db80000000000000000\
    0000000100000000320000000a00000020010db80009000000000000000000010900000001000000ffffffff\
    ffffffffffffffff0a0010000000000000000000";
/// `… src 192.0.2.0/24 dst 203.0.113.1/32 dir in action block priority 3 mark 4 mask 255 if_id 3`.
const BLOCKED: &str = "\
    d80000001300020007000000e6230000cb007101000000000000000000000000c00002000000000000000000\
    00000000000000000000000002002018000000000000000000000000ffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffffffffffff00000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000a9b046b0000000000000000000000000300000018000000\
    00010000000000000a00100000000000000000000c00150004000000ff00000008001f0003000000";
/// The counterpart of the first, `dir out`.
const OUTWARDS: &str = "\
    080100001300020007000000e6230000c6336400000000000000000000000000cb0071010000000000000000\
    00000000000000000000000002001820000000000000000000000000ffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffffffffffff00000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000a9b046b0000000000000000000000006400000021000000\
    010000000000000044000500c6336407000000000000000000000000000000003200000002000000cb007101\
    0000000000000000000000000500000000000000ffffffffffffffffffffffff0a0010000000000000000000";
/// `ip xfrm state allocspi src 198.51.100.7 dst 203.0.113.1 proto esp reqid 5 mode transport min 0x500 max
/// 0x500`: it has no keys.
const LARVAL: &str = "\
    000100001000020007000000e6230000cb007101000000000000000000000000c63364070000000000000000\
    00000000000000000000000000002020000000000000000000000000cb007101000000000000000000000000\
    0000050032000000c6336407000000000000000000000000ffffffffffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffff00000000000000001e0000000000000000000000000000000000000000000000\
    000000000000000000000000000000000a9b046b000000000000000000000000000000000000000000000000\
    000000000500000002000000000000000000000010000a00000000000000000000000000";
/// `… src 2001:db8:9::1 dst 2001:db8::1 proto esp reqid 9 mode tunnel min 0xc0de0001 max 0xc0de0001`.
const LARVAL_TUNNEL: &str = "\
    000100001000020007000000e623000020010db800000000000000000000000120010db80009000000000000\
    0000000100000000000000000000808000000000000000000000000020010db8000000000000000000000001\
    c0de00013200000020010db8000900000000000000000001ffffffffffffffffffffffffffffffffffffffff\
    ffffffffffffffffffffffff00000000000000001e0000000000000000000000000000000000000000000000\
    000000000000000000000000000000000a9b046b000000000000000000000000000000000000000000000000\
    00000000090000000a000100000000000000000010000a00000000000000000000000000";

/// `XFRMA_ALG_AEAD` and others.
const AEAD: u16 = 18;
const MARK: u16 = 21;
const IF_ID: u16 = 31;
const DIRECTION: u16 = 33;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().as_chunks::<2>().0.iter().map(|[a, b]| digit(*a) << 4 | digit(*b)).collect()
}

fn body(message: &[u8]) -> &[u8] {
    let mut messages = Message::all(message);
    let only = messages.next().unwrap().unwrap();
    assert!(messages.next().is_none());
    match only.told().unwrap() {
        Told::More(_, body) => body,
        Told::All => panic!("an end"),
    }
}

fn policy(hex: &str) -> Option<Policy> {
    Policy::read(body(&bytes(hex))).unwrap()
}

/// The body of an association with further attributes.
fn with(hex: &str, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = body(&bytes(hex)).to_vec();
    for (kind, value) in attributes {
        bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(*value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn keyed(hex: &str) -> Vec<u8> {
    with(hex, &[(AEAD, &[0; 68])])
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether some, and whether all of what comes from a network is meant.
fn meets(selector: &Selector, source: &str, to: &str, protocol: Protocol) -> [bool; 2] {
    let (network, length) = source.split_once('/').unwrap();
    let source = Prefix::new(address(network), length.parse().unwrap()).unwrap();
    let to = to.parse().unwrap();
    [selector.overlaps(source, to, protocol), selector.covers(source, to, protocol)]
}

#[test]
fn a_policy_of_transport_mode_is_read() {
    let policy = policy(IN_TRANSPORT).unwrap();
    assert_eq!((policy.priority, policy.action), (100, PolicyAction::Allow));
    assert!(!policy.is_conditional && !policy.is_apart);
    let [template] = &policy.templates[..] else { panic!("{policy:?}") };
    assert!(template.is_esp && !template.is_optional);
    assert_eq!((template.request, template.mode, template.spi), (5, EspMode::Transport, 0));
    assert_eq!(template.source, Some(address("198.51.100.7")));

    let (udp, tcp) = (Protocol::Udp, Protocol::Tcp);
    for (source, to, protocol, expected) in [
        ("198.51.100.0/24", "203.0.113.1:5060", udp, [true, true]),
        ("198.51.100.7/32", "203.0.113.1:5060", udp, [true, true]),
        ("198.51.0.0/16", "203.0.113.1:5060", udp, [true, false]),
        ("198.51.101.0/24", "203.0.113.1:5060", udp, [false, false]),
        ("198.51.100.0/24", "203.0.113.2:5060", udp, [false, false]),
        ("198.51.100.0/24", "203.0.113.1:5061", udp, [false, false]),
        ("198.51.100.0/24", "203.0.113.1:5060", tcp, [false, false]),
        ("2001:db8::/32", "[2001:db8::1]:5060", udp, [false, false]),
    ] {
        let met = meets(&policy.selector, source, to, protocol);
        assert_eq!(met, expected, "{source} to {to} over {protocol:?}");
    }
    let changed = |change: fn(&mut Selector)| {
        let mut selector = policy.selector.clone();
        change(&mut selector);
        meets(&selector, "198.51.100.0/24", "203.0.113.1:5060", udp)
    };
    assert_eq!(changed(|it| it.source_port.mask = 0xffff), [true, false]);
    assert_eq!(changed(|it| it.interface = 3), [true, false]);
    assert_eq!(changed(|it| it.destination_port.mask = 0xf000), [true, true], "a range of ports");
    assert_eq!(changed(|it| it.protocol = 0), [true, true]);
    assert_eq!(changed(|it| it.source.length = 0), [true, true], "everybody");
}

#[test]
fn a_policy_of_tunnel_mode_is_read_and_what_may_be_left_out_is_told() {
    let policy = policy(IN_A_TUNNEL).unwrap();
    let [compressed, encrypted] = &policy.templates[..] else { panic!("{policy:?}") };
    assert!(!compressed.is_esp && compressed.is_optional);
    assert!(encrypted.is_esp && !encrypted.is_optional);
    assert_eq!((encrypted.request, encrypted.mode), (9, EspMode::Tunnel));
    assert_eq!(encrypted.source, Some(address("2001:db8:9::1")));
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let met = meets(&policy.selector, "2001:db8:1::/56", "[2001:db8::1]:5061", protocol);
        assert_eq!(met, [true, true]);
    }
}

#[test]
fn policies_with_a_condition_and_those_for_other_directions_are_told() {
    let blocking = policy(BLOCKED).unwrap();
    assert_eq!((blocking.action, blocking.priority), (PolicyAction::Block, 3));
    assert!(blocking.is_conditional && blocking.is_apart && blocking.templates.is_empty());
    assert_eq!(policy(OUTWARDS), None);
}

#[test]
fn an_association_counts_once_it_has_keys() {
    for larval in [LARVAL, LARVAL_TUNNEL] {
        assert_eq!(Association::read(body(&bytes(larval))).unwrap(), None);
    }
    let association = Association::read(&keyed(LARVAL)).unwrap().unwrap();
    assert_eq!(association.source, address("198.51.100.7"));
    assert_eq!(association.destination, address("203.0.113.1"));
    assert_eq!((association.spi, association.request), (0x500, 5));
    assert_eq!((association.mode, association.is_conditional), (EspMode::Transport, false));
    let selector = association.selector.unwrap();
    let met = meets(&selector, "198.51.100.7/32", "203.0.113.1:5060", Protocol::Udp);
    assert_eq!(met, [true, true]);

    let tunnel = Association::read(&keyed(LARVAL_TUNNEL)).unwrap().unwrap();
    assert_eq!((tunnel.spi, tunnel.request, tunnel.mode), (0xc0de_0001, 9, EspMode::Tunnel));
    assert_eq!(tunnel.source, address("2001:db8:9::1"));

    // One of everything names no family, and is of both.
    let mut any = keyed(LARVAL);
    any[..56].fill(0);
    assert_eq!(Association::read(&any).unwrap().unwrap().selector, None);
    let mut other = keyed(LARVAL);
    other[56 + 20] = 108;
    assert_eq!(Association::read(&other).unwrap(), None, "of another protocol");
}

#[test]
fn associations_with_a_condition_and_those_for_outbound_packets_are_told() {
    let read = |kind: u16, value: &[u8]| {
        Association::read(&with(LARVAL, &[(AEAD, &[0; 68]), (kind, value)])).unwrap()
    };
    assert!(read(MARK, &[4, 0, 0, 0, 255, 0, 0, 0]).unwrap().is_conditional);
    assert!(read(IF_ID, &[3, 0, 0, 0]).unwrap().is_conditional);
    assert!(!read(MARK, &[0; 8]).unwrap().is_conditional);
    assert!(!read(DIRECTION, &[1]).unwrap().is_conditional);
    assert_eq!(read(DIRECTION, &[2]), None);
}

/// Whether a cut leaves whole attributes behind a struct of this length: nobody can tell that there were
/// more.
fn is_between_attributes(cut: usize, whole: &[u8], struct_length: usize) -> bool {
    let mut at = struct_length;
    loop {
        let Some(header) = whole.get(at..at + 2) else { return cut == at };
        let end = at + usize::from(u16::from_ne_bytes([header[0], header[1]]));
        if cut == at || (end..end.next_multiple_of(4)).contains(&cut) {
            return true;
        }
        at = end.next_multiple_of(4);
    }
}

#[test]
fn what_is_cut_is_refused_and_what_is_changed_does_no_harm() {
    let keyed = keyed(LARVAL);
    for length in (0..keyed.len()).filter(|length| !is_between_attributes(*length, &keyed, 224)) {
        assert!(Association::read(&keyed[..length]).is_err(), "cut at {length}");
    }
    for hex in [IN_TRANSPORT, IN_A_TUNNEL, BLOCKED, OUTWARDS, LARVAL] {
        let message = bytes(hex);
        for length in 1..message.len() {
            let first = Message::all(&message[..length]).next().unwrap();
            assert!(matches!(first, Err(XfrmError::Unreadable(_))), "cut at {length}");
        }
        for position in 0..message.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = message.clone();
                changed[position] = value;
                for message in Message::all(&changed).flatten() {
                    let _ = message.told();
                    let _ = Policy::read(message.body);
                    let _ = Association::read(message.body);
                }
            }
        }
    }
    for hex in [IN_TRANSPORT, IN_A_TUNNEL, BLOCKED] {
        let message = bytes(hex);
        let whole = body(&message);
        for length in (0..whole.len()).filter(|length| !is_between_attributes(*length, whole, 168))
        {
            assert!(Policy::read(&whole[..length]).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn an_answer_ends_as_it_says_and_errors_are_told_by_their_cause() {
    let message = |kind: u16, flags: u16, body: &[u8]| {
        let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(body);
        bytes
    };
    let two = [bytes(LARVAL), message(3, 2, &[0; 4])].concat();
    let told: Vec<_> = Message::all(&two).map(Result::unwrap).collect();
    assert!(matches!(told[0].told(), Ok(Told::More(0x10, _))));
    assert!(matches!(told[1].told(), Ok(Told::All)) && !told[1].is_interrupted());
    let changed = message(3, 0x12, &[0; 4]);
    assert!(Message::all(&changed).all(|it| it.unwrap().is_interrupted()));
    let error = |code: i32| {
        let bytes = message(2, 0, &code.to_ne_bytes());
        Message::all(&bytes).next().unwrap().unwrap().told().unwrap_err()
    };
    assert!(matches!(error(-libc::EPERM), XfrmError::NotPermitted));
    assert!(matches!(error(-libc::EINVAL), XfrmError::Io(_)));
    assert!(matches!(error(0), XfrmError::Unreadable(_)));
    assert!(error(-libc::EPERM).to_string().contains("CAP_NET_ADMIN"));
}
