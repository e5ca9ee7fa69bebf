use sbc_common::HopBand;

/// The lowest and the highest hop limit of a band; `None` for any.
#[must_use]
pub fn learned(band: HopBand) -> Option<[u8; 2]> {
    (band != HopBand::ANY).then_some([band.lowest, band.highest])
}

/// How far a route may change before a peer's packets look strange: it changes in the middle of a
/// connection, of which only the beginning is known.
const SLACK: u8 = 3;

/// The band around the hop limit that a peer's own packet arrived with.
pub(super) const fn band_around(hop_limit: u8) -> HopBand {
    // A highest of zero would stand for any, and no packet arrives with zero.
    let hop_limit = if hop_limit == 0 { 1 } else { hop_limit };
    let lowest = match hop_limit.saturating_sub(SLACK) {
        0 => 1,
        lowest => lowest,
    };
    HopBand { lowest, highest: hop_limit.saturating_add(SLACK) }
}

/// The band that admits all that either does, as far as either tells anything.
pub(super) fn either(one: HopBand, other: HopBand) -> HopBand {
    if one == HopBand::ANY {
        return other;
    }
    if other == HopBand::ANY {
        return one;
    }
    HopBand { lowest: one.lowest.min(other.lowest), highest: one.highest.max(other.highest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_admits_its_own_hop_limit_and_a_few_beside_it() {
        for hop_limit in 1..=255_u8 {
            let band = band_around(hop_limit);
            for other in 1..=255_u8 {
                assert_eq!(
                    band.admits(other),
                    other.abs_diff(hop_limit) <= SLACK,
                    "{band:?} {other}"
                );
            }
        }
        assert_ne!(band_around(0), HopBand::ANY);
    }

    #[test]
    fn two_bands_become_the_one_that_takes_in_both() {
        assert_eq!(either(band_around(57), band_around(60)), HopBand { lowest: 54, highest: 63 });
        assert_eq!(either(band_around(57), HopBand::ANY), band_around(57));
        assert_eq!(either(HopBand::ANY, band_around(57)), band_around(57));
    }
}
