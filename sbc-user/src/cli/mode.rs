//! From observing to enforcing, and back.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use sbc_common::Mode;

use super::ConfigFile;
use super::known_good::write_known_good;
use crate::border::{DaemonStatus, KernelStatus, Status};
use crate::config::{Config, Lifetime, ModeFile};
use crate::control;
use crate::kernel::Pins;

#[derive(Debug, Args)]
pub(super) struct EnforceArguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Enforce for so long, such as 10m, and observe again unless `sbc enforce --confirm` comes before. The
    /// configuration stays as it is until then.
    #[arg(long = "for", value_name = "TIME", conflicts_with = "confirm")]
    trial: Option<Lifetime>,
    /// Keep what `--for` has begun, and write it into the configuration.
    #[arg(long)]
    confirm: bool,
    /// Do not ask, whoever is cut off.
    #[arg(long, short)]
    yes: bool,
}

/// What is done to the filter.
enum Change {
    ByDaemon,
    /// Nobody answers: the filter alone is told.
    ByHand,
}

pub(super) fn enforce(arguments: &EnforceArguments) -> anyhow::Result<()> {
    let EnforceArguments { config: ConfigFile { config: path }, trial, confirm, yes } = arguments;
    let config = Config::load(path)?;
    let status = match control::ask(&config.control.socket) {
        Ok(status) => status,
        Err(error) if error.is_absence() && trial.is_none() && !confirm => {
            ensure!(
                *yes,
                "{error}, which could say who would be cut off: --yes enforces all the same"
            );
            change(path, &config, Mode::Enforce, &Change::ByHand)?;
            return said(path, Mode::Enforce);
        }
        Err(error) => return Err(error.into()),
    };
    let is_tried = status.daemon.as_ref().is_some_and(|daemon| daemon.trial.is_some());
    if *confirm || is_tried && trial.is_none() {
        ensure!(
            is_tried,
            "no enforcement is on trial: it is over, or was confirmed, or none began"
        );
        lasting(path, Mode::Enforce, || {
            control::confirm_mode(&config.control.socket).map(drop).map_err(Into::into)
        })?;
        return said(path, Mode::Enforce);
    }
    if status.kernel.mode != Mode::Enforce.name() {
        may_be_cut_off(&status, *yes)?;
    }
    match trial {
        None => {
            change(path, &config, Mode::Enforce, &Change::ByDaemon)?;
            said(path, Mode::Enforce)
        }
        Some(Lifetime(time)) => {
            let seconds = Some(time.as_secs());
            control::change_mode(&config.control.socket, Mode::Enforce, seconds)?;
            let time = humantime::format_duration(*time);
            Ok(writeln!(
                io::stdout(),
                "the filter enforces for {time}, and then observes again: `sbc enforce --confirm` keeps it"
            )?)
        }
    }
}

pub(super) fn observe(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let change_by = match control::ask(&config.control.socket) {
        Ok(_) => Change::ByDaemon,
        // The way back must not depend on a daemon that hangs.
        Err(error) if error.is_absence() || error.is_silence() => Change::ByHand,
        Err(error) => return Err(error.into()),
    };
    let changed = change(path, &config, Mode::Observe, &change_by);
    changed.context("that failed; `sbc unload` detaches the filter at once")?;
    said(path, Mode::Observe)
}

fn said(path: &Path, mode: Mode) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "the filter {}s, and {} says so", mode.name(), path.display())?)
}

/// Changes the mode of the filter and of the file.
fn change(path: &Path, config: &Config, mode: Mode, change: &Change) -> anyhow::Result<()> {
    match change {
        Change::ByDaemon => lasting(path, mode, || {
            let answered = control::change_mode(&config.control.socket, mode, None);
            answered.map(drop).map_err(Into::into)
        }),
        Change::ByHand => {
            let pins = Pins::below(&config.kernel.bpf_file_system);
            let mut tables = pins.open_tables(config.kernel.trust_entries)?;
            // One word, which nobody reads and writes back: a daemon that begins meanwhile writes what the file says.
            lasting(path, mode, || {
                tables.set_mode(mode)?;
                // A trial may have been under way when the daemon ended, which ends enforcement early.
                Ok(tables.end_enforcement_after(config.kernel.longest_silence())?)
            })
        }
    }
}

/// Writes the mode into the file and then changes it, or neither.
fn lasting(
    path: &Path,
    mode: Mode,
    change: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let file = ModeFile::read(path)?;
    let is_written = file.write(mode).context("the mode of the filter is as it was")?;
    let Err(error) = change() else { return Ok(()) };
    if is_written && let Err(left) = file.restore(mode) {
        let name = mode.name();
        return Err(error.context(format!("{} says {name} now: {left}", path.display())));
    }
    Err(error)
}

/// Shows what enforcing cuts off, and asks if any of it was served.
fn may_be_cut_off(status: &Status, yes: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    write_drops(&status.kernel, &mut out)?;
    let known_good = status.daemon.as_ref().map(|daemon: &DaemonStatus| &daemon.known_good);
    let Some(known_good) = known_good else { return Ok(()) };
    write_known_good(known_good, &mut out)?;
    out.flush()?;
    if known_good.hurt == 0 || yes {
        return Ok(());
    }
    let many = if known_good.hurt == 1 { "1 known-good source" } else { "known-good sources" };
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!(
            "the filter observes as before: enforcing would hurt {many}; --yes enforces all the same"
        );
    }
    drop(out);
    let mut error = io::stderr();
    write!(error, "\nEnforcing hurts {many}. Enforce all the same? [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_meant = matches!(answer.trim(), "y" | "Y" | "yes");
    ensure!(is_meant, "the filter observes as before");
    Ok(())
}

fn write_drops(kernel: &KernelStatus, out: &mut impl Write) -> io::Result<()> {
    let drops = kernel.verdicts.iter().filter(|row| row.action == "drop" && row.packets > 0);
    let mut drops: Vec<_> = drops.collect();
    drops.sort_by_key(|row| u64::MAX - row.packets);
    if drops.is_empty() {
        return writeln!(out, "nothing would have been dropped since the filter was loaded");
    }
    writeln!(out, "{:<30} {:>12}", "would have been dropped", "packets")?;
    drops.iter().try_for_each(|row| writeln!(out, "{:<30} {:>12}", row.reason, row.packets))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::sample::BASE;
    use crate::config::with_mode;

    #[test]
    fn what_the_filter_does_not_do_the_file_does_not_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sbc.toml");
        fs::write(&path, BASE).unwrap();
        let refused = lasting(&path, Mode::Enforce, || bail!("no"));
        assert_eq!(refused.unwrap_err().to_string(), "no");
        assert_eq!(fs::read_to_string(&path).unwrap(), BASE);

        lasting(&path, Mode::Enforce, || Ok(())).unwrap();
        let enforcing = with_mode(BASE, Mode::Enforce).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), enforcing);
        // Nor is a file changed back that has said so before.
        lasting(&path, Mode::Enforce, || bail!("no")).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), enforcing);
    }

    #[test]
    fn what_the_file_cannot_say_the_filter_does_not_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sbc.toml");
        fs::write(&path, BASE).unwrap();
        // Where the file beside it would be written stands what cannot be removed so.
        let draft = format!(".sbc.toml.{}", std::process::id());
        fs::create_dir(directory.path().join(draft)).unwrap();
        let refused = lasting(&path, Mode::Enforce, || panic!("it was changed"));
        assert!(
            format!("{:#}", refused.unwrap_err()).contains("the mode of the filter is as it was")
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), BASE);
    }
}
