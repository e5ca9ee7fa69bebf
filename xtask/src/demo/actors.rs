//! Phones and TLS peers: sipp and openssl.

use std::{
    process::ChildStdin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use sbc_tests::{Calls, Issued, Process, Scenario, Sipp};

use super::{
    address::{self, socket},
    stage::{CARRIER_NAME, GATEWAY_NAME, Stage, USER},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// What the office's phone does, with this password.
pub(super) fn office(stage: &Stage, scenario: Scenario, password: &str) -> Result<Calls> {
    Sipp::calling(scenario, socket(address::OFFICE)?, socket(address::EDGE_V4)?)
        .credentials(USER, password)
        .to("bob")
        .run(&stage.internet)
}

/// What the carrier does over UDP.
pub(super) fn carrier(stage: &Stage, scenario: Scenario) -> Result<Calls> {
    Sipp::calling(scenario, socket(address::CARRIER)?, socket(address::EDGE_V4)?)
        .from("+12125550123")
        .to("bob")
        .domain(CARRIER_NAME)
        .run(&stage.internet)
}

/// A TLS connection to the gateway, by `openssl s_client`.
pub(super) struct TlsClient {
    process: Process,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    started: Instant,
}

impl TlsClient {
    /// Connects from an address and shows a certificate; the gateway's is verified too.
    pub(super) fn connect(stage: &Stage, from: &str, shown: &Issued) -> Result<Self> {
        let started = Instant::now();
        let mut command = stage.internet.command("openssl");
        command.args(["s_client", "-connect", address::EDGE_TLS, "-bind", from]);
        command.arg("-cert").arg(&shown.chain).arg("-key").arg(&shown.key);
        command.arg("-CAfile").arg(&stage.authority);
        command.args(["-verify_return_error", "-verify_hostname", GATEWAY_NAME]);
        command.stdin(std::process::Stdio::piped());
        let mut process = stage.internet.spawn("openssl s_client", command)?;
        let stdin = process.take_stdin().context("no pipe to openssl")?;
        Ok(Self { process, stdin: Some(stdin), started })
    }

    /// When it began.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Waits until it has verified the gateway's certificate.
    pub(super) fn wait_until_verified(&mut self) -> Result<()> {
        self.process.wait_for_output("Verify return code: 0 (ok)", PATIENCE)
    }

    /// Waits until the gateway ends the connection, and returns what openssl says about it.
    pub(super) fn wait_until_refused(&mut self) -> Result<String> {
        self.process.wait(PATIENCE)?;
        self.process.output()
    }

    /// Ends the connection.
    pub(super) fn disconnect(&mut self) -> Result<()> {
        self.stdin.take();
        self.process.wait(PATIENCE).map(|_| ())
    }
}
