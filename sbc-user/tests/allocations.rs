//! A stranger's request costs no memory: from the datagram that arrives to the one that is sent.

#![cfg(test)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sbc_common::{Prefix, SourceKey, TrustEntry};
use sbc_user::border::{Border, BorderParts, Clock};
use sbc_user::config::Config;
use sbc_user::kernel::KernelError;
use sbc_user::proof::digest::{DigestCheck, DigestSettings, Failures, Incarnation, NonceKey};
use sbc_user::proof::users::Users;
use sbc_user::session::{Forwarder, RoutingKey, TokenSeal};
use sbc_user::transport::{Flow, Limits, ListenSpec, Listeners, Transport};
use sbc_user::trust::{Ledger, TrustTable};
use sbc_user::upstream::Pool;

/// Counts what is allocated in this process.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as our caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Nobody is trusted.
struct NoTable;

impl TrustTable for NoTable {
    fn trust_source(&mut self, _: &SourceKey, _: &TrustEntry) -> Result<(), KernelError> {
        Ok(())
    }

    fn distrust_source(&mut self, _: &SourceKey) -> Result<(), KernelError> {
        Ok(())
    }

    fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        Vec::new()
    }

    fn trust_prefix(&mut self, _: Prefix, _: &TrustEntry) -> Result<(), KernelError> {
        Ok(())
    }

    fn distrust_prefix(&mut self, _: Prefix) -> Result<(), KernelError> {
        Ok(())
    }

    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        Vec::new()
    }
}

const CONFIG: &str = r#"
version = 1
mode = "enforce"
[interface.outside]
name = "eth0"
[[listen]]
transport = "udp"
address = "203.0.113.1:5060"
[upstream]
targets = ["sip:10.0.0.5:5060"]
address = "10.0.0.1:5060"
[unknown]
action = "challenge"
[users]
store = "file:users.toml"
algorithms = ["SHA-256", "MD5"]
[[peer]]
name = "trunk"
require = ["static"]
sources = ["192.0.2.0/28"]
opens = ["udp"]
"#;

const USERS: &str = "realm = \"example.com\"\n[[user]]\nname = \"alice\"\n\
    md5 = \"83982ac4ed2b3d4ad487cdcf1179c7c0\"\n";

/// The border as the daemon makes it, listening on the loopback interface.
fn listeners_and_border() -> (Listeners, Arc<Border<NoTable>>) {
    let listen = |feeds_connections| ListenSpec {
        transport: Transport::Udp,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        interface: None,
        feeds_connections,
        tls: None,
    };
    let listeners = Listeners::bind(&[listen(false), listen(true)], Limits::default()).unwrap();
    let config = Arc::new(Config::parse(CONFIG, Path::new("/etc/sbc/sbc.toml")).unwrap());
    let users = config.users.as_ref().unwrap();
    let clock = Clock::start();
    let settings = DigestSettings {
        offered: users.algorithms.clone(),
        qops: config.digest.qop,
        offers_userhash: config.digest.userhash,
        nonce_keys: NonceKey::new(0, [7; 32]).into(),
        incarnation: Incarnation::new(1),
        nonce_binding: config.digest.bind_nonce,
        nonce_lifetime: users.nonce_lifetime(),
        replay_capacity: users.remembered_nonces,
        failures: Failures::new(
            config.digest.failures_per_source(),
            config.digest.failures_per_user(),
            users.longest_grant(),
            clock.wall(),
        ),
    };
    let digest = DigestCheck::new(settings, Arc::new(Users::parse(USERS).unwrap()), clock.wall());
    let forwarder = Forwarder::new(
        TokenSeal::new(RoutingKey::new([7; 32])),
        listeners.addresses().iter().map(|address| (Transport::Udp, *address)).collect(),
        1,
        Arc::new(Pool::of(Flow::udp(1, "10.0.0.5:5060".parse().unwrap()))),
    );
    let border = Border::new(BorderParts {
        ledger: Ledger::begin(NoTable, &config, clock.monotonic()).unwrap(),
        config,
        forwarder,
        digest: Some(digest),
        outbox: listeners.outbox(),
        clock,
    });
    (listeners, Arc::new(border))
}

/// Writes a request as long as those of phones; returns its length.
fn write_request(buffer: &mut [u8], method: &str, number: usize, from: SocketAddr) -> usize {
    let room = buffer.len();
    let mut rest = buffer;
    write!(
        rest,
        "{method} sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number:08};rport\r\n\
         From: <sip:alice@example.com>;tag={number:08}\r\nTo: <sip:alice@example.com>\r\n\
         Call-ID: {number:016}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
         Contact: <sip:alice@{from}>\r\nUser-Agent: telephone/1.0 with a long name\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, REFER, NOTIFY, MESSAGE\r\n\
         Supported: path, outbound, replaces, timer, 100rel, gruu\r\n\
         Subject: so that two challenges together with all that is copied are not more than what was \
         sent, which nobody gets who has proved nothing\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .unwrap();
    room - rest.len()
}

/// Sends some requests from each socket at once, and reads the challenges.
fn be_challenged(phones: &[UdpSocket], rounds: usize) {
    const AT_ONCE: usize = 8;
    let mut buffer = [0; 2048];
    for round in 0..rounds {
        let (method, status) = if round % 2 == 0 { ("REGISTER", "401") } else { ("INVITE", "407") };
        for phone in phones {
            let from = phone.local_addr().unwrap();
            for number in 0..AT_ONCE {
                let length = write_request(&mut buffer, method, round * AT_ONCE + number, from);
                phone.send(&buffer[..length]).unwrap();
            }
        }
        for phone in phones {
            for _ in 0..AT_ONCE {
                let length = phone.recv(&mut buffer).expect("no challenge came");
                let reply = std::str::from_utf8(&buffer[..length]).unwrap();
                assert_eq!(reply.split(' ').nth(1), Some(status), "{reply}");
                assert_eq!(reply.matches("nonce=").count(), 2, "{reply}");
            }
        }
    }
}

#[test]
fn a_strangers_request_is_challenged_without_an_allocation() {
    let (listeners, border) = listeners_and_border();
    let address = listeners.addresses()[0];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guard = runtime.enter();
    let running = listeners.start(border).unwrap();
    drop(guard);
    // Enough that each worker has some.
    let phones: Vec<_> = (0..16)
        .map(|_| {
            let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
            phone.connect(address).unwrap();
            phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            phone
        })
        .collect();
    be_challenged(&phones, 4);

    let before = ALLOCATIONS.load(Ordering::SeqCst);
    be_challenged(&phones, 20);
    let allocated = ALLOCATIONS.load(Ordering::SeqCst) - before;

    assert_eq!(allocated, 0, "for {} requests", 16 * 8 * 20);
    drop(vec![0_u8; 1]);
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > before, "allocations are not counted");
    runtime.block_on(running.shutdown(Duration::from_secs(10))).unwrap();
}
