//! A terminal on the edge, as somebody sees it who sits in front of it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, bail};
use sbc_tests::{Gateway, Host, Process, wait_for};

const PATIENCE: Duration = Duration::from_secs(30);

/// A shell in a window of tmux.
pub(crate) struct Terminal<'g> {
    host: &'g Host,
    socket: PathBuf,
    _server: Process,
}

impl<'g> Terminal<'g> {
    pub(crate) fn open(gateway: &'g Gateway, [columns, rows]: [u16; 2]) -> Result<Self> {
        let host = &gateway.edge;
        let socket = gateway.scratch().path().join("tmux.sock");
        let mut command = host.command("tmux");
        command.arg("-S").arg(&socket).args(["-f", "/dev/null", "-u", "-D"]);
        let server = host.spawn("tmux", command)?;
        let terminal = Self { host, socket, _server: server };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let begin = ["new-session", "-d", "-x", &columns, "-y", &rows, "PS1='ready> ' exec sh"];
        wait_for("tmux to begin a session", PATIENCE, || match terminal.tmux(&begin) {
            Ok(_) => Ok(Some(())),
            Err(error) => Err(error),
        })?;
        terminal.wait_to_show(&["ready>"])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let socket = self.socket.to_string_lossy();
        // A server that a client begins would not end with the host.
        let before = ["-N", "-S", &*socket, "-u"];
        let arguments = before.into_iter().chain(arguments.iter().copied());
        self.host.run("tmux", arguments)
    }

    /// Types text as it is.
    pub(crate) fn types(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", text]).map(drop)
    }

    /// Presses keys by tmux's names for them.
    pub(crate) fn presses(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys"][..], keys].concat()).map(drop)
    }

    /// What is to be seen now.
    pub(crate) fn shows(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Whether a program has put a screen of its own over the shell's.
    pub(crate) fn is_covered(&self) -> Result<bool> {
        Ok(self.tmux(&["display-message", "-p", "#{alternate_on}"])?.trim() == "1")
    }

    /// Waits until all of these are to be seen, and returns everything that is.
    pub(crate) fn wait_to_show(&self, texts: &[&str]) -> Result<String> {
        self.wait_until(&format!("{texts:?} on the terminal"), |screen| {
            texts.iter().all(|text| screen.contains(text))
        })
    }

    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Result<String> {
        wait_for(what, PATIENCE, || {
            let screen = self.shows()?;
            if is_so(&screen) {
                return Ok(Some(screen));
            }
            bail!("{screen}")
        })
    }
}
