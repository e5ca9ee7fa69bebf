use std::path::Path;

use sbc_common::{Action, Lane, Prefix, Reason, Transports, TrustEntry};

use super::{Judgement, Rehearsal};
use crate::capture::CapturedFrame;
use crate::config::{Config, sample};
use crate::probe;
use crate::trust::TrustTable as _;

const LISTED: &str = "[[peer]]\nname = \"listed\"\nrequire = [\"static\"]\nsources = [\"198.51.100.0/24\"]\n\
                      opens = [\"udp\"]\n[denied]\nsources = [\"192.0.2.0/24\"]\n";
const SECOND: u64 = 1_000_000_000;

fn rehearsal(mode: &str, tail: &str) -> Rehearsal {
    let text = sample::BASE.replacen("version = 1", &format!("version = 1\nmode = \"{mode}\""), 1);
    let config = Config::parse(&format!("{text}{LISTED}{tail}"), Path::new("/etc/sbc/sbc.toml"));
    Rehearsal::of(&config.unwrap()).unwrap()
}

fn captured(at: u64, kept: Vec<u8>) -> CapturedFrame {
    CapturedFrame { at, length: u32::try_from(kept.len()).unwrap(), kept }
}

fn invite(source: &str, port: u16) -> Vec<u8> {
    let listener = format!("203.0.113.1:{port}").parse().unwrap();
    probe::invite(source.parse().unwrap(), listener).unwrap()
}

fn judge(rehearsal: &mut Rehearsal, frame: Vec<u8>) -> (Reason, Option<Lane>) {
    let Judgement { verdict, .. } = rehearsal.judge(&captured(SECOND, frame));
    (verdict.reason, verdict.lane)
}

#[test]
fn the_configuration_says_who_is_who() {
    let mut rehearsal = rehearsal("enforce", "");
    let syn = |port: u16| {
        let listener = format!("203.0.113.1:{port}").parse().unwrap();
        probe::syn("198.51.100.7:5060".parse().unwrap(), listener).unwrap()
    };
    let rows = [
        (invite("198.51.100.7:5060", 5060), Reason::TrustedSource, Some(Lane::Static)),
        (invite("192.0.2.9:5060", 5060), Reason::DeniedSource, Some(Lane::Denied)),
        (invite("203.0.113.77:5060", 5060), Reason::UnknownSource, None),
        (invite("203.0.113.77:5060", 53), Reason::NotProtected, None),
        (syn(5060), Reason::TransportNotOpened, None),
        (syn(5061), Reason::TlsReachable, None),
        (vec![0; 20], Reason::NotIp, None),
        (vec![0; 5], Reason::FrameTooShort, None),
    ];
    for (frame, reason, lane) in rows {
        assert_eq!(judge(&mut rehearsal, frame.clone()), (reason, lane), "{frame:02x?}");
    }
}

#[test]
fn where_a_peer_may_use_ipsec_it_is_guarded_and_elsewhere_it_is_nobodys_business() {
    let ike = |source: &str, port: u16| {
        let listener = format!("203.0.113.1:{port}").parse().unwrap();
        probe::ike(source.parse().unwrap(), listener).unwrap()
    };
    let tail = "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\nidentities = [\"a.example\"]\n\
                sources = [\"198.18.0.0/24\"]\nopens = [\"ipsec\"]\n";
    let mut guarding = rehearsal("enforce", tail);
    for port in [500, 4500] {
        for (source, reason, lane) in [
            ("198.18.0.7:500", Reason::TrustedSource, Some(Lane::Static)),
            ("198.51.100.7:500", Reason::UnknownIpsecPeer, None),
            ("203.0.113.77:500", Reason::UnknownIpsecPeer, None),
            ("192.0.2.9:500", Reason::DeniedSource, Some(Lane::Denied)),
        ] {
            assert_eq!(judge(&mut guarding, ike(source, port)), (reason, lane), "{source} {port}");
        }
    }
    let mut clear = invite("198.18.0.7:5060", 5060);
    assert_eq!(judge(&mut guarding, clear.clone()).0, Reason::TransportNotOpened);
    // The same bytes as ESP, whose payload nobody reads.
    clear[23] = 50;
    assert_eq!(judge(&mut guarding, clear), (Reason::TrustedSource, Some(Lane::Static)));
    let mut indifferent = rehearsal("enforce", &tail.replace("\"ipsec\"", "\"udp\""));
    assert_eq!(judge(&mut indifferent, ike("203.0.113.77:500", 500)).0, Reason::NotProtected);
}

#[test]
fn the_longest_prefix_decides() {
    let mut rehearsal = rehearsal("enforce", "");
    let denied = TrustEntry::new(Lane::Denied, Transports::NONE, TrustEntry::NEVER, 0);
    let network = |text: &str, length| Prefix::new(text.parse().unwrap(), length).unwrap();
    for prefix in [network("198.51.0.0", 16), network("198.51.100.66", 32)] {
        rehearsal.ledger.table_mut().trust_prefix(prefix, &denied).unwrap();
    }
    for (source, reason) in [
        ("198.51.100.65:5060", Reason::TrustedSource),
        ("198.51.100.66:5060", Reason::DeniedSource),
        ("198.51.99.7:5060", Reason::DeniedSource),
        ("198.50.99.7:5060", Reason::UnknownSource),
    ] {
        assert_eq!(judge(&mut rehearsal, invite(source, 5060)).0, reason, "{source}");
    }
}

#[test]
fn while_observing_everything_passes_and_the_verdict_stands() {
    let mut rehearsal = rehearsal("observe", "");
    let judged = rehearsal.judge(&captured(SECOND, invite("203.0.113.77:5060", 5060)));
    assert_eq!(judged.verdict.action(), Action::Drop);
    assert_eq!(judged.action, Action::Pass);
}

#[test]
fn budgets_are_spent_and_come_back_in_the_time_of_the_capture() {
    let mut rehearsal = rehearsal("enforce", "[unknown]\naction = \"challenge\"\n");
    let mut at =
        |nanos| rehearsal.judge(&captured(nanos, invite("203.0.113.77:5060", 5060))).verdict.reason;
    let at_once = (0..100_000).take_while(|_| at(SECOND) == Reason::UnknownWithinBudget).count();
    assert!((1..100_000).contains(&at_once), "{at_once}");
    assert_eq!(at(SECOND), Reason::UnknownBudgetSpent);
    // A packet that is earlier than the last one turns no clock back.
    assert_eq!(at(0), Reason::UnknownBudgetSpent);
    assert_eq!(at(60 * SECOND), Reason::UnknownWithinBudget);
}

#[test]
fn a_frame_of_which_the_beginning_was_kept_is_judged_like_the_whole() {
    let mut rehearsal = rehearsal("enforce", "");
    let whole = captured(SECOND, invite("198.51.100.7:5060", 5060));
    let beginning = CapturedFrame { kept: whole.kept[..42].to_vec(), ..whole.clone() };
    let judged = [rehearsal.judge(&whole), rehearsal.judge(&beginning)];
    assert_eq!(judged.each_ref().map(|it| it.verdict.reason), [Reason::TrustedSource; 2]);
    assert_eq!(judged.map(|it| it.is_cut), [false, true]);
    // The length of the whole is the file's word, and no reason to take memory.
    let monstrous = CapturedFrame { length: u32::MAX, ..beginning };
    assert_eq!(rehearsal.judge(&monstrous).verdict.reason, Reason::TrustedSource);
}
