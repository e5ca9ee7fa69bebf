//! The steps in their order.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use sbc_tests::{Running, Scenario, Sipp};

use super::{
    address::{TELEPHONE_SYSTEM, socket},
    carrier, ending,
    gateway::Gateway,
    narrator::Narrator,
    office, opening,
    stage::Stage,
    strangers,
};

/// How much of the daemon's log is shown after a failure.
const LOG_LINES: usize = 25;

/// Tells the whole story. Whatever it set up is gone when it returns, however it ended.
pub(super) fn tell(narrator: &mut Narrator, log: Option<&Path>) -> Result<()> {
    narrator.step("Three hosts, and a border between two of them");
    let stage = Stage::set()?;
    let traces = stage.traces();
    play(narrator, &stage, log)?;
    drop(stage);
    ending::check_nothing_is_left(narrator, &traces)
}

fn play(narrator: &mut Narrator, stage: &Stage, log: Option<&Path>) -> Result<()> {
    let telephones = Sipp::answering(Scenario::Answer, socket(TELEPHONE_SYSTEM)?);
    let telephones = telephones.start(&stage.inside)?;
    opening::show_the_stage(narrator, stage)?;
    opening::check_the_counters_count(narrator, stage)?;
    let mut gateway = Gateway::start(stage)?;
    let played = play_behind(narrator, stage, &mut gateway, telephones);
    if let Some(path) = log {
        let written = fs::write(path, gateway.log()?);
        written.with_context(|| format!("writing {}", path.display()))?;
    }
    if played.is_err() && !sbc_tests::is_interrupted() {
        narrator.record_mut().status = gateway.read().ok().map(|readings| readings.status);
        narrator.show(&format!("the end of sbc's log:\n{}", tail(&gateway.log()?)));
    }
    played
}

fn play_behind(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &mut Gateway<'_>,
    telephones: Running,
) -> Result<()> {
    opening::show_the_gateway(narrator, stage, gateway)?;
    strangers::scan(narrator, stage, gateway)?;
    office::call_without_credentials(narrator, stage, gateway)?;
    office::call_with_credentials(narrator, stage, gateway)?;
    carrier::call_before_proof(narrator, stage, gateway)?;
    let connection = carrier::prove(narrator, stage, gateway)?;
    carrier::call_after_proof(narrator, stage, gateway)?;
    carrier::leave(narrator, stage, gateway, connection)?;
    ending::end(narrator, stage, gateway, telephones)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}
