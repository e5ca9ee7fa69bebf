//! Which ports of a host are listened on.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

use crate::{host::Host, wait::wait_until};

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Bound counts as listening.
    Udp,
    /// Also what listens with TLS.
    Tcp,
}

/// Waits until some process on the host listens on the port, at any address of either family.
pub fn wait_for_listener(
    host: &Host,
    protocol: Protocol,
    port: u16,
    deadline: Duration,
) -> Result<()> {
    let what = format!("a listener on {protocol:?} port {port} of {}", host.name());
    wait_until(&what, deadline, || has_listener(host, protocol, port))
}

fn has_listener(host: &Host, protocol: Protocol, port: u16) -> Result<bool> {
    // The state of an unconnected UDP socket is that of a closed TCP one.
    let (files, state) = match protocol {
        Protocol::Udp => (["udp", "udp6"], "07"),
        Protocol::Tcp => (["tcp", "tcp6"], "0A"),
    };
    let port = format!(":{port:04X}");
    for file in files {
        let path = format!("/proc/{}/net/{file}", host.pid());
        let table = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        // "sl: local_address remote_address st …", addresses and ports in hexadecimal.
        let found = table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&port))
                && fields.nth(1) == Some(state)
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
