use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use crate::config::Config;
use crate::doctor::{PortFact, PortHolder};
use crate::transport::Transport;

/// `TCP_LISTEN` (`net/tcp_states.h`).
const LISTENING: &str = "0A";

/// A socket that is bound.
#[derive(Debug, PartialEq, Eq)]
struct Bound {
    address: SocketAddr,
    inode: u64,
    user: u32,
}

/// Who is at the places of all listeners, and at our own towards the upstream.
pub(super) fn ports(config: &Config, daemon: Option<i32>) -> Vec<PortFact> {
    let datagrams = bound("udp", None);
    let streams = bound("tcp", Some(LISTENING));
    let owners = owners();
    let outside = config.listen.iter().map(|listen| (listen.transport, listen.address));
    let places = outside.chain(config.upstream.listeners());
    places
        .map(|(transport, address)| {
            let sockets = if transport == Transport::Udp { &datagrams } else { &streams };
            let found: Vec<_> =
                sockets.iter().filter(|it| is_in_the_way(it.address, address)).collect();
            PortFact { transport, address, holder: holder(&found, &owners, daemon) }
        })
        .collect()
}

/// The process that answers at a control socket, or had it made.
pub(super) fn process_behind(socket: &Path) -> Option<i32> {
    let stream = UnixStream::connect(socket).ok()?;
    let process = getsockopt(&stream, PeerCredentials).ok()?.pid();
    // Zero is one of another namespace.
    (process > 0).then_some(process).and_then(as_shown)
}

/// The number by which `/proc` shows a process of our namespace: it may be that of another one, above ours.
fn as_shown(process: i32) -> Option<i32> {
    let own = i32::try_from(std::process::id()).ok()?;
    let shown = fs::read_link("/proc/self").ok()?;
    if shown.to_str()?.parse() == Ok(own) {
        return Some(process);
    }
    let ours = fs::read_link("/proc/self/ns/pid").ok()?;
    processes().find(|shown| {
        let is_ours = fs::read_link(format!("/proc/{shown}/ns/pid")).is_ok_and(|its| its == ours);
        is_ours && innermost(*shown) == Some(process)
    })
}

fn innermost(shown: i32) -> Option<i32> {
    let numbers = status_line(shown, "NSpid:")?;
    numbers.split_whitespace().next_back()?.parse().ok()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn status_line(process: i32, key: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned)
}

fn is_in_the_way(there: SocketAddr, wanted: SocketAddr) -> bool {
    let is_same_family = there.is_ipv4() == wanted.is_ipv4();
    let all = there.ip().is_unspecified() && (is_same_family || there.is_ipv6());
    there.port() == wanted.port() && (there.ip() == wanted.ip() || all)
}

fn holder(found: &[&Bound], owners: &BTreeMap<u64, i32>, daemon: Option<i32>) -> PortHolder {
    let mut holder = PortHolder::Nobody;
    for bound in found {
        match (owners.get(&bound.inode), daemon) {
            (Some(process), Some(daemon)) if *process == daemon => holder = PortHolder::Daemon,
            (Some(process), _) => {
                let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
                return PortHolder::Other(process.unsigned_abs(), name.trim().to_owned());
            }
            // The daemon's own user may look at its sockets no more than others: he is believed.
            (None, Some(daemon)) if user_of(daemon) == Some(bound.user) => {
                holder = PortHolder::Daemon;
            }
            (None, _) => return PortHolder::Somebody,
        }
    }
    holder
}

fn user_of(process: i32) -> Option<u32> {
    status_line(process, "Uid:")?.split_whitespace().nth(1)?.parse().ok()
}

/// The sockets of a protocol, in either family and in a state.
fn bound(protocol: &str, state: Option<&str>) -> Vec<Bound> {
    let tables = ["", "6"].map(|family| format!("/proc/self/net/{protocol}{family}"));
    let tables = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    tables.flat_map(|table| read_table(&table, state)).collect()
}

fn read_table(table: &str, state: Option<&str>) -> Vec<Bound> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let told = fields.get(3)?;
        if state.is_some_and(|state| state != *told) {
            return None;
        }
        let (address, port) = fields.get(1)?.split_once(':')?;
        let address = SocketAddr::new(read_address(address)?, u16::from_str_radix(port, 16).ok()?);
        let (user, inode) = (fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?);
        Some(Bound { address, inode, user })
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// The kernel prints the words of an address as numbers of the machine's own byte order.
fn read_address(text: &str) -> Option<IpAddr> {
    let words = (0..text.len() / 8).map(|word| {
        u32::from_str_radix(text.get(word * 8..word * 8 + 8)?, 16).ok().map(u32::to_ne_bytes)
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// The process of each socket, as far as it may be seen.
fn owners() -> BTreeMap<u64, i32> {
    let mut owners = BTreeMap::new();
    for process in processes() {
        let descriptors =
            fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        for descriptor in descriptors {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let inode = target.to_str().and_then(|target| {
                target.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
            });
            if let Some(inode) = inode {
                owners.insert(inode, process);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        1: 0A7100CB:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000   996        0 4711 1 0 100 0 0 10 0\n\
        2: 00000000:13C5 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n\
        3: 0000000000000000FFFF00000100007F:13C4 0:0 0A 0:0 0:0 0 1 0 4713 1\n\
        4: nonsense\n";

    #[test]
    fn bound_sockets_are_read_with_their_owners() {
        let all = read_table(TABLE, None);
        assert_eq!(all.len(), 3);
        let listening = read_table(TABLE, Some(LISTENING));
        assert_eq!(
            listening[0],
            Bound { address: "203.0.113.10:5060".parse().unwrap(), inode: 4711, user: 996 }
        );
        assert_eq!(listening[1].address.ip(), "::ffff:127.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn who_holds_a_port_is_the_daemon_or_another_or_not_to_be_seen() {
        let wanted: SocketAddr = "203.0.113.10:5060".parse().unwrap();
        for (there, is_in) in [
            ("203.0.113.10:5060", true),
            ("0.0.0.0:5060", true),
            ("[::]:5060", true),
            ("0.0.0.0:5061", false),
            ("203.0.113.11:5060", false),
        ] {
            assert_eq!(is_in_the_way(there.parse().unwrap(), wanted), is_in, "{there}");
        }
        let bound = Bound { address: wanted, inode: 4711, user: u32::MAX };
        let us = i32::try_from(std::process::id()).unwrap();
        let owners = BTreeMap::from([(4711, us)]);
        let nobody = BTreeMap::new();
        assert_eq!(holder(&[], &owners, Some(us)), PortHolder::Nobody);
        assert_eq!(holder(&[&bound], &owners, Some(us)), PortHolder::Daemon);
        assert!(
            matches!(holder(&[&bound], &owners, None), PortHolder::Other(process, _) if process == us.unsigned_abs())
        );
        assert_eq!(holder(&[&bound], &nobody, Some(us)), PortHolder::Somebody);
        let user = user_of(us).unwrap();
        let ours = Bound { user, ..bound };
        assert_eq!(holder(&[&ours], &nobody, Some(us)), PortHolder::Daemon);
        assert_eq!(holder(&[&ours], &nobody, None), PortHolder::Somebody);
    }
}
