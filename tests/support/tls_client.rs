//! The `openssl s_client` command as a peer over TLS.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{ChildStdin, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{Host, Issued, Process};

const PATIENCE: Duration = Duration::from_secs(10);

/// A TLS connection; it is cut on drop.
#[derive(Debug)]
pub struct TlsClient {
    process: Process,
    stdin: Option<ChildStdin>,
}

impl TlsClient {
    /// Begins to connect from the address `local`, showing `certificate` if the server asks for one,
    /// and believing what `authority`, a file, has signed.
    pub fn connect(
        host: &Host,
        local: IpAddr,
        remote: SocketAddr,
        authority: &Path,
        certificate: Option<&Issued>,
    ) -> Result<Self> {
        Self::connect_with(host, local, remote, authority, certificate, &[])
    }

    /// The same, with further options of the command.
    pub fn connect_with(
        host: &Host,
        local: IpAddr,
        remote: SocketAddr,
        authority: &Path,
        certificate: Option<&Issued>,
        options: &[&str],
    ) -> Result<Self> {
        let mut command = host.command("openssl");
        command.args(["s_client", "-brief", "-nocommands", "-verify_return_error"]);
        command.args(options);
        command.args(["-connect", &remote.to_string()]);
        command.args(["-bind", &SocketAddr::new(local, 0).to_string()]);
        command.arg("-CAfile").arg(authority).stdin(Stdio::piped());
        if let Some(Issued { chain, key }) = certificate {
            command.arg("-cert").arg(chain).arg("-key").arg(key);
        }
        let mut process = host.spawn("openssl s_client", command)?;
        let stdin = process.take_stdin();
        Ok(Self { process, stdin })
    }

    /// Waits until its half of the handshake is done. With TLS 1.3 the server may still refuse the
    /// certificate.
    pub fn wait_until_connected(&mut self) -> Result<()> {
        self.process.wait_for_output("CONNECTION ESTABLISHED", PATIENCE)
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let stdin = self.stdin.as_mut().context("the connection was closed")?;
        stdin.write_all(bytes.as_ref()).and_then(|()| stdin.flush()).context("writing to openssl")
    }

    /// All that the server has sent, and openssl said, so far.
    pub fn output(&self) -> Result<String> {
        self.process.output()
    }

    /// Waits until the server has ended the connection; returns how openssl takes it, and all that
    /// was sent and said.
    pub fn wait_until_closed(&mut self) -> Result<(ExitStatus, String)> {
        let status = self.process.wait(PATIENCE)?;
        Ok((status, self.process.output()?))
    }

    /// Ends the connection in the orderly way.
    pub fn close(mut self) -> Result<()> {
        self.stdin.take();
        self.process.wait(PATIENCE)?;
        Ok(())
    }
}
