use crate::{Action, Lane, Reason};

/// The address family of a frame, as far as its verdict depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// Not IP, or not readable.
    None = 0,
    /// IPv4.
    Ipv4 = 1,
    /// IPv6.
    Ipv6 = 2,
}

/// What a frame carries, as far as its verdict depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Carrier {
    /// Something else, or not readable.
    Other = 0,
    /// UDP.
    Udp = 1,
    /// TCP to a listener that speaks clear text, or to none of ours.
    Tcp = 2,
    /// TCP to a TLS listener.
    Tls = 3,
    /// IKE or ESP.
    Ipsec = 4,
}

/// What was decided about a frame, with everything that it is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Verdict {
    /// Why, which implies what happens.
    pub reason: Reason,
    /// The proof that the source's entry carries; `None` for strangers and where nobody asked.
    pub lane: Option<Lane>,
    /// The address family.
    pub family: Family,
    /// What was carried.
    pub carrier: Carrier,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 3] = [Self::None, Self::Ipv4, Self::Ipv6];

    /// The name used in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl Carrier {
    /// Every carrier.
    pub const ALL: [Self; 5] = [Self::Other, Self::Udp, Self::Tcp, Self::Tls, Self::Ipsec];

    /// The name used in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ipsec => "ipsec",
        }
    }
}

/// Lanes, and one more for those who are in none.
const LANES: u32 = count(&Lane::ALL) + 1;
const FAMILIES: u32 = count(&Family::ALL);
const CARRIERS: u32 = count(&Carrier::ALL);

#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const fn count<T>(all: &[T]) -> u32 {
    all.len() as u32
}

impl Verdict {
    /// How many different verdicts there are: the number of counters.
    pub const COUNT: u32 = Reason::COUNT * LANES * FAMILIES * CARRIERS;

    /// The verdict on a frame whose headers cannot be read or do not matter.
    #[inline(always)]
    pub const fn unread(reason: Reason) -> Self {
        Self { reason, lane: None, family: Family::None, carrier: Carrier::Other }
    }

    /// What happens to the frame while verdicts are carried out.
    #[must_use]
    #[inline(always)]
    pub const fn action(self) -> Action {
        self.reason.action()
    }

    /// The index of this verdict's counter.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        let lane = match self.lane {
            None => 0,
            Some(lane) => lane as u32,
        };
        ((self.reason.index() * LANES + lane) * FAMILIES + self.family as u32) * CARRIERS
            + self.carrier as u32
    }

    /// The verdict with this index; `None` if there is none.
    #[must_use]
    pub fn from_index(index: u32) -> Option<Self> {
        let carrier = *Carrier::ALL.get((index % CARRIERS) as usize)?;
        let family = *Family::ALL.get((index / CARRIERS % FAMILIES) as usize)?;
        let lane = match index / CARRIERS / FAMILIES % LANES {
            0 => None,
            lane => Some(*Lane::ALL.get(lane as usize - 1)?),
        };
        let reason = *Reason::ALL.get((index / CARRIERS / FAMILIES / LANES) as usize)?;
        Some(Self { reason, lane, family, carrier })
    }

    /// Every verdict, in the order of the counters.
    pub fn all() -> impl Iterator<Item = Self> {
        Reason::ALL.iter().flat_map(|reason| {
            let lanes = core::iter::once(None).chain(Lane::ALL.into_iter().map(Some));
            lanes.flat_map(move |lane| {
                Family::ALL.into_iter().flat_map(move |family| {
                    Carrier::ALL.into_iter().map(move |carrier| Self {
                        reason: *reason,
                        lane,
                        family,
                        carrier,
                    })
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_all_verdicts_is_the_index_of_their_counters() {
        let indices: Vec<u32> = Verdict::all().map(Verdict::index).collect();
        assert_eq!(indices, (0..Verdict::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_verdict_is_found_again_by_its_index_and_no_other_index_has_one() {
        for verdict in Verdict::all() {
            assert_eq!(Verdict::from_index(verdict.index()), Some(verdict));
        }
        for index in [Verdict::COUNT, Verdict::COUNT + 1, u32::MAX] {
            assert_eq!(Verdict::from_index(index), None);
        }
    }
}
