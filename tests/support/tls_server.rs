//! The `openssl s_server` command as a server over TLS.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{ChildStdin, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{
    Host, Issued, Process,
    sockets::{Protocol, wait_for_listener},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A TLS server that serves one connection at a time; it ends on drop.
#[derive(Debug)]
pub struct TlsServer {
    process: Process,
    stdin: ChildStdin,
}

impl TlsServer {
    /// Begins to listen, showing `shown` and asking for a certificate that `authority`, a file, has signed;
    /// it is ready when this returns.
    pub fn start(host: &Host, local: SocketAddr, authority: &Path, shown: &Issued) -> Result<Self> {
        let mut command = host.command("openssl");
        command.args(["s_server", "-brief", "-Verify", "3", "-verify_return_error", "-accept"]);
        command.arg(local.to_string()).arg("-CAfile").arg(authority);
        command.arg("-cert").arg(&shown.chain).arg("-key").arg(&shown.key).stdin(Stdio::piped());
        let mut process = host.spawn("openssl s_server", command)?;
        let stdin = process.take_stdin().context("no pipe to openssl")?;
        wait_for_listener(host, Protocol::Tcp, local.port(), PATIENCE)
            .with_context(|| process.output().unwrap_or_default())?;
        Ok(Self { process, stdin })
    }

    /// Sends bytes to whoever is connected.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let sent = self.stdin.write_all(bytes.as_ref());
        sent.and_then(|()| self.stdin.flush()).context("writing to openssl")
    }

    /// All that was received, and openssl said, so far.
    pub fn output(&self) -> Result<String> {
        self.process.output()
    }
}
