//! What is told of many samples.

/// The middle and the ends of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// `None` of no samples.
    pub(super) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_of_an_even_number_of_samples_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 100.0, 2.0]);
        assert_eq!(spread, Some(Spread { median: 3.0, least: 1.0, most: 100.0 }));
    }

    #[test]
    fn the_median_of_an_odd_number_of_samples_is_one_of_them() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(spread, Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
    }

    #[test]
    fn of_no_samples_nothing_is_told() {
        assert_eq!(Spread::of([]), None);
    }
}
