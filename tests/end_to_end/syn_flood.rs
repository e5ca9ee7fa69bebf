//! The TLS port under attack.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use sbc_tests::{Family, Forger, Gateway, Host, Segment, TcpCounters, tcp_counters, wait_until};

use crate::{
    carrier::{self, CARRIER},
    expectation::{Expect as _, SOON},
};

const ROUNDS: usize = 10;

/// A flood ends by itself after as many attempts, or as long.
const MOST: u64 = 20_000_000;
const LONGEST: Duration = Duration::from_mins(1);

#[test]
fn a_flood_of_forged_attempts_keeps_no_peer_from_connecting() -> Result<()> {
    // As wide as can be said: all of the flood meets the network stack.
    let limits = "[limits]\ntls-attempts = \"1000000/s\"\n";
    let mut gateway = gateway(limits)?;
    gateway.start()?;
    let flood = Flood::start(&gateway.internet)?;
    wait_until("SYN cookies", SOON, || Ok(counters(&gateway)?.cookies_sent > 0))?;
    for round in 0..ROUNDS {
        for (who, address) in [("unknown", UNKNOWN), ("listed", LISTED)] {
            let before = flood.sent();
            connect(&gateway, address).with_context(|| format!("{who} peer, round {round}"))?;
            ensure!(flood.sent() > before, "the flood ended too early");
        }
    }
    let counted = counters(&gateway)?;
    let (sent, time) = flood.stop()?;
    let status = gateway.status()?;
    println!("{sent} attempts in {time:?}, {counted:?}, {status}");
    assert!(status.verdict("tls-reachable")? > sent / 2, "{status}");
    assert!(counted.cookies_sent > 1000 && counted.cookies_received > 0, "{counted:?}");
    Ok(())
}

#[test]
fn a_flood_beyond_the_limit_does_not_hold_up_who_is_listed() -> Result<()> {
    let limits = "[limits]\ntls-attempts = \"100/s\"\ntls-attempts-per-network = \"100/s\"\n";
    let mut gateway = gateway(limits)?;
    gateway.start()?;
    let flood = Flood::start(&gateway.internet)?;
    gateway.wait_for_status("the limit", |status| Ok(status.verdict("tls-attempts-spent")? > 0))?;
    for round in 0..ROUNDS {
        let before = flood.sent();
        connect(&gateway, LISTED).with_context(|| format!("round {round}"))?;
        ensure!(flood.sent() > before, "the flood ended too early");
    }
    let (sent, time) = flood.stop()?;
    let status = gateway.status()?;
    println!("{sent} attempts in {time:?}, {:?}, {status}", counters(&gateway)?);
    assert!(status.verdict("tls-attempts-spent")? > sent / 2, "{status}");
    Ok(())
}

#[test]
fn a_segment_of_no_connection_is_not_answered_with_a_reset() -> Result<()> {
    let gateway = carrier::setup("").start()?;
    always_with_cookies(&gateway)?;
    let forger = Forger::on(&gateway.internet)?;
    let mut count = 0;
    // Kept: the last segments of a connection that ends may belong to none.
    let mut clients = Vec::new();
    for family in Family::ALL {
        // With a cookie on its way the listener looks for one in every segment.
        let mut client = carrier::connect(&gateway, family)?;
        let before = counters(&gateway)?;
        assert!(before.cookies_received > 0, "{before:?}");
        for flags in UNASKED_FOR {
            forger.send(&unasked_for(family, flags))?;
            count += 1;
        }
        gateway.expect_verdicts(&[("no-connection", count)])?;
        assert_eq!(counters(&gateway)?, before);
        // And who has one is heard.
        let heard = gateway.status()?.received("tls")?;
        client.send("OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n")?;
        wait_until("the message", SOON, || Ok(gateway.status()?.received("tls")? == heard + 1))?;
        clients.push(client);
    }
    Ok(())
}

/// What the test above looks for, where the filter lets it happen.
#[test]
fn under_observe_the_network_stack_answers_a_segment_of_no_connection() -> Result<()> {
    let gateway = carrier::setup("").observing().start()?;
    let forger = Forger::on(&gateway.internet)?;
    forger.send(&unasked_for(Family::V4, Segment::ACK))?;
    gateway.expect_verdicts(&[("no-connection", 1)])?;
    wait_until("a reset", SOON, || Ok(counters(&gateway)?.resets_sent == 1))
}

#[test]
fn a_machine_without_syn_cookies_is_told_so() -> Result<()> {
    let mut gateway = carrier::setup("").build()?;
    for (setting, is_told) in [(0, true), (1, false), (2, false)] {
        set_cookies(&gateway, setting)?;
        gateway.start()?;
        let log = gateway.stop()?;
        assert_eq!(log.contains("sysctl -w net.ipv4.tcp_syncookies=1"), is_told, "{log}");
    }
    Ok(())
}

const UNKNOWN: IpAddr = Family::V4.caller();
const LISTED: IpAddr = Family::V4.elsewhere();

/// A gateway that knows the carrier by its certificate, from anywhere, and has an entry for one of the
/// addresses that it comes from, which opens UDP alone.
fn gateway(limits: &str) -> Result<Gateway> {
    let listed = format!(
        "on-disconnect = \"remove\"\n[[peer]]\nname = \"listed\"\nrequire = [\"static\"]\n\
         sources = [\"{LISTED}\"]\nopens = [\"udp\"]\nmay-assert = []\n{limits}"
    );
    let gateway = carrier::setup(&listed).build()?;
    // The way back to everybody, so that attempts are answered as on the internet.
    gateway.edge.default_route(Family::V4.caller())?;
    Ok(gateway)
}

/// The carrier's whole handshake, both ways, and its end.
fn connect(gateway: &Gateway, from: IpAddr) -> Result<()> {
    let held = || -> Result<bool> {
        let holds = |holder: &str| holder == "peer carrier";
        Ok(gateway.status()?.grants()?.iter().any(|grant| holds(&grant.holder)))
    };
    let certificate = gateway.authority()?.issue(&CARRIER)?;
    let mut client = carrier::show(gateway, Family::V4, from, Some(&certificate))?;
    client.wait_until_connected()?;
    wait_until("the proof", SOON, held)?;
    client.close()?;
    wait_until("the end of the proof", SOON, || Ok(!held()?))
}

fn counters(gateway: &Gateway) -> Result<TcpCounters> {
    tcp_counters(&gateway.edge)
}

fn always_with_cookies(gateway: &Gateway) -> Result<()> {
    set_cookies(gateway, 2)
}

/// When the gateway answers attempts with SYN cookies: never, when it has to, always.
pub(crate) fn set_cookies(gateway: &Gateway, setting: u8) -> Result<()> {
    let write = format!("echo {setting} > /proc/sys/net/ipv4/tcp_syncookies");
    gateway.edge.run("sh", ["-ec", &write])?;
    Ok(())
}

const UNASKED_FOR: [u8; 4] =
    [Segment::ACK, Segment::SYN | Segment::ACK, Segment::FIN | Segment::ACK, Segment::RST];

fn unasked_for(family: Family, flags: u8) -> Segment {
    Segment {
        source: SocketAddr::new(family.neighbour(), 40_000),
        destination: family.sips(),
        flags,
        sequence: 1,
        acknowledges: 1,
    }
}

/// Somebody who asks for TLS connections in the names of others, as fast as one thread can.
struct Flood {
    ends: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<Result<Duration>>,
}

impl Flood {
    fn start(host: &Host) -> Result<Self> {
        let forger = Forger::on(host)?;
        let (ends, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (Arc::clone(&ends), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            let start = Instant::now();
            let mut random = 1_u64;
            while !told.load(Ordering::Relaxed) && start.elapsed() < LONGEST {
                random =
                    random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                forger.send(&attempt(random))?;
                if counted.fetch_add(1, Ordering::Relaxed) >= MOST {
                    break;
                }
            }
            Ok(start.elapsed())
        });
        Ok(Self { ends, sent, thread })
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it, and returns how many were sent in what time.
    fn stop(self) -> Result<(u64, Duration)> {
        self.ends.store(true, Ordering::Relaxed);
        let time = self.thread.join().map_err(|_| anyhow!("the sending thread panicked"))??;
        Ok((self.sent.load(Ordering::Relaxed), time))
    }
}

/// From one of 2^25 addresses of 12.0.0.0/7, which nobody here has.
fn attempt(random: u64) -> Segment {
    // The upper bits: the lower ones of such a generator repeat soon.
    let [one, two, three, four, five, six, ..] = random.to_be_bytes();
    let high = u32::from_be_bytes([one, two, three, four]);
    let source = Ipv4Addr::from_bits(0x0c00_0000 | high & 0x01ff_ffff);
    let port = 1024 | u16::from_be_bytes([five, six]);
    Segment {
        source: SocketAddr::new(source.into(), port),
        destination: Family::V4.sips(),
        flags: Segment::SYN,
        sequence: high,
        acknowledges: 0,
    }
}
