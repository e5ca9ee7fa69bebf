//! A process on a host.

use std::{
    fs::File,
    os::unix::{fs::FileExt as _, process::ExitStatusExt as _},
    process::{Child, ChildStdin, Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    namespaces::Namespaces,
    wait::{wait_for, wait_until},
};

/// How long a process has to end after a polite request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running program, killed on drop together with all that it started. See [`crate::Host::spawn`].
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    /// What it writes, both streams in order. The file has no name, so it cannot be left behind.
    output: File,
    /// A PID namespace ends only after its last process: this keeps the host from going first.
    _namespaces: Arc<Namespaces>,
}

impl Process {
    pub(crate) fn start(
        name: String,
        mut command: Command,
        namespaces: Arc<Namespaces>,
    ) -> Result<Self> {
        let output = tempfile::tempfile().context("creating a temporary file")?;
        command.stdout(output.try_clone()?).stderr(output.try_clone()?);
        let child = namespaces.spawn(command).with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child, status: None, output, _namespaces: namespaces })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe to its standard input, once, when the command asked for one.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.poll()?.is_none())
    }

    /// Everything it has written so far, both streams in the order of writing.
    pub fn output(&self) -> Result<String> {
        let size = self.output.metadata().context("reading what it wrote")?.len();
        let mut bytes = vec![0; usize::try_from(size)?];
        self.output.read_exact_at(&mut bytes, 0).context("reading what it wrote")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until it has written `text`; fails at once when it ends without.
    pub fn wait_for_output(&mut self, text: &str, deadline: Duration) -> Result<()> {
        let what = format!("{text:?} from {}", self.name);
        let mut ended = false;
        wait_until(&what, deadline, || {
            // Looked at before the output: what it wrote last must still be seen.
            ended = self.poll()?.is_some();
            Ok(ended || self.output()?.contains(text))
        })
        .with_context(|| self.said())?;
        if ended && !self.output()?.contains(text) {
            bail!("{} ended without {text:?}; {}", self.name, self.said());
        }
        Ok(())
    }

    /// Waits until it has ended.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait_for(&what, deadline, || self.poll()).with_context(|| self.said())
    }

    /// Waits until it has ended, and fails unless it reports success.
    pub fn expect_success(&mut self, deadline: Duration) -> Result<()> {
        let status = self.wait(deadline)?;
        if !status.success() {
            bail!("{} failed: {status}; {}", self.name, self.said());
        }
        Ok(())
    }

    /// Asks it to end with SIGTERM, and returns how it did. One that does not within ten seconds is
    /// killed, and that is an error.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(libc::SIGTERM)?;
        let ended = self.wait(PATIENCE);
        if ended.is_err() {
            self.kill();
        }
        ended
    }

    /// Sends it a signal, not to what it started; fails when it has ended.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        if let Some(status) = self.poll()? {
            bail!("{} has ended before: {status}; {}", self.name, self.said());
        }
        // SAFETY: a plain system call; the process is our child and not waited for, so that the id
        // is still its own.
        if unsafe { libc::kill(self.child.id().cast_signed(), signal) } != 0 {
            let error = std::io::Error::last_os_error();
            return Err(error).with_context(|| format!("sending {signal} to {}", self.name));
        }
        Ok(())
    }

    /// Kills it and all that it started, and waits for it to be gone; nothing when it has ended.
    pub fn kill(&mut self) {
        if self.status.is_some() {
            // Its id may be another's by now; what it left running ends with the host.
            return;
        }
        // SAFETY: a plain system call; the group was made for this process, which is our child and
        // not waited for, so that the id is still its own.
        unsafe { libc::kill(-self.child.id().cast_signed(), libc::SIGKILL) };
        self.status = self.child.wait().ok();
    }

    fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait().with_context(|| self.name.clone())?;
        }
        Ok(self.status)
    }

    fn said(&self) -> String {
        let output = self.output().unwrap_or_default();
        let signal = self.status.and_then(|status| status.signal());
        let killed = signal.map_or_else(String::new, |signal| format!("killed by {signal}, "));
        if output.is_empty() {
            format!("{killed}it said nothing")
        } else {
            format!("{killed}it said:\n{output}")
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
