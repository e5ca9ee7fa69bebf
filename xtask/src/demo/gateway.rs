//! The daemon on the edge.

use std::{ffi::OsStr, process::ExitStatus, time::Duration};

use anyhow::{Context as _, Result, bail};
use sbc_tests::{Process, sbc_binary, udp_counters, wait_for};

use super::{
    readings::{Counted, Readings, Status},
    stage::Stage,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running `sbc`, and what can be asked of it.
pub(super) struct Gateway<'a> {
    stage: &'a Stage,
    process: Process,
}

impl<'a> Gateway<'a> {
    /// Starts it; it protects the edge when this returns.
    pub(super) fn start(stage: &'a Stage) -> Result<Self> {
        let mut command = stage.edge.command(sbc_binary()?);
        command.arg("run").arg("--config").arg(&stage.configuration);
        let mut process = stage.edge.spawn("sbc", command)?;
        process.wait_for_output("ready", PATIENCE)?;
        Ok(Self { stage, process })
    }

    /// What a moment's counters are.
    pub(super) fn read(&self) -> Result<Readings> {
        let status = sbc(self.stage, &["status", "--json"])?;
        Ok(Readings {
            status: serde_json::from_str::<Status>(&status)
                .context("reading sbc's status, which lacks a half when the daemon has ended")?,
            edge: udp_counters(&self.stage.edge)?,
            inside: udp_counters(&self.stage.inside)?,
        })
    }

    /// What was counted since `earlier`, as soon as `is_enough` says so, and after ten seconds
    /// anyway: a check that follows tells what is missing.
    pub(super) fn count<'r>(
        &self,
        earlier: &'r Readings,
        is_enough: impl Fn(&Counted<'r>) -> Result<bool>,
    ) -> Result<Counted<'r>> {
        let mut latest = None;
        let waited = wait_for("the counters", PATIENCE, || {
            let counted = Counted { earlier, later: self.read()? };
            let is_enough = is_enough(&counted);
            latest = Some(counted);
            Ok(is_enough?.then_some(()))
        });
        match (waited, latest) {
            (Err(error), _) if sbc_tests::is_interrupted() => Err(error),
            (_, Some(counted)) => Ok(counted),
            (Err(error), None) => Err(error),
            (Ok(()), None) => bail!("nothing was counted"),
        }
    }

    /// Who is trusted, as `sbc status` tells it.
    pub(super) fn trust_table(&self) -> Result<String> {
        let (_, trust) = self.status()?;
        Ok(trust)
    }

    /// What was counted, as `sbc status` tells it.
    pub(super) fn counters(&self) -> Result<String> {
        let (counters, _) = self.status()?;
        Ok(counters)
    }

    fn status(&self) -> Result<(String, String)> {
        let text = sbc(self.stage, &["status"])?;
        let table = text.find("\nsource ").context("sbc status shows no trust table")?;
        let (counters, trust) = text.split_at(table);
        Ok((counters.to_owned(), trust.trim_start().to_owned()))
    }

    /// Ends it with SIGTERM.
    pub(super) fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate()
    }

    /// All that it has logged.
    pub(super) fn log(&self) -> Result<String> {
        self.process.output()
    }
}

/// Runs one of sbc's commands on the edge, and returns what it prints.
pub(super) fn sbc(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let program = sbc_binary()?;
    let configuration = ["--config".as_ref(), stage.configuration.as_os_str()];
    let arguments = arguments.iter().map(OsStr::new).chain(configuration);
    stage.edge.run(&program.to_string_lossy(), arguments)
}
