//! Step 8: the gateway ends, and nothing is left.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use sbc_tests::{Running, wait_until};

use super::{gateway::Gateway, narrator::Narrator, opening::filter, stage::Stage};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn end(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &mut Gateway<'_>,
    telephones: Running,
) -> Result<()> {
    narrator.step("The gateway ends, and nothing is left");
    let answered = telephones.stop()?;
    narrator.check(
        "telephone system: calls answered and ended, all in all",
        2,
        answered.successful,
    )?;
    narrator.check("telephone system: calls that went wrong", 0, answered.failed)?;
    narrator.say(
        "What the kernel decided, by reason, and what became of the messages that the daemon \
         read:",
    );
    narrator.show(&gateway.counters()?);
    narrator.record_mut().status = Some(gateway.read()?.status);

    narrator
        .say("The gateway is asked to end (SIGTERM). It takes its filter with it, as configured:");
    narrator.check("sbc: its exit status", 0, gateway.stop()?.code().unwrap_or(-1))?;
    narrator.check("kernel: the filter on the outside interface", "none", filter(stage)?)?;
    narrator.check("edge: pinned tables and links, and control sockets", 0, leftovers(stage)?)
}

/// The hosts and the files are gone, and with a host everything that ran on it.
pub(super) fn check_nothing_is_left(narrator: &mut Narrator, traces: &[PathBuf]) -> Result<()> {
    let left = || traces.iter().filter(|trace| trace.exists()).count();
    let _ = wait_until("the end of the hosts", PATIENCE, || Ok(left() == 0));
    narrator.check("machine: hosts, processes and files left", 0, left())
}

/// What sbc made in its folder that is no folder. A BPF file system comes with two files of the
/// kernel's own.
fn leftovers(stage: &Stage) -> Result<usize> {
    let wanted = ["/run/sbc", "-not", "-type", "d", "-not", "-name", "*.debug"];
    Ok(stage.edge.run("find", wanted)?.lines().count())
}
