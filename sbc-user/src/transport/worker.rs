//! The threads that serve datagrams from outside, one for each core.

use std::io;
use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc;
use tracing::{debug, error};

use super::batch::{BATCH, Desk, Incoming};
use super::datagram::is_keepalive;
use super::load::Gauge;
use super::post::send_together;
use super::pulse::Beat;
use super::running::Stop;
use super::{Flow, Load, Receiver};

/// How long a worker waits for a datagram before it shows that it lives.
const LOOK: u16 = 100;
/// Batches of a socket that are served before others are looked at.
const TURNS: usize = 4;
/// Time to wait after a socket failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A worker to be: one socket of every listener.
pub(super) struct Worker {
    posts: Vec<Post>,
    gauges: Vec<Gauge>,
    beat: Beat,
}

/// One socket.
struct Post {
    listener: u8,
    socket: Arc<UdpSocket>,
}

/// What is known of its queue.
struct Queue {
    incoming: Incoming,
    gauge: Gauge,
}

/// Workers that run until it is dropped.
pub(super) struct Workers {
    /// They notice that the other end is gone.
    _wake: OwnedFd,
    ended: mpsc::Receiver<()>,
}

impl Worker {
    pub(super) fn new(beat: Beat) -> Self {
        Self { posts: Vec::new(), gauges: Vec::new(), beat }
    }

    pub(super) fn serves(&mut self, listener: u8, socket: Arc<UdpSocket>, gauge: Gauge) {
        self.posts.push(Post { listener, socket });
        self.gauges.push(gauge);
    }

    /// Serves until the other end of `wake` is closed.
    fn run(self, wake: &OwnedFd, receiver: &dyn Receiver) {
        let mut desk = Desk::new();
        let queue = |gauge| Queue { incoming: Incoming::new(), gauge };
        let mut queues: Vec<_> = self.gauges.into_iter().map(queue).collect();
        let sockets = self.posts.iter().map(|post| post.socket.as_fd());
        let mut polled: Vec<_> = std::iter::once(wake.as_fd())
            .chain(sockets)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        loop {
            match poll(&mut polled, PollTimeout::from(LOOK)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => {
                    error!(%error, "cannot wait for datagrams");
                    thread::sleep(PAUSE);
                }
            }
            self.beat.tell();
            let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(false);
            let Some((wake, sockets)) = polled.split_first() else { return };
            if is_ready(wake) {
                return;
            }
            for ((post, queue), polled) in self.posts.iter().zip(&mut queues).zip(sockets) {
                // After a whole batch there is likely to be more, which need not be asked for.
                if is_ready(polled) {
                    let _ = (0..TURNS).try_for_each(|_| post.serve(&mut desk, queue, receiver));
                }
            }
        }
    }
}

impl Post {
    /// Breaks off where less than a batch waited.
    fn serve(
        &self,
        desk: &mut Desk,
        queue: &mut Queue,
        receiver: &dyn Receiver,
    ) -> ControlFlow<()> {
        let (listener, Queue { incoming, gauge }) = (self.listener, queue);
        match serve_batch(desk, &self.socket, incoming, gauge, listener, receiver) {
            Ok(BATCH) => return ControlFlow::Continue(()),
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => {
                debug!(listener, %error, "cannot receive");
                thread::sleep(PAUSE);
            }
        }
        ControlFlow::Break(())
    }
}

impl Workers {
    /// Starts a thread for each.
    pub(super) fn start(workers: Vec<Worker>, receiver: &Arc<dyn Receiver>) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let (end, ended) = mpsc::channel(1);
        for (number, worker) in workers.into_iter().enumerate() {
            let (woken, receiver) = (OwnedFd::from(woken.try_clone()?), Arc::clone(receiver));
            let end = end.clone();
            thread::Builder::new().name(format!("sbc-udp-{number}")).spawn(move || {
                worker.run(&woken, &*receiver);
                drop(receiver);
                drop(end);
            })?;
        }
        Ok(Self { _wake: wake.into(), ended })
    }

    /// Lets them serve until told to stop; returns when they have ended.
    pub(super) async fn serve(self, mut stop: Stop) {
        stop.requested().await;
        let Self { _wake: wake, mut ended } = self;
        drop(wake);
        // Nobody sends: it ends when the last worker has.
        let _ = ended.recv().await;
    }
}

/// Takes what waits at a socket, at most a batch, hands it on, and sends what comes of that. Yields how
/// many there were, and leaves in `gauge` how many wait.
pub(super) fn serve_batch(
    desk: &mut Desk,
    socket: &UdpSocket,
    incoming: &mut Incoming,
    gauge: &mut Gauge,
    listener: u8,
    receiver: &dyn Receiver,
) -> Result<usize, Errno> {
    let load = gauge.load();
    let serve = || {
        desk.serve(socket, incoming, |datagram, remote, answer| {
            receive_one(datagram, &Flow::udp(listener, remote), load, receiver, answer);
        })
    };
    let served = send_together(serve, |note, sent| receiver.sent(note, sent));
    match served {
        Ok(BATCH) => gauge.measure(socket),
        // Less than a batch was all that waited.
        Ok(_) | Err(Errno::EAGAIN) => gauge.rest(),
        Err(_) => {}
    }
    served
}

/// Hands on one datagram. Should it make the receiver panic, only this datagram is lost: a stranger
/// must not silence the listener with a bug of ours.
fn receive_one(
    datagram: &[u8],
    flow: &Flow,
    load: Load,
    receiver: &dyn Receiver,
    answer: &mut Vec<u8>,
) {
    if is_keepalive(datagram) {
        return;
    }
    if catch_unwind(AssertUnwindSafe(|| receiver.received(flow, datagram, load, answer))).is_err() {
        answer.clear();
        error!(%flow, "a datagram made the daemon panic; it is dropped");
    }
}
