//! A host.

use std::{
    ffi::OsStr,
    net::IpAddr,
    panic,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result, bail};

use crate::{link::Interface, namespaces::Namespaces, process::Process};

/// A machine of its own as far as the network goes: interfaces, routes and sockets, `/run`, `/sys`
/// and `/sys/fs/bpf` are private to it; all other files are the real ones.
///
/// It ends when it, its clones and the last [`Process`] on it are dropped, and at the latest with the program
/// that made it.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    namespaces: Arc<Namespaces>,
}

impl Host {
    /// Makes one that has nothing but a loopback interface, which is up. Needs root.
    pub fn new(name: &str) -> Result<Self> {
        let namespaces = Namespaces::new(name).with_context(|| format!("making host {name}"))?;
        let host = Self { name: name.to_owned(), namespaces: Arc::new(namespaces) };
        host.run("ip", ["link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// The name it was given, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of a process that lives exactly as long as the host, for `/proc` and `ip … netns PID`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.namespaces.pid().unsigned_abs()
    }

    /// Where a file of the host is seen from outside: sockets in its `/run`, pins in its
    /// `/sys/fs/bpf`.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        Path::new("/proc").join(self.pid().to_string()).join("root").join(relative)
    }

    /// A command that runs on the host, in a process group of its own and with an empty standard
    /// input. It is killed when the thread that starts it ends; [`Self::spawn`] has no such limit.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.namespaces.command(program.as_ref())
    }

    /// Runs a program to its end and returns its standard output; failing, its standard error is
    /// part of the error.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let mut command = self.command(program);
        command.args(args);
        let output =
            command.output().with_context(|| format!("starting {program} on {}", self.name))?;
        if !output.status.success() {
            bail!(
                "{command:?} on {}: {}: {}{}",
                self.name,
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a command made by [`Self::command`]. `name` is for messages.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        let name = format!("{name} on {}", self.name);
        Process::start(name, command, Arc::clone(&self.namespaces))
    }

    /// Runs `work` in a thread within the host's network; sockets it opens stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.namespaces.enter_network()?;
                Ok(work())
            });
            thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        })
    }

    /// Takes the calling thread into the host's network, for good.
    pub fn move_in(&self) -> Result<()> {
        self.namespaces.enter_network()
    }

    /// One end of a link to be, with its addresses; see [`crate::connect`].
    #[must_use]
    pub fn interface<'a>(&'a self, name: &'a str, addresses: &'a [&'a str]) -> Interface<'a> {
        Interface { host: self, name, addresses }
    }

    /// Sends what has no better route through `gateway`, for the family of that address.
    pub fn default_route(&self, gateway: IpAddr) -> Result<()> {
        let family = if gateway.is_ipv4() { "-4" } else { "-6" };
        self.run("ip", [family, "route", "replace", "default", "via", &gateway.to_string()])?;
        Ok(())
    }

    /// Sends what is for `network`, as in "198.51.100.0/24", through `gateway`.
    pub fn route(&self, network: &str, gateway: IpAddr) -> Result<()> {
        self.run("ip", ["route", "replace", network, "via", &gateway.to_string()])?;
        Ok(())
    }
}
