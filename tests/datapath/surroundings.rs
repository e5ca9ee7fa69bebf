use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Host, wait_until};

use crate::ends::{Ends, FAMILIES};
use crate::host_tables::RETURNING;

const SOON: Duration = Duration::from_secs(10);

/// A network in which the kernel answers the program's questions: forwarding is on; the loopback
/// interface, which is what frames of a test arrive on, leads back to some sources and to no others; and
/// there is a TLS listener, as far as TCP goes, with one connection.
pub(crate) struct Surroundings {
    _host: Host,
    _connections: Vec<(TcpListener, TcpStream)>,
}

impl Surroundings {
    /// Makes it, and takes the calling thread into it.
    pub(crate) fn make() -> Result<Self> {
        let host = Host::new("datapath")?;
        // One port to connect from, so that the frames of a connection are known beforehand.
        let settings = "echo 1 > /proc/sys/net/ipv4/ip_forward
             echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
             echo 5060 5060 > /proc/sys/net/ipv4/ip_local_port_range";
        host.run("sh", ["-ec", settings])?;
        for network in RETURNING {
            host.run("ip", ["route", "add", network, "dev", "lo"])?;
        }
        host.move_in()?;
        let connections = FAMILIES.iter().map(|ends| connect(&host, ends));
        let connections = connections.collect::<Result<_>>()?;
        Ok(Self { _host: host, _connections: connections })
    }
}

fn connect(host: &Host, ends: &Ends) -> Result<(TcpListener, TcpStream)> {
    for address in [ends.edge, ends.connected] {
        let add = ["address", "add", address, "dev", "lo"];
        let at_once = address.contains(':').then_some("nodad");
        host.run("ip", add.into_iter().chain(at_once))?;
    }
    // The route says which address to connect from.
    let route = ["local", ends.edge, "dev", "lo", "table", "local"];
    // IPv6 makes it a moment after the address.
    wait_until("the route to the listener", SOON, || {
        host.run("ip", ["route", "del"].into_iter().chain(route)).map(|_| true)
    })?;
    let source = ["src", ends.connected];
    host.run("ip", ["route", "add"].into_iter().chain(route).chain(source))?;
    let [source, destination] = ends.connection();
    let listener = TcpListener::bind(destination).context("listening")?;
    let stream = TcpStream::connect(destination).context("connecting")?;
    let local = stream.local_addr()?;
    ensure!(local == source, "connected from {local}, not from {source}");
    Ok((listener, stream))
}
