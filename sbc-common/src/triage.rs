use crate::standing::gate;
use crate::{
    Address, Carrier, Family, Frame, Gate, Protocol, Reason, Service, ServiceKey, Setting, Tables,
    UnknownAction, Verdict,
};

const ETHERTYPE_IPV4: u16 = 0x0800_u16.to_be();
const ETHERTYPE_IPV6: u16 = 0x86dd_u16.to_be();
/// "More fragments" and the offset, in the second word of an IPv4 header.
const FRAGMENT: u32 = 0x3fff;
const UDP: u32 = Protocol::Udp as u32;
const UDP_HEADER: u32 = 8;

/// Settles in a few steps what a flood consists of: a plain UDP datagram to a listener for SIP in clear,
/// from a source of which nothing is known, while strangers are dropped.
///
/// The answer is that of [`decide()`](crate::decide()), or `None`: whoever is in doubt goes the whole
/// way. There a frame is read whatever it looks like, which takes so many instructions that the
/// processor has no room left to begin with the next frame while it waits for this one's memory.
#[inline(always)]
pub fn triage<F: Frame, T: Tables>(frame: &mut F, tables: &T) -> Option<Verdict> {
    frame.skip(12);
    match frame.half()? {
        ETHERTYPE_IPV4 => {
            let [first, second, third, source, destination] = frame.words()?;
            let [first, second, third] = [first, second, third].map(u32::from_be);
            let total_length = first & 0xffff;
            let is_plain = first >> 24 == 0x45
                && second & FRAGMENT == 0
                && third >> 16 & 0xff == UDP
                && total_length <= frame.length().saturating_sub(14);
            let port = udp_destination(frame, total_length.checked_sub(20)?)?;
            if !is_plain {
                return None;
            }
            let source = Address::from_ipv4_word(source);
            let destination = Address::from_ipv4_word(destination);
            turn_away(tables, source, destination, port, Family::Ipv4)
        }
        ETHERTYPE_IPV6 => {
            let [first, second, s0, s1, s2, s3, d0, d1, d2, d3] = frame.words()?;
            let [first, second] = [first, second].map(u32::from_be);
            let payload_length = second >> 16;
            let source = Address::from_ipv6_words([s0, s1, s2, s3]);
            let destination = Address::from_ipv6_words([d0, d1, d2, d3]);
            let is_plain = first >> 28 == 6
                && second >> 8 & 0xff == UDP
                && payload_length <= frame.length().saturating_sub(14 + 40)
                && !source.is_ipv4()
                && !destination.is_ipv4();
            let port = udp_destination(frame, payload_length)?;
            if !is_plain {
                return None;
            }
            turn_away(tables, source, destination, port, Family::Ipv6)
        }
        _ => None,
    }
}

/// The destination port of a UDP header that is whole, in front of `available` bytes of header and payload.
#[inline(always)]
fn udp_destination<F: Frame>(frame: &mut F, available: u32) -> Option<u16> {
    let [ports, length] = frame.words()?;
    let length = u32::from_be(length) >> 16;
    let is_plain = length >= UDP_HEADER && length <= available;
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    is_plain.then_some(u32::from_be(ports) as u16)
}

#[inline(always)]
fn turn_away<T: Tables>(
    tables: &T,
    source: Address,
    destination: Address,
    port: u16,
    family: Family,
) -> Option<Verdict> {
    let service = tables.service(&ServiceKey::new(destination, port, Protocol::Udp))?;
    if service != Service::ClearSip || gate(tables, &source) != Gate::CLOSED {
        return None;
    }
    match UnknownAction::from_table(tables.setting(Setting::UnknownAction)) {
        UnknownAction::Challenge => None,
        UnknownAction::Drop => Some(Verdict {
            reason: Reason::UnknownSource,
            lane: None,
            family,
            carrier: Carrier::Udp,
        }),
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;
    use crate::{
        AssociationKey, Budget, Coarse, Datagram, FirstSeen, Meter, MonotonicNanos, Packet,
        SliceFrame, SourceKey, TrustEntry, decide,
    };

    const STRANGER: [&str; 2] = ["192.0.2.66", "2001:db8:bad::66"];
    const KNOWN: [&str; 2] = ["198.51.100.7", "2001:db9:7::7"];
    const LISTENER: [&str; 2] = ["203.0.113.10", "2001:db8:1::10"];

    /// An edge whose gate is open to two neighbourhoods, in which nobody is trusted after all.
    struct Edge {
        unknown: UnknownAction,
    }

    impl Tables for Edge {
        fn service(&self, key: &ServiceKey) -> Option<Service> {
            let listens = |port| {
                LISTENER.iter().any(|ip| *key == ServiceKey::new(address(ip), port, Protocol::Udp))
            };
            match () {
                () if listens(5060) => Some(Service::ClearSip),
                () if listens(5062) => Some(Service::Inside),
                () => None,
            }
        }

        fn protects(&self, destination: &Address) -> bool {
            LISTENER.iter().any(|ip| *destination == address(ip))
        }

        fn coarse(&self, word: u32) -> u64 {
            let is_open = KNOWN.iter().any(|ip| Coarse::word(Coarse::place(&address(ip))) == word);
            if is_open { u64::MAX } else { 0 }
        }

        fn filter(&self, _: u32) -> u64 {
            u64::MAX
        }

        fn trusted_source(&self, _: &SourceKey) -> Option<TrustEntry> {
            None
        }

        fn trusted_prefix(&self, _: &Address) -> Option<TrustEntry> {
            None
        }

        fn association(&self, _: &AssociationKey) -> Option<Address> {
            None
        }

        fn setting(&self, setting: Setting) -> u64 {
            if setting == Setting::UnknownAction { self.unknown as u64 } else { 0 }
        }

        fn spend(&mut self, _: Meter, _: Budget) -> bool {
            true
        }

        fn first_seen(&self, _: Datagram) -> FirstSeen {
            FirstSeen(0)
        }

        fn remember(&mut self, _: Datagram, _: FirstSeen) {}

        fn returns_the_same_way(&self, _: &Packet) -> bool {
            true
        }

        fn is_of_connection(&self, _: &Packet) -> bool {
            true
        }

        fn now(&self) -> MonotonicNanos {
            MonotonicNanos(1)
        }
    }

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    /// A datagram to a listener for SIP, padded as Ethernet pads it.
    fn frame(source: &str, destination: &str) -> Vec<u8> {
        let payload = b"OPTIONS sip:a SIP/2.0\r\n\r\n";
        let udp_length = u16::try_from(8 + payload.len()).unwrap();
        let mut frame = vec![2; 12];
        match (source.parse().unwrap(), destination.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00, 0x45, 0]);
                frame.extend((20 + udp_length).to_be_bytes());
                frame.extend([0, 7, 0x40, 0, 64, 17, 0, 0]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(udp_length.to_be_bytes());
                frame.extend([17, 64]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            mixed => unreachable!("{mixed:?}"),
        }
        frame.extend(40_000_u16.to_be_bytes());
        frame.extend(5060_u16.to_be_bytes());
        frame.extend(udp_length.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        frame.extend([0; 3]);
        frame
    }

    fn both(frame: &[u8], unknown: UnknownAction) -> (Option<Verdict>, Verdict) {
        let mut edge = Edge { unknown };
        let short = triage(&mut SliceFrame::new(frame), &edge);
        (short, decide(&mut SliceFrame::new(frame), &mut edge))
    }

    #[test]
    fn a_stranger_is_turned_away_the_short_way_while_strangers_are_dropped() {
        for (source, listener) in STRANGER.into_iter().zip(LISTENER) {
            let frame = frame(source, listener);
            let (short, whole) = both(&frame, UnknownAction::Drop);
            assert_eq!(short, Some(whole));
            assert_eq!(whole.reason, Reason::UnknownSource);
            assert_eq!(both(&frame, UnknownAction::Challenge).0, None);
        }
    }

    #[test]
    fn whoever_may_be_known_goes_the_whole_way() {
        for (source, listener) in KNOWN.into_iter().zip(LISTENER) {
            assert_eq!(both(&frame(source, listener), UnknownAction::Drop).0, None);
        }
    }

    #[test]
    fn the_short_way_leads_where_the_whole_way_does() {
        for (source, listener) in
            STRANGER.into_iter().zip(LISTENER).chain(KNOWN.into_iter().zip(LISTENER))
        {
            let plain = frame(source, listener);
            for length in 0..plain.len() {
                let (short, whole) = both(&plain[..length], UnknownAction::Drop);
                assert!(short.is_none_or(|short| short == whole), "cut at {length}: {short:?}");
            }
            let headers = if source.contains(':') { 14 + 40 + 8 } else { 14 + 20 + 8 };
            for position in 0..headers {
                for value in 0..=u8::MAX {
                    let mut frame = plain.clone();
                    frame[position] = value;
                    for unknown in [UnknownAction::Drop, UnknownAction::Challenge] {
                        let (short, whole) = both(&frame, unknown);
                        assert!(
                            short.is_none_or(|short| short == whole),
                            "byte {position} is {value}: {short:?} is not {whole:?}"
                        );
                    }
                }
            }
        }
    }
}
