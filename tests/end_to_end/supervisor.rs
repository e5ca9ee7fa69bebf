//! What the daemon tells the service manager that started it.

use std::{os::unix::net::UnixDatagram, time::Duration};

use anyhow::{Context as _, Result};
use sbc_tests::{Gateway, Setup, sbc_binary};

/// Enough for the verifier on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_service_manager_hears_when_the_daemon_serves_lives_reads_anew_and_ends() -> Result<()> {
    let gateway = Setup::new().build()?;
    let (manager, path) = manager(&gateway)?;
    let mut command = gateway.edge.command(sbc_binary()?);
    command.args(["run", "--config"]).arg(gateway.configuration());
    command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "2000000");
    let mut daemon = gateway.edge.spawn("sbc", command)?;

    let said = || daemon.output().unwrap_or_default();
    let first = hear(&manager).with_context(said)?;
    assert_eq!(first, "READY=1\nSTATUS=serving, mode enforce on outside, 0 peers\n");
    for _ in 0..3 {
        assert_eq!(hear(&manager)?, "WATCHDOG=1\n");
    }

    daemon.signal(libc::SIGHUP)?;
    let reloading = hear_other_than_the_watchdogs(&manager)?;
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").context("no reload")?;
    let (since, _) = since.split_once('\n').context("no end of line")?;
    let uptime = std::fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split(' ').next().unwrap_or_default().parse()?;
    let age = Duration::from_secs_f64(uptime).saturating_sub(Duration::from_micros(since.parse()?));
    assert!(age < PATIENCE, "{age:?}");
    let ready = hear_other_than_the_watchdogs(&manager)?;
    assert!(ready.starts_with("READY=1\nSTATUS=serving"), "{ready}");

    assert!(daemon.terminate()?.success());
    let last = hear_other_than_the_watchdogs(&manager)?;
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    Ok(())
}

#[test]
fn a_daemon_that_cannot_start_does_not_say_that_it_is_ready() -> Result<()> {
    let gateway = Setup::new().build()?;
    let (manager, path) = manager(&gateway)?;
    let mut command = gateway.edge.command(sbc_binary()?);
    command.args(["run", "--config", "/nowhere.toml"]).env("NOTIFY_SOCKET", path);
    let mut daemon = gateway.edge.spawn("sbc", command)?;
    assert_eq!(daemon.wait(PATIENCE)?.code(), Some(2));
    manager.set_nonblocking(true)?;
    assert!(manager.recv(&mut [0; 16]).is_err());
    Ok(())
}

fn manager(gateway: &Gateway) -> Result<(UnixDatagram, std::path::PathBuf)> {
    let path = gateway.scratch().path().join("notify");
    let manager = UnixDatagram::bind(&path).context("binding the service manager's socket")?;
    manager.set_read_timeout(Some(PATIENCE))?;
    Ok((manager, path))
}

fn hear(manager: &UnixDatagram) -> Result<String> {
    let mut heard = [0; 512];
    let length = manager.recv(&mut heard).context("nothing was told")?;
    let heard = heard.get(..length).context("more was told than there is room for")?;
    Ok(String::from_utf8_lossy(heard).into_owned())
}

fn hear_other_than_the_watchdogs(manager: &UnixDatagram) -> Result<String> {
    loop {
        let heard = hear(manager)?;
        if heard != "WATCHDOG=1\n" {
            return Ok(heard);
        }
    }
}
