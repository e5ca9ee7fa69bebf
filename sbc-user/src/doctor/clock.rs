use std::time::Duration;

use super::{Check, Facts, Finding};

/// Signed calling numbers are good for a minute, and both ends may be wrong.
const TOO_WRONG: Duration = Duration::from_secs(10);

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let clock = &facts.clock;
    let more = if clock.is_for_signatures { ", and signed calling numbers" } else { "" };
    told.push(match clock.state {
        None => Finding::unseen(
            Check::Clock,
            "the kernel does not say whether the clock is right",
            "ask on the machine itself: `timedatectl`",
        ),
        Some(state) if !state.is_synchronised => Finding::warning(
            Check::Clock,
            format!(
                "nobody keeps the clock right, and certificates, routing keys and nonces of nodes that share \
                 keys{more} depend on it"
            ),
            "apt-get install chrony, or `systemctl enable --now systemd-timesyncd`; in a container look at the \
             machine below it",
        ),
        Some(state) if state.error > TOO_WRONG => Finding::warning(
            Check::Clock,
            format!("the clock may be wrong by {} s", state.error.as_secs()),
            "see whom it follows: `chronyc sources` or `timedatectl timesync-status`",
        ),
        Some(_) => Finding::ok(Check::Clock, "somebody keeps it right"),
    });
}
