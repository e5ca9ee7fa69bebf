//! What the kernel counted.

use std::{fs, ops::Sub};

use anyhow::{Context as _, Result};

use crate::host::Host;

/// UDP datagrams as a host's kernel counted them, since the host was made.
///
/// A datagram that XDP dropped is in none of these. Neither is one that waits in a socket's buffer:
/// the kernel counts it when a program reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpCounters {
    /// Read from a socket, over IPv4.
    pub received_v4: u64,
    /// Arrived at a port that nobody listens on, over IPv4.
    pub no_port_v4: u64,
    /// Read from a socket, over IPv6.
    pub received_v6: u64,
    /// Arrived at a port that nobody listens on, over IPv6.
    pub no_port_v6: u64,
}

/// Reads them.
pub fn udp_counters(host: &Host) -> Result<UdpCounters> {
    let read = |name: &str| {
        let path = format!("/proc/{}/net/{name}", host.pid());
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    };
    let (v4, v6) = (read("snmp")?, read("snmp6")?);
    Ok(UdpCounters {
        received_v4: field(&v4, "Udp: ", "InDatagrams")?,
        no_port_v4: field(&v4, "Udp: ", "NoPorts")?,
        received_v6: field_v6(&v6, "Udp6InDatagrams")?,
        no_port_v6: field_v6(&v6, "Udp6NoPorts")?,
    })
}

/// What was counted between two readings: the later one minus the earlier one.
impl Sub for UdpCounters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            received_v4: self.received_v4.saturating_sub(earlier.received_v4),
            no_port_v4: self.no_port_v4.saturating_sub(earlier.no_port_v4),
            received_v6: self.received_v6.saturating_sub(earlier.received_v6),
            no_port_v6: self.no_port_v6.saturating_sub(earlier.no_port_v6),
        }
    }
}

/// TCP as a host's kernel counted it, of both families, since the host was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Resets that it sent.
    pub resets_sent: u64,
    /// SYN cookies that it sent.
    pub cookies_sent: u64,
    /// SYN cookies that came back and were good.
    pub cookies_received: u64,
}

/// Reads them.
pub fn tcp_counters(host: &Host) -> Result<TcpCounters> {
    let read = |name: &str| {
        let path = format!("/proc/{}/net/{name}", host.pid());
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    };
    let (snmp, netstat) = (read("snmp")?, read("netstat")?);
    Ok(TcpCounters {
        resets_sent: field(&snmp, "Tcp: ", "OutRsts")?,
        cookies_sent: field(&netstat, "TcpExt: ", "SyncookiesSent")?,
        cookies_received: field(&netstat, "TcpExt: ", "SyncookiesRecv")?,
    })
}

/// `/proc/net/snmp` has a line of names and, below it, a line of values.
fn field(text: &str, protocol: &str, name: &str) -> Result<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(protocol));
    let names = lines.next().unwrap_or_default().split(' ');
    let mut values = names.zip(lines.next().unwrap_or_default().split(' '));
    let (_, value) = values.find(|(found, _)| *found == name).with_context(|| missing(name))?;
    value.parse().with_context(|| missing(name))
}

/// `/proc/net/snmp6` has a name and a value on each line.
fn field_v6(snmp6: &str, name: &str) -> Result<u64> {
    let value = snmp6.lines().find_map(|line| {
        let (found, value) = line.split_once(char::is_whitespace)?;
        (found == name).then_some(value.trim())
    });
    value.with_context(|| missing(name))?.parse().with_context(|| missing(name))
}

fn missing(name: &str) -> String {
    format!("the kernel does not tell {name}")
}
