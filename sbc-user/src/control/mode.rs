use std::time::Duration;

use sbc_common::Mode;
use serde::{Deserialize, Serialize};

use crate::border::{Border, TrialStatus};
use crate::kernel::KernelTables;

/// The longest trial.
const LONGEST: Duration = Duration::from_hours(24);

/// A mode by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedMode {
    /// Verdicts are carried out.
    Enforce,
    /// They are counted.
    Observe,
}

/// What has become of the mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModeAnswer {
    /// `observe` or `enforce`.
    pub mode: String,
    /// Enforcement that is on trial; absent if the mode is there to stay.
    pub trial: Option<TrialStatus>,
}

impl From<WantedMode> for Mode {
    fn from(wanted: WantedMode) -> Self {
        match wanted {
            WantedMode::Enforce => Self::Enforce,
            WantedMode::Observe => Self::Observe,
        }
    }
}

impl From<Mode> for WantedMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Enforce => Self::Enforce,
            Mode::Observe => Self::Observe,
        }
    }
}

/// Changes the mode, for good or for so many seconds, or says why not.
pub(super) fn change(
    border: &Border<KernelTables>,
    wanted: WantedMode,
    seconds: Option<u64>,
) -> Result<ModeAnswer, String> {
    match (wanted, seconds.map(Duration::from_secs)) {
        (_, None) => border.set_mode(wanted.into()).map_err(|error| error.to_string())?,
        (WantedMode::Enforce, Some(time)) if !time.is_zero() && time <= LONGEST => {
            border.try_enforcing(time).map_err(|error| error.to_string())?;
        }
        (WantedMode::Enforce, Some(_)) => return Err("a trial lasts 1 s to 1 day".to_owned()),
        (WantedMode::Observe, Some(_)) => return Err("only enforcing can be tried".to_owned()),
    }
    Ok(answer(border, wanted))
}

/// Makes the mode stay that is on trial, or says why not.
pub(super) fn confirm(border: &Border<KernelTables>) -> Result<ModeAnswer, String> {
    border.confirm_trial().map_err(|error| error.to_string())?;
    Ok(answer(border, WantedMode::Enforce))
}

fn answer(border: &Border<KernelTables>, in_force: WantedMode) -> ModeAnswer {
    ModeAnswer { mode: Mode::from(in_force).name().to_owned(), trial: border.trial_status() }
}
