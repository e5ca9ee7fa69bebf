//! An upstream that is known by name.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use sbc_tests::{Family, Host};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    listed_peer::trusting_to_be,
};

/// A DNS server that knows one service, and where it is.
struct Dns {
    address: Arc<Mutex<Option<Ipv4Addr>>>,
}

const A: u16 = 1;
const SRV: u16 = 33;
const PORT: u16 = 5070;

impl Dns {
    fn start(host: &Host, local: SocketAddr, at: Ipv4Addr) -> Result<Self> {
        let socket = host.enter(|| UdpSocket::bind(local))??;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let address = Arc::new(Mutex::new(Some(at)));
        let serving = Arc::downgrade(&address);
        thread::spawn(move || {
            let mut query = [0; 1500];
            // Until the other end is dropped.
            while let Some(address) = serving.upgrade() {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                let address = *address.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(answer) = address.and_then(|at| answer(query.get(..length)?, at)) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { address })
    }

    /// Says another address from now on, or nothing at all.
    fn say(&self, address: Option<Ipv4Addr>) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// RFC 1035 §4: the answer to a query for `_sip._udp.pbx.example` or for `a.pbx.example`.
fn answer(query: &[u8], at: Ipv4Addr) -> Option<Vec<u8>> {
    let mut rest = query.get(12..)?;
    let mut name = String::new();
    while let [length, after @ ..] = rest
        && *length > 0
    {
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        name += &String::from_utf8_lossy(label).to_lowercase();
        name.push('.');
        rest = after;
    }
    let kind = u16::from_be_bytes(*rest.get(1..)?.first_chunk()?);
    let question = query.get(12..query.len() - rest.len() + 5)?;
    let data = match (name.as_str(), kind) {
        ("_sip._udp.pbx.example.", SRV) => {
            let numbers = [1, 1, PORT].map(u16::to_be_bytes).concat();
            [&numbers, &b"\x01a\x03pbx\x07example\x00"[..]].concat()
        }
        ("a.pbx.example.", A) => at.octets().to_vec(),
        _ => Vec::new(),
    };
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x85, 0x80, 0, 1, 0, u8::from(!data.is_empty()), 0, 0, 0, 0]);
    answer.extend(question);
    if !data.is_empty() {
        let length = u16::try_from(data.len()).ok()?.to_be_bytes();
        let [high, low] = kind.to_be_bytes();
        answer.extend([0xc0, 12, high, low, 0, 1, 0, 0, 0, 1]);
        answer.extend(length);
        answer.extend(data);
    }
    Some(answer)
}

#[test]
fn it_is_found_where_the_dns_says_and_stays_there_when_the_dns_falls_silent() -> Result<()> {
    let [old, new] = [Family::V4.upstream().ip(), Family::V4.intruder()];
    let [old, new] = [old, new].map(|address| SocketAddr::new(address, PORT));
    let v4 = |address: SocketAddr| match address {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    };
    let server = SocketAddr::new(new.ip(), 53);
    let lines = "targets = [\"sip:pbx.example;transport=udp\"]\nprobe = { enabled = false }";
    let setup = trusting_to_be(r#"["*@example.com"]"#).targets(lines);
    let mut gateway = setup.table(&format!("[dns]\nservers = [\"{server}\"]")).build()?;
    let dns = Dns::start(&gateway.inside, server, v4(old).context("no IPv4")?)?;
    gateway.start()?;
    gateway.wait_for_target(&old, "alive")?;
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.caller(), 5070))?;
    let [first, second] = [old, new].map(|local| Endpoint::bind(&gateway.inside, local));
    let [first, second] = [first?, second?];
    phone.send(Family::V4.sip(), &phone.request("INVITE"))?;
    assert!(first.hear()?.start_line().starts_with("INVITE "));

    dns.say(v4(new));
    gateway.wait_for_target(&new, "alive")?;
    phone.send(Family::V4.sip(), &phone.request("INVITE"))?;
    assert!(second.hear()?.start_line().starts_with("INVITE "));
    // Who is no target any more may not speak.
    first.send(Family::V4.sip_inside(), &first.request("OPTIONS"))?;
    gateway.expect_outcomes(&[("request-relayed-inwards", 2), ("not-from-upstream", 1)])?;

    dns.say(None);
    let log = gateway.daemon()?;
    log.wait_for_output("what it said before holds", SOON * 3)?;
    phone.send(Family::V4.sip(), &phone.request("INVITE"))?;
    assert!(second.hear()?.start_line().starts_with("INVITE "));
    Ok(())
}
