use crate::hash::mix;
use crate::{Address, maps};

/// The things that are counted against a [`Budget`](crate::Budget), each by the position of its word in
/// one table of fixed size: however many sources there are, or claim to be, they share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// Strangers' clear-text SIP, on the wire.
    Unknown,
    /// The same at the daemon's sockets.
    UnknownAtSocket,
    /// SIP requests of all those who proved themselves of late, on the wire.
    Probation,
    /// Strangers' attempts to connect to TLS listeners, all of them.
    TlsAttempts,
    /// Those of one neighbourhood: an IPv4 /24, an IPv6 /48.
    TlsAttemptsFrom(Address),
    /// Fragments from a trusted address that arrive before the first of their datagram.
    EarlyFragmentsFrom(Address),
    /// Packets of trusted sources with this [`Pace::slot`](crate::Pace::slot).
    Source(u32),
}

/// Words for single meters.
const SINGLE: u32 = 16;
/// Words for the attempts of neighbourhoods. A neighbourhood shares its word with others by chance,
/// under a secret seed: a crowded one takes at most 1 of 4,096 others with it.
const NEIGHBOURHOODS: u32 = 4096;
/// Words for the fragments of addresses.
const FRAGMENTS: u32 = 1024;
/// Words for trusted sources.
const SOURCES: u32 = 65_536;

impl Meter {
    /// The number of words.
    pub const COUNT: u32 = SINGLE + NEIGHBOURHOODS + FRAGMENTS + SOURCES;
    /// The number of slots that trusted sources share.
    pub const SLOTS: u32 = SOURCES;

    /// The position of the meter's word.
    #[must_use]
    #[inline(always)]
    pub const fn index(self, seed: u64) -> u32 {
        match self {
            Self::Unknown => 0,
            Self::UnknownAtSocket => 1,
            Self::TlsAttempts => 2,
            Self::Probation => 3,
            Self::TlsAttemptsFrom(source) => {
                SINGLE + upper_bits(mix(source.neighbourhood(), seed)) % NEIGHBOURHOODS
            }
            Self::EarlyFragmentsFrom(source) => {
                SINGLE + NEIGHBOURHOODS + upper_bits(mix(source.holder(), seed)) % FRAGMENTS
            }
            Self::Source(slot) => SINGLE + NEIGHBOURHOODS + FRAGMENTS + slot % SOURCES,
        }
    }
}

#[inline(always)]
const fn upper_bits(hash: u64) -> u32 {
    (hash >> 32) as u32
}

const _: () = assert!(Meter::COUNT == maps::METERS.capacity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_of_meter_share_a_word() {
        let source = |number: u32| Address::from_ipv4_word(number.to_be());
        let sources = || (0..20_000).map(|number| source(number * 0x0001_0301));
        let singles: Vec<u32> =
            [Meter::Unknown, Meter::UnknownAtSocket, Meter::TlsAttempts, Meter::Probation]
                .iter()
                .map(|meter| meter.index(9))
                .collect();
        assert_eq!(singles, [0, 1, 2, 3]);
        let neighbourhoods = SINGLE..SINGLE + NEIGHBOURHOODS;
        let fragments = neighbourhoods.end..neighbourhoods.end + FRAGMENTS;
        let slots = fragments.end..Meter::COUNT;
        assert!(sources().all(|it| neighbourhoods.contains(&Meter::TlsAttemptsFrom(it).index(9))));
        assert!(sources().all(|it| fragments.contains(&Meter::EarlyFragmentsFrom(it).index(9))));
        assert!(
            [0, 1, 65_535, 65_536, u32::MAX]
                .iter()
                .all(|slot| slots.contains(&Meter::Source(*slot).index(9)))
        );
    }

    #[test]
    fn a_neighbourhood_has_one_meter_and_its_neighbour_another() {
        let from = |text: &str| {
            Meter::TlsAttemptsFrom(text.parse::<std::net::IpAddr>().unwrap().into()).index(3)
        };
        assert_eq!(from("198.51.100.1"), from("198.51.100.254"));
        assert_ne!(from("198.51.100.1"), from("198.51.101.1"));
        assert_eq!(from("2001:db8:7::1"), from("2001:db8:7:ffff::2"));
        assert_ne!(from("2001:db8:7::1"), from("2001:db8:8::1"));
    }
}
