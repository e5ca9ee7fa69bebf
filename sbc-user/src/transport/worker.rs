//! The threads that serve datagrams: one for each core for those from outside, and one for those from inside,
//! which on one core is the same.

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
use super::post::{send_together, take_queued};
use super::pulse::Beat;
use super::running::Stop;
use super::turn::Turns;
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
    /// With those who write what sockets that feed connections bring.
    turns: Option<Turns>,
}

/// One socket.
struct Post {
    listener: u8,
    feeds_connections: bool,
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
        Self { posts: Vec::new(), gauges: Vec::new(), beat, turns: None }
    }

    pub(super) fn serves(&mut self, listener: u8, socket: Arc<UdpSocket>, gauge: Gauge) {
        self.posts.push(Post { listener, feeds_connections: false, socket });
        self.gauges.push(gauge);
    }

    /// Has it serve these too, whose datagrams may be handed on to connections.
    pub(super) fn feeds_connections(
        &mut self,
        sockets: Vec<(u8, Arc<UdpSocket>)>,
        turns: Turns,
        mut gauge: impl FnMut() -> Gauge,
    ) {
        self.turns = Some(turns);
        for (listener, socket) in sockets {
            self.posts.push(Post { listener, feeds_connections: true, socket });
            self.gauges.push(gauge());
        }
    }

    /// Serves until the other end of `wake` is closed.
    fn run(self, wake: &OwnedFd, receiver: &dyn Receiver) {
        let Self { posts, gauges, beat, turns } = self;
        let mut desk = Desk::new();
        let queue = |gauge| Queue { incoming: Incoming::new(), gauge };
        let mut queues: Vec<_> = gauges.into_iter().map(queue).collect();
        let sockets = posts.iter().map(|post| post.socket.as_fd());
        let turn = turns.as_ref().map(|turns| turns.as_fd());
        let mut polled: Vec<_> = std::iter::once(wake.as_fd())
            .chain(sockets)
            .chain(turn)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // While connections have their turn, nothing more is taken that may be for them.
        let is_held =
            |post: &Post| post.feeds_connections && turns.as_ref().is_some_and(Turns::is_awaited);
        loop {
            match poll(&mut polled, PollTimeout::from(LOOK)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => {
                    error!(%error, "cannot wait for datagrams");
                    thread::sleep(PAUSE);
                }
            }
            beat.tell();
            let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(false);
            let Some((wake, rest)) = polled.split_first_mut() else { return };
            if is_ready(wake) {
                return;
            }
            let Some((sockets, turn)) = rest.split_at_mut_checked(posts.len()) else { return };
            if let Some(turns) = turns.as_ref().filter(|_| turn.iter().any(is_ready)) {
                turns.had();
            }
            for ((post, queue), polled) in posts.iter().zip(&mut queues).zip(sockets) {
                // After a whole batch there is likely to be more, which need not be asked for.
                for _ in 0..TURNS {
                    if !is_ready(polled) || is_held(post) {
                        break;
                    }
                    let served = post.serve(&mut desk, queue, receiver);
                    let count = take_queued();
                    if let Some(turns) = turns.as_ref().filter(|_| post.feeds_connections) {
                        turns.queued(count);
                    }
                    if served.is_break() {
                        break;
                    }
                }
                let awaited = if is_held(post) { PollFlags::empty() } else { PollFlags::POLLIN };
                polled.set_events(awaited);
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
