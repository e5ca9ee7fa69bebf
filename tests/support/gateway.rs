//! The product between two networks.

use std::{
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    Authority, Cgroup, Host, Process, Scratch, Status, UdpCounters, product::sbc_binary,
    udp_counters, wait::wait_for,
};

/// Enough for the verifier on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three hosts in a row, `internet`, `edge` and `inside`, with `sbc run` on the edge. Their addresses
/// are those of [`crate::Family`]; made by [`crate::Setup`].
#[derive(Debug)]
pub struct Gateway {
    daemon: Option<Process>,
    /// Where strangers and peers are.
    pub internet: Host,
    /// Where the daemon is. Its interfaces are named `outside` and `inside`.
    pub edge: Host,
    /// Where the protected SIP system is.
    pub inside: Host,
    scratch: Scratch,
    configuration: PathBuf,
    authority: Option<Authority>,
    upstream: SocketAddr,
    /// Dropped after everything that runs in it.
    cgroup: Option<Cgroup>,
}

impl Gateway {
    pub(crate) fn new(
        [internet, edge, inside]: [Host; 3],
        scratch: Scratch,
        configuration: PathBuf,
        authority: Option<Authority>,
        upstream: SocketAddr,
        cgroup: Option<Cgroup>,
    ) -> Self {
        let daemon = None;
        Self { daemon, internet, edge, inside, scratch, configuration, authority, upstream, cgroup }
    }

    /// Starts the daemon; it is ready when this returns.
    pub fn start(&mut self) -> Result<()> {
        let daemon = self.spawn(&["run"])?;
        self.wait_for_daemon(daemon)
    }

    /// Has the filter loaded as root.
    pub fn load(&self) -> Result<()> {
        let (status, said) = self.sbc(&["load"])?;
        if !status.success() {
            bail!("sbc load: {status}: {said}");
        }
        Ok(())
    }

    /// Starts the daemon as user "nobody", without any capability; it is ready when this returns.
    pub fn start_without_privileges(&mut self) -> Result<()> {
        let daemon = self.spawn_without_privileges(&["run"])?;
        self.wait_for_daemon(daemon)
    }

    /// Starts one of sbc's commands on the edge as user "nobody", without any capability and any way
    /// to get one.
    pub fn spawn_without_privileges(&self, arguments: &[&str]) -> Result<Process> {
        // Through an open file: the folders above the program may be closed to others.
        let script = "exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs \
                      --inh-caps=-all --ambient-caps=-all --bounding-set=-all \
                      /proc/self/fd/9 \"$@\" 9<\"$0\"";
        let mut shell = self.command(Path::new("sh"));
        shell.arg("-c").arg(script).arg(sbc_binary()?).args(arguments);
        shell.arg("--config").arg(&self.configuration);
        self.edge.spawn("sbc as nobody", shell)
    }

    fn wait_for_daemon(&mut self, mut daemon: Process) -> Result<()> {
        wait_for("sbc to be ready", PATIENCE, || {
            if !daemon.is_running()? {
                return Ok(Some(()));
            }
            Ok(self.status()?.has_daemon().then_some(()))
        })
        .with_context(|| daemon.output().unwrap_or_default())?;
        if !daemon.is_running()? {
            bail!("sbc ended: {}", daemon.output()?);
        }
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The daemon's process.
    pub fn daemon(&mut self) -> Result<&mut Process> {
        self.daemon.as_mut().context("sbc does not run")
    }

    /// Ends the daemon with SIGTERM, and returns what it has logged; fails unless it reports success.
    pub fn stop(&mut self) -> Result<String> {
        let mut daemon = self.daemon.take().context("sbc does not run")?;
        let status = daemon.terminate()?;
        let log = daemon.output()?;
        if !status.success() {
            bail!("sbc ended with {status}: {log}");
        }
        Ok(log)
    }

    /// Runs one of sbc's commands on the edge to its end; returns how it ended and what it said.
    pub fn sbc<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<(ExitStatus, String)> {
        let mut process = self.spawn(arguments)?;
        let status = process.wait(PATIENCE)?;
        Ok((status, process.output()?))
    }

    /// What `sbc status --json` says.
    pub fn status(&self) -> Result<Status> {
        let (status, said) = self.sbc(&["status", "--json"])?;
        if !status.success() {
            bail!("sbc status: {status}: {said}");
        }
        Status::parse(&said)
    }

    /// Waits until the status is as wanted, and returns it; failing, the last one is told.
    pub fn wait_for_status(
        &self,
        what: &str,
        is_as_wanted: impl Fn(&Status) -> Result<bool>,
    ) -> Result<Status> {
        wait_for(what, PATIENCE, || {
            let status = self.status()?;
            if is_as_wanted(&status)? {
                return Ok(Some(status));
            }
            bail!("{status}")
        })
    }

    /// Waits until a target of the upstream or of a peer is `alive` or `dead`, as the daemon tells it.
    pub fn wait_for_target(&self, target: &SocketAddr, state: &str) -> Result<Status> {
        self.wait_for_status(&format!("{target} to be {state}"), |status| {
            Ok(status.targets()?.get(&target.to_string()).is_some_and(|told| told == state))
        })
    }

    /// The UDP datagrams that the edge's kernel has counted.
    pub fn edge_udp(&self) -> Result<UdpCounters> {
        udp_counters(&self.edge)
    }

    /// Where the daemon expects the protected SIP system, on the inside host.
    #[must_use]
    pub fn upstream(&self) -> SocketAddr {
        self.upstream
    }

    /// The control group that the daemon runs in, if it has one of its own.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// The folder with all of its files.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The authority whose certificates the TLS listeners believe.
    pub fn authority(&self) -> Result<&Authority> {
        self.authority.as_ref().context("this gateway has no TLS listeners")
    }

    /// A command that runs `program` on the edge, within the control group if there is one.
    fn command(&self, program: &Path) -> Command {
        match &self.cgroup {
            Some(cgroup) => cgroup.command(&self.edge, program),
            None => self.edge.command(program),
        }
    }

    /// Starts one of sbc's commands on the edge.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Process> {
        let mut command = self.command(&sbc_binary()?);
        command.args(arguments).arg("--config").arg(&self.configuration);
        self.edge.spawn("sbc", command)
    }
}
