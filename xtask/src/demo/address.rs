//! Who is where: what the picture shows, with ports.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};

pub(super) const SCANNER_V4: &str = "198.51.100.66:5060";
pub(super) const SCANNER_V6: &str = "[2001:db8:66::66]:5060";
pub(super) const OFFICE: &str = "198.51.100.20:5062";
/// For TLS, from any port.
pub(super) const IMPOSTOR: &str = "198.51.100.77:0";
pub(super) const CARRIER: &str = "192.0.2.10:5060";
/// For TLS, from any port.
pub(super) const CARRIER_TLS: &str = "192.0.2.10:0";

pub(super) const EDGE_V4: &str = "203.0.113.10:5060";
pub(super) const EDGE_V6: &str = "[2001:db8:1::10]:5060";
pub(super) const EDGE_TLS: &str = "203.0.113.10:5061";

pub(super) const TELEPHONE_SYSTEM: &str = "10.0.0.5:5060";

/// One of these for a socket.
pub(super) fn socket(address: &str) -> Result<SocketAddr> {
    address.parse().with_context(|| format!("{address:?} is no address with a port"))
}
