//! A daemon that cannot do its work says why, and leaves nothing behind.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway, Setup, sbc_binary};

use crate::{
    calls::ALICE,
    endpoint::Endpoint,
    expectation::SOON,
    lifecycle::{filter_is_gone, has_filter, has_pins_below, nothing_is_left},
};

#[test]
fn a_busy_port_is_named() -> Result<()> {
    for busy in [Family::V4.sip(), Family::V6.sip(), Family::V4.sip_inside()] {
        let gateway = Setup::new().build()?;
        let _holder = Endpoint::bind(&gateway.edge, busy)?;
        let said = refusal(&gateway)?;
        assert!(said.contains(&format!("{busy}: address already in use")), "{said}");
    }
    Ok(())
}

#[test]
fn a_key_that_nobody_knows_is_shown_with_line_and_column() -> Result<()> {
    let gateway = Setup::new().table("[unknown]\nacton = \"drop\"").build()?;
    let line = 1 + fs::read_to_string(gateway.configuration())?
        .lines()
        .position(|line| line.starts_with("acton"))
        .unwrap();
    let said = all_of_refusal(&gateway)?;
    assert!(said.contains(&format!("line {line}, column 1")), "{said}");
    assert!(said.contains("acton") && said.contains("sbc.toml"), "{said}");
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named() -> Result<()> {
    let gateway = Setup::new().build()?;
    fs::remove_file(gateway.configuration())?;
    let said = refusal(&gateway)?;
    assert!(said.contains("cannot read") && said.contains("sbc.toml: No such file"), "{said}");
    Ok(())
}

#[test]
fn a_missing_interface_is_named() -> Result<()> {
    let gateway = Setup::new().build()?;
    for (interface, old) in [("wan0", "\"outside\""), ("lan0", "\"inside\"")] {
        let text = fs::read_to_string(gateway.configuration())?;
        fs::write(gateway.configuration(), text.replace(old, &format!("{interface:?}")))?;
        let said = refusal(&gateway)?;
        assert!(said.contains(&format!("no network interface {interface:?}")), "{said}");
        fs::write(gateway.configuration(), text)?;
    }
    Ok(())
}

#[test]
fn credentials_that_others_may_read_are_refused() -> Result<()> {
    let setup = Setup::new().tls("require").users("algorithms = [\"MD5\"]", &[ALICE]);
    let gateway = setup.build()?;
    for name in ["users.toml", "tls/gateway.key"] {
        let path = gateway.scratch().path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o640))?;
        let said = refusal(&gateway)?;
        assert!(said.contains(name) && said.contains("chmod 600"), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[test]
fn missing_privileges_are_named() -> Result<()> {
    let gateway = Setup::new().build()?;
    let mut setpriv = gateway.edge.command("setpriv");
    setpriv.args(["--bounding-set", "-all", "--inh-caps", "-all"]).arg(sbc_binary()?);
    setpriv.args(["run", "--config"]).arg(gateway.configuration());
    let mut daemon = gateway.edge.spawn("sbc", setpriv)?;
    assert_eq!(daemon.wait(SOON)?.code(), Some(2));
    let said = daemon.output()?;
    assert!(said.contains("missing CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON: run as root"), "{said}");
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn a_user_without_privileges_is_told_so() -> Result<()> {
    const NOBODY: u32 = 65_534;
    let gateway = Setup::new().build()?;
    let folder = gateway.scratch().path().to_owned();
    move_below(&gateway, &folder.join("own"))?;
    for path in [folder, gateway.configuration().to_owned()] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    let mut shell = gateway.edge.command("sh");
    // Through an open file: the folders above the program may be closed to others.
    let script = "exec setpriv --reuid=65534 --regid=65534 --clear-groups \
                  /proc/self/fd/9 run --config \"$1\" 9<\"$0\"";
    shell.arg("-c").arg(script).arg(sbc_binary()?).arg(gateway.configuration());
    let mut daemon = gateway.edge.spawn("sbc", shell)?;
    assert_eq!(daemon.wait(SOON)?.code(), Some(2), "{}", daemon.output()?);
    let said = daemon.output()?;
    assert!(said.contains("missing CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON: run as root"), "{said}");
    filter_is_gone(&gateway)?;
    Ok(())
}

#[test]
fn a_second_daemon_leaves_the_first_alone() -> Result<()> {
    let mut gateway = Setup::new().start()?;
    let said = refusal_of(&gateway)?;
    assert!(said.contains("another daemon answers at /run/sbc/control.sock"), "{said}");
    // With a socket and pins of its own it meets the first at the ports, and then at the interface.
    let text = fs::read_to_string(gateway.configuration())?;
    move_below(&gateway, &gateway.scratch().path().join("own"))?;
    let said = refusal_of(&gateway)?;
    assert!(said.contains("address already in use"), "{said}");
    let moved = fs::read_to_string(gateway.configuration())?.replace("5060\"", "5080\"");
    fs::write(gateway.configuration(), moved)?;
    let said = refusal_of(&gateway)?;
    assert!(said.contains("another XDP program holds interface \"outside\""), "{said}");
    let pins = gateway.scratch().path().join("own/bpf");
    assert!(!has_pins_below(&gateway, &pins)?, "the second left pins");

    fs::write(gateway.configuration(), text)?;
    assert!(gateway.status()?.has_daemon());
    assert!(has_filter(&gateway)?);
    gateway.stop()?;
    Ok(())
}

#[test]
fn check_says_what_run_would_say() -> Result<()> {
    let gateway = Setup::new().table("[unknown]\nacton = \"drop\"").build()?;
    let (status, said) = gateway.sbc(&["check"])?;
    assert!(status.code() == Some(1) && said.contains("acton"), "{said}");
    let gateway = Setup::new().tls("require").build()?;
    let (status, said) = gateway.sbc(&["check"])?;
    assert!(status.success() && said.contains("ok (6 listeners, 0 peers"), "{said}");
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn a_resolver_that_is_missing_is_named_where_there_is_a_name() -> Result<()> {
    let without_resolver = |gateway: &Gateway, command: &str| -> Result<(bool, String)> {
        let mut shell = gateway.edge.command("unshare");
        let script = "mount --bind /dev/null /etc/resolv.conf && exec \"$0\" \"$@\"";
        shell.args(["--mount", "sh", "-c", script]).arg(sbc_binary()?);
        shell.args([command, "--config"]).arg(gateway.configuration());
        let mut process = gateway.edge.spawn("sbc without resolver", shell)?;
        Ok((process.wait(SOON)?.success(), process.output()?))
    };
    let gateway = Setup::new().build()?;
    let (is_fine, said) = without_resolver(&gateway, "check")?;
    assert!(is_fine, "{said}");
    let gateway = Setup::new().targets("targets = [\"sip:pbx.example\"]").build()?;
    for command in ["check", "run"] {
        let (is_fine, said) = without_resolver(&gateway, command)?;
        assert!(!is_fine && said.contains("the resolver for the targets"), "{command}: {said}");
    }
    nothing_is_left(&gateway)?;
    Ok(())
}

/// The one line by which `sbc run` refuses; nothing stays attached.
fn refusal(gateway: &Gateway) -> Result<String> {
    let said = refusal_of(gateway)?;
    nothing_is_left(gateway)?;
    Ok(said)
}

/// The one line, whoever else runs.
fn refusal_of(gateway: &Gateway) -> Result<String> {
    let said = all_of_refusal(gateway)?;
    // The place in the file may follow.
    let is_of_log = |line: &str| line.contains(" INFO ") || line.contains(" WARN ");
    let is_excerpt = |line: &str| line.contains(" | ") || line.ends_with(" |");
    let mut lines = said.lines().filter(|line| !is_of_log(line) && !is_excerpt(line));
    let line = lines.next().unwrap_or_default().to_owned();
    ensure!(line.starts_with("sbc: ") && lines.next().is_none(), "not one line: {said}");
    Ok(line)
}

fn all_of_refusal(gateway: &Gateway) -> Result<String> {
    let (status, said) = gateway.sbc(&["run"])?;
    ensure!(status.code() == Some(2), "{status}: {said}");
    Ok(said)
}

/// Gives a configuration a control socket and pins of its own.
pub(crate) fn move_below(gateway: &Gateway, folder: &Path) -> Result<()> {
    let text = fs::read_to_string(gateway.configuration())?;
    let control = format!("[control]\nsocket = \"{}\"\n", folder.join("control.sock").display());
    let pins = format!("[kernel]\nbpf-file-system = \"{}\"", folder.join("bpf").display());
    fs::write(gateway.configuration(), text.replace("[kernel]", &pins) + &control)?;
    Ok(())
}
