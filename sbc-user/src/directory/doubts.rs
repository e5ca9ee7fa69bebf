use std::fmt;

/// An answer that is doubted is believed when the directory has given such answers so often in a row.
const SO_OFTEN: u32 = 3;
/// It is no accident that fewer lose what they have.
const FEWEST: usize = 3;

/// Why an answer is not believed yet: a filter that is wrong, or a server that has not got everything, would shut
/// everybody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// How many users would be let in no more.
    pub lost: usize,
    /// Of how many.
    pub of: usize,
    /// How many such answers are needed yet.
    pub needed: u32,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, of, needed } = self;
        write!(
            f,
            "by what it says now {lost} of {of} users would be shut out at once: believed if it says so {needed} \
             more times, or at a reload"
        )
    }
}

/// What makes answers doubtful.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doubts {
    in_a_row: u32,
}

impl Doubts {
    /// Weighs an answer by which `lost` of the users who are let in would not be. `is_empty`: nobody at all is in it.
    pub fn weigh(&mut self, lost: usize, of: usize, is_empty: bool) -> Option<Doubt> {
        let is_too_much = lost >= FEWEST && lost > of / 2;
        if lost == 0 || !(is_too_much || is_empty) {
            self.in_a_row = 0;
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let needed = SO_OFTEN.saturating_sub(self.in_a_row);
        if needed == 0 {
            self.in_a_row = 0;
            return None;
        }
        Some(Doubt { lost, of, needed })
    }

    /// The next answer is the operator's word.
    pub const fn forget(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_may_go_at_any_time_and_most_of_them_only_when_that_is_said_three_times() {
        let mut doubts = Doubts::default();
        for (lost, of) in [(0, 0), (0, 9), (1, 1), (2, 2), (2, 3), (4, 9), (5, 10)] {
            assert_eq!(doubts.weigh(lost, of, false), None, "{lost} of {of}");
        }
        let doubt = |needed| Some(Doubt { lost: 6, of: 10, needed });
        assert_eq!(doubts.weigh(6, 10, false), doubt(2));
        assert_eq!(doubts.weigh(6, 10, false), doubt(1));
        assert_eq!(doubts.weigh(6, 10, false), None);
        // And from the beginning.
        assert_eq!(doubts.weigh(6, 10, false), doubt(2));
        assert_eq!(doubts.weigh(1, 10, false), None);
        assert_eq!(doubts.weigh(6, 10, false), doubt(2));
    }

    #[test]
    fn an_empty_answer_is_doubted_if_anybody_loses_by_it() {
        let mut doubts = Doubts::default();
        assert_eq!(doubts.weigh(0, 0, true), None);
        assert_eq!(doubts.weigh(1, 1, true), Some(Doubt { lost: 1, of: 1, needed: 2 }));
        doubts.forget();
        assert_eq!(doubts.weigh(1, 1, true), Some(Doubt { lost: 1, of: 1, needed: 2 }));
    }
}
