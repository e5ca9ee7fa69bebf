use std::net::SocketAddr;

use proptest::prelude::*;
use sbc_common::{Carrier, Event, Family, Lane, MonotonicNanos, Reason, Verdict};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::{BadSample, Moment, Sample, SampleFilter, SampleLog};
use crate::probe;

const NOW: Moment = Moment { wall: 1_700_000_000_000_000_000, monotonic: MonotonicNanos(5000) };
const VERDICT: Verdict = Verdict {
    reason: Reason::TransportNotOpened,
    lane: Some(Lane::Static),
    family: Family::Ipv4,
    carrier: Carrier::Udp,
};

fn event(source: &str) -> Event {
    let source = source.parse().unwrap();
    let gateway: SocketAddr =
        if SocketAddr::is_ipv4(&source) { "203.0.113.1:5060" } else { "[2001:db8::1]:5060" }
            .parse()
            .unwrap();
    let frame = probe::invite(source, gateway).unwrap();
    let mut event = Event::new_zeroed();
    event.at = 4000;
    event.verdict = VERDICT.index();
    event.length = u32::try_from(frame.len()).unwrap();
    event.captured = event.length;
    event.interface = 7;
    event.frame[..frame.len()].copy_from_slice(&frame);
    event
}

fn log(sources: &[&str]) -> SampleLog {
    let log = SampleLog::default();
    for source in sources {
        log.record(event(source).as_bytes(), NOW);
    }
    log
}

fn ports(samples: &[std::sync::Arc<Sample>]) -> Vec<u16> {
    samples.iter().map(|sample| sample.source().unwrap().port()).collect()
}

#[test]
fn a_record_says_who_sent_what_when_and_what_became_of_it() {
    for source in ["198.51.100.7:5070", "[2001:db8:1::7]:5070"] {
        let sample = Sample::read(event(source).as_bytes(), NOW).unwrap();
        assert_eq!(sample.source(), Some(source.parse().unwrap()));
        assert_eq!(sample.ends.unwrap()[1].port(), 5060);
        assert_eq!((sample.at, sample.verdict), (NOW.wall - 1000, VERDICT));
        assert_eq!(sample.kept.len(), sample.length as usize);
        assert!(!sample.passed && !sample.is_question());
    }
}

#[test]
fn what_is_cut_off_in_the_sample_is_read_by_its_length_on_the_wire() {
    let mut event = event("198.51.100.7:5070");
    // An INVITE of 1000 bytes: the IP header and the UDP header say so.
    event.length = 14 + 1000;
    event.frame[16..18].copy_from_slice(&1000_u16.to_be_bytes());
    event.frame[38..40].copy_from_slice(&980_u16.to_be_bytes());
    event.captured = 256;
    let sample = Sample::read(event.as_bytes(), NOW).unwrap();
    assert_eq!(sample.source(), Some("198.51.100.7:5070".parse().unwrap()));
    assert_eq!((sample.kept.len(), sample.length), (256, 1014));
}

#[test]
fn a_record_of_another_length_or_with_lengths_that_cannot_be_is_refused() {
    let good = event("198.51.100.7:5070");
    let bytes = [good.as_bytes(), &[0]].concat();
    for length in (0..Event::SIZE).chain([Event::SIZE + 1]) {
        assert_eq!(Sample::read(&bytes[..length], NOW), Err(BadSample::Length(length)));
    }
    for (captured, length) in [(257, 2000), (u32::MAX, u32::MAX), (61, 60), (1, 0)] {
        let event = Event { captured, length, ..good };
        let refused = Sample::read(event.as_bytes(), NOW);
        assert_eq!(refused, Err(BadSample::Captured { captured, length }));
    }
    for verdict in [Verdict::COUNT, u32::MAX] {
        let event = Event { verdict, ..good };
        assert_eq!(Sample::read(event.as_bytes(), NOW), Err(BadSample::Verdict(verdict)));
    }
    let log = SampleLog::default();
    log.record(&bytes, NOW);
    assert_eq!((log.read(), log.unreadable()), (0, 1));
}

#[test]
fn a_record_of_nothing_or_from_the_future_is_read_as_what_it_is() {
    let nothing = Event { captured: 0, at: u64::MAX, ..event("198.51.100.7:5070") };
    let sample = Sample::read(nothing.as_bytes(), NOW).unwrap();
    assert_eq!((sample.ends, sample.at, sample.kept.len()), (None, NOW.wall, 0));
    let before_boot = Moment { wall: 10, monotonic: MonotonicNanos(u64::MAX) };
    assert_eq!(Sample::read(nothing.as_bytes(), before_boot).unwrap().at, 10);
}

proptest! {
    #[test]
    fn no_record_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..Event::SIZE + 8)) {
        let _ = Sample::read(&bytes, NOW);
    }

    #[test]
    fn no_frame_makes_the_reader_panic(
        (captured, length, position) in (0..300_u32, any::<u32>(), 0..256_usize),
        bytes in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let mut event = Event { captured, length, ..event("[2001:db8:1::7]:5070") };
        for (place, byte) in event.frame.iter_mut().skip(position).zip(bytes) {
            *place = byte;
        }
        let _ = Sample::read(event.as_bytes(), NOW);
    }
}

#[test]
fn a_question_is_no_sample_and_a_packet_that_looks_like_one_is() {
    let log = SampleLog::default();
    let from_outside = event("198.51.100.7:5070");
    log.record(Event { interface: 1, ..from_outside }.as_bytes(), NOW);
    assert_eq!(log.read(), 0);
    log.record(from_outside.as_bytes(), NOW);
    assert_eq!(log.read(), 1);
    let mut local = Event { interface: 1, ..from_outside };
    local.frame[..12].fill(0);
    log.record(local.as_bytes(), NOW);
    assert_eq!(log.read(), 2, "a packet on the loopback interface");
}

#[test]
fn the_last_of_an_address_are_found_the_latest_first() {
    let log = log(&["198.51.100.7:1", "198.51.100.8:2", "198.51.100.7:3", "198.51.100.7:4"]);
    let address = "198.51.100.7".parse().unwrap();
    assert_eq!(ports(&log.last_of(address, None, 2)), [4, 3]);
    assert_eq!(ports(&log.last_of(address, Some(1), 2)), [1]);
    assert_eq!(ports(&log.last_of("198.51.100.9".parse().unwrap(), None, 2)), [0; 0]);
}

#[test]
fn the_last_of_all_are_told_the_latest_first() {
    let log = log(&["198.51.100.7:1", "198.51.100.8:2", "198.51.100.9:3"]);
    assert_eq!(ports(&log.last(2)), [3, 2]);
    assert_eq!(ports(&log.last(9)), [3, 2, 1]);
}

#[test]
fn the_first_line_is_told_as_far_as_it_can_be_printed() {
    for source in ["198.51.100.7:5070", "[2001:db8:1::7]:5070"] {
        let event = event(source);
        let read = |event: &Event| Sample::read(event.as_bytes(), NOW).unwrap().first_line();
        let line = read(&event).unwrap();
        assert!(line.starts_with("INVITE sip:") && line.ends_with("SIP/2.0"), "{line}");
        let begins = event.frame.windows(6).position(|it| it == b"INVITE").unwrap();

        let mut hostile = event;
        hostile.frame[begins + 7..begins + 15].copy_from_slice(b"<b>\x1b\0\xe9\"&");
        assert!(read(&hostile).unwrap().starts_with("INVITE <b>\u{b7}\u{b7}\u{b7}\"&"));
        let mut endless = event;
        endless.frame[begins..].fill(b'A');
        assert!(read(&endless).unwrap().chars().all(|it| it == 'A'));
        assert!(read(&endless).unwrap().len() <= 120);
        let mut binary = event;
        binary.frame[begins] = 0x80;
        assert_eq!(read(&binary), None);
        let cut = Event { captured: u32::try_from(begins).unwrap(), ..event };
        assert_eq!(read(&cut), None);
    }
}

#[test]
fn the_oldest_sample_makes_room() {
    let log = log(&["198.51.100.7:1"]);
    for _ in 0..SampleLog::KEPT {
        log.record(event("198.51.100.8:2").as_bytes(), NOW);
    }
    assert!(log.last_of("198.51.100.7".parse().unwrap(), None, 1).is_empty());
    let watch = log.watch(SampleFilter::default(), true).unwrap();
    assert_eq!(watch.recent.len(), SampleLog::KEPT);
}

#[test]
fn who_watches_is_shown_what_he_asked_for() {
    let filter = |reasons: &[Reason], sources: &[&str]| SampleFilter {
        reasons: reasons.to_vec(),
        sources: sources.iter().map(|source| source.parse().unwrap()).collect(),
    };
    let sources = ["198.51.100.7:1", "[2001:db8:1::7]:2"];
    for (filter, expected) in [
        (filter(&[], &[]), &[1, 2][..]),
        (filter(&[Reason::UnknownSource, VERDICT.reason], &[]), &[1, 2]),
        (filter(&[Reason::UnknownSource], &[]), &[]),
        (filter(&[], &["198.51.100.0/24"]), &[1]),
        (filter(&[], &["203.0.113.0/24", "2001:db8:1::7/128"]), &[2]),
    ] {
        let log = log(&sources);
        assert_eq!(ports(&log.watch(filter.clone(), true).unwrap().recent), expected);
        let mut live = log.watch(filter, false).unwrap();
        assert!(live.recent.is_empty());
        for source in sources {
            log.record(event(source).as_bytes(), NOW);
        }
        let shown: Vec<_> = std::iter::from_fn(|| live.queue.try_recv().ok()).collect();
        assert_eq!(ports(&shown), expected);
    }
}

#[test]
fn who_does_not_look_misses_what_there_is_no_room_for_and_holds_nobody_up() {
    let log = SampleLog::default();
    let mut stuck = log.watch(SampleFilter::default(), false).unwrap();
    let mut watching = log.watch(SampleFilter::default(), false).unwrap();
    for _ in 0..SampleLog::WAITING + 3 {
        log.record(event("198.51.100.7:1").as_bytes(), NOW);
        assert!(watching.queue.try_recv().is_ok());
    }
    assert_eq!((stuck.missed(), watching.missed(), log.missed()), (3, 0, 3));
    let waiting = std::iter::from_fn(|| stuck.queue.try_recv().ok()).count();
    assert_eq!(waiting, SampleLog::WAITING);
}

#[test]
fn few_may_watch_and_whoever_leaves_makes_room() {
    let log = SampleLog::default();
    let mut watches: Vec<_> = (0..SampleLog::MOST_WATCHERS)
        .map(|_| log.watch(SampleFilter::default(), false).unwrap())
        .collect();
    assert!(log.watch(SampleFilter::default(), false).is_err());
    watches.pop();
    assert!(log.watch(SampleFilter::default(), false).is_ok());
}

#[test]
fn who_watches_hears_that_there_will_be_no_more() {
    let log = SampleLog::default();
    let mut watch = log.watch(SampleFilter::default(), false).unwrap();
    assert!(!watch.queue.is_closed());
    log.dismiss_watchers();
    assert!(watch.queue.is_closed());
    assert!(watch.queue.try_recv().is_err());
}
