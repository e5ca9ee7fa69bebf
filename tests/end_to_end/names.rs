//! An upstream, and a peer, that are known by name.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use sbc_tests::{Family, Host, Setup};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    listed_peer::{of_the_peer, trusting_to_be},
};

/// A DNS server that knows one service and one host, and where they are.
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

/// RFC 1035 §4: the answer to a query for `_sip._udp.pbx.example`, for `a.pbx.example` or for
/// `sip.carrier.example`.
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
        ("a.pbx.example." | "sip.carrier.example.", A) => at.octets().to_vec(),
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

#[test]
fn a_carrier_moves_with_its_name_and_is_where_it_was_for_the_grace_and_after_a_restart()
-> Result<()> {
    let [old, new] = [Family::V4.caller(), Family::V4.elsewhere()];
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let server = SocketAddr::new(Family::V4.intruder(), 53);
    let setup = Setup::new().kept_on_shutdown().table(&format!(
        "[[peer]]\nname = \"carrier\"\nrequire = [\"dns\"]\nnames = [\"sip.carrier.example\"]\n\
         opens = [\"udp\"]\nmay-assert = [\"*@carrier.example\"]\n\
         [dns]\nservers = [\"{server}\"]\ngrace = \"20s\"\nconfirm = \"1s\""
    ));
    let mut gateway = setup.build()?;
    let dns = Dns::start(&gateway.inside, server, v4(old).context("no IPv4")?)?;
    gateway.start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let phone = |address| Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070));
    let (there, elsewhere) = (phone(old)?, phone(new)?);
    let calls = |phone: &Endpoint| -> Result<()> {
        phone.send(Family::V4.sip(), &of_the_peer(phone, "INVITE"))?;
        assert!(upstream.hear()?.start_line().starts_with("INVITE "));
        Ok(())
    };
    let is_dropped = |phone: &Endpoint, drops: u64| -> Result<()> {
        phone.send(Family::V4.sip(), &of_the_peer(phone, "INVITE"))?;
        gateway.wait_for_status("a drop", |it| Ok(it.verdict("unknown-source")? == drops))?;
        Ok(())
    };
    let at = |address: &str| [address.to_owned(), "dns".to_owned(), "peer carrier".to_owned()];
    let [old, new] = [at("198.51.100.7/32"), at("198.51.100.66/32")];
    let [old, new] = [&old, &new].map(|grant| grant.each_ref().map(String::as_str));

    gateway.expect_networks(&[old])?;
    calls(&there)?;
    is_dropped(&elsewhere, 1)?;

    dns.say(v4(Family::V4.elsewhere()));
    gateway.expect_networks(&[new, old])?;
    calls(&elsewhere)?;
    calls(&there)?;
    let (_, told) = gateway.sbc(&["status"])?;
    assert!(told.contains("not given any more"), "{told}");

    gateway.expect_networks(&[new])?;
    let drops = gateway.status()?.verdict("expired-source")?;
    calls(&elsewhere)?;
    is_dropped(&there, 2)?;
    assert_eq!(gateway.status()?.verdict("expired-source")?, drops);

    dns.say(None);
    gateway.stop()?;
    gateway.start()?;
    gateway.expect_networks(&[new])?;
    calls(&elsewhere)?;
    gateway.expect_outcomes(&[("request-relayed-inwards", 1)])?;
    Ok(())
}
