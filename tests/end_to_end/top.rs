//! `sbc top`, on a terminal and without one.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, sbc_binary, wait_for};

use crate::{
    endpoint::{Endpoint, ends},
    expectation::Expect as _,
    listed_peer::{of_the_peer, trusting},
    terminal::Terminal,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// The command that shows whether the terminal is as it was before.
const SETTINGS: &str = "stty -a | cksum";

fn strangers_send(gateway: &Gateway, packets: usize) -> Result<()> {
    let stranger = Endpoint::bind(&gateway.internet, (Family::V4.elsewhere(), 5070).into())?;
    for _ in 0..packets {
        stranger.send(Family::V4.sip(), &stranger.request("INVITE"))?;
    }
    Ok(())
}

/// How many packets a line of the terminal tells.
fn drops(screen: &str) -> Option<u64> {
    let line = screen.lines().find(|line| line.contains("drop unknown-source"))?;
    line.split_whitespace().nth(2)?.parse().ok()
}

/// The terminal goes away while it runs, whatever has become of the signal for that.
fn expect_end_with(terminal: Terminal<'_>, gateway: &Gateway) -> Result<()> {
    let (binary, configuration) = (sbc_binary()?, gateway.configuration());
    let (binary, configuration) = (binary.display(), configuration.display());
    let end = gateway.scratch().path().join("top.end");
    let told = end.display();
    let top = format!("'{binary}' top --config '{configuration}'");
    terminal.types(&format!("clear; sh -c \"trap '' HUP; {top}; echo \\$? > '{told}'\""))?;
    terminal.presses(&["Enter"])?;
    terminal.wait_to_show(&["NO DAEMON ANSWERS"])?;
    drop(terminal);
    wait_for("top to end with its terminal", PATIENCE, || {
        Ok(fs::read_to_string(&end).ok().filter(|told| told.ends_with('\n')))
    })
    .map(drop)
}

/// Where the number of the process is written.
fn number_file(gateway: &Gateway) -> PathBuf {
    gateway.scratch().path().join("top.pid")
}

fn starts(terminal: &Terminal<'_>, gateway: &Gateway, more: &str) -> Result<()> {
    let (binary, configuration) = (sbc_binary()?, gateway.configuration());
    let (binary, configuration) = (binary.display(), configuration.display());
    let top = format!("exec '{binary}' top --interval 100ms --config '{configuration}'");
    let number = number_file(gateway);
    let number = number.display();
    let shell = format!("sh -c \"echo \\$\\$ > '{number}'; {more} {top}\"");
    terminal.types(&format!("clear; {shell}; echo ended=$?; {SETTINGS}"))?;
    terminal.presses(&["Enter"])
}

/// What the terminal's settings add up to.
fn settings(terminal: &Terminal<'_>) -> Result<String> {
    terminal.types(&format!("clear; echo ended=none; {SETTINGS}"))?;
    terminal.presses(&["Enter"])?;
    ended(terminal, "none")
}

/// Waits for the shell to say how a program ended, and what the terminal's settings are then.
fn ended(terminal: &Terminal<'_>, how: &str) -> Result<String> {
    let mark = format!("\nended={how}\n");
    let shown = |screen: &str| {
        let after = format!("\n{screen}").split_once(&mark)?.1.to_owned();
        let mut lines = after.lines();
        let settings = lines.next().filter(|line| !line.is_empty())?.to_owned();
        lines.next().filter(|line| line.starts_with("ready>"))?;
        Some(settings)
    };
    let screen =
        terminal.wait_until(&format!("the end: {how}"), |screen| shown(screen).is_some())?;
    shown(&screen).context(screen)
}

#[test]
fn somebody_watches_strangers_come_sorts_filters_asks_and_leaves() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    phone.send(Family::V4.sip(), &of_the_peer(&phone, "INVITE"))?;
    upstream.hear()?;
    strangers_send(&gateway, 5)?;
    gateway.expect_verdicts(&[("unknown-source", 5), ("trusted-source", 1)])?;

    let terminal = Terminal::open(&gateway, [100, 30])?;
    let before = settings(&terminal)?;
    starts(&terminal, &gateway, "")?;
    let screen = terminal.wait_to_show(&["enforce", "load calm", "peer carrier", "alive"])?;
    ensure!(terminal.is_covered()? && drops(&screen) == Some(5), "{screen}");
    let carrier = screen.lines().find(|line| line.starts_with("peer carrier"));
    ensure!(carrier.is_some_and(|line| line.contains("1 (0)")), "one call: {screen}");
    strangers_send(&gateway, 20)?;
    terminal.wait_until("the drops to rise", |screen| drops(screen) == Some(25))?;

    terminal.presses(&["s", "s"])?;
    terminal.wait_to_show(&["s sort: name"])?;
    terminal.types("/carrier")?;
    terminal.wait_until("a filtered list", |screen| {
        screen.contains("/carrier_") && screen.contains("peer carrier") && drops(screen).is_none()
    })?;
    terminal.presses(&["Escape"])?;
    terminal.wait_until("everything", |screen| drops(screen).is_some())?;

    terminal.types("/unknown-source")?;
    terminal.presses(&["Enter", "Enter"])?;
    terminal.wait_to_show(&["No entry of the trust table", "add a `[[peer]]`", "25 in all"])?;
    // The escape that ends the page, and the one that ends the filter.
    terminal.presses(&["BSpace"])?;
    terminal.wait_to_show(&["only: unknown-source"])?;
    terminal.presses(&["Escape"])?;
    // What follows an escape at once would be one key together with it.
    terminal.wait_to_show(&["peer carrier"])?;
    terminal.types("/198.51.100.0")?;
    terminal.presses(&["Enter", "Enter"])?;
    terminal.wait_to_show(&[
        "as the attached program says",
        "udp invite to",
        "(trusted-source)",
    ])?;
    terminal.presses(&["q"])?;
    let after = ended(&terminal, "0")?;
    assert_eq!(after, before);
    assert!(!terminal.is_covered()?);
    Ok(())
}

#[test]
fn it_goes_on_without_the_daemon_and_leaves_the_terminal_as_it_was_when_it_is_ended() -> Result<()>
{
    let mut gateway = trusting().start()?;
    strangers_send(&gateway, 3)?;
    gateway.expect_verdicts(&[("unknown-source", 3)])?;
    gateway.daemon()?.kill();
    let told = {
        let terminal = Terminal::open(&gateway, [80, 24])?;
        let before = settings(&terminal)?;
        starts(&terminal, &gateway, "NO_COLOR=1")?;
        let screen = terminal.wait_to_show(&["NO DAEMON ANSWERS", "unknown-source"])?;
        assert_eq!(drops(&screen), Some(3), "{screen}");
        terminal.types("?")?;
        terminal.wait_to_show(&["its questions are counted like packets"])?;
        let number = fs::read_to_string(number_file(&gateway))?;
        // The number is one of the edge's own: only what is spawned there knows it.
        let mut kill = gateway.edge.command("kill");
        kill.arg(number.trim());
        gateway.edge.spawn("kill", kill)?.expect_success(PATIENCE)?;
        assert_eq!(ended(&terminal, "0")?, before);
        assert!(!terminal.is_covered()?);
        expect_end_with(terminal, &gateway)?;
        screen
    };
    ensure!(!told.contains("load"), "{told}");

    gateway.start()?;
    let (status, frame) = gateway.sbc(&["top", "--once", "--interval", "100ms"])?;
    ensure!(status.success(), "{frame}");
    for text in ["load calm", "drop unknown-source", "peer carrier", "198.51.100.0/28", "alive"] {
        ensure!(frame.contains(text), "{text}: {frame}");
    }
    ensure!(!frame.contains('\u{1b}') && !frame.contains("q quit"), "{frame}");
    let (status, refused) = gateway.sbc(&["top"])?;
    ensure!(!status.success() && refused.contains("top needs a terminal"), "{refused}");
    Ok(())
}
