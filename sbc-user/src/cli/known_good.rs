//! What is remembered of known-good sources.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sbc_common::Mode;
use sha2::{Digest as _, Sha256};
use tokio::time::MissedTickBehavior;

use crate::border::{Border, Clock, InForce, KnownGoodStatus, LoserStatus, LossStatus};
use crate::config::{Config, with_mode};
use crate::kernel::KernelTables;
use crate::known_good::KnownGoodFile;

/// How often the file is written.
const PAUSE: Duration = Duration::from_mins(5);
/// How many sources are written one by one.
const MOST_WRITTEN: usize = 20;

/// The file of a configuration that stands at `path`.
pub(super) fn file(config: &Config, path: &Path) -> KnownGoodFile {
    let text = fs::read_to_string(path).unwrap_or_default();
    let node = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    KnownGoodFile::new(&config.state_directory, &node, policy(&text))
}

/// What tells a policy from others, whatever the mode is.
fn policy(text: &str) -> String {
    // By way of the other mode, so that it is written alike however it was written before.
    let alike = with_mode(text, Mode::Enforce).and_then(|text| with_mode(&text, Mode::Observe));
    let text = alike.unwrap_or_else(|_| text.to_owned());
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a `String` has no way to fail.
        let _ = std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
        hex
    })
}

/// Begins with what is in the file, takes note of what is served, and writes the file from time to time.
pub(super) fn follow(file: Arc<ArcSwap<KnownGoodFile>>, in_force: &Arc<InForce<KernelTables>>) {
    match file.load().read(Clock::start().moment()) {
        Ok(known) => *in_force.border().known_good() = known,
        Err(error) => tracing::warn!(%error, "the known-good sources of before are forgotten"),
    }
    let noting = Arc::clone(in_force);
    tokio::spawn(async move { noting.note_served().await });
    let in_force = Arc::clone(in_force);
    tokio::spawn(async move {
        let mut writes = tokio::time::interval(PAUSE);
        writes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        writes.tick().await;
        loop {
            writes.tick().await;
            let (file, border) = (file.load_full(), in_force.border());
            let written = tokio::task::spawn_blocking(move || write(&file, &border));
            if let Err(error) = written.await {
                tracing::error!(%error, "writing the known-good sources failed");
            }
        }
    });
}

/// Writes the file; that it cannot be written is no reason not to serve.
pub(super) fn write(file: &KnownGoodFile, border: &Border<KernelTables>) {
    let accounts: Vec<_> = {
        let mut known = border.known_good();
        known.forget_old(Clock::start().unix_seconds());
        known.accounts().collect()
    };
    if let Err(error) = file.write(&accounts) {
        tracing::warn!(%error, "the known-good sources cannot be kept over a restart");
    }
}

/// Writes who loses packets, or would.
pub(super) fn write_known_good(known: &KnownGoodStatus, out: &mut impl Write) -> io::Result<()> {
    let KnownGoodStatus { sources, missed, hurt, losers } = known;
    writeln!(out, "\nknown-good sources: {sources}, of which enforcing hurts {hurt}")?;
    if *missed > 0 {
        writeln!(out, "calls and registrations that were not taken note of: {missed}")?;
    }
    for loser in losers.iter().take(MOST_WRITTEN) {
        let LoserStatus { source, holder, calls, registrations, .. } = loser;
        match loser.served_seconds_ago {
            Some(ago) => writeln!(
                out,
                "{source}, {holder}: {calls} calls, {registrations} registrations, the last of it {ago} s ago"
            )?,
            None => writeln!(out, "{source}, {holder}: nothing was served")?,
        }
        for loss in &loser.losses {
            let LossStatus { reason, carrier, served, unserved, seconds_ago, remedy } = loss;
            write!(out, "    {reason} over {carrier}, {seconds_ago} s ago: ")?;
            match (served, unserved) {
                (0, unserved) => {
                    writeln!(out, "{unserved} packets that nothing came of, perhaps forged")?;
                }
                (served, 0) => writeln!(out, "at least {served} packets of what was served")?,
                (served, unserved) => {
                    writeln!(
                        out,
                        "at least {served} packets of what was served, {unserved} of nothing"
                    )?;
                }
            }
            if *served > 0 {
                writeln!(out, "        {remedy}")?;
            }
        }
    }
    match losers.len().saturating_sub(MOST_WRITTEN) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more, which --json tells"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_told_from_others_and_is_the_same_in_both_modes() {
        let text = "version = 1\nmode = \"enforce\"\n";
        assert_eq!(policy(text), policy(&text.replace("enforce", "observe")));
        assert_eq!(policy(text), policy(&text.replace('"', "'")));
        assert_ne!(policy(text), policy(&text.replace('1', "2")));
        assert_eq!(policy(text).len(), 32);
    }
}
