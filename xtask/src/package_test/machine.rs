//! A machine with systemd, between two networks.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use sbc_tests::{Cgroup, Host, Process, Scratch, connect, wait_for, wait_until};

/// Enough for systemd on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);

const BOOT: &str = include_str!("boot.sh");

/// The gateway of the guide, with what is on both sides of it. All of it goes when this is dropped.
pub(super) struct Machine {
    /// Where strangers, the carrier and phones are.
    pub(super) internet: Host,
    /// Where the telephone system is.
    pub(super) inside: Host,
    host: Host,
    root: PathBuf,
    script: PathBuf,
    /// The first process of the machine, as we see it.
    init: u32,
    systemd: Process,
    _scratch: Scratch,
    /// Dropped after everything that runs in it.
    cgroup: Cgroup,
}

impl Machine {
    /// Boots the system that is in an archive.
    pub(super) fn boot(archive: &Path) -> Result<Self> {
        let (internet, host, inside) =
            (Host::new("internet")?, Host::new("gateway")?, Host::new("inside")?);
        connect(
            internet.interface(
                "wan",
                &["203.0.113.1/24", "198.51.100.7/32", "198.51.100.20/32", "198.51.100.66/32"],
            ),
            host.interface("eth0", &["203.0.113.10/24"]),
        )?;
        connect(
            host.interface("eth1", &["10.0.0.1/24"]),
            inside.interface("lan", &["10.0.0.5/24"]),
        )?;
        host.default_route("203.0.113.1".parse()?)?;
        inside.default_route("10.0.0.1".parse()?)?;

        let (cgroup, scratch) = (Cgroup::new(&host)?, Scratch::new()?);
        let script = scratch.write("boot.sh", BOOT)?;
        let root = scratch.path().join("root");
        fs::create_dir(&root).context("making a folder for the root")?;
        let [folder, archive] = [&root, archive].map(|path| path.display().to_string());
        host.run("mount", ["-t", "tmpfs", "-o", "size=1g,mode=0755", "root", &folder])?;
        host.run("tar", ["-C", &folder, "-xf", &archive])?;
        let (systemd, init) = start(&host, &cgroup, &script, &root)?;
        let machine =
            Self { internet, inside, host, root, script, init, systemd, _scratch: scratch, cgroup };
        machine.wait_for_systemd()?;
        Ok(machine)
    }

    /// Turns it off in good order, and on again: what is in memory is gone, what is in files stays.
    pub(super) fn reboot(&mut self) -> Result<()> {
        // It ends under the shell, which then cannot say that all went well.
        let _ = self.run("systemctl poweroff");
        self.systemd.wait(PATIENCE)?;
        (self.systemd, self.init) = start(&self.host, &self.cgroup, &self.script, &self.root)?;
        self.wait_for_systemd()
    }

    fn wait_for_systemd(&self) -> Result<()> {
        wait_until("systemd to be running", PATIENCE, || {
            let state = self.run("systemctl is-system-running").unwrap_or_default();
            if state.trim() == "running" { Ok(true) } else { bail!("{}", self.said()) }
        })
    }

    /// The network that the machine is in.
    pub(super) fn network(&self) -> &Host {
        &self.host
    }

    /// A file of the machine, as we see it.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.init.to_string())
            .join("root")
            .join(inside.trim_start_matches('/'))
    }

    /// Has root's shell on the machine do these lines, to the first that fails; returns what was said.
    pub(super) fn run(&self, lines: &str) -> Result<String> {
        let mut command = self.host.command("nsenter");
        command.args(["--target", &self.init.to_string(), "--mount", "--pid", "--cgroup"]);
        command.args(["--uts", "--ipc", "--root", "--wd", "--", "env", "-i", "HOME=/root"]);
        command.args(["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-ec"]);
        command.arg(format!("cd /root; exec 2>&1\n{lines}"));
        let output = command.output().context("starting a shell on the machine")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {said}{error}", output.status);
        }
        Ok(said)
    }

    /// The journal of our units, for whoever looks for the reason of a failure.
    pub(super) fn journal(&self) -> String {
        let units =
            "journalctl --no-pager --lines 60 --unit sbc --unit sbc-load --unit run-sbc-bpf.mount";
        self.run(units).unwrap_or_default()
    }

    fn said(&self) -> String {
        self.systemd.output().unwrap_or_default()
    }
}

fn start(host: &Host, cgroup: &Cgroup, script: &Path, root: &Path) -> Result<(Process, u32)> {
    let mut command = cgroup.command(host, Path::new("unshare"));
    command.args(["--pid", "--mount", "--cgroup", "--uts", "--ipc", "--fork"]);
    command.args(["--kill-child=SIGKILL", "sh"]).args([script, root]);
    let systemd = host.spawn("systemd", command)?;
    let init = wait_for("the first process", PATIENCE, || first_child(systemd.id()))?;
    Ok((systemd, init))
}

fn first_child(parent: u32) -> Result<Option<u32>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok(children.split_whitespace().next().map(str::parse).transpose()?)
}
