//! A control group for one daemon.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::Host;

/// Where a host sees the control groups of the machine.
const MOUNT: &str = "/run/cgroup";

/// How long what was killed has to be gone, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// A control group of the second version; it is removed on drop, when nothing runs in it any more.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
    /// As this process sees it.
    directory: PathBuf,
}

impl Cgroup {
    /// Makes one that the programs on `host` can see.
    pub fn new(host: &Host) -> Result<Self> {
        let name = format!("sbc-test-{}", host.pid());
        host.run("mkdir", ["-p", MOUNT])?;
        host.run("mount", ["-t", "cgroup2", "none", MOUNT])?;
        let directory = own_mount()?.join(&name);
        fs::create_dir(&directory)
            .with_context(|| format!("making the control group {}", directory.display()))?;
        Ok(Self { name, directory })
    }

    /// Where the programs on the host see it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(MOUNT).join(&self.name)
    }

    /// A command that runs `program` on `host` within the group.
    #[must_use]
    pub fn command(&self, host: &Host, program: &Path) -> Command {
        let mut command = host.command("sh");
        let join = format!("echo 0 > {}/cgroup.procs && exec \"$@\"", self.path().display());
        command.args(["-c", &join, "sh"]).arg(program);
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was killed has to be gone; also after an interruption, when nothing else is waited for.
        let deadline = Instant::now() + PATIENCE;
        while remove(&self.directory).is_err() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
}

/// Removes a group, and first those that were made in it.
fn remove(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

fn own_mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading what is mounted")?;
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "cgroup2").then_some(place)
    });
    let mount = mount.context("the machine has no control groups of the second version")?;
    Ok(PathBuf::from(mount))
}
