//! Packets that go on and on.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use sbc_tests::Host;

/// Often enough to meet any gap, and no load for the machine.
const PAUSE: Duration = Duration::from_micros(500);

/// None goes on for longer than half a minute.
const MOST: u64 = 60_000;

/// Somebody who sends until told otherwise.
pub(crate) struct Flood {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl Flood {
    /// Sends from `local` to `to` from now on; each datagram begins like a request.
    pub(crate) fn start(host: &Host, local: SocketAddr, to: SocketAddr) -> Result<Self> {
        let socket = host.enter(|| UdpSocket::bind(local))??;
        socket.connect(to)?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut sent = 0;
            while !told.load(Ordering::Relaxed) && sent < MOST {
                match socket.send(b"OPTIONS sip:flood SIP/2.0\r\n") {
                    Ok(_) => sent += 1,
                    // What nobody listened for comes back as an error of the next one.
                    Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {}
                    Err(error) => return Err(error).context(format!("{local} to {to}")),
                }
                thread::sleep(PAUSE);
            }
            Ok(sent)
        });
        Ok(Self { ends, thread })
    }

    /// Ends it, and returns how many were sent.
    pub(crate) fn stop(self) -> Result<u64> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sending thread panicked"))?
    }
}
