use std::process::ExitCode;

use crate::closed_list::closed_list;

closed_list! {
    /// How a command ends: its exit status is the position in this list.
    pub enum Ending {
        /// It did what it was asked for, and there is nothing to complain of.
        Done "done",
        /// It did its work and the answer is no: `sbc check` refuses the configuration, `sbc doctor` warns, `sbc trust lift`
        /// found no ban.
        Negative "negative",
        /// It could not do its work, or `sbc doctor` found a failure, or the command line is wrong. Standard error says why,
        /// and where it can what to do next.
        Failed "failed",
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}
